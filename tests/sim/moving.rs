//! A server that says it is about to go is left for another one while both live: nothing is lost, nothing comes twice.

use crate::app::{App, Outcome, Reading, json_reader, plain};
use crate::routes::Routes;
use crate::server::Server;
use serde_json::json;
use stationmaster::base::error::Kind;
use stationmaster::base::time::Millis;
use stationmaster::client::producer::Message;
use stationmaster::client::turn::ConsumerId;
use stationmaster::link::session::Verdict;
use stationmaster::runtime::sim::{Network, World};
use std::cell::RefCell;
use std::rc::Rc;

/// Two nodes of one cluster, as far as a client can tell: one store at two addresses, with ways of up to so many
/// milliseconds to it.
fn cluster(seed: u64, way: u64) -> (World, Rc<RefCell<Server>>) {
    let world = World::new(seed, json_reader());
    world.set_network(Network { latency: (1, 20), cuts: 300, record: false });
    let server = Rc::new(RefCell::new(Server::new(3)));
    server.borrow_mut().routes = Some(Routes::new(seed, way));
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
    let message = Message { limit: 20, ..plain(&data) };
    app.produce(producer, &message, None);
}

/// Take and ack whatever is there; how many messages it was.
fn read(app: &App, consumer: ConsumerId) -> u32 {
    let mut taken = 0;
    loop {
        let ready = app.log.borrow().readers.get(&consumer).is_some_and(|r| r.ready && r.reading == Reading::Iterating);
        if !ready || !app.take(consumer) {
            return taken;
        }
        taken += 1;
        app.settle(Verdict::Ack, false);
    }
}

