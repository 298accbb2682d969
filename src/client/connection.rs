//! The machines of one connection, and how an input goes through them.
//!
//! The link's machine, the broker's session, producers, consumers and questions live here side by side; what one says
//! is given to the other in [`Connection::drain`], and nowhere else. Does no I/O: what has to be done outside is said
//! by [`Connection::poll`].

use super::consumer::{Consumers, Todo};
use super::context::Context;
use super::live::{Live, Moment};
use super::moving::Next;
use super::producer::Producers;
use super::schema::Schemas;
use super::tap::Tap;
use super::turn::{Note, NotePlace, OpId, ProducerId, Row, Status, Turn};
use super::usual::Connect;
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::time::{Now, Time, earliest};
use crate::brokers;
use crate::link::machine::{Act, Machine};
use crate::link::outbox::Outbox;
use crate::link::session::{Input, Login, Output, Session, WaitId};
use crate::link::tap::{Direction, Frame};
use crate::link::url::Url;
use crate::link::waits::Waits;
use crate::runtime::{Event, Facts, Part};
use std::collections::VecDeque;

/// What has to be done outside.
#[derive(Debug, PartialEq)]
pub enum Deed {
    /// Open a socket.
    Dial {
        /// Its generation.
        generation: u32,
        /// Where to; `None` for a broker inside this package.
        url: Option<Url>,
        /// Encrypt it before its first byte.
        encrypted: bool,
    },
    /// Encrypt it.
    Encrypt(u32),
    /// Send on this socket.
    Write(u32, Vec<u8>),
    /// Close it.
    HangUp(u32),
    /// Make these credentials ready for a dial.
    Ready(Login),
    /// Run an operation.
    Do(Todo),
    /// Read again which schemas count.
    Look,
    /// Move to another server: this one is about to go.
    Leave,
    /// Have the session go on with what it has had no code for.
    Odd,
    /// Make the stations of a producer ready for messages that need it.
    Prepare(ProducerId, u8),
    /// Remember other addresses of the broker.
    Learn(Vec<String>),
}

impl Deed {
    /// The part of the package that it needs.
    pub(super) fn part(&self) -> Option<Part> {
        match self {
            Deed::Dial { url: None, .. } => Some(Part::Memory),
            Deed::Dial { url: Some(url), .. } if url.own_socket || !url.text.starts_with("ws") => Some(Part::Raw),
            Deed::Ready(_) => Some(Part::Credentials),
            Deed::Look => Some(Part::Watching),
            Deed::Odd => Some(Part::Refusals),
            Deed::Prepare(..) => Some(Part::Timing),
            Deed::Leave => Some(Part::Moving),
            Deed::Learn(_) => Some(Part::Servers),
            _ => None,
        }
    }
}

/// Probes that wait for their answers, and closes that wait for what is pending.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    /// Every probe without answer, the oldest first: who waits for it, if anybody does, and until when.
    probes: Vec<Option<(OpId, Time)>>,
    /// Settles whose record the broker confirms, and until when.
    pub confirms: Vec<(WaitId, OpId, Time)>,
    closing: Option<Closing>,
}

#[derive(Clone, Copy, Debug)]
struct Closing {
    until: Time,
    /// Groups without names are still being removed.
    groups: bool,
    /// What the broker had sent before it heard of the end may still arrive, and is given back then.
    echo: bool,
    /// Calls from before have not begun, and are let through until they have.
    early: bool,
}

/// What became of a settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// It is done.
    Done,
    /// This operation ends when it is.
    Pending(OpId),
    /// The message dies: [`Driver::give_up`](super::driver::Driver::give_up) records it, and needs the message itself.
    Dies,
}

