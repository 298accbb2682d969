//! Consuming, one story a promise: groups and who removes them, prefetch, keeping alive and giving back, deaths, fetches.

use crate::app::{App, json_reader};
use crate::server::Server;
use serde_json::{Value, json};
use stationmaster::base::error::Kind;
use stationmaster::base::time::Millis;
use stationmaster::client::turn::{ConsumerId, OpId};
use stationmaster::link::session::Verdict;
use stationmaster::runtime::sim::{Host, Network, World};
use std::cell::RefCell;
use std::rc::Rc;

struct Stage {
    world: World,
    server: Rc<RefCell<Server>>,
    app: App,
}

fn stage() -> Stage {
    let world = World::new(7, json_reader());
    world.set_network(Network { latency: (2, 2), cuts: 0, record: false });
    let server = Rc::new(RefCell::new(Server::new(3)));
    world.listen("ws://a", server.clone());
    let app = connect(&world);
    let made = app.producer("orders", false);
    world.run_for(Millis(1_000));
    app.destroy_producer(made);
    Stage { world, server, app }
}

fn connect(world: &World) -> App {
    let app = App::connect(world, json!({ "broker": "nats", "url": "ws://a", "reconnectIntervalMs": 300 }));
    assert!(world.wait(Millis(1_000), || app.log.borrow().connected == 1), "not connected");
    app
}

impl Stage {
    fn consumer(&self, app: &App, options: Value) -> ConsumerId {
        let id = app.consumer("orders", options);
        let open = app.when_open(id);
        assert!(self.world.wait(Millis(5_000), || app.log.borrow().ended(open).is_some()), "it does not open");
        id
    }

    /// Somebody else stores this many messages.
    fn fill(&self, count: usize) {
        let now = self.world.now();
        let mut server = self.server.borrow_mut();
        for _ in 0..count {
            let stream = server.streams.get_mut("orders").unwrap();
            let payload = format!("m{}", stream.last + 1);
            stream.store(now, "stations.orders.1", &[], payload.as_bytes());
        }
        // What can be delivered is, at once.
        server.gone(now, u32::MAX);
        drop(server);
        self.world.run_for(Millis(20));
    }

    fn groups(&self) -> Vec<String> {
        self.server.borrow().streams["orders"].consumers.keys().cloned().collect()
    }

    fn deliveries(&self, group: &str, sequence: u64) -> u32 {
        let server = self.server.borrow();
        server.streams["orders"].consumers[group].deliveries.get(&sequence).copied().unwrap_or(0)
    }

    fn done(&self, group: &str) -> usize {
        self.server.borrow().streams["orders"].consumers[group].done.len()
    }

    fn wait(&self, app: &App, op: OpId, limit: u64) -> bool {
        assert!(self.world.wait(Millis(limit), || app.log.borrow().ended(op).is_some()), "{op:?} goes on");
        app.log.borrow().ended(op) == Some(true)
    }

    fn taken(&self, app: &App) -> Vec<u64> {
        app.log.borrow().taken.iter().map(|taken| taken.sequence).collect()
    }
}

#[test]
fn a_group_without_a_name_goes_with_its_member() {
    let stage = stage();
    let id = stage.consumer(&stage.app, json!({}));
    assert_eq!(stage.groups().len(), 1);
    let left = stage.app.leave(id);
    assert!(stage.wait(&stage.app, left, 1_000));
    assert!(stage.groups().is_empty());
    stage.consumer(&stage.app, json!({}));
    assert_eq!(stage.groups().len(), 1);
    stage.app.close();
    assert!(stage.world.wait(Millis(1_000), || stage.app.log.borrow().over.is_some()));
    assert!(stage.groups().is_empty(), "close removes it as well");
}

#[test]
fn a_named_group_goes_with_its_last_member() {
    let stage = stage();
    let other = connect(&stage.world);
    let mine = stage.consumer(&stage.app, json!({ "consumerGroup": "g" }));
    let theirs = stage.consumer(&other, json!({ "consumerGroup": "g" }));
    other.start(theirs, false, 10).unwrap();
    while other.take(theirs) {}
    stage.world.run_for(Millis(100));
    let left = stage.app.leave(mine);
    assert!(stage.wait(&stage.app, left, 10_000));
    assert_eq!(stage.groups(), ["g"], "somebody pulls");
    let left = other.leave(theirs);
    assert!(stage.wait(&other, left, 10_000));
    assert!(stage.groups().is_empty());
    assert_eq!(stage.server.borrow().subscriptions(), 4, "an inbox and the registry each, and nothing of the feeds");
}

