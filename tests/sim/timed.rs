//! Messages that vanish, and messages that appear later, while links break.

use crate::app::{App, Outcome, json_reader, plain};
use crate::server::{Faults, Server};
use serde_json::json;
use stationmaster::base::error::Kind;
use stationmaster::base::time::{Millis, Time, Wall};
use stationmaster::client::producer::Message;
use stationmaster::link::session::{Later, Times, Verdict};
use stationmaster::runtime::sim::{Network, World};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

fn stage(seed: u64) -> (World, Rc<RefCell<Server>>, App) {
    let world = World::new(seed, json_reader());
    world.set_network(Network { latency: (1, 20), cuts: 200, record: false });
    let server = Rc::new(RefCell::new(Server::new(seed)));
    world.listen("ws://a", server.clone());
    let app = App::connect(&world, json!({ "broker": "nats", "url": "ws://a", "reconnectIntervalMs": 100 }));
    assert!(world.wait(Millis(5_000), || app.log.borrow().connected == 1), "no connection");
    (world, server, app)
}

fn vanishing(data: &str, span: u64) -> Message<'_> {
    Message { times: Times { expires: Some(Millis(span)), later: None }, ..plain(data) }
}

fn later<'a>(world: &World, data: &'a str, span: u64, id: u64) -> Message<'a> {
    let at = Wall(world.now().wall.0 + span * 1_000_000);
    Message { times: Times { expires: None, later: Some(Later { span: Millis(span), at, id }) }, ..plain(data) }
}

fn stored(app: &App) -> usize {
    let good = |sent: &&crate::app::Sent| matches!(sent.outcome, Some(Outcome::Stored { .. }));
    app.log.borrow().sent.iter().filter(good).count()
}

#[test]
fn a_message_stays_its_time_and_not_longer() {
    for seed in 0..40 {
        let (world, server, app) = stage(seed);
        let producer = app.producer("orders", true);
        app.produce(producer, &vanishing("short", 4_000), None);
        app.produce(producer, &vanishing("long", 20_000), None);
        app.produce(producer, &plain("for good"), None);
        // The first of them has the station changed, which a lost link may interrupt.
        world.run_for(Millis(world.below(120)));
        world.cut(&app.runtime);
        assert!(world.wait(Millis(10_000), || stored(&app) == 3), "seed {seed}: {:?}", app.log.borrow().sent);
        let there = || -> Vec<_> {
            server.borrow_mut().prune(world.now());
            let kept = server.borrow().stored("orders");
            kept.into_iter().map(|(_, _, data)| String::from_utf8(data).unwrap()).collect()
        };
        assert!(there().contains(&"short".into()), "seed {seed}: {:?}", there());
        world.run_for(Millis(6_000));
        let left = there();
        assert!(left.len() == 2 && !left.contains(&"short".into()), "seed {seed}: {left:?}");
        world.run_for(Millis(20_000));
        assert_eq!(there(), ["for good"], "seed {seed}");
    }
}

#[test]
fn a_message_comes_at_its_time_and_once_whatever_is_lost() {
    for seed in 0..60 {
        let (world, server, app) = stage(seed);
        let producer = app.producer("orders", true);
        let consumer = app.consumer("orders", json!({ "consumerName": "c", "maxAckTimeMs": 3_000 }));
        app.start(consumer, false, 30).unwrap();
        server.borrow_mut().faults = Faults { lost_receipts: 150, ..Faults::default() };
        let mut due: BTreeMap<String, Time> = BTreeMap::new();
        for number in 0..30 {
            let (data, span) = (format!("m{number}"), 500 + world.below(12_000));
            due.insert(data.clone(), world.now().mono + Millis(span));
            app.produce(producer, &later(&world, &data, span, number + 1), None);
            world.run_for(Millis(world.below(60)));
        }
        world.run_for(Millis(world.below(500)));
        world.cut(&app.runtime);
        let mut come: BTreeMap<String, u64> = BTreeMap::new();
        let end = world.now().mono + Millis(40_000);
        while world.now().mono < end {
            world.run_for(Millis(50));
            while app.log.borrow().readers[&consumer].ready && app.take(consumer) {
                let taken = app.log.borrow().taken.back().cloned().unwrap();
                let (now, due) = (world.now().mono, due[&taken.payload]);
                assert!(now >= due, "seed {seed}: {} came {:?} too early", taken.payload, due.since(now));
                assert!(now.since(due) < Millis(15_000), "seed {seed}: {} came late", taken.payload);
                let again = come.insert(taken.payload.clone(), taken.sequence).is_some_and(|at| at != taken.sequence);
                assert!(!again, "seed {seed}: {} is stored twice", taken.payload);
                app.settle(Verdict::Ack, false);
            }
        }
        assert_eq!((come.len(), stored(&app)), (30, 30), "seed {seed}");
    }
}

#[test]
fn a_station_that_was_not_made_for_it_refuses_at_once() {
    let (world, server, app) = stage(3);
    let producer = app.producer("orders", false);
    world.run_for(Millis(500));
    server.borrow_mut().streams.get_mut("orders").unwrap().config["retention"] = json!("interest");
    app.produce(producer, &later(&world, "x", 1_000, 1), None);
    world.run_for(Millis(2_000));
    let log = app.log.borrow();
    assert!(
        matches!(&log.sent[0].outcome, Some(Outcome::Failed(error)) if error.kind == Kind::NotSupported),
        "{:?}",
        log.sent
    );
}
