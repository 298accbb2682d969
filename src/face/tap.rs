//! Frames for `tap()`.

use super::engine::Engine;
use crate::link::tap::Direction;
use js_sys::{Array, Promise, Uint8Array};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
impl Engine {
    /// Begin or end to keep what goes over the link.
    pub fn tap(&self, on: bool) {
        self.driver.call(|core, now| core.watch(now, on));
    }

    /// What [`Engine::tap_frames`] is made of is there.
    #[wasm_bindgen(js_name = tapReady)]
    pub fn tap_ready(&self) -> Promise {
        Promise::resolve(&JsValue::UNDEFINED)
    }

    /// Frames since the last call, five entries each: to the broker or not, milliseconds since 1970, length on the wire,
    /// summary, bytes.
    #[wasm_bindgen(js_name = tapFrames)]
    pub fn tap_frames(&self) -> Array {
        let list = Array::new();
        for frame in self.driver.call(|core, now| core.frames(now)) {
            list.push(&(frame.direction == Direction::Out).into());
            list.push(&((frame.at.0 / 1_000_000) as f64).into());
            list.push(&(frame.length as f64).into());
            list.push(&frame.summary.into());
            list.push(&Uint8Array::from(frame.data.as_slice()).into());
        }
        list
    }
}