#[test]
fn destroying_one_of_two_members_of_one_connection_leaves_the_group() {
    let stage = stage();
    let first = stage.consumer(&stage.app, json!({ "consumerGroup": "g" }));
    stage.consumer(&stage.app, json!({ "consumerGroup": "g" }));
    let left = stage.app.leave(first);
    assert!(stage.wait(&stage.app, left, 10_000));
    assert_eq!(stage.groups(), ["g"]);
}

#[test]
fn the_other_kind_of_group_cannot_be_joined() {
    let stage = stage();
    stage.consumer(&stage.app, json!({ "consumerGroup": "g" }));
    let other = stage.app.consumer("orders", json!({ "consumerGroup": "g", "autoAck": true }));
    let open = stage.app.when_open(other);
    assert!(!stage.wait(&stage.app, open, 1_000));
    let log = stage.app.log.borrow();
    let error = log.errors()[0];
    assert!(error.kind == Kind::AlreadyExists && error.hint.is_some(), "{error:?}");
}

#[test]
fn prefetch_is_never_exceeded_and_refilled_at_half() {
    let stage = stage();
    let id = stage.consumer(&stage.app, json!({ "consumerGroup": "g" }));
    stage.app.start(id, false, 20).unwrap();
    stage.fill(100);
    stage.world.run_for(Millis(100));
    assert_eq!(stage.app.log.borrow().readers[&id].most_held, 20);
    for _ in 0..9 {
        assert!(stage.app.take(id));
    }
    stage.world.run_for(Millis(100));
    assert_eq!(stage.deliveries("g", 21), 0, "less than half is free");
    for _ in 0..2 {
        assert!(stage.app.take(id));
    }
    stage.world.run_for(Millis(100));
    assert!(stage.deliveries("g", 30) == 1 && stage.deliveries("g", 32) == 0, "half is free: it asks for as much");
    assert_eq!(stage.app.log.borrow().readers[&id].most_held, 20);
}

#[test]
fn what_is_held_is_kept_alive_while_something_is_taken() {
    let stage = stage();
    let id = stage.consumer(&stage.app, json!({ "consumerGroup": "g", "maxAckTimeMs": 4_000 }));
    stage.app.start(id, false, 10).unwrap();
    stage.fill(10);
    // One every three seconds: the last one is held for half a minute.
    for _ in 0..10 {
        stage.world.run_for(Millis(3_000));
        assert!(stage.app.take(id));
        stage.app.settle(Verdict::Ack, false);
    }
    stage.world.run_for(Millis(5_000));
    assert_eq!(stage.done("g"), 10);
    assert!((1..=10).all(|sequence| stage.deliveries("g", sequence) == 1), "nothing came twice");
}

#[test]
fn what_nobody_takes_is_given_back_to_somebody_who_does() {
    let stage = stage();
    let other = connect(&stage.world);
    let idle = stage.consumer(&stage.app, json!({ "consumerGroup": "g", "maxAckTimeMs": 4_000 }));
    stage.app.start(idle, false, 10).unwrap();
    stage.fill(10);
    let busy = stage.consumer(&other, json!({ "consumerGroup": "g", "maxAckTimeMs": 4_000 }));
    other.start(busy, false, 10).unwrap();
    let all = stage.world.wait(Millis(20_000), || {
        while other.take(busy) {
            other.settle(Verdict::Ack, false);
        }
        other.log.borrow().seen.len() == 10
    });
    assert!(all, "the other one got {:?}", other.log.borrow().seen);
    stage.world.run_for(Millis(1_000));
    // Whoever was asleep takes part again as soon as it takes.
    assert!(!stage.app.take(idle));
    stage.fill(20);
    stage.world.run_for(Millis(100));
    assert!(stage.app.take(idle), "it asks again");
}

#[test]
fn a_consumer_that_waits_for_long_still_gets_what_comes() {
    let stage = stage();
    for handler in [false, true] {
        let id = stage.consumer(&stage.app, json!({ "consumerGroup": "g", "maxAckTimeMs": 4_000 }));
        stage.app.start(id, handler, 10).unwrap();
        stage.fill(1);
        if handler {
            stage.app.handled(id);
        } else {
            while stage.app.take(id) {}
        }
        stage.app.settle(Verdict::Ack, false);
        // A page in the background: its timers come late.
        for _ in 0..5 {
            stage.world.throttle(&stage.app.runtime, Millis(60_000));
            let gone_on = stage.world.wait(Millis(61_000), || {
                let busy = stage.app.log.borrow().readers[&id].busy;
                if busy {
                    stage.app.handled(id);
                }
                false
            });
            assert!(!gone_on);
        }
        let before = stage.app.log.borrow().seen.len();
        stage.fill(1);
        let came = stage.world.wait(Millis(70_000), || {
            let ready = stage.app.log.borrow().readers[&id].ready;
            if !handler && ready {
                while stage.app.take(id) {}
            }
            stage.app.log.borrow().seen.len() > before
        });
        assert!(came, "nothing comes any more (handler: {handler})");
        stage.app.settle(Verdict::Ack, false);
        let left = stage.app.leave(id);
        stage.wait(&stage.app, left, 10_000);
    }
}

