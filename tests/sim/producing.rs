//! Producing, one story a promise: windows, repeats, order, silence, aborts, and what is said about failures.

use crate::app::{App, Outcome, json_reader, plain};
use crate::server::{Faults, Server};
use serde_json::json;
use stationmaster::base::error::Kind;
use stationmaster::base::time::Millis;
use stationmaster::client::producer::Message;
use stationmaster::client::turn::ProducerId;
use stationmaster::runtime::sim::{Network, World};
use std::cell::RefCell;
use std::rc::Rc;

struct Stage {
    world: World,
    server: Rc<RefCell<Server>>,
    app: App,
    producer: ProducerId,
}

/// A connection with one producer of a station of one partition, that is there.
fn stage() -> Stage {
    let world = World::new(7, json_reader());
    world.set_network(Network { latency: (2, 2), cuts: 0, record: true });
    let server = Rc::new(RefCell::new(Server::new(3)));
    world.listen("ws://a", server.clone());
    let app = App::connect(&world, json!({ "broker": "nats", "url": "ws://a", "reconnectIntervalMs": 300 }));
    let producer = app.producer("orders", false);
    world.run_for(Millis(1_000));
    Stage { world, server, app, producer }
}

impl Stage {
    fn produce(&self, message: &Message<'_>) -> usize {
        self.app.produce(self.producer, message, message.msg_id.map(String::from));
        self.app.log.borrow().sent.len() - 1
    }

    fn outcome(&self, index: usize) -> Option<Outcome> {
        self.app.log.borrow().sent[index].outcome.clone()
    }

    /// The error of a call, and whether the message may be stored.
    fn failure(&self, index: usize) -> (Kind, Option<bool>) {
        match self.outcome(index) {
            Some(Outcome::Failed(error)) => (error.kind, error.maybe_delivered),
            other => panic!("{other:?}"),
        }
    }

    fn stored(&self) -> Vec<String> {
        let stored = self.server.borrow().stored("orders");
        stored.into_iter().map(|(_, _, data)| String::from_utf8(data).unwrap()).collect()
    }

    fn faults(&self, faults: Faults) {
        self.server.borrow_mut().faults = faults;
    }

    fn finish(&self, limit: u64) {
        let done = || self.app.log.borrow().unfinished().is_empty();
        assert!(self.world.wait(Millis(limit), done), "{:?} are open", self.app.log.borrow().unfinished());
    }
}

#[test]
fn calls_of_one_turn_leave_in_one_write_and_in_order() {
    let stage = stage();
    let (before, _) = stage.app.runtime.sent();
    for number in 0..100 {
        stage.produce(&plain(&format!("m{number}")));
    }
    stage.finish(1_000);
    assert_eq!(stage.app.runtime.sent().0 - before, 1, "one write");
    assert_eq!(stage.stored(), (0..100).map(|number| format!("m{number}")).collect::<Vec<_>>());
}

#[test]
fn a_large_write_leaves_at_once() {
    let stage = stage();
    let (before, _) = stage.app.runtime.sent();
    let big = "x".repeat(50_000);
    for _ in 0..5 {
        stage.produce(&plain(&big));
    }
    assert!(stage.app.runtime.sent().0 > before, "it does not wait for the end of the turn");
    stage.finish(1_000);
    assert_eq!(stage.stored().len(), 5);
}

#[test]
fn the_window_is_the_heads_own() {
    let stage = stage();
    stage.faults(Faults { lost_receipts: 1_000, ..Faults::default() });
    for number in 0..10 {
        stage.produce(&Message { limit: 3, ack_wait: Millis(1_000), ..plain(&format!("m{number}")) });
    }
    stage.world.run_for(Millis(500));
    assert_eq!(stage.stored().len(), 3, "three have no outcome: the others wait");
    stage.finish(10_000);
    let kinds: Vec<_> = (0..10).map(|index| stage.failure(index)).collect();
    assert_eq!(kinds[0], (Kind::Timeout, Some(true)));
    assert_eq!(kinds[9], (Kind::Timeout, Some(false)), "it never left");
}

