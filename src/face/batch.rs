//! Many messages in one crossing, and what messages of one call have in common.
//!
//! A batch is no protocol of its own: each message has its own place in the queue, its receipt and its repeats. What is
//! saved is the way: one call, one borrow, one write.

use super::engine::Engine;
use crate::base::bytes::parse_decimal;
use crate::base::error::{Error, Kind};
use crate::base::time::{Millis, Wall};
use crate::client::filter;
use crate::client::producer::Message;
use crate::client::turn::ProducerId;
use crate::client::usual;
use crate::link::session::{Later, Times};
use std::cell::Cell;
use wasm_bindgen::prelude::*;

/// Flags beside a payload.
const NO_RECEIPT: u32 = 1;
const HAS_PARTITION: u32 = 2;
const HAS_WAIT: u32 = 4;
const HAS_LIMIT: u32 = 8;

/// Tags of the texts beside a payload.
pub(super) const TAG_ID: u8 = 1;
const TAG_KEY: u8 = 2;
pub(super) const TAG_NAME: u8 = 3;
pub(super) const TAG_VALUE: u8 = 4;
const TAG_EXPIRES: u8 = 5;
const TAG_DELAY: u8 = 6;
const TAG_FILTER: u8 = 7;

/// What the options of one call say of its messages.
pub(super) struct Common<'a> {
    headers: Vec<(&'a str, &'a str)>,
    msg_id: Option<&'a str>,
    key: Option<&'a str>,
    partition: Option<u32>,
    ack_wait: Millis,
    limit: u32,
    wants_receipt: bool,
    expires: Option<Millis>,
    delay: Option<Millis>,
    /// Of the next message.
    times: Cell<Times>,
}

impl<'a> Common<'a> {
    /// Read tagged texts and numbers; a flag says whether a number was given.
    pub(super) fn read(
        texts: &'a [u8],
        flags: u32,
        partition: f64,
        wait: f64,
        limit: f64,
    ) -> Result<Common<'a>, Error> {
        let mut headers = Vec::new();
        let (mut msg_id, mut key, mut name) = (None, None, "");
        let (mut expires, mut delay) = (None, None);
        // The numbers have been checked: what is not a usual one has been read by `options`.
        let span = |text: &str| parse_decimal(text.as_bytes()).map(Millis);
        for (tag, text) in Texts(texts) {
            match tag {
                TAG_ID => msg_id = Some(text),
                TAG_KEY => key = Some(text),
                TAG_NAME => name = text,
                TAG_VALUE => headers.push((name, text)),
                TAG_EXPIRES => expires = span(text),
                TAG_DELAY => delay = span(text).filter(|span| span.0 > 0),
                TAG_FILTER => headers.push((filter::HEADER, text)),
                _ => {}
            }
        }
        let defaults = usual::PRODUCE_DEFAULTS;
        let partition = (flags & HAS_PARTITION != 0).then_some(partition as u32);
        if key.is_some() && partition.is_some() {
            return Err(usual::both());
        }
        Ok(Common {
            headers,
            msg_id,
            key,
            partition,
            ack_wait: if flags & HAS_WAIT == 0 { defaults.ack_wait } else { Millis(wait as u64) },
            limit: if flags & HAS_LIMIT == 0 { defaults.limit } else { limit as u32 },
            wants_receipt: flags & NO_RECEIPT == 0,
            expires,
            delay,
            times: Cell::new(Times { expires, later: None }),
        })
    }

    /// Say from when on its messages appear and go; what that comes to is kept for their receipts.
    pub(super) fn timed(self, engine: &Engine) -> Common<'a> {
        if self.expires.is_some() || self.delay.is_some() {
            self.count(engine);
        }
        self
    }

    /// A gate of the part that has to do with times: the shell has it loaded when an option says one.
    #[inline(never)]
    fn count(&self, engine: &Engine) {
        let wall = engine.driver.now().wall;
        let after = |at: Wall, span: Millis| Wall(at.0.saturating_add(span.nanos()));
        let visible = self.delay.map(|span| after(wall, span));
        if let (Some(span), Some(at)) = (self.delay, visible) {
            let id = u64::from_le_bytes(engine.driver.random());
            self.times.set(Times { later: Some(Later { span, at, id }), ..self.times.get() });
        }
        engine.times.set([self.expires.map(|span| after(visible.unwrap_or(wall), span)), visible]);
    }

    /// One of the messages.
    pub(super) fn message<'m>(&'m self, data: &'m [u8]) -> Message<'m> {
        let times = self.times.get();
        if let Some(later) = times.later {
            let next = Later { id: later.id.wrapping_add(1), ..later };
            self.times.set(Times { later: Some(next), ..times });
        }
        Message {
            times,
            headers: &self.headers,
            msg_id: self.msg_id,
            key: self.key,
            partition: self.partition,
            data,
            ack_wait: self.ack_wait,
            limit: self.limit,
            wants_receipt: self.wants_receipt,
        }
    }
}

/// Tagged texts: a byte, four bytes of length, the text.
pub(super) struct Texts<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Texts<'a> {
    type Item = (u8, &'a str);

    fn next(&mut self) -> Option<(u8, &'a str)> {
        let (tag, rest) = self.0.split_first()?;
        let (text, rest) = sized(rest)?;
        self.0 = rest;
        Some((*tag, std::str::from_utf8(text).ok()?))
    }
}

/// Four bytes of length and as many bytes, and what follows.
fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_at_checked(4)?;
    rest.split_at_checked(u32::from_le_bytes(length.try_into().ok()?) as usize)
}

#[wasm_bindgen]
impl Engine {
    /// Send what lies in the scratch: `texts` bytes of tagged texts, which count for all, then `length` bytes of payloads,
    /// each behind four bytes of its length. Gives how many were taken, in order; their calls lie in the scratch as words.
    /// Where that is not all of them, the error says why the next one was not.
    #[wasm_bindgen(js_name = produceMany)]
    #[allow(clippy::too_many_arguments)]
    pub fn produce_many(
        &self,
        producer: u32,
        texts: u32,
        length: u32,
        flags: u32,
        partition: f64,
        wait: f64,
        limit: f64,
    ) -> i32 {
        let mut calls = Vec::new();
        let scratch = self.scratch.borrow();
        let short = || Error::new(Kind::Internal, "the scratch is too small");
        let mut send = || -> Result<(), Error> {
            let (texts, rest) = scratch.split_at_checked(texts as usize).ok_or_else(short)?;
            let mut rest = rest.get(..length as usize).ok_or_else(short)?;
            let common = Common::read(texts, flags, partition, wait, limit)?.timed(self);
            self.driver.hot(|core, now| {
                core.check_open()?;
                let (producers, _, _, mut ctx) = core.parts(now);
                while let Some((data, more)) = sized(rest) {
                    calls.push(producers.produce(&mut ctx, ProducerId(producer), &common.message(data))?.0);
                    rest = more;
                }
                Ok(())
            })
        };
        let sent = send();
        drop(scratch);
        // Each payload left at least as much room as its call takes.
        let mut scratch = self.scratch.borrow_mut();
        for (word, call) in scratch.chunks_exact_mut(4).zip(&calls) {
            word.copy_from_slice(&call.to_le_bytes());
        }
        if let Err(error) = sent {
            *self.error.borrow_mut() = Some(error);
        }
        calls.len() as i32
    }
}
