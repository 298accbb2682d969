//! Consumers: what they ask for, what they hold, and to whom it is handed (semantics.md sections 3 and 4).
//!
//! A message that arrives is *held*; it is *handed over* when the application takes it, by a fetch, an iterator or a
//! handler. What is held is kept alive while the application takes something now and then, and given back otherwise.
//! Knows no broker and no promise.

use super::context::Context;
use super::dying::{Deaths, Dying};
use super::filter::{self, Filter};
use super::member::{Consumer, Feed, Fetch, Held, Mode, RESENT, Stage, only_acked, recycle};
use super::turn::{ConsumerId, Delivered, MsgId, OpId, Row};
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::time::{Millis, Time, earliest};
use crate::brokers::terms::{GroupFacts, GroupSpec};
use crate::link::session::{Arrival, FeedId, Source, Span, Verdict, WaitId};
use crate::link::waits::Waits;
use crate::policy::redelivery::{self, Arriving, Cause};
use std::collections::VecDeque;

/// What a consumer was made with.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The station.
    pub station: String,
    /// Its group.
    pub group: GroupSpec,
    /// Messages of a fetch or of a handler's call.
    pub batch: u32,
    /// How long a fetch waits.
    pub wait: Millis,
    /// Pause between empty calls of the handler, beyond `wait`.
    pub pull_interval: Millis,
    /// Which messages it wants, if not all.
    pub filter: Option<Filter>,
}

/// Which partitions are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    #[default]
    All,
    /// One by number.
    Number(u32),
    /// The one that a key's hash chooses.
    Hash(u32),
}

/// How far ahead of the application a running consumer holds messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefetch {
    /// Messages.
    pub messages: u32,
    /// Bytes.
    pub bytes: u64,
}

/// One fetch.
#[derive(Clone, Copy, Debug)]
pub struct FetchSpec {
    /// At most so many messages.
    pub messages: u32,
    /// How long to wait for them.
    pub wait: Millis,
    /// Only what is there now.
    pub no_wait: bool,
    /// Ask for the next batch already.
    pub ahead: bool,
    /// From where.
    pub scope: Scope,
}

/// A settle that waits for the link.
#[derive(Debug)]
struct Late {
    consumer: ConsumerId,
    partition: u32,
    token: Vec<u8>,
    verdict: Verdict,
    op: OpId,
    deadline: Time,
    confirm: bool,
}

/// What the application says about a message that was handed over.
#[derive(Clone, Debug)]
pub struct Settle<'a> {
    /// The partition's number.
    pub partition: u32,
    /// What the message's delivery is known by.
    pub token: &'a [u8],
    /// Its sequence.
    pub sequence: u64,
    /// How often it was delivered.
    pub deliveries: u32,
    /// What becomes of it.
    pub verdict: Verdict,
    /// Wait until the broker has recorded it.
    pub confirm: bool,
}

/// How far a settle got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It dies: [`Driver::give_up`](super::driver::Driver::give_up) records it, and needs the message itself.
    Dies,
    /// It is on its way, or nothing had to be done.
    Done,
    /// It waits for the link.
    Late,
    /// The broker was asked to confirm it.
    Asked,
}

/// What has to be done outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Todo {
    /// Record the death of a message.
    Bury(Box<Dying>),
    /// The group of a nameless consumer has expired: make it again.
    Regroup(ConsumerId),
}

/// All consumers of a connection.
#[derive(Debug, Default)]
pub struct Consumers {
    consumers: Vec<Option<Consumer>>,
    /// Whose a feed is.
    owners: Vec<Option<(ConsumerId, usize)>>,
    late: Vec<Late>,
    touched: Vec<ConsumerId>,
    spare: Vec<Vec<u8>>,
    /// To be done outside.
    pub todo: Vec<Todo>,
    /// Messages handed over and their bytes.
    pub received: (u64, u64),
    pub(super) deaths: Deaths,
}

