//! Clocks that jump by an hour: the wall clock in both directions, as its owner or a time server sets it, and both
//! clocks forward, as when a lid is closed. Nothing that waits may notice the first; the second is a sleep.

use crate::app::{App, Outcome, json_reader};
use crate::server::Server;
use serde_json::json;
use stationmaster::base::error::Kind;
use stationmaster::base::time::Millis;
use stationmaster::client::producer::Message;
use stationmaster::client::turn::{ConsumerId, ProducerId};
use stationmaster::link::session::{Login, Verdict};
use stationmaster::runtime::sim::{Network, World};
use std::cell::RefCell;
use std::rc::Rc;

const HOUR: i64 = 3_600_000;
const JUMPS: [i64; 2] = [HOUR, -HOUR];
/// Each broker, and where it is.
const BROKERS: [(&str, &str); 2] = [("nats", "ws://a"), ("memory", "memory:clocks")];

struct Stage {
    world: World,
    app: App,
    producer: ProducerId,
    consumer: ConsumerId,
}

/// A producer and a consumer at work, with acks due after four seconds.
fn stage(broker: &str, url: &str, jump: i64) -> Stage {
    let world = World::new(7, json_reader());
    world.set_network(Network { latency: (1, 3), cuts: 0, record: false });
    world.listen("ws://a", Rc::new(RefCell::new(Server::new(3))));
    // Memory brokers live as long as the process: each story has its own.
    let url = if broker == "memory" { format!("{url}-{}-{}", world.now().mono.0, jump) } else { url.into() };
    let app = App::connect(&world, json!({ "broker": broker, "url": url, "reconnectIntervalMs": 300 }));
    assert!(world.wait(Millis(5_000), || app.log.borrow().connected == 1), "not connected");
    let producer = app.producer("orders", true);
    let consumer = app.consumer("orders", json!({ "consumerGroup": "g", "maxAckTimeMs": 4_000 }));
    let open = app.when_open(consumer);
    assert!(world.wait(Millis(5_000), || app.log.borrow().ended(open) == Some(true)), "it does not open");
    app.start(consumer, false, 10).unwrap();
    Stage { world, app, producer, consumer }
}

impl Stage {
    fn produce(&self, text: &str) {
        let message = Message {
            times: Default::default(),
            headers: &[],
            msg_id: None,
            key: None,
            partition: None,
            data: text.as_bytes(),
            ack_wait: Millis(15_000),
            limit: 500,
            wants_receipt: true,
        };
        self.app.produce(self.producer, &message, None);
    }

    fn stored(&self) -> usize {
        let log = self.app.log.borrow();
        log.sent.iter().filter(|sent| matches!(sent.outcome, Some(Outcome::Stored { .. }))).count()
    }

    /// Take and settle whatever is there, until so many were seen.
    fn consume(&self, count: usize, limit: u64) -> bool {
        self.world.wait(Millis(limit), || {
            while self.app.take(self.consumer) {
                self.app.settle(Verdict::Ack, false);
            }
            self.app.log.borrow().seen.len() >= count
        })
    }
}

#[test]
fn the_link_does_not_notice_the_wall_clock() {
    for jump in JUMPS {
        for (broker, url) in BROKERS {
            let stage = stage(broker, &format!("{url}-link"), jump);
            for _ in 0..5 {
                stage.world.jump_wall(jump);
                stage.world.run_for(Millis(30_000));
            }
            let log = stage.app.log.borrow();
            assert_eq!((log.connected, log.disconnected.len()), (1, 0), "{broker} {jump}: {:?}", log.disconnected);
            assert!(stage.app.runtime.dials().len() <= 1, "{broker} {jump}");
        }
    }
}

