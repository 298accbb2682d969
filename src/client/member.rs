//! One consumer of a group: what it asks for, what it holds, and how that is handed over or given back.
//!
//! Knows no other consumer, no broker and no promise.

use super::consumer::{FetchSpec, Prefetch, Scope, Spec};
use super::context::Context;
use super::turn::{ConsumerId, MsgId, OpId, Row};
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::time::{Millis, Time, earliest};
use crate::link::session::{Ask, FeedId, Verdict, Wait};
use crate::policy::redelivery;
use crate::policy::{credit, partition};
use std::collections::VecDeque;

/// One fetch that has not ended.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) op: OpId,
    pub(super) spec: FetchSpec,
    /// Set when it becomes the first in line.
    pub(super) until: Option<Time>,
}

/// One partition as this consumer reads it.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) id: FeedId,
    pub(super) partition: u32,
    /// Messages of it that are held.
    pub(super) held: u32,
    /// Its ask for the present fetch has ended.
    pub(super) over: bool,
    /// Highest sequence acked.
    pub(super) acked: u64,
    /// Its last ask brought messages that did not fit: that it has ended does not mean that nothing is left.
    pub(super) passed: bool,
}

/// A message that has come and has not been handed over.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) id: MsgId,
    pub(super) feed: usize,
    pub(super) bytes: u64,
    /// Empty with autoAck.
    pub(super) token: Vec<u8>,
    /// When it has to be kept alive or given back.
    pub(super) beat: Time,
    /// When its ack time is over.
    pub(super) deadline: Time,
    /// The application's predicate has let it pass, or there is none.
    pub(super) judged: bool,
    pub(super) sequence: u64,
}

/// The sequence of a dead letter that the broker sends again to its group (Memphis): a live message, which came unasked, has
/// no place in a partition and no ack time, and can only be acknowledged. It belongs to the first feed.
pub(super) const RESENT: u64 = 0;

impl Held {
    pub(super) fn is_resent(&self) -> bool {
        self.sequence == RESENT
    }
}

/// What is going on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Nothing, or fetches.
    Idle,
    /// An iterator or a stream takes one at a time; `waiting` for the next.
    Iterating { waiting: bool },
    /// A handler takes batches; `idle_until` is when it is told that nothing came.
    Handling { busy: bool, idle_until: Time },
}

/// How a consumer stands.
#[derive(Debug)]
pub(super) enum Stage {
    Opening,
    Open,
    Ended(Error),
}

/// One consumer.
#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) spec: Spec,
    pub(super) stage: Stage,
    pub(super) broker_buries: bool,
    /// What comes from before this sequence is passed over.
    pub(super) first: u64,
    pub(super) broker_drops: bool,
    pub(super) feeds: Vec<Feed>,
    pub(super) mode: Mode,
    pub(super) scope: Scope,
    pub(super) prefetch: Prefetch,
    pub(super) held: VecDeque<Held>,
    pub(super) held_bytes: u64,
    pub(super) last_id: u32,
    pub(super) fetches: VecDeque<Fetch>,
    pub(super) opened: Vec<OpId>,
    /// Stopped: what still arrives is given back at once.
    pub(super) stopped: bool,
    /// The application took nothing for long: nothing is asked for until it takes again.
    pub(super) dormant: bool,
    pub(super) taken: Time,
    /// When asks of a finished fetch are taken back.
    pub(super) linger: Option<Time>,
    /// No later than the next moment something held is due.
    pub(super) beat: Option<Time>,
    /// Messages given back unseen when it was stopped.
    pub(super) given_back: u64,
}

impl Consumer {
    pub(super) fn in_scope(scope: Scope, numbers: &[u32]) -> Option<u32> {
        match scope {
            Scope::All => None,
            Scope::Number(number) => Some(number),
            Scope::Hash(hash) => partition::choose(partition::Choice::Hash(hash), numbers, &mut 0)
                .and_then(|index| numbers.get(index).copied()),
        }
    }

    /// The partition that is meant, if only one is.
    pub(super) fn single(&self, scope: Scope) -> Option<u32> {
        if scope == Scope::All {
            return None;
        }
        let numbers: Vec<_> = self.feeds.iter().map(|feed| feed.partition).collect();
        Consumer::in_scope(scope, &numbers)
    }

    /// Refuse a partition that the station does not have. For a consumer that is open.
    pub(super) fn check_scope(&self, scope: Scope) -> Result<(), Error> {
        match self.single(scope) {
            Some(only) if !self.feeds.iter().any(|feed| feed.partition == only) => {
                Err(Error::argument("the station has no such partition")
                    .hint("Partitions are numbered from 1; station.partitions lists them."))
            }
            _ => Ok(()),
        }
    }

