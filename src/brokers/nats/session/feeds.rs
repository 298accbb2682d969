//! What feeds bring and ask: messages, the state of their pulls, their subscriptions.
//!
//! A pull's answers come to a subscription of its feed; one that was given up loses it, so that the server serves it no
//! more.

use super::super::feed::{Effect, Pull};
use super::super::token;
use super::super::wire::{self, Msg};
use super::pings::Ping;
use super::{Check, EPOCH_BITS, EPOCH_MASK, Feed, NatsSession, Phase, gone};
use crate::base::bytes::{parse_decimal, push_decimal};
use crate::base::error::{Error, Kind};
use crate::base::id::{parse_base36, push_base36};
use crate::base::time::{Now, Time, Wall, earliest};
use crate::link::outbox::Outbox;
use crate::link::session::{Arrival, FeedId, Output, Source, Span};

/// An inbox that nobody listens to.
const NOBODY: &[u8] = b"_INBOX.none";

impl NatsSession {
    /// A message that came to a feed's subscription.
    #[inline(never)]
    pub(super) fn delivered(
        &mut self,
        now: Now,
        msg: &Msg,
        bytes: &[u8],
        source: Source,
        start: usize,
        out: &mut Outbox,
    ) {
        let part = |range: &std::ops::Range<usize>| bytes.get(range.clone()).unwrap_or_default();
        let Some((feed_id, present)) = self.feed_of(msg.sid) else {
            // A message for a feed that is closed: give it back at once, so that another member gets it.
            if token::parse(part(&msg.reply)).is_some() {
                wire::push_pub(out.acks(now.mono), &[part(&msg.reply)], &[], b"-NAK", 0);
            }
            return;
        };
        if let Some(token) = token::parse(part(&msg.reply)) {
            if let Some(feed) = self.feeds.get_mut(feed_id.0 as usize) {
                if feed.has_come(msg.sid, token.order) {
                    return;
                }
                let effect = if present { feed.pulls.message(now.mono) } else { feed.pulls.stray() };
                let span = |range: &std::ops::Range<usize>| Span {
                    at: u32::try_from(start.saturating_add(range.start)).unwrap_or(u32::MAX),
                    len: u32::try_from(range.len()).unwrap_or(u32::MAX),
                };
                self.outputs.push_back(Output::Arrived(Arrival {
                    feed: feed_id,
                    source,
                    frame: span(&(0..bytes.len())),
                    head: span(&msg.head),
                    data: span(&msg.data),
                    token: span(&msg.reply),
                    sequence: token.sequence,
                    stamp: Wall(token.stamp),
                    deliveries: token.deliveries,
                }));
                self.effect(feed_id, effect, out);
            }
            return;
        }
        if !present {
            return;
        }
        let head = part(&msg.head);
        let code = wire::status(head);
        let pull = part(&msg.subject).rsplit(|byte| *byte == b'.').next().and_then(parse_base36);
        if let (Some(feed), Some(pull)) = (self.feeds.get_mut(feed_id.0 as usize), pull) {
            let pending = wire::field(head, "Nats-Pending-Messages").and_then(parse_decimal);
            let pending = pending.and_then(|pending| u32::try_from(pending).ok());
            let jitter = self.jitter.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            self.jitter = jitter;
            let pull = u32::try_from(pull).unwrap_or(0);
            let effect = feed.pulls.status(now.mono, pull, code, wire::status_text(head), pending, jitter >> 8);
            self.effect(feed_id, effect, out);
        }
    }

    /// The feed behind a subscription, if it is not closed, and whether the subscription is its present one.
    pub(super) fn feed_of(&self, sid: u32) -> Option<(FeedId, bool)> {
        let number = sid >> 1;
        let index = number >> EPOCH_BITS;
        let feed = self.feeds.get(index as usize)?;
        let age = |epoch: u32| epoch.wrapping_sub(feed.first_epoch) & EPOCH_MASK;
        (age(number) <= age(feed.epoch)).then_some((FeedId(index), age(number) == age(feed.epoch)))
    }

