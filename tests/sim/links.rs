//! How links begin, break, heal and end: one story each.

use crate::app::{App, Outcome, json_reader, plain};
use crate::server::{Door, Server};
use serde_json::json;
use stationmaster::base::error::{Error, Kind};
use stationmaster::base::secret::Secret;
use stationmaster::base::time::{Millis, Now, Time};
use stationmaster::link::session::Login;
use stationmaster::runtime::sim::{Host, Network, Said, World};
use std::cell::RefCell;
use std::rc::Rc;

fn world() -> World {
    let world = World::new(7, json_reader());
    world.set_network(Network { latency: (1, 3), cuts: 0, record: true });
    world
}

fn serve(world: &World, url: &str) -> Rc<RefCell<Server>> {
    let server = Rc::new(RefCell::new(Server::new(3)));
    world.listen(url, server.clone());
    server
}

fn options(url: serde_json::Value) -> serde_json::Value {
    json!({ "broker": "nats", "url": url, "reconnectIntervalMs": 300 })
}

fn connected(world: &World, app: &App) {
    let count = app.log.borrow().connected;
    assert!(world.wait(Millis(60_000), || app.log.borrow().connected > count), "no connection");
}

/// The error that a connection ended with, and how long it took.
fn end(world: &World, app: &App, limit: u64) -> (Error, u64) {
    let begun = world.now().mono;
    assert!(world.wait(Millis(limit), || app.log.borrow().over.is_some()), "it goes on after {limit} ms");
    let error = app.log.borrow().over.clone().unwrap().expect("closed instead of failed");
    world.run_for(Millis(120_000));
    assert_eq!(app.runtime.timer(), None, "and then it is quiet");
    (error, world.now().mono.since(begun).0 - 120_000)
}

fn failure(app: &App, index: usize) -> Error {
    match &app.log.borrow().sent[index].outcome {
        Some(Outcome::Failed(error)) => error.clone(),
        other => panic!("{other:?}"),
    }
}

/// Says the same whatever it hears.
struct Parrot {
    words: &'static [u8],
    said: Vec<Said>,
}

impl Host for Parrot {
    fn opened(&mut self, _: Now, link: u32) {
        if !self.words.is_empty() {
            self.said.push(Said::Bytes { link, bytes: self.words.to_vec() });
        }
    }
    fn bytes(&mut self, _: Now, _: u32, _: &[u8]) {}
    fn gone(&mut self, _: Now, _: u32) {}
    fn tick(&mut self, _: Now) {}
    fn deadline(&self) -> Option<Time> {
        None
    }
    fn poll(&mut self) -> Option<Said> {
        self.said.pop()
    }
}

fn parrot(words: &'static [u8]) -> Rc<RefCell<Parrot>> {
    Rc::new(RefCell::new(Parrot { words, said: Vec::new() }))
}

#[test]
fn wrong_credentials_are_not_tried_again() {
    let world = world();
    let server = serve(&world, "ws://a");
    server.borrow_mut().door = Door::User("anna".into(), "right".into());
    let mut options = options(json!("ws://a"));
    options["username"] = json!("anna");
    options["password"] = json!("wrong");
    let app = App::connect(&world, options);
    let (error, took) = end(&world, &app, 10_000);
    assert_eq!((error.kind, error.retryable), (Kind::AuthFailed, false));
    assert!(error.hint.is_some() && took < 100, "{took} ms");
    assert_eq!(app.runtime.dials().len(), 1);
}

#[test]
fn right_credentials_of_both_kinds() {
    let world = world();
    let server = serve(&world, "ws://a");
    server.borrow_mut().door = Door::User("anna".into(), "s\"e\\".into());
    let mut user = options(json!("ws://a"));
    user["username"] = json!("anna");
    user["password"] = json!("s\"e\\");
    connected(&world, &App::connect(&world, user));
    server.borrow_mut().door = Door::Token("t".into());
    let mut token = options(json!("ws://a"));
    token["connectionToken"] = json!("t");
    connected(&world, &App::connect(&world, token));
}

