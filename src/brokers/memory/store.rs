//! The broker itself: stations, groups, and the members that ask for messages. A sans-IO machine: calls and the time go
//! in, parcels for each connection come out, and the next moment at which something becomes due.
//!
//! Does not know what a connection is made of: one is a seat with an inbox and a callback that says "look into it".
//!
//! A message out: [`Store::publish`] appends it to its partition and serves every group there at once: the next member
//! in turn that has asked gets it into the inbox of its seat. What nobody has asked for waits in the partition.
//! Deaths, ages and forgotten groups need no timer, since nobody can see them before the next call: they are done then.
//! A moment is only announced ([`Store::deadline`]) where a member waits for it.

use super::cursor::Cursor;
use super::head;
use super::live::Ears;
use super::members::{Member, Parcel, Seats};
use super::partition::Partition;
use super::token::{Spot, Token};
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::time::{Millis, Now, Time, Wall, earliest};
use crate::brokers::terms::{Retention, Schema, StationSpec};
use crate::link::session::{Place, Verdict};
use slab::Slab;
use std::cell::Cell;
use std::rc::Rc;

/// One broker.
pub(super) struct Store {
    pub(super) stations: Slab<Station>,
    pub(super) members: Slab<Member>,
    pub(super) routes: Slab<Route>,
    pub(super) seats: Seats,
    pub(super) ears: Ears,
    /// No member waits for anything before this moment.
    pub(super) due: Option<Time>,
    pub(super) last_uid: u32,
    pub(super) used: Rc<Cell<u64>>,
    pub(super) limit: u64,
    /// Every schema in its newest version.
    pub(super) schemas: Vec<Schema>,
    /// Seats of those who want to know what changes there.
    pub(super) watching: Vec<usize>,
}

/// A station.
pub(super) struct Station {
    pub uid: u32,
    pub name: String,
    pub spec: StationSpec,
    pub created: Wall,
    pub partitions: Vec<Partition>,
    pub groups: Slab<Group>,
    /// What groups gave up on.
    pub letters: Partition,
}

/// A consumer group.
pub(super) struct Group {
    pub uid: u32,
    pub name: String,
    pub nameless: bool,
    pub auto_ack: bool,
    pub ack_time: Millis,
    pub max_deliveries: u32,
    /// Since when no member has been there; `None` while there is one.
    pub alone_since: Option<Time>,
    pub cursors: Vec<Reading>,
}

/// A group in one partition, with the members that read it, the next one in turn first.
pub(super) struct Reading {
    pub cursor: Cursor,
    pub members: Vec<usize>,
}

/// A partition that a connection sends to. Bound to the station that was there when it was opened, not to its name.
pub(super) struct Route {
    pub seat: usize,
    pub name: String,
    station: Option<(usize, u32)>,
    pub partition: usize,
}

/// What became of a message.
#[derive(Debug, PartialEq)]
pub(super) enum Published {
    /// It has this sequence.
    Stored(u64),
    /// It was there already, under this sequence.
    Duplicate(u64),
    /// The route leads nowhere any more.
    Lost(Error),
    /// Not stored.
    Refused(Error),
}

impl Store {
    /// An empty broker.
    pub fn new() -> Store {
        Store {
            stations: Slab::new(),
            members: Slab::new(),
            routes: Slab::new(),
            seats: Seats::default(),
            ears: Ears::default(),
            due: None,
            last_uid: 0,
            used: Rc::new(Cell::new(0)),
            limit: limits::MEMORY_BYTES,
            schemas: Vec::new(),
            watching: Vec::new(),
        }
    }

    /// A connection will send to this partition.
    pub fn open_route(&mut self, seat: usize, place: &Place) -> usize {
        let station = self.find(&place.station).map(|(key, station)| (key, station.uid));
        let partition = (place.partition as usize).wrapping_sub(1);
        self.routes.insert(Route { seat, name: place.station.clone(), station, partition })
    }

    /// It will not any more.
    pub fn close_route(&mut self, route: usize) {
        if let Some(closed) = self.routes.try_remove(route) {
            self.seats.retain(closed.seat, &mut |parcel| !matches!(parcel, Parcel::RouteLost(key, _) if *key == route));
        }
    }

