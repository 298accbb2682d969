//! The connections of a broker: what each of them reads and asks for, and what lies ready for it.
//!
//! Does not know which message is next for a group; [`Store::serve`] does.

use super::live::Post;
use super::store::{Store, missing, removed, small};
use super::token::{Spot, Token};
use crate::base::error::Error;
use crate::base::time::{Now, Time, Wall, earliest};
use crate::link::session::{Ask, FeedSpec, News, Wait};
use slab::Slab;
use std::collections::VecDeque;
use std::rc::Rc;

/// How a connection is told that its inbox has something. Must not call back into the broker.
pub(super) type Wake = Rc<dyn Fn()>;

/// A feed of some connection.
pub(super) struct Member {
    pub seat: usize,
    /// What it reads; `None` once that is gone.
    pub spot: Option<Spot>,
    /// The oldest first.
    pub asks: Vec<OpenAsk>,
    /// Messages in the inbox that have not been fetched from it.
    pub coming: u32,
}

/// What is left of an ask.
pub(super) struct OpenAsk {
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

/// All connections.
#[derive(Default)]
pub(super) struct Seats {
    seats: Slab<Seat>,
    /// Callbacks to be called as soon as the store is not borrowed any more.
    wakes: Vec<Wake>,
}

/// A connection.
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
    /// The registry of schemas has changed.
    Registry(News),
    /// Live messages and what belongs to them.
    Live(Post),
}

impl Store {
    /// A connection comes.
    pub fn enter(&mut self, wake: Wake) -> usize {
        let seat = self.seats.seats.insert(Seat { inbox: VecDeque::new(), wake, woken: false });
        self.settle_in(seat);
        seat
    }

    /// A connection goes, with its feeds and routes.
    pub fn leave(&mut self, now: Option<Now>, seat: usize) {
        for member in self.members_of(seat) {
            self.close_member(now, member);
        }
        self.routes.retain(|_, route| route.seat != seat);
        self.unwatch(seat);
        self.move_out(seat);
        self.seats.seats.try_remove(seat);
    }

    /// The link of a connection is cut: what it has not fetched goes back and what it asked for is forgotten.
    pub fn cut(&mut self, now: Now, seat: usize) {
        for member in self.members_of(seat) {
            // Asks first, or it would be served what it gives back.
            let asks = self.members.get_mut(member).map(|member| std::mem::take(&mut member.asks)).unwrap_or_default();
            self.return_parcels(Some(now), seat, member);
            for ask in asks {
                self.seats.put(seat, ask.end(member));
            }
        }
    }

    /// The next parcel for this connection.
    pub fn fetch(&mut self, seat: usize) -> Option<Parcel> {
        let seat = self.seats.seats.get_mut(seat)?;
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
        if let Some(seat) = self.seats.seats.get(seat) {
            self.seats.wakes.push(Rc::clone(&seat.wake));
        }
    }

    /// Callbacks to call, once each.
    pub fn take_wakes(&mut self) -> Vec<Wake> {
        std::mem::take(&mut self.seats.wakes)
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
        let hungry: Vec<(usize, Spot)> = self
            .members
            .iter()
            .filter(|(_, member)| member.is_hungry())
            .filter_map(|(key, member)| Some((key, member.spot?)))
            .collect();
        for (_, spot) in &hungry {
            self.serve(now, *spot);
        }
        self.due = None;
        self.bury_for_others(now);
        for (key, spot) in hungry {
            let Some(member) = self.members.get_mut(key) else { continue };
            let over = |ask: &OpenAsk| ask.end_time().is_some_and(|end| end <= now.mono);
            while let Some(at) = member.asks.iter().position(over) {
                self.seats.put(member.seat, member.asks.remove(at).end(key));
            }
            self.due = earliest(self.due, member.asks.iter().filter_map(OpenAsk::end_time).min());
            self.note(spot);
        }
    }