impl Consumers {
    /// A consumer of a group. Fetches and starts wait until [`Consumers::opened`].
    pub fn add(&mut self, now: Time, spec: Spec) -> ConsumerId {
        let id = ConsumerId(self.consumers.len() as u32);
        let prefetch = Prefetch { messages: default_prefetch(spec.group.auto_ack), bytes: limits::FETCH_BYTES };
        self.consumers.push(Some(Consumer {
            spec,
            stage: Stage::Opening,
            broker_buries: false,
            first: 0,
            broker_drops: false,
            feeds: Vec::new(),
            mode: Mode::Idle,
            scope: Scope::All,
            prefetch,
            held: VecDeque::new(),
            held_bytes: 0,
            last_id: 0,
            fetches: VecDeque::new(),
            opened: Vec::new(),
            stopped: false,
            dormant: false,
            taken: now,
            linger: None,
            beat: None,
            given_back: 0,
        }));
        id
    }

    /// None was ever made: then the code of the others below may not be there, and must not be called.
    pub fn is_empty(&self) -> bool {
        self.consumers.is_empty()
    }

    pub(super) fn get(&mut self, id: ConsumerId) -> Option<&mut Consumer> {
        self.consumers.get_mut(id.0 as usize)?.as_mut()
    }

    /// A consumer that has not ended, or why it has.
    fn live(&mut self, id: ConsumerId) -> Result<&mut Consumer, Error> {
        match self.consumers.get_mut(id.0 as usize).and_then(Option::as_mut) {
            None => Err(closed()),
            Some(Consumer { stage: Stage::Ended(error), .. }) => Err(error.clone()),
            Some(consumer) => Ok(consumer),
        }
    }

    /// What it was made with.
    pub fn spec(&self, id: ConsumerId) -> Option<&Spec> {
        self.consumers.get(id.0 as usize)?.as_ref().map(|consumer| &consumer.spec)
    }

    /// Messages given back unseen, for the question whether anybody else is in the group.
    pub fn given_back(&self, id: ConsumerId) -> u64 {
        self.consumers.get(id.0 as usize).and_then(Option::as_ref).map_or(0, |consumer| consumer.given_back)
    }

    /// Whether another consumer of this connection is in the same group.
    pub fn has_other(&self, id: ConsumerId) -> bool {
        let Some(spec) = self.spec(id) else { return false };
        self.consumers.iter().enumerate().any(|(index, other)| {
            other.as_ref().is_some_and(|other| {
                index != id.0 as usize
                    && !matches!(other.stage, Stage::Ended(_))
                    && other.spec.station == spec.station
                    && other.spec.group.name == spec.group.name
            })
        })
    }

    /// Whether a consumer reads this station.
    pub fn uses(&self, station: &str) -> bool {
        let live = |consumer: &&Consumer| !matches!(consumer.stage, Stage::Ended(_));
        self.consumers.iter().flatten().filter(live).any(|consumer| consumer.spec.station == station)
    }

    /// Every consumer that has not ended.
    #[inline(never)]
    pub fn ids(&self) -> Vec<ConsumerId> {
        let live = |consumer: &Option<Consumer>| {
            consumer.as_ref().is_some_and(|consumer| !matches!(consumer.stage, Stage::Ended(_)))
        };
        self.consumers
            .iter()
            .enumerate()
            .filter(|(_, consumer)| live(consumer))
            .map(|(index, _)| ConsumerId(index as u32))
            .collect()
    }

    /// Tell `op` when the consumer works, or why it never will.
    pub fn when_open(&mut self, ctx: &mut Context<'_>, id: ConsumerId, op: OpId) {
        match self.live(id) {
            Err(error) => ctx.turn.end(op, Err(error)),
            Ok(consumer) if matches!(consumer.stage, Stage::Opening) => consumer.opened.push(op),
            Ok(_) => ctx.turn.end(op, Ok(())),
        }
    }