#[test]
fn not_stored_for_now_is_repeated_in_order() {
    let stage = stage();
    stage.produce(&plain("before"));
    stage.world.run_for(Millis(100));
    stage.faults(Faults { no_leader: 1_000, ..Faults::default() });
    for number in 0..5 {
        stage.produce(&plain(&format!("m{number}")));
    }
    stage.world.run_for(Millis(2_000));
    for number in 5..8 {
        stage.produce(&plain(&format!("m{number}")));
    }
    let sent = stage.server.borrow().published;
    assert!((6..30).contains(&sent), "{sent} copies: one at a time, less and less often");
    stage.faults(Faults::default());
    stage.finish(8_000);
    let expected: Vec<_> = std::iter::once("before".into()).chain((0..8).map(|number| format!("m{number}"))).collect();
    assert_eq!(stage.stored(), expected);
}

#[test]
fn not_stored_until_the_time_is_over() {
    let stage = stage();
    stage.faults(Faults { no_leader: 1_000, ..Faults::default() });
    let index = stage.produce(&Message { ack_wait: Millis(3_000), ..plain("x") });
    stage.world.run_for(Millis(2_900));
    assert!(stage.outcome(index).is_none());
    stage.world.run_for(Millis(200));
    assert_eq!(stage.failure(index), (Kind::Timeout, Some(false)), "every copy was answered \"not stored\"");
    let sent = stage.server.borrow().published;
    stage.world.run_for(Millis(10_000));
    assert_eq!(stage.server.borrow().published, sent, "and nothing more is sent");
}

#[test]
fn silence_repeats_only_what_has_an_id() {
    let stage = stage();
    stage.faults(Faults { lost_messages: 1_000, ..Faults::default() });
    let plain_one = stage.produce(&plain("without"));
    let safe = stage.produce(&Message { msg_id: Some("id"), ..plain("with") });
    stage.world.run_for(Millis(1_900));
    assert_eq!(stage.server.borrow().published, 2);
    stage.faults(Faults::default());
    stage.world.run_for(Millis(1_000));
    assert!(matches!(stage.outcome(safe), Some(Outcome::Stored { duplicate: false, .. })));
    stage.finish(20_000);
    assert_eq!(stage.failure(plain_one), (Kind::Timeout, Some(true)));
    assert_eq!((stage.stored(), stage.server.borrow().published), (vec!["with".to_string()], 3));
}

#[test]
fn half_of_the_window_is_the_end_of_repeating() {
    let stage = stage();
    stage.server.borrow_mut().faults.lost_messages = 1_000;
    // The station's window is two minutes: an id is good for one.
    stage.produce(&Message { msg_id: Some("id"), ack_wait: Millis(200_000), ..plain("x") });
    stage.world.run_for(Millis(59_000));
    let sent = stage.server.borrow().published;
    assert!(sent > 10, "{sent} copies so far");
    stage.world.run_for(Millis(5_000));
    let sent = stage.server.borrow().published;
    stage.world.run_for(Millis(100_000));
    assert_eq!(stage.server.borrow().published, sent, "a copy after that might be stored twice");
    stage.finish(60_000);
    assert_eq!(stage.failure(0), (Kind::Timeout, Some(true)));
}

#[test]
fn an_answer_to_an_old_copy_is_not_taken_for_another_message() {
    let stage = stage();
    // The first copy is refused for now only after the second one has left, and the second is stored.
    stage.faults(Faults { lost_receipts: 1_000, ..Faults::default() });
    let first = stage.produce(&Message { msg_id: Some("a"), ..plain("a") });
    stage.world.run_for(Millis(1_990));
    stage.faults(Faults::default());
    stage.world.set_network(Network { latency: (40, 40), cuts: 0, record: true });
    stage.world.run_for(Millis(30));
    stage.world.run_for(Millis(200));
    assert!(matches!(stage.outcome(first), Some(Outcome::Stored { sequence: 1, duplicate: true, .. })));
    for number in 0..5 {
        stage.produce(&plain(&format!("m{number}")));
    }
    stage.finish(5_000);
    let sequences: Vec<_> = (1..6).map(|index| stage.outcome(index)).collect();
    for (at, outcome) in sequences.iter().enumerate() {
        let right =
            matches!(outcome, Some(Outcome::Stored { sequence, duplicate: false, .. }) if *sequence == at as u64 + 2);
        assert!(right, "{outcome:?}");
    }
}

