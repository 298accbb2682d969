//! Live messages, questions and answers (semantics.md section 8): what waits for the link, which answers are waited for,
//! and what subscriptions hold until the application takes it.
//!
//! ```text
//! subscription   Opening -> Open -> Ended          responder   Opening -> Open -> Draining -> Ended
//! ```
//!
//! Messages of a subscription are handed over in the order they came, so nobody gives them numbers: the application has
//! the same list, takes from its front, and drops from its front what it is told to.
//! Knows no broker and no promise.

mod overlap;

use super::context::Context;
use super::tray::Tray;
use super::turn::{OpId, Row, Status};
use crate::base::channel;
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::time::{Millis, Time, earliest};
use crate::link::live::{AskId, Heard, LiveDraft, Sound, SubId};
use crate::link::session::Source;
use overlap::{Overlap, pack};
use std::collections::VecDeque;
use std::rc::Rc;

/// Channels that are known by number; beyond it the table begins anew.
const CHANNELS: usize = 1024;

/// Largest buffer kept for the next message.
const KEEP: usize = 64 * 1024;

/// What happens when a subscription holds all it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest is lost.
    DropOldest,
    /// The newest is lost.
    DropNewest,
    /// The subscription ends.
    Error,
}

/// How somebody listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// To what; may have wildcards.
    pub channel: String,
    /// As a member of which group; empty for none.
    pub group: String,
    /// At most so many messages wait for the application.
    pub held: u32,
    /// What happens when more would.
    pub overflow: Overflow,
    /// A responder: how many questions it may work on at once.
    pub workers: Option<u32>,
}

/// How far something got that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is on its way.
    Written,
    /// It is on its way, and more is than was confirmed: better to wait for [`LiveRow::Room`].
    Full,
    /// It waits for the link; the operation tells when it is on its way.
    Waits,
}

/// What a turn brought of live messages.
#[derive(Clone, Debug)]
pub enum LiveRow {
    /// A message, which joins the subscription's list.
    Message(SubId, Sound),
    /// So many messages leave the front of the list; and how many have been lost altogether.
    Dropped(SubId, u32, u32),
    /// There is something to take for whoever found nothing.
    Ready(SubId),
    /// It has ended by itself, or a responder has finished.
    Ended(SubId, Option<Error>),
    /// The answer to a question.
    Answer(OpId, Sound),
    /// Half of what was unconfirmed has been confirmed.
    Room,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Opening,
    Open,
    /// Listens no more; what has come is still worked on.
    Draining,
    /// The same, and nothing comes any more.
    Drained,
}

#[derive(Debug)]
struct Sub {
    listen: Listen,
    stage: Stage,
    /// Sizes of the messages that wait for the application.
    held: VecDeque<u32>,
    held_bytes: u64,
    /// Lost so far.
    dropped: u32,
    /// Lost from the front in this turn.
    gone: u32,
    /// How many losses the application knows of.
    told: u32,
    /// It loses messages, and has said so.
    slow: bool,
    /// The application found nothing to take.
    waits: bool,
    /// Questions it works on.
    running: u32,
    opened: Option<(OpId, Time)>,
}

/// Something that waits for the link.
#[derive(Debug)]
struct Post {
    op: OpId,
    asks: bool,
    to: Rc<str>,
    bytes: Vec<u8>,
    head: u32,
}

/// A question without answer.
#[derive(Debug)]
struct Ask {
    op: OpId,
    to: Rc<str>,
    size: u64,
    deadline: Time,
    sent: bool,
}

/// What happens to live messages.
#[derive(Debug)]
pub enum Moment {
    /// The link works.
    Up,
    /// It was lost.
    Lost,
    /// Another link takes its place.
    Moved,
    /// Time has passed.
    Tick,
    /// The session says something.
    Heard(Heard),
    /// All messages of an input have come.
    Settled,
    /// Something else is about to happen than what was laid down.
    Interrupted,
    /// The connection begins to close.
    Closing,
    /// Everything is over.
    Over(Error),
}

