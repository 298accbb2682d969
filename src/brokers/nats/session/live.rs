//! Live messages on core NATS: subscriptions, publishes, and answers on the inbox (jetstream.md section 7).
//!
//! Comes in a part of the wasm of its own: the session calls it only where something of it has been used. Knows nothing of who holds messages and for how long answers are waited for.

use super::super::wire::{self, Msg};
use super::super::{head, live_head};
use super::pings::{ASK, Ears, Ping};
use super::{EPOCH_BITS, INBOX_SID, NatsSession, Phase};
use crate::base::error::{Error, Kind};
use crate::base::id::{parse_base36, push_base36};
use crate::base::limits;
use crate::base::time::Now;
use crate::link::live::{AskId, Heard, Live, LiveDraft, Sound, SubId};
use crate::link::outbox::Outbox;
use crate::link::session::{Output, Source, Span};
use std::ops::Range;
use std::rc::Rc;

/// What a message counts beside its channel and payload: lines without a payload fill a socket as well.
const LINE: usize = 16;

/// The question behind a reply subject, if it is one of the application's.
fn ask_of(name: &[u8]) -> Option<AskId> {
    let (first, id) = name.split_first()?;
    let id = Some(id).filter(|_| *first == ASK).and_then(parse_base36)?;
    u32::try_from(id).ok().map(AskId)
}

/// The subscription behind a number of the wire, if it is one of live messages.
fn sub_of(sid: u32) -> Option<SubId> {
    Some(SubId((sid >> 1).wrapping_sub(1))).filter(|_| sid & 1 == 0 && sid > 0)
}

fn sid(sub: SubId) -> u32 {
    sub.0.saturating_add(1) << 1
}

/// Links before the present one whose inboxes are heard; a question lives for seconds, a server for days.
const INBOXES: usize = 4;

/// What the `PONG` behind the subscriptions to inboxes opens.
const NO_SUB: SubId = SubId(u32::MAX);

/// The number of a subscription to an earlier link's inbox: that of a feed, with the epoch that no feed has.
fn inbox_sid(index: usize) -> u32 {
    (u32::try_from(index).unwrap_or_default().saturating_add(1) << EPOCH_BITS) << 1 | INBOX_SID
}

impl NatsSession {
    /// Nothing is to come on this link any more: the next one listens.
    #[inline(never)]
    pub(super) fn listen_no_more(&mut self, out: &mut Outbox) {
        for (sub, ..) in &self.ears.subs {
            wire::push_unsub(out.main(), sid(*sub));
        }
    }

    /// Go on with what another session has been listening to, and for.
    #[inline(never)]
    pub(super) fn hear_on(&mut self, ears: Ears, out: &mut Outbox) {
        for (sub, ..) in &ears.subs {
            if !self.ears.subs.iter().any(|(known, ..)| known == sub) {
                wire::push_unsub(out.main(), sid(*sub));
            }
        }
        self.ears.told = ears.subs.into_iter().map(|(sub, ..)| sub).collect();
        self.ears.pings = ears.pings;
        self.ears.inboxes = ears.inboxes;
    }

    /// A message to an earlier link's inbox.
    #[inline(never)]
    pub(super) fn answered_late(&mut self, msg: &Msg, bytes: &[u8], source: Source, start: usize) {
        let subject = bytes.get(msg.subject.clone()).unwrap_or_default();
        self.answered(subject.rsplit(|byte| *byte == b'.').next().unwrap_or_default(), msg, bytes, source, start);
    }

    /// The link is up: say every subscription again, before anything is published on it.
    #[inline(never)]
    pub(super) fn listen_again(&mut self, out: &mut Outbox) {
        let told = std::mem::take(&mut self.ears.told);
        for (sub, channel, group) in self.ears.subs.iter().filter(|(sub, ..)| !told.contains(sub)) {
            push_listen(out, *sub, channel, group);
            self.ears.pings.push_back(Ping::Opened(*sub));
        }
    }

    /// The link is gone, and with it what was on its way.
    #[inline(never)]
    pub(super) fn unplug(&mut self) {
        for ping in &self.ears.pings {
            if let Ping::Over(sub) = ping {
                self.outputs.push_back(Output::Live(Heard::Over(*sub)));
            }
        }
        if self.ears.unconfirmed > 0 {
            self.outputs.push_back(Output::Live(Heard::Confirmed));
        }
    }

    /// What the server has answered to.
    #[inline(never)]
    pub(super) fn answered_ping(&mut self, ping: Ping) {
        let heard = match ping {
            Ping::Probe | Ping::Settled(_) | Ping::Rested => return,
            Ping::Opened(sub) => Heard::Opened(sub),
            Ping::Over(sub) => Heard::Over(sub),
            Ping::Confirms(bytes) => {
                self.ears.unconfirmed = self.ears.unconfirmed.saturating_sub(bytes);
                Heard::Confirmed
            }
        };
        self.outputs.push_back(Output::Live(heard));
    }