#[test]
fn aborting_before_and_after_it_has_left() {
    let stage = stage();
    stage.faults(Faults { lost_receipts: 1_000, ..Faults::default() });
    let written = stage.produce(&Message { limit: 1, ..plain("written") });
    let waiting = stage.produce(&Message { limit: 1, ..plain("waiting") });
    stage.world.run_for(Millis(100));
    stage.app.abort(written);
    stage.app.abort(waiting);
    stage.app.abort(waiting);
    assert_eq!(stage.failure(written), (Kind::Aborted, Some(true)));
    assert_eq!(stage.failure(waiting).0, Kind::Aborted);
    stage.faults(Faults::default());
    stage.produce(&plain("after"));
    stage.finish(1_000);
    let stored = stage.stored();
    assert_eq!((stored[0].as_str(), stored.last().map(String::as_str)), ("written", Some("after")));
}

#[test]
fn an_abort_while_it_waits_takes_it_back() {
    let stage = stage();
    stage.faults(Faults { lost_receipts: 1_000, ..Faults::default() });
    stage.produce(&Message { limit: 1, ack_wait: Millis(2_000), ..plain("first") });
    let waiting = stage.produce(&Message { limit: 1, ..plain("waiting") });
    stage.world.run_for(Millis(100));
    stage.app.abort(waiting);
    assert_eq!(stage.failure(waiting), (Kind::Aborted, Some(false)));
    stage.finish(5_000);
    assert_eq!(stage.stored(), ["first"]);
}

#[test]
fn without_waiting_failures_are_told_once_a_turn() {
    let stage = stage();
    stage.faults(Faults { no_leader: 1_000, ..Faults::default() });
    for number in 0..5 {
        let id = format!("id{number}");
        let message = Message { msg_id: Some(&id), wants_receipt: false, ack_wait: Millis(1_000), ..plain("x") };
        let index = stage.produce(&message);
        stage.world.run_for(Millis(10));
        let told = stage.outcome(index);
        assert!(number > 0 || matches!(told, Some(Outcome::Stored { sequence: 0, duplicate: false, .. })), "{told:?}");
    }
    stage.world.run_for(Millis(5_000));
    let log = stage.app.log.borrow();
    let told: u32 = log.produce_failed.iter().map(|(messages, ..)| messages).sum();
    let failed = log.sent.iter().filter(|sent| matches!(sent.outcome, Some(Outcome::Failed(_)))).count();
    assert_eq!(told as usize + failed, 5, "every one of them is told, in one way or the other");
    assert!(log.produce_failed.iter().all(|(_, ids, error)| !ids.is_empty() && error.kind == Kind::Timeout));
}

#[test]
fn flush_waits_for_what_was_produced_before_it() {
    let stage = stage();
    stage.faults(Faults { lost_receipts: 1_000, ..Faults::default() });
    stage.produce(&Message { ack_wait: Millis(3_000), ..plain("before") });
    let flush = stage.app.flush(stage.producer);
    stage.produce(&Message { ack_wait: Millis(9_000), ..plain("after") });
    stage.world.run_for(Millis(2_900));
    assert_eq!(stage.app.log.borrow().ended(flush), None);
    stage.world.run_for(Millis(200));
    assert_eq!(stage.app.log.borrow().ended(flush), Some(true), "good or bad, it has its outcome");
}

#[test]
fn destroying_a_producer_lets_it_finish() {
    let stage = stage();
    for number in 0..50 {
        stage.produce(&Message { limit: 5, ..plain(&format!("m{number}")) });
    }
    let gone = stage.app.destroy_producer(stage.producer);
    stage.finish(1_000);
    assert_eq!(stage.app.log.borrow().ended(gone), Some(true));
    assert_eq!(stage.stored().len(), 50);
    let late = stage.produce(&plain("late"));
    assert_eq!(stage.failure(late).0, Kind::Closed);
    let again = stage.app.destroy_producer(stage.producer);
    stage.world.run_for(Millis(10));
    assert_eq!(stage.app.log.borrow().ended(again), Some(true), "a second one is fine");
}

#[test]
fn headers_that_no_protocol_takes() {
    let stage = stage();
    for (name, value) in
        [("a b", "x"), ("a:", "x"), ("", "x"), ("a", "x\r\ny"), ("a", "x\0"), ("nats-msg-id", "x"), ("ä", "x")]
    {
        let index = stage.produce(&Message { headers: &[(name, value)], ..plain("x") });
        assert_eq!(stage.failure(index).0, Kind::InvalidArgument, "{name:?}: {value:?}");
    }
    assert_eq!(stage.server.borrow().published, 0);
    assert_eq!(stage.app.pending(), (0, 0), "what was refused does not count");
}
