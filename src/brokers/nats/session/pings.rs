//! Every `PING` of the session with what its `PONG` means: a sign of life, that the server has read what was published
//! before it, that it knows of a live subscription or has forgotten it, or that it has forgotten one of a feed.

use crate::base::limits;
use crate::base::time::Time;
use crate::link::live::SubId;
use crate::link::outbox::Outbox;
use std::collections::VecDeque;
use std::rc::Rc;

/// Answers to questions of the application come to `<inbox>.Q<n>`.
pub(super) const ASK: u8 = b'Q';

/// What a `PONG` will mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ping {
    /// A sign of life.
    Probe,
    /// So many bytes have been read by the server.
    Confirms(u64),
    /// The subscription is known.
    Opened(SubId),
    /// The subscription is forgotten.
    Over(SubId),
    /// A feed's subscription, by its number on the wire, is forgotten.
    Settled(u32),
    /// What was sent before has come, but for what comes from other nodes of a cluster.
    Rested,
}

/// Subscriptions of live messages, and what waits for a `PONG`.
#[derive(Debug, Default)]
pub(super) struct Ears {
    /// Something was sent or listened to: the code for it is there.
    pub(super) used: bool,
    pub(super) subs: Vec<(SubId, String, String)>,
    pub(super) pings: VecDeque<Ping>,
    pub(super) unconfirmed: u64,
    /// Published since the last `PING`.
    pub(super) fresh: u64,
    pub(super) fresh_since: Option<Time>,
    pub(super) line: Line,
    /// New subscriptions are left to the link that is to take this one's place.
    pub(super) leaving: bool,
    /// Subscriptions that the link has brought along.
    pub(super) told: Vec<SubId>,
    /// Inboxes of earlier links that are heard here too.
    pub(super) inboxes: Vec<String>,
}

/// What stood between the payload that was published last and the one before it: the next is mostly one to the same channel,
/// of the same length.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) to: Option<Rc<str>>,
    pub(super) length: usize,
    pub(super) text: Vec<u8>,
}

impl Ears {
    pub(super) fn is_used(&self) -> bool {
        self.used
    }

    /// Write a `PING`.
    pub(super) fn ping(&mut self, out: &mut Outbox, meaning: Ping) {
        out.main().extend_from_slice(b"PING\r\n");
        self.pings.push_back(meaning);
    }

    /// What a `PONG` means.
    pub(super) fn pong(&mut self) -> Ping {
        self.pings.pop_front().unwrap_or(Ping::Probe)
    }

    /// The link is gone, with everything that was on its way.
    pub(super) fn forget(&mut self) {
        self.pings.clear();
        self.leaving = false;
        self.inboxes.clear();
        self.fresh = 0;
        self.fresh_since = None;
        self.unconfirmed = 0;
    }

    pub(super) fn unconfirmed(&self) -> u64 {
        self.unconfirmed
    }

    /// What was published last is confirmed too, when nothing follows it.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.fresh_since.map(|since| since + limits::CONFIRM_AFTER)
    }
}