#[test]
fn traffic_goes_on_without_a_gap() {
    for seed in 1..40 {
        let (world, server) = cluster(seed, 5);
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

/// In a cluster a delivery comes from the node that leads. What is between the nodes when a subscription ends is counted as
/// delivered there, and would come again after the ack time only.
#[test]
fn what_is_on_its_way_through_the_cluster_comes_by_one_link_or_the_other() {
    for seed in 1..60 {
        let (world, server) = cluster(seed, 40);
        let other = connect(&world, json!("ws://b"));
        let producer = other.producer("orders", false);
        let app = connect(&world, json!(["ws://a", "ws://b"]));
        let consumer = app.consumer("orders", json!({ "consumerName": "c", "maxAckTimeMs": 60_000 }));
        app.start(consumer, false, [8, 30, 500][seed as usize % 3]).unwrap();
        world.run_for(Millis(800));
        let mut taken = 0;
        for number in 0..300 {
            produce(&other, producer, number);
            if number == 60 {
                server.borrow_mut().announce_leaving();
            }
            world.run_for(Millis(world.below(6)));
            taken += read(&app, consumer);
        }
        world.wait(Millis(25_000), || {
            taken += read(&app, consumer);
            taken >= 300
        });
        world.run_for(Millis(1_000));
        assert_eq!(app.log.borrow().urls, ["ws://a", "ws://b"], "seed {seed}");
        let late = "everything was handed over before its ack time was over";
        assert_eq!(app.log.borrow().seen.len(), 300, "seed {seed}: {late}");
        assert_eq!(taken + read(&app, consumer), 300, "seed {seed}: nothing was handed over twice");
    }
}

#[test]
fn whatever_breaks_during_a_move_nothing_stalls() {
    for seed in 0..120 {
        let (world, server) = cluster(seed, 30);
        let app = connect(&world, json!(["ws://a", "ws://b"]));
        world.set_network(Network { latency: (1, [5, 60][seed as usize / 4 % 2]), cuts: 300, record: false });
        let producer = app.producer("orders", true);
        let consumer = app.consumer("orders", json!({ "consumerName": "c", "maxAckTimeMs": 3_000 }));
        app.start(consumer, false, 30).unwrap();
        world.run_for(Millis(1_500));
        let (leaves, breaks) = (20 + world.below(20), world.below(400));
        let mut broken = None;
        for number in 0..100 {
            produce(&app, producer, number as usize);
            if number == leaves {
                server.borrow_mut().announce_leaving();
                broken = Some(world.now().mono + Millis(breaks));
            }
            world.run_for(Millis(world.below(8)));
            read(&app, consumer);
            if broken.is_some_and(|at| at <= world.now().mono) {
                broken = None;
                match seed % 4 {
                    // The newest: the one that is to take over, if it has not.
                    0 => world.cut(&app.runtime),
                    1 => {
                        server.borrow_mut().hang_up_all("Server Shutdown");
                        world.set_down("ws://a", true);
                    }
                    2 => server.borrow_mut().change_leaders(),
                    _ => server.borrow_mut().forget_pulls(),
                }
            }
        }
        let whole = world.wait(Millis(90_000), || {
            read(&app, consumer);
            app.log.borrow().seen.len() == 100
        });
        assert!(whole, "seed {seed}: {} of 100 came", app.log.borrow().seen.len());
        app.close();
        world.run_for(Millis(8_000));
        assert!(app.log.borrow().unfinished().is_empty(), "seed {seed}: {:?}", app.log.borrow().unfinished());
        assert_eq!((app.runtime.timer(), server.borrow().connections()), (None, 0), "seed {seed}: nothing is left");
    }
}

#[test]
fn a_learned_address_is_as_good() {
    let (world, server) = cluster(3, 5);
    server.borrow_mut().connect_urls = vec!["a".into(), "b".into()];
    let app = connect(&world, json!("ws://a"));
    world.run_for(Millis(100));
    server.borrow_mut().announce_leaving();
    world.run_for(Millis(1_000));
    assert_eq!(app.log.borrow().urls, ["ws://a", "ws://b"]);
}

#[test]
fn without_another_one_it_stays_until_the_end() {
    let (world, server) = cluster(5, 5);
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
        let (world, server) = cluster(delay, 5);
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

/// Somebody else publishes.
fn publish(server: &Rc<RefCell<Server>>, channel: &str, text: &str) {
    let mut server = server.borrow_mut();
    server.send(channel, "", &[], text.as_bytes());
    server.say_to_all(b"");
}

/// Messages come all the time while the server is left; `text` of the number.
fn listening(seed: u64, group: &str, text: fn(usize) -> String) -> (World, App, Rc<RefCell<Server>>, Vec<String>) {
    let (world, server) = cluster(seed, 5);
    let app = connect(&world, json!(["ws://a", "ws://b"]));
    app.subscribe("ch.*", group);
    world.run_for(Millis(200));
    let mut sent = Vec::new();
    for number in 0..400 {
        sent.push(text(number));
        publish(&server, "ch.a", &text(number));
        if number == 40 {
            server.borrow_mut().announce_leaving();
        }
        // Several come in one chunk.
        if number % 4 == 3 {
            world.run_for(Millis(world.below(32)));
        }
    }
    world.run_for(Millis(1_000));
    assert_eq!(app.log.borrow().urls, ["ws://a", "ws://b"], "seed {seed}");
    assert!(app.log.borrow().disconnected.is_empty(), "seed {seed}");
    (world, app, server, sent)
}

fn texts(app: &App) -> Vec<String> {
    app.log.borrow().heard.iter().map(|(_, text)| text.clone()).collect()
}

#[test]
fn live_messages_come_once_and_in_order() {
    for seed in 1..60 {
        let (world, app, server, sent) = listening(seed, "", |number| format!("m{number}"));
        assert_eq!(texts(&app), sent, "seed {seed}");
        // What is alike is not the same: the echo of the old link has an end.
        for _ in 0..3 {
            publish(&server, "ch.b", "m399");
            world.run_for(Millis(50));
        }
        assert_eq!(texts(&app).len(), sent.len() + 3, "seed {seed}");
        assert!(app.log.borrow().unfinished().is_empty(), "seed {seed}");
    }
}

#[test]
fn members_of_a_group_stay_one_member() {
    for seed in 1..30 {
        let (_, app, _, sent) = listening(seed, "workers", |number| format!("m{}", number % 3));
        let mut texts = texts(&app);
        assert_eq!(texts.len(), sent.len(), "seed {seed}");
        texts.sort();
        let mut sent = sent;
        sent.sort();
        assert_eq!(texts, sent, "seed {seed}");
    }
}

/// Members of a group get a message once, so what the next link brings is held until it takes over.
#[test]
fn a_move_does_not_wait_while_too_much_is_held() {
    let (world, server) = cluster(7, 5);
    let app = connect(&world, json!(["ws://a", "ws://b"]));
    app.subscribe("ch.*", "workers");
    world.run_for(Millis(200));
    server.borrow_mut().announce_leaving();
    world.run_for(Millis(250));
    assert_eq!(app.log.borrow().urls.len(), 1, "both listen now");
    let large = "x".repeat(1 << 20);
    for number in 0..60 {
        publish(&server, "ch.a", &format!("{number} {large}"));
    }
    assert!(world.wait(Millis(150), || app.log.borrow().urls.len() == 2), "half a second is not waited for");
    world.run_for(Millis(1_000));
    let mut numbers: Vec<u32> =
        texts(&app).iter().map(|text| text.split(' ').next().unwrap().parse().unwrap()).collect();
    numbers.sort();
    assert_eq!(numbers, (0..60).collect::<Vec<_>>());
}

#[test]
fn messages_alike_are_told_apart_by_their_number() {
    for seed in 1..60 {
        let (_, app, _, sent) = listening(seed, "", |number| format!("m{}", number % 5));
        // Those under way when the next link began to listen are not told from what looks like them.
        let lost = sent.len().checked_sub(texts(&app).len());
        assert!(lost.is_some_and(|lost| lost <= 20), "seed {seed}: {lost:?} lost");
    }
}

#[test]
fn a_question_under_way_gets_its_answer_on_the_next_link() {
    for seed in 1..40 {
        let (world, server) = cluster(seed, 5);
        let app = connect(&world, json!(["ws://a", "ws://b"]));
        let other = connect(&world, json!("ws://b"));
        let responder = other.subscribe("ask", "");
        world.run_for(Millis(200));
        let op = app.request("ask", "what?", Millis(20_000));
        world.run_for(Millis(100));
        let asked = other.log.borrow().heard.clone();
        assert_eq!(asked, [(responder, "what?".into())], "seed {seed}");
        server.borrow_mut().announce_leaving();
        assert!(world.wait(Millis(5_000), || app.log.borrow().urls.len() == 2), "seed {seed}: no move");
        world.run_for(Millis(world.below(3_000)));
        let reply = other.log.borrow().replies[0].clone();
        publish(&server, &reply, "that");
        publish(&server, &reply, "and that");
        world.run_for(Millis(200));
        assert_eq!(app.log.borrow().answers.get(&op).map(String::as_str), Some("that"), "seed {seed}");
        assert!(app.log.borrow().unfinished().is_empty(), "seed {seed}");
    }
}

#[test]
fn who_subscribes_or_ends_during_a_move_is_served_by_the_next_link() {
    for delay in 0..80 {
        let (world, server) = cluster(delay, 5);
        let app = connect(&world, json!(["ws://a", "ws://b"]));
        let first = app.subscribe("x", "");
        world.run_for(Millis(200));
        server.borrow_mut().announce_leaving();
        world.run_for(Millis(delay * 10));
        let second = app.subscribe("x", "");
        app.call(|core, now| {
            let (live, _, mut ctx) = core.live_parts(now);
            live.unsubscribe(&mut ctx, first);
        });
        assert!(world.wait(Millis(5_000), || app.log.borrow().urls.len() == 2), "delay {delay}: no move");
        world.run_for(Millis(500));
        publish(&server, "x", "hello");
        world.run_for(Millis(100));
        assert_eq!(app.log.borrow().heard, [(second, "hello".into())], "delay {delay}");
        assert!(app.log.borrow().unfinished().is_empty(), "delay {delay}");
        // The inbox, the one before it, and the new subscription.
        assert_eq!(server.borrow().subscriptions(), 3, "delay {delay}");
    }
}

#[test]
fn a_server_that_goes_while_both_links_listen_is_followed_by_the_next() {
    for delay in 0..60 {
        let (world, server) = cluster(delay, 5);
        let app = connect(&world, json!(["ws://a", "ws://b"]));
        app.subscribe("x", "");
        world.run_for(Millis(200));
        let op = app.request("x", "?", Millis(20_000));
        world.run_for(Millis(100));
        server.borrow_mut().announce_leaving();
        world.run_for(Millis(100 + delay * 10));
        let moved = app.log.borrow().urls.len() == 2;
        world.set_down("ws://a", true);
        let mut sent = vec!["?".to_string()];
        for number in 0..40 {
            sent.push(format!("m{number}"));
            publish(&server, "x", &format!("m{number}"));
            world.run_for(Millis(5));
        }
        world.run_for(Millis(1_000));
        assert_eq!(app.log.borrow().urls.len(), 2, "delay {delay}");
        assert_eq!(app.log.borrow().disconnected.len(), usize::from(!moved), "delay {delay}");
        assert_eq!(texts(&app), sent, "delay {delay}");
        let reply = app.log.borrow().replies[0].clone();
        publish(&server, &reply, "!");
        world.run_for(Millis(200));
        assert_eq!(app.log.borrow().answers.get(&op).map(String::as_str), Some("!"), "delay {delay}");
    }
}

/// Of a group the next link is a member, too: what came to it came to nobody else.
#[test]
fn what_a_next_link_brought_is_not_lost_with_it() {
    let mut lost = 0;
    for delay in 0..60 {
        let (world, server) = cluster(delay, 5);
        let app = connect(&world, json!(["ws://a", "ws://b"]));
        app.subscribe("x", "workers");
        world.run_for(Millis(200));
        server.borrow_mut().announce_leaving();
        for number in 0..=delay {
            publish(&server, "x", &format!("m{number}"));
            world.run_for(Millis(10));
        }
        if app.log.borrow().urls.len() == 2 {
            continue;
        }
        lost += 1;
        world.set_down("ws://b", true);
        world.run_for(Millis(3_000));
        // What was on its way to it is.
        assert!(texts(&app).len() + 4 > delay as usize, "delay {delay}: {:?}", texts(&app));
        let mut once = texts(&app);
        once.sort();
        once.dedup();
        assert_eq!(once.len(), texts(&app).len(), "delay {delay}: nothing twice");
    }
    assert!(lost >= 30, "only {lost} links were lost before they took over");
}

#[test]
fn a_next_link_that_is_lost_again_leaves_everything_as_it_was() {
    let mut lost = 0;
    for delay in 0..60 {
        let (world, server) = cluster(delay, 5);
        let app = connect(&world, json!(["ws://a", "ws://b"]));
        app.subscribe("x", "");
        world.run_for(Millis(200));
        server.borrow_mut().announce_leaving();
        world.run_for(Millis(60 + delay * 7));
        if app.log.borrow().urls.len() == 2 {
            continue;
        }
        lost += 1;
        world.set_down("ws://b", true);
        world.run_for(Millis(3_000));
        assert!(app.log.borrow().disconnected.is_empty(), "delay {delay}");
        publish(&server, "x", "hello");
        let op = app.request("x", "?", Millis(500));
        world.run_for(Millis(1_000));
        assert_eq!(texts(&app), ["hello", "?"], "delay {delay}");
        let late = app.subscribe("y", "");
        world.run_for(Millis(100));
        publish(&server, "y", "hello");
        world.run_for(Millis(100));
        assert_eq!(app.log.borrow().heard.last(), Some(&(late, "hello".into())), "delay {delay}");
        // Nobody answers.
        assert!(app.log.borrow().unfinished().is_empty(), "delay {delay}: {op:?}");
        let errors: Vec<Kind> = app.log.borrow().errors().iter().map(|error| error.kind).collect();
        assert_eq!(errors, [Kind::Timeout], "delay {delay}");
    }
    assert!(lost >= 30, "only {lost} links were lost before they took over");
}