/// One connection.
pub struct Connection {
    /// Which broker.
    pub broker: brokers::Kind,
    pub(super) machine: Machine,
    pub(super) session: Box<dyn Session>,
    /// The link that is to take over, while this server is about to go.
    pub(super) next: Option<Box<Next>>,
    /// Bytes on their way out.
    pub outbox: Outbox,
    /// Producers and their calls.
    pub producers: Producers,
    /// Consumers and what they hold.
    pub consumers: Consumers,
    /// Live messages, questions and answers.
    pub live: Live,
    /// Questions that wait.
    pub waits: Waits,
    /// What is known of the stations' schemas.
    pub schemas: Schemas,
    /// What the turn brought.
    pub turn: Turn,
    /// An empty turn with room.
    pub spare: Turn,
    /// Fixed credentials, or those that were answered last.
    pub login: Login,
    pub(super) watchers: Watchers,
    pub(super) deeds: VecDeque<Deed>,
    ops: u32,
    /// The memory broker has no socket.
    inside: bool,
    /// The application is asked for credentials before every dial.
    pub(super) asks: bool,
    /// Somebody looks at what goes over the link.
    pub tap: Option<Box<Tap>>,
    /// Reconnects so far.
    pub reconnects: u32,
    was_up: bool,
    over: Option<Error>,
}

impl Connection {
    /// A connection that has not been started.
    pub fn new(options: Connect, mut session: Box<dyn Session>) -> Connection {
        session.begin_plain();
        Connection {
            broker: options.broker,
            asks: options.plan.renews,
            machine: Machine::new(options.plan),
            session,
            next: None,
            outbox: Outbox::default(),
            producers: Producers::new(options.pending_messages, options.pending_bytes),
            consumers: Consumers::default(),
            live: Live::new(options.pending_messages, options.pending_bytes),
            waits: Waits::default(),
            schemas: Schemas::default(),
            turn: Turn::default(),
            spare: Turn::default(),
            login: options.login,
            watchers: Watchers::default(),
            deeds: VecDeque::new(),
            ops: 0,
            inside: options.broker == brokers::Kind::Memory,
            tap: None,
            reconnects: 0,
            was_up: false,
            over: None,
        }
    }

    /// A number for something that is waited for.
    pub fn next_op(&mut self) -> OpId {
        // Positive as a number of 32 bits, and never 0: the rest has other meanings.
        self.ops = (self.ops.wrapping_add(1) & (u32::MAX >> 1)).max(1);
        OpId(self.ops)
    }

    /// What the turn brought; indexes of calls that have ended may be used again from here on.
    pub fn take_turn(&mut self) -> Turn {
        self.producers.free();
        let spare = std::mem::take(&mut self.spare);
        std::mem::replace(&mut self.turn, spare)
    }

    /// It is over for good.
    pub fn is_over(&self) -> bool {
        self.over.is_some()
    }

    /// Nothing comes after the end: what begins to wait then has its answer at once, or its task would be there for ever.
    #[inline(never)]
    pub(super) fn end_waits(&mut self) {
        if let Some(error) = &self.over {
            self.waits.fail_all(error);
        }
    }

    /// The link works.
    pub fn is_up(&self) -> bool {
        self.machine.is_up()
    }

    /// The number of the present socket.
    pub fn generation(&self) -> u32 {
        self.machine.generation()
    }

    /// Why nothing can be begun any more, if so.
    pub fn check_open(&self) -> Result<(), Error> {
        match &self.over {
            Some(error) => Err(error.clone()),
            None if self.watchers.closing.is_some_and(|closing| !closing.early) => Err(closed()),
            None => Ok(()),
        }
    }

    /// This dial is still wanted, of the present link or of the next one.
    pub(super) fn dials(&self, generation: u32) -> bool {
        self.machine.is_present(generation)
            || self.next.as_ref().is_some_and(|next| next.machine.is_present(generation))
    }

    /// The broker's session.
    pub fn session(&self) -> &dyn Session {
        self.session.as_ref()
    }

    /// The session of a broker whose part has been loaded.
    pub fn enter(&mut self, session: Box<dyn Session>) {
        self.session = session;
    }

    /// Producers, consumers and what they work with. The code of consumers may be called only where there is one: before,
    /// it may not have been loaded.
    pub fn parts(&mut self, now: Now) -> (&mut Producers, &mut Consumers, &mut Waits, Context<'_>) {
        let beside = self.live.bytes().saturating_add(self.session.unconfirmed());
        let (producers, consumers, waits, _, context) = self.split(now, beside);
        (producers, consumers, waits, context)
    }

