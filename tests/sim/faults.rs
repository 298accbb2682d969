//! Whole connections against the simulated server while everything goes wrong: links are cut and half open, the server
//! dies and comes back, has no leader, loses receipts and answers, pages are frozen, timers throttled, clocks jump.
//!
//! What must hold all the same: every call has exactly one outcome; what was acknowledged is stored, once, where the
//! receipt says; what is said not to be stored is not; nobody holds more than there is room for; nothing reaches a
//! consumer that has ended; every stored message comes; and after close nothing moves any more.

use crate::app::{App, Outcome, Reading, json_reader};
use crate::server::{Faults, Server};
use serde_json::json;
use stationmaster::base::error::Kind;
use stationmaster::base::time::Millis;
use stationmaster::client::producer::Message;
use stationmaster::client::turn::{ConsumerId, ProducerId};
use stationmaster::link::session::Verdict;
use stationmaster::policy::partition::hash;
use stationmaster::runtime::sim::{Network, Random, World};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

const URLS: [&str; 2] = ["ws://sim-a", "ws://sim-b"];
const STATION: &str = "orders";

#[test]
fn without_faults_order_holds_too() {
    seeds(0..80, Level::Calm);
}

#[test]
fn with_every_fault() {
    seeds(100_000..100_250, Level::Wild);
}

#[test]
fn with_a_server_that_dies() {
    seeds(50_000..50_080, Level::Deaths);
}

/// How much goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// Nothing; but chunks are cut anywhere.
    Calm,
    /// The server is killed and started again in the middle of traffic.
    Deaths,
    /// All of it.
    Wild,
}

/// Play these seeds; SEEDS=10 plays ten times as many, SEED=<number> that one alone.
fn seeds(range: std::ops::Range<u64>, level: Level) {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let range = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => range.start..range.start + (range.end - range.start) * number("SEEDS").unwrap_or(1),
    };
    let mut failed = Vec::new();
    for seed in range {
        if catch_unwind(AssertUnwindSafe(|| Play::new(seed, level).run())).is_err() {
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "seeds {failed:?} fail ({level:?}); run one again with SEED=<number>");
}

struct Play {
    level: Level,
    random: Random,
    world: World,
    server: Rc<RefCell<Server>>,
    app: App,
    producers: Vec<(ProducerId, bool)>,
    consumers: Vec<ConsumerId>,
    partitions: u32,
    prefetch: u32,
    count: u64,
}

impl Play {
    fn new(seed: u64, level: Level) -> Play {
        let mut random = Random::new(seed);
        let world = World::new(seed, json_reader());
        let latency = (random.below(5), 5 + random.below(25));
        world.set_network(Network { latency, cuts: random.below(700), record: false });
        let server = Rc::new(RefCell::new(Server::new(seed)));
        server.borrow_mut().old = random.chance(300);
        // Two nodes of one cluster, as far as a client can tell.
        URLS.iter().for_each(|url| world.listen(url, server.clone()));
        let app = App::connect(
            &world,
            json!({ "broker": "nats", "url": URLS, "maxReconnect": -1, "reconnectIntervalMs": 300 }),
        );
        assert!(world.wait(Millis(5_000), || app.log.borrow().connected == 1), "no connection");
        let partitions = random.between(1, 3) as u32;
        make_station(&world, &app, partitions);
        let producers = (0..random.between(1, 3)).map(|_| {
            let auto = random.chance(500);
            (app.producer(STATION, auto), auto)
        });
        let producers = producers.collect();
        let prefetch = random.between(u64::from(partitions), 40) as u32;
        let mut play = Play {
            level,
            random,
            world,
            server,
            app,
            producers,
            consumers: Vec::new(),
            partitions,
            prefetch,
            count: 0,
        };
        for _ in 0..play.random.between(1, 2) {
            play.consume();
        }
        play
    }

    fn run(mut self) {
        let steps = 40 + self.random.below(80);
        for _ in 0..steps {
            for _ in 0..self.random.below(6) {
                self.produce();
            }
            self.read();
            self.meddle();
            let span = self.random.below(400);
            self.world.run_for(Millis(span));
        }
        self.mend();
        self.drain();
        self.check_store();
        self.close();
    }

