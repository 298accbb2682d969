//! Several connections to one memory broker, by seed: pages that are frozen and throttled, connections that come and go.
//! The promises are those that a real broker keeps; only the link cannot break.

use crate::app::{App, Outcome, Reading, json_reader};
use serde_json::json;
use stationmaster::base::time::Millis;
use stationmaster::client::producer::Message;
use stationmaster::client::turn::{ConsumerId, ProducerId};
use stationmaster::link::session::Verdict;
use stationmaster::runtime::sim::{Random, World};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

const STATION: &str = "orders";

#[test]
fn pages_share_what_is_inside() {
    let range = match std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None => 0..150,
    };
    let play = |seed: u64| catch_unwind(AssertUnwindSafe(|| Play::new(seed).run())).is_err();
    let failed: Vec<u64> = range.filter(|seed| play(*seed)).collect();
    assert!(failed.is_empty(), "seeds {failed:?} fail; run one again with SEED=<number>");
}

struct Page {
    app: App,
    producer: ProducerId,
    consumer: ConsumerId,
}

struct Play {
    random: Random,
    world: World,
    url: String,
    pages: Vec<Page>,
    /// Pages that were closed.
    gone: Vec<App>,
    partitions: u32,
    prefetch: u32,
    count: u64,
}

impl Play {
    fn new(seed: u64) -> Play {
        let mut random = Random::new(seed);
        let world = World::new(seed, json_reader());
        // Brokers live as long as the process: every seed has its own.
        let url = format!("memory:s{seed}");
        let partitions = random.between(1, 3) as u32;
        let prefetch = random.between(u64::from(partitions), 40) as u32;
        let (pages, gone) = (Vec::new(), Vec::new());
        let mut play = Play { random, world, url, pages, gone, partitions, prefetch, count: 0 };
        let app = play.connect();
        let ops = app.driver.ops().unwrap();
        let options = serde_json::from_value(json!({ "partitionsNumber": partitions })).unwrap();
        let spec = stationmaster::client::options::station(&options, app.driver.broker()).unwrap();
        let made = play.world.run(Millis(100), async move { ops.station(STATION, &spec).await });
        assert_eq!(made.expect("no answer").unwrap().places.len(), partitions as usize);
        play.open(app);
        play
    }

    fn connect(&self) -> App {
        let app = App::connect(&self.world, json!({ "broker": "memory", "url": self.url }));
        assert!(self.world.wait(Millis(100), || app.log.borrow().connected == 1), "not connected");
        app
    }

    fn open(&mut self, app: App) {
        let producer = app.producer(STATION, self.random.chance(500));
        let options = json!({ "consumerGroup": "g", "maxAckTimeMs": 4_000, "maxMsgDeliveries": 1_000_000 });
        let consumer = app.consumer(STATION, options);
        if self.random.chance(800) {
            app.start(consumer, self.random.chance(500), self.prefetch).unwrap();
        }
        self.pages.push(Page { app, producer, consumer });
    }

    fn run(mut self) {
        for _ in 0..60 + self.random.below(60) {
            for _ in 0..self.random.below(6) {
                self.produce();
            }
            for at in 0..self.pages.len() {
                self.read(at);
            }
            self.meddle();
            let span = self.random.below(300);
            self.world.run_for(Millis(span));
        }
        self.drain();
        self.check();
        for page in self.pages {
            page.app.close();
            assert!(self.world.wait(Millis(6_000), || page.app.log.borrow().over == Some(None)), "close did not end");
            assert_eq!(page.app.log.borrow().unfinished(), Vec::<String>::new());
        }
        self.world.run_for(Millis(60_000));
        assert!(self.world.is_quiet(), "something still moves");
        assert_eq!(self.world.tasks(), 0, "a task was left behind");
    }

    fn produce(&mut self) {
        self.count += 1;
        let payload = format!("m{}", self.count);
        let id = self.random.chance(300).then(|| format!("id{}", self.random.between(1, self.count)));
        let message = Message {
            times: Default::default(),
            headers: &[("kind", "test")],
            msg_id: id.as_deref(),
            key: None,
            partition: self.random.chance(200).then_some(1),
            data: payload.as_bytes(),
            ack_wait: Millis(15_000),
            limit: if self.random.chance(100) { 2 } else { 500 },
            wants_receipt: true,
        };
        let page = &self.pages[self.random.below(self.pages.len() as u64) as usize];
        page.app.produce(page.producer, &message, id.clone());
    }

    fn read(&mut self, at: usize) {
        let page = &self.pages[at];
        let (reading, ready, busy) = {
            let log = page.app.log.borrow();
            let reader = &log.readers[&page.consumer];
            assert_eq!(reader.ended, None, "a consumer ended by itself");
            (reader.reading, reader.ready, reader.busy)
        };
        match reading {
            Reading::Iterating if ready => {
                let mut left = self.random.below(20);
                while left > 0 && page.app.take(page.consumer) {
                    left -= 1;
                }
            }
            Reading::Handling if busy && self.random.chance(700) => page.app.handled(page.consumer),
            Reading::Stopped if self.random.chance(400) => {
                let (count, wait) = (self.random.between(1, 20) as u32, self.random.between(1, 2_000));
                page.app.fetch(page.consumer, count, wait, self.random.chance(300), self.random.chance(300)).unwrap();
            }
            _ => {}
        }
        if self.random.chance(20) && reading != Reading::Stopped {
            page.app.stop(page.consumer);
        }
        while !page.app.log.borrow().taken.is_empty() && self.random.chance(800) {
            let verdict = match self.random.below(15) {
                0 => Verdict::Nack,
                1 => Verdict::Delay(Millis(self.random.below(2_000))),
                2 => Verdict::Extend(None),
                _ => Verdict::Ack,
            };
            page.app.settle(verdict, self.random.chance(200));
        }
    }