/// All live messages of a connection. Its code comes in a part of the wasm of its own: of the methods only the first few
/// may be called before something of it has been used.
#[derive(Debug)]
pub struct Live {
    pub(super) channels: Vec<Rc<str>>,
    /// Bytes of the longest name of a channel so far.
    pub(super) longest: usize,
    subs: Vec<Option<Box<Sub>>>,
    touched: Vec<SubId>,
    posts: VecDeque<Post>,
    /// In the order of their numbers.
    asks: VecDeque<Ask>,
    /// Of posts and asks.
    bytes: u64,
    most: u32,
    pub(super) most_bytes: u64,
    pub(super) wants_room: bool,
    /// What the broker refused in this turn.
    denied: Vec<(String, Error, u32)>,
    buffer: Vec<u8>,
    /// The link is being changed for another one.
    overlap: Option<Box<Overlap>>,
    /// No later than the next moment anything is due.
    due: Option<Time>,
    /// Where messages are laid down that are to be published.
    pub tray: Tray,
    /// Messages sent and their bytes.
    pub sent: (u64, u64),
    /// Messages handed over and their bytes.
    pub received: (u64, u64),
}

impl Live {
    /// Nothing yet, with the application's limits.
    #[inline(always)]
    pub fn new(most: u32, most_bytes: u64) -> Live {
        Live {
            channels: Vec::new(),
            longest: 0,
            subs: Vec::new(),
            touched: Vec::new(),
            posts: VecDeque::new(),
            asks: VecDeque::new(),
            bytes: 0,
            most,
            most_bytes,
            wants_room: false,
            denied: Vec::new(),
            buffer: Vec::new(),
            overlap: None,
            due: None,
            tray: Tray::default(),
            sent: (0, 0),
            received: (0, 0),
        }
    }

    /// Something was sent, or somebody listens.
    #[inline(always)]
    pub fn is_used(&self) -> bool {
        !self.channels.is_empty() || !self.subs.is_empty()
    }

    /// Take what happens.
    #[inline(never)]
    pub fn handle(&mut self, ctx: &mut Context<'_>, moment: Moment) {
        match moment {
            Moment::Up => self.link_up(ctx),
            Moment::Moved if self.moved(ctx) => {}
            Moment::Moved | Moment::Lost => self.link_lost(ctx),
            Moment::Tick => self.tick(ctx),
            Moment::Heard(heard) => self.heard(ctx, heard),
            Moment::Settled => self.settle_turn(ctx),
            Moment::Interrupted => self.collect(ctx),
            Moment::Closing => self.unsubscribe_all(ctx),
            Moment::Over(error) => self.end_all(ctx, &error),
        }
    }

    /// How many messages, and bytes, wait for the link or an answer.
    #[inline(always)]
    pub fn pending(&self) -> (usize, u64) {
        let posts = self.posts.iter().filter(|post| !post.asks).count();
        (self.asks.len().saturating_add(posts), self.bytes)
    }

    /// The bytes alone.
    #[inline(always)]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    // ---- sending ----------------------------------------------------------------------------------------------------

    /// A number for a channel that is sent to; 0 says that all earlier numbers are void.
    pub fn channel(&mut self, name: &str) -> Result<u32, Error> {
        channel::check(name, false)?;
        if self.channels.len() >= CHANNELS {
            self.channels.clear();
        }
        self.longest = self.longest.max(name.len());
        self.channels.push(name.into());
        Ok(self.channels.len() as u32 - 1)
    }

    fn known(&self, channel: u32) -> Result<Rc<str>, Error> {
        self.channels.get(channel as usize).cloned().ok_or_else(|| Error::new(Kind::Internal, "no such channel"))
    }

    /// Send to whoever listens. `beside` is what producers have waiting, in messages and bytes; `op` ends where it has to
    /// wait.
    pub fn publish(
        &mut self,
        ctx: &mut Context<'_>,
        beside: (usize, u64),
        channel: u32,
        draft: &LiveDraft<'_>,
        op: OpId,
    ) -> Result<Sent, Error> {
        let to = self.known(channel)?;
        self.post(ctx, beside, to, draft, op)
    }

