//! The registry of schemas: one key-value bucket, laid out as every NATS client reads it, and the name of the enforced
//! schema in the metadata of a station's partition 1.
//!
//! The metadata is the truth. It cannot be watched, so whoever changes it also writes a key of the station into the bucket:
//! the bell. Whoever hears it reads again.
//!
//! Source: jetstream.md section 6. Knows nothing of engines and messages.

use super::api::{Api, Body, Refusal};
use super::{head, names, page, patch, wire};
use crate::base::bytes::parse_decimal;
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::time::{Millis, rfc3339};
use crate::base::value::{JsonReader, Value};
use crate::brokers::terms::{Done, Schema};
use crate::link::session::{News, Reply, Request};

/// The bucket's stream.
const BUCKET: &str = "KV_stationmaster_schemas";
/// Beginning of its subjects; the key follows.
pub const SUBJECTS: &str = "$KV.stationmaster_schemas.";
/// Beginning of the keys that ring. No schema's name begins with `_`.
const BELL: &str = "_station.";
/// Of the bucket, in a cluster: it outlives any one node.
const REPLICAS: i64 = 3;
/// How often a change is tried that others keep overtaking.
const TRIES: u64 = 10;

/// What stands under a key.
#[derive(Debug, Default, PartialEq, Eq)]
struct Entry {
    /// The sequence it was written with; 0 if nothing was ever.
    revision: u64,
    /// `None` if it was never written, or removed.
    value: Option<Vec<u8>>,
}

/// The schema of this name; `None` if there is none.
pub async fn find(api: &Api, name: &str) -> Done<Option<Schema>> {
    match read(api, name).await.map_err(|refusal| refused(refusal, name))? {
        Some(Entry { value: Some(value), .. }) => match parse(api.exchange().0.json(), name, &value) {
            Some(schema) => Ok(Some(schema)),
            None => Err(not_ours(name)),
        },
        _ => Ok(None),
    }
}

/// Make a schema, or another version of it, whose number comes back. The same text again changes nothing.
pub async fn create(api: &Api, schema: &Schema) -> Done<u64> {
    let name = schema.name.as_str();
    let mut looked = false;
    for attempt in 1..=TRIES {
        let found = read(api, name).await.map_err(|refusal| refused(refusal, name))?;
        let Some(Entry { revision, value }) = found else {
            make_bucket(api).await?;
            continue;
        };
        let old = match &value {
            None => None,
            Some(value) => Some(parse(api.exchange().0.json(), name, value).ok_or_else(|| not_ours(name))?),
        };
        if let Some(old) = &old {
            if old.kind != schema.kind {
                return Err(other_type(name, &old.kind));
            }
            if old.definition == schema.definition {
                return Ok(old.version);
            }
        }
        let version = old.map_or(0, |old| old.version).saturating_add(1);
        let at = rfc3339(api.exchange().0.now().wall);
        let mut body = Body::default()
            .number("v", i64::try_from(version).unwrap_or(i64::MAX))
            .text("name", name)
            .text("type", &schema.kind)
            .text("definition", &schema.definition);
        if !schema.message.is_empty() {
            body = body.text("message", &schema.message);
        }
        match put(api, name, Some(revision), &body.text("at", &at).finish()).await {
            Ok(()) => return Ok(version),
            // Somebody was faster: what he wrote has to be read. Where a replica answers reads it may not be there yet.
            Err(refusal) if matches!(refusal.code(), 10071 | 10164) => {}
            // No stream took it: where somebody listens to the subject, as this client does, nobody says so.
            Err(refusal) if !looked && is_unheard(&refusal) => {
                looked = true;
                make_bucket(api).await?;
            }
            Err(refusal) => return Err(refused(refusal, name)),
        }
        api.exchange().pause(Millis(attempt.saturating_mul(10))).await;
    }
    Err(Error::new(Kind::Rejected, format!("the schema {name} is being changed by others at the same time"))
        .hint("Try again.")
        .retryable(true))
}

