//! Errors on their way to JavaScript: the fields of a `BrokerError`, in a fixed order that the shell knows.

use crate::base::error::{Error, ServerCode};
use js_sys::Array;
use wasm_bindgen::JsValue;

/// `[code, message, retryable, hint, station, serverCode, maybeDelivered]`; undefined where there is none.
pub(super) fn fields(error: &Error) -> JsValue {
    let text = |text: Option<&str>| text.map_or(JsValue::UNDEFINED, JsValue::from_str);
    let server = match &error.server {
        None => JsValue::UNDEFINED,
        Some(ServerCode::Number(code)) => JsValue::from(*code),
        Some(ServerCode::Text(text)) => JsValue::from_str(text),
    };
    let station = error.station.as_deref().filter(|station| !station.is_empty());
    let fields = [
        JsValue::from_str(error.kind.code()),
        JsValue::from_str(&error.text),
        JsValue::from(error.retryable),
        text(error.hint.as_deref()),
        text(station),
        server,
        error.maybe_delivered.map_or(JsValue::UNDEFINED, JsValue::from),
    ];
    fields.iter().collect::<Array>().into()
}