#[test]
fn receipts_and_their_limits_do_not_notice_the_wall_clock() {
    for jump in JUMPS {
        let stage = stage("nats", "ws://a", jump);
        stage.produce("before");
        stage.world.jump_wall(jump);
        stage.produce("after");
        assert!(stage.world.wait(Millis(1_000), || stage.stored() == 2), "{jump}: stored at once");
        // One that waits for a link has its fifteen seconds, neither less nor an hour more.
        stage.world.set_down("ws://a", true);
        stage.world.run_for(Millis(100));
        stage.produce("late");
        stage.world.jump_wall(jump);
        stage.world.run_for(Millis(14_000));
        assert!(stage.app.log.borrow().sent[2].outcome.is_none(), "{jump}: its time is not over");
        stage.world.run_for(Millis(2_000));
        let outcome = stage.app.log.borrow().sent[2].outcome.clone();
        assert!(matches!(&outcome, Some(Outcome::Failed(error)) if error.kind == Kind::Timeout), "{jump}: {outcome:?}");
    }
}

#[test]
fn what_is_held_does_not_notice_the_wall_clock() {
    for jump in JUMPS {
        for (broker, url) in BROKERS {
            let stage = stage(broker, &format!("{url}-held"), jump);
            for number in 0..10 {
                stage.produce(&format!("m{number}"));
            }
            // One every three seconds, and a jump before each: the last is held for half a minute.
            for number in 0..10 {
                stage.world.jump_wall(jump);
                stage.world.run_for(Millis(3_000));
                assert!(stage.app.take(stage.consumer), "{broker} {jump}: message {number}");
                let log = stage.app.log.borrow();
                assert_eq!(log.taken.back().unwrap().deliveries, 1, "{broker} {jump}: message {number} came again");
                drop(log);
                stage.app.settle(Verdict::Ack, false);
            }
            stage.world.run_for(Millis(10_000));
            assert!(!stage.app.take(stage.consumer), "{broker} {jump}: nothing comes twice");
        }
    }
}

#[test]
fn what_was_not_acked_comes_again_when_it_is_due_whatever_the_wall_clock_says() {
    for jump in JUMPS {
        for (broker, url) in BROKERS {
            let stage = stage(broker, &format!("{url}-again"), jump);
            stage.produce("x");
            assert!(stage.world.wait(Millis(1_000), || stage.app.take(stage.consumer)), "{broker} {jump}: it comes");
            stage.world.jump_wall(jump);
            stage.world.run_for(Millis(3_000));
            assert!(!stage.app.take(stage.consumer), "{broker} {jump}: not before four seconds");
            assert!(
                stage.world.wait(Millis(3_000), || stage.app.take(stage.consumer)),
                "{broker} {jump}: but after them"
            );
            assert_eq!(stage.app.log.borrow().taken.back().unwrap().deliveries, 2);
        }
    }
}

#[test]
fn credentials_have_their_half_minute_whatever_the_wall_clock_says() {
    for jump in JUMPS {
        let world = World::new(7, json_reader());
        world.set_network(Network { latency: (1, 3), cuts: 0, record: false });
        world.listen("ws://a", Rc::new(RefCell::new(Server::new(3))));
        let app = App::connect_asking(&world, json!({ "broker": "nats", "url": "ws://a" }), true);
        world.run_for(Millis(10_000));
        world.jump_wall(jump);
        world.run_for(Millis(15_000));
        assert!(app.log.borrow().over.is_none(), "{jump}: 25 seconds are not 30");
        app.answer(Ok(Login::default()));
        assert!(world.wait(Millis(2_000), || app.log.borrow().connected == 1), "{jump}: it goes on");
    }
}

#[test]
fn after_an_hour_of_sleep_everything_goes_on() {
    for (broker, url) in BROKERS {
        let stage = stage(broker, &format!("{url}-sleep"), 0);
        for number in 0..5 {
            stage.produce(&format!("m{number}"));
        }
        stage.world.run_for(Millis(500));
        // The hour passes between two turns; what was held meanwhile has been given to nobody else.
        stage.world.jump(Millis(HOUR as u64));
        stage.world.run_for(Millis(10_000));
        for number in 5..10 {
            stage.produce(&format!("m{number}"));
        }
        assert!(stage.consume(10, 60_000), "{broker}: {:?}", stage.app.log.borrow().seen);
        assert_eq!(stage.stored(), 10, "{broker}");
        assert!(stage.app.log.borrow().over.is_none(), "{broker}");
    }
}