#[test]
fn stopping_gives_back_at_once() {
    let stage = stage();
    let other = connect(&stage.world);
    let id = stage.consumer(&stage.app, json!({ "consumerGroup": "g" }));
    let theirs = stage.consumer(&other, json!({ "consumerGroup": "g" }));
    stage.app.start(id, false, 10).unwrap();
    stage.fill(10);
    assert!(stage.app.take(id));
    stage.app.stop(id);
    let fetched = other.fetch(theirs, 10, 1_000, false, false).unwrap();
    assert!(stage.wait(&other, fetched, 2_000));
    let mut got = stage.taken(&other);
    got.sort_unstable();
    assert_eq!(got, (2..=10).collect::<Vec<_>>(), "all but the one that was taken");
}

#[test]
fn deliveries_have_a_limit() {
    let stage = stage();
    let id = stage.consumer(&stage.app, json!({ "consumerGroup": "g", "maxMsgDeliveries": 3, "maxAckTimeMs": 2_000 }));
    stage.fill(2);
    for round in 1..=3 {
        let fetched = stage.app.fetch(id, 2, 5_000, false, false).unwrap();
        assert!(stage.wait(&stage.app, fetched, 6_000));
        let counts: Vec<_> = stage.app.log.borrow().taken.iter().map(|taken| taken.deliveries).collect();
        assert_eq!(counts, [round, round]);
        // One is given back, the other's time runs out.
        stage.app.settle(Verdict::Nack, false);
        stage.app.log.borrow_mut().taken.clear();
        stage.world.run_for(Millis(2_100));
    }
    for _ in 0..3 {
        let fetched = stage.app.fetch(id, 2, 3_000, false, false).unwrap();
        assert!(stage.wait(&stage.app, fetched, 4_000));
        assert!(stage.taken(&stage.app).is_empty(), "dead is dead");
    }
    assert_eq!(stage.done("g"), 2, "and the group is done with them");
}

#[test]
fn a_fetch_brings_what_is_there_and_no_more() {
    let stage = stage();
    let id = stage.consumer(&stage.app, json!({ "consumerGroup": "g" }));
    stage.fill(5);
    let begun = stage.world.now().mono;
    let took = || stage.world.now().mono.since(begun).0;
    let full = stage.app.fetch(id, 3, 5_000, false, false).unwrap();
    assert!(stage.wait(&stage.app, full, 100) && stage.taken(&stage.app) == [1, 2, 3], "{:?}", stage.taken(&stage.app));
    let rest = stage.app.fetch(id, 3, 1_000, false, false).unwrap();
    assert!(stage.wait(&stage.app, rest, 2_000));
    assert_eq!(stage.taken(&stage.app), [1, 2, 3, 4, 5]);
    assert!((1_000..1_600).contains(&took()), "it waited for a third: {} ms", took());
    let now = stage.app.fetch(id, 3, 5_000, true, false).unwrap();
    assert!(stage.wait(&stage.app, now, 100), "nothing there: at once");
    assert_eq!(stage.taken(&stage.app).len(), 5);
}

#[test]
fn an_aborted_fetch_loses_nothing() {
    let stage = stage();
    let id = stage.consumer(&stage.app, json!({ "consumerGroup": "g" }));
    let aborted = stage.app.fetch(id, 5, 5_000, false, false).unwrap();
    stage.world.run_for(Millis(50));
    stage.app.abort_fetch(id, aborted);
    assert!(!stage.wait(&stage.app, aborted, 10));
    stage.fill(5);
    let next = stage.app.fetch(id, 5, 5_000, false, false).unwrap();
    assert!(stage.wait(&stage.app, next, 6_000));
    assert_eq!(stage.taken(&stage.app), [1, 2, 3, 4, 5]);
    assert!((1..=5).all(|sequence| stage.deliveries("g", sequence) == 1));
}

#[test]
fn fetches_queue_up_and_nothing_else_mixes_with_them() {
    let stage = stage();
    let id = stage.consumer(&stage.app, json!({ "consumerGroup": "g" }));
    let first = stage.app.fetch(id, 2, 2_000, false, false).unwrap();
    let second = stage.app.fetch(id, 2, 2_000, false, false).unwrap();
    assert_eq!(stage.app.start(id, false, 10).unwrap_err().kind, Kind::InvalidArgument);
    stage.fill(3);
    assert!(stage.wait(&stage.app, first, 500));
    assert_eq!(stage.app.log.borrow().ended(second), None, "one message is missing");
    assert!(stage.wait(&stage.app, second, 4_000));
    assert_eq!(stage.taken(&stage.app), [1, 2, 3]);
    stage.app.start(id, true, 10).unwrap();
    assert_eq!(stage.app.fetch(id, 1, 100, false, false).unwrap_err().kind, Kind::InvalidArgument);
    assert_eq!(stage.app.start(id, false, 10).unwrap_err().kind, Kind::InvalidArgument);
}