    #[inline(always)]
    fn split(&mut self, now: Now, beside: u64) -> (&mut Producers, &mut Consumers, &mut Waits, &mut Live, Context<'_>) {
        let context = Context {
            now,
            up: self.takes_more(),
            linked: self.machine.is_up(),
            session: self.session.as_mut(),
            out: &mut self.outbox,
            beside,
            turn: &mut self.turn,
        };
        (&mut self.producers, &mut self.consumers, &mut self.waits, &mut self.live, context)
    }

    /// The link works, and is not about to be left.
    pub fn takes_more(&self) -> bool {
        self.machine.is_up() && !self.is_resting()
    }

    /// The present link takes nothing new.
    fn is_resting(&self) -> bool {
        self.next.as_ref().is_some_and(|next| next.rest.is_some())
    }

    /// What was asked of the broker last is answered.
    fn rested(&mut self) {
        if let Some(rest) = self.next.as_mut().and_then(|next| next.rest.as_mut()) {
            rest.echo = false;
        }
    }

    /// The connection is lost or closed: there is no move any more.
    fn stay(&mut self, now: Now) {
        if self.next.is_some() {
            self.drop_next(now);
        }
    }

    /// Live messages, what they work with, and what producers have pending beside them.
    pub fn live_parts(&mut self, now: Now) -> (&mut Live, (usize, u64), Context<'_>) {
        let (producers, _, _, live, context) = self.split(now, 0);
        (live, producers.pending(), context)
    }

    /// The code of live messages may be called only where there are some: before, it may not have been loaded.
    pub(super) fn tell_live(&mut self, now: Now, moment: Moment) {
        if self.live.is_used() {
            let (live, _, mut ctx) = self.live_parts(now);
            live.handle(&mut ctx, moment);
        }
    }

    /// Take the live messages that have been laid down, before anything else happens.
    pub fn collect(&mut self, now: Now) {
        self.tell_live(now, Moment::Interrupted);
    }

    /// Whether [`Connection::poll`] has something.
    pub fn has_deeds(&self) -> bool {
        !self.deeds.is_empty() || !self.producers.unready.is_empty()
    }

    /// The next thing to be done outside.
    pub fn poll(&mut self) -> Option<Deed> {
        self.deeds.pop_front()
    }

    /// Begin.
    pub fn start(&mut self, now: Now) {
        self.machine.start(now.mono);
        self.drain(now, &[], [0; 8], Facts::default());
    }

    /// Take an event from outside. `late`: the timer fired long after its moment. `random` is fresh.
    pub fn handle(&mut self, now: Now, event: Event<'_>, late: bool, random: [u8; 8], facts: Facts) {
        let dice = u32::from_le_bytes([random[0], random[1], random[2], random[3]]);
        let mut chunk: &[u8] = &[];
        if self.next.is_some() && self.next_event(now, &event, random, facts) {
            return self.drain(now, chunk, random, facts);
        }
        match event {
            Event::Opened { generation } => {
                if let Some((encryption, took)) = self.machine.opened(now.mono, generation) {
                    let login = self.login.clone();
                    let input = Input::Opened { login: &login, encryption, took, random };
                    self.session.handle(now, input, &mut self.outbox);
                }
            }
            Event::Encrypted { generation } => {
                if self.machine.heard(now.mono, generation) {
                    self.session.handle(now, Input::Encrypted, &mut self.outbox);
                }
            }
            Event::Chunk { generation, bytes } => {
                if self.machine.heard(now.mono, generation) {
                    if self.outbox.deadline().is_some_and(|at| at <= now.mono) {
                        // A hidden page's timers come late; what arrives tells the time as well.
                        self.outbox.release_acks();
                    }
                    self.seen(Direction::In, generation, now, bytes);
                    chunk = bytes;
                    self.session.handle(now, Input::Chunk(bytes), &mut self.outbox);
                }
            }
            Event::Closed { generation, error } => {
                if self.machine.is_present(generation) {
                    self.machine.broken(now.mono, error, dice, facts.offline);
                }
            }
            Event::Timer => {
                self.machine.tick(now.mono, late, dice, facts.offline);
                self.tick(now);
            }
            Event::Deferred => self.session.handle(now, Input::Tick, &mut self.outbox),
            Event::Awake => self.machine.awake(now.mono),
        }
        self.drain(now, chunk, random, facts);
    }