    /// Store an encoded message and serve it to whoever waits for it.
    pub fn publish(&mut self, now: Now, route: usize, message: &[u8], head: u32) -> Published {
        let (key, index) = match self.routes.get(route) {
            Some(Route { station: Some((key, _)), partition, .. }) => (*key, *partition),
            Some(route) => return Published::Lost(missing(&route.name)),
            None => return Published::Lost(missing("")),
        };
        self.append(now, key, index, message, head)
    }

    /// The same, to a partition of a station.
    pub(super) fn append(&mut self, now: Now, key: usize, index: usize, message: &[u8], head: u32) -> Published {
        self.prune(now, key);
        self.reveal(now, key, index);
        let id = message.get(..head as usize).and_then(head::id);
        if let Some(sequence) = id.and_then(|id| self.partition(key, index)?.known(now, id)) {
            return Published::Duplicate(sequence);
        }
        let room = self.limit.saturating_sub(Partition::cost(message, id));
        if self.used.get() > room {
            self.expire_all(now);
            if self.used.get() > room {
                return Published::Refused(full(self.limit));
            }
        }
        let Some(station) = self.stations.get_mut(key) else { return Published::Lost(missing("")) };
        let Some(partition) = station.partitions.get_mut(index) else { return Published::Lost(missing(&station.name)) };
        partition.expire(now);
        if let Some(span) = message.get(..head as usize).and_then(head::hidden).filter(|span| span.0 > 0) {
            let sequence = partition.hide(now, message, head, id, span);
            self.note_all(key, index);
            return Published::Stored(sequence);
        }
        let sequence = partition.next();
        let keep = station.spec.retention != Retention::Acked
            || station
                .groups
                .iter()
                .any(|(_, group)| group.cursors.get(index).is_some_and(|reading| !reading.cursor.is_done(sequence)));
        partition.append(now, message, head, id, keep);
        let mut group = 0;
        while let Some(spot) = self.spot_from(key, group, index) {
            self.serve(now, spot);
            group = (spot.group as usize).saturating_add(1);
        }
        Published::Stored(sequence)
    }

    /// Hidden messages whose time has come are stored behind all others; nobody is served yet.
    pub(super) fn reveal(&mut self, now: Now, key: usize, index: usize) {
        let Some(station) = self.stations.get_mut(key) else { return };
        let Some(partition) = station.partitions.get_mut(index) else { return };
        while let Some((bytes, head)) = partition.appeared(now) {
            let sequence = partition.next();
            let keep = station.spec.retention != Retention::Acked
                || station.groups.iter().any(|(_, group)| {
                    group.cursors.get(index).is_some_and(|reading| !reading.cursor.is_done(sequence))
                });
            partition.append(now, &bytes, head, None, keep);
        }
    }

    /// Whoever waits in this partition waits for what appears there, too.
    fn note_all(&mut self, key: usize, index: usize) {
        let mut group = 0;
        while let Some(spot) = self.spot_from(key, group, index) {
            self.note(spot);
            group = (spot.group as usize).saturating_add(1);
        }
    }

    /// What becomes of a delivered message.
    pub fn settle(&mut self, now: Now, token: &Token, verdict: &Verdict) -> Result<(), Error> {
        let Token { spot, sequence, delivery } = *token;
        let Some(station) = self.stations.get_mut(spot.station as usize) else { return Err(missing("")) };
        let index = spot.partition as usize;
        let Some(group) = station.groups.get_mut(spot.group as usize).filter(|group| group.uid == spot.uid) else {
            return Err(removed(&station.name));
        };
        let (Some(reading), Some(partition)) = (group.cursors.get_mut(index), station.partitions.get_mut(index)) else {
            return Err(removed(&station.name));
        };
        reading.cursor.refresh(now.mono, partition);
        match verdict {
            Verdict::Ack | Verdict::Bury(_) => reading.cursor.ack(sequence),
            Verdict::Nack => reading.cursor.nack(now.mono, sequence, delivery, Millis(0)),
            Verdict::Delay(span) => reading.cursor.nack(now.mono, sequence, delivery, *span),
            Verdict::Extend(span) => reading.cursor.extend(now.mono, sequence, delivery, *span),
        }
        if *verdict == Verdict::Ack {
            let finished = reading.cursor.finished();
            station.reap(index, finished);
            self.bury_due(now, spot);
        } else {
            self.serve(now, spot);
        }
        Ok(())
    }