    /// Take out what is given back when it stops, or, when it `ends`, everything. Dead letters that were sent again stay for the
    /// next start: nobody would send them once more.
    pub(super) fn take_held(&mut self, ends: bool) -> VecDeque<Held> {
        let all = std::mem::take(&mut self.held).into_iter();
        let (kept, taken): (VecDeque<_>, _) = all.partition(|held| held.is_resent() && !ends);
        self.feeds.iter_mut().for_each(|feed| feed.held = 0);
        self.held_bytes = 0;
        for held in &kept {
            self.held_bytes = self.held_bytes.saturating_add(held.bytes);
            if let Some(feed) = self.feeds.get_mut(held.feed) {
                feed.held = feed.held.saturating_add(1);
            }
        }
        self.held = kept;
        self.beat = None;
        taken
    }

    /// There is no room for what was not asked for. The broker keeps it until it is acknowledged.
    pub(super) fn is_full(&self) -> bool {
        self.held.iter().filter(|held| held.is_resent()).count() >= limits::RESENT
            || self.held_bytes >= limits::FETCH_BYTES
    }

    /// Where the feed of a partition stands; what has no partition belongs to the first.
    pub(super) fn feed_of(&self, partition: u32) -> Option<usize> {
        match partition {
            0 => (!self.feeds.is_empty()).then_some(0),
            number => self.feeds.iter().position(|feed| feed.partition == number),
        }
    }

    /// Whether a held message is meant by a fetch of this partition, or of all.
    fn fits(&self, held: &Held, only: Option<u32>) -> bool {
        let meant = |feed: &Feed| only.is_none_or(|only| feed.partition == only);
        held.is_resent() || self.feeds.get(held.feed).is_some_and(meant)
    }

    /// The next message may be handed over.
    pub(super) fn has_ready(&self) -> bool {
        self.held.front().is_some_and(|held| held.judged)
    }

    /// Take one held message out, counted from the front.
    pub(super) fn hand_over(
        &mut self,
        at: usize,
        spare: &mut Vec<Vec<u8>>,
        received: &mut (u64, u64),
    ) -> Option<MsgId> {
        let held = self.held.remove(at)?;
        self.held_bytes = self.held_bytes.saturating_sub(held.bytes);
        if let Some(feed) = self.feeds.get_mut(held.feed) {
            feed.held = feed.held.saturating_sub(1);
        }
        *received = (received.0.saturating_add(1), received.1.saturating_add(held.bytes));
        recycle(spare, held.token);
        Some(held.id)
    }

    /// A held message whose ack time is over is never handed over.
    pub(super) fn expire(&mut self, ctx: &mut Context<'_>, id: ConsumerId, spare: &mut Vec<Vec<u8>>) {
        if self.spec.group.auto_ack {
            return;
        }
        let now = ctx.now.mono;
        let mut at = 0;
        while let Some(held) = self.held.get(at) {
            if held.is_resent() {
                at = at.saturating_add(1);
            } else if held.deadline > now {
                break;
            } else if let Some(msg) = self.hand_over(at, spare, &mut (0, 0)) {
                ctx.turn.rows.push(Row::Dropped { consumer: id, id: msg });
            }
        }
    }

    pub(super) fn wants_refill(&self) -> bool {
        self.held.len() as u32 <= self.prefetch.messages >> 1
    }

    /// Ask for what there is room for.
    pub(super) fn refill(&mut self, ctx: &mut Context<'_>) {
        if !ctx.up || self.dormant || self.mode == Mode::Idle {
            return;
        }
        let only = self.single(self.scope);
        let count = if only.is_some() { 1 } else { self.feeds.len() as u32 };
        let share = credit::share(self.prefetch.messages, count);
        let room = self.prefetch.bytes.saturating_sub(self.held_bytes) / u64::from(count.max(1));
        if room == 0 {
            return;
        }
        for feed in self.feeds.iter().filter(|feed| only.is_none_or(|only| feed.partition == only)) {
            if let Some(messages) = credit::refill(share, feed.held, ctx.session.asked(feed.id)) {
                ctx.session.ask(ctx.now, ctx.out, feed.id, Ask { messages, bytes: room, wait: Wait::Standing });
            }
        }
    }

    pub(super) fn withdraw(&mut self, ctx: &mut Context<'_>) {
        for feed in &mut self.feeds {
            feed.over = false;
            ctx.session.withdraw(ctx.now, ctx.out, feed.id);
        }
    }