#[test]
fn credentials_are_asked_for_before_every_dial() {
    let world = world();
    let server = serve(&world, "ws://a");
    server.borrow_mut().door = Door::Token("fresh1".into());
    let app = App::connect_asking(&world, options(json!("ws://a")), true);
    let login = |token: &str| Login { token: Some(token.into()), ..Login::default() };
    assert!(world.wait(Millis(100), || app.log.borrow().asked.len() == 1));
    assert_eq!(app.runtime.dials().len(), 0, "not before the answer");
    world.run_for(Millis(3_000));
    app.answer(Ok(login("fresh1")));
    connected(&world, &app);
    server.borrow_mut().door = Door::Token("fresh2".into());
    world.cut(&app.runtime);
    assert!(world.wait(Millis(5_000), || app.log.borrow().asked.len() == 2));
    assert_eq!(app.log.borrow().asked[1].1.as_ref().map(|error| error.kind), Some(Kind::ConnectionLost));
    app.answer(Ok(login("fresh2")));
    connected(&world, &app);
}

#[test]
fn credentials_that_never_come_have_a_limit_of_their_own() {
    let world = world();
    serve(&world, "ws://a");
    let app = App::connect_asking(&world, options(json!("ws://a")), true);
    let (error, took) = end(&world, &app, 60_000);
    assert_eq!(error.kind, Kind::ConnectFailed);
    assert!((30_000..30_100).contains(&took), "{took} ms");
}

#[test]
fn nobody_there_is_told_after_each_address_was_tried_once() {
    let world = world();
    serve(&world, "ws://elsewhere");
    let app = App::connect(&world, options(json!(["ws://a", "ws://b"])));
    let (error, took) = end(&world, &app, 10_000);
    assert_eq!((error.kind, error.retryable), (Kind::ConnectFailed, true));
    let dialled: Vec<_> = app.runtime.dials().into_iter().map(|(_, url)| url).collect();
    assert_eq!(dialled, ["ws://a", "ws://b"]);
    assert!(took < 100, "no pause between them: {took} ms");
}

#[test]
fn one_deadline_over_socket_handshake_and_login() {
    for words in [&b""[..], b"INFO {\"headers\":true} \r\n", b"INFO {\"headers\":tr"] {
        let world = world();
        world.listen("ws://a", parrot(words));
        let app = App::connect(&world, options(json!("ws://a")));
        let (error, took) = end(&world, &app, 10_000);
        assert_eq!(error.kind, Kind::ConnectFailed, "{:?}", words.escape_ascii());
        assert!((2_000..2_100).contains(&took), "{took} ms");
        assert!(error.hint.is_some());
    }
}

#[test]
fn something_else_listens() {
    for words in
        [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"\x00\x01", b"INFO {}garbage\r\n", b"MSG a 1 2147483648\r\n"]
    {
        let world = world();
        world.listen("ws://a", parrot(words));
        let app = App::connect(&world, options(json!("ws://a")));
        let (error, took) = end(&world, &app, 10_000);
        assert_eq!(error.kind, Kind::Protocol, "{:?}", words.escape_ascii());
        assert!(error.hint.is_some() && took < 100);
    }
}

#[test]
fn a_server_that_answers_nothing_any_more_is_noticed() {
    let world = world();
    serve(&world, "ws://a");
    let app = App::connect(&world, options(json!("ws://a")));
    connected(&world, &app);
    let begun = world.now().mono;
    world.half_open(&app.runtime);
    assert!(world.wait(Millis(90_000), || !app.log.borrow().disconnected.is_empty()), "not noticed");
    let took = world.now().mono.since(begun).0;
    assert!(took <= 3 * 20_000, "a probe after 20 s, another, and an end: {took} ms");
    connected(&world, &app);
    assert_eq!(app.log.borrow().disconnected[0].kind, Kind::ConnectionLost);
}