    /// Give what there is to the members that have asked, one message each in turn.
    pub(super) fn serve(&mut self, now: Now, spot: Spot) {
        self.reveal(now, spot.station as usize, spot.partition as usize);
        let Some(station) = self.stations.get_mut(spot.station as usize) else { return };
        let index = spot.partition as usize;
        let Some(partition) = station.partitions.get_mut(index) else { return };
        let Some(group) = station.groups.get_mut(spot.group as usize).filter(|group| group.uid == spot.uid) else {
            return;
        };
        let Some(Reading { cursor, members }) = group.cursors.get_mut(index) else { return };
        partition.expire(now);
        cursor.refresh(now.mono, partition);
        while let Some(place) =
            members.iter().position(|member| self.members.get(*member).is_some_and(Member::is_hungry))
        {
            let Some(candidate) = cursor.peek(partition) else { break };
            let Some((message, bytes)) = partition.get(candidate.sequence) else { break };
            let Some(key) = members.get(place).copied() else { break };
            let Some(member) = self.members.get_mut(key) else { break };
            let Some(ask) = member.asks.first_mut() else { break };
            let size = bytes.len() as u64;
            let served = if ask.fits(size) {
                let (head, stamp, bytes) = (message.head, message.stamp, Rc::clone(bytes));
                let token = Token { spot, sequence: candidate.sequence, delivery: cursor.take(now.mono, candidate) };
                member.coming = member.coming.saturating_add(1);
                self.seats.put(member.seat, Parcel::Message { member: key, token, bytes, head, stamp });
                members.remove(place);
                members.push(key);
                ask.bring(size)
            } else {
                true
            };
            if served {
                self.seats.put(member.seat, ask.end(key));
                member.asks.remove(0);
            }
        }
        let finished = cursor.finished();
        station.reap(index, finished);
        self.bury_due(now, spot);
        self.note(spot);
    }

    /// If a member waits there, remember when the group's next message is due.
    pub(super) fn note(&mut self, spot: Spot) {
        let Some(station) = self.stations.get_mut(spot.station as usize) else { return };
        let Some(group) = station.groups.get_mut(spot.group as usize) else { return };
        let Some(reading) = group.cursors.get_mut(spot.partition as usize) else { return };
        // Somebody may wait for what dies here in the station that it goes to.
        let awaited = !station.spec.dls_station.is_empty();
        if awaited || reading.members.iter().any(|member| self.members.get(*member).is_some_and(Member::is_hungry)) {
            self.due = earliest(self.due, reading.cursor.due());
            let partition = station.partitions.get(spot.partition as usize);
            self.due = earliest(self.due, partition.and_then(Partition::appears));
        }
    }

    /// The station of this name.
    pub(super) fn find(&self, name: &str) -> Option<(usize, &Station)> {
        self.stations.iter().find(|(_, station)| station.name == name)
    }

    /// Forget the groups whose pages are gone.
    pub(super) fn prune(&mut self, now: Now, key: usize) {
        let Some(station) = self.stations.get_mut(key) else { return };
        while let Some(place) = station.groups.iter_mut().find_map(|(place, group)| group.is_over(now).then_some(place))
        {
            station.drop_group(place);
        }
    }

    /// Bring a whole station up to date, as one who looks at it must see it.
    pub(super) fn refresh(&mut self, now: Now, key: usize) {
        self.prune(now, key);
        let count = self.stations.get(key).map_or(0, |station| station.partitions.len());
        for index in 0..count {
            self.reveal(now, key, index);
        }
        let Some(station) = self.stations.get_mut(key) else { return };
        for index in 0..station.partitions.len() {
            let Some(partition) = station.partitions.get_mut(index) else { continue };
            partition.expire(now);
            let mut finished = Vec::new();
            for (_, group) in &mut station.groups {
                if let Some(reading) = group.cursors.get_mut(index) {
                    reading.cursor.refresh(now.mono, partition);
                    finished.append(&mut reading.cursor.finished());
                }
            }
            station.reap(index, finished);
        }
        station.letters.expire(now);
        let mut group = 0;
        let partitions = station.partitions.len();
        while let Some(spot) = self.spot_from(key, group, 0) {
            for partition in 0..small(partitions) {
                self.bury_due(now, Spot { partition, ..spot });
                self.note(Spot { partition, ..spot });
            }
            group = (spot.group as usize).saturating_add(1);
        }
    }