    fn post(
        &mut self,
        ctx: &mut Context<'_>,
        beside: (usize, u64),
        to: Rc<str>,
        draft: &LiveDraft<'_>,
        op: OpId,
    ) -> Result<Sent, Error> {
        if ctx.up && draft.is_plain() {
            self.room(ctx, beside, draft.data.len() as u64)?;
            ctx.session.live().send_plain(ctx.now, ctx.out, &to, draft.data)?;
            let sent = self.went(ctx, 1, draft.data.len() as u64);
            self.open_tray(ctx, beside.1);
            return Ok(sent);
        }
        let head = self.encode(ctx, beside, draft)?;
        if !ctx.up {
            let bytes = std::mem::take(&mut self.buffer);
            self.wait(Post { op, asks: false, to, bytes, head });
            return Ok(Sent::Waits);
        }
        ctx.session.live().send(ctx.now, ctx.out, &to, None, &self.buffer, head);
        let length = self.buffer.len() as u64;
        self.trim();
        Ok(self.went(ctx, 1, length))
    }

    /// Messages of `length` bytes are on their way.
    pub(super) fn went(&mut self, ctx: &mut Context<'_>, count: u64, length: u64) -> Sent {
        self.sent.0 = self.sent.0.wrapping_add(count);
        self.sent.1 = self.sent.1.wrapping_add(length);
        if ctx.session.unconfirmed() <= self.room_at() {
            return Sent::Written;
        }
        if !std::mem::replace(&mut self.wants_room, true) {
            ctx.session.live().confirm(ctx.out);
        }
        Sent::Full
    }

    /// Ask whoever answers; the answer or the failure comes under `op`.
    pub fn request(
        &mut self,
        ctx: &mut Context<'_>,
        beside: (usize, u64),
        channel: u32,
        draft: &LiveDraft<'_>,
        limit: Millis,
        op: OpId,
    ) -> Result<(), Error> {
        let to = self.known(channel)?;
        let head = self.encode(ctx, beside, draft)?;
        let size = self.buffer.len() as u64;
        if ctx.up {
            self.sent.0 = self.sent.0.wrapping_add(1);
            self.sent.1 = self.sent.1.wrapping_add(size);
            ctx.session.live().send(ctx.now, ctx.out, &to, Some(AskId(op.0)), &self.buffer, head);
            self.trim();
            self.bytes = self.bytes.saturating_add(size);
        } else {
            let bytes = std::mem::take(&mut self.buffer);
            self.wait(Post { op, asks: true, to: to.clone(), bytes, head });
        }
        let deadline = ctx.now.mono + limit;
        self.due = earliest(self.due, Some(deadline));
        self.asks.push_back(Ask { op, to, size, deadline, sent: ctx.up });
        Ok(())
    }

    /// The message's bytes into the buffer, if there is room for them.
    fn encode(&mut self, ctx: &mut Context<'_>, beside: (usize, u64), draft: &LiveDraft<'_>) -> Result<u32, Error> {
        self.buffer.clear();
        let head = ctx.session.live().encode(draft, &mut self.buffer)?;
        self.room(ctx, beside, self.buffer.len() as u64)?;
        Ok(head)
    }

    /// Whether so many more bytes may be taken.
    fn room(&self, ctx: &mut Context<'_>, beside: (usize, u64), more: u64) -> Result<(), Error> {
        let count = self.pending().0 + beside.0;
        let bytes = self.bytes.saturating_add(beside.1).saturating_add(ctx.session.unconfirmed());
        let after = bytes.saturating_add(more);
        if count < self.most as usize && (after <= self.most_bytes || bytes == 0) {
            return Ok(());
        }
        // Room comes only with the broker's word for what is on its way.
        ctx.session.live().confirm(ctx.out);
        let (limit, option) = if count >= self.most as usize {
            (u64::from(self.most), "maxPendingMessages")
        } else {
            (self.most_bytes, "maxPendingBytes")
        };
        Err(Error::new(Kind::QueueFull, format!("{option} ({limit}) is reached; the message was not taken"))
            .hint("Await earlier calls before making more, or raise the limit.")
            .maybe_delivered(false))
    }

    fn trim(&mut self) {
        if self.buffer.capacity() > KEEP {
            self.buffer = Vec::new();
        }
    }

    fn room_at(&self) -> u64 {
        limits::LIVE_ROOM.min(self.most_bytes / 2)
    }

