//! Stations: look up, create, report, destroy. One stream a partition; partition 1, named like the station, is made last
//! and removed last: its existence is the station's.
//!
//! Source: jetstream.md sections 2.3 to 2.6. Knows nothing of groups and messages.

use super::api::{Api, Body, Refusal};
use super::{adopt, graves, names};
use crate::base::bytes::parse_decimal;
use crate::base::error::{Error, Kind};
use crate::base::time::{Millis, parse_rfc3339};
use crate::base::value::Value;
use crate::brokers::terms::{Done, Retention, StationFacts, StationReport, StationSpec};
use crate::link::session::Place;
use std::pin::Pin;

/// The window of a stream that does not say.
const WINDOW: Millis = Millis(120_000);

/// Find a station; `None` if there is none.
pub async fn find(api: &Api, name: &str) -> Done<Option<StationFacts>> {
    Ok(look(api, name).await?.map(|info| facts(name, &info, true)))
}

pub(super) async fn look(api: &Api, name: &str) -> Done<Option<Value>> {
    match api.ask(&format!("STREAM.INFO.{}", names::token(name)), Vec::new()).await {
        Ok(info) => Ok(Some(info)),
        Err(refusal) if refusal.code() == 10059 => Ok(None),
        Err(refusal) => Err(refusal.explained(api, name).await),
    }
}

/// Create what is missing; what exists is left as it is.
pub async fn ensure(api: &Api, name: &str, spec: &StationSpec) -> Done<StationFacts> {
    let along = StationSpec::default();
    // Somebody faster makes the second look find it; somebody destroying meanwhile may cost another round.
    for _ in 0..4 {
        if let Some(info) = look(api, name).await? {
            let mut facts = facts(name, &info, true);
            facts.differs = adopt::differs(info.get("config"), &read_spec(&info), spec);
            return Ok(facts);
        }
        if !spec.dls_station.is_empty() {
            // First, so that there is never a station whose dead have nowhere to go.
            let along: Pin<Box<dyn Future<Output = Done<StationFacts>> + '_>> =
                Box::pin(ensure(api, &spec.dls_station, &along));
            along.await?;
        }
        if let Some(facts) = create(api, name, spec).await? {
            return Ok(facts);
        }
    }
    Err(Error::new(Kind::Rejected, "the station is being created and destroyed at the same time")
        .at(name)
        .retryable(true))
}

/// `None` if somebody was faster.
async fn create(api: &Api, name: &str, spec: &StationSpec) -> Done<Option<StationFacts>> {
    let token = names::token(name);
    let subject = |what: &str, partition: u32| format!("STREAM.{what}.{}", names::stream(&token, partition));
    if !spec.schema.is_empty() {
        super::registry::must_exist(api, &spec.schema).await.map_err(|error| error.at(name))?;
    }
    let mut parts = Vec::new();
    for partition in (2..=spec.partitions).rev() {
        let body = config(name, &token, partition, spec)?;
        parts.push((partition, api.begin(&subject("CREATE", partition), body)));
    }
    for (partition, pending) in parts {
        match pending.answer().await {
            Ok(_) => {}
            Err(refusal) if refusal.code() == 10058 => take_over(api, name, &token, partition, spec).await?,
            Err(refusal) => return Err(refusal.error(name)),
        }
    }
    match api.ask(&subject("CREATE", 1), config(name, &token, 1, spec)?).await {
        Ok(info) if info.get("config").get("metadata") == &Value::Nothing => {
            // Servers before 2.10 drop metadata silently (jetstream.md section 12).
            let _ = api.ask(&subject("DELETE", 1), Vec::new()).await;
            Err(Error::new(Kind::NotSupported, "this NATS server is too old for stations")
                .hint("Use nats-server 2.10 or newer.")
                .at(name))
        }
        Ok(info) => Ok(Some(facts(name, &info, false))),
        Err(refusal) if refusal.code() == 10058 => Ok(None),
        Err(refusal) => Err(refusal.error(name)),
    }
}

/// A part that a half-made or half-destroyed station left behind, if it is empty.
async fn take_over(api: &Api, name: &str, token: &str, partition: u32, spec: &StationSpec) -> Done<()> {
    let stream = names::stream(token, partition);
    let info = api.ask(&format!("STREAM.INFO.{stream}"), Vec::new()).await.map_err(|refusal| refusal.error(name))?;
    let ours = info.get("config").get("metadata").get("stationmaster.station").text() == Some(name);
    if !ours || info.get("state").get("messages").whole() != Some(0) {
        return Err(Error::new(
            Kind::AlreadyExists,
            format!("the stream {stream} is in the way of partition {partition}"),
        )
        .hint("Remove that stream, or choose another name for the station.")
        .at(name)
        .code(10058));
    }
    let body = config(name, token, partition, spec)?;
    api.ask(&format!("STREAM.UPDATE.{stream}"), body).await.map(|_| ()).map_err(|refusal| refusal.error(name))
}

