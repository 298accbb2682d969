//! Two links at once, while this server is about to go: the next one listens to all that the present one listens to, so
//! that nothing is lost between them.
//!
//! ```text
//! both listen: the present link serves, what the next one brings is held -> moved: what was not given yet is, in its order
//! ```
//!
//! A message for whoever is subscribed comes on both links, and nothing in it says that it is the same: two with the same
//! bytes, one on each link, are taken for one. At most once is what was promised: of messages that are alike in every byte
//! some may be missing, as many as were under way when the next link began to listen. Members of a group are two members meanwhile, and get each message once.
//! Answers go to where the question said, on whichever link that is heard.

use super::{Live, LiveRow, Stage};
use crate::base::limits;
use crate::base::time::{Now, Time};
use crate::client::connection::Connection;
use crate::client::context::Context;
use crate::client::turn::{OpId, Row};
use crate::link::live::{Heard, Sound, SubId};
use crate::link::outbox::Outbox;
use crate::link::session::{Session, Source, Span};
use std::collections::VecDeque;

/// Marks that are kept at most; beyond it the oldest is forgotten.
const MARKS: usize = 64 * 1024;

/// What is known of both links.
#[derive(Debug, Default)]
pub(super) struct Overlap {
    /// What the next link brought and the present one did not, in order: whose, its mark, positions in `bytes`.
    held: Vec<(SubId, u64, Sound)>,
    bytes: Vec<u8>,
    /// Marks of what the present link gave and the next one has not brought, in order.
    given: VecDeque<u64>,
    /// Subscriptions that the next server has not confirmed.
    unknown: usize,
    /// The move is done; until when the new link may still bring what the old one gave.
    until: Option<Time>,
}

impl Overlap {
    /// The present link gives a message.
    fn give(&mut self, mark: u64) {
        if let Some(at) = self.held.iter().position(|(_, held, _)| *held == mark) {
            self.held.remove(at);
            if self.held.is_empty() {
                self.bytes.clear();
            }
            return;
        }
        if self.given.len() >= MARKS {
            self.given.pop_front();
        }
        self.given.push_back(mark);
    }

    /// The next link brings a message: whether the present one gave it.
    fn was_given(&mut self, mark: u64) -> bool {
        let at = self.given.iter().position(|given| *given == mark);
        at.is_some_and(|at| self.given.remove(at).is_some())
    }
}

impl Live {
    /// Somebody listens or has asked: a second link has to hear the same.
    #[inline(always)]
    pub fn hears(&self) -> bool {
        self.asks.iter().any(|ask| ask.sent) || self.subs.iter().any(Option::is_some)
    }

    /// A responder works on a question.
    #[inline(always)]
    pub fn is_answering(&self) -> bool {
        self.subs.iter().flatten().any(|sub| sub.running > 0)
    }

    /// Two links listen, or did a moment ago.
    #[inline(always)]
    pub fn overlaps(&self) -> bool {
        self.overlap.is_some()
    }

    /// More is held than should be: time to move.
    #[inline(always)]
    pub fn holds_too_much(&self) -> bool {
        self.overlap.as_ref().is_some_and(|overlap| overlap.bytes.len() > limits::OVERLAP_BYTES)
    }

    /// Have the next link listen as well. From here on new subscriptions wait for it.
    #[inline(never)]
    pub fn listen_beside(&mut self, now: Now, present: &mut dyn Session, next: &mut dyn Session, out: &mut Outbox) {
        next.live().hear_answers(out, present.live().lend());
        let mut overlap = Overlap { unknown: 1, ..Overlap::default() };
        for (index, sub) in self.subs.iter().enumerate() {
            if let Some(sub) = sub.as_deref().filter(|sub| matches!(sub.stage, Stage::Opening | Stage::Open)) {
                next.live().subscribe(now, out, SubId(index as u32), &sub.listen.channel, &sub.listen.group);
                overlap.unknown += 1;
            }
        }
        self.overlap = Some(Box::new(overlap));
    }

    /// The next link brought something, while the present one serves; positions in the chunk or in `own`. True when it
    /// listens to everything.
    fn heard_beside(&mut self, ctx: &mut Context<'_>, heard: &Heard, chunk: &[u8], own: &[u8]) -> bool {
        match *heard {
            Heard::Message(sub, sound) => {
                let everybodys = self.is_everybodys(sub);
                let Some(overlap) = &mut self.overlap else { return false };
                let home = home(&sound, chunk, own);
                let mark = mark(sub, &sound, home);
                if !(everybodys && overlap.was_given(mark)) {
                    let sound = pack(&mut overlap.bytes, home, &sound);
                    overlap.held.push((sub, mark, sound));
                }
            }
            Heard::Answer(ask, sound) if self.take_ask(OpId(ask.0)).is_some() => {
                self.count(&sound);
                let sound = pack(&mut ctx.turn.pack, home(&sound, chunk, own), &sound);
                ctx.turn.rows.push(Row::Live(LiveRow::Answer(OpId(ask.0), sound)));
            }
            // One that is refused is refused again after the move, and ends then.
            Heard::Opened(_) | Heard::Refused(..) => {
                if let Heard::Opened(sub) = *heard {
                    self.heard(ctx, Heard::Opened(sub));
                }
                if let Some(overlap) = &mut self.overlap {
                    overlap.unknown = overlap.unknown.saturating_sub(1);
                    return overlap.unknown == 0;
                }
            }
            _ => {}
        }
        false
    }

