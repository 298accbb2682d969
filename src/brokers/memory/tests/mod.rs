//! The promises of the broker, one test each, through the same doors that the package uses: `Ops` and `Session`.
//!
//! Here: a broker with a hand-driven clock, and connections whose turns the test makes.

#![cfg(test)]

mod asks;
mod groups;
mod produce;
mod properties;
mod redelivery;
mod stations;

use super::ops::Ops;
use super::session::MemorySession;
use super::store::Store;
use super::{headers, msg_id};
use crate::base::error::Error;
use crate::base::time::{Millis, Now, Time, Wall};
use crate::brokers::terms::{GroupFacts, GroupSpec, Retention, Start, StationFacts, StationSpec};
use crate::link::outbox::Outbox;
use crate::link::session::{
    Ask, Draft, Encryption, FeedId, Input, Login, Output, Place, RouteId, Session, Slot, Verdict, Wait, WaitId,
};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A broker and its clock.
struct Rig {
    store: Rc<RefCell<Store>>,
    ops: Ops,
    millis: u64,
}

/// A connection to it.
struct Client {
    session: MemorySession,
    out: Outbox,
    woken: Rc<Cell<u32>>,
}

/// A delivered message, taken out of the buffer.
#[derive(Clone, Debug, PartialEq)]
struct Got {
    feed: FeedId,
    sequence: u64,
    deliveries: u32,
    text: String,
    headers: Vec<(String, String)>,
    msg_id: Option<String>,
    stamp: Wall,
    token: Vec<u8>,
}

/// What else a turn brought.
#[derive(Debug, PartialEq)]
enum Said {
    Up,
    Alive,
    Stored(u32, u64, bool),
    Refused(u32, Error),
    RouteLost(RouteId, Error),
    Room(FeedId),
    Over(FeedId),
    FeedLost(FeedId, Error),
    Replied(WaitId, Result<(), Error>),
}

impl Rig {
    fn new() -> Rig {
        let store = Rc::new(RefCell::new(Store::new()));
        Rig { ops: Ops::over(Rc::clone(&store)), store, millis: 1000 }
    }

    fn now(&self) -> Now {
        Now { mono: Time(self.millis), wall: Wall(1_800_000_000_000_000_000 + self.millis * 1_000_000) }
    }

    fn pass(&mut self, millis: u64) {
        self.millis += millis;
    }

    fn client(&self) -> Client {
        let woken = Rc::new(Cell::new(0));
        let count = Rc::clone(&woken);
        let wake: Rc<dyn Fn()> = Rc::new(move || count.set(count.get() + 1));
        Client { session: MemorySession::over(Rc::clone(&self.store), wake), out: Outbox::default(), woken }
    }

    fn station(&self, name: &str, spec: &StationSpec) -> StationFacts {
        self.ops.station(self.now(), name, spec).unwrap()
    }

    fn group(&self, station: &str, spec: &GroupSpec) -> GroupFacts {
        self.ops.group(self.now(), &at(station), spec).unwrap()
    }

    fn remove(&self, station: &str, group: &str, only_if_alone: bool) -> bool {
        self.ops.remove_group(self.now(), &at(station), group, only_if_alone).unwrap()
    }

    fn position(&self, group: &str) -> Option<u64> {
        self.ops.position(self.now(), "s", group, 1).unwrap()
    }

    fn messages(&self) -> u64 {
        self.ops.report(self.now(), "s").unwrap().messages
    }
}

impl Client {
    fn route(&mut self, station: &str, partition: u32) -> RouteId {
        self.session.open_route(&place(station, partition))
    }

    /// Publish and return what was said at once.
    fn send(&mut self, rig: &Rig, route: RouteId, draft: &Draft<'_>) -> Said {
        let mut bytes = Vec::new();
        let head = self.session.encode(draft, &mut bytes).unwrap();
        self.session.publish(rig.now(), &mut self.out, route, Slot(7), &bytes, head);
        let said = self.drain();
        assert_eq!(said.len(), 1, "a message has exactly one outcome: {said:?}");
        said.into_iter().next().unwrap()
    }

    /// Store a text and return its sequence.
    fn put(&mut self, rig: &Rig, route: RouteId, text: &str) -> u64 {
        match self.send(
            rig,
            route,
            &Draft { producer: "p", headers: &[], msg_id: None, data: text.as_bytes(), times: Default::default() },
        ) {
            Said::Stored(7, sequence, false) => sequence,
            other => panic!("{other:?}"),
        }
    }

    fn put_all(&mut self, rig: &Rig, route: RouteId, texts: &[&str]) {
        for text in texts {
            self.put(rig, route, text);
        }
    }

    fn put_id(&mut self, rig: &Rig, route: RouteId, id: &str) -> (u64, bool) {
        match self.send(
            rig,
            route,
            &Draft { producer: "p", headers: &[], msg_id: Some(id), data: b"x", times: Default::default() },
        ) {
            Said::Stored(7, sequence, duplicate) => (sequence, duplicate),
            other => panic!("{other:?}"),
        }
    }

    /// Read the first partition of a group.
    fn feed(&mut self, rig: &Rig, facts: &GroupFacts) -> FeedId {
        self.session.open_feed(rig.now(), &mut self.out, &facts.feeds[0])
    }

    fn ask(&mut self, rig: &Rig, feed: FeedId, messages: u32, wait: Wait) {
        self.session.ask(rig.now(), &mut self.out, feed, Ask { messages, bytes: 0, wait });
    }