/// Remove the station: the other parts, then partition 1. An interrupted removal is finished by the next.
pub async fn destroy(api: &Api, facts: &StationFacts) -> Done<()> {
    let delete = |place: &Place| api.begin(&format!("STREAM.DELETE.{}", place.store), Vec::new());
    let done = |answer: Result<Value, Refusal>| match answer {
        Err(refusal) if refusal.code() != 10059 => Err(refusal.error(&facts.name)),
        _ => Ok(()),
    };
    let parts: Vec<_> = facts.places.iter().skip(1).rev().map(delete).collect();
    for part in parts {
        done(part.answer().await)?;
    }
    graves::remove(api, &facts.name).await?;
    if let Some(place) = facts.places.first() {
        done(delete(place).answer().await)?;
    }
    Ok(())
}

/// What it holds.
pub async fn report(api: &Api, name: &str) -> Done<StationReport> {
    let first = look(api, name).await?.ok_or_else(|| super::session::gone(name, 10059))?;
    let facts = facts(name, &first, true);
    let others: Vec<_> = facts
        .places
        .iter()
        .skip(1)
        .map(|place| api.begin(&format!("STREAM.INFO.{}", place.store), Vec::new()))
        .collect();
    let mut infos = vec![first];
    for other in others {
        infos.push(other.answer().await.map_err(|refusal| refusal.error(name))?);
    }
    Ok(summary(&facts, &infos))
}

/// What a station holds, by what its streams say; partition 1's comes first.
pub fn summary(facts: &StationFacts, infos: &[Value]) -> StationReport {
    let state = |info: &Value, key: &str| info.get("state").get(key).whole().unwrap_or(0);
    let sum = |key: &str| infos.iter().fold(0u64, |sum, info| sum.saturating_add(state(info, key)));
    let only = infos.first().filter(|_| infos.len() == 1);
    let options = infos.first().map(read_spec).unwrap_or_else(|| read_spec(&Value::Nothing));
    StationReport {
        name: facts.name.clone(),
        partitions: facts.places.iter().map(|place| place.partition).collect(),
        messages: sum("messages"),
        bytes: sum("bytes"),
        // A stream without messages names where the next one will be, or 0.
        first: only.filter(|info| state(info, "messages") > 0).map(|info| state(info, "first_seq")),
        last: only.map(|info| state(info, "last_seq")).filter(|last| *last > 0),
        groups: infos.iter().map(|info| state(info, "consumer_count")).max().unwrap_or(0),
        created: infos.first().and_then(|info| info.get("created").text()).and_then(parse_rfc3339),
        options,
    }
}

/// Remove all messages; says how many there were.
pub async fn purge(api: &Api, facts: &StationFacts) -> Done<u64> {
    let begin = |place: &Place| api.begin(&format!("STREAM.PURGE.{}", place.store), Vec::new());
    let parts: Vec<_> = facts.places.iter().map(begin).collect();
    let mut removed = 0u64;
    for part in parts {
        let answer = part.answer().await.map_err(|refusal| refusal.error(&facts.name))?;
        removed = removed.saturating_add(answer.get("purged").whole().unwrap_or(0));
    }
    Ok(removed)
}

/// First and last sequence of a partition.
pub async fn range(api: &Api, place: &Place) -> Done<(u64, u64)> {
    let info = api
        .ask(&format!("STREAM.INFO.{}", place.store), Vec::new())
        .await
        .map_err(|refusal| refusal.error(&place.station))?;
    let state = |key: &str| info.get("state").get(key).whole().unwrap_or(0);
    Ok((state("first_seq"), state("last_seq")))
}

