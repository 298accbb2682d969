//! Errors on their way to JavaScript: the fields of a `BrokerError`, in a fixed order that the shell knows.

use crate::base::error::{Error, Kind, ServerCode};
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
    let fields = [
        JsValue::from_str(error.kind.code()),
        JsValue::from_str(&error.text),
        JsValue::from(error.retryable),
        JsValue::from_str(error.hint.as_deref().unwrap_or(usual(error.kind))),
        text(error.station.as_deref()),
        server,
        error.maybe_delivered.map_or(JsValue::UNDEFINED, JsValue::from),
    ];
    fields.iter().collect::<Array>().into()
}

/// What to do where nothing better is known.
fn usual(kind: Kind) -> &'static str {
    match kind {
        Kind::Aborted => "It was withdrawn on request; call again to try again.",
        Kind::Closed => "Connect again, or make another producer or consumer.",
        Kind::ConnectFailed | Kind::ConnectionLost => {
            "Check the network and the broker; status() tells when the link is back."
        }
        Kind::Internal => "This is a defect of stationmaster; please report it.",
        Kind::InvalidArgument => "The typings and the README say what is allowed.",
        Kind::NotSupported => "capabilities tells what this broker can do.",
        Kind::Timeout => "Try again; the broker may be busy or without a leader.",
        _ => "The message and serverCode tell what the broker said.",
    }
}
