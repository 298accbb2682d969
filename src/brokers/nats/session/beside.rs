//! What a broker needs that stands on this session: subscriptions of its own, and a word about stations that only it hears
//! of.
//!
//! Comes in that broker's part of the wasm: the session calls it only where something of it has been used.

use super::super::wire::{self, Msg};
use super::{NatsSession, Phase};
use crate::base::error::Error;
use crate::link::outbox::Outbox;
use crate::link::session::{FeedId, Output, RouteId};

/// Numbers of such subscriptions begin here; live messages count from below and do not come this far.
pub const FIRST: u32 = 0xffff_0000;

/// How many there may be.
pub const MOST: u32 = 0x7fff;

impl NatsSession {
    /// The link works.
    pub fn is_up(&self) -> bool {
        self.phase == Phase::Up
    }

    /// The server may say nothing at all to a pull for a group that is gone.
    pub fn may_be_silent(&mut self) {
        self.silent = true;
    }

    /// The largest message.
    pub fn max_payload(&self) -> u64 {
        self.info.max_payload
    }

    /// Subscribe on the present link, as number `at` of its own; `subject` may have a queue group behind a blank.
    pub fn listen_beside(&mut self, out: &mut Outbox, at: u32, subject: &str) {
        wire::push_sub(out.main(), &[subject.as_bytes()], number(at));
    }

    /// End such a subscription.
    pub fn hush_beside(&mut self, out: &mut Outbox, at: u32) {
        wire::push_unsub(out.main(), number(at));
    }

    /// Keep a message for the broker above.
    #[inline(never)]
    pub(super) fn heard_beside(&mut self, msg: &Msg, bytes: &[u8]) {
        self.told.push((msg.clone(), bytes.to_vec()));
    }

    /// Something came for the broker above.
    pub fn was_told(&self) -> bool {
        !self.told.is_empty()
    }

    /// What came, with the numbers of the subscriptions.
    pub fn take_told(&mut self) -> Vec<(u32, Msg, Vec<u8>)> {
        let number = |msg: &Msg| msg.sid.wrapping_sub(FIRST) >> 1;
        std::mem::take(&mut self.told).into_iter().map(|(msg, bytes)| (number(&msg), msg, bytes)).collect()
    }

    /// A station is gone: nothing of its routes and feeds is of use any more.
    pub fn lost_station(&mut self, station: &str, error: &Error) {
        let error = || error.clone().at(station);
        for (index, _) in self.routes.iter().filter(|(_, route)| route.station == station) {
            self.outputs.push_back(Output::RouteLost(RouteId(index as u32), error()));
        }
        for (index, feed) in self.feeds.iter_mut().filter(|(_, feed)| feed.station == station) {
            feed.pulls.withdraw();
            self.outputs.push_back(Output::FeedLost(FeedId(index as u32), error()));
        }
    }
}

fn number(at: u32) -> u32 {
    FIRST.saturating_add(at.min(MOST) << 1)
}