    /// End fetches that are done; begin and continue the first in line.
    pub(super) fn serve_fetches(
        &mut self,
        ctx: &mut Context<'_>,
        id: ConsumerId,
        spare: &mut Vec<Vec<u8>>,
        received: &mut (u64, u64),
    ) {
        self.expire(ctx, id, spare);
        while let Some(fetch) = self.fetches.front() {
            let (op, spec) = (fetch.op, fetch.spec);
            let only = self.single(spec.scope);
            if let Err(error) = self.check_scope(spec.scope) {
                self.fetches.pop_front();
                ctx.turn.end(op, Err(error));
                continue;
            }
            let begins = fetch.until.is_none();
            let until = fetch.until.unwrap_or(ctx.now.mono + spec.wait);
            if let Some(fetch) = self.fetches.front_mut() {
                fetch.until = Some(until);
            }
            let mut bytes = 0u64;
            let mut there = 0u32;
            let mut unjudged = 0u32;
            for held in &self.held {
                let fits = self.fits(held, only);
                if fits && !held.judged {
                    unjudged = unjudged.saturating_add(1);
                } else if fits && there < spec.messages && bytes < limits::FETCH_BYTES {
                    there = there.saturating_add(1);
                    bytes = bytes.saturating_add(held.bytes);
                }
            }
            let full = there >= spec.messages || bytes >= limits::FETCH_BYTES;
            if !full {
                if begins {
                    self.feeds.iter_mut().for_each(|feed| feed.over = false);
                }
                let late = ctx.now.mono >= until + limits::FETCH_GRACE;
                let missing = spec.messages.saturating_sub(there).saturating_sub(unjudged);
                let over = missing > 0 && self.ask_for(ctx, spec, until, missing, begins);
                if !late && (unjudged > 0 || !over) {
                    if begins && spec.ahead && !spec.no_wait && ctx.up {
                        self.ask_ahead(ctx, spec);
                    }
                    return;
                }
            }
            self.fetches.pop_front();
            let mut ids = Vec::with_capacity(there as usize);
            let mut at = 0;
            while (ids.len() as u32) < there && at < self.held.len() {
                let fits = self.held.get(at).is_some_and(|held| held.judged && self.fits(held, only));
                match fits {
                    true => ids.extend(self.hand_over(at, spare, received)),
                    false => at = at.saturating_add(1),
                }
            }
            self.taken = ctx.now.mono;
            ctx.turn.rows.push(Row::Fetched { op, consumer: id, ids });
            self.linger = self.fetches.is_empty().then(|| ctx.now.mono + limits::LINGER);
            if spec.ahead && ctx.up {
                self.linger = None;
                self.ask_ahead(ctx, spec);
            }
        }
    }

    /// Ask for the next batch already, so that one is on its way while the application has the other.
    pub(super) fn ask_ahead(&mut self, ctx: &mut Context<'_>, spec: FetchSpec) {
        let wait = Wait::For(spec.wait.max(Millis(1)));
        let only = self.single(spec.scope);
        let waiting = if self.fetches.is_empty() { 1 } else { 2 };
        let want = spec.messages.saturating_mul(waiting);
        for feed in self.feeds.iter().filter(|feed| only.is_none_or(|only| feed.partition == only)) {
            let there = ctx.session.asked(feed.id).saturating_add(feed.held);
            let missing = want.saturating_sub(there);
            if missing >= spec.messages {
                ctx.session.ask(
                    ctx.now,
                    ctx.out,
                    feed.id,
                    Ask { messages: spec.messages, bytes: limits::FETCH_BYTES, wait },
                );
            }
        }
    }

    /// Ask every partition that is meant for what is missing. True if nothing more will come.
    pub(super) fn ask_for(
        &mut self,
        ctx: &mut Context<'_>,
        spec: FetchSpec,
        until: Time,
        missing: u32,
        begins: bool,
    ) -> bool {
        if !ctx.up {
            return ctx.now.mono >= until;
        }
        let only = self.single(spec.scope);
        let left = until.since(ctx.now.mono);
        let mut ended = true;
        for feed in self.feeds.iter_mut().filter(|feed| only.is_none_or(|only| feed.partition == only)) {
            let asked = ctx.session.asked(feed.id);
            let last = if spec.no_wait { !feed.passed } else { left.0 < 20 };
            if feed.over && last {
                continue;
            }
            ended = false;
            if asked < missing && (begins || feed.over || asked == 0) {
                feed.over = false;
                feed.passed = false;
                let wait = if spec.no_wait { Wait::No } else { Wait::For(left.max(Millis(1))) };
                ctx.session.ask(
                    ctx.now,
                    ctx.out,
                    feed.id,
                    Ask { messages: missing.saturating_sub(asked), bytes: limits::FETCH_BYTES, wait },
                );
            }
        }
        ended
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        // Before it is open nothing can be done about anything that is due.
        if !matches!(self.stage, Stage::Open) {
            return None;
        }
        let fetch = self.fetches.front().and_then(|fetch| fetch.until).map(|until| until + limits::FETCH_GRACE);
        let idle = match self.mode {
            Mode::Handling { busy: false, idle_until } => Some(idle_until),
            _ => None,
        };
        earliest(earliest(fetch, idle), earliest(self.linger, self.beat))
    }

