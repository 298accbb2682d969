//! What one producer consists of, and the errors it has.
//!
//! Knows no other producer, no broker and no promise; `producer` moves the messages.

use super::call::{Call, State};
use super::lane::Lane;
use super::turn::{CallId, OpId};
use crate::base::error::{Error, Kind};
use crate::base::id::push_base36;
use crate::base::time::{Millis, Time};
use crate::link::session::Times;
use crate::policy::resend;
use std::collections::VecDeque;

/// One message as the application gives it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Headers.
    pub headers: &'a [(&'a str, &'a str)],
    /// The application's own id.
    pub msg_id: Option<&'a str>,
    /// Key that chooses the partition.
    pub key: Option<&'a str>,
    /// Number of the partition.
    pub partition: Option<u32>,
    /// The payload.
    pub data: &'a [u8],
    /// How long to wait for the receipt.
    pub ack_wait: Millis,
    /// Wait while the producer has that many messages without an outcome.
    pub limit: u32,
    /// Resolve with the receipt.
    pub wants_receipt: bool,
    /// When it appears and when it goes.
    pub times: Times,
}

/// One station as a producer sends to it.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) station: String,
    /// It is gone; the other stations of the list are not.
    pub(super) gone: Option<Error>,
    pub(super) window: Millis,
    pub(super) lanes: Vec<Lane>,
    pub(super) numbers: Vec<u32>,
    pub(super) turn: u32,
}

/// How a producer stands.
#[derive(Debug)]
pub(super) enum Stage {
    /// Its stations are being looked up or created; calls wait.
    Opening,
    /// It sends.
    Open,
    /// It was destroyed; what is pending may finish until then.
    Closing { op: Option<OpId>, until: Time },
    /// It is over, and why.
    Ended(Error),
}

/// Somebody waits until everything produced so far has its outcome.
#[derive(Debug)]
pub(super) struct Flush {
    pub(super) op: OpId,
    pub(super) before: u64,
    pub(super) left: usize,
}

/// One producer.
#[derive(Debug)]
pub(super) struct Producer {
    /// As the application named it, or a random name.
    pub(super) name: String,
    pub(super) stage: Stage,
    pub(super) targets: Vec<Target>,
    pub(super) stations: Vec<String>,
    pub(super) queue: VecDeque<(CallId, u64)>,
    /// Calls without an outcome that have been written at least once.
    pub(super) in_flight: u32,
    /// The window was full: it fills again when half of it is free, so that what enters it leaves in few sends.
    pub(super) full: bool,
    /// All calls without an outcome.
    pub(super) pending: usize,
    /// Beginning of the ids that `autoMsgId` makes; random, since names are shared and counters begin anew.
    pub(super) prefix: Option<String>,
    pub(super) counter: u64,
    pub(super) opened: Vec<OpId>,
    pub(super) flushes: Vec<Flush>,
    /// What its stations are ready for ([`Times::needs`]).
    pub(super) ready: u8,
    /// They are being made ready.
    pub(super) preparing: bool,
}

/// When silence about a message is a reason to look at it.
pub(super) fn silence(call: &Call) -> Option<Time> {
    (call.has_id && matches!(call.state, State::Written(_))).then(|| resend::silence_ends(call.sent))
}

/// The id that `autoMsgId` makes: the producer's own random prefix and a counter.
pub fn auto_text(prefix: &str, number: u64) -> String {
    let mut text = Vec::with_capacity(prefix.len().saturating_add(8));
    text.extend_from_slice(prefix.as_bytes());
    text.push(b'.');
    push_base36(&mut text, number);
    String::from_utf8(text).unwrap_or_default()
}

/// The producer has been closed.
pub(super) fn closed() -> Error {
    Error::new(Kind::Closed, "the producer has been closed").hint("Make another one.")
}

/// The station has no partition of that number.
pub(super) fn no_partition(number: u32) -> Error {
    Error::argument(format!("the station has no partition {number}"))
        .hint("Partitions are numbered from 1; station.partitions lists them.")
}

/// The link was lost before the receipt came.
pub(super) fn lost(maybe: bool) -> Error {
    Error::new(Kind::ConnectionLost, "the link was lost before the receipt came")
        .hint("Give messages a msgId (or the producer autoMsgId), so that they can be sent again safely.")
        .maybe_delivered(maybe)
}