/// Enforce a schema on a station, another one in its place, or (`""`) none.
pub async fn enforce(api: &Api, station: &str, schema: &str) -> Done<()> {
    if !schema.is_empty() {
        must_exist(api, schema).await.map_err(|error| error.at(station))?;
    }
    let token = names::token(station);
    let (value, text) = api
        .begin(&format!("STREAM.INFO.{token}"), Vec::new())
        .with_text()
        .await
        .map_err(|refusal| refusal.error(station))?;
    if value.get("config").get("metadata").get("stationmaster.schema").text().unwrap_or_default() != schema {
        let config = changed(&text, schema).ok_or_else(|| {
            Error::new(Kind::Protocol, "JetStream described the stream in a way that cannot be read").at(station)
        })?;
        api.ask(&format!("STREAM.UPDATE.{token}"), config).await.map_err(|refusal| refusal.error(station))?;
    }
    let bell = format!("{BELL}{token}");
    let rung = match schema {
        // Without a bucket nobody has a schema, and nobody has to be told.
        "" => match read(api, &bell).await {
            Ok(Some(_)) => put(api, &bell, None, b"").await,
            Ok(None) => Ok(()),
            Err(refusal) => Err(refusal),
        },
        _ => put(api, &bell, None, schema.as_bytes()).await,
    };
    rung.map_err(|refusal| {
        refused(refusal, schema)
            .at(station)
            .hint("It counts for producers and consumers made from now on; running ones could not be told.")
    })
}

/// Nobody answered.
fn is_unheard(refusal: &Refusal) -> bool {
    refusal.code() == 503 || matches!(refusal, Refusal::Link(error) if error.kind == Kind::Timeout)
}

/// A schema that is to be enforced has to be there.
pub async fn must_exist(api: &Api, schema: &str) -> Done<()> {
    match find(api, schema).await? {
        Some(_) => Ok(()),
        None => Err(crate::brokers::terms::no_schema(schema)),
    }
}

/// What a message on one of the bucket's subjects tells. It may come before the broker has stored it, and although the
/// broker will refuse it.
pub fn news(json: JsonReader, subject: &[u8], head: &[u8], value: &[u8]) -> Option<News> {
    let key = subject.strip_prefix(SUBJECTS.as_bytes()).and_then(|key| std::str::from_utf8(key).ok())?;
    if let Some(token) = key.strip_prefix(BELL) {
        let schema = std::str::from_utf8(value).unwrap_or_default().to_string();
        return Some(News::Station { name: names::station(token), schema });
    }
    let gone = wire::field(head, "KV-Operation").is_some();
    let version = if gone { 0 } else { json.read(value).and_then(|value| value.get("v").whole()).unwrap_or(0) };
    Some(News::Schema { name: key.into(), version })
}

/// The configuration in the text of a `STREAM.INFO`, with another enforced schema.
fn changed(info: &[u8], schema: &str) -> Option<Vec<u8>> {
    let config = info.get(patch::member(info, "config")?)?;
    let mut value = Vec::new();
    crate::base::bytes::push_json_string(&mut value, schema);
    let metadata = patch::member(config, "metadata").and_then(|at| config.get(at)).unwrap_or(b"{}");
    let metadata = patch::set(metadata, "stationmaster.schema", &value)
        .or_else(|| patch::set(b"{}", "stationmaster.schema", &value))?;
    patch::set(config, "metadata", &metadata)
}

/// What stands under a key; `None` if there is no bucket.
async fn read(api: &Api, key: &str) -> Result<Option<Entry>, Refusal> {
    if !api.is_own_domain() {
        // Nobody says across a leaf node that a bucket to be read directly is not there.
        return read_slowly(api, key).await;
    }
    let request = api.request(&format!("DIRECT.GET.{BUCKET}.{SUBJECTS}{key}"), Vec::new());
    let reply = api.exchange().ask(request, limits::REQUEST).await.map_err(Refusal::Link)?;
    match reply.status {
        0 => entry(reply).map(Some).map_err(Refusal::Link),
        404 => Ok(Some(Entry::default())),
        // No bucket, one that answers no direct reads, or no leader at present: the API tells which.
        _ => read_slowly(api, key).await,
    }
}

fn entry(reply: Reply) -> Result<Entry, Error> {
    let revision = wire::field(&reply.head, "Nats-Sequence").and_then(parse_decimal).ok_or_else(|| {
        Error::new(Kind::Protocol, "the bucket of schemas answered without a sequence")
            .hint("Another program answers on the JetStream API's subjects.")
    })?;
    let gone = wire::field(&reply.head, "KV-Operation").is_some();
    Ok(Entry { revision, value: (!gone).then_some(reply.body) })
}