    fn produce(&mut self) {
        let (producer, auto) = self.producers[self.random.below(self.producers.len() as u64) as usize];
        self.count += 1;
        let payload = format!("m{}", self.count);
        // Sometimes an id that was given a little before, within the window: the second message must not be stored.
        let id = match self.random.below(6) {
            0 | 1 => Some(format!("id{}", self.count)),
            2 => Some(format!("id{}", self.random.between(self.count.saturating_sub(10), self.count))),
            _ => None,
        };
        let key = format!("k{}", self.random.below(5));
        let message = Message {
            times: Default::default(),
            headers: &[("kind", "test")],
            msg_id: id.as_deref(),
            key: (id.is_none() && self.random.chance(300)).then_some(key.as_str()),
            partition: None,
            data: payload.as_bytes(),
            ack_wait: Millis(if self.random.chance(100) { 700 } else { 15_000 }),
            limit: if self.random.chance(100) { 3 } else { 500 },
            wants_receipt: self.random.chance(850),
        };
        let stored_under = id.clone().or_else(|| auto.then(|| format!("auto for {payload}")));
        self.app.produce(producer, &message, stored_under);
        if self.random.chance(30) {
            let index = self.random.below(self.app.log.borrow().sent.len() as u64) as usize;
            self.app.abort(index);
        }
    }

    fn consume(&mut self) {
        let id = self.app.consumer(STATION, consumer_options());
        self.consumers.push(id);
        if self.random.chance(700) {
            self.app.start(id, self.random.chance(500), self.prefetch).unwrap();
        }
    }

    /// What an application does with what came.
    fn read(&mut self) {
        for id in self.consumers.clone() {
            let (reading, ready, busy, ended) = {
                let log = self.app.log.borrow();
                let reader = &log.readers[&id];
                (reader.reading, reader.ready, reader.busy, reader.ended.clone())
            };
            if let Some(error) = ended {
                // Its group could not be looked up in time; nothing else may end it.
                assert!(error.kind == Kind::Timeout && error.retryable, "a consumer ended by itself: {error:?}");
                self.consumers.retain(|other| *other != id);
                continue;
            }
            match reading {
                Reading::Iterating if ready => {
                    let mut left = self.random.below(30);
                    while left > 0 && self.app.take(id) {
                        left -= 1;
                    }
                }
                Reading::Handling if busy && self.random.chance(700) => self.app.handled(id),
                Reading::Stopped if self.random.chance(400) => {
                    let (count, wait) = (self.random.between(1, 20) as u32, self.random.between(1, 3_000));
                    let (no_wait, ahead) = (self.random.chance(300), self.random.chance(300));
                    self.app.fetch(id, count, wait, no_wait, ahead).unwrap();
                }
                _ => {}
            }
            if self.random.chance(30) && reading != Reading::Stopped {
                self.app.stop(id);
            }
        }
        self.settle(850);
    }

    fn settle(&mut self, per_mille: u64) {
        while !self.app.log.borrow().taken.is_empty() && self.random.chance(per_mille) {
            let verdict = match self.random.below(20) {
                0 => Verdict::Nack,
                1 => Verdict::Delay(Millis(self.random.below(2_000))),
                2 => Verdict::Extend(None),
                _ => Verdict::Ack,
            };
            self.app.settle(verdict, self.random.chance(200));
        }
    }

    /// Something goes wrong.
    fn meddle(&mut self) {
        let runtime = self.app.runtime.clone();
        let dice = match self.level {
            Level::Calm => return,
            Level::Deaths => 100 + self.random.below(16),
            Level::Wild => self.random.below(60),
        };
        match dice {
            0 | 1 => self.world.cut(&runtime),
            2 => self.world.half_open(&runtime),
            3 | 100 => self.kill(),
            30 | 102 => self.world.set_down(URLS[self.random.below(2) as usize], true),
            31 if self.random.chance(300) => self.server.borrow_mut().announce_leaving(),
            4 | 101 => self.revive(),
            5 => self.world.freeze(&runtime, Millis(self.random.below(10_000))),
            6 => self.world.throttle(&runtime, Millis(self.random.below(60_000))),
            // A sleep in between looks like two missed heartbeats: pulls that live are then made again, and what they
            // had under way comes in addition.
            7 => {
                let span = self.random.below(5_000) + if self.random.chance(500) { 14_000 } else { 0 };
                self.world.jump(Millis(span));
            }
            8 => self.world.jump_wall(self.random.below(7_200_000) as i64 - 3_600_000),
            9 => self.server.borrow_mut().change_leaders(),
            10 => self.server.borrow_mut().forget_pulls(),
            11..=16 => {
                let mut some = || if self.random.chance(300) { self.random.below(900) } else { 0 };
                let faults =
                    Faults { lost_receipts: some(), lost_messages: some(), no_leader: some(), lost_answers: some() };
                self.server.borrow_mut().faults = faults;
            }
            17..=24 => self.server.borrow_mut().faults = Faults::default(),
            25 if self.consumers.len() < 3 => self.consume(),
            26 if self.consumers.len() > 1 => {
                let id = self.consumers.remove(0);
                self.app.leave(id);
            }
            27 => {
                let (producer, _) = self.producers[0];
                self.app.flush(producer);
            }
            28 if self.producers.len() > 1 => {
                let (producer, _) = self.producers.remove(0);
                self.app.destroy_producer(producer);
            }
            29 if self.producers.len() < 3 => {
                let auto = self.random.chance(500);
                self.producers.push((self.app.producer(STATION, auto), auto));
            }
            _ => {}
        }
    }