    /// Its group is there.
    pub fn opened(&mut self, ctx: &mut Context<'_>, id: ConsumerId, facts: GroupFacts) {
        let Ok(consumer) = self.live(id) else { return };
        consumer.stage = Stage::Open;
        consumer.first = facts.first;
        (consumer.broker_buries, consumer.broker_drops) = (facts.broker_buries, facts.broker_drops);
        consumer.spec.group.ack_time = facts.ack_time;
        consumer.spec.group.max_deliveries = facts.max_deliveries;
        let mut feeds = Vec::new();
        for spec in &facts.feeds {
            let id = ctx.session.open_feed(ctx.now, ctx.out, spec);
            feeds.push(Feed { id, partition: spec.place.partition, held: 0, over: false, acked: 0, passed: false });
        }
        let owners: Vec<_> = feeds.iter().map(|feed| feed.id).collect();
        consumer.feeds = feeds;
        // It may have been started for a partition before anybody could know which there are.
        let outcome = if consumer.mode == Mode::Idle { Ok(()) } else { consumer.check_scope(consumer.scope) };
        if outcome.is_err() {
            consumer.mode = Mode::Idle;
        }
        for op in std::mem::take(&mut consumer.opened) {
            ctx.turn.end(op, outcome.clone());
        }
        for (index, feed) in owners.into_iter().enumerate() {
            if self.owners.len() <= feed.0 as usize {
                self.owners.resize(feed.0 as usize + 1, None);
            }
            if let Some(owner) = self.owners.get_mut(feed.0 as usize) {
                *owner = Some((id, index));
            }
        }
        self.serve(ctx, id);
    }

    /// It has ended, by itself (`told`) or because somebody ended it.
    pub fn end(&mut self, ctx: &mut Context<'_>, id: ConsumerId, error: &Error, told: bool) {
        self.release(ctx, id, true);
        let Ok(consumer) = self.live(id) else { return };
        consumer.stage = Stage::Ended(error.clone());
        consumer.mode = Mode::Idle;
        let fetches = std::mem::take(&mut consumer.fetches);
        let opened = std::mem::take(&mut consumer.opened);
        let feeds = std::mem::take(&mut consumer.feeds);
        for op in opened.into_iter().chain(fetches.into_iter().map(|fetch| fetch.op)) {
            ctx.turn.end(op, Err(error.clone()));
        }
        for feed in feeds {
            ctx.session.close_feed(ctx.now, ctx.out, feed.id);
            if let Some(owner) = self.owners.get_mut(feed.id.0 as usize) {
                *owner = None;
            }
        }
        if told {
            ctx.turn.rows.push(Row::ConsumerEnded { consumer: id, error: error.clone() });
        }
    }

    /// Give back what is held. With autoAck it stays, unless the consumer ends.
    fn release(&mut self, ctx: &mut Context<'_>, id: ConsumerId, ends: bool) {
        let Some(consumer) = self.consumers.get_mut(id.0 as usize).and_then(Option::as_mut) else { return };
        if consumer.spec.group.auto_ack && !ends {
            return;
        }
        for held in consumer.take_held(ends) {
            let Some(feed) = consumer.feeds.get(held.feed) else { continue };
            if !consumer.spec.group.auto_ack && !held.is_resent() && ctx.up {
                ctx.session.settle(ctx.now, ctx.out, feed.id, &held.token, &Verdict::Nack, None);
                consumer.given_back = consumer.given_back.saturating_add(1);
            }
            ctx.turn.rows.push(Row::Dropped { consumer: id, id: held.id });
            recycle(&mut self.spare, held.token);
        }
        ctx.out.release_acks();
    }

