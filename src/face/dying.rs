//! Messages that die in the application's hands. What records a death may have to be loaded first; that it has begun counts at
//! once, so that a close waits for it.

use super::engine::{Engine, promise};
use super::report::set;
use crate::client::dying::Dying;
use crate::client::turn::{ConsumerId, NotePlace};
use crate::policy::redelivery::Cause;
use js_sys::{Object, Promise};
use wasm_bindgen::prelude::*;

/// What a logger gets of the place of a message: whoever consumes tells it.
#[inline(never)]
pub(super) fn set_place(object: &Object, place: &NotePlace) {
    set(object, "partition", place.partition);
    set(object, "sequence", place.sequence as f64);
    set(object, "group", place.group.as_str());
}

#[wasm_bindgen]
impl Engine {
    /// Record the death of a message that was handed over: as it came, with the reason if the application gave one.
    #[allow(clippy::too_many_arguments)]
    pub fn bury(
        &self,
        id: u32,
        partition: u32,
        low: u32,
        high: u32,
        deliveries: u32,
        token: Vec<u8>,
        head: Vec<u8>,
        data: Vec<u8>,
        reason: Option<String>,
    ) -> Promise {
        let dying = Dying {
            consumer: ConsumerId(id),
            partition,
            sequence: u64::from(high) << 32 | u64::from(low),
            deliveries,
            cause: reason.map_or(Cause::Deliveries, Cause::Rejected),
            token,
            head,
            data,
        };
        let work = self.driver.give_up(dying);
        promise(async move { work?.await.map(|()| JsValue::UNDEFINED) })
    }
}