    /// Everything dies.
    fn kill(&mut self) {
        URLS.iter().for_each(|url| self.world.set_down(url, true));
        self.server.borrow_mut().restart();
    }

    fn revive(&mut self) {
        URLS.iter().for_each(|url| self.world.set_down(url, false));
    }

    /// Nothing goes wrong any more.
    fn mend(&mut self) {
        self.revive();
        self.server.borrow_mut().faults = Faults::default();
        for id in self.consumers.clone() {
            self.app.stop(id);
        }
        // What was under way when they were stopped is given back before anybody asks again; a page may still be frozen.
        self.world.run_for(Millis(12_000));
        // Whether it can be opened shows within the limit of its questions; one that could not is made again.
        for _ in 0..40 {
            if self.consumers.is_empty() {
                let id = self.app.consumer(STATION, consumer_options());
                self.consumers.push(id);
            }
            let op = self.app.when_open(self.consumers[0]);
            assert!(self.world.wait(Millis(120_000), || self.app.log.borrow().ended(op).is_some()), "never opened");
            if self.app.log.borrow().ended(op) == Some(true) {
                return self.app.start(self.consumers[0], false, self.prefetch).unwrap();
            }
            self.consumers.remove(0);
        }
        panic!("no consumer can be opened: {:?}", self.app.log.borrow().errors());
    }

    /// Every call has its outcome, and every stored message comes and is settled.
    fn drain(&mut self) {
        let end = self.world.now().mono + Millis(600_000);
        loop {
            self.read_all();
            let open = self.app.log.borrow().unfinished();
            let left = self.unsettled();
            // What was produced without waiting for a receipt counts until its receipt is there.
            if open.is_empty() && left.is_empty() && self.app.pending() == (0, 0) {
                break;
            }
            assert!(
                self.world.now().mono < end,
                "after ten minutes of peace: {open:?}, {left:?}, {:?}",
                self.app.pending()
            );
            self.world.run_for(Millis(250));
        }
    }

    fn read_all(&mut self) {
        while self.app.log.borrow().readers[&self.consumers[0]].ready && self.app.take(self.consumers[0]) {}
        while !self.app.log.borrow().taken.is_empty() {
            self.app.settle(Verdict::Ack, false);
        }
    }

    fn stream(&self, partition: u32) -> String {
        if partition == 1 { STATION.into() } else { format!("{STATION}${partition}") }
    }

    /// Stored messages that the group is not done with.
    fn unsettled(&self) -> Vec<(u32, u64)> {
        let server = self.server.borrow();
        let mut left = Vec::new();
        for partition in 1..=self.partitions {
            let stream = &server.streams[&self.stream(partition)];
            let done = &stream.consumers["g"].done;
            left.extend(stream.messages.keys().filter(|sequence| !done.contains(sequence)).map(|s| (partition, *s)));
        }
        left
    }