    /// A message came.
    pub fn arrived(&mut self, ctx: &mut Context<'_>, arrival: &Arrival, bytes: &[u8], source: Source) {
        let Some((id, index)) = self.owners.get(arrival.feed.0 as usize).copied().flatten() else { return };
        let slice = |span: Span| {
            bytes.get(span.at as usize..(span.at as usize).saturating_add(span.len as usize)).unwrap_or_default()
        };
        let Some(consumer) = self.consumers.get_mut(id.0 as usize).and_then(Option::as_mut) else { return };
        let auto = consumer.spec.group.auto_ack;
        let most = consumer.spec.group.max_deliveries;
        if arrival.sequence < consumer.first && arrival.sequence != RESENT {
            return self.pass_over(ctx, id, index, arrival.feed, slice(arrival.token), arrival.sequence);
        }
        if let Some(filter) = &consumer.spec.filter
            && !filter.passes(ctx.session.header(slice(arrival.head), filter::HEADER))
        {
            return self.pass_over(ctx, id, index, arrival.feed, slice(arrival.token), arrival.sequence);
        }
        if !auto {
            let token = slice(arrival.token);
            if !consumer.broker_buries && redelivery::arriving(arrival.deliveries, most) == Arriving::Bury {
                let Some(feed) = consumer.feeds.get(index) else { return };
                let dying = Dying {
                    consumer: id,
                    partition: feed.partition,
                    sequence: arrival.sequence,
                    deliveries: arrival.deliveries,
                    cause: Cause::Deliveries,
                    token: token.to_vec(),
                    head: slice(arrival.head).to_vec(),
                    data: slice(arrival.data).to_vec(),
                };
                self.deaths.add(dying, &mut self.todo);
                // It was asked for and is not held: there may be room for more.
                self.touched.push(id);
                return;
            }
            if (consumer.stopped || consumer.dormant) && arrival.sequence != RESENT {
                ctx.session.settle(ctx.now, ctx.out, arrival.feed, token, &Verdict::Nack, None);
                consumer.given_back = consumer.given_back.saturating_add(1);
                return;
            }
        }
        let resent = arrival.sequence == RESENT;
        if resent && consumer.is_full() {
            return;
        }
        consumer.last_id = consumer.last_id.wrapping_add(1);
        let msg = MsgId(consumer.last_id);
        let mut token = self.spare.pop().unwrap_or_default();
        if !auto {
            token.extend_from_slice(slice(arrival.token));
        }
        let ack_time = consumer.spec.group.ack_time;
        let beat = ctx.now.mono + redelivery::keep_alive_after(ack_time);
        let size = u64::from(arrival.frame.len);
        let judged = !consumer.spec.filter.as_ref().is_some_and(|filter| filter.judged);
        consumer.held.push_back(Held {
            id: msg,
            judged,
            sequence: arrival.sequence,
            feed: index,
            bytes: size,
            token,
            beat,
            deadline: ctx.now.mono + ack_time,
        });
        consumer.held_bytes = consumer.held_bytes.saturating_add(size);
        if !auto && !resent {
            consumer.beat = earliest(consumer.beat, Some(beat));
        }
        let Some(feed) = consumer.feeds.get_mut(index) else { return };
        feed.held = feed.held.saturating_add(1);
        // Bytes outside the chunk go into the turn's own pack; ranges move with the frame.
        let (base, from) = match source {
            Source::Chunk => (0, 0),
            Source::Own => {
                let base = ctx.turn.pack.len() as u32;
                ctx.turn.pack.extend_from_slice(slice(arrival.frame));
                (base, arrival.frame.at)
            }
        };
        let moved = |span: Span| Span { at: span.at.saturating_sub(from).saturating_add(base), len: span.len };
        ctx.turn.rows.push(Row::Message(Delivered {
            consumer: id,
            id: msg,
            source,
            head: moved(arrival.head),
            data: moved(arrival.data),
            token: moved(arrival.token),
            partition: if resent { 0 } else { feed.partition },
            sequence: arrival.sequence,
            stamp: arrival.stamp,
            deliveries: arrival.deliveries,
        }));
        if self.touched.last() != Some(&id) {
            self.touched.push(id);
        }
    }

