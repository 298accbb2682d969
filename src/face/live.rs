//! Live messages, questions and answers: the methods of the connection that only they need, and their rows of the table.

use super::batch::{TAG_ID, TAG_NAME, TAG_VALUE, Texts};
use super::engine::Engine;
use super::table::Table;
use super::values;
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::time::Millis;
use crate::base::value::Value;
use crate::brokers;
use crate::client::live::{LiveRow, Sent};
use crate::client::turn::OpId;
use crate::client::{live_options, reader};
use crate::link::live::{LiveDraft, Sound, SubId};
use crate::link::session::{Source, Span};
use js_sys::Array;
use wasm_bindgen::prelude::*;

/// More tags of the texts beside a payload: where an answer goes, the text beside the headers, and what went wrong (with
/// the last one, although the question was carried out).
const TAG_TO: u8 = 5;
const TAG_METADATA: u8 = 6;
const TAG_FAILED: u8 = 7;
const TAG_FAILED_YET_DONE: u8 = 8;

/// Better to wait for room, before more is published.
const FULL: i32 = -2;

/// A live message's header block: id, metadata, error and whether the question was carried out, then names and values in
/// turn.
#[wasm_bindgen(skip_typescript, js_name = liveHead)]
pub fn live_head(broker: u32, head: &[u8]) -> Array {
    let kind = brokers::Kind::of_block(broker);
    let (headers, beside) = kind.live_head(head);
    let text = |text: Option<&str>| text.map_or(JsValue::UNDEFINED, JsValue::from_str);
    let executed = beside.error.as_ref().is_none_or(|(_, executed)| *executed);
    let list = Array::new();
    list.push(&text(beside.id.as_deref()));
    list.push(&text(beside.metadata.as_deref()));
    list.push(&text(beside.error.as_ref().map(|(text, _)| text.as_str())));
    list.push(&executed.into());
    for (name, value) in headers {
        list.push(&name.into());
        list.push(&value.into());
    }
    list
}

#[wasm_bindgen]
impl Engine {
    /// A number for a channel that is sent to; 0 makes all earlier ones void.
    #[wasm_bindgen(js_name = liveChannel)]
    pub fn live_channel(&self, channel: &str) -> i32 {
        let number = self.driver.call(|core, _| core.live.channel(channel));
        self.kept(number, |number| number as i32)
    }

    /// Where messages may be laid down while that is allowed, and how many bytes there are (`src/client/tray.rs`).
    pub fn tray(&self) -> Vec<u32> {
        self.driver.look(|core| {
            let bytes = core.live.tray.bytes();
            vec![bytes.as_ptr() as u32, bytes.len() as u32]
        })
    }

    /// Publish what lies in the scratch: `length` bytes of payload, then `texts` bytes of tagged texts. Gives 0, [`FULL`],
    /// or the operation that ends when the link is back.
    pub fn publish(&self, channel: u32, length: u32, texts: u32) -> i32 {
        let sent = self.with_draft(length, texts, |draft, _| {
            self.driver.hot_by_turn(|core, now| {
                core.check_open()?;
                // Numbers are for what waits: there are fewer of them than messages in a day.
                let op = if core.takes_more() { OpId(0) } else { core.next_op() };
                let (live, beside, mut ctx) = core.live_parts(now);
                live.publish(&mut ctx, beside, channel, draft, op).map(|sent| outcome(sent, op))
            })
        });
        self.kept(sent, |op| op)
    }

    /// Ask with what lies in the scratch. Gives the operation that ends with the answer.
    pub fn request(&self, channel: u32, length: u32, texts: u32, limit: Option<f64>) -> i32 {
        let asked = self.with_draft(length, texts, |draft, _| {
            let limit = limit.map(|limit| reader::whole("timeoutMs", &Value::Number(limit), 1, reader::SAFE));
            let limit = limit.transpose()?.map_or(limits::ANSWER, Millis);
            self.driver.call(|core, now| {
                core.check_open()?;
                let op = core.next_op();
                let (live, beside, mut ctx) = core.live_parts(now);
                live.request(&mut ctx, beside, channel, draft, limit, op).map(|()| op.0 as i32)
            })
        });
        self.kept(asked, |op| op)
    }

    /// Answer with what lies in the scratch. Gives as [`Engine::publish`] does.
    pub fn reply(&self, length: u32, texts: u32) -> i32 {
        let sent = self.with_draft(length, texts, |draft, to| {
            self.driver.hot(|core, now| {
                let op = if core.takes_more() { OpId(0) } else { core.next_op() };
                let (live, beside, mut ctx) = core.live_parts(now);
                live.answer(&mut ctx, beside, to, draft, op).map(|sent| outcome(sent, op))
            })
        });
        self.kept(sent, |op| op)
    }

    /// Check options that the shell does not take as they are: only their error is of interest. Gives the time limit.
    #[wasm_bindgen(js_name = checkLive)]
    pub fn check_live(&self, given: &JsValue, asks: bool) -> f64 {
        let read = values::options(given).and_then(|given| live_options::publish(&given, asks));
        let mut limit = -1.0;
        self.kept(read, |read| {
            limit = read.0 as f64;
            0
        });
        limit
    }