    /// The user may not listen there; false if nobody does.
    #[inline(never)]
    pub(super) fn deafened(&mut self, subject: &str, text: &str) -> bool {
        let waits = |sub: SubId| self.ears.pings.contains(&Ping::Opened(sub));
        // The one whose subscription is on its way; a permission that was taken away later means all of them.
        let mut meant: Vec<SubId> =
            self.ears.subs.iter().filter(|(_, channel, _)| channel == subject).map(|(sub, ..)| *sub).collect();
        let any = !meant.is_empty();
        if let Some(fresh) = meant.iter().copied().find(|sub| waits(*sub)) {
            meant = vec![fresh];
        }
        for sub in meant {
            let denied = Error::new(Kind::PermissionDenied, format!("the user may not subscribe to {subject}"))
                .hint("Ask for the right to subscribe to this channel.")
                .said(text);
            self.deaf(sub, denied);
        }
        any
    }

    fn deaf(&mut self, sub: SubId, error: Error) {
        self.ears.subs.retain(|(other, ..)| *other != sub);
        self.outputs.push_back(Output::Live(Heard::Refused(sub, error)));
    }

    /// A command was refused that the link survives: only a subscription waits for it.
    #[inline(never)]
    pub(super) fn refused(&mut self, text: &str) {
        let waiting = self.ears.pings.iter().find_map(|ping| match ping {
            Ping::Opened(sub) => Some(*sub),
            _ => None,
        });
        if let Some(sub) = waiting {
            let error = Error::new(Kind::Rejected, "the broker refused the subscription")
                .hint("The account may have reached its limit of subscriptions.")
                .said(text);
            self.deaf(sub, error);
        }
    }

    /// Have what was published last confirmed.
    #[inline(never)]
    pub(super) fn confirm_last(&mut self, out: &mut Outbox) {
        self.ears.fresh_since = None;
        let fresh = std::mem::take(&mut self.ears.fresh);
        if fresh > 0 {
            self.ears.ping(out, Ping::Confirms(fresh));
        }
    }

    /// Messages were written, of so many bytes.
    fn published(&mut self, now: Now, out: &mut Outbox, length: usize) {
        let bytes = length as u64;
        let ears = &mut self.ears;
        ears.unconfirmed = ears.unconfirmed.saturating_add(bytes);
        ears.fresh = ears.fresh.saturating_add(bytes);
        ears.fresh_since.get_or_insert(now.mono);
        if ears.fresh >= limits::CONFIRM_AT {
            self.confirm_last(out);
        }
    }

    /// A message for a subscription.
    #[inline(never)]
    pub(super) fn heard(&mut self, msg: &Msg, bytes: &[u8], source: Source, start: usize) {
        let Some(sub) = sub_of(msg.sid) else { return };
        self.outputs.push_back(Output::Live(Heard::Message(sub, sound(msg, bytes.len(), source, start))));
    }

    /// An answer.
    #[inline(never)]
    pub(super) fn answered(&mut self, name: &[u8], msg: &Msg, bytes: &[u8], source: Source, start: usize) {
        let Some(ask) = ask_of(name) else { return };
        let head = bytes.get(msg.head.clone()).unwrap_or_default();
        let heard = if wire::status(head) == 503 && msg.data.is_empty() {
            Heard::Nobody(ask)
        } else {
            Heard::Answer(ask, sound(msg, bytes.len(), source, start))
        };
        self.outputs.push_back(Output::Live(heard));
    }
}

fn push_listen(out: &mut Outbox, sub: SubId, channel: &str, group: &str) {
    let main = out.main();
    let blank: &[u8] = if group.is_empty() { b"" } else { b" " };
    wire::push_sub(main, &[channel.as_bytes(), blank, group.as_bytes()], sid(sub));
    main.extend_from_slice(b"PING\r\n");
}

fn sound(msg: &Msg, len: usize, source: Source, start: usize) -> Sound {
    let span = |range: &Range<usize>| Span {
        at: u32::try_from(start.saturating_add(range.start)).unwrap_or(u32::MAX),
        len: u32::try_from(range.len()).unwrap_or(u32::MAX),
    };
    Sound {
        source,
        frame: span(&(0..len)),
        channel: span(&msg.subject),
        reply: span(&msg.reply),
        head: span(&msg.head),
        data: span(&msg.data),
    }
}

