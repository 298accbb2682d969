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
use super::partition::Partition;
use super::token::{Spot, Token};
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::time::{Millis, Now, Time, Wall, earliest};
use crate::brokers::terms::{Retention, StationSpec};
use crate::link::session::{Ask, FeedSpec, Place, Verdict, Wait};
use slab::Slab;
use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

/// How a connection is told that its inbox has something. Must not call back into the broker.
pub(super) type Wake = Rc<dyn Fn()>;

/// One broker.
pub(super) struct Store {
    pub(super) stations: Slab<Station>,
    members: Slab<Member>,
    routes: Slab<Route>,
    seats: Slab<Seat>,
    /// Seats whose callbacks are to be called as soon as the store is not borrowed any more.
    wakes: Vec<Wake>,
    /// No member waits for anything before this moment.
    due: Option<Time>,
    pub(super) last_uid: u32,
    pub(super) used: Rc<Cell<u64>>,
    pub(super) limit: u64,
}

/// A station.
pub(super) struct Station {
    pub uid: u32,
    pub name: String,
    pub spec: StationSpec,
    pub created: Wall,
    pub partitions: Vec<Partition>,
    pub groups: Slab<Group>,
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
    pub members: VecDeque<usize>,
}

/// A feed of some connection.
struct Member {
    seat: usize,
    /// What it reads; `None` once that is gone.
    spot: Option<Spot>,
    asks: VecDeque<OpenAsk>,
    /// Messages in the inbox that have not been fetched from it.
    coming: u32,
}

struct OpenAsk {
    left: u32,
    bytes: Option<u64>,
    /// It has brought something already.
    begun: bool,
    until: Until,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Now,
    At(Time),
    Standing,
}

/// A partition that a connection sends to. Bound to the station that was there when it was opened, not to its name.
struct Route {
    seat: usize,
    name: String,
    station: Option<(usize, u32)>,
    partition: usize,
}

struct Seat {
    inbox: VecDeque<Parcel>,
    wake: Wake,
    woken: bool,
}