    pub(super) fn effect(&mut self, id: FeedId, effect: Effect, out: &mut Outbox) {
        match effect {
            Effect::Nothing => {}
            Effect::Room => self.outputs.push_back(Output::Room(id)),
            Effect::Over => self.ask_over(id),
            Effect::Unanswered => {
                self.ask_over(id);
                self.check_feed(id, out);
            }
            Effect::Check => self.check_feed(id, out),
            Effect::Refused(why) => {
                let station = self.feeds.get(id.0 as usize).map(|feed| feed.station.clone()).unwrap_or_default();
                let error = Error::new(Kind::Rejected, why)
                    .at(&station)
                    .hint("Choose another group, or make a consumer that this client can read.");
                self.outputs.push_back(Output::FeedLost(id, error));
            }
        }
        self.renew(id, out);
    }

    fn ask_over(&mut self, id: FeedId) {
        self.outputs.push_back(Output::AskOver(id));
        self.outputs.push_back(Output::Room(id));
    }

    fn check_feed(&mut self, id: FeedId, out: &mut Outbox) {
        let Some(feed) = self.feeds.get(id.0 as usize) else { return };
        let subject = feed.leader(&self.prefix);
        self.check(out, &subject, Check::Feed(id));
    }

    /// The server said whether a feed's group is there: the code of its error, 0 for none.
    #[inline(never)]
    pub(super) fn feed_checked(&mut self, now: Now, id: FeedId, code: Option<u64>, out: &mut Outbox) {
        let Some(feed) = self.feeds.get_mut(id.0 as usize) else { return };
        match code {
            Some(0) => feed.pulls.checked(now.mono),
            Some(code @ (10014 | 10059)) => {
                let error = gone(&feed.station, code as u32);
                feed.pulls.withdraw();
                self.outputs.push_back(Output::FeedLost(id, error));
            }
            _ => feed.pulls.unchecked(now.mono),
        }
        self.renew(id, out);
    }

    /// Pulls that were given up lose their subscription, so that the server serves them no more.
    pub(super) fn renew(&mut self, id: FeedId, out: &mut Outbox) {
        if self.feeds.get_mut(id.0 as usize).is_some_and(|feed| feed.pulls.take_renew()) {
            self.unsubscribe(id, out);
        }
    }

    /// Without its subscription a pull gets nothing any more; the next pull makes a new one.
    #[inline(never)]
    pub(super) fn unsubscribe(&mut self, id: FeedId, out: &mut Outbox) {
        let epoch = self.next_epoch(id.0 as usize);
        let Some(feed) = self.feeds.get_mut(id.0 as usize).filter(|feed| feed.subscribed) else { return };
        (feed.subscribed, feed.shared) = (false, false);
        if self.phase == Phase::Up {
            let old = sid(id, feed.epoch);
            wire::push_unsub(out.main(), old);
            if self.silent {
                // Such a server (2.10.7) forgets pulls without a subscription only when it is asked about the group. Until
                // then a message that is given back is taken for such a pull, and lost for as long as its ack time.
                let subject =
                    [self.prefix.as_bytes(), b".CONSUMER.INFO.", feed.stream.as_bytes(), b".", feed.group.as_bytes()];
                wire::push_pub(out.main(), &subject, &[NOBODY], b"", 0);
            }
            // What is on its way still comes; the answer to this comes behind it.
            feed.pulls.given_up();
            self.ears.ping(out, Ping::Settled(old));
        }
        feed.epoch = epoch;
    }

    pub(super) fn push_pull(&mut self, out: &mut Outbox, id: FeedId, pull: Pull) {
        let Some(feed) = self.feeds.get_mut(id.0 as usize) else { return };
        let mut reply = ending(id, feed.epoch);
        let main = out.main();
        if !feed.subscribed {
            // The subscription goes out before the first pull: its message may come with the answer.
            feed.subscribed = true;
            feed.inbox.clone_from(&self.inbox);
            wire::push_sub(main, &[feed.inbox.as_bytes(), &reply, b"*"], sid(id, feed.epoch));
        }
        push_base36(&mut reply, u64::from(pull.id));
        let mut body = Vec::with_capacity(80);
        body.extend_from_slice(b"{\"batch\":");
        push_decimal(&mut body, u64::from(pull.batch));
        let mut number = |key: &[u8], value: u64| {
            body.extend_from_slice(key);
            push_decimal(&mut body, value);
        };
        if pull.bytes > 0 {
            number(b",\"max_bytes\":", pull.bytes);
        }
        match pull.expires {
            Some(expires) => number(b",\"expires\":", expires.nanos()),
            None => body.extend_from_slice(b",\"no_wait\":true"),
        }
        if let Some(heartbeat) = pull.heartbeat {
            body.extend_from_slice(b",\"idle_heartbeat\":");
            push_decimal(&mut body, heartbeat.nanos());
        }
        body.push(b'}');
        let subject =
            [self.prefix.as_bytes(), b".CONSUMER.MSG.NEXT.", feed.stream.as_bytes(), b".", feed.group.as_bytes()];
        wire::push_pub(main, &subject, &[feed.inbox.as_bytes(), &reply], &body, 0);
    }