    fn check_store(&self) {
        let server = self.server.borrow();
        let log = self.app.log.borrow();
        assert_eq!(server.complaint, None, "the client broke the protocol");
        let mut where_is: BTreeMap<String, Vec<(u32, u64)>> = BTreeMap::new();
        let mut ids: BTreeMap<String, u32> = BTreeMap::new();
        for partition in 1..=self.partitions {
            for (sequence, id, data) in server.stored(&self.stream(partition)) {
                where_is.entry(String::from_utf8(data).unwrap()).or_default().push((partition, sequence));
                if let Some(id) = id {
                    *ids.entry(id).or_default() += 1;
                }
            }
        }
        for (id, count) in ids {
            assert_eq!(count, 1, "{id} is stored {count} times");
        }
        let nowhere = Vec::new();
        for sent in &log.sent {
            let places = where_is.get(&sent.payload).unwrap_or(&nowhere);
            assert!(places.len() <= 1, "{} is stored {} times", sent.payload, places.len());
            match sent.outcome.as_ref().unwrap() {
                Outcome::Stored { sequence: 0, .. } => assert!(!sent.wants_receipt, "{sent:?}"),
                Outcome::Stored { partition, sequence, duplicate } => {
                    let place = (*partition, *sequence);
                    // A duplicate may be one's own first copy, or a message that somebody else sent with this id.
                    let right = places.contains(&place) || *duplicate && sent.id.is_some();
                    assert!(right, "{sent:?} is said to be at {place:?}, it is at {places:?}");
                }
                Outcome::Failed(error) => {
                    let maybe = error.maybe_delivered;
                    assert!(maybe == Some(true) || places.is_empty(), "{sent:?} is stored, but was said not to be");
                }
            }
        }
        for (payload, places) in &where_is {
            assert_eq!(log.seen.get(&places[0]), Some(payload), "what came from {:?}", places[0]);
        }
        if self.level == Level::Calm {
            self.check_order(&where_is);
        }
    }

    /// Without repeats, what one producer sends to one partition keeps its order.
    fn check_order(&self, where_is: &BTreeMap<String, Vec<(u32, u64)>>) {
        let log = self.app.log.borrow();
        let mut last: BTreeMap<(u32, u32), u64> = BTreeMap::new();
        for sent in &log.sent {
            let Some((partition, sequence)) = where_is.get(&sent.payload).map(|places| places[0]) else { continue };
            let before = last.insert((sent.producer.0, partition), sequence).unwrap_or(0);
            assert!(before < sequence, "{} overtook an earlier message", sent.payload);
        }
        let keyed = log.sent.iter().filter(|sent| sent.id.as_ref().is_some_and(|id| id.starts_with("id")));
        for sent in keyed {
            if let Some(Outcome::Stored { partition, .. }) = &sent.outcome {
                let index = hash(sent.id.as_ref().unwrap()) % self.partitions;
                assert!(*partition == index + 1 || !sent.wants_receipt, "an id chooses the partition: {sent:?}");
            }
        }
    }

    /// After close there is one end, and then silence.
    fn close(self) {
        self.app.close();
        let over = || self.app.log.borrow().over.is_some();
        assert!(self.world.wait(Millis(10_000), over), "close did not end");
        assert_eq!(self.app.log.borrow().over, Some(None));
        assert_eq!(self.app.log.borrow().unfinished(), Vec::<String>::new());
        self.world.run_for(Millis(1_000));
        let sent = self.app.runtime.sent();
        assert_eq!(self.app.runtime.timer(), None, "a timer that is left would keep a process alive");
        self.world.run_for(Millis(600_000));
        assert_eq!(self.app.runtime.sent(), sent, "it still sends");
        assert_eq!(self.world.tasks(), 0, "a task was left behind");
        assert_eq!(self.server.borrow().connections(), 0, "a connection was left behind");
        self.app.driver.release();
        assert_eq!(Rc::strong_count(&self.app.driver), 1, "somebody still holds the connection");
    }
}

fn consumer_options() -> serde_json::Value {
    json!({ "consumerGroup": "g", "maxAckTimeMs": 4_000, "maxMsgDeliveries": 1_000_000 })
}

/// Make the station that the others find.
fn make_station(world: &World, app: &App, partitions: u32) {
    let ops = app.driver.ops().unwrap();
    let options = serde_json::from_value(json!({ "partitionsNumber": partitions })).unwrap();
    let spec = stationmaster::client::options::station(&options, app.driver.broker()).unwrap();
    let made = world.run(Millis(10_000), async move { ops.station(STATION, &spec).await });
    let facts = made.expect("no answer").unwrap();
    assert_eq!(facts.places.len(), partitions as usize);
}
