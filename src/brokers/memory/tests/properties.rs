//! Random sequences of operations against a plain model of what a group may see.
//!
//! The model knows only rules, not how the broker keeps them: what was stored, who holds which delivery until when, and
//! what is settled. Every step is checked against it.

#![cfg(test)]

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const ACK_TIME: u64 = 100;
const MAX_DELIVERIES: u32 = 3;

#[derive(Clone, Debug)]
enum Step {
    Produce {
        partition: usize,
        size: usize,
        id: Option<u8>,
    },
    Ask {
        feed: usize,
        messages: u32,
        wait: u8,
    },
    Settle {
        pick: usize,
        verdict: u8,
    },
    Pass(u64),
    Withdraw(usize),
    /// A member closes and opens its feed again.
    Reopen(usize),
    /// This connection has its turn. The others do not look into their inboxes.
    Turn(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..PARTITIONS, 0..40usize, prop::option::weighted(0.3, 0..6u8)).prop_map(|(partition, size, id)| Step::Produce { partition, size, id }),
        4 => (0..FEEDS, 1..6u32, 0..3u8).prop_map(|(feed, messages, wait)| Step::Ask { feed, messages, wait }),
        5 => (0..64usize, 0..6u8).prop_map(|(pick, verdict)| Step::Settle { pick, verdict }),
        3 => (0..120u64).prop_map(Step::Pass),
        1 => (0..FEEDS).prop_map(Step::Withdraw),
        1 => (0..FEEDS).prop_map(Step::Reopen),
        3 => (0..MEMBERS).prop_map(Step::Turn),
    ]
}

const PARTITIONS: usize = 2;
const MEMBERS: usize = 2;
const GROUPS: [&str; 2] = ["g", "h"];
/// Every member reads every partition of both groups.
const FEEDS: usize = PARTITIONS * MEMBERS * GROUPS.len();

/// What a group knows of one message.
#[derive(Default)]
struct Fate {
    deliveries: u32,
    /// Until when nobody else may get it.
    until: u64,
    settled: bool,
}

struct Model {
    /// Sequences and sizes of each partition.
    stored: Vec<Vec<u64>>,
    /// By group, partition and sequence.
    fates: BTreeMap<(usize, usize, u64), Fate>,
    /// Highest first delivery of each feed.
    highest: BTreeMap<usize, u64>,
    /// Something was given back unseen: it comes again as a first delivery, behind newer ones.
    given_back: bool,
    ids: BTreeMap<(usize, u8), (u64, u64)>,
}

struct Feed {
    client: usize,
    group: usize,
    partition: usize,
    id: FeedId,
}

struct World {
    rig: Rig,
    clients: Vec<Client>,
    routes: Vec<RouteId>,
    feeds: Vec<Feed>,
    facts: Vec<GroupFacts>,
    held: Vec<(usize, Got)>,
    model: Model,
    retention: Retention,
}