    fn wait(&mut self, post: Post) {
        self.bytes = self.bytes.saturating_add(post.bytes.len() as u64);
        self.posts.push_back(post);
    }

    /// Withdraw what waits for the link, or an answer.
    pub fn abort(&mut self, ctx: &mut Context<'_>, op: OpId) {
        let error = Error::new(Kind::Aborted, "the signal was aborted");
        self.give_up(ctx, op, error);
    }

    /// End what has this number, with this error.
    fn give_up(&mut self, ctx: &mut Context<'_>, op: OpId, error: Error) {
        let waited = self.unpost(op);
        match self.take_ask(op) {
            Some(ask) => ctx.turn.end(op, Err(error.maybe_delivered(ask.sent))),
            None if waited => ctx.turn.end(op, Err(error.maybe_delivered(false))),
            None => {}
        }
    }

    fn unpost(&mut self, op: OpId) -> bool {
        let Some(at) = self.posts.iter().position(|post| post.op == op) else { return false };
        if let Some(post) = self.posts.remove(at).filter(|post| !post.asks) {
            self.bytes = self.bytes.saturating_sub(post.bytes.len() as u64);
        }
        true
    }

    /// Where a question stands; numbers begin anew after two thousand millions.
    fn place(&self, op: OpId) -> Option<usize> {
        let first = self.asks.front()?.op.0;
        let age = |op: OpId| op.0.wrapping_sub(first) & (u32::MAX >> 1);
        self.asks.binary_search_by_key(&age(op), |ask| age(ask.op)).ok()
    }

    fn take_ask(&mut self, op: OpId) -> Option<Ask> {
        let at = self.place(op)?;
        let ask = self.asks.remove(at)?;
        self.bytes = self.bytes.saturating_sub(ask.size);
        Some(ask)
    }

    // ---- listening --------------------------------------------------------------------------------------------------

    /// Begin to listen.
    pub fn subscribe(&mut self, ctx: &mut Context<'_>, listen: Listen) -> SubId {
        let sub = SubId(self.subs.len() as u32);
        // Known here before the bytes leave: the first message may come with the answer.
        self.subs.push(Some(Box::new(Sub {
            listen: listen.clone(),
            stage: Stage::Opening,
            held: VecDeque::new(),
            held_bytes: 0,
            dropped: 0,
            gone: 0,
            told: 0,
            slow: false,
            waits: true,
            running: 0,
            opened: None,
        })));
        ctx.session.live().subscribe(ctx.now, ctx.out, sub, &listen.channel, &listen.group);
        sub
    }

    fn get(&mut self, sub: SubId) -> Option<&mut Sub> {
        self.subs.get_mut(sub.0 as usize)?.as_deref_mut()
    }

    /// Tell `op` when the broker knows of the subscription.
    pub fn when_open(&mut self, ctx: &mut Context<'_>, sub: SubId, op: OpId) {
        let deadline = ctx.now.mono + limits::REQUEST;
        match self.get(sub) {
            Some(sub) if sub.stage == Stage::Opening => {
                sub.opened = Some((op, deadline));
                self.due = earliest(self.due, Some(deadline));
            }
            Some(_) => ctx.turn.end(op, Ok(())),
            None => ctx.turn.end(op, Err(closed())),
        }
    }

    /// Listen no longer. A responder finishes what it has.
    pub fn unsubscribe(&mut self, ctx: &mut Context<'_>, sub: SubId) {
        let Some(state) = self.get(sub) else { return };
        if matches!(state.stage, Stage::Draining | Stage::Drained) {
            return;
        }
        state.stage = Stage::Draining;
        if let Some((op, _)) = state.opened.take() {
            ctx.turn.end(op, Err(closed()));
        }
        if state.listen.workers.is_none() {
            self.forget(sub);
        }
        ctx.session.live().unsubscribe(ctx.now, ctx.out, sub);
    }

    /// Every subscription ends. Questions that nobody has begun to work on are not taken any more.
    fn unsubscribe_all(&mut self, ctx: &mut Context<'_>) {
        for index in 0..self.subs.len() {
            let sub = SubId(index as u32);
            self.unsubscribe(ctx, sub);
            self.get(sub).into_iter().for_each(|sub| sub.held.clear());
        }
    }

