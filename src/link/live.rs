//! Live messages and questions as a session sees them: sent to whoever listens now, stored nowhere (semantics.md
//! section 8).
//!
//! Who holds how many of them, and for how long an answer is waited for, is decided above.

use super::outbox::Outbox;
use super::session::{Source, Span};
use crate::base::error::Error;
use crate::base::time::Now;
use std::rc::Rc;

/// A subscription. Never reused within a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubId(pub u32);

/// A question that waits for its answer. Never reused within a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u32);

/// A live message before it is encoded.
#[derive(Clone, Copy, Debug, Default)]
pub struct LiveDraft<'a> {
    /// Application headers.
    pub headers: &'a [(&'a str, &'a str)],
    /// An id for the receiver.
    pub id: Option<&'a str>,
    /// A text beside the headers.
    pub metadata: Option<&'a str>,
    /// An answer that says what went wrong: the text, and whether the question was carried out all the same.
    pub error: Option<(&'a str, bool)>,
    /// The payload.
    pub data: &'a [u8],
}

impl LiveDraft<'_> {
    /// There is only a payload.
    pub fn is_plain(&self) -> bool {
        self.headers.is_empty() && self.id.is_none() && self.metadata.is_none() && self.error.is_none()
    }
}

/// What stands beside the application's headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// The sender's id.
    pub id: Option<String>,
    /// The text beside the headers.
    pub metadata: Option<String>,
    /// An answer's failure, and whether the question was carried out all the same.
    pub error: Option<(String, bool)>,
}

/// Something that came, as positions in the bytes it came with. Invariant: all lie inside `frame`.
#[derive(Clone, Copy, Debug)]
pub struct Sound {
    /// Where the ranges point to.
    pub source: Source,
    /// All of its bytes.
    pub frame: Span,
    /// The channel it was sent to.
    pub channel: Span,
    /// Where an answer goes; empty if none is wanted.
    pub reply: Span,
    /// The header block, in the broker's own form.
    pub head: Span,
    /// The payload.
    pub data: Span,
}

/// What a session has to say of live messages.
#[derive(Debug)]
pub enum Heard {
    /// The broker knows of the subscription; told again on every link.
    Opened(SubId),
    /// The broker refuses the subscription.
    Refused(SubId, Error),
    /// Nothing comes any more for a subscription that was ended.
    Over(SubId),
    /// A message.
    Message(SubId, Sound),
    /// An answer.
    Answer(AskId, Sound),
    /// Nobody listens who could answer.
    Nobody(AskId),
    /// The broker refused what was sent to this channel.
    Denied(String, Error),
    /// More of what was sent has been confirmed.
    Confirmed,
}

/// The part of a session that carries live messages.
pub trait Live {
    /// Listen. While the link is down it is remembered, and on every new link it is said again.
    fn subscribe(&mut self, now: Now, out: &mut Outbox, sub: SubId, channel: &str, group: &str);
    /// Listen no longer; [`Heard::Over`] follows what is still on its way.
    fn unsubscribe(&mut self, now: Now, out: &mut Outbox, sub: SubId);
    /// Append the message to `into`: head, then payload. Returns the head's length. Checks what the protocol limits.
    fn encode(&self, draft: &LiveDraft<'_>, into: &mut Vec<u8>) -> Result<u32, Error>;
    /// Write an encoded message; with `ask`, an answer is wanted.
    fn send(&mut self, now: Now, out: &mut Outbox, to: &str, ask: Option<AskId>, message: &[u8], head: u32);
    /// Write a payload that nothing stands beside: the hot path, where a broker with a wire copies it once. Checks what
    /// the protocol limits.
    fn send_plain(&mut self, now: Now, out: &mut Outbox, to: &Rc<str>, data: &[u8]) -> Result<(), Error> {
        let mut message = Vec::new();
        let head = self.encode(&LiveDraft { data, ..LiveDraft::default() }, &mut message)?;
        self.send(now, out, to, None, &message, head);
        Ok(())
    }
    /// The same for many, each with its channel, which is known to be taken; how many there were, and the bytes of their payloads.
    fn send_all<'a>(
        &mut self,
        now: Now,
        out: &mut Outbox,
        messages: &mut dyn Iterator<Item = (&'a Rc<str>, &'a [u8])>,
    ) -> (u64, u64) {
        let (mut count, mut length) = (0_u64, 0_u64);
        for (to, data) in messages {
            if self.send_plain(now, out, to, data).is_ok() {
                count = count.saturating_add(1);
                length = length.saturating_add(data.len() as u64);
            }
        }
        (count, length)
    }
    /// The largest payload that [`Live::send_plain`] takes whatever it is; 0 where a message has to be given when it is made.
    fn takes(&self) -> u64 {
        0
    }
    /// Another link is about to take this one's place: it is left to subscribe to what is new. Where answers come in here
    /// is given back.
    fn lend(&mut self) -> Vec<String> {
        Vec::new()
    }
    /// Answers come in here as well; an [`Heard::Opened`] of no subscription tells when the broker knows.
    fn hear_answers(&mut self, _out: &mut Outbox, _inboxes: Vec<String>) {}
    /// This link stays after all: subscribe to everything again.
    fn stay(&mut self, _out: &mut Outbox) {}
    /// Have everything that was sent confirmed as soon as possible.
    fn confirm(&mut self, out: &mut Outbox);
}