    /// A connection reads a group's partition.
    pub fn open_member(&mut self, seat: usize, spec: &FeedSpec) -> usize {
        let spot = self.locate(spec);
        let member =
            self.members.insert(Member { seat, spot: spot.as_ref().ok().copied(), asks: Vec::new(), coming: 0 });
        match spot {
            Ok(spot) => {
                if let Some(group) = self.group(spot) {
                    group.alone_since = None;
                    if let Some(reading) = group.cursors.get_mut(spot.partition as usize) {
                        reading.members.push(member);
                    }
                }
            }
            Err(error) => self.seats.put(seat, Parcel::FeedLost(member, error)),
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
        self.seats.retain(seat, &mut |parcel| parcel.member() != Some(member));
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
        let open =
            OpenAsk { left: ask.messages, bytes: Some(ask.bytes).filter(|bytes| *bytes > 0), begun: false, until };
        if open.left == 0 {
            if until != Until::Standing {
                self.seats.put(seat, Parcel::Over(member));
            }
            return;
        }
        self.due = earliest(self.due, open.end_time());
        state.asks.push(open);
        self.serve(now, spot);
        let Some(state) = self.members.get_mut(member) else { return };
        let before = state.asks.len();
        state.asks.retain(|ask| ask.until != Until::Now);
        if state.asks.len() < before {
            self.seats.put(seat, Parcel::Over(member));
        }
    }

    /// How many messages have been asked for and not been fetched from the inbox.
    pub fn asked(&self, member: usize) -> u32 {
        let Some(member) = self.members.get(member) else { return 0 };
        member.asks.iter().fold(member.coming, |sum, ask| sum.saturating_add(ask.left))
    }

    /// Take back every ask. What lies in the inbox goes back too and counts as never delivered, unless delivered means
    /// done. That an ask has ended is of no interest any more, and would be taken for the end of the next one.
    pub fn withdraw(&mut self, now: Now, member: usize) {
        let Some(state) = self.members.get_mut(member) else { return };
        state.asks.clear();
        let (seat, spot) = (state.seat, state.spot);
        self.seats
            .retain(seat, &mut |parcel| !matches!(parcel, Parcel::Over(key) | Parcel::Room(key) if *key == member));
        if spot.and_then(|spot| self.group(spot)).is_some_and(|group| !group.auto_ack) {
            self.return_parcels(Some(now), seat, member);
        }
    }

    fn return_parcels(&mut self, now: Option<Now>, seat: usize, member: usize) {
        let mut tokens = Vec::new();
        self.seats.retain(seat, &mut |parcel| match parcel {
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
                let Seats { seats, wakes } = &mut self.seats;
                wakes.extend(seats.iter().filter(|(other, _)| *other != seat).map(|(_, seat)| Rc::clone(&seat.wake)));
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

    fn members_of(&self, seat: usize) -> Vec<usize> {
        self.members.iter().filter(|(_, member)| member.seat == seat).map(|(key, _)| key).collect()
    }
}

impl Seats {
    /// Lay something ready for a connection, and have it woken once until it looks.
    pub fn put(&mut self, seat: usize, parcel: Parcel) {
        let Some(seat) = self.seats.get_mut(seat) else { return };
        seat.inbox.push_back(parcel);
        if !seat.woken {
            seat.woken = true;
            self.wakes.push(Rc::clone(&seat.wake));
        }
    }

    /// Take back what is not to be found any more.
    pub fn retain(&mut self, seat: usize, keep: &mut dyn FnMut(&Parcel) -> bool) {
        if let Some(seat) = self.seats.get_mut(seat) {
            seat.inbox.retain(keep);
        }
    }
}

impl Member {
    /// It has asked for something.
    pub fn is_hungry(&self) -> bool {
        !self.asks.is_empty()
    }
}

impl OpenAsk {
    /// Whether a message of this size still belongs to it. One that is larger than the whole ask does: it would never fit.
    pub fn fits(&self, size: u64) -> bool {
        !self.begun || self.bytes.is_none_or(|left| left >= size)
    }

    /// It has brought a message of this size; true if it is served.
    pub fn bring(&mut self, size: u64) -> bool {
        self.begun = true;
        self.bytes = self.bytes.map(|left| left.saturating_sub(size));
        self.left = self.left.saturating_sub(1);
        self.left == 0
    }

    fn end_time(&self) -> Option<Time> {
        match self.until {
            Until::At(end) => Some(end),
            Until::Now | Until::Standing => None,
        }
    }

    /// What its feed is told when it is over.
    pub fn end(&self, member: usize) -> Parcel {
        match self.until {
            Until::Standing => Parcel::Room(member),
            Until::Now | Until::At(_) => Parcel::Over(member),
        }
    }
}

impl Parcel {
    fn member(&self) -> Option<usize> {
        match self {
            Parcel::Message { member, .. }
            | Parcel::Over(member)
            | Parcel::Room(member)
            | Parcel::FeedLost(member, _) => Some(*member),
            Parcel::RouteLost(..) | Parcel::Registry(_) | Parcel::Live(_) => None,
        }
    }
}