/// What a connection finds in its inbox.
#[derive(Debug)]
pub(super) enum Parcel {
    /// A message.
    Message {
        /// For this feed.
        member: usize,
        /// Which delivery of which message.
        token: Token,
        /// Head and payload.
        bytes: Rc<[u8]>,
        /// The head's length.
        head: u32,
        /// When it was stored.
        stamp: Wall,
    },
    /// An ask of this feed has ended.
    Over(usize),
    /// This feed's standing asks have become less.
    Room(usize),
    /// This feed reads nothing any more.
    FeedLost(usize, Error),
    /// This route leads nowhere any more.
    RouteLost(usize, Error),
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
            seats: Slab::new(),
            wakes: Vec::new(),
            due: None,
            last_uid: 0,
            used: Rc::new(Cell::new(0)),
            limit: limits::MEMORY_BYTES,
        }
    }

    // ---- connections ---------------------------------------------------------------------------------------

    /// A connection comes.
    pub fn enter(&mut self, wake: Wake) -> usize {
        self.seats.insert(Seat { inbox: VecDeque::new(), wake, woken: false })
    }

    /// A connection goes, with its feeds and routes.
    pub fn leave(&mut self, now: Option<Now>, seat: usize) {
        for member in self.members_of(seat) {
            self.close_member(now, member);
        }
        self.routes.retain(|_, route| route.seat != seat);
        self.seats.try_remove(seat);
    }

    /// The link of a connection is cut: what it has not fetched goes back and what it asked for is forgotten.
    pub fn cut(&mut self, now: Now, seat: usize) {
        for member in self.members_of(seat) {
            // Asks first, or it would be served what it gives back.
            let asks = self.members.get_mut(member).map(|member| std::mem::take(&mut member.asks)).unwrap_or_default();
            self.return_parcels(Some(now), seat, member);
            for ask in asks {
                self.put(seat, ask.end(member));
            }
        }
    }

    /// The next parcel for this connection.
    pub fn fetch(&mut self, seat: usize) -> Option<Parcel> {
        let seat = self.seats.get_mut(seat)?;
        let parcel = seat.inbox.pop_front();
        match &parcel {
            None => seat.woken = false,
            Some(Parcel::Message { member, .. }) => {
                if let Some(member) = self.members.get_mut(*member) {
                    member.coming = member.coming.saturating_sub(1);
                }
            }
            Some(_) => {}
        }
        parcel
    }

    /// There is more in the inbox than this turn could take.
    pub fn wake_again(&mut self, seat: usize) {
        if let Some(seat) = self.seats.get(seat) {
            self.wakes.push(Rc::clone(&seat.wake));
        }
    }

    /// Callbacks to call, once each.
    pub fn take_wakes(&mut self) -> Vec<Wake> {
        std::mem::take(&mut self.wakes)
    }

    /// When a member waits for something that time brings.
    pub fn deadline(&self) -> Option<Time> {
        self.due
    }

    /// Time has passed: what became due goes to those who wait, and asks end.
    pub fn tick(&mut self, now: Now) {
        if self.due.is_none_or(|due| due > now.mono) {
            return;
        }
        let hungry: Vec<(usize, Spot)> =
            self.members.iter().filter(|(_, member)| member.is_hungry()).filter_map(|(key, member)| Some((key, member.spot?))).collect();
        for (_, spot) in &hungry {
            self.serve(now, *spot);
        }
        self.due = None;
        for (key, spot) in hungry {
            let Some(member) = self.members.get_mut(key) else { continue };
            let seat = member.seat;
            let (over, open) = member.asks.drain(..).partition(|ask| matches!(ask.until, Until::At(end) if end <= now.mono));
            member.asks = open;
            let next = member.asks.iter().filter_map(OpenAsk::end_time).min();
            self.due = earliest(self.due, next);
            for ask in Vec::from(over) {
                self.put(seat, ask.end(key));
            }
            self.note(spot);
        }
    }

    // ---- sending -------------------------------------------------------------------------------------------

    /// A connection will send to this partition.
    pub fn open_route(&mut self, seat: usize, place: &Place) -> usize {
        let station = self.find(&place.station).map(|(key, station)| (key, station.uid));
        let partition = (place.partition as usize).wrapping_sub(1);
        self.routes.insert(Route { seat, name: place.station.clone(), station, partition })
    }

    /// It will not any more.
    pub fn close_route(&mut self, route: usize) {
        let Some(route_was) = self.routes.try_remove(route) else { return };
        if let Some(seat) = self.seats.get_mut(route_was.seat) {
            seat.inbox.retain(|parcel| !matches!(parcel, Parcel::RouteLost(key, _) if *key == route));
        }
    }

    /// Store an encoded message and serve it to whoever waits for it.
    pub fn publish(&mut self, now: Now, route: usize, message: &[u8], head: u32) -> Published {
        let (key, index) = match self.routes.get(route) {
            Some(Route { station: Some((key, _)), partition, .. }) => (*key, *partition),
            Some(route) => return Published::Lost(missing(&route.name)),
            None => return Published::Lost(missing("")),
        };
        self.prune(now, key);
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
        let sequence = partition.next();
        let keep = station.spec.retention != Retention::Acked
            || station.groups.iter().any(|(_, group)| group.cursors.get(index).is_some_and(|reading| !reading.cursor.is_done(sequence)));
        partition.append(now, message, head, id, keep);
        let mut group = 0;
        while let Some(spot) = self.spot_from(key, group, index) {
            self.serve(now, spot);
            group = (spot.group as usize).saturating_add(1);
        }
        Published::Stored(sequence)
    }

    // ---- reading -------------------------------------------------------------------------------------------

    /// A connection reads a group's partition.
    pub fn open_member(&mut self, seat: usize, spec: &FeedSpec) -> usize {
        let spot = self.locate(spec);
        let member = self.members.insert(Member {
            seat,
            spot: spot.as_ref().ok().copied(),
            asks: VecDeque::new(),
            coming: 0,
        });
        match spot {
            Ok(spot) => {
                if let Some(group) = self.group(spot) {
                    group.alone_since = None;
                    if let Some(reading) = group.cursors.get_mut(spot.partition as usize) {
                        reading.members.push_back(member);
                    }
                }
            }
            Err(error) => self.put(seat, Parcel::FeedLost(member, error)),
        }
        member
    }

    /// It does not any more. What it has not fetched goes back.
    pub fn close_member(&mut self, now: Option<Now>, member: usize) {
        let Some(seat) = self.members.get(member).map(|member| member.seat) else { return };
        let spot = self.members.get_mut(member).and_then(|member| {
            member.asks.clear();
            member.spot
        });
        // Out of the round first, or it would be served what it gives back.
        if let Some(group) = spot.and_then(|spot| self.group(spot)) {
            for reading in &mut group.cursors {
                reading.members.retain(|other| *other != member);
            }
            if group.cursors.iter().all(|reading| reading.members.is_empty()) {
                // Without a clock the time is filled in at the next call that has one.
                group.alone_since = Some(now.map_or(Time(u64::MAX), |now| now.mono));
            }
        }
        self.return_parcels(now, seat, member);
        if let Some(seat) = self.seats.get_mut(seat) {
            seat.inbox.retain(|parcel| parcel.member() != Some(member));
        }
        self.members.try_remove(member);
    }

    /// Ask for messages, beside what has been asked for already.
    pub fn ask(&mut self, now: Now, member: usize, ask: Ask) {
        let Some(state) = self.members.get_mut(member) else { return };
        let Some(spot) = state.spot else { return };
        let seat = state.seat;
        let until = match ask.wait {
            Wait::No => Until::Now,
            Wait::For(span) => Until::At(now.mono + span),
            Wait::Standing => Until::Standing,
        };
        let open = OpenAsk { left: ask.messages, bytes: Some(ask.bytes).filter(|bytes| *bytes > 0), begun: false, until };
        if open.left == 0 {
            if until != Until::Standing {
                self.put(seat, Parcel::Over(member));
            }
            return;
        }
        self.due = earliest(self.due, open.end_time());
        state.asks.push_back(open);
        self.serve(now, spot);
        let Some(state) = self.members.get_mut(member) else { return };
        let before = state.asks.len();
        state.asks.retain(|ask| ask.until != Until::Now);
        if state.asks.len() < before {
            self.put(seat, Parcel::Over(member));
        }
    }

    /// How many messages have been asked for and not been fetched from the inbox.
    pub fn asked(&self, member: usize) -> u32 {
        let Some(member) = self.members.get(member) else { return 0 };
        member.asks.iter().fold(member.coming, |sum, ask| sum.saturating_add(ask.left))
    }

    /// Take back every ask. What is in the inbox stays; that an ask has ended is of no interest any more, and would be
    /// taken for the end of the next one.
    pub fn withdraw(&mut self, member: usize) {
        let Some(state) = self.members.get_mut(member) else { return };
        state.asks.clear();
        if let Some(seat) = self.seats.get_mut(state.seat) {
            seat.inbox.retain(|parcel| !matches!(parcel, Parcel::Over(key) | Parcel::Room(key) if *key == member));
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
        } else {
            self.serve(now, spot);
        }
        Ok(())
    }

    // ---- inside --------------------------------------------------------------------------------------------

    /// Give what there is to the members that have asked, one message each in turn.
    pub(super) fn serve(&mut self, now: Now, spot: Spot) {
        let Some(station) = self.stations.get_mut(spot.station as usize) else { return };
        let index = spot.partition as usize;
        let Some(partition) = station.partitions.get_mut(index) else { return };
        let Some(group) = station.groups.get_mut(spot.group as usize).filter(|group| group.uid == spot.uid) else { return };
        let Some(Reading { cursor, members }) = group.cursors.get_mut(index) else { return };
        partition.expire(now);
        cursor.refresh(now.mono, partition);
        while let Some(place) = members.iter().position(|member| self.members.get(*member).is_some_and(Member::is_hungry)) {
            let Some(candidate) = cursor.peek(partition) else { break };
            let Some((message, bytes)) = partition.get(candidate.sequence) else { break };
            let Some(key) = members.get(place).copied() else { break };
            let Some(member) = self.members.get_mut(key) else { break };
            let Some(ask) = member.asks.front_mut() else { break };
            let size = bytes.len() as u64;
            // One that is larger than the whole ask goes out all the same: it would never fit.
            let ends = if ask.begun && ask.bytes.is_some_and(|left| left < size) {
                true
            } else {
                ask.begun = true;
                ask.bytes = ask.bytes.map(|left| left.saturating_sub(size));
                ask.left = ask.left.saturating_sub(1);
                let (head, stamp, bytes) = (message.head, message.stamp, Rc::clone(bytes));
                let token = Token { spot, sequence: candidate.sequence, delivery: cursor.take(now.mono, candidate) };
                member.coming = member.coming.saturating_add(1);
                put(&mut self.seats, &mut self.wakes, member.seat, Parcel::Message { member: key, token, bytes, head, stamp });
                members.remove(place);
                members.push_back(key);
                ask.left == 0
            };
            if let Some(ask) = ends.then(|| member.asks.pop_front()).flatten() {
                put(&mut self.seats, &mut self.wakes, member.seat, ask.end(key));
            }
        }
        let finished = cursor.finished();
        station.reap(index, finished);
        self.note(spot);
    }

    /// If a member waits there, remember when the group's next message is due.
    fn note(&mut self, spot: Spot) {
        let Some(station) = self.stations.get_mut(spot.station as usize) else { return };
        let Some(group) = station.groups.get_mut(spot.group as usize) else { return };
        let Some(reading) = group.cursors.get_mut(spot.partition as usize) else { return };
        if reading.members.iter().any(|member| self.members.get(*member).is_some_and(Member::is_hungry)) {
            self.due = earliest(self.due, reading.cursor.due());
        }
    }

    /// The station of this name.
    pub(super) fn find(&self, name: &str) -> Option<(usize, &Station)> {
        self.stations.iter().find(|(_, station)| station.name == name)
    }

    /// Forget the groups whose pages are gone.
    pub(super) fn prune(&mut self, now: Now, key: usize) {
        let Some(station) = self.stations.get_mut(key) else { return };
        let mut old = None;
        for (place, group) in &mut station.groups {
            let Some(since) = group.alone_since.filter(|_| group.nameless) else { continue };
            group.alone_since = Some(since.min(now.mono));
            if since + limits::NAMELESS_GROUP <= now.mono {
                old = Some(place);
            }
        }
        if let Some(place) = old {
            station.drop_group(place);
            self.prune(now, key);
        }
    }

    /// Bring a whole station up to date, as one who looks at it must see it.
    pub(super) fn refresh(&mut self, now: Now, key: usize) {
        self.prune(now, key);
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
    }

    /// Tell every route and feed of a station or, with a group's number, of that group alone, that it is gone.
    pub(super) fn disown(&mut self, key: usize, uid: u32, group: Option<u32>, error: &Error) {
        let Store { members, routes, seats, wakes, .. } = self;
        for (member, state) in members.iter_mut() {
            if state.spot.is_some_and(|spot| spot.station as usize == key && group.is_none_or(|uid| spot.uid == uid)) {
                state.spot = None;
                state.asks.clear();
                put(seats, wakes, state.seat, Parcel::FeedLost(member, error.clone()));
            }
        }
        for (route, state) in routes.iter_mut().filter(|_| group.is_none()) {
            if state.station == Some((key, uid)) {
                state.station = None;
                put(seats, wakes, state.seat, Parcel::RouteLost(route, error.clone()));
            }
        }
    }

    fn expire_all(&mut self, now: Now) {
        let keys: Vec<usize> = self.stations.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.refresh(now, key);
        }
    }

    fn return_parcels(&mut self, now: Option<Now>, seat: usize, member: usize) {
        let Some(inbox) = self.seats.get_mut(seat).map(|seat| &mut seat.inbox) else { return };
        let mut tokens = Vec::new();
        inbox.retain(|parcel| match parcel {
            Parcel::Message { member: key, token, .. } if *key == member => {
                tokens.push(*token);
                false
            }
            _ => true,
        });
        if let Some(member) = self.members.get_mut(member) {
            member.coming = 0;
        }
        for token in &tokens {
            let index = token.spot.partition as usize;
            if let Some(reading) = self.group(token.spot).and_then(|group| group.cursors.get_mut(index)) {
                reading.cursor.undo(token.sequence, token.delivery);
            }
        }
        match (now, tokens.first()) {
            (Some(now), Some(token)) => self.serve(now, token.spot),
            (None, Some(_)) => {
                // Served at the next tick, which everybody who may be waiting is asked to make.
                self.due = Some(Time(0));
                self.wakes.extend(self.seats.iter().filter(|(other, _)| *other != seat).map(|(_, seat)| Rc::clone(&seat.wake)));
            }
            (_, None) => {}
        }
    }

    fn locate(&self, spec: &FeedSpec) -> Result<Spot, Error> {
        let name = &spec.place.station;
        let (key, station) = self.find(name).ok_or_else(|| missing(name))?;
        let partition = spec.place.partition.wrapping_sub(1);
        let (place, group) = station
            .groups
            .iter()
            .find(|(_, group)| group.name == spec.group && (partition as usize) < group.cursors.len())
            .ok_or_else(|| removed(name))?;
        Ok(Spot { station: small(key), group: small(place), partition, uid: group.uid })
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

    fn group(&mut self, spot: Spot) -> Option<&mut Group> {
        let groups = &mut self.stations.get_mut(spot.station as usize)?.groups;
        groups.get_mut(spot.group as usize).filter(|group| group.uid == spot.uid)
    }

    fn members_of(&self, seat: usize) -> Vec<usize> {
        self.members.iter().filter(|(_, member)| member.seat == seat).map(|(key, _)| key).collect()
    }

    fn put(&mut self, seat: usize, parcel: Parcel) {
        put(&mut self.seats, &mut self.wakes, seat, parcel);
    }
}