    fn meddle(&mut self) {
        let page = self.random.below(self.pages.len() as u64) as usize;
        let runtime = self.pages[page].app.runtime.clone();
        match self.random.below(30) {
            0 => self.world.freeze(&runtime, Millis(self.random.below(10_000))),
            1 => self.world.throttle(&runtime, Millis(self.random.below(60_000))),
            2 => self.world.jump(Millis(self.random.below(20_000))),
            3 => self.world.jump_wall(self.random.below(7_200_000) as i64 - 3_600_000),
            4 | 5 if self.pages.len() < 3 => {
                let app = self.connect();
                self.open(app);
            }
            6 if self.pages.len() > 1 => {
                let page = self.pages.remove(page);
                page.app.close();
                self.gone.push(page.app);
            }
            _ => {}
        }
    }

    fn drain(&mut self) {
        for page in &self.pages {
            page.app.stop(page.consumer);
        }
        // What was under way when they were stopped is given back before anybody asks again; a page may be frozen.
        self.world.run_for(Millis(12_000));
        let first = &self.pages[0];
        first.app.start(first.consumer, false, self.prefetch).unwrap();
        let end = self.world.now().mono + Millis(600_000);
        loop {
            while first.app.log.borrow().readers[&first.consumer].ready && first.app.take(first.consumer) {}
            for page in &self.pages {
                while !page.app.log.borrow().taken.is_empty() {
                    page.app.settle(Verdict::Ack, false);
                }
            }
            let logs =
                self.pages.iter().map(|page| &page.app).chain(&self.gone).map(|app| app.log.borrow().unfinished());
            let open: Vec<String> = logs.flatten().collect();
            if open.is_empty() && self.all_done() {
                break;
            }
            assert!(self.world.now().mono < end, "after ten minutes of peace: {open:?}, {:?}", self.standing());
            self.world.run_for(Millis(250));
        }
    }

    /// The highest sequence of every partition, from the receipts.
    fn highest(&self) -> BTreeMap<u32, u64> {
        let mut highest = BTreeMap::new();
        for app in self.pages.iter().map(|page| &page.app).chain(&self.gone) {
            for sent in &app.log.borrow().sent {
                if let Some(Outcome::Stored { partition, sequence, .. }) = sent.outcome {
                    let last = highest.entry(partition).or_insert(0);
                    *last = sequence.max(*last);
                }
            }
        }
        highest
    }

    /// Of every partition, the highest sequence and the one that the group is done with.
    fn standing(&self) -> Vec<(u64, Option<u64>)> {
        let ops = self.pages[0].app.driver.ops().unwrap();
        let position = |(partition, last)| {
            let ops = ops.clone();
            let position = self.world.run(Millis(100), async move {
                let facts = ops.find(STATION).await.unwrap().expect("the station is there");
                ops.position(&facts, "g", partition).await.unwrap()
            });
            (last, position.expect("no answer"))
        };
        self.highest().into_iter().map(position).collect()
    }

    /// The group is done with everything that is stored.
    fn all_done(&self) -> bool {
        self.standing().into_iter().all(|(last, done)| done == Some(last))
    }

    fn check(&self) {
        let mut taken: BTreeSet<(u32, u64)> = BTreeSet::new();
        let mut ids: BTreeMap<(String, u32), u64> = BTreeMap::new();
        let apps: Vec<&App> = self.pages.iter().map(|page| &page.app).chain(&self.gone).collect();
        for sent in apps.iter().flat_map(|app| app.log.borrow().sent.clone()) {
            match sent.outcome.as_ref().unwrap() {
                Outcome::Stored { partition, sequence, duplicate } => {
                    let place = (*partition, *sequence);
                    assert!(*duplicate || taken.insert(place), "two messages are said to be at {place:?}");
                    if let Some(id) = sent.id {
                        let first = *ids.entry((id.clone(), *partition)).or_insert(*sequence);
                        assert_eq!(first, *sequence, "{id} is stored twice");
                    }
                }
                Outcome::Failed(error) => assert_eq!(error.maybe_delivered, Some(false), "{error:?}"),
            }
        }
        let seen: BTreeSet<(u32, u64)> =
            apps.iter().flat_map(|app| app.log.borrow().seen.clone()).map(|(place, _)| place).collect();
        let missing: Vec<_> = taken.difference(&seen).collect();
        assert!(missing.is_empty(), "stored and never seen: {missing:?}");
        assert!((1..=self.partitions).all(|partition| self.highest().contains_key(&partition)) || self.count < 50);
    }
}