    /// Something of a consumer has changed: it is served at the end of the turn.
    pub(super) fn touch(&mut self, id: ConsumerId) {
        if self.touched.last() != Some(&id) {
            self.touched.push(id);
        }
    }

    /// All messages of an input have come: hand over what somebody waits for.
    #[inline(never)]
    pub fn settle_turn(&mut self, ctx: &mut Context<'_>) {
        while let Some(id) = self.touched.pop() {
            self.serve(ctx, id);
        }
    }

    /// A feed has been asked for less than before.
    pub fn room(&mut self, feed: FeedId) {
        if let Some((id, _)) = self.owners.get(feed.0 as usize).copied().flatten() {
            self.touched.push(id);
        }
    }

    /// An ask with an end has ended.
    pub fn ask_over(&mut self, feed: FeedId) {
        let Some((id, index)) = self.owners.get(feed.0 as usize).copied().flatten() else { return };
        if let Some(feed) = self.get(id).and_then(|consumer| consumer.feeds.get_mut(index)) {
            feed.over = true;
        }
        self.touched.push(id);
    }

    /// A feed brings nothing any more.
    pub fn feed_lost(&mut self, ctx: &mut Context<'_>, feed: FeedId, error: &Error) {
        let Some((id, _)) = self.owners.get(feed.0 as usize).copied().flatten() else { return };
        let Some(consumer) = self.get(id) else { return };
        let expired = error.server == Some(crate::base::error::ServerCode::Number(10014));
        if consumer.spec.group.nameless && expired {
            // The page slept longer than the broker keeps a nameless group: it is made again after what was acked last.
            consumer.stage = Stage::Opening;
            consumer.spec.group.again = true;
            consumer.spec.group.resume = consumer
                .feeds
                .iter()
                .filter(|feed| feed.acked > 0)
                .map(|feed| (feed.partition, feed.acked.saturating_add(1)))
                .collect();
            for held in std::mem::take(&mut consumer.held) {
                ctx.turn.rows.push(Row::Dropped { consumer: id, id: held.id });
            }
            consumer.held_bytes = 0;
            consumer.beat = None;
            for feed in std::mem::take(&mut consumer.feeds) {
                ctx.session.close_feed(ctx.now, ctx.out, feed.id);
                if let Some(owner) = self.owners.get_mut(feed.id.0 as usize) {
                    *owner = None;
                }
            }
            self.todo.push(Todo::Regroup(id));
            return;
        }
        self.end(ctx, id, error, true);
    }

    /// A station was destroyed here: its consumers end.
    #[inline(never)]
    pub fn station_gone(&mut self, ctx: &mut Context<'_>, station: &str, error: &Error) {
        for id in self.ids() {
            if self.spec(id).is_some_and(|spec| spec.station == station) {
                self.end(ctx, id, error, true);
            }
        }
    }

    /// Everything is over at once.
    #[inline(never)]
    pub fn end_all(&mut self, ctx: &mut Context<'_>, error: &Error, told: bool) {
        for id in self.ids() {
            self.end(ctx, id, error, told);
        }
        for late in std::mem::take(&mut self.late) {
            ctx.turn.end(late.op, Err(error.clone()));
        }
    }

    /// One fetch more; they queue up.
    pub fn fetch(&mut self, ctx: &mut Context<'_>, id: ConsumerId, op: OpId, spec: FetchSpec) -> Result<(), Error> {
        let consumer = self.live(id)?;
        if consumer.mode != Mode::Idle {
            return Err(busy("fetch"));
        }
        consumer.stopped = false;
        consumer.dormant = false;
        consumer.taken = ctx.now.mono;
        consumer.fetches.push_back(Fetch { op, spec, until: None });
        self.serve(ctx, id);
        Ok(())
    }