#[test]
fn fetching_ahead_brings_the_next_batch() {
    let stage = stage();
    let id = stage.consumer(&stage.app, json!({ "consumerGroup": "g" }));
    stage.fill(6);
    let first = stage.app.fetch(id, 3, 1_000, false, true).unwrap();
    assert!(stage.wait(&stage.app, first, 100));
    stage.world.run_for(Millis(50));
    assert_eq!(stage.deliveries("g", 6), 1, "the next three are here already");
    let second = stage.app.fetch(id, 3, 1_000, false, false).unwrap();
    assert_eq!(stage.app.log.borrow().ended(second), Some(true), "without a round trip");
    assert_eq!(stage.taken(&stage.app), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_handler_hears_that_nothing_came_but_not_all_the_time() {
    let stage = stage();
    let options = json!({ "consumerGroup": "g", "batchMaxTimeToWaitMs": 1_000, "pullIntervalMs": 3_000 });
    let id = stage.consumer(&stage.app, options);
    stage.app.start(id, true, 10).unwrap();
    let mut calls = Vec::new();
    let begun = stage.world.now().mono;
    stage.world.wait(Millis(20_000), || {
        let busy = stage.app.log.borrow().readers[&id].busy;
        if busy {
            calls.push(stage.world.now().mono.since(begun).0);
            stage.app.handled(id);
        }
        false
    });
    assert!((4..=6).contains(&calls.len()), "{calls:?}");
    assert!(calls.windows(2).all(|pair| pair[1] - pair[0] >= 4_000), "{calls:?}");
    assert_eq!(stage.app.log.borrow().empty_batches as usize, calls.len());
    let before = stage.world.now().mono;
    stage.fill(1);
    assert!(stage.world.now().mono.since(before).0 < 100);
    assert_eq!(stage.taken(&stage.app), [1], "a message ends the pause");
}

#[test]
fn delivered_means_done_where_it_was_asked_for() {
    let stage = stage();
    let id = stage.consumer(&stage.app, json!({ "consumerGroup": "g", "autoAck": true, "maxAckTimeMs": 1_000 }));
    stage.fill(10);
    stage.app.start(id, false, 10).unwrap();
    stage.world.run_for(Millis(10_000));
    let mut taken = 0;
    while stage.app.take(id) {
        taken += 1;
    }
    assert_eq!(taken, 10, "they wait without a limit");
    assert!((1..=10).all(|sequence| stage.deliveries("g", sequence) == 1));
}

#[test]
fn acks_leave_together() {
    let stage = stage();
    let id = stage.consumer(&stage.app, json!({ "consumerGroup": "g" }));
    stage.fill(100);
    stage.app.start(id, false, 500).unwrap();
    stage.world.run_for(Millis(20));
    let (before, _) = stage.app.runtime.sent();
    while stage.app.take(id) {
        stage.app.settle(Verdict::Ack, false);
    }
    stage.world.run_for(Millis(20));
    assert_eq!(stage.done("g"), 100);
    let writes = stage.app.runtime.sent().0 - before;
    assert!(writes <= 3, "{writes} writes for a hundred acks");
}

#[test]
fn a_confirmed_ack_waits_for_the_brokers_word() {
    let stage = stage();
    let id = stage.consumer(&stage.app, json!({ "consumerGroup": "g" }));
    stage.fill(3);
    let fetched = stage.app.fetch(id, 3, 1_000, false, false).unwrap();
    assert!(stage.wait(&stage.app, fetched, 100));
    let good = stage.app.settle(Verdict::Ack, true).expect("it is not done yet");
    assert_eq!((stage.app.log.borrow().ended(good), stage.done("g")), (None, 0));
    assert!(stage.wait(&stage.app, good, 100) && stage.done("g") == 1);
    // While the link is down it waits; when the link is back the broker's word is still waited for.
    stage.world.set_down("ws://a", true);
    stage.world.run_for(Millis(10));
    let late = stage.app.settle(Verdict::Ack, true).expect("the link is down");
    stage.world.run_for(Millis(500));
    assert_eq!(stage.app.log.borrow().ended(late), None);
    stage.world.set_down("ws://a", false);
    assert!(stage.wait(&stage.app, late, 5_000) && stage.done("g") == 2);
    // One that the broker never answers has a limit.
    stage.world.half_open(&stage.app.runtime);
    let lost = stage.app.settle(Verdict::Ack, true).expect("it waits");
    assert!(!stage.wait(&stage.app, lost, 6_000));
}