    /// One turn: what came, and what was said beside.
    fn turn(&mut self, rig: &Rig) -> (Vec<Got>, Vec<Said>) {
        self.session.handle(rig.now(), Input::Tick, &mut self.out);
        let mut got = Vec::new();
        let mut said = Vec::new();
        while let Some(output) = self.session.poll() {
            match output {
                Output::Arrived(arrival) => {
                    let own = self.session.own();
                    let part = |span: crate::link::session::Span| &own[span.at as usize..(span.at + span.len) as usize];
                    let frame = part(arrival.frame);
                    assert_eq!(
                        frame.len(),
                        part(arrival.token).len() + part(arrival.head).len() + part(arrival.data).len()
                    );
                    got.push(Got {
                        feed: arrival.feed,
                        sequence: arrival.sequence,
                        deliveries: arrival.deliveries,
                        text: String::from_utf8_lossy(part(arrival.data)).into_owned(),
                        headers: headers(part(arrival.head)),
                        msg_id: msg_id(part(arrival.head)),
                        stamp: arrival.stamp,
                        token: part(arrival.token).to_vec(),
                    });
                }
                other => said.push(plain(other)),
            }
        }
        (got, said)
    }

    /// The texts that one turn brings.
    fn texts(&mut self, rig: &Rig) -> Vec<String> {
        self.turn(rig).0.into_iter().map(|got| got.text).collect()
    }

    /// Ask for what is there and take it.
    fn take(&mut self, rig: &Rig, feed: FeedId, messages: u32) -> Vec<Got> {
        self.ask(rig, feed, messages, Wait::No);
        let (got, said) = self.turn(rig);
        assert_eq!(said, [Said::Over(feed)]);
        got
    }

    fn settle(&mut self, rig: &Rig, got: &Got, verdict: &Verdict) {
        self.session.settle(rig.now(), &mut self.out, got.feed, &got.token, verdict, None);
        assert_eq!(self.drain(), []);
    }

    fn confirm(&mut self, rig: &Rig, got: &Got, verdict: &Verdict) -> Result<(), Error> {
        self.session.settle(rig.now(), &mut self.out, got.feed, &got.token, verdict, Some(WaitId(3)));
        match self.drain().pop() {
            Some(Said::Replied(WaitId(3), reply)) => reply,
            other => panic!("{other:?}"),
        }
    }

    /// What was said without a turn; no message is among it.
    fn drain(&mut self) -> Vec<Said> {
        let mut said = Vec::new();
        while let Some(output) = self.session.poll() {
            said.push(plain(output));
        }
        said
    }
}

fn plain(output: Output) -> Said {
    match output {
        Output::Up => Said::Up,
        Output::Alive => Said::Alive,
        Output::Stored { slot, sequence, duplicate } => Said::Stored(slot.0, sequence, duplicate),
        Output::Refused(slot, error) => Said::Refused(slot.0, error),
        Output::RouteLost(route, error) => Said::RouteLost(route, error),
        Output::Room(feed) => Said::Room(feed),
        Output::AskOver(feed) => Said::Over(feed),
        Output::FeedLost(feed, error) => Said::FeedLost(feed, error),
        Output::Replied(wait, reply) => Said::Replied(wait, reply.map(|_| ())),
        other => panic!("{other:?}"),
    }
}

fn place(station: &str, partition: u32) -> Place {
    Place { station: station.into(), partition, store: station.into(), address: station.into() }
}

/// What a caller knows of a station, true or not.
fn at(station: &str) -> StationFacts {
    StationFacts {
        name: station.into(),
        places: Vec::new(),
        existed: true,
        differs: Vec::new(),
        window: Millis(0),
        schema: String::new(),
    }
}

/// A station with the contract's defaults.
fn usual() -> StationSpec {
    StationSpec::default()
}

fn keeping(retention: Retention) -> StationSpec {
    StationSpec { retention, ..usual() }
}

/// A group with an ack time of one second and three deliveries.
fn named(name: &str) -> GroupSpec {
    GroupSpec {
        name: name.into(),
        member: "c".into(),
        nameless: false,
        start: Start::First,
        again: false,
        resume: Vec::new(),
        ack_time: Millis(1000),
        max_deliveries: 3,
        auto_ack: false,
    }
}

/// One station `s`, one connection with a route to it, one group `g` that it reads.
fn simple(spec: &StationSpec) -> (Rig, Client, RouteId, FeedId) {
    let rig = Rig::new();
    rig.station("s", spec);
    let facts = rig.group("s", &named("g"));
    let mut client = rig.client();
    let route = client.route("s", 1);
    let feed = client.feed(&rig, &facts);
    (rig, client, route, feed)
}

fn sequences(got: &[Got]) -> Vec<u64> {
    got.iter().map(|got| got.sequence).collect()
}

#[test]
fn a_session_says_that_it_is_up_and_alive() {
    let rig = Rig::new();
    let mut client = rig.client();
    let input =
        Input::Opened { login: &Login::default(), encryption: Encryption::Settled, took: Millis(0), random: [0; 8] };
    client.session.handle(rig.now(), input, &mut client.out);
    assert!(client.session.has_output());
    assert_eq!(client.drain(), [Said::Up]);
    client.session.probe(rig.now(), &mut client.out);
    assert_eq!(client.drain(), [Said::Alive]);
    assert!(!client.session.has_output());
    assert!(!client.out.is_due(), "there is no wire");
}

#[test]
fn a_request_is_answered_with_an_error() {
    let rig = Rig::new();
    let mut client = rig.client();
    let request = crate::link::session::Request { to: "x".into(), body: Vec::new(), head: 0, many: false };
    client.session.request(rig.now(), &mut client.out, WaitId(1), &request);
    let said = client.drain();
    assert!(matches!(said.as_slice(), [Said::Replied(WaitId(1), Err(_))]), "{said:?}");
}
