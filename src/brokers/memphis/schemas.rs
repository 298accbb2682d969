//! Schemas as Memphis has them: what a reply or an update tells of one, and the reports about messages that do not fit.
//!
//! The registry is the broker's own. It is never asked by name: a station's schema stands in the reply to whoever makes a
//! producer or a consumer of it, and every change comes as a message to those who subscribed.
//!
//! Source: memphis.md sections 2.7, 2.9, 2.10, 2.13 and 6. Knows no engine and no message.

use super::shared::{About, Known, Shared};
use super::{Ops, control, names};
use crate::base::bytes::{find, lossy};
use crate::base::error::{Error, Kind, ServerCode};
use crate::base::time::Millis;
use crate::base::value::{JsonReader, Value};
use crate::brokers::dead::Death;
use crate::brokers::nats::api::Body;
use crate::brokers::terms::{Done, Schema, no_schema};
use crate::link::session::News;
use crate::policy::redelivery::Cause;

/// How often a schema is made that others make in the same moment.
const TRIES: u64 = 10;
/// What is wrong with a message, in the words in which the broker's pages show it.
const FAILED: &str = "Schema validation has failed: ";

/// The schema in a `schema_update`, the `init` of an update; `None` for none.
pub fn told(update: &Value) -> Option<Schema> {
    let text = |value: &Value| value.text().unwrap_or_default().to_string();
    let name = text(update.get("schema_name"));
    if name.is_empty() {
        return None;
    }
    let version = update.get("active_version");
    let descriptor = text(version.get("descriptor"));
    Some(Schema {
        name,
        version: version.get("version_number").whole().unwrap_or_default().max(1),
        // Protobuf comes compiled, with what the text alone does not say: which of its messages is meant.
        definition: if descriptor.is_empty() { text(version.get("schema_content")) } else { descriptor },
        message: text(version.get("message_struct_name")),
        // One that nobody knows has no engine, and lets nothing through.
        kind: text(update.get("type")),
    })
}

/// The station's schema from now on, as an update tells it: `Some(None)` if it has none any more, `None` if the message is
/// not an update.
pub fn update(json: JsonReader, body: &[u8]) -> Option<Option<Schema>> {
    let value = json.read(body)?;
    let init = value.get("init");
    // 1 sets, 2 drops. Older brokers may leave the number out; a name that is empty drops, too.
    match (value.get("UpdateType").whole(), init) {
        (Some(2), _) => Some(None),
        (_, Value::Map(_)) => Some(told(init)),
        _ => None,
    }
}

/// Remember what the answer to whoever made a producer or a consumer tells of a station.
pub fn learn(shared: &Shared, station: &str, answer: &Value) {
    let schema = told(answer.get("schema_update"));
    let alone = !shared.producers.borrow().iter().any(|row| row.station == station);
    let listens = shared.ears.borrow().iter().any(|ear| ear.about == About::Schema(station.into()));
    remember(shared, station, |known| {
        known.schema = schema;
        // What a consumer is answered says nothing of reports, which are of interest where there are producers.
        match answer.get("schemaverse_to_dls") {
            Value::Bool(reports) => {
                known.reports = *reports;
                known.fresh = listens;
            }
            _ => known.fresh |= listens && alone,
        }
    });
    if let Value::Bool(notify) = answer.get("send_notification") {
        shared.notify.set(*notify);
    }
}

/// An update has come on the subject of a station; what is to be said of it.
pub fn heard(shared: &Shared, json: JsonReader, station: &str, body: &[u8]) -> Option<News> {
    let schema = update(json, body)?;
    let name = schema.as_ref().map(|schema| schema.name.clone()).unwrap_or_default();
    remember(shared, station, |known| known.schema = schema);
    Some(News::Station { name: station.into(), schema: name })
}

/// Change what is known of a station, which is the newest from then on.
fn remember(shared: &Shared, station: &str, work: impl FnOnce(&mut Known)) {
    shared.station(station, work);
    let mut stations = shared.stations.borrow_mut();
    if let Some(at) = stations.iter().position(|known| known.station == station) {
        let known = stations.remove(at);
        stations.push(known);
    }
}

/// The schema of this name, as it was told last: then it was the version that counts.
pub fn known(shared: &Shared, name: &str) -> Option<Schema> {
    let stations = shared.stations.borrow();
    let schemas = stations.iter().rev().filter_map(|known| known.schema.as_ref());
    schemas.clone().find(|schema| schema.name == name).cloned()
}