    /// Tell every route and feed of a station or, with a group's number, of that group alone, that it is gone.
    pub(super) fn disown(&mut self, key: usize, uid: u32, group: Option<u32>, error: &Error) {
        let Store { members, routes, seats, .. } = self;
        for (member, state) in members.iter_mut() {
            if state.spot.is_some_and(|spot| spot.station as usize == key && group.is_none_or(|uid| spot.uid == uid)) {
                state.spot = None;
                state.asks.clear();
                seats.put(state.seat, Parcel::FeedLost(member, error.clone()));
            }
        }
        for (route, state) in routes.iter_mut().filter(|_| group.is_none()) {
            if state.station == Some((key, uid)) {
                state.station = None;
                seats.put(state.seat, Parcel::RouteLost(route, error.clone()));
            }
        }
    }

    pub(super) fn expire_all(&mut self, now: Now) {
        let keys: Vec<usize> = self.stations.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.refresh(now, key);
        }
    }

    /// The first group at this place or behind it, in one partition.
    fn spot_from(&self, station: usize, group: usize, partition: usize) -> Option<Spot> {
        let groups = &self.stations.get(station)?.groups;
        let (place, group) = groups.iter().find(|(place, _)| *place >= group)?;
        Some(Spot { station: small(station), group: small(place), partition: small(partition), uid: group.uid })
    }

    fn partition(&mut self, station: usize, index: usize) -> Option<&mut Partition> {
        self.stations.get_mut(station)?.partitions.get_mut(index)
    }

    pub(super) fn group(&mut self, spot: Spot) -> Option<&mut Group> {
        let groups = &mut self.stations.get_mut(spot.station as usize)?.groups;
        groups.get_mut(spot.group as usize).filter(|group| group.uid == spot.uid)
    }
}

impl Group {
    /// It has no name by which anybody could come back, and nobody has been there for long.
    fn is_over(&mut self, now: Now) -> bool {
        let Some(since) = self.alone_since.filter(|_| self.nameless) else { return false };
        self.alone_since = Some(since.min(now.mono));
        since + limits::NAMELESS_GROUP <= now.mono
    }
}

impl Station {
    /// Where everything goes that is done with: those messages that no group needs any more, if that is the retention.
    pub fn reap(&mut self, index: usize, sequences: Vec<u64>) {
        if self.spec.retention != Retention::Acked {
            return;
        }
        for sequence in sequences {
            let needed = self
                .groups
                .iter()
                .any(|(_, group)| group.cursors.get(index).is_some_and(|reading| !reading.cursor.is_done(sequence)));
            if let Some(partition) = self.partitions.get_mut(index).filter(|_| !needed) {
                partition.remove(sequence);
            }
        }
    }

    /// Remove a group and what only it still needed.
    pub fn drop_group(&mut self, place: usize) {
        if self.groups.try_remove(place).is_none() || self.spec.retention != Retention::Acked {
            return;
        }
        for index in 0..self.partitions.len() {
            let all = self.partitions.get(index).map(|partition| (partition.first()..partition.next()).collect());
            self.reap(index, all.unwrap_or_default());
        }
    }
}

/// Places in the store's tables are far below 2^32.
pub(super) fn small(key: usize) -> u32 {
    u32::try_from(key).unwrap_or(u32::MAX)
}

/// The station is not there.
pub(super) fn missing(name: &str) -> Error {
    let error = Error::new(Kind::NoSuchStation, "the station does not exist")
        .hint("It was destroyed, or never made: call station() first.");
    if name.is_empty() { error } else { error.at(name) }
}

/// The group is not there.
pub(super) fn removed(station: &str) -> Error {
    Error::new(Kind::NoSuchStation, "the consumer group does not exist any more")
        .hint("The group was removed; make a new consumer.")
        .at(station)
}

pub(super) fn full(limit: u64) -> Error {
    Error::new(Kind::Rejected, format!("the memory broker is full: it stores at most {limit} bytes"))
        .hint("Consume and acknowledge, or give the stations a smaller retention.")
        .retryable(true)
}