#[test]
fn a_page_that_wakes_up_on_a_dead_link_dials_at_once() {
    let world = world();
    serve(&world, "ws://a");
    let app = App::connect(&world, options(json!("ws://a")));
    connected(&world, &app);
    world.half_open(&app.runtime);
    world.freeze(&app.runtime, Millis(600_000));
    world.run_for(Millis(600_000));
    let woke = world.now().mono;
    connected(&world, &app);
    let took = world.now().mono.since(woke).0;
    assert!(took < 2_100, "one probe of two seconds, then a dial without a pause: {took} ms");
}

#[test]
fn a_page_that_wakes_up_on_a_good_link_keeps_it() {
    let world = world();
    serve(&world, "ws://a");
    let app = App::connect(&world, options(json!("ws://a")));
    connected(&world, &app);
    // Longer than this the server itself gives up a client that does not answer its pings.
    for sleep in [1_000, 30_000, 200_000] {
        world.freeze(&app.runtime, Millis(sleep));
        world.run_for(Millis(sleep + 5_000));
    }
    for sleep in [30_000, 3_600_000] {
        world.throttle(&app.runtime, Millis(sleep));
        world.run_for(Millis(sleep + 5_000));
    }
    assert_eq!(app.runtime.dials().len(), 1, "{:?}", app.log.borrow().disconnected);
}

#[test]
fn pauses_grow_and_the_last_attempt_ends_everything() {
    let world = world();
    serve(&world, "ws://a");
    let mut options = options(json!("ws://a"));
    options["maxReconnect"] = json!(6);
    let app = App::connect(&world, options);
    connected(&world, &app);
    let producer = app.producer("orders", true);
    // A link that lived for five seconds counts attempts anew.
    world.run_for(Millis(6_000));
    world.set_down("ws://a", true);
    world.run_for(Millis(50));
    app.produce(producer, &plain("late"), None);
    let (error, _) = end(&world, &app, 200_000);
    assert!(matches!(error.kind, Kind::ConnectFailed | Kind::ConnectionLost), "{error:?}");
    let log = app.log.borrow();
    assert_eq!(log.pauses.len(), 6);
    for (number, pause) in log.pauses.iter().enumerate() {
        let most = 300 << number;
        assert!(pause.0 <= most, "pause {number} is {} ms, {most} are the most", pause.0);
    }
    assert!(log.unfinished().is_empty(), "{:?}", log.unfinished());
    drop(log);
    assert_eq!(failure(&app, 0).maybe_delivered, Some(false), "it never left");
}

#[test]
fn without_reconnect_the_first_loss_is_the_end() {
    let world = world();
    serve(&world, "ws://a");
    let mut options = options(json!("ws://a"));
    options["reconnect"] = json!(false);
    let app = App::connect(&world, options);
    connected(&world, &app);
    world.cut(&app.runtime);
    let (error, _) = end(&world, &app, 1_000);
    assert_eq!(error.kind, Kind::ConnectionLost);
    let refused = app.driver.ops().err().expect("nothing can be begun");
    assert_eq!(refused.kind, Kind::ConnectionLost);
}

#[test]
fn a_seed_is_kept_no_longer_than_it_is_of_use() {
    let seed = || Some(Secret::new("SUAJ2YNRTXX72WTAXKCEV5ES5QWMIRCJYVUXWMTJDFYDXLADDSXH6YALCA".into()));
    let held = |app: &App| app.call(|core, _| core.login.has_key());
    // Asked for before every dial: it goes when the link is up.
    let world = world();
    serve(&world, "ws://a");
    let app = App::connect_asking(&world, options(json!("ws://a")), true);
    app.answer(Ok(Login { seed: seed(), ..Login::default() }));
    assert!(held(&app));
    connected(&world, &app);
    assert!(!held(&app));
    // Given once: it is needed for the next dial, and goes with the connection.
    let mut options = options(json!("ws://a"));
    options["nkeySeed"] = json!(seed().unwrap().reveal());
    let app = App::connect(&world, options);
    connected(&world, &app);
    world.cut(&app.runtime);
    connected(&world, &app);
    assert!(held(&app));
    app.close();
    assert!(world.wait(Millis(2_000), || app.log.borrow().over.is_some()));
    assert!(!held(&app));
}