impl Live for NatsSession {
    fn subscribe(&mut self, _now: Now, out: &mut Outbox, sub: SubId, channel: &str, group: &str) {
        self.ears.used = true;
        self.ears.subs.push((sub, channel.into(), group.into()));
        if self.phase == Phase::Up && !self.ears.leaving {
            push_listen(out, sub, channel, group);
            self.ears.pings.push_back(Ping::Opened(sub));
        }
    }

    fn unsubscribe(&mut self, _now: Now, out: &mut Outbox, sub: SubId) {
        let known = self.ears.subs.len();
        self.ears.subs.retain(|(other, ..)| *other != sub);
        if self.phase == Phase::Up && self.ears.subs.len() < known {
            wire::push_unsub(out.main(), sid(sub));
            self.ears.ping(out, Ping::Over(sub));
        } else {
            self.outputs.push_back(Output::Live(Heard::Over(sub)));
        }
    }

    fn encode(&self, draft: &LiveDraft<'_>, into: &mut Vec<u8>) -> Result<u32, Error> {
        live_head::encode(draft, self.info.max_payload, into)
    }

    fn send(&mut self, now: Now, out: &mut Outbox, to: &str, ask: Option<AskId>, message: &[u8], head: u32) {
        self.ears.used = true;
        let head = head as usize;
        match ask {
            None => {
                wire::push_pub(out.main(), &[to.as_bytes()], &[], message, head);
                self.published(now, out, to.len().saturating_add(message.len()).saturating_add(LINE));
            }
            Some(ask) => {
                self.name.clear();
                self.name.extend_from_slice(&[b'.', ASK]);
                push_base36(&mut self.name, u64::from(ask.0));
                wire::push_pub(out.main(), &[to.as_bytes()], &[self.inbox.as_bytes(), &self.name], message, head);
            }
        }
    }

    fn send_plain(&mut self, now: Now, out: &mut Outbox, to: &Rc<str>, data: &[u8]) -> Result<(), Error> {
        head::fits(0, data.len(), self.info.max_payload)?;
        self.send_all(now, out, &mut std::iter::once((to, data)));
        Ok(())
    }

    fn send_all<'a>(
        &mut self,
        now: Now,
        out: &mut Outbox,
        messages: &mut dyn Iterator<Item = (&'a Rc<str>, &'a [u8])>,
    ) -> (u64, u64) {
        self.ears.used = true;
        let (mut count, mut length, mut written) = (0_u64, 0_u64, 0_usize);
        let mut main = out.main();
        // What ends a payload stands before the next line: one piece to copy less.
        let mut open = false;
        for (to, data) in messages {
            let line = &mut self.ears.line;
            if line.length != data.len() || !line.to.as_ref().is_some_and(|known| Rc::ptr_eq(known, to)) {
                line.to = Some(to.clone());
                line.length = data.len();
                line.text.clear();
                line.text.extend_from_slice(b"\r\n");
                wire::push_pub_line(&mut line.text, to.as_bytes(), data.len());
            }
            main.extend_from_slice(line.text.get(if open { 0 } else { 2 }..).unwrap_or_default());
            main.extend_from_slice(data);
            open = true;
            count = count.saturating_add(1);
            length = length.saturating_add(data.len() as u64);
            written = written.saturating_add(to.len()).saturating_add(data.len()).saturating_add(LINE);
            if self.ears.fresh.saturating_add(written as u64) >= limits::CONFIRM_AT {
                main.extend_from_slice(b"\r\n");
                open = false;
                self.published(now, out, std::mem::take(&mut written));
                main = out.main();
            }
        }
        if open {
            main.extend_from_slice(b"\r\n");
            self.published(now, out, written);
        }
        (count, length)
    }

    fn takes(&self) -> u64 {
        self.info.max_payload
    }

    fn lend(&mut self) -> Vec<String> {
        self.ears.leaving = true;
        let mut inboxes = self.ears.inboxes.clone();
        inboxes.insert(0, self.inbox.clone());
        inboxes.truncate(INBOXES);
        inboxes
    }

    fn hear_answers(&mut self, out: &mut Outbox, inboxes: Vec<String>) {
        self.ears.used = true;
        for (index, inbox) in inboxes.iter().enumerate() {
            wire::push_sub(out.main(), &[inbox.as_bytes(), b".*"], inbox_sid(index));
        }
        self.ears.inboxes = inboxes;
        self.ears.ping(out, Ping::Opened(NO_SUB));
    }

    fn stay(&mut self, out: &mut Outbox) {
        self.ears.leaving = false;
        self.listen_again(out);
    }

    fn confirm(&mut self, out: &mut Outbox) {
        if self.phase == Phase::Up {
            self.confirm_last(out);
        }
    }
}