    pub(super) fn tick(&mut self, ctx: &mut Context<'_>, id: ConsumerId, spare: &mut Vec<Vec<u8>>) {
        let now = ctx.now.mono;
        if self.linger.is_some_and(|at| at <= now) {
            self.linger = None;
            if self.mode == Mode::Idle && self.fetches.is_empty() {
                self.withdraw(ctx);
            }
        }
        if self.beat.is_some_and(|at| at <= now) {
            self.keep_alive(ctx, id, spare);
        }
    }

    /// Held messages at half of their ack time: kept alive while the application takes some, given back otherwise.
    pub(super) fn keep_alive(&mut self, ctx: &mut Context<'_>, id: ConsumerId, spare: &mut Vec<Vec<u8>>) {
        let now = ctx.now.mono;
        self.expire(ctx, id, spare);
        if self.held.is_empty() {
            self.beat = None;
            return;
        }
        let ack_time = self.spec.group.ack_time;
        let running = self.mode != Mode::Idle;
        // Whoever waits for a message takes it as soon as it is there.
        let waits = matches!(self.mode, Mode::Iterating { waiting: true } | Mode::Handling { busy: false, .. });
        let takes = waits || now.since(self.taken) < ack_time;
        let keeps = running && takes || !ctx.up;
        // A fetch that collects has asked for what fits it, and takes it when its wait is over.
        let fetch = self.fetches.front().map(|fetch| self.single(fetch.spec.scope));
        let awaited = |feed: Option<&Feed>| {
            fetch.is_some_and(|only| feed.is_some_and(|feed| only.is_none_or(|only| feed.partition == only)))
        };
        if keeps || fetch.is_some() {
            for held in self.held.iter_mut().filter(|held| held.beat <= now && !held.is_resent()) {
                if !keeps && !awaited(self.feeds.get(held.feed)) {
                    continue;
                }
                if let (true, Some(feed)) = (ctx.up, self.feeds.get(held.feed)) {
                    ctx.session.settle(ctx.now, ctx.out, feed.id, &held.token, &Verdict::Extend(None), None);
                    held.deadline = now + ack_time;
                }
                held.beat = now + redelivery::keep_alive_after(ack_time);
            }
        }
        if !keeps {
            self.dormant = running;
            if running {
                // Before anything is given back, or an open ask would bring it again at once.
                self.withdraw(ctx);
            }
            let due = |held: &Held| !held.is_resent() && (running || held.beat <= now);
            let mut kept = VecDeque::new();
            for held in std::mem::take(&mut self.held) {
                if !due(&held) {
                    kept.push_back(held);
                    continue;
                }
                if let Some(feed) = self.feeds.get_mut(held.feed) {
                    feed.held = feed.held.saturating_sub(1);
                    ctx.session.settle(ctx.now, ctx.out, feed.id, &held.token, &Verdict::Nack, None);
                }
                self.held_bytes = self.held_bytes.saturating_sub(held.bytes);
                ctx.turn.rows.push(Row::Dropped { consumer: id, id: held.id });
                recycle(spare, held.token);
            }
            self.held = kept;
            ctx.out.release_acks();
        }
        self.beat = self.held.iter().filter(|held| !held.is_resent()).map(|held| held.beat).min();
    }
}

/// A dead letter that was sent again cannot be given back, and does not die twice.
#[inline(never)]
pub(super) fn only_acked() -> Error {
    Error::new(Kind::NotSupported, "a dead letter that was sent again can only be acknowledged")
        .hint("Without ack() it stays among the dead letters, and can be sent again from there.")
}

/// Keep a buffer for the next message.
pub(super) fn recycle(spare: &mut Vec<Vec<u8>>, mut token: Vec<u8>) {
    if token.capacity() > 0 && spare.len() < 4096 {
        token.clear();
        spare.push(token);
    }
}
