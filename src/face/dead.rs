//! Dead letters: cold calls of the engine.

use super::engine::{Engine, find, promise};
use super::look::at_once;
use crate::base::id::check_name;
use crate::brokers::dead::Letter;
use crate::policy::redelivery::Cause;
use js_sys::{Array, BigInt, Promise, Uint8Array};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
impl Engine {
    /// The number of a station's newest dead letter; 0 if there has never been one.
    #[wasm_bindgen(js_name = newestLetter)]
    pub fn newest_letter(&self, station: String) -> Promise {
        let driver = self.driver.clone();
        at_once(Box::pin(async move { Ok((driver.newest_letter(&station).await? as f64).into()) }))
    }

    /// The next dead letters with numbers from `from` to `to`; none if there are no more. Of each: number, kind of reason,
    /// detail, group, station, partition, sequence, stamp in nanoseconds, deliveries, names and values of headers in turn,
    /// payload, numbers of what lies apart from it.
    pub fn letters(&self, station: String, from: f64, to: f64) -> Promise {
        let driver = self.driver.clone();
        promise(async move {
            let letters = driver.letters(&station, from as u64, to as u64).await?;
            Ok(letters.iter().map(fields).collect::<Array>().into())
        })
    }

    /// Put a dead letter into its station again, and forget it: `[partition, sequence, duplicate, msgId]`.
    #[wasm_bindgen(js_name = resendLetter)]
    pub fn resend_letter(&self, station: String, number: f64) -> Promise {
        let driver = self.driver.clone();
        promise(async move {
            let revived = driver.revive(&station, number as u64).await?;
            let list: [JsValue; 4] = [
                revived.partition.into(),
                JsValue::from(revived.sequence as f64),
                revived.duplicate.into(),
                revived.id.into(),
            ];
            Ok(list.iter().collect::<Array>().into())
        })
    }

    /// Forget a dead letter, and what lies apart from it: the numbers that [`Engine::letters`] gives last.
    #[wasm_bindgen(js_name = discardLetter)]
    pub fn discard_letter(&self, station: String, number: f64, rest: Array) -> Promise {
        let driver = self.driver.clone();
        promise(async move {
            let rest: Vec<u64> = rest.iter().filter_map(|number| number.as_f64()).map(|number| number as u64).collect();
            driver.discard(&station, number as u64, &rest).await.map(|()| JsValue::UNDEFINED)
        })
    }

    /// Keep a message that failed its schema among the dead, as the station's options say. `headers`: names and values in
    /// turn; `text`: what was wrong; `producer`: its name.
    #[wasm_bindgen(js_name = schemaFailed)]
    pub fn schema_failed(
        &self,
        station: String,
        headers: Vec<String>,
        data: Vec<u8>,
        text: String,
        producer: String,
    ) -> Promise {
        let driver = self.driver.clone();
        let pairs = headers.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
        promise(
            async move { driver.schema_failed(station, pairs, data, text, producer).await.map(|()| JsValue::UNDEFINED) },
        )
    }

    /// Whether a station is there: an error if it is not.
    #[wasm_bindgen(js_name = findStation)]
    pub fn find_station(&self, station: String) -> Promise {
        let driver = self.driver.clone();
        promise(async move {
            check_name("station", &station, driver.broker().capitals())?;
            find(&driver, &station).await.map(|_| JsValue::UNDEFINED)
        })
    }
}

fn fields(letter: &Letter) -> JsValue {
    let text = |text: Option<&str>| text.map_or(JsValue::UNDEFINED, JsValue::from_str);
    let (reason, detail) = match &letter.cause {
        Cause::Deliveries => ("deliveries", None),
        Cause::Rejected(detail) => ("rejected", Some(detail.as_str())),
        Cause::Schema(detail) => ("schema", Some(detail.as_str())),
    };
    let headers: Array =
        letter.headers.iter().flat_map(|(name, value)| [name, value]).map(|text| JsValue::from_str(text)).collect();
    let rest: Array = letter.rest.iter().map(|number| JsValue::from(*number as f64)).collect();
    let fields: [JsValue; 12] = [
        JsValue::from(letter.number as f64),
        reason.into(),
        text(detail.filter(|detail| !detail.is_empty())),
        text(letter.group.as_deref()),
        letter.station.as_str().into(),
        letter.partition.into(),
        BigInt::from(letter.sequence).into(),
        BigInt::from(letter.stamp.0).into(),
        letter.deliveries.into(),
        headers.into(),
        Uint8Array::from(letter.data.as_slice()).into(),
        rest.into(),
    ];
    fields.iter().collect::<Array>().into()
}