#[test]
fn credentials_that_are_refused_again_and_again_are_not_asked_for_for_ever() {
    let world = world();
    let server = serve(&world, "ws://a");
    let mut options = options(json!("ws://a"));
    options["maxReconnect"] = json!(5);
    let app = App::connect_asking(&world, options, true);
    app.answer(Ok(Login::default()));
    connected(&world, &app);
    let over = world.wait(Millis(600_000), || {
        let asked = app.log.borrow().asked.len();
        if app.log.borrow().connected as usize == asked {
            server.borrow_mut().say_to_all(b"-ERR 'User Authentication Expired'\r\n");
        } else {
            app.answer(Ok(Login::default()));
        }
        app.log.borrow().over.is_some()
    });
    assert!(over, "it was asked {} times", app.log.borrow().asked.len());
    assert_eq!(app.log.borrow().over.clone().unwrap().unwrap().kind, Kind::AuthFailed);
    assert!(app.log.borrow().asked.len() <= 7, "asked {} times", app.log.borrow().asked.len());
}

#[test]
fn a_server_that_goes_is_left_for_another() {
    let world = world();
    let first = serve(&world, "ws://a");
    serve(&world, "ws://b");
    let app = App::connect(&world, options(json!(["ws://a", "ws://b"])));
    connected(&world, &app);
    first.borrow_mut().announce_leaving();
    // What it says now leaves with its next word to anybody.
    world.run_for(Millis(3_000));
    assert_eq!(app.log.borrow().urls.last().map(String::as_str), Some("ws://b"));
}

#[test]
fn what_is_lost_with_the_link_is_said_to_be_uncertain() {
    let world = world();
    let server = serve(&world, "ws://a");
    let app = App::connect(&world, options(json!("ws://a")));
    connected(&world, &app);
    let (bare, safe) = (app.producer("orders", false), app.producer("orders", true));
    world.run_for(Millis(1_000));
    server.borrow_mut().faults.lost_receipts = 1_000;
    app.produce(bare, &plain("one"), None);
    app.produce(safe, &plain("two"), None);
    world.run_for(Millis(500));
    server.borrow_mut().faults.lost_receipts = 0;
    world.cut(&app.runtime);
    connected(&world, &app);
    world.run_for(Millis(100));
    let error = failure(&app, 0);
    assert_eq!((error.kind, error.maybe_delivered), (Kind::ConnectionLost, Some(true)));
    let log = app.log.borrow();
    assert!(matches!(log.sent[1].outcome, Some(Outcome::Stored { duplicate: true, .. })), "{:?}", log.sent[1]);
    drop(log);
    assert_eq!(server.borrow().stored("orders").len(), 2, "each is there once");
}

#[test]
fn limits_of_what_waits() {
    let world = world();
    serve(&world, "ws://a");
    let mut options = options(json!("ws://a"));
    options["maxPendingMessages"] = json!(4);
    let app = App::connect(&world, options);
    connected(&world, &app);
    let producer = app.producer("orders", false);
    for number in 0..6 {
        app.produce(producer, &plain(&format!("m{number}")), None);
    }
    for index in [4, 5] {
        let error = failure(&app, index);
        assert_eq!((error.kind, error.maybe_delivered, error.retryable), (Kind::QueueFull, Some(false), true));
    }
    world.run_for(Millis(1_000));
    assert!(app.log.borrow().unfinished().is_empty());
    assert_eq!(app.log.borrow().room, 1, "whoever was refused hears when there is room");
}

#[test]
fn too_large_is_not_sent() {
    let world = world();
    let server = serve(&world, "ws://a");
    server.borrow_mut().max_payload = 1_000;
    let app = App::connect(&world, options(json!("ws://a")));
    connected(&world, &app);
    let producer = app.producer("orders", false);
    world.run_for(Millis(1_000));
    app.produce(producer, &plain(&"x".repeat(1_001)), None);
    app.produce(producer, &plain(&"x".repeat(1_000)), None);
    world.run_for(Millis(1_000));
    assert_eq!(failure(&app, 0).kind, Kind::TooLarge);
    assert_eq!(server.borrow().published, 1);
    assert_eq!(app.runtime.dials().len(), 1, "the link lives");
}