/// The name of a station's schema, as it was told last; empty for none.
pub fn name_of(shared: &Shared, station: &str) -> String {
    let stations = shared.stations.borrow();
    let known = stations.iter().find(|known| known.station == station).and_then(|known| known.schema.as_ref());
    known.map(|schema| schema.name.clone()).unwrap_or_default()
}

/// Where an update may have passed by, ask. Who may only read goes by what he heard last.
pub async fn refresh(ops: &Ops, station: &str) -> Done<()> {
    match ops.shared.schema_of(station) {
        Some(_) => Ok(()),
        None => match read(ops, station).await {
            Err(error) if error.kind != Kind::PermissionDenied => Err(error),
            _ => Ok(()),
        },
    }
}

/// Ask which schema an existing station has, and whether what fails it is to be reported. Only who makes a producer is told:
/// one is made, and left, so that no row stays.
pub async fn read(ops: &Ops, station: &str) -> Done<()> {
    let name = format!("schema-{}", ops.shared.id.get(..8).unwrap_or_default());
    let body = control::making(ops, &name, station).text("producer_type", "application");
    let answer = control::ask(ops, "producer_creations", body, station).await?;
    learn(&ops.shared, station, &answer);
    let row = control::of_ours(ops, &name, station, 1);
    control::ask(ops, "producer_destructions", row, station).await.map(|_| ())
}