    /// The application withdraws a fetch. What arrives for it goes to the next one, or is given back.
    pub fn abort(&mut self, ctx: &mut Context<'_>, id: ConsumerId, op: OpId) {
        let Some(consumer) = self.get(id) else { return };
        if let Some(at) = consumer.fetches.iter().position(|fetch| fetch.op == op) {
            consumer.fetches.remove(at);
            consumer.linger = Some(ctx.now.mono + limits::LINGER);
            ctx.turn.end(op, Err(Error::new(Kind::Aborted, "the signal was aborted")));
            self.serve(ctx, id);
        }
    }

    /// Start handing messages over: to a handler, or to an iterator or stream.
    pub fn start(
        &mut self,
        ctx: &mut Context<'_>,
        id: ConsumerId,
        handler: bool,
        scope: Scope,
        prefetch: Option<Prefetch>,
    ) -> Result<(), Error> {
        let consumer = self.live(id)?;
        if consumer.mode != Mode::Idle || !consumer.fetches.is_empty() {
            return Err(busy(if handler { "handler" } else { "iterator" }));
        }
        if matches!(consumer.stage, Stage::Open) {
            consumer.check_scope(scope)?;
        }
        let group = &consumer.spec.group;
        let asked =
            prefetch.unwrap_or(Prefetch { messages: default_prefetch(group.auto_ack), bytes: limits::FETCH_BYTES });
        let messages =
            redelivery::hold_limit(asked.messages, consumer.spec.batch, group.max_deliveries, group.auto_ack);
        consumer.prefetch = Prefetch { messages, bytes: asked.bytes.max(1) };
        consumer.scope = scope;
        consumer.stopped = false;
        consumer.dormant = false;
        consumer.linger = None;
        consumer.taken = ctx.now.mono;
        consumer.mode = if handler {
            Mode::Handling { busy: false, idle_until: ctx.now.mono + consumer.spec.wait }
        } else {
            Mode::Iterating { waiting: false }
        };
        self.serve(ctx, id);
        Ok(())
    }

    /// Take one message for the iterator. With `None` a [`Row::Ready`] tells when there is one.
    pub fn take(&mut self, ctx: &mut Context<'_>, id: ConsumerId) -> Option<MsgId> {
        let consumer = self.consumers.get_mut(id.0 as usize)?.as_mut()?;
        let Mode::Iterating { waiting } = &mut consumer.mode else { return None };
        *waiting = false;
        consumer.taken = ctx.now.mono;
        let woken = std::mem::take(&mut consumer.dormant);
        consumer.expire(ctx, id, &mut self.spare);
        let ready = consumer.has_ready();
        let taken = ready.then(|| consumer.hand_over(0, &mut self.spare, &mut self.received)).flatten();
        if taken.is_none() {
            consumer.mode = Mode::Iterating { waiting: true };
            // Nothing more to take. While more is on its way, acks wait for it: a send a chunk is what a page pays for.
            if consumer.feeds.iter().all(|feed| ctx.session.asked(feed.id) == 0) {
                ctx.out.release_acks();
            }
        }
        if woken || consumer.wants_refill() {
            consumer.refill(ctx);
        }
        taken
    }

    /// The handler's promise has settled: it may be called again.
    pub fn handled(&mut self, ctx: &mut Context<'_>, id: ConsumerId) {
        let now = ctx.now.mono;
        let Some(consumer) = self.get(id) else { return };
        if let Mode::Handling { busy, idle_until } = &mut consumer.mode {
            *busy = false;
            *idle_until = (*idle_until).max(now + consumer.spec.wait);
            consumer.taken = now;
            consumer.dormant = false;
        }
        self.serve(ctx, id);
    }

    /// End the delivery and give back what is held.
    pub fn stop(&mut self, ctx: &mut Context<'_>, id: ConsumerId) {
        let Some(consumer) = self.get(id) else { return };
        if matches!(consumer.stage, Stage::Ended(_)) {
            return;
        }
        consumer.mode = Mode::Idle;
        consumer.stopped = true;
        consumer.linger = None;
        consumer.given_back = 0;
        let fetches = std::mem::take(&mut consumer.fetches);
        for fetch in fetches {
            ctx.turn.end(fetch.op, Err(Error::new(Kind::Closed, "the consumer was stopped")));
        }
        if let Some(consumer) = self.get(id) {
            consumer.withdraw(ctx);
        }
        self.release(ctx, id, false);
    }