impl World {
    fn new(retention: Retention) -> World {
        let rig = Rig::new();
        rig.station("s", &StationSpec { partitions: PARTITIONS as u32, window: Millis(150), ..keeping(retention) });
        let spec = |name: &str| GroupSpec { ack_time: Millis(ACK_TIME), max_deliveries: MAX_DELIVERIES, ..named(name) };
        let facts: Vec<_> = GROUPS.iter().map(|name| rig.group("s", &spec(name))).collect();
        let mut clients: Vec<_> = (0..MEMBERS).map(|_| rig.client()).collect();
        let routes = (1..=PARTITIONS as u32).map(|partition| clients[0].route("s", partition)).collect();
        let mut feeds = Vec::new();
        for (client, Client { session, out, .. }) in clients.iter_mut().enumerate() {
            for (group, facts) in facts.iter().enumerate() {
                for (partition, spec) in facts.feeds.iter().enumerate() {
                    feeds.push(Feed { client, group, partition, id: session.open_feed(rig.now(), out, spec) });
                }
            }
        }
        let model = Model {
            stored: vec![Vec::new(); PARTITIONS],
            fates: BTreeMap::new(),
            highest: BTreeMap::new(),
            given_back: false,
            ids: BTreeMap::new(),
        };
        World { rig, clients, routes, feeds, facts, held: Vec::new(), model, retention }
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Produce { partition, size, id } => self.produce(*partition, *size, *id),
            Step::Ask { feed, messages, wait } => {
                let feed = &self.feeds[*feed];
                let wait = [Wait::No, Wait::For(Millis(60)), Wait::Standing][usize::from(*wait)];
                self.clients[feed.client].ask(&self.rig, feed.id, *messages, wait);
            }
            Step::Settle { pick, verdict } => self.settle(*pick, *verdict),
            Step::Pass(millis) => {
                // What was given at this moment is taken at this moment: the model counts times from the arrival.
                (0..MEMBERS).for_each(|client| self.turn(client));
                self.rig.pass(*millis);
                (0..MEMBERS).for_each(|client| self.turn(client));
                for client in &self.clients {
                    assert!(
                        client.session.deadline().is_none_or(|due| due.0 > self.rig.millis),
                        "what is due has been done"
                    );
                }
            }
            Step::Turn(client) => self.turn(*client),
            Step::Withdraw(feed) => {
                self.model.given_back = true;
                let feed = &self.feeds[*feed];
                let client = &mut self.clients[feed.client];
                client.session.withdraw(self.rig.now(), &mut client.out, feed.id);
            }
            Step::Reopen(feed) => {
                self.model.given_back = true;
                let feed = &mut self.feeds[*feed];
                let client = &mut self.clients[feed.client];
                client.session.close_feed(self.rig.now(), &mut client.out, feed.id);
                feed.id = client.session.open_feed(
                    self.rig.now(),
                    &mut client.out,
                    &self.facts[feed.group].feeds[feed.partition],
                );
            }
        }
        self.check();
    }

    fn produce(&mut self, partition: usize, size: usize, id: Option<u8>) {
        let name = id.map(|id| format!("id-{id}"));
        let data = vec![b'x'; size];
        let draft =
            Draft { producer: "p", headers: &[], msg_id: name.as_deref(), data: &data, times: Default::default() };
        let Said::Stored(_, sequence, duplicate) = self.clients[0].send(&self.rig, self.routes[partition], &draft)
        else {
            panic!("not stored")
        };
        let known = id
            .and_then(|id| self.model.ids.get(&(partition, id)).copied())
            .filter(|(_, until)| *until > self.rig.millis);
        match known {
            Some((first, _)) => assert_eq!((sequence, duplicate), (first, true)),
            None => {
                assert_eq!((sequence, duplicate), (self.model.stored[partition].len() as u64 + 1, false));
                self.model.stored[partition].push(name.map_or(size, |name| size + 4 + name.len()) as u64);
                if let Some(id) = id {
                    self.model.ids.insert((partition, id), (sequence, self.rig.millis + 150));
                }
            }
        }
    }

    fn settle(&mut self, pick: usize, verdict: u8) {
        // A repeat that lies in an inbox comes although the first delivery's late ack settles it; the model has no inboxes.
        (0..MEMBERS).for_each(|client| self.turn(client));
        if self.held.is_empty() {
            return;
        }
        let at = pick % self.held.len();
        let (feed, got) = self.held[at].clone();
        let feed = &self.feeds[feed];
        let now = self.rig.millis;
        let fate = self.model.fates.get_mut(&(feed.group, feed.partition, got.sequence)).unwrap();
        let current = fate.deliveries == got.deliveries && !fate.settled;
        let (verdict, ends) = match verdict {
            0 | 1 => (Verdict::Ack, true),
            2 => (Verdict::Bury("x".into()), true),
            3 => (Verdict::Nack, false),
            4 => (Verdict::Delay(Millis(30)), false),
            _ => (Verdict::Extend(None), false),
        };
        if ends {
            fate.settled = true;
        } else if current {
            let again = match verdict {
                Verdict::Nack => 0,
                Verdict::Delay(span) => span.0,
                _ => ACK_TIME,
            };
            fate.until = now + again;
            fate.settled = again < ACK_TIME && fate.deliveries == MAX_DELIVERIES;
        }
        if verdict != Verdict::Extend(None) {
            self.held.remove(at);
        }
        let client = &mut self.clients[feed.client];
        client.session.settle(self.rig.now(), &mut client.out, got.feed, &got.token, &verdict, None);
        assert!(!client.session.has_output(), "an ack without a question has no answer");
    }

    fn turn(&mut self, client: usize) {
        let before: Vec<_> = self.feeds.iter().map(|feed| self.clients[feed.client].session.asked(feed.id)).collect();
        let (got, said) = self.clients[client].turn(&self.rig);
        assert!(said.iter().all(|said| matches!(said, Said::Over(_) | Said::Room(_))), "{said:?}");
        let mut brought = BTreeMap::new();
        for got in got {
            let at = self
                .feeds
                .iter()
                .position(|feed| feed.client == client && feed.id == got.feed)
                .expect("a feed that is open");
            *brought.entry(at).or_insert(0) += 1;
            self.arrived(at, got);
        }
        for (at, count) in brought {
            assert!(count <= before[at], "{count} came, {} were asked for", before[at]);
        }
    }

    fn arrived(&mut self, at: usize, got: Got) {
        let Feed { group, partition, .. } = self.feeds[at];
        let now = self.rig.millis;
        assert!(got.sequence as usize <= self.model.stored[partition].len(), "it was stored");
        let fate = self.model.fates.entry((group, partition, got.sequence)).or_default();
        assert!(!fate.settled, "{} of group {group} was settled and came again", got.sequence);
        assert_eq!(got.deliveries, fate.deliveries + 1);
        assert!(got.deliveries <= MAX_DELIVERIES);
        if got.deliveries == 1 {
            let highest = self.model.highest.insert(at, got.sequence).unwrap_or_default();
            assert!(self.model.given_back || got.sequence > highest, "{} came after {highest}", got.sequence);
        } else {
            assert!(now >= fate.until, "two members have {} of group {group}", got.sequence);
        }
        fate.deliveries = got.deliveries;
        fate.until = now + ACK_TIME;
        self.held.push((at, got));
    }

    /// The time of a last delivery is over: dead.
    fn bury(&mut self) {
        let now = self.rig.millis;
        for fate in self.model.fates.values_mut().filter(|fate| fate.deliveries == MAX_DELIVERIES && now >= fate.until)
        {
            fate.settled = true;
        }
    }

    fn is_settled(&self, group: usize, partition: usize, sequence: u64) -> bool {
        self.model.fates.get(&(group, partition, sequence)).is_some_and(|fate| fate.settled)
    }

    fn check(&mut self) {
        self.bury();
        let report = self.rig.ops.report(self.rig.now(), "s").unwrap();
        let mut expected = (0, 0);
        for (partition, sizes) in self.model.stored.iter().enumerate() {
            let sequences = 1..=sizes.len() as u64;
            let needed: Vec<u64> = match self.retention {
                Retention::Acked => sequences
                    .filter(|s| !(0..GROUPS.len()).all(|group| self.is_settled(group, partition, *s)))
                    .collect(),
                _ => sequences.collect(),
            };
            expected.0 += needed.len() as u64;
            expected.1 += needed.iter().map(|sequence| sizes[*sequence as usize - 1]).sum::<u64>();
        }
        assert_eq!((report.messages, report.bytes), expected);
        for (group, name) in GROUPS.iter().enumerate() {
            for partition in 0..PARTITIONS {
                let floor = (1..).take_while(|sequence| self.is_settled(group, partition, *sequence)).last();
                let position = self.rig.ops.position(self.rig.now(), "s", name, partition as u32 + 1).unwrap();
                assert_eq!(position, floor, "group {name} partition {partition}");
            }
        }
    }

    /// Everybody asks and acks until nothing comes: then everything is settled, and nothing was lost.
    fn finish(mut self) {
        // Whoever still held something is gone without a word.
        self.held.clear();
        for client in 0..MEMBERS {
            self.turn(client);
        }
        self.rig.pass(ACK_TIME + 50);
        self.bury();
        let mut rounds = 0;
        loop {
            for feed in &self.feeds {
                self.clients[feed.client].ask(&self.rig, feed.id, 1000, Wait::No);
            }
            for client in 0..MEMBERS {
                self.turn(client);
            }
            if self.held.is_empty() {
                break;
            }
            while !self.held.is_empty() {
                self.settle(0, 0);
            }
            rounds += 1;
            assert!(rounds < 10);
        }
        self.check();
        for feed in &self.feeds {
            let client = &mut self.clients[feed.client];
            client.session.withdraw(self.rig.now(), &mut client.out, feed.id);
        }
        for (group, name) in GROUPS.iter().enumerate() {
            for (partition, sizes) in self.model.stored.iter().enumerate() {
                let open: BTreeSet<u64> =
                    (1..=sizes.len() as u64).filter(|s| !self.is_settled(group, partition, *s)).collect();
                assert!(open.is_empty(), "group {name} never got {open:?} of partition {partition}");
            }
            let members = self.rig.ops.members(self.rig.now(), "s", name).unwrap();
            assert_eq!((members.asking, members.pending), (0, 0));
        }
        drop(self.clients);
        self.rig.ops.destroy("s").unwrap();
        assert_eq!(self.rig.store.borrow().used.get(), 0);
    }
}

