//! One feed of one session against the simulated server, without anything above: whatever happens to pulls, the server
//! is never asked for more than there is room for, and every message comes in the end.

use crate::server::Server;
use stationmaster::base::time::{Millis, Now, Time, Wall};
use stationmaster::base::value::JsonReader;
use stationmaster::brokers::nats::session::NatsSession;
use stationmaster::link::outbox::Outbox;
use stationmaster::link::session::{
    Ask, Encryption, FeedId, FeedSpec, Input, Login, Output, Place, Session, Source, Verdict, Wait,
};
use stationmaster::policy::credit;
use stationmaster::runtime::sim::{Host, Random, Said};
use std::collections::BTreeSet;

const MESSAGES: u64 = 120;

/// The link that the messages come from.
const PRODUCER: u32 = 99;

#[test]
fn pulls_come_back_whatever_happens_to_them() {
    for seed in 0..300 {
        let outcome = std::panic::catch_unwind(|| Stage::new(seed).play());
        if let Err(panic) = outcome {
            eprintln!("seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

struct Stage {
    random: Random,
    now: Now,
    server: Server,
    session: NatsSession,
    out: Outbox,
    feed: FeedId,
    link: u32,
    limit: u32,
    paused: bool,
    /// Tokens of messages that are held.
    held: Vec<Vec<u8>>,
    seen: BTreeSet<u64>,
}

impl Stage {
    fn new(seed: u64) -> Stage {
        let mut random = Random::new(seed);
        let now = Now { mono: Time(1000), wall: Wall(1_795_243_580_000_000_000) };
        let mut server = Server::new(seed);
        server.opened(now, PRODUCER);
        server.bytes(now, PRODUCER, b"CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\n");
        let api = |subject: &str, body: &str| format!("PUB $JS.API.{subject} r {}\r\n{body}\r\n", body.len());
        let consumer = r#"{"action":"create","config":{"name":"g","durable_name":"g","ack_policy":"explicit","ack_wait":20000000000,"max_ack_pending":-1}}"#;
        server.bytes(now, PRODUCER, api("STREAM.CREATE.s", r#"{"subjects":["stations.s.1"]}"#).as_bytes());
        server.bytes(now, PRODUCER, api("CONSUMER.CREATE.s.g", consumer).as_bytes());
        while server.poll().is_some() {}
        let mut session = NatsSession::new(JsonReader(|text| serde_json::from_slice(text).ok()), "$JS.API");
        let mut out = Outbox::default();
        let place = Place { station: "s".into(), partition: 1, store: "s".into(), address: "stations.s.1".into() };
        let spec = FeedSpec { place, group: "g".into(), auto_ack: false, ack_time: Millis(20_000) };
        let feed = session.open_feed(now, &mut out, &spec);
        let limit = random.between(1, 40) as u32;
        let (held, seen) = (Vec::new(), BTreeSet::new());
        Stage { random, now, server, session, out, feed, link: PRODUCER, limit, paused: false, held, seen }
    }

    fn play(mut self) {
        self.reopen();
        for _ in 0..MESSAGES {
            if self.random.chance(900) {
                self.server.bytes(self.now, PRODUCER, b"PUB stations.s.1 1\r\nx\r\n");
            }
            match self.random.below(40) {
                0 => self.server.change_leaders(),
                1 => self.server.forget_pulls(),
                2 => self.reopen(),
                3 => self.server.faults.lost_answers = 1000,
                4 | 5 => self.server.faults.lost_answers = 0,
                7 => {
                    // What was under way when the asks were taken back still comes; then there is room again.
                    self.paused = true;
                    self.session.withdraw(self.now, &mut self.out, self.feed);
                    self.exchange();
                    assert_eq!(self.server.asked("s", "g"), 0, "everything was taken back");
                    self.paused = false;
                    self.refill();
                }
                _ => {}
            }
            self.exchange();
            self.acknowledge();
            let span = self.random.below(1500);
            self.pass(span);
        }
        self.server.faults.lost_answers = 0;
        let stored = self.server.streams["s"].last;
        let end = self.now.mono + Millis(600_000);
        while self.server.streams["s"].consumers["g"].done.len() as u64 != stored {
            assert!(self.now.mono < end, "{} of {stored} are done", self.server.streams["s"].consumers["g"].done.len());
            self.pass(500);
            self.acknowledge();
        }
        assert_eq!(self.seen.len() as u64, stored, "every message has been seen");
        assert_eq!(self.server.complaint, None);
    }

    /// A new link; the old one's messages are lost on their way.
    fn reopen(&mut self) {
        if self.link != PRODUCER {
            self.server.gone(self.now, self.link);
            self.session.handle(self.now, Input::Closed, &mut self.out);
            self.out.clear();
            while self.session.poll().is_some() {}
        }
        while self.server.poll().is_some() {}
        self.link = 100 + self.random.below(1 << 30) as u32;
        let random = self.random.next_u64().to_le_bytes();
        let login = Login::default();
        self.session.handle(
            self.now,
            Input::Opened { login: &login, encryption: Encryption::Settled, took: Millis(0), random },
            &mut self.out,
        );
        self.server.opened(self.now, self.link);
        self.exchange();
    }

    fn pass(&mut self, span: u64) {
        let end = self.now.mono + Millis(span);
        loop {
            let next = self.server.deadline().into_iter().chain(self.session.deadline()).min();
            let Some(at) = next.map(|at| at.max(self.now.mono)).filter(|at| *at <= end) else { break };
            self.set(at);
            if self.server.deadline().is_some_and(|due| due <= at) {
                self.server.tick(self.now);
            }
            self.session.handle(self.now, Input::Tick, &mut self.out);
            self.exchange();
        }
        self.set(end);
    }

    fn set(&mut self, at: Time) {
        let span = at.since(self.now.mono);
        self.now = Now { mono: at, wall: Wall(self.now.wall.0 + span.nanos()) };
    }

    /// Carry bytes to and fro until nobody has anything to say.
    fn exchange(&mut self) {
        loop {
            self.out.release_acks();
            let bytes = self.out.take(Vec::new());
            let idle = bytes.is_empty();
            if !idle {
                self.server.bytes(self.now, self.link, &bytes);
            }
            let Some(said) = self.server.poll() else {
                if idle {
                    break;
                }
                continue;
            };
            let Said::Bytes { link, bytes } = said else { panic!("{said:?}") };
            if link == PRODUCER && bytes == b"PING\r\n" {
                self.server.bytes(self.now, PRODUCER, b"PONG\r\n");
            }
            if link == self.link {
                let cut = self.random.below(bytes.len() as u64 + 1) as usize;
                for piece in [&bytes[..cut], &bytes[cut..]] {
                    self.session.handle(self.now, Input::Chunk(piece), &mut self.out);
                    self.listen(piece);
                }
            }
        }
        let asked = self.server.asked("s", "g");
        let held = self.held.len() as u64;
        assert!(asked + held <= u64::from(self.limit), "{asked} asked for, {held} held, {} allowed", self.limit);
    }

    fn listen(&mut self, chunk: &[u8]) {
        while let Some(output) = self.session.poll() {
            match output {
                Output::Arrived(arrival) => {
                    let home = if arrival.source == Source::Own { self.session.own() } else { chunk };
                    let token = home[arrival.token.at as usize..][..arrival.token.len as usize].to_vec();
                    self.held.push(token);
                    self.seen.insert(arrival.sequence);
                }
                Output::Up | Output::Room(_) | Output::AskOver(_) => {}
                other => panic!("{other:?}"),
            }
        }
        self.refill();
    }

    fn refill(&mut self) {
        let asked = self.session.asked(self.feed);
        if self.paused {
            return;
        }
        if let Some(messages) = credit::refill(self.limit, self.held.len() as u32, asked) {
            let ask = Ask { messages, bytes: 0, wait: Wait::Standing };
            self.session.ask(self.now, &mut self.out, self.feed, ask);
        }
    }

    fn acknowledge(&mut self) {
        while !self.held.is_empty() && self.random.chance(700) {
            let token = self.held.remove(0);
            let verdict = match self.random.below(10) {
                0 => Verdict::Nack,
                1 => Verdict::Delay(Millis(self.random.below(3000))),
                _ => Verdict::Ack,
            };
            self.session.settle(self.now, &mut self.out, self.feed, &token, &verdict, None);
        }
        self.refill();
        self.exchange();
    }
}