async fn read_slowly(api: &Api, key: &str) -> Result<Option<Entry>, Refusal> {
    let body = Body::default().text("last_by_subj", &format!("{SUBJECTS}{key}")).finish();
    let answer = match api.ask(&format!("STREAM.MSG.GET.{BUCKET}"), body).await {
        Ok(answer) => answer,
        Err(refusal) if refusal.code() == 10059 => return Ok(None),
        Err(refusal) if refusal.code() == 10037 => return Ok(Some(Entry::default())),
        Err(refusal) => return Err(refusal),
    };
    let Some((revision, head, body)) = page::kept(&answer) else {
        return Err(Refusal::Link(Error::new(Kind::Protocol, "JetStream answered with a message that cannot be read")));
    };
    let gone = wire::field(&head, "KV-Operation").is_some();
    Ok(Some(Entry { revision, value: (!gone).then_some(body) }))
}

/// Write a value; with `expected`, only if what was written last there has this revision.
async fn put(api: &Api, key: &str, expected: Option<u64>, value: &[u8]) -> Result<(), Refusal> {
    let mut body = Vec::new();
    if let Some(revision) = expected {
        body.extend_from_slice(b"NATS/1.0\r\n");
        head::push(&mut body, "Nats-Expected-Last-Subject-Sequence", &revision.to_string());
        body.extend_from_slice(b"\r\n");
    }
    let head = u32::try_from(body.len()).unwrap_or(u32::MAX);
    body.extend_from_slice(value);
    let to = api.in_domain(format!("{SUBJECTS}{key}"));
    api.send(Request { to, body, head, many: false }).answer().await.map(|_| ())
}

/// Make the bucket. One that is there already, of whatever history, limits and replicas, is used as it is.
///
/// Stations with replicas are of little use without their schemas, so it has replicas where there are nodes for them: a server
/// says at once that it has none.
async fn make_bucket(api: &Api) -> Done<()> {
    let subjects = format!("{SUBJECTS}>");
    let make = async |replicas| {
        let body = Body::default()
            .text("name", BUCKET)
            .texts("subjects", &[&subjects])
            .text("retention", "limits")
            .text("storage", "file")
            .number("num_replicas", replicas)
            .number("max_msgs_per_subject", 64)
            .text("discard", "new")
            .flag("allow_rollup_hdrs", true)
            .flag("deny_delete", true)
            .flag("deny_purge", false)
            .flag("allow_direct", true);
        api.ask(&format!("STREAM.CREATE.{BUCKET}"), body.finish()).await
    };
    let made = match make(REPLICAS).await {
        Err(Refusal::Api(code, _)) if !matches!(code, 10058 | 10065) => make(1).await,
        made => made,
    };
    let in_the_way = |hint: &'static str| {
        Error::new(Kind::AlreadyExists, format!("another stream is in the way of the bucket of schemas, {BUCKET}"))
            .hint(hint)
    };
    match made {
        Ok(_) => Ok(()),
        Err(Refusal::Api(10065, _)) => {
            Err(in_the_way("It captures the subjects $KV.stationmaster_schemas.>: let it give them up.").code(10065))
        }
        Err(refusal) if refusal.code() == 10058 => {
            let info = api
                .ask(&format!("STREAM.INFO.{BUCKET}"), Vec::new())
                .await
                .map_err(|refusal| refused(refusal, "schemas"))?;
            let takes = |subject: &Value| subject.text() == Some(&subjects);
            if info.get("config").get("subjects").elements().iter().any(takes) {
                return Ok(());
            }
            Err(in_the_way("It has other subjects than $KV.stationmaster_schemas.>: remove or rename it.").code(10058))
        }
        Err(refusal) => Err(refused(refusal, "schemas")),
    }
}

fn parse(json: JsonReader, name: &str, value: &[u8]) -> Option<Schema> {
    let value = json.read(value)?;
    let text = |key: &str| value.get(key).text();
    Some(Schema {
        name: name.into(),
        kind: text("type").filter(|kind| crate::brokers::terms::SCHEMA_TYPES.contains(kind))?.into(),
        version: value.get("v").whole().filter(|version| *version > 0)?,
        definition: text("definition")?.into(),
        message: text("message").unwrap_or_default().into(),
    })
}