fn config(name: &str, token: &str, partition: u32, spec: &StationSpec) -> Done<Vec<u8>> {
    let mut body = Body::default()
        .text("name", &names::stream(token, partition))
        .texts("subjects", &[&names::subject(token, partition)])
        .text("retention", if spec.retention == Retention::Acked { "interest" } else { "limits" })
        .text("storage", if spec.in_memory { "memory" } else { "file" })
        .number("num_replicas", i64::from(spec.replicas))
        .text("discard", "old");
    let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let mut window = spec.window;
    match spec.retention {
        Retention::Age(seconds) => {
            let age = Millis(seconds.saturating_mul(1000));
            window = window.min(age);
            body = body.number("max_age", whole(age.nanos()));
        }
        Retention::Messages(most) => body = body.number("max_msgs", whole(most)),
        Retention::Bytes(most) => body = body.number("max_bytes", whole(most)),
        Retention::Acked => {}
    }
    let flag = |value: bool| if value { "1" } else { "0" };
    let metadata = Body::default()
        .text("stationmaster.v", "1")
        .text("stationmaster.station", name)
        .text("stationmaster.partition", &partition.to_string())
        .text("stationmaster.partitions", &spec.partitions.to_string())
        .text("stationmaster.dls", &spec.dls_station)
        .text("stationmaster.dls_poison", flag(spec.poison_to_dls))
        .text("stationmaster.dls_schema", flag(spec.schema_failed_to_dls))
        .text("stationmaster.schema", &spec.schema);
    body =
        body.number("duplicate_window", whole(window.nanos())).flag("allow_direct", true).object("metadata", metadata);
    Ok(extra(body, spec, &["name", "subjects", "metadata"])?.finish())
}

/// Append the options that go to the broker as they are, except for those that are `ours`.
#[inline(never)]
pub fn extra(mut body: Body, spec: &StationSpec, ours: &[&str]) -> Done<Body> {
    for (key, value) in &spec.extra {
        if ours.contains(&key.as_str()) {
            return Err(Error::argument(format!(
                "extra.{key} cannot be set: the station's name and its other options decide it"
            )));
        }
        body = match value {
            Value::Text(text) => body.text(key, text),
            Value::Bool(flag) => body.flag(key, *flag),
            Value::Whole(number) => body.number(key, *number),
            Value::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => body.number(key, *number as i64),
            _ => return Err(Error::argument(format!("extra.{key} is not a text, a whole number or a boolean"))),
        };
    }
    Ok(body)
}

/// A number in a stream's metadata, which are texts.
pub fn number(metadata: &Value, key: &str) -> Option<u32> {
    parse_decimal(metadata.get(key).text()?.as_bytes())?.try_into().ok()
}

/// What a station is, by what the stream of its partition 1 says.
pub fn facts(name: &str, info: &Value, existed: bool) -> StationFacts {
    let config = info.get("config");
    let metadata = config.get("metadata");
    let token = names::token(name);
    let places = match number(metadata, "stationmaster.partitions") {
        Some(count) => (1..=count.clamp(1, 4096))
            .map(|partition| Place {
                station: name.into(),
                partition,
                store: names::stream(&token, partition),
                address: names::subject(&token, partition),
            })
            .collect(),
        None => {
            let address = adopt::address(config);
            vec![Place { station: name.into(), partition: 1, store: token, address }]
        }
    };
    let schema = metadata.get("stationmaster.schema").text().unwrap_or_default().into();
    StationFacts { name: name.into(), places, existed, differs: Vec::new(), window: window(config), schema }
}

/// How long the broker remembers message ids.
fn window(config: &Value) -> Millis {
    let nanos = config.get("duplicate_window").whole().filter(|value| *value > 0);
    nanos.map_or(WINDOW, |nanos| Millis(nanos / 1_000_000))
}

/// The options of the contract, as the stored configuration has them.
pub(crate) fn read_spec(info: &Value) -> StationSpec {
    let config = info.get("config");
    let metadata = config.get("metadata");
    let positive = |key: &str| config.get(key).whole().filter(|value| *value > 0);
    let text = |key: &str| metadata.get(key).text().unwrap_or_default().to_string();
    let retention = match (config.get("retention").text(), positive("max_msgs"), positive("max_bytes")) {
        (Some("interest" | "workqueue"), ..) => Retention::Acked,
        (_, Some(most), _) => Retention::Messages(most),
        (_, None, Some(most)) => Retention::Bytes(most),
        _ => Retention::Age(positive("max_age").unwrap_or(0) / 1_000_000_000),
    };
    StationSpec {
        retention,
        in_memory: config.get("storage").text() == Some("memory"),
        replicas: positive("num_replicas").and_then(|count| u32::try_from(count).ok()).unwrap_or(1),
        window: window(config),
        partitions: number(metadata, "stationmaster.partitions").unwrap_or(1),
        poison_to_dls: text("stationmaster.dls_poison") != "0",
        schema_failed_to_dls: text("stationmaster.dls_schema") != "0",
        dls_station: text("stationmaster.dls"),
        schema: text("stationmaster.schema"),
        extra: Vec::new(),
        given: Vec::new(),
    }
}
