//! A server that says it is about to go is left for another one while both live: nothing is lost, nothing comes twice.

use crate::app::{App, Outcome, Reading, json_reader};
use crate::server::Server;
use serde_json::json;
use stationmaster::base::time::Millis;
use stationmaster::client::producer::Message;
use stationmaster::client::turn::ConsumerId;
use stationmaster::link::session::Verdict;
use stationmaster::runtime::sim::{Network, World};
use std::cell::RefCell;
use std::rc::Rc;

/// Two nodes of one cluster, as far as a client can tell: one store at two addresses.
fn cluster(seed: u64) -> (World, Rc<RefCell<Server>>) {
    let world = World::new(seed, json_reader());
    world.set_network(Network { latency: (1, 20), cuts: 300, record: false });
    let server = Rc::new(RefCell::new(Server::new(3)));
    world.listen("ws://a", server.clone());
    world.listen("ws://b", server.clone());
    (world, server)
}

fn connect(world: &World, urls: serde_json::Value) -> App {
    let app = App::connect(world, json!({ "broker": "nats", "url": urls, "reconnectIntervalMs": 300 }));
    assert!(world.wait(Millis(10_000), || app.log.borrow().connected == 1), "no connection");
    app
}

fn produce(app: &App, producer: stationmaster::client::turn::ProducerId, number: usize) {
    let data = format!("m{number}");
    let message = Message {
        times: Default::default(),
        headers: &[],
        msg_id: None,
        key: None,
        partition: None,
        data: data.as_bytes(),
        ack_wait: Millis(15_000),
        limit: 20,
        wants_receipt: true,
    };
    app.produce(producer, &message, None);
}

/// Take and ack whatever is there.
fn read(app: &App, consumer: ConsumerId) {
    loop {
        let ready = app.log.borrow().readers.get(&consumer).is_some_and(|r| r.ready && r.reading == Reading::Iterating);
        if !ready || !app.take(consumer) {
            break;
        }
        app.settle(Verdict::Ack, false);
    }
}

#[test]
fn traffic_goes_on_without_a_gap() {
    for seed in 1..40 {
        let (world, server) = cluster(seed);
        let app = connect(&world, json!(["ws://a", "ws://b"]));
        let producer = app.producer("orders", false);
        let consumer = app.consumer("orders", json!({ "consumerName": "c", "maxAckTimeMs": 60_000 }));
        app.start(consumer, false, 30).unwrap();
        world.run_for(Millis(500));
        for number in 0..200 {
            produce(&app, producer, number);
            if number == 60 {
                server.borrow_mut().announce_leaving();
            }
            world.run_for(Millis(3));
            assert!(app.driver.call(|core, _| core.is_up()), "seed {seed}: isConnected() at {number}");
            read(&app, consumer);
        }
        world.run_for(Millis(3_000));
        read(&app, consumer);
        let log = app.log.borrow();
        assert_eq!(log.urls, ["ws://a", "ws://b"], "seed {seed}");
        assert!(log.disconnected.is_empty() && log.pauses.is_empty(), "seed {seed}: {:?}", log.disconnected);
        let stored = |sent: &crate::app::Sent| matches!(sent.outcome, Some(Outcome::Stored { duplicate: false, .. }));
        assert!(log.sent.iter().all(stored), "seed {seed}: {:?}", log.sent.iter().find(|sent| !stored(sent)));
        let texts: Vec<_> = (0..200).map(|number| format!("m{number}")).collect();
        let kept: Vec<_> =
            server.borrow().stored("orders").into_iter().map(|(_, _, data)| String::from_utf8(data).unwrap()).collect();
        assert_eq!(kept, texts, "seed {seed}");
        assert_eq!(log.seen.len(), 200, "seed {seed}: everything was handed over before its ack time was over");
        assert_eq!(app.driver.call(|core, _| core.reconnects), 1);
    }
}

#[test]
fn a_learned_address_is_as_good() {
    let (world, server) = cluster(3);
    server.borrow_mut().connect_urls = vec!["a".into(), "b".into()];
    let app = connect(&world, json!("ws://a"));
    world.run_for(Millis(100));
    server.borrow_mut().announce_leaving();
    world.run_for(Millis(1_000));
    assert_eq!(app.log.borrow().urls, ["ws://a", "ws://b"]);
}

#[test]
fn without_another_one_it_stays_until_the_end() {
    let (world, server) = cluster(5);
    world.set_down("ws://b", true);
    for urls in [json!("ws://a"), json!(["ws://a", "ws://b"])] {
        let app = connect(&world, urls);
        let producer = app.producer("orders", false);
        world.run_for(Millis(500));
        server.borrow_mut().announce_leaving();
        world.run_for(Millis(5_000));
        assert!(app.log.borrow().disconnected.is_empty());
        produce(&app, producer, 1);
        world.run_for(Millis(500));
        assert!(matches!(app.log.borrow().sent[0].outcome, Some(Outcome::Stored { .. })));
        // When it goes, the link is lost like any other.
        world.cut(&app.runtime);
        assert!(world.wait(Millis(30_000), || app.log.borrow().connected == 2), "not connected again");
        app.close();
        world.run_for(Millis(6_000));
    }
}

#[test]
fn a_server_that_goes_at_once_or_a_close_leaves_nothing_behind() {
    for delay in 0..60 {
        let (world, server) = cluster(delay);
        let app = connect(&world, json!(["ws://a", "ws://b"]));
        let producer = app.producer("orders", true);
        world.run_for(Millis(500));
        for number in 0..20 {
            produce(&app, producer, number);
        }
        server.borrow_mut().announce_leaving();
        world.run_for(Millis(delay));
        if delay % 2 == 0 {
            world.set_down("ws://a", true);
            assert!(world.wait(Millis(30_000), || app.log.borrow().urls.last().is_some_and(|url| url == "ws://b")));
            world.run_for(Millis(5_000));
            assert_eq!(server.borrow().stored("orders").len(), 20, "delay {delay}");
        }
        app.close();
        world.run_for(Millis(8_000));
        assert_eq!(app.log.borrow().over, Some(None), "delay {delay}");
        assert!(app.log.borrow().unfinished().is_empty(), "delay {delay}: {:?}", app.log.borrow().unfinished());
        assert_eq!(app.runtime.timer(), None, "delay {delay}");
        assert_eq!(server.borrow().connections(), 0, "delay {delay}: no socket is left open");
    }
}