impl Station {
    /// Where everything goes that is done with: those messages that no group needs any more, if that is the retention.
    pub fn reap(&mut self, index: usize, sequences: Vec<u64>) {
        if self.spec.retention != Retention::Acked {
            return;
        }
        for sequence in sequences {
            let needed =
                self.groups.iter().any(|(_, group)| group.cursors.get(index).is_some_and(|reading| !reading.cursor.is_done(sequence)));
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

impl Member {
    fn is_hungry(&self) -> bool {
        !self.asks.is_empty()
    }
}

impl OpenAsk {
    fn end_time(&self) -> Option<Time> {
        match self.until {
            Until::At(end) => Some(end),
            Until::Now | Until::Standing => None,
        }
    }

    /// What its feed is told when it is over.
    fn end(&self, member: usize) -> Parcel {
        match self.until {
            Until::Standing => Parcel::Room(member),
            Until::Now | Until::At(_) => Parcel::Over(member),
        }
    }
}

impl Parcel {
    fn member(&self) -> Option<usize> {
        match self {
            Parcel::Message { member, .. } | Parcel::Over(member) | Parcel::Room(member) | Parcel::FeedLost(member, _) => Some(*member),
            Parcel::RouteLost(..) => None,
        }
    }
}

fn put(seats: &mut Slab<Seat>, wakes: &mut Vec<Wake>, seat: usize, parcel: Parcel) {
    let Some(seat) = seats.get_mut(seat) else { return };
    seat.inbox.push_back(parcel);
    if !seat.woken {
        seat.woken = true;
        wakes.push(Rc::clone(&seat.wake));
    }
}

/// Places in the store's tables are far below 2^32.
pub(super) fn small(key: usize) -> u32 {
    u32::try_from(key).unwrap_or(u32::MAX)
}

/// The station is not there.
pub(super) fn missing(name: &str) -> Error {
    let error = Error::new(Kind::NoSuchStation, "the station does not exist").hint("It was destroyed, or never made: call station() first.");
    if name.is_empty() { error } else { error.at(name) }
}

/// The group is not there.
pub(super) fn removed(station: &str) -> Error {
    Error::new(Kind::NoSuchStation, "the consumer group does not exist any more").hint("The group was removed; make a new consumer.").at(station)
}

fn full(limit: u64) -> Error {
    Error::new(Kind::Rejected, format!("the memory broker is full: it stores at most {limit} bytes"))
        .hint("Consume and acknowledge, or give the stations a smaller retention.")
        .retryable(true)
}