    /// Withdraw what waits for the link, or for an answer.
    #[wasm_bindgen(js_name = abortLive)]
    pub fn abort_live(&self, op: u32) {
        self.driver.call(|core, now| {
            let (live, _, mut ctx) = core.live_parts(now);
            live.abort(&mut ctx, OpId(op));
        });
    }

    /// Listen, or answer questions.
    #[wasm_bindgen(js_name = listen)]
    pub fn listen(&self, channel: &str, given: &JsValue, answers: bool) -> i32 {
        let read = || {
            let (given, broker) = (values::options(given)?, self.driver.broker());
            match answers {
                true => live_options::respond(channel, &given, broker),
                false => live_options::subscribe(channel, &given, broker),
            }
        };
        let sub = read().and_then(|listen| {
            self.driver.call(|core, now| {
                core.check_open()?;
                let (live, _, mut ctx) = core.live_parts(now);
                Ok(live.subscribe(&mut ctx, listen))
            })
        });
        self.kept(sub, |sub| sub.0 as i32)
    }

    /// The operation that ends when the broker knows of the subscription.
    #[wasm_bindgen(js_name = whenListening)]
    pub fn when_listening(&self, sub: u32) -> u32 {
        self.operation(|core, now, op| {
            let (live, _, mut ctx) = core.live_parts(now);
            live.when_open(&mut ctx, SubId(sub), op);
        })
    }

    /// Listen no longer.
    #[wasm_bindgen(js_name = listenNoMore)]
    pub fn listen_no_more(&self, sub: u32) {
        self.driver.call(|core, now| {
            let (live, _, mut ctx) = core.live_parts(now);
            live.unsubscribe(&mut ctx, SubId(sub));
        });
    }

    /// Take the message at the front of a subscription's list.
    #[wasm_bindgen(js_name = takeLive)]
    pub fn take_live(&self, sub: u32) -> bool {
        self.driver.look(|core| core.live.take(SubId(sub)))
    }

    /// A question has been worked on.
    pub fn answered(&self, sub: u32) {
        self.driver.call(|core, now| {
            let (live, _, mut ctx) = core.live_parts(now);
            live.answered(&mut ctx, SubId(sub));
        });
    }

    fn with_draft(
        &self,
        length: u32,
        texts: u32,
        work: impl FnOnce(&LiveDraft<'_>, &str) -> Result<i32, Error>,
    ) -> Result<i32, Error> {
        let scratch = self.scratch.borrow();
        let end = (length as usize).saturating_add(texts as usize);
        let (Some(data), Some(texts)) = (scratch.get(..length as usize), scratch.get(length as usize..end)) else {
            return Err(Error::new(Kind::Internal, "the scratch is too small"));
        };
        let mut headers = Vec::new();
        let (mut to, mut name) = ("", "");
        let mut draft = LiveDraft { data, ..LiveDraft::default() };
        for (tag, text) in Texts(texts) {
            match tag {
                TAG_ID => draft.id = Some(text),
                TAG_NAME => name = text,
                TAG_VALUE => headers.push((name, text)),
                TAG_TO => to = text,
                TAG_METADATA => draft.metadata = Some(text),
                TAG_FAILED => draft.error = Some((text, false)),
                TAG_FAILED_YET_DONE => draft.error = Some((text, true)),
                _ => {}
            }
        }
        draft.headers = &headers;
        work(&draft, to)
    }
}

fn outcome(sent: Sent, op: OpId) -> i32 {
    match sent {
        Sent::Written => 0,
        Sent::Full => FULL,
        Sent::Waits => op.0 as i32,
    }
}

impl Table {
    /// ```text
    /// LMESSAGE subscription, channel at, len, reply at, len, head at, len, data at, len
    /// LDROPPED subscription, count, sum
    /// LREADY   subscription
    /// LENDED   subscription, error or NONE
    /// LANSWER  op, as LMESSAGE
    /// LROOM
    /// ```
    #[inline(never)]
    pub(super) fn live(&mut self, row: LiveRow) {
        match row {
            LiveRow::Message(sub, sound) => self.sound(32, sub.0, &sound),
            LiveRow::Answer(op, sound) => self.sound(33, op.0, &sound),
            LiveRow::Dropped(sub, count, sum) => self.row(34, &[sub.0, count, sum]),
            LiveRow::Ready(sub) => self.row(35, &[sub.0]),
            LiveRow::Ended(sub, error) => {
                let error = self.error(error);
                self.row(36, &[sub.0, error]);
            }
            LiveRow::Room => self.row(37, &[]),
        }
    }

    fn sound(&mut self, tag: u32, whose: u32, sound: &Sound) {
        let flags = u32::from(sound.source == Source::Own);
        let [channel, reply, head, data] =
            [sound.channel, sound.reply, sound.head, sound.data].map(|Span { at, len }| [at, len]);
        let spans = [whose, channel[0], channel[1], reply[0], reply[1], head[0], head[1], data[0], data[1]];
        self.row(tag | flags << 8, &spans);
    }
}