/// An error of the API, where a schema and not a station was meant.
fn refused(refusal: Refusal, schema: &str) -> Error {
    let code = refusal.code();
    let mut error = refusal.error("");
    match code {
        // The put found no stream that takes it.
        503 | 10059 => {
            error = Error::new(Kind::Rejected, format!("the bucket of schemas, {BUCKET}, does not take values"))
                .hint("It was removed, has other subjects, or has no leader at present; try again.")
                .code(code)
                .retryable(true);
        }
        10054 => {
            error = Error::new(Kind::TooLarge, "the definition is larger than the bucket takes")
                .hint("The bucket of schemas was made with a max_msg_size of its own.")
                .code(code);
        }
        10077 => error = error.hint("The bucket is full: it was made with limits of its own."),
        _ => {}
    }
    if error.kind == Kind::PermissionDenied {
        error = error.hint(
            "Schemas need the rights to publish to $KV.stationmaster_schemas.> and $JS.API.DIRECT.GET.KV_stationmaster_schemas.>; the first one also $JS.API.STREAM.CREATE.KV_stationmaster_schemas.",
        );
    }
    if !schema.is_empty() {
        error.text = format!("schema {schema}: {}", error.text).into();
    }
    error
}

/// The body of a fuzz target: whatever stands in the bucket, or is said of it, is a schema with a version and a type, or none.
pub fn fuzz(json: JsonReader, bytes: &[u8]) {
    let (key, value) = bytes.split_at(bytes.len().min(usize::from(bytes.first().copied().unwrap_or(0) & 31)));
    let subject = [SUBJECTS.as_bytes(), key].concat();
    for (subject, head, value) in [(&subject[..], key, value), (&subject[..], b"".as_slice(), bytes), (key, value, key)]
    {
        let _ = news(json, subject, head, value);
    }
    if let Some(schema) = parse(json, "person", bytes) {
        assert!(schema.version > 0 && crate::brokers::terms::SCHEMA_TYPES.contains(&schema.kind.as_str()));
    }
    let _ = changed(bytes, "person");
}

fn other_type(name: &str, kind: &str) -> Error {
    Error::new(Kind::AlreadyExists, format!("the schema {name} exists and is of the type {kind}"))
        .hint("A schema keeps its type through all versions; choose another name.")
}

fn not_ours(name: &str) -> Error {
    Error::new(Kind::Rejected, format!("what is stored as the schema {name} is not one")).hint(
        "Somebody wrote another value into the bucket stationmaster_schemas: remove the key, or choose another name.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: JsonReader = JsonReader(|text| serde_json::from_slice(text).ok());

    #[test]
    fn only_the_enforced_schema_changes_in_a_configuration() {
        let info = br#"{"type":"x","config":{"name":"a","max_age":9007199254740993,"metadata":{"_nats.ver":"2.15","stationmaster.schema":"old"}},"state":{}}"#;
        assert_eq!(
            String::from_utf8(changed(info, "n\"w").unwrap()).unwrap(),
            r#"{"name":"a","max_age":9007199254740993,"metadata":{"_nats.ver":"2.15","stationmaster.schema":"n\"w"}}"#
        );
        for bare in [r#"{"config":{"name":"a"}}"#, r#"{"config":{"name":"a","metadata":null}}"#] {
            let config: Value = serde_json::from_slice(&changed(bare.as_bytes(), "s").unwrap()).unwrap();
            assert_eq!(config.get("metadata").get("stationmaster.schema").text(), Some("s"), "{bare}");
        }
        assert_eq!(changed(b"{}", "s"), None);
    }

    #[test]
    fn news_of_schemas_and_stations() {
        let tell =
            |key: &str, head: &[u8], value: &[u8]| news(JSON, format!("{SUBJECTS}{key}").as_bytes(), head, value);
        let schema = |version| Some(News::Schema { name: "person".into(), version });
        assert_eq!(tell("person", b"", br#"{"v":3}"#), schema(3));
        assert_eq!(tell("person", b"NATS/1.0\r\nKV-Operation: DEL\r\n\r\n", b""), schema(0));
        assert_eq!(tell("person", b"", b"no json"), schema(0));
        assert_eq!(
            tell("_station.orders#eu", b"", b"person"),
            Some(News::Station { name: "orders.eu".into(), schema: "person".into() })
        );
        assert_eq!(news(JSON, b"$KV.other.person", b"", b""), None);
    }

    #[test]
    fn what_is_no_schema_is_none() {
        let good = br#"{"v":1,"name":"p","type":"json","definition":"{}","at":"2026-01-01T00:00:00Z"}"#;
        assert_eq!(parse(JSON, "p", good).map(|schema| (schema.version, schema.kind)), Some((1, "json".into())));
        for bad in
            ["", "1", "{}", r#"{"v":0,"type":"json","definition":"{}"}"#, r#"{"v":1,"type":"xml","definition":""}"#]
        {
            assert_eq!(parse(JSON, "p", bad.as_bytes()), None, "{bad}");
        }
    }
}
