//! A move to another server before this one goes: the next link logs in beside the present one, listens to what that one
//! listens to and has asked for, and then the present one comes to rest (nothing new is written, receipts that are due still
//! come) and is let go.
//!
//! ```text
//! Leaving -> dial, log in -> overlap, if anybody listens -> rest, until everything has its answer -> the next link takes over
//!                 \-> no other server: stay until this one closes
//! ```
//!
//! In a part of the wasm of its own, loaded when a server says that it will go: its link still stands. Knows no broker. What
//! is lost on the way is lost as with any other link.

use super::connection::{Connection, Deed};
use super::context::Context;
use super::live::Moment;
use super::producer::Producers;
use super::turn::Row;
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::time::{Now, Time, earliest};
use crate::link::machine::{Act, Machine, State};
use crate::link::outbox::Outbox;
use crate::link::session::{Input, Output, Session};
use crate::link::tap::Direction;
use crate::runtime::{Event, Facts};

/// The link that is to take over.
pub(super) struct Next {
    pub machine: Machine,
    session: Box<dyn Session>,
    outbox: Outbox,
    /// Both links listen to live messages, until then.
    overlap: Option<Time>,
    /// It begins to listen to what was asked for on the present one: no longer than this.
    joining: Option<Time>,
    pub rest: Option<Rest>,
}

/// The present link comes to rest.
pub(super) struct Rest {
    until: Time,
    /// What the broker had sent before it heard of it may still arrive.
    pub echo: bool,
}

impl Connection {
    /// This server is about to go.
    #[inline(never)]
    pub(super) fn leave(&mut self, now: Now) {
        if self.next.is_some() || self.check_open().is_err() {
            return;
        }
        let (Some(mut machine), Some(session)) = (self.machine.successor(), self.session.scout()) else { return };
        machine.start(now.mono);
        self.next = Some(Box::new(Next {
            machine,
            session,
            outbox: Outbox::default(),
            overlap: None,
            joining: None,
            rest: None,
        }));
        self.work_next(now, &[], 0, Facts::default());
    }

    /// When the move wants [`Event::Timer`].
    #[inline(never)]
    pub(super) fn next_deadline(&self) -> Option<Time> {
        let next = self.next.as_ref()?;
        let rest = next.rest.as_ref().map(|rest| rest.until);
        let overlap = next.overlap.map(|until| until.max(next.joining.unwrap_or(until)));
        earliest(earliest(next.machine.deadline(), next.session.deadline()), earliest(rest, overlap))
    }

    /// Whether this event belongs to the next link, which has then taken it.
    #[inline(never)]
    pub(super) fn next_event(&mut self, now: Now, event: &Event<'_>, random: [u8; 8], facts: Facts) -> bool {
        let Some(next) = &mut self.next else { return false };
        let dice = u32::from_le_bytes([random[0], random[1], random[2], random[3]]);
        let number = match event {
            Event::Opened { generation }
            | Event::Encrypted { generation }
            | Event::Chunk { generation, .. }
            | Event::Closed { generation, .. } => *generation,
            Event::Timer => {
                next.machine.tick(now.mono, false, dice, facts.offline);
                next.session.handle(now, Input::Tick, &mut next.outbox);
                self.work_next(now, &[], dice, facts);
                return false;
            }
            Event::Deferred | Event::Awake => return false,
        };
        if number != next.machine.generation() {
            return false;
        }
        let mut chunk: &[u8] = &[];
        match event {
            Event::Opened { generation } => {
                if let Some((encryption, took)) = next.machine.opened(now.mono, *generation) {
                    let input = Input::Opened { login: &self.login, encryption, took, random };
                    next.session.handle(now, input, &mut next.outbox);
                }
            }
            Event::Encrypted { generation } => {
                if next.machine.heard(now.mono, *generation) {
                    next.session.handle(now, Input::Encrypted, &mut next.outbox);
                }
            }
            Event::Chunk { generation, bytes } => {
                if next.machine.heard(now.mono, *generation) {
                    chunk = bytes;
                    next.session.handle(now, Input::Chunk(bytes), &mut next.outbox);
                }
            }
            Event::Closed { error, .. } => next.machine.broken(now.mono, error.clone(), dice, facts.offline),
            Event::Timer | Event::Deferred | Event::Awake => {}
        }
        if !chunk.is_empty() {
            self.seen(Direction::In, number, now, chunk);
        }
        self.work_next(now, chunk, dice, facts);
        true
    }

    /// Credentials for the next link, if it is the one that waits for them.
    #[inline(never)]
    pub(super) fn next_credentials(&mut self, now: Now, given: Result<(), Error>, dice: u32, facts: Facts) -> bool {
        match &mut self.next {
            Some(next) if matches!(next.machine.state(), State::Asking { .. }) => {
                next.machine.credentials(now.mono, given, dice, facts.offline);
                self.work_next(now, &[], dice, facts);
                true
            }
            _ => false,
        }
    }