/// Make a schema, or another version of it. The broker does not tell which; it counts where it is enforced anew, after
/// somebody has made it the active one in the broker's pages.
pub async fn create(ops: &Ops, schema: &Schema) -> Done<u64> {
    if schema.kind == "protobuf" && schema.message.is_empty() {
        // The broker dies of it (6.6).
        return Err(Error::new(Kind::SchemaViolation, format!("the schema {} has no message", schema.name))
            .hint("Define the message that is meant; the first one counts."));
    }
    let body = || {
        Body::default()
            .text("name", &schema.name)
            .text("type", &schema.kind)
            .text("created_by_username", &ops.shared.user.borrow())
            .text("schema_content", &schema.definition)
            .text("message_struct_name", "")
    };
    let mut tries = 1;
    loop {
        match control::ask(ops, "schema_creations", body(), "").await {
            Ok(_) => return Ok(1),
            Err(error) if says(&error, "with the same schema content") => return Ok(1),
            // Somebody made it in the same moment: then this is a version of it, or the same.
            Err(error) if tries < TRIES && says(&error, "already exists") => {
                ops.api.exchange().pause(Millis(tries.saturating_mul(20))).await;
                tries = tries.saturating_add(1);
            }
            Err(mut error) if says(&error, "is invalid") => {
                error.kind = Kind::SchemaViolation;
                return Err(error.hint("The broker compiles schemas itself, and takes less than the engines here: one text, without a descriptor set."));
            }
            Err(error) if says(&error, "already exist with type") => {
                return Err(error.hint("A schema keeps its type through all versions; choose another name."));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Enforce a schema on a station, another one in its place, or (`""`) none. Everybody who is to know has been told when
/// this ends.
pub async fn enforce(ops: &Ops, station: &str, schema: &str) -> Done<()> {
    let body = control::of(ops).text("station_name", station);
    let answer = match schema {
        "" => control::ask(ops, "schema_detachments", body, station).await,
        _ => control::ask(ops, "schema_attachments", body.text("name", schema), station).await,
    };
    match answer {
        Err(error) if says(&error, "Schema ") && says(&error, "does not exist") => {
            let mut missing = no_schema(schema).at(station);
            missing.server = error.server.clone();
            Err(missing)
        }
        other => other.map(|_| ()),
    }
}

/// Whether the broker's text has this part.
fn says(error: &Error, part: &str) -> bool {
    matches!(&error.server, Some(ServerCode::Text(text)) if find(text, part).is_some())
}

/// Report a message that failed its schema, to those who want to know.
pub async fn failed(ops: &Ops, death: &Death) -> Done<()> {
    let Cause::Schema(text) = &death.cause else { return Ok(()) };
    if ops.shared.schema_of(&death.station).is_none() {
        read(ops, &death.station).await?;
    }
    let failed = Failed {
        station: &death.station,
        producer: &death.producer,
        connection: &ops.shared.id,
        headers: &death.headers,
        data: &death.data,
        text,
    };
    if ops.shared.station(&death.station, |known| known.reports) {
        control::tell(ops, "schemaverse_dls", failed.report()).await?;
    }
    if ops.shared.notify.get() {
        control::tell(ops, "notifications", failed.notification()).await?;
    }
    Ok(())
}

/// A message that failed its schema, and whose it was.
struct Failed<'a> {
    /// The station, by its own name.
    station: &'a str,
    /// The producer's name.
    producer: &'a str,
    /// The connection's id.
    connection: &'a str,
    /// The application's headers.
    headers: &'a [(String, String)],
    /// The payload.
    data: &'a [u8],
    /// What is wrong with it.
    text: &'a str,
}

impl Failed<'_> {
    /// The report that puts it among the station's dead letters. The broker dies of a report without headers, and forgets
    /// one with a header that is no text (2.10).
    fn report(&self) -> Body {
        let mut headers = Body::default();
        for (name, value) in self.headers.iter().filter(|(name, _)| !name.starts_with("$memphis")) {
            headers = headers.text(name, value);
        }
        let headers = headers.text("$memphis_connectionId", self.connection).text("$memphis_producedBy", self.producer);
        let message = Body::default().text("data", &hex(self.data)).object("headers", headers).number("size", 0);
        Body::default()
            .text("station_name", &names::internal(self.station))
            .object("producer", Body::default().text("name", self.producer).text("connection_id", self.connection))
            .object("message", message)
            .text("validation_error", &format!("{FAILED}{}", self.text))
    }

    /// The alert for those whom the broker tells of such messages (2.13).
    fn notification(&self) -> Body {
        let text = format!("Station: {}\nProducer: {}\nError: {FAILED}{}", self.station, self.producer, self.text);
        Body::default()
            .text("title", "Schema validation has failed")
            .text("msg", &text)
            .text("type", "schema_validation_fail_alert")
            .text("code", &lossy(self.data))
    }
}

/// Two digits a byte.
fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0'));
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const JSON: JsonReader = JsonReader(|text| serde_json::from_slice(text).ok());

    fn schema(kind: &str, definition: &str, message: &str) -> Schema {
        let (name, definition) = ("sensor_logs".into(), definition.into());
        Schema { name, kind: kind.into(), version: 1, definition, message: message.into() }
    }

    #[test]
    fn updates_set_and_drop() {
        // Both recorded from a 1.4.4 broker.
        let set = br#"{"UpdateType":1,"init":{"schema_name":"sensor_logs","active_version":{"version_number":1,"descriptor":"","schema_content":"{\"type\":\"object\"}","message_struct_name":""},"type":"json"}}"#;
        assert_eq!(update(JSON, set), Some(Some(schema("json", r#"{"type":"object"}"#, ""))));
        let drop = br#"{"UpdateType":2,"init":{"schema_name":"","active_version":{"version_number":0,"descriptor":"","schema_content":"","message_struct_name":""},"type":""}}"#;
        assert_eq!(update(JSON, drop), Some(None));
    }

    #[test]
    fn either_sign_of_a_drop_is_one() {
        assert_eq!(update(JSON, br#"{"UpdateType":2,"init":{"schema_name":"a","type":"json"}}"#), Some(None));
        assert_eq!(update(JSON, br#"{"UpdateType":1,"init":{"schema_name":"","type":""}}"#), Some(None));
    }

    #[test]
    fn what_is_no_update_changes_nothing() {
        for text in ["", "x", "[]", "1", "null", "{}", r#"{"init":null}"#, r#"{"UpdateType":"2"}"#] {
            assert_eq!(update(JSON, text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn protobuf_is_its_descriptor_and_its_message() {
        let value = JSON
            .read(br#"{"schema_name":"sensor_logs","active_version":{"version_number":1,"descriptor":"CgM=","schema_content":"syntax","message_struct_name":"Log"},"type":"protobuf"}"#)
            .unwrap();
        assert_eq!(told(&value), Some(schema("protobuf", "CgM=", "Log")));
    }

    fn failing<'a>(headers: &'a [(String, String)], data: &'a [u8]) -> Failed<'a> {
        Failed { station: "or.ders", producer: "p1", connection: "6f0d", headers, data, text: "at /id \"x\"" }
    }

    #[test]
    fn a_report_as_the_broker_reads_it() {
        let headers = [("trace".into(), "1".into()), ("$memphis_producedBy".into(), "somebody".into())];
        assert_eq!(
            String::from_utf8(failing(&headers, &[0x00, 0x0f, 0xa0, 0xff]).report().finish()).unwrap(),
            concat!(
                r#"{"station_name":"or#ders","producer":{"name":"p1","connection_id":"6f0d"},"#,
                r#""message":{"data":"000fa0ff","headers":{"trace":"1","$memphis_connectionId":"6f0d","$memphis_producedBy":"p1"},"size":0},"#,
                r#""validation_error":"Schema validation has failed: at /id \"x\""}"#
            )
        );
    }

    #[test]
    fn a_report_of_a_message_without_headers_has_an_object_of_them() {
        let report = JSON.read(&failing(&[], b"").report().finish()).unwrap();
        assert_eq!(report.get("message").get("headers").entries().len(), 2);
    }

    #[test]
    fn an_alert() {
        let alert = JSON.read(&failing(&[], b"{\"id\":\"x\"}").notification().finish()).unwrap();
        assert_eq!(alert.get("type").text(), Some("schema_validation_fail_alert"));
        assert_eq!(alert.get("code").text(), Some("{\"id\":\"x\"}"));
        assert_eq!(
            alert.get("msg").text(),
            Some("Station: or.ders\nProducer: p1\nError: Schema validation has failed: at /id \"x\"")
        );
    }

    fn answer(schema: &str, version: u64, reports: bool) -> Value {
        let update = format!(
            r#"{{"schema_name":"{schema}","type":"json","active_version":{{"version_number":{version},"descriptor":"","schema_content":"{{}}","message_struct_name":""}}}}"#
        );
        JSON.read(
            format!(
                r#"{{"schema_update":{update},"schemaverse_to_dls":{reports},"send_notification":true,"error":""}}"#
            )
            .as_bytes(),
        )
        .unwrap()
    }

    #[test]
    fn what_was_told_last_of_a_name_is_the_schema() {
        let shared = Shared::new("c", "a");
        shared.listen("x".into(), About::Schema("one".into()));
        learn(&shared, "one", &answer("log", 2, true));
        learn(&shared, "two", &answer("log", 1, false));
        assert_eq!(known(&shared, "log").unwrap().version, 1);
        assert_eq!(known(&shared, "other"), None);
        assert!(shared.notify.get());
        // Of a station that nobody listens to, nothing is known for long.
        assert_eq!(shared.schema_of("one").unwrap().unwrap().version, 2);
        assert_eq!(shared.schema_of("two"), None);
    }

    #[test]
    fn an_update_counts_from_then_on() {
        let shared = Shared::new("c", "a");
        shared.listen("x".into(), About::Schema("one".into()));
        learn(&shared, "one", &answer("log", 1, true));
        let set =
            br#"{"UpdateType":1,"init":{"schema_name":"log","type":"json","active_version":{"version_number":3}}}"#;
        let news = |schema: &str| Some(News::Station { name: "one".into(), schema: schema.into() });
        assert_eq!(heard(&shared, JSON, "one", set), news("log"));
        assert_eq!(known(&shared, "log").unwrap().version, 3);
        assert!(shared.station("one", |known| known.reports));
        assert_eq!(heard(&shared, JSON, "one", br#"{"UpdateType":2,"init":{}}"#), news(""));
        assert_eq!(shared.schema_of("one"), Some(None));
        assert_eq!(heard(&shared, JSON, "one", b"?"), None);
    }

    proptest! {
        #[test]
        fn reports_hold_every_byte_and_every_header_as_text(
            data: Vec<u8>, names in proptest::collection::vec("[ -~]{1,12}", 0..4), value: String,
        ) {
            let headers: Vec<_> = names.iter().map(|name| (name.clone(), value.clone())).collect();
            let report = JSON.read(&failing(&headers, &data).report().finish()).unwrap();
            let text = report.get("message").get("data").text().unwrap().to_string();
            let back: Vec<u8> =
                (0..text.len() / 2).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap()).collect();
            prop_assert_eq!(back, data);
            let entries = report.get("message").get("headers");
            prop_assert!(entries.entries().iter().all(|(_, value)| value.text().is_some()));
        }
    }
}