    fn forget(&mut self, sub: SubId) {
        if let Some(place) = self.subs.get_mut(sub.0 as usize) {
            *place = None;
        }
    }

    /// It ends by itself.
    fn end(&mut self, ctx: &mut Context<'_>, sub: SubId, error: Error) {
        let Some(state) = self.get(sub) else { return };
        if let Some((op, _)) = state.opened.take() {
            ctx.turn.end(op, Err(error.clone()));
        }
        let lost = LiveRow::Dropped(sub, 0, state.dropped);
        self.forget(sub);
        ctx.turn.rows.push(Row::Live(lost));
        ctx.turn.rows.push(Row::Live(LiveRow::Ended(sub, Some(error))));
    }

    /// Take the message at the front of the list. Without one, or while a responder has enough to do, [`LiveRow::Ready`]
    /// tells when there is something.
    pub fn take(&mut self, sub: SubId) -> bool {
        let Some(state) = self.subs.get_mut(sub.0 as usize).and_then(Option::as_deref_mut) else { return false };
        let free = state.listen.workers.is_none_or(|workers| state.running < workers);
        let Some(size) = state.held.front().copied().filter(|_| free) else {
            state.waits = true;
            return false;
        };
        state.held.pop_front();
        state.held_bytes = state.held_bytes.saturating_sub(u64::from(size));
        state.running += u32::from(state.listen.workers.is_some());
        if state.slow && state.held.len() <= (state.listen.held / 2) as usize {
            state.slow = false;
        }
        self.received.0 = self.received.0.wrapping_add(1);
        self.received.1 = self.received.1.wrapping_add(u64::from(size));
        true
    }

    /// The answer to a question: it goes to `to`, if somebody wants it.
    pub fn answer(
        &mut self,
        ctx: &mut Context<'_>,
        beside: (usize, u64),
        to: &str,
        draft: &LiveDraft<'_>,
        op: OpId,
    ) -> Result<Sent, Error> {
        if to.is_empty() {
            return Ok(Sent::Written);
        }
        channel::check(to, false)?;
        self.post(ctx, beside, to.into(), draft, op)
    }

    /// A responder is done with a question, answered or not.
    pub fn answered(&mut self, ctx: &mut Context<'_>, sub: SubId) {
        if let Some(state) = self.get(sub) {
            state.running = state.running.saturating_sub(1);
        }
        self.finish(ctx, sub);
    }

    /// A responder that was stopped has ended when its last question has.
    fn finish(&mut self, ctx: &mut Context<'_>, sub: SubId) {
        let done = |sub: &mut Sub| sub.stage == Stage::Drained && sub.held.is_empty() && sub.running == 0;
        if self.get(sub).is_some_and(done) {
            self.forget(sub);
            ctx.turn.rows.push(Row::Live(LiveRow::Ended(sub, None)));
        }
    }

    // ---- from the session -------------------------------------------------------------------------------------------

    /// Take what the session says.
    fn heard(&mut self, ctx: &mut Context<'_>, heard: Heard) {
        match heard {
            Heard::Message(sub, sound) => self.message(ctx, sub, &sound, None),
            Heard::Answer(ask, sound) => {
                let op = OpId(ask.0);
                if self.take_ask(op).is_some() {
                    self.count(&sound);
                    let sound = packed(ctx, &sound, None);
                    ctx.turn.rows.push(Row::Live(LiveRow::Answer(op, sound)));
                }
            }
            Heard::Nobody(ask) => {
                if let Some(ask) = self.take_ask(OpId(ask.0)) {
                    let error = Error::new(Kind::Timeout, format!("nobody listens to \"{}\" who could answer", ask.to))
                        .hint("Start a responder, or try again when there is one.")
                        .retryable(true)
                        .maybe_delivered(false);
                    ctx.turn.end(ask.op, Err(error));
                }
            }
            Heard::Opened(sub) => {
                let Some(state) = self.get(sub).filter(|sub| sub.stage == Stage::Opening) else { return };
                state.stage = Stage::Open;
                if let Some((op, _)) = state.opened.take() {
                    ctx.turn.end(op, Ok(()));
                }
            }
            Heard::Refused(sub, error) => self.end(ctx, sub, error),
            Heard::Over(sub) => {
                if let Some(state) = self.get(sub) {
                    state.stage = Stage::Drained;
                }
                self.finish(ctx, sub);
            }
            Heard::Denied(channel, error) => self.denied(ctx, channel, error),
            Heard::Confirmed => {
                if self.wants_room && ctx.session.unconfirmed() <= self.room_at() / 2 {
                    self.wants_room = false;
                    ctx.turn.rows.push(Row::Live(LiveRow::Room));
                }
            }
        }
    }