    fn work_next(&mut self, now: Now, chunk: &[u8], dice: u32, facts: Facts) {
        let Some(mut next) = self.next.take() else { return };
        loop {
            while let Some(output) = next.session.poll() {
                match output {
                    Output::Up => next.machine.ready(now.mono),
                    Output::Encrypt => self.deeds.push_back(Deed::Encrypt(next.machine.generation())),
                    Output::EncryptFirst => next.machine.dial_again(now.mono, true),
                    Output::Broken(error) => next.machine.broken(now.mono, error, dice, facts.offline),
                    Output::Rested => next.joining = None,
                    Output::Servers(hosts) => self.deeds.push_back(Deed::Learn(hosts)),
                    Output::Live(heard)
                        if self.live.overlaps() && self.heard_beside(now, &heard, chunk, next.session.own()) =>
                    {
                        next.overlap = earliest(next.overlap, Some(now.mono + limits::OVERLAP));
                    }
                    _ => {}
                }
            }
            let Some(act) = next.machine.poll() else { break };
            match act {
                Act::Ask { attempt, reason } if self.asks => self.turn.rows.push(Row::Ask { attempt, reason }),
                Act::Ask { .. } => self.deeds.push_back(Deed::Ready(self.login.clone())),
                Act::Dial { generation, url, encrypted } => {
                    next.outbox.clear();
                    self.deeds.push_back(Deed::Dial { generation, url: Some(url), encrypted });
                }
                Act::HangUp(generation) => {
                    next.session.handle(now, Input::Closed, &mut next.outbox);
                    next.outbox.clear();
                    self.seen(Direction::In, generation, now, &[]);
                    self.deeds.push_back(Deed::HangUp(generation));
                }
                Act::Up { .. } => {
                    next.overlap = Some(now.mono);
                    if self.live.hears() {
                        let (session, next_session) = (self.session.as_mut(), next.session.as_mut());
                        self.live.listen_beside(now, session, next_session, &mut next.outbox);
                        next.overlap = Some(now.mono + limits::REST);
                    }
                    if let Some(shared) = self.session.share() {
                        next.session.join(shared, &mut next.outbox);
                        next.joining = Some(now.mono + limits::REST);
                    }
                }
                Act::Over(_) | Act::Down(_) => {
                    // No other server takes us: stay until this one closes.
                    self.machine.outlive(&next.machine);
                    return self.go_on_here(now, next.rest.is_some());
                }
                Act::Probe => next.session.probe(now, &mut next.outbox),
                Act::Retry { .. } => {}
            }
        }
        let due = |until: Option<Time>| until.is_none_or(|until| until <= now.mono);
        if next.overlap.is_some() && (due(next.overlap) && due(next.joining) || self.live.holds_too_much()) {
            next.overlap = None;
            self.session.rest(&mut self.outbox);
            next.rest = Some(Rest { until: now.mono + limits::REST, echo: true });
        }
        if next.outbox.is_due() {
            let bytes = next.outbox.take(Vec::new());
            self.write(now, next.machine.generation(), bytes);
        }
        self.next = Some(next);
    }

    fn write(&mut self, now: Now, generation: u32, bytes: Vec<u8>) {
        self.seen(Direction::Out, generation, now, &bytes);
        self.deeds.push_back(Deed::Write(generation, bytes));
    }

    /// A frame whose beginning has come by the next link is seen whole.
    #[inline(never)]
    pub(super) fn see_next_held(&mut self, now: Now) {
        let held = self.next.as_ref().map(|next| (next.machine.generation(), next.session.held().to_vec()));
        if let Some((generation, held)) = held {
            self.seen(Direction::In, generation, now, &held);
        }
    }

    /// The next link came to nothing. What was held back for it goes on by the present one, if that lives.
    fn go_on_here(&mut self, now: Now, rested: bool) {
        self.session.stay();
        if self.live.overlaps() {
            self.listen_on(now, rested);
        }
        if !self.is_up() {
            return;
        }
        if !self.consumers.is_empty() {
            self.consumers_up(now);
        }
        let (producers, _, _, mut ctx) = self.parts(now);
        producers.go_on(&mut ctx);
        self.tell_live(now, Moment::Up);
    }

    /// Give the move up: the connection is lost or closed.
    #[inline(never)]
    pub(super) fn drop_next(&mut self, now: Now) {
        if let Some(next) = self.next.take() {
            self.machine.outlive(&next.machine);
            self.seen(Direction::In, next.machine.generation(), now, &[]);
            self.deeds.push_back(Deed::HangUp(next.machine.generation()));
            self.go_on_here(now, next.rest.is_some());
        }
    }

    /// The present link is lost. Whether the next one can take its place at once.
    #[inline(never)]
    pub(super) fn has_another(&mut self, now: Now) -> bool {
        let Some(next) = self.next.as_mut().filter(|next| next.overlap.is_some() || next.rest.is_some()) else {
            self.drop_next(now);
            return false;
        };
        next.overlap = None;
        next.rest = Some(Rest { until: now.mono, echo: false });
        true
    }

    /// Take the next link's place, once everything on this one has its answer, or has had its time.
    #[inline(never)]
    pub(super) fn try_to_move(&mut self, now: Now) {
        let Some(rest) = self.next.as_ref().and_then(|next| next.rest.as_ref()) else { return };
        let quiet = !rest.echo && self.producers.receipts.is_empty() && !self.waits.on_the_wire();
        if self.machine.is_up() && !(quiet && self.watchers.confirms.is_empty()) && rest.until > now.mono {
            return;
        }
        let Some(mut next) = self.next.take() else { return };
        let Some(link) = next.session.give_link() else { return self.go_on_here(now, true) };
        self.outbox.release_acks();
        if self.machine.is_up() && self.outbox.is_due() {
            let bytes = self.outbox.take(Vec::new());
            self.write(now, self.machine.generation(), bytes);
        }
        let error = Error::new(Kind::ConnectionLost, "the server has shut down");
        if self.machine.is_up() {
            self.link_down(now, &error, Moment::Moved);
        }
        self.machine.move_to(now.mono, &next.machine);
        while let Some(act) = self.machine.poll() {
            self.act(now, act);
        }
        self.session.take_link(now, link, &mut self.outbox);
    }
}

impl Producers {
    /// What waited while nothing new was to be written may be.
    #[inline(never)]
    fn go_on(&mut self, ctx: &mut Context<'_>) {
        for id in self.ids(|producer| !producer.targets.is_empty()) {
            self.pump(ctx, id, false);
        }
    }
}