    /// Credentials are there for the present attempt: the application's answer, made ready, or why there are none.
    #[inline(never)]
    pub fn credentials(&mut self, now: Now, given: Result<Login, Error>, random: u32, facts: Facts) {
        let given = given.map(|login| self.login = login);
        if self.next.is_some() && self.next_credentials(now, given.clone(), random, facts) {
            return self.drain(now, &[], [0; 8], facts);
        }
        self.machine.credentials(now.mono, given, random, facts.offline);
        self.drain(now, &[], [0; 8], facts);
    }

    /// Begin or end to keep what goes over the link.
    pub fn watch(&mut self, now: Now, on: bool) {
        if on != self.tap.is_some() {
            self.session.tap(on);
            self.tap = on.then(Box::default);
            self.see_held(now);
        }
    }

    /// A frame whose beginning has come is seen whole.
    fn see_held(&mut self, now: Now) {
        let held = self.session.held().to_vec();
        self.seen(Direction::In, self.generation(), now, &held);
        if self.next.is_some() {
            self.see_next_held(now);
        }
    }

    /// These bytes went over the socket of this generation.
    pub fn seen(&mut self, direction: Direction, generation: u32, now: Now, bytes: &[u8]) {
        if self.tap.as_mut().is_some_and(|tap| tap.bytes(direction, generation, now.wall, bytes)) {
            self.turn.rows.push(Row::Tapped);
        }
    }

    /// What was seen since the last call, as frames.
    pub fn frames(&mut self, now: Now) -> Vec<Frame> {
        if self.tap.as_mut().is_some_and(|tap| tap.begins_anew()) {
            self.see_held(now);
        }
        self.tap.as_mut().map(|tap| tap.frames(self.broker)).unwrap_or_default()
    }

    fn tick(&mut self, now: Now) {
        self.session.handle(now, Input::Tick, &mut self.outbox);
        self.waits.tick(now.mono);
        if self.outbox.deadline().is_some_and(|at| at <= now.mono) {
            self.outbox.release_acks();
        }
        let (producers, consumers, _, mut ctx) = self.parts(now);
        producers.tick(&mut ctx);
        if !consumers.is_empty() {
            consumers.tick(&mut ctx);
        }
        self.tell_live(now, Moment::Tick);
        for probe in &mut self.watchers.probes {
            if let Some((op, deadline)) = *probe
                && deadline <= now.mono
            {
                let late = Error::new(Kind::Timeout, "the broker did not answer in time");
                self.turn.end(op, Err(late));
                // Its answer may still come, and is not that of the next one.
                *probe = None;
            }
        }
        if !self.watchers.confirms.is_empty() {
            self.confirms_late(now);
        }
        self.check_closing(now);
    }

    /// When it wants [`Event::Timer`].
    pub fn deadline(&self) -> Option<Time> {
        if self.is_over() {
            return None;
        }
        let link = earliest(self.machine.deadline(), self.session.deadline());
        let link = if self.next.is_some() { earliest(link, self.next_deadline()) } else { link };
        let consumers = if self.consumers.is_empty() { None } else { self.consumers.deadline() };
        let out = earliest(self.producers.deadline(), consumers);
        let waits = earliest(self.waits.deadline(), self.outbox.deadline());
        let waits = earliest(waits, self.live.deadline());
        let closing = self.watchers.closing.map(|closing| closing.until);
        let pings =
            self.watchers.probes.iter().flatten().fold(closing, |at, (_, deadline)| earliest(at, Some(*deadline)));
        let pings = self.watchers.confirms.iter().fold(pings, |at, (_, _, deadline)| earliest(at, Some(*deadline)));
        earliest(earliest(link, out), earliest(waits, pings))
    }