    fn count(&mut self, sound: &Sound) {
        self.received.0 = self.received.0.wrapping_add(1);
        self.received.1 = self.received.1.wrapping_add(u64::from(sound.data.len));
    }

    /// A message; `own` is what its positions point to where that is not the session's.
    fn message(&mut self, ctx: &mut Context<'_>, id: SubId, sound: &Sound, own: Option<&[u8]>) {
        let Some(sub) = self.subs.get_mut(id.0 as usize).and_then(Option::as_deref_mut) else { return };
        let size = sound.frame.len;
        let full = |sub: &Sub| {
            sub.held.len() >= sub.listen.held as usize
                || !sub.held.is_empty() && sub.held_bytes + u64::from(size) > limits::LIVE_HELD_BYTES
        };
        if full(sub) {
            sub.dropped = sub.dropped.saturating_add(1);
            if !std::mem::replace(&mut sub.slow, true) {
                let pending = sub.held.len() as u32;
                let station = sub.listen.channel.clone();
                ctx.turn.status(Status::SlowConsumer { station, pending });
            }
            self.touched.push(id);
            match sub.listen.overflow {
                Overflow::DropNewest => return,
                Overflow::DropOldest => {
                    // A large one may need the room of several.
                    let mut more = 0;
                    while full(sub) {
                        let Some(size) = sub.held.pop_front() else { break };
                        sub.held_bytes = sub.held_bytes.saturating_sub(u64::from(size));
                        sub.gone += 1;
                        more += 1;
                    }
                    sub.dropped = sub.dropped.saturating_add(more - 1);
                }
                Overflow::Error => {
                    let text = format!("the application was too slow for \"{}\"", sub.listen.channel);
                    let error = Error::new(Kind::SlowConsumer, text)
                        .hint("Raise prefetchMessages, choose another overflow rule, or share the work in a group.");
                    ctx.session.live().unsubscribe(ctx.now, ctx.out, id);
                    return self.end(ctx, id, error);
                }
            }
        }
        sub.held.push_back(size);
        sub.held_bytes += u64::from(size);
        if sub.waits && sub.held.len() == 1 {
            self.touched.push(id);
        }
        let sound = packed(ctx, sound, own);
        ctx.turn.rows.push(Row::Live(LiveRow::Message(id, sound)));
    }

    /// The broker refused what was sent: a question says so itself; what was published has been forgotten here.
    fn denied(&mut self, ctx: &mut Context<'_>, channel: String, error: Error) {
        if let Some(op) = self.asks.iter().find(|ask| ask.sent && *ask.to == *channel).map(|ask| ask.op) {
            self.take_ask(op);
            return ctx.turn.end(op, Err(error.maybe_delivered(false)));
        }
        match self.denied.iter_mut().find(|(known, ..)| *known == channel) {
            Some((_, _, count)) => *count += 1,
            None => self.denied.push((channel, error, 1)),
        }
    }

    /// All messages of an input have come.
    fn settle_turn(&mut self, ctx: &mut Context<'_>) {
        while let Some(id) = self.touched.pop() {
            let Some(sub) = self.get(id) else { continue };
            let gone = std::mem::take(&mut sub.gone);
            let dropped = sub.dropped;
            let lost = std::mem::replace(&mut sub.told, dropped) != dropped;
            let free = sub.listen.workers.is_none_or(|workers| sub.running < workers);
            let ready = sub.waits && free && !sub.held.is_empty();
            sub.waits &= !ready;
            if lost {
                ctx.turn.rows.push(Row::Live(LiveRow::Dropped(id, gone, dropped)));
            }
            if ready {
                ctx.turn.rows.push(Row::Live(LiveRow::Ready(id)));
            }
        }
        for (station, error, messages) in self.denied.drain(..) {
            ctx.turn.status(Status::ProduceFailed { station, error, messages, ids: Vec::new() });
        }
    }

