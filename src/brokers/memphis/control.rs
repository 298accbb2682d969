//! Requests to the control plane: bodies, answers, and what their errors mean (memphis.md section 2.1).
//!
//! A request goes out without headers, which would make it unreadable, and only the first message on its inbox is its answer.
//! Success is an empty body, or a JSON object whose `error` is empty; anything else is the text of an error.

use super::Ops;
use crate::base::bytes::lossy;
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::value::Value;
use crate::brokers::nats::api::Body;
use crate::brokers::terms::Done;
use crate::link::session::Request;

/// The form of our requests.
const VERSION: i64 = 4;

/// Subjects that are only told something: no answer comes.
const TOLD: &[&str] =
    &["$memphis_schemaverse_dls", "$memphis_nacked_dls", "$memphis_pm_acks", "$memphis_notifications"];

/// Whether what goes to this subject gets no answer.
pub fn is_told(subject: &str) -> bool {
    TOLD.contains(&subject)
}

/// Ask `$memphis_<what>`, wait for the answer, check its error. `Nothing` for an empty answer, else the object. `station` is
/// the one that errors name.
pub async fn ask(ops: &Ops, what: &str, body: Body, station: &str) -> Done<Value> {
    let exchange = ops.api.exchange();
    let request = Request { to: format!("$memphis_{what}"), body: body.finish(), head: 0, many: false };
    let until = exchange.0.now().mono + limits::NO_RESPONDERS;
    let mut pause = limits::NOT_NOW_FIRST;
    loop {
        let reply = exchange.ask(request.clone(), limits::CONTROL).await.map_err(|error| error.at(station))?;
        if reply.status == 0 {
            return read(exchange.0.json().read(&reply.body), &reply.body).map_err(|text| refused(&text, station));
        }
        // The broker is still starting, or is none.
        if exchange.0.now().mono + pause >= until {
            return Err(Error::new(Kind::NotSupported, "nobody answers for the broker's control plane")
                .hint("Is this a Memphis broker? For a plain NATS server give broker: \"nats\".")
                .at(station)
                .code(reply.status));
        }
        exchange.pause(pause).await;
        pause.0 = pause.0.saturating_mul(2);
    }
}

/// Tell `$memphis_<what>` something that is not answered.
pub async fn tell(ops: &Ops, what: &str, body: Body) -> Done<()> {
    let request = Request { to: format!("$memphis_{what}"), body: body.finish(), head: 0, many: false };
    ops.api.exchange().ask(request, limits::CONTROL).await.map(|_| ())
}

/// The answer, or the text of its error.
fn read(value: Option<Value>, body: &[u8]) -> Result<Value, String> {
    match value {
        _ if body.is_empty() => Ok(Value::Nothing),
        Some(value @ Value::Map(_)) => match value.get("error").text() {
            None | Some("") => Ok(value),
            Some(text) => Err(text.into()),
        },
        _ => Err(lossy(body).chars().take(500).collect()),
    }
}

/// The broker's text as an error.
pub fn refused(text: &str, station: &str) -> Error {
    let has = |part: &str| crate::base::bytes::find(text, part).is_some();
    let (kind, hint) = if has("not allowed to") {
        (Kind::PermissionDenied, "Ask for a role that covers this station.")
    } else if has("ser ") && has("does not exist") && !has("tation") {
        (Kind::PermissionDenied, "With a connectionToken username has to be one of the broker's users.")
    } else if has("tation") && has("not exist") {
        (Kind::NoSuchStation, "Make the station, the producer or the consumer again to create it.")
    } else if has("already exist") || has("can not be updated") {
        (Kind::AlreadyExists, "Choose another name, or give the options that it was made with.")
    } else if has("upgrade your SDK") {
        (Kind::NotSupported, "The broker wants requests of a later form; see which brokers the README names.")
    } else if [
        "name can not",
        "should be under",
        "Only alphanumeric",
        "can be one of",
        "has to be",
        "min value",
        "contain both",
        "idempotency window",
        "partitions (max",
        "schema content is",
        "file is invalid",
        "schema is invalid",
    ]
    .iter()
    .any(|part| has(part))
    {
        (Kind::InvalidArgument, "The broker's own text is in serverCode.")
    } else if has("replicas count") {
        (Kind::Rejected, "The cluster has too few brokers for that many replicas.")
    } else {
        (Kind::Rejected, "The broker's own text is in serverCode.")
    };
    Error::new(kind, format!("Memphis refused: {text}")).hint(hint).said(text).at(station)
}

/// What every request says of who asks, for requests that are kept with a row: name, station, connection.
pub fn of_ours(ops: &Ops, name: &str, station: &str, version: i64) -> Body {
    of(ops)
        .text("name", name)
        .text("station_name", station)
        .text("connection_id", &ops.shared.id)
        .number("req_version", version)
}

/// The same for one that makes a row.
pub fn making(ops: &Ops, name: &str, station: &str) -> Body {
    of_ours(ops, name, station, VERSION).text("app_id", &ops.shared.app).text("sdk_lang", "stationmaster")
}

/// What every request says of who asks.
pub fn of(ops: &Ops) -> Body {
    Body::default().text("username", &ops.shared.user.borrow())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Option<Value> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn three_forms_of_answers() {
        let of = |text: &str| read(json(text), text.as_bytes());
        assert_eq!(of(""), Ok(Value::Nothing));
        assert!(matches!(of(r#"{"error":""}"#), Ok(Value::Map(_))));
        assert_eq!(of(r#"{"error":"no"}"#), Err("no".into()));
        assert_eq!(of("Station  does not exist"), Err("Station  does not exist".into()));
        assert_eq!(of("[1]"), Err("[1]".into()));
    }

    #[test]
    fn texts_become_kinds() {
        for (text, kind) in [
            ("Station  does not exist", Kind::NoSuchStation),
            ("memphis: Station a does not exist", Kind::NoSuchStation),
            ("station a does not exist", Kind::NoSuchStation),
            ("User x does not exist", Kind::PermissionDenied),
            ("user does not exist", Kind::PermissionDenied),
            ("user u is not allowed to access station s", Kind::PermissionDenied),
            ("user u is not allowed to create station s", Kind::PermissionDenied),
            ("deliver policy can not be updated (10012)", Kind::AlreadyExists),
            ("Schema s does not exist", Kind::Rejected),
            ("idempotency window can not exceed 24 hours", Kind::InvalidArgument),
            ("Station name can not be empty", Kind::InvalidArgument),
            ("to consume from this station please upgrade your SDK version", Kind::NotSupported),
            (
                "station can not be created, probably since replicas count is larger than the cluster size",
                Kind::Rejected,
            ),
            ("pq: out of memory", Kind::Rejected),
        ] {
            let error = refused(text, "s");
            assert_eq!(error.kind, kind, "{text}");
            assert_eq!(error.server, Some(crate::base::error::ServerCode::Text(text.into())));
        }
    }
}