    /// Give everybody what the others said, until nobody has anything to say.
    fn drain(&mut self, now: Now, chunk: &[u8], random: [u8; 8], facts: Facts) {
        let dice = u32::from_le_bytes([random[4], random[5], random[6], random[7]]);
        loop {
            while let Some(output) = self.session.poll() {
                self.output(now, output, chunk, dice, facts);
            }
            while let Some(act) = self.machine.poll() {
                self.act(now, act);
            }
            if self.is_resting() {
                self.try_to_move(now);
            }
            if !self.session.has_output() && !self.machine.has_acts() {
                break;
            }
        }
        if !self.consumers.is_empty() || self.live.is_used() {
            self.turn.thin(chunk);
        }
        if let Some(tap) = &mut self.tap {
            for piece in self.session.tapped() {
                if tap.keep(piece) {
                    self.turn.rows.push(Row::Tapped);
                }
            }
        }
        let (producers, consumers, waits, mut ctx) = self.parts(now);
        if !consumers.is_empty() {
            consumers.settle_turn(&mut ctx);
        }
        if ctx.up {
            while let Some((id, request)) = waits.to_send() {
                ctx.session.request(now, ctx.out, id, request);
            }
        }
        producers.report(ctx.turn);
        let unready = std::mem::take(&mut producers.unready);
        self.tell_live(now, Moment::Settled);
        let todo = std::mem::take(&mut self.consumers.todo);
        self.deeds.extend(todo.into_iter().map(Deed::Do));
        self.deeds.extend(unready.into_iter().map(|(producer, needs)| Deed::Prepare(producer, needs)));
        self.check_closing(now);
    }

    /// What the session had no code for; an error says that it cannot be had.
    pub(super) fn odd(&mut self, now: Now, loaded: Result<(), Error>) {
        match loaded {
            Ok(()) => self.session.odd(now, &mut self.outbox),
            Err(error) => {
                self.session.begin_plain();
                self.turn.refused(error);
            }
        }
        self.drain(now, &[], [0; 8], Facts::default());
    }

    /// Schemas that there is reason to read again cannot be: the reasons stay for the next one.
    pub(super) fn look_later(&mut self, error: Error) {
        self.schemas.busy = false;
        self.turn.refused(error);
    }

    /// After something was called: let everybody speak, and whatever became due be done.
    pub fn after_call(&mut self, now: Now, facts: Facts) {
        self.drain(now, &[], [0; 8], facts);
    }

    fn output(&mut self, now: Now, output: Output, chunk: &[u8], dice: u32, facts: Facts) {
        if matches!(output, Output::Arrived(_) | Output::Room(_) | Output::AskOver(_) | Output::FeedLost(..)) {
            return self.delivered(now, output, chunk);
        }
        match output {
            Output::Live(heard) if self.live.overlaps() && self.is_echo(now, &heard, chunk) => {}
            Output::Live(heard) => self.tell_live(now, Moment::Heard(heard)),
            Output::Up => {
                self.machine.ready(now.mono);
            }
            Output::Encrypt => self.deeds.push_back(Deed::Encrypt(self.machine.generation())),
            Output::EncryptFirst => self.machine.dial_again(now.mono, true),
            Output::DialAgain => self.machine.dial_again(now.mono, false),
            Output::Broken(error) => self.machine.broken(now.mono, error, dice, facts.offline),
            Output::Alive => {
                // A broker inside this package answers without a byte.
                self.machine.heard(now.mono, self.machine.generation());
                if !self.watchers.probes.is_empty()
                    && let Some((op, _)) = self.watchers.probes.remove(0)
                {
                    self.turn.end(op, Ok(()));
                }
                if let Some(closing) = &mut self.watchers.closing {
                    closing.echo &= !self.watchers.probes.is_empty();
                }
            }
            Output::Rested => self.rested(),
            Output::Replied(wait, reply) if self.watchers.confirms.is_empty() => self.waits.answer(wait, reply),
            Output::Replied(wait, reply) => self.confirmed(wait, reply),
            Output::Remark(error) => self.turn.refused(error),
            Output::Odd => self.deeds.push_back(Deed::Odd),
            Output::Servers(hosts) => self.deeds.push_back(Deed::Learn(hosts)),
            Output::Leaving => self.deeds.push_back(Deed::Leave),
            Output::Registry(news) if self.schemas.heard(news.clone()) => self.deeds.push_back(Deed::Look),
            other => {
                let (producers, _, _, mut ctx) = self.parts(now);
                match other {
                    Output::Stored { slot, sequence, duplicate } => {
                        producers.stored(&mut ctx, slot, sequence, duplicate)
                    }
                    Output::NotNow(slot) => producers.not_now(&mut ctx, slot),
                    Output::Refused(slot, error) => producers.refused(&mut ctx, slot, error),
                    Output::RouteLost(route, error) => producers.route_lost(&mut ctx, route, &error),
                    _ => {}
                }
            }
        }
    }

