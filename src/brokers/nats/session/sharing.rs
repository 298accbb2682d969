//! Pulls live through a move from one link to another.
//!
//! In a cluster their messages come from the node that leads, and what is between the nodes when a subscription ends is
//! lost until its ack time is over. So the next link subscribes to the very subjects of the present one's pulls before that
//! one is let go; what comes by both is taken once.

use super::super::wire::{self, Deframer, Frame, Home};
use super::feeds::{ending, sid};
use super::pings::Ping;
use super::{Check, NatsSession, Phase, Twice};
use crate::base::limits;
use crate::base::time::Now;
use crate::link::outbox::Outbox;
use crate::link::session::{FeedId, Source};
use std::any::Any;

/// What a scout has for the session that will go on with its link.
#[derive(Default)]
pub(super) struct Kept {
    /// The subscriptions it has joined.
    sids: Vec<u32>,
    /// Deliveries, as they came.
    bytes: Vec<u8>,
}

/// A subscription with open pulls.
struct Shared {
    subject: Vec<u8>,
    sid: u32,
    /// Where its leader is asked; the answer comes behind what it sent before.
    leader: String,
}

impl NatsSession {
    /// What is asked for, for the session of another link.
    #[inline(never)]
    pub(super) fn share_feeds(&mut self) -> Option<Box<dyn Any>> {
        let mut all = Vec::new();
        for (index, feed) in self.feeds.iter_mut().filter(|(_, feed)| feed.subscribed) {
            feed.shared = true;
            feed.twice = Some(Twice { epoch: feed.epoch, order: feed.order, moved: false });
            let id = FeedId(index as u32);
            let subject = [feed.inbox.as_bytes(), &ending(id, feed.epoch), b"*"].concat();
            all.push(Shared { subject, sid: sid(id, feed.epoch), leader: feed.leader(&self.prefix) });
        }
        (!all.is_empty()).then(|| Box::new(all) as Box<dyn Any>)
    }

    /// Listen to what another session asked for.
    #[inline(never)]
    pub(super) fn join_feeds(&mut self, shared: Box<dyn Any>, out: &mut Outbox) {
        let Ok(all) = shared.downcast::<Vec<Shared>>() else { return };
        self.kept = Some(Kept { sids: all.iter().map(|shared| shared.sid).collect(), bytes: Vec::new() });
        self.resting = all.len();
        for shared in all.iter() {
            wire::push_sub(out.main(), &[&shared.subject], shared.sid);
        }
        for shared in all.iter() {
            self.check(out, &shared.leader, Check::Rested);
        }
    }

    #[inline(never)]
    pub(super) fn ask_leaders(&mut self, out: &mut Outbox) {
        let shared = self.feeds.iter().filter(|(_, feed)| feed.shared);
        let leaders: Vec<_> = shared.map(|(_, feed)| feed.leader(&self.prefix)).collect();
        for leader in leaders {
            self.check(out, &leader, Check::Rested);
            self.resting = self.resting.saturating_add(1);
        }
    }

    /// A delivery for the session that will go on with this link. One that finds no room comes again in its time.
    #[inline(never)]
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        if let Some(kept) = self.kept.as_mut().filter(|kept| kept.bytes.len() as u64 <= limits::FETCH_BYTES) {
            kept.bytes.extend_from_slice(bytes);
        }
    }

    /// Nobody goes on with what was shared.
    #[inline(never)]
    pub(super) fn keep_feeds(&mut self) {
        for (_, feed) in &mut self.feeds {
            (feed.shared, feed.twice) = (false, None);
        }
        if self.phase != Phase::Up {
            self.feeds_lost();
        }
    }

    /// What was shared is this link's own; what came meanwhile, and not by the link before, is delivered now.
    #[inline(never)]
    pub(super) fn go_on_with_feeds(&mut self, now: Now, kept: Kept, out: &mut Outbox) {
        for joined in kept.sids {
            let feed = self.feed_of(joined).and_then(|(id, _)| self.feeds.get_mut(id.0 as usize));
            if feed.as_ref().is_none_or(|feed| !feed.shared) {
                wire::push_unsub(out.main(), joined);
            }
            let Some(feed) = feed else { continue };
            if !std::mem::take(&mut feed.shared) {
                feed.pulls.given_up();
                self.ears.ping(out, Ping::Settled(joined));
            }
            feed.twice = feed.twice.map(|twice| Twice { moved: true, ..twice });
        }
        let mut deframer = Deframer::default();
        let mut at = 0;
        while let Ok(Some((Home::Chunk(start), Frame::Msg(msg), len))) = deframer.next(&kept.bytes, &mut at) {
            let bytes = kept.bytes.get(start..start.saturating_add(len)).unwrap_or_default();
            self.delivered(now, &msg, bytes, Source::Own, start, out);
        }
        self.before = kept.bytes;
    }
}