    /// When a feed wants [`NatsSession::tick`].
    #[inline(never)]
    pub(super) fn feeds_deadline(&self) -> Option<Time> {
        self.feeds.iter().fold(None, |at, (_, feed)| earliest(at, feed.pulls.deadline()))
    }

    /// The link was lost. What another one listens to goes on there.
    #[inline(never)]
    pub(super) fn feeds_lost(&mut self) {
        for (_, feed) in self.feeds.iter_mut().filter(|(_, feed)| !feed.shared) {
            feed.subscribed = false;
            feed.pulls.link_lost();
        }
    }

    #[inline(never)]
    pub(super) fn tick(&mut self, now: Now, out: &mut Outbox) {
        let due: Vec<_> = self
            .feeds
            .iter()
            .filter(|(_, feed)| feed.pulls.deadline().is_some_and(|at| at <= now.mono))
            .map(|(index, _)| index)
            .collect();
        for index in due {
            let Some(feed) = self.feeds.get_mut(index) else { continue };
            let (pull, effect) = feed.pulls.tick(now.mono);
            let id = FeedId(index as u32);
            self.renew(id, out);
            if let Some(pull) = pull {
                self.push_pull(out, id, pull);
            }
            self.effect(id, effect, out);
        }
    }

    /// The server has forgotten a subscription: what waited for that is asked for now.
    #[inline(never)]
    pub(super) fn feed_settled(&mut self, now: Now, sid: u32, out: &mut Outbox) {
        let Some((id, _)) = self.feed_of(sid) else { return };
        let pull = self.feeds.get_mut(id.0 as usize).and_then(|feed| feed.pulls.settled(now.mono));
        if let Some(pull) = pull {
            self.push_pull(out, id, pull);
        }
    }

    pub(super) fn next_epoch(&mut self, index: usize) -> u32 {
        self.epochs.get_mut(index).map_or(0, |epoch| {
            // Never 0: with feed 0 it would make the inbox's subscription.
            *epoch = epoch.wrapping_add(1);
            if *epoch & EPOCH_MASK == 0 {
                *epoch = epoch.wrapping_add(1);
            }
            *epoch
        })
    }
}

impl Feed {
    /// Where the node that leads its group is asked about it.
    pub(super) fn leader(&self, prefix: &str) -> String {
        format!("{prefix}.CONSUMER.INFO.{}.{}", self.stream, self.group)
    }

    /// Whether this delivery has come by another link; it has come now.
    fn has_come(&mut self, sid: u32, order: u64) -> bool {
        self.order = order;
        let Some(twice) = self.twice.as_mut().filter(|twice| twice.epoch & EPOCH_MASK == sid >> 1 & EPOCH_MASK) else {
            return false;
        };
        if order <= twice.order {
            return true;
        }
        twice.order = order;
        if twice.moved {
            self.twice = None;
        }
        false
    }
}

/// What follows the inbox in the subjects of a feed's pulls, but for the pull's own number.
pub(super) fn ending(feed: FeedId, epoch: u32) -> Vec<u8> {
    let mut ending = vec![b'.'];
    push_base36(&mut ending, u64::from(feed.0));
    ending.push(b'.');
    push_base36(&mut ending, u64::from(epoch));
    ending.push(b'.');
    ending
}

pub(super) fn sid(feed: FeedId, epoch: u32) -> u32 {
    (feed.0 << EPOCH_BITS | epoch & EPOCH_MASK) << 1 | 1
}