    pub(super) fn act(&mut self, now: Now, act: Act) {
        match act {
            Act::Ask { attempt, reason } if self.asks => self.turn.rows.push(Row::Ask { attempt, reason }),
            Act::Ask { .. } => self.deeds.push_back(Deed::Ready(self.login.clone())),
            Act::Dial { generation, url, encrypted } => {
                self.outbox.clear();
                let url = (!self.inside).then_some(url);
                self.deeds.push_back(Deed::Dial { generation, url, encrypted });
            }
            Act::HangUp(generation) => {
                self.session.handle(now, Input::Closed, &mut self.outbox);
                self.outbox.clear();
                self.seen(Direction::In, generation, now, &[]);
                self.deeds.push_back(Deed::HangUp(generation));
            }
            Act::Probe => self.probe(now, None),
            Act::Up { url, attempt } => {
                if self.was_up {
                    self.reconnects = self.reconnects.wrapping_add(1);
                    if self.schemas.link_up() {
                        self.deeds.push_back(Deed::Look);
                    }
                }
                self.was_up = true;
                if self.asks {
                    // The next dial gets its own: secrets are not kept longer than they are of use.
                    self.login = Login::default();
                }
                if !self.consumers.is_empty() {
                    self.consumers_up(now);
                }
                let (producers, _, _, mut ctx) = self.parts(now);
                producers.link_up(&mut ctx);
                self.tell_live(now, Moment::Up);
                self.turn.status(Status::Connected { url, attempt });
            }
            Act::Down(error) => {
                let moment = if self.next.is_some() && self.has_another(now) { Moment::Moved } else { Moment::Lost };
                self.link_down(now, &error, moment);
                self.turn.status(Status::Disconnected(error));
            }
            Act::Retry { attempt, pause } => self.turn.status(Status::Reconnecting { attempt, pause }),
            Act::Over(reason) => self.over(now, reason),
        }
    }

    /// What was on the link is repeated on the next one, or is lost.
    pub(super) fn link_down(&mut self, now: Now, error: &Error, moment: Moment) {
        self.waits.link_lost();
        let (producers, consumers, _, mut ctx) = self.parts(now);
        producers.link_lost(&mut ctx);
        if !consumers.is_empty() {
            consumers.link_lost();
        }
        self.tell_live(now, moment);
        self.fail_pings(error);
    }

    fn fail_pings(&mut self, error: &Error) {
        for (op, _) in std::mem::take(&mut self.watchers.probes).into_iter().flatten() {
            self.turn.end(op, Err(error.clone()));
        }
        if !self.watchers.confirms.is_empty() {
            self.confirms_lost(error);
        }
    }

    fn over(&mut self, now: Now, reason: Option<Error>) {
        // A connection that gave up says so to everything that hangs on it.
        let error = match &reason {
            None => closed(),
            Some(reason) => reason.clone(),
        };
        self.over = Some(error.clone());
        self.stay(now);
        self.login = Login::default();
        self.watchers.closing = None;
        self.waits.fail_all(&error);
        let (producers, consumers, _, mut ctx) = self.parts(now);
        producers.end_all(&mut ctx, &error);
        if !consumers.is_empty() {
            consumers.end_all(&mut ctx, &error, reason.is_some());
        }
        self.tell_live(now, Moment::Over(error.clone()));
        self.fail_pings(&error);
        self.turn.status(Status::Closed(reason.clone()));
        self.turn.rows.push(Row::Over(reason));
    }

    /// One round trip.
    pub fn ping(&mut self, now: Now) -> Result<OpId, Error> {
        self.check_open()?;
        if !self.is_up() {
            return Err(Error::new(Kind::ConnectionLost, "the link is down").hint("status() tells when it is back."));
        }
        let op = self.next_op();
        if self.inside {
            self.turn.end(op, Ok(()));
        } else {
            self.probe(now, Some((op, now.mono + limits::REQUEST)));
        }
        Ok(op)
    }