    // ---- the link and time ------------------------------------------------------------------------------------------

    /// The link works: what waited goes out, in the order of the calls.
    fn link_up(&mut self, ctx: &mut Context<'_>) {
        for post in std::mem::take(&mut self.posts) {
            let Post { op, asks, to, bytes, head } = post;
            self.sent.0 = self.sent.0.wrapping_add(1);
            self.sent.1 = self.sent.1.wrapping_add(bytes.len() as u64);
            ctx.session.live().send(ctx.now, ctx.out, &to, asks.then_some(AskId(op.0)), &bytes, head);
            if !asks {
                self.bytes = self.bytes.saturating_sub(bytes.len() as u64);
                ctx.turn.end(op, Ok(()));
            } else if let Some(at) = self.place(op) {
                self.asks.get_mut(at).into_iter().for_each(|ask| ask.sent = true);
            }
        }
    }

    /// The link was lost: nobody repeats a question, since it may have been carried out.
    fn link_lost(&mut self, ctx: &mut Context<'_>) {
        self.overlap = None;
        for ask in std::mem::take(&mut self.asks) {
            if !ask.sent {
                self.asks.push_back(ask);
                continue;
            }
            self.bytes = self.bytes.saturating_sub(ask.size);
            let error = Error::new(Kind::ConnectionLost, "the link was lost before the answer came")
                .hint("The question may have been carried out; ask again if that does no harm.")
                .maybe_delivered(true);
            ctx.turn.end(ask.op, Err(error));
        }
    }

    /// When it wants [`Live::tick`].
    #[inline(always)]
    pub fn deadline(&self) -> Option<Time> {
        self.due
    }

    /// Time has passed.
    fn tick(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now.mono;
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        let late: Vec<OpId> = self.asks.iter().filter(|ask| ask.deadline <= now).map(|ask| ask.op).collect();
        for op in late {
            let error = Error::new(Kind::Timeout, "no answer came in time")
                .hint("Raise timeoutMs, or look why the responder is slow.");
            self.give_up(ctx, op, error);
        }
        for index in 0..self.subs.len() {
            let sub = SubId(index as u32);
            if self.get(sub).is_some_and(|sub| sub.opened.is_some_and(|(_, deadline)| deadline <= now)) {
                let error = Error::new(Kind::Timeout, "the broker did not answer in time");
                ctx.session.live().unsubscribe(ctx.now, ctx.out, sub);
                self.end(ctx, sub, error);
            }
        }
        let asks = self.asks.iter().fold(None, |at, ask| earliest(at, Some(ask.deadline)));
        let opened = self.subs.iter().flatten().filter_map(|sub| sub.opened);
        self.due = opened.fold(asks, |at, (_, deadline)| earliest(at, Some(deadline)));
    }

    /// Everything is over. Subscriptions learn it with their connection.
    fn end_all(&mut self, ctx: &mut Context<'_>, error: &Error) {
        for ask in std::mem::take(&mut self.asks) {
            ctx.turn.end(ask.op, Err(error.clone().maybe_delivered(ask.sent)));
        }
        for post in std::mem::take(&mut self.posts).iter().filter(|post| !post.asks) {
            ctx.turn.end(post.op, Err(error.clone().maybe_delivered(false)));
        }
        for (op, _) in self.subs.drain(..).flatten().filter_map(|sub| sub.opened) {
            ctx.turn.end(op, Err(error.clone()));
        }
        self.bytes = 0;
        self.due = None;
    }
}

/// What came, in the chunk or, copied, in the turn's own bytes.
fn packed(ctx: &mut Context<'_>, sound: &Sound, own: Option<&[u8]>) -> Sound {
    match sound.source {
        Source::Own => pack(&mut ctx.turn.pack, own.unwrap_or_else(|| ctx.session.own()), sound),
        Source::Chunk => *sound,
    }
}

fn closed() -> Error {
    Error::new(Kind::Closed, "the subscription has been closed").hint("Subscribe again.")
}