fn run(retention: Retention, steps: &[Step]) {
    let mut world = World::new(retention);
    for step in steps {
        world.apply(step);
    }
    world.finish();
}

proptest! {
    #[test]
    fn nothing_is_lost_doubled_or_settled_twice(steps in prop::collection::vec(step(), 1..120)) {
        run(Retention::Age(604_800), &steps);
    }

    #[test]
    fn ack_based_keeps_exactly_what_some_group_needs(steps in prop::collection::vec(step(), 1..120)) {
        run(Retention::Acked, &steps);
    }

    #[test]
    fn auto_ack_gives_each_message_once(
        asks in prop::collection::vec((0..2usize, 1..5u32, any::<bool>()), 1..60),
        bursts in prop::collection::vec(0..4usize, 60),
    ) {
        let rig = Rig::new();
        rig.station("s", &keeping(Retention::Acked));
        let facts = rig.group("s", &GroupSpec { auto_ack: true, ..named("g") });
        let mut clients = [rig.client(), rig.client()];
        let feeds = clients.each_mut().map(|client| client.feed(&rig, &facts));
        let route = clients[0].route("s", 1);
        let (mut stored, mut seen) = (0, Vec::new());
        for ((who, messages, look), burst) in asks.into_iter().zip(bursts) {
            clients[who].ask(&rig, feeds[who], messages, Wait::Standing);
            for _ in 0..burst {
                stored = clients[0].put(&rig, route, "x");
            }
            if look {
                seen.extend(sequences(&clients[who].turn(&rig).0));
            }
        }
        for (client, feed) in clients.iter_mut().zip(feeds) {
            client.ask(&rig, feed, 1000, Wait::No);
        }
        for client in &mut clients {
            seen.extend(sequences(&client.turn(&rig).0));
        }
        seen.sort_unstable();
        prop_assert_eq!(seen, (1..=stored).collect::<Vec<u64>>());
        prop_assert_eq!(rig.messages(), 0);
    }

    #[test]
    fn limits_hold_after_every_message(
        sizes in prop::collection::vec(0..50usize, 1..80),
        limit in 1..120u64,
        by_bytes: bool,
    ) {
        let (rig, mut client, route, feed) = simple(&keeping(if by_bytes { Retention::Bytes(limit) } else { Retention::Messages(limit) }));
        let mut model: Vec<(u64, u64)> = Vec::new();
        for (at, size) in sizes.iter().enumerate() {
            client.put(&rig, route, &"x".repeat(*size));
            model.push((at as u64 + 1, *size as u64));
            while if by_bytes { model.iter().map(|(_, size)| size).sum::<u64>() > limit } else { model.len() as u64 > limit } {
                model.remove(0);
            }
            let report = rig.ops.report(rig.now(), "s").unwrap();
            prop_assert_eq!(report.messages, model.len() as u64);
            prop_assert_eq!(report.bytes, model.iter().map(|(_, size)| size).sum::<u64>());
            prop_assert_eq!(report.first, model.first().map(|(sequence, _)| *sequence));
        }
        let got = client.take(&rig, feed, 1000);
        prop_assert_eq!(sequences(&got), model.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>());
    }
}