#[test]
fn a_server_without_jetstream() {
    let world = world();
    serve(&world, "ws://a").borrow_mut().jetstream = false;
    let app = App::connect(&world, options(json!("ws://a")));
    connected(&world, &app);
    let producer = app.producer("orders", false);
    app.produce(producer, &plain("x"), None);
    assert!(world.wait(Millis(20_000), || app.log.borrow().unfinished().is_empty()), "it waits for ever");
    let error = failure(&app, 0);
    assert!(error.kind == Kind::NotSupported && error.hint.is_some(), "{error:?}");
}

#[test]
fn close_lets_what_is_pending_finish_but_not_for_ever() {
    for (answers, outcome) in [(true, None), (false, Some(Kind::Closed))] {
        let world = world();
        let server = serve(&world, "ws://a");
        let app = App::connect(&world, options(json!("ws://a")));
        connected(&world, &app);
        let producer = app.producer("orders", false);
        world.run_for(Millis(1_000));
        if !answers {
            server.borrow_mut().faults.lost_messages = 1_000;
        }
        app.produce(producer, &plain("x"), None);
        let begun = world.now().mono;
        app.close();
        app.close();
        assert!(world.wait(Millis(6_000), || app.log.borrow().over.is_some()), "close goes on for ever");
        let took = world.now().mono.since(begun).0;
        match outcome {
            None => assert!(took < 500, "{took} ms"),
            Some(kind) => {
                assert!((5_000..5_100).contains(&took), "{took} ms");
                let error = failure(&app, 0);
                assert_eq!((error.kind, error.maybe_delivered), (kind, Some(true)));
            }
        }
        assert!(app.log.borrow().unfinished().is_empty());
        assert_eq!(server.borrow().stored("orders").len(), usize::from(answers));
    }
}

#[test]
fn close_while_the_link_is_down_does_not_wait() {
    let world = world();
    serve(&world, "ws://a");
    let app = App::connect(&world, options(json!("ws://a")));
    connected(&world, &app);
    let producer = app.producer("orders", true);
    world.run_for(Millis(1_000));
    world.set_down("ws://a", true);
    world.run_for(Millis(20));
    app.produce(producer, &plain("x"), None);
    app.close();
    assert!(world.wait(Millis(100), || app.log.borrow().over.is_some()), "it waits for a link that is down");
    assert_eq!(failure(&app, 0).kind, Kind::Closed);
}

#[test]
fn a_station_that_vanishes_ends_its_producers_and_consumers() {
    let world = world();
    let server = serve(&world, "ws://a");
    let app = App::connect(&world, options(json!("ws://a")));
    connected(&world, &app);
    let producer = app.producer("orders", false);
    let consumer = app.consumer("orders", json!({ "consumerGroup": "g" }));
    app.start(consumer, false, 10).unwrap();
    world.run_for(Millis(1_000));
    server.borrow_mut().destroy("orders");
    assert!(world.wait(Millis(15_000), || app.log.borrow().readers[&consumer].ended.is_some()), "the consumer lives");
    assert_eq!(app.log.borrow().readers[&consumer].ended.as_ref().unwrap().kind, Kind::NoSuchStation);
    app.produce(producer, &plain("x"), None);
    assert!(world.wait(Millis(15_000), || app.log.borrow().unfinished().is_empty()), "the producer waits");
    assert_eq!(failure(&app, 0).kind, Kind::NoSuchStation);
    assert_eq!(failure(&app, 0).maybe_delivered, Some(false));
    app.produce(producer, &plain("y"), None);
    assert_eq!(failure(&app, 1).kind, Kind::NoSuchStation, "the producer is over");
}