    /// Whether this message of the link that serves was given before, by the one before it. While two links listen, it is
    /// remembered that it is given now.
    fn is_echo(&mut self, now: Now, heard: &Heard, chunk: &[u8], own: &[u8]) -> bool {
        let Heard::Message(sub, sound) = heard else { return false };
        if !self.is_everybodys(*sub) {
            return false;
        }
        let Some(overlap) = &mut self.overlap else { return false };
        let mark = mark(*sub, sound, home(sound, chunk, own));
        match overlap.until {
            None => {
                overlap.give(mark);
                false
            }
            Some(until) if until > now.mono && !overlap.given.is_empty() => overlap.was_given(mark),
            Some(_) => {
                self.overlap = None;
                false
            }
        }
    }

    /// Each of its messages comes on both links.
    fn is_everybodys(&self, sub: SubId) -> bool {
        let sub = self.subs.get(sub.0 as usize).and_then(Option::as_deref);
        sub.is_some_and(|sub| sub.listen.group.is_empty())
    }

    /// The next link takes the present one's place. False if it does not listen to what that one did.
    pub(super) fn moved(&mut self, ctx: &mut Context<'_>) -> bool {
        let Some(mut overlap) = self.overlap.take() else { return false };
        if overlap.until.is_some() {
            return false;
        }
        self.give_held(ctx, &mut overlap, true);
        overlap.until = Some(ctx.now.mono + limits::LATE_ECHO);
        self.overlap = Some(overlap);
        true
    }

    /// What the next link brought: all of it, or what came to us as a member of a group.
    fn give_held(&mut self, ctx: &mut Context<'_>, overlap: &mut Overlap, all: bool) {
        let bytes = std::mem::take(&mut overlap.bytes);
        for (sub, _, sound) in std::mem::take(&mut overlap.held) {
            if all || !self.is_everybodys(sub) {
                self.message(ctx, sub, &sound, Some(&bytes));
            }
        }
    }

    /// The next link came to nothing. `rested`: the present one has not listened for a moment; otherwise it brings by itself
    /// what comes to everybody.
    fn stay(&mut self, ctx: &mut Context<'_>, rested: bool) {
        if let Some(mut overlap) = self.overlap.take().filter(|overlap| overlap.until.is_none()) {
            self.give_held(ctx, &mut overlap, rested);
        }
        if ctx.linked {
            ctx.session.live().stay(ctx.out);
        }
    }
}

impl Connection {
    /// See [`Live::is_echo`].
    #[inline(never)]
    pub(in crate::client) fn is_echo(&mut self, now: Now, heard: &Heard, chunk: &[u8]) -> bool {
        self.live.is_echo(now, heard, chunk, self.session.own())
    }

    /// See [`Live::heard_beside`].
    #[inline(never)]
    pub(in crate::client) fn heard_beside(&mut self, now: Now, heard: &Heard, chunk: &[u8], own: &[u8]) -> bool {
        let (live, _, mut ctx) = self.live_parts(now);
        live.heard_beside(&mut ctx, heard, chunk, own)
    }

    /// See [`Live::stay`].
    #[inline(never)]
    pub(in crate::client) fn listen_on(&mut self, now: Now, rested: bool) {
        let (live, _, mut ctx) = self.live_parts(now);
        live.stay(&mut ctx, rested);
    }
}

/// A copy behind what is there.
pub(super) fn pack(into: &mut Vec<u8>, home: &[u8], sound: &Sound) -> Sound {
    let mut sound = Sound { source: Source::Own, ..*sound };
    let (base, from) = (into.len() as u32, sound.frame.at);
    let bytes = home.get(from as usize..).and_then(|rest| rest.get(..sound.frame.len as usize));
    into.extend_from_slice(bytes.unwrap_or_default());
    for span in [&mut sound.frame, &mut sound.channel, &mut sound.reply, &mut sound.head, &mut sound.data] {
        span.at = span.at.saturating_sub(from).saturating_add(base);
    }
    sound
}

/// The bytes that the positions of a message point to.
fn home<'a>(sound: &Sound, chunk: &'a [u8], own: &'a [u8]) -> &'a [u8] {
    match sound.source {
        Source::Chunk => chunk,
        Source::Own => own,
    }
}

/// FNV-1a over everything that a message says, to whom, and how long each part is.
fn mark(sub: SubId, sound: &Sound, home: &[u8]) -> u64 {
    let mut mark = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |byte: u8| mark = (mark ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    sub.0.to_le_bytes().into_iter().for_each(&mut add);
    for Span { at, len } in [sound.channel, sound.reply, sound.head, sound.data] {
        len.to_le_bytes().into_iter().for_each(&mut add);
        let part = home.get(at as usize..).and_then(|rest| rest.get(..len as usize));
        part.unwrap_or_default().iter().copied().for_each(&mut add);
    }
    mark
}