    /// End the delivery of all.
    #[inline(never)]
    pub fn stop_all(&mut self, ctx: &mut Context<'_>) {
        for id in self.ids() {
            self.stop(ctx, id);
        }
    }

    /// Say what becomes of a message that was handed over. `op` ends it where it waits for the link, `wait` is what the
    /// broker's confirmation comes under.
    pub fn settle(
        &mut self,
        ctx: &mut Context<'_>,
        id: ConsumerId,
        settle: &Settle<'_>,
        op: OpId,
        wait: WaitId,
    ) -> Result<Settled, Error> {
        let up = ctx.up;
        let consumer = self.live(id)?;
        if consumer.spec.group.auto_ack {
            return match settle.verdict {
                Verdict::Ack | Verdict::Extend(_) => Ok(Settled::Done),
                _ => Err(Error::new(Kind::NotSupported, "with autoAck a message is done when it is delivered")
                    .hint("Make the consumer without autoAck to give messages back.")),
            };
        }
        let resent = settle.sequence == RESENT;
        match settle.verdict {
            Verdict::Extend(_) if resent => return Ok(Settled::Done),
            Verdict::Nack | Verdict::Delay(_) | Verdict::Bury(_) if resent => return Err(only_acked()),
            _ => {}
        }
        // Nobody confirms such an acknowledgement.
        let confirm = settle.confirm && !resent;
        let gives_back = matches!(settle.verdict, Verdict::Nack | Verdict::Delay(_));
        let dies = gives_back
            && !consumer.broker_buries
            && redelivery::dies_when_given_back(settle.deliveries, consumer.spec.group.max_deliveries);
        if dies || matches!(settle.verdict, Verdict::Bury(_)) {
            return Ok(Settled::Dies);
        }
        let verdict = settle.verdict.clone();
        let Some(index) = consumer.feed_of(settle.partition) else {
            return Err(closed());
        };
        let deadline = ctx.now.mono + consumer.spec.group.ack_time;
        let Some(feed) = consumer.feeds.get_mut(index) else { return Err(closed()) };
        if verdict == Verdict::Ack {
            feed.acked = feed.acked.max(settle.sequence);
        }
        if !up {
            let token = settle.token.to_vec();
            self.late.push(Late { consumer: id, partition: settle.partition, token, verdict, op, deadline, confirm });
            return Ok(Settled::Late);
        }
        ctx.session.settle(ctx.now, ctx.out, feed.id, settle.token, &verdict, confirm.then_some(wait));
        Ok(if confirm { Settled::Asked } else { Settled::Done })
    }

    /// The link is back: settles that waited go out. Those that want a confirmation come back, to be watched.
    pub fn link_up(&mut self, ctx: &mut Context<'_>, waits: &mut Waits) -> Vec<(WaitId, OpId)> {
        let mut confirms = Vec::new();
        for late in std::mem::take(&mut self.late) {
            let feed = self
                .get(late.consumer)
                .and_then(|consumer| consumer.feeds.get(consumer.feed_of(late.partition)?))
                .map(|feed| feed.id);
            let Some(feed) = feed else {
                ctx.turn.end(late.op, Err(closed()));
                continue;
            };
            let wait = late.confirm.then(|| waits.next_id());
            ctx.session.settle(ctx.now, ctx.out, feed, &late.token, &late.verdict, wait);
            match wait {
                Some(wait) => confirms.push((wait, late.op)),
                None => ctx.turn.end(late.op, Ok(())),
            }
        }
        for id in self.ids() {
            self.touched.push(id);
        }
        confirms
    }