    /// Ask for a sign of life, for whoever waits for it.
    fn probe(&mut self, now: Now, whose: Option<(OpId, Time)>) {
        self.session.probe(now, &mut self.outbox);
        self.watchers.probes.push(whose);
    }

    /// Closing waits for calls that have not begun, but not beyond its limit: [`Connection::begin_close`] follows.
    pub fn close_soon(&mut self, now: Now) {
        let until = now.mono + limits::CLOSE_WAIT;
        self.watchers.closing.get_or_insert(Closing { until, groups: true, echo: false, early: true });
        self.check_closing(now);
    }

    /// Stop consumers and let producers finish. The socket closes when they have and [`Connection::groups_left`] was
    /// called, or the limit is over.
    pub fn begin_close(&mut self, now: Now) {
        if self.check_open().is_err() {
            return;
        }
        self.stay(now);
        let consumes = !self.consumers.is_empty();
        let echo = consumes && !self.consumers.ids().is_empty() && !self.inside && self.is_up();
        let until = self.watchers.closing.map_or(now.mono + limits::CLOSE_WAIT, |closing| closing.until);
        self.watchers.closing = Some(Closing { until, groups: true, echo, early: false });
        let (producers, consumers, _, mut ctx) = self.parts(now);
        if consumes {
            consumers.stop_all(&mut ctx);
        }
        producers.destroy_all(&mut ctx);
        if echo {
            self.probe(now, None);
        }
        self.tell_live(now, Moment::Closing);
        self.drain(now, &[], [0; 8], Facts::default());
    }

    /// Groups without names are gone, as far as they can be.
    pub fn groups_left(&mut self, now: Now) {
        if let Some(closing) = &mut self.watchers.closing {
            closing.groups = false;
        }
        self.drain(now, &[], [0; 8], Facts::default());
    }

    /// Everything for closing is done, but for the last bytes.
    pub fn is_closing(&self) -> bool {
        self.watchers.closing.is_some_and(|closing| !closing.groups && !closing.echo)
            && self.is_quiet()
            && self.over.is_none()
    }

    /// Nothing that was sent waits for an outcome.
    fn is_quiet(&self) -> bool {
        self.consumers.deaths.messages == 0
            && self.producers.pending().0 == 0
            && self.live.pending().0 == 0
            && !self.live.is_answering()
            && self.watchers.confirms.is_empty()
    }

    pub(super) fn check_closing(&mut self, now: Now) {
        let Some(closing) = self.watchers.closing else { return };
        let finished = !closing.groups && !closing.echo && self.is_quiet();
        // What was written last still has to leave, also what waits for company; the end of the turn sends it.
        if finished {
            self.outbox.release_acks();
        }
        if closing.until <= now.mono || !self.is_up() || finished && !self.outbox.is_due() {
            self.machine.close();
            while let Some(act) = self.machine.poll() {
                self.act(now, act);
            }
        }
    }

    /// Give up, for this reason.
    pub fn fail(&mut self, now: Now, error: Error) {
        self.machine.fail(error);
        self.drain(now, &[], [0; 8], Facts::default());
    }

    /// Deaths at a station have not become dead letters: not now, for this reason, or (without one) not ever.
    #[inline(never)]
    pub(super) fn unrecorded(
        &mut self,
        station: String,
        messages: u32,
        error: Option<Error>,
        place: Option<NotePlace>,
    ) {
        // After the end nothing more is said.
        if !self.is_over() {
            let event = if error.is_some() { "dead_letter_failed" } else { "dead_letters_lost" };
            self.turn.rows.push(Row::Note(Box::new(Note { event, station, messages, error, place })));
        }
    }

    /// A station was destroyed here.
    pub fn station_gone(&mut self, now: Now, station: &str) {
        let error = Error::new(Kind::NoSuchStation, "the station has been destroyed")
            .hint("Make the station, the producer or the consumer again to create it.")
            .at(station);
        let (producers, consumers, _, mut ctx) = self.parts(now);
        producers.station_gone(&mut ctx, station, &error);
        if !consumers.is_empty() {
            consumers.station_gone(&mut ctx, station, &error);
        }
    }
}

fn closed() -> Error {
    Error::new(Kind::Closed, "the connection has been closed")
}
