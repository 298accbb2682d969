//! Cold results as plain JavaScript objects: stations, statuses.

use super::{dying, fault};
use crate::base::value::Value;
use crate::brokers::terms::{Retention, StationReport, StationSpec};
use crate::client::turn::{Note, Status};
use js_sys::{Array, Date, Object, Reflect};
use wasm_bindgen::JsValue;

pub(super) fn set(object: &Object, name: &str, value: impl Into<JsValue>) {
    // Setting a member of a fresh plain object cannot fail.
    let _ = Reflect::set(object, &name.into(), &value.into());
}

fn date(wall: crate::base::time::Wall) -> JsValue {
    Date::new(&JsValue::from((wall.0 / 1_000_000) as f64)).into()
}

/// `StationInfo`.
pub(super) fn station(report: &StationReport) -> JsValue {
    let object = Object::new();
    set(&object, "name", report.name.as_str());
    set(&object, "partitions", numbers(&report.partitions));
    set(&object, "messages", report.messages as f64);
    set(&object, "bytes", report.bytes as f64);
    if let Some(first) = report.first {
        set(&object, "firstSequence", first as f64);
    }
    if let Some(last) = report.last {
        set(&object, "lastSequence", last as f64);
    }
    set(&object, "groups", report.groups as f64);
    if let Some(created) = report.created {
        set(&object, "created", date(created));
    }
    if !report.options.schema.is_empty() {
        set(&object, "schema", report.options.schema.as_str());
    }
    set(&object, "options", options(&report.options));
    object.into()
}

/// A list of numbers.
pub(super) fn numbers(values: &[u32]) -> JsValue {
    // A sequence of whole numbers cannot fail.
    serde_wasm_bindgen::to_value(values).unwrap_or_default()
}

fn options(spec: &StationSpec) -> JsValue {
    let object = Object::new();
    let (kind, value) = match spec.retention {
        Retention::Age(seconds) => ("max_message_age_seconds", Some(seconds)),
        Retention::Messages(most) => ("messages", Some(most)),
        Retention::Bytes(most) => ("bytes", Some(most)),
        Retention::Acked => ("ack_based", None),
    };
    set(&object, "retentionType", kind);
    if let Some(value) = value {
        set(&object, "retentionValue", value as f64);
    }
    set(&object, "storageType", if spec.in_memory { "memory" } else { "disk" });
    set(&object, "replicas", spec.replicas);
    set(&object, "idempotencyWindowMs", spec.window.0 as f64);
    set(&object, "schemaName", spec.schema.as_str());
    set(&object, "sendPoisonMsgToDls", spec.poison_to_dls);
    set(&object, "sendSchemaFailedMsgToDls", spec.schema_failed_to_dls);
    set(&object, "partitionsNumber", spec.partitions);
    set(&object, "dlsStation", spec.dls_station.as_str());
    for (name, value) in &spec.extra {
        if let Value::Text(text) = value {
            set(&object, name, text.as_str());
        }
    }
    object.into()
}

/// What a logger gets: event, and the members of its detail.
pub(super) fn note(note: &Note) -> JsValue {
    let object = Object::new();
    if !note.station.is_empty() {
        set(&object, "station", note.station.as_str());
    }
    if note.messages > 0 {
        set(&object, "messages", note.messages);
    }
    if let Some(place) = &note.place {
        dying::set_place(&object, place);
    }
    if let Some(error) = &note.error {
        set(&object, "error", fault::fields(error));
    }
    [JsValue::from_str(note.event), object.into()].into_iter().collect::<Array>().into()
}

/// `Status`, with the fields of an error where the shell puts a `BrokerError`.
pub(super) fn status(status: &Status) -> JsValue {
    let object = Object::new();
    match status {
        Status::Connected { url, attempt } => {
            set(&object, "type", "connected");
            set(&object, "url", url.as_str());
            set(&object, "attempt", *attempt);
        }
        Status::Disconnected(error) => {
            set(&object, "type", "disconnected");
            set(&object, "reason", fault::fields(error));
        }
        Status::Reconnecting { attempt, pause } => {
            set(&object, "type", "reconnecting");
            set(&object, "attempt", *attempt);
            set(&object, "inMs", pause.0 as f64);
        }
        Status::SlowConsumer { station, pending } => {
            set(&object, "type", "slow_consumer");
            set(&object, "station", station.as_str());
            set(&object, "pending", *pending);
        }
        Status::ProduceFailed { station, error, messages, ids } => {
            set(&object, "type", "produce_failed");
            set(&object, "station", station.as_str());
            set(&object, "error", fault::fields(error));
            set(&object, "messages", *messages);
            if !ids.is_empty() {
                set(&object, "msgIds", ids.iter().map(|id| JsValue::from_str(id)).collect::<Array>());
            }
        }
        Status::Schema { station, schema } => {
            set(&object, "type", "schema");
            set(&object, "station", station.as_str());
            set(&object, "schema", schema.as_deref().map_or(JsValue::NULL, JsValue::from_str));
        }
        Status::Closed(reason) => {
            set(&object, "type", "closed");
            if let Some(reason) = reason {
                set(&object, "reason", fault::fields(reason));
            }
        }
    }
    object.into()
}