    /// The link was lost: what is held may be handed over as long as its ack time runs.
    #[inline(never)]
    pub fn link_lost(&mut self) {
        for consumer in self.consumers.iter_mut().flatten() {
            for feed in &mut consumer.feeds {
                feed.over = false;
            }
        }
    }

    /// When it wants [`Consumers::tick`].
    #[inline(never)]
    pub fn deadline(&self) -> Option<Time> {
        let late = self.late.iter().fold(None, |at, late| earliest(at, Some(late.deadline)));
        self.consumers.iter().flatten().fold(late, |at, consumer| earliest(at, consumer.deadline()))
    }

    /// Time has passed.
    #[inline(never)]
    pub fn tick(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now.mono;
        self.late.retain(|late| {
            if late.deadline <= now {
                let error = Error::new(Kind::ConnectionLost, "the link did not come back within the ack time")
                    .hint("The message will be delivered again.");
                ctx.turn.end(late.op, Err(error));
            }
            late.deadline > now
        });
        for index in 0..self.consumers.len() {
            let id = ConsumerId(index as u32);
            let due = self.get(id).is_some_and(|consumer| consumer.deadline().is_some_and(|at| at <= now));
            if due {
                if let Some(consumer) = self.consumers.get_mut(index).and_then(Option::as_mut) {
                    consumer.tick(ctx, id, &mut self.spare);
                }
                self.serve(ctx, id);
            }
        }
    }

    /// Hand over what somebody waits for, and ask for more.
    pub(super) fn serve(&mut self, ctx: &mut Context<'_>, id: ConsumerId) {
        let Some(consumer) = self.consumers.get_mut(id.0 as usize).and_then(Option::as_mut) else { return };
        if !matches!(consumer.stage, Stage::Open) {
            return;
        }
        match consumer.mode {
            Mode::Idle => consumer.serve_fetches(ctx, id, &mut self.spare, &mut self.received),
            Mode::Iterating { waiting } => {
                consumer.expire(ctx, id, &mut self.spare);
                if waiting && consumer.has_ready() {
                    consumer.mode = Mode::Iterating { waiting: false };
                    ctx.turn.rows.push(Row::Ready(id));
                }
                consumer.refill(ctx);
            }
            Mode::Handling { busy, idle_until } => {
                consumer.expire(ctx, id, &mut self.spare);
                if !busy && consumer.has_ready() {
                    let mut ids = Vec::new();
                    while (ids.len() as u32) < consumer.spec.batch && consumer.has_ready() {
                        let Some(msg) = consumer.hand_over(0, &mut self.spare, &mut self.received) else { break };
                        ids.push(msg);
                    }
                    consumer.taken = ctx.now.mono;
                    consumer.mode = Mode::Handling { busy: true, idle_until: ctx.now.mono };
                    ctx.turn.rows.push(Row::Batch { consumer: id, ids, error: None });
                } else if !busy && idle_until <= ctx.now.mono {
                    let spec = &consumer.spec;
                    let next = ctx.now.mono + spec.wait + spec.pull_interval;
                    consumer.mode = Mode::Handling { busy: true, idle_until: next };
                    consumer.taken = ctx.now.mono;
                    let error = Error::new(Kind::Timeout, "no message within batchMaxTimeToWaitMs").at(&spec.station);
                    ctx.turn.rows.push(Row::Batch { consumer: id, ids: Vec::new(), error: Some(error) });
                }
                consumer.refill(ctx);
            }
        }
    }
}

fn default_prefetch(auto_ack: bool) -> u32 {
    if auto_ack { 2000 } else { 500 }
}

fn closed() -> Error {
    Error::new(Kind::Closed, "the consumer has been closed").hint("Make another one.")
}

fn busy(what: &str) -> Error {
    Error::argument(format!("the consumer is in use; a {what} cannot begin now"))
        .hint("A consumer serves either fetches, or one iterator, reader or handler; stop it first, or make another consumer.")
}
