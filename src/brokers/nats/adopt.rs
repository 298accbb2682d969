//! Stations that exist already, made by us or by others: where messages can be sent, and what is stored otherwise than asked.
//! Nothing is ever written to a stream that somebody else made. And durables: whose limit of deliveries counts.
//!
//! Source: jetstream.md section 2.6. Knows nothing of the API.

use crate::base::time::Millis;
use crate::base::value::Value;
use crate::brokers::terms::{Retention, StationSpec};

/// Deliveries of a durable that does not say: without end.
const ENDLESS: u32 = u32::MAX;

/// The subject to which messages for a foreign stream go; empty if there is none: it has several or wildcards, it is a
/// mirror, or it never says what it has stored.
pub fn address(config: &Value) -> String {
    let literal = |subject: &&str| !subject.is_empty() && !subject.contains(['*', '>', ' ', '\r', '\n', '\t']);
    if config.get("no_ack").truth() {
        return String::new();
    }
    let named = config.get("metadata").get("stationmaster.subject").text();
    let only = match config.get("subjects").elements() {
        [only] => only.text(),
        _ => None,
    };
    named.or(only).filter(literal).unwrap_or_default().into()
}

/// Names of the options that the caller gave and that are stored otherwise.
pub fn differs(config: &Value, stored: &StationSpec, asked: &StationSpec) -> Vec<&'static str> {
    let kind = |retention: Retention| std::mem::discriminant(&retention);
    let window = match asked.retention {
        Retention::Age(seconds) => asked.window.min(Millis(seconds.saturating_mul(1000))),
        _ => asked.window,
    };
    let other = |option: &str| match option {
        "retentionType" => kind(stored.retention) != kind(asked.retention),
        "retentionValue" => stored.retention != asked.retention,
        "storageType" => stored.in_memory != asked.in_memory,
        "replicas" => stored.replicas != asked.replicas,
        "idempotencyWindowMs" => stored.window != window,
        "schemaName" => stored.schema != asked.schema,
        "sendPoisonMsgToDls" => stored.poison_to_dls != asked.poison_to_dls,
        "sendSchemaFailedMsgToDls" => stored.schema_failed_to_dls != asked.schema_failed_to_dls,
        "partitionsNumber" => stored.partitions != asked.partitions,
        "dlsStation" => stored.dls_station != asked.dls_station,
        "extra" => asked.extra.iter().any(|(key, value)| !same(config.get(key), value)),
        _ => false,
    };
    asked.given.iter().copied().filter(|option| other(option)).collect()
}

/// The limits of deliveries of a durable: ours, in its metadata, and the server's own, which one of somebody else's may have.
#[inline(never)]
pub fn limits(config: &Value) -> (u32, u32) {
    let ours = super::station::number(config.get("metadata"), "stationmaster.max_deliver");
    let server = config.get("max_deliver").whole().and_then(|limit| u32::try_from(limit).ok());
    (ours.unwrap_or(ENDLESS), server.filter(|limit| *limit > 0).unwrap_or(ENDLESS))
}

/// The server drops what it has delivered too often before a client would count that (jetstream.md section 5.3).
#[inline(never)]
pub fn drops(config: &Value) -> bool {
    let (ours, server) = limits(config);
    server < ENDLESS && server <= ours && config.get("ack_policy").text() != Some("none")
}

/// What was asked, as the server stores it.
fn same(stored: &Value, asked: &Value) -> bool {
    match asked {
        Value::Whole(_) | Value::Number(_) => match (stored.whole(), asked.whole()) {
            (Some(stored), Some(asked)) => stored == asked,
            _ => stored == asked,
        },
        // A switch that is off may be left out.
        Value::Bool(false) => !stored.truth(),
        _ => stored == asked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn only_one_way_in_is_a_way() {
        let to = |text: &str| address(&json(text));
        assert_eq!(to(r#"{"subjects":["events.new"]}"#), "events.new");
        for closed in [
            r#"{"subjects":["events.*"]}"#,
            r#"{"subjects":["events.>"]}"#,
            r#"{"subjects":["a","b"]}"#,
            r#"{"mirror":{"name":"x"}}"#,
            r#"{"subjects":["a"],"no_ack":true}"#,
            r#"{"subjects":["a.*"],"metadata":{"stationmaster.subject":"a.*"}}"#,
            r#"{"subjects":["a.*"],"metadata":{"stationmaster.subject":""}}"#,
        ] {
            assert_eq!(to(closed), "", "{closed}");
        }
        assert_eq!(to(r#"{"subjects":["a.*"],"metadata":{"stationmaster.subject":"a.b"}}"#), "a.b");
    }

    #[test]
    fn values_are_compared_by_what_they_mean() {
        assert!(same(&Value::Whole(5), &Value::Number(5.0)));
        assert!(!same(&Value::Whole(5), &Value::Whole(6)));
        assert!(same(&Value::Nothing, &Value::Bool(false)));
        assert!(!same(&Value::Nothing, &Value::Bool(true)));
        assert!(same(&Value::Text("s2".into()), &Value::Text("s2".into())));
        assert!(!same(&Value::Nothing, &Value::Whole(0)));
    }
}
