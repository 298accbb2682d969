//! Schemas, as the shell asks for them and as it answers: the engines are its, what is enforced where is known here.

use super::engine::{Engine, promise};
use crate::base::error::{Error, Kind};
use crate::base::id::{check_name, shown};
use crate::brokers::terms::{SCHEMA_TYPES, Schema};
use crate::client::turn::{CallId, ProducerId};
use js_sys::{Array, Promise};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
impl Engine {
    /// A binding of the present turn: `[ticket, station, name, why, type, definition, message, version]`. Without name the
    /// station has no schema; without type the schema cannot be had, and `why` says so.
    #[wasm_bindgen(js_name = turnSchema)]
    pub fn turn_schema(&self, index: u32) -> Array {
        let table = self.table.borrow();
        let Some(binding) = table.bindings.get(index as usize) else { return Array::new() };
        let text = |text: &str| JsValue::from_str(text);
        let mut fields = vec![binding.ticket.0.into(), text(&binding.station), text(&binding.name), text(&binding.why)];
        if let Some(schema) = &binding.schema {
            fields.extend([text(&schema.kind), text(&schema.definition), text(&schema.message)]);
            fields.push((schema.version as f64).into());
        }
        fields.into_iter().collect()
    }

    /// The binding has been carried out, or could not be.
    #[wasm_bindgen(js_name = schemaBound)]
    pub fn schema_bound(&self, ticket: u32, failed: String) {
        self.driver.bound(ticket, failed);
    }

    /// A station's schema could not be had, and somebody is in need of it.
    #[wasm_bindgen(js_name = bindAgain)]
    pub fn bind_again(&self, station: &str) {
        self.driver.bind_again(station);
    }

    /// The calls of a producer that came before it knew what they have to fit.
    #[wasm_bindgen(js_name = uncheckedCalls)]
    pub fn unchecked_calls(&self, producer: u32) -> Vec<u32> {
        self.driver.call(|core, _| core.producers.unchecked(ProducerId(producer)).iter().map(|call| call.0).collect())
    }

    /// The payload of one of them.
    #[wasm_bindgen(js_name = callPayload)]
    pub fn call_payload(&self, call: u32) -> Vec<u8> {
        self.driver.call(|core, _| core.producers.payload(CallId(call)).map(<[u8]>::to_vec).unwrap_or_default())
    }

    /// The header block of one of them, in the broker's own form.
    #[wasm_bindgen(js_name = callHead)]
    pub fn call_head(&self, call: u32) -> Vec<u8> {
        self.driver.call(|core, _| core.producers.head(CallId(call)).map(<[u8]>::to_vec).unwrap_or_default())
    }

    /// Another payload for one of them.
    pub fn recode(&self, call: u32, data: &[u8]) {
        self.driver.call(|core, now| {
            let (producers, _, _, mut ctx) = core.parts(now);
            let most = ctx.session.server().max_payload;
            if let Err(error) = producers.recode(CallId(call), data, most) {
                producers.fail(&mut ctx, CallId(call), error);
            }
        });
    }

    /// One of them does not fit, or cannot be checked.
    #[wasm_bindgen(js_name = refuseCall)]
    pub fn refuse_call(&self, call: u32, text: String) {
        self.driver.call(|core, now| {
            let (producers, _, _, mut ctx) = core.parts(now);
            producers.fail(&mut ctx, CallId(call), Error::new(Kind::SchemaViolation, text));
        });
    }

    /// Check the name and type of a schema before its definition is compiled: -1 with the error.
    #[wasm_bindgen(js_name = checkSchema)]
    pub fn check_schema(&self, name: &str, kind: &str) -> i32 {
        let check = || -> Result<(), Error> {
            self.driver.ops()?;
            check_name("schema", name, false)?;
            if !SCHEMA_TYPES.contains(&kind) {
                return Err(Error::argument(format!("there is no schema type \"{}\"", shown(kind)))
                    .hint(format!("It is one of: {}.", SCHEMA_TYPES.join(", "))));
            }
            Ok(())
        };
        self.kept(check(), |()| 0)
    }

    /// Store a schema, or another version of it. `message`: which of its messages is meant; empty where there is one.
    #[wasm_bindgen(js_name = createSchema)]
    pub fn create_schema(&self, name: String, kind: String, definition: String, message: String) -> Promise {
        let driver = self.driver.clone();
        promise(async move {
            driver.create_schema(&Schema { name, kind, version: 0, definition, message }).await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Enforce a schema on a station; with `none`, no schema.
    #[wasm_bindgen(js_name = enforceSchema)]
    pub fn enforce_schema(&self, name: String, station: String, none: bool) -> Promise {
        let driver = self.driver.clone();
        let capitals = driver.broker().capitals();
        let checked = if none { Ok(()) } else { check_name("schema", &name, false) };
        let checked = checked.and_then(|()| check_name("station", &station, capitals));
        promise(async move {
            checked?;
            driver.enforce(&station, &name).await?;
            Ok(JsValue::UNDEFINED)
        })
    }
}
