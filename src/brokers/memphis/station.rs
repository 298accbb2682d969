//! Stations: look up, create, report, destroy (memphis.md sections 2.2, 2.3 and 7).
//!
//! What the control plane answers with success need not have happened: whether a station is there is asked of JetStream, by the
//! names of its streams, which every user may ask for.

use super::control::{self, refused};
use super::ops::places;
use super::{Ops, names, producer, schemas};
use crate::base::error::{Error, Kind};
use crate::base::time::Millis;
use crate::brokers::nats;
use crate::brokers::nats::api::Body;
use crate::brokers::terms::{Done, Retention, Start, StationFacts, StationReport, StationSpec, Walk};
use crate::link::session::Place;

/// The window of a station that nobody gave one for.
const WINDOW: Millis = Millis(120_000);

/// Find a station; `None` if there is none. Its schema is the one heard of last.
pub async fn find(ops: &Ops, name: &str) -> Done<Option<StationFacts>> {
    Ok(partitions(ops, name).await?.map(|numbers| facts(ops, name, places(name, &numbers), true)))
}

/// What is known of a station.
pub fn facts(ops: &Ops, name: &str, places: Vec<Place>, existed: bool) -> StationFacts {
    let schema = schemas::name_of(&ops.shared, name);
    StationFacts { name: name.into(), places, existed, differs: Vec::new(), window: WINDOW, schema }
}

/// The station's partitions; empty for one without (made by a broker before 1.2), `None` if there is no station.
async fn partitions(ops: &Ops, name: &str) -> Done<Option<Vec<u32>>> {
    let (one, two, none) = (stream(ops, name, 1), stream(ops, name, 2), stream(ops, name, 0));
    let (one, two, none) = (one.await?, two.await?, none.await?);
    if !one {
        return Ok(none.then(Vec::new));
    }
    if !two {
        return Ok(Some(vec![1]));
    }
    // They are numbered without gaps.
    let (mut low, mut high) = (2u32, 4u32);
    while stream(ops, name, high).await? {
        low = high;
        high = high.saturating_mul(2);
    }
    while high.saturating_sub(low) > 1 {
        let middle = low.midpoint(high);
        match stream(ops, name, middle).await? {
            true => low = middle,
            false => high = middle,
        }
    }
    Ok(Some((1..=low).collect()))
}

/// Whether a partition's stream is there. The question leaves at once.
fn stream<'a>(ops: &'a Ops, name: &'a str, partition: u32) -> impl Future<Output = Done<bool>> + 'a {
    let stream = names::stream(name, partition);
    let body = Body::default().text("subject", &format!("{stream}.final")).finish();
    let asked = ops.api.begin("STREAM.NAMES", body);
    async move {
        let answer = asked.answer().await.map_err(|refusal| refusal.error(name))?;
        Ok(answer.get("streams").elements().iter().any(|one| one.text() == Some(&stream)))
    }
}

/// Create what is missing; what exists is left as it is.
pub async fn ensure(ops: &Ops, name: &str, spec: &StationSpec) -> Done<StationFacts> {
    if let Some(mut facts) = find(ops, name).await? {
        if !spec.given.is_empty() {
            facts.differs = differs(ops, &facts, spec).await?;
        }
        return Ok(facts);
    }
    // Rows of a station of that name were removed with it.
    ops.shared.forget(name);
    if !spec.dls_station.is_empty() && find(ops, &spec.dls_station).await?.is_none() {
        // By our own defaults, not by the broker's.
        create(ops, &spec.dls_station, &StationSpec::default()).await?;
    }
    create(ops, name, spec).await?;
    let mut found = find(ops, name).await?;
    // The row of a station in memory outlives the broker's restart, its streams do not: it stands in the way until it is removed.
    if found.is_none() && was_there(ops, name).await? {
        create(ops, name, spec).await?;
        found = find(ops, name).await?;
    }
    match found {
        Some(mut facts) => {
            facts.existed = false;
            facts.schema = spec.schema.clone();
            Ok(facts)
        }
        // The broker's silent refusals.
        None if !spec.schema.is_empty() => Err(crate::brokers::terms::no_schema(&spec.schema).at(name)),
        None => Err(Error::new(
            Kind::PermissionDenied,
            "the broker made no station, without saying why: it does not know the user",
        )
        .hint("With a connectionToken username has to be one of the broker's users.")
        .at(name)),
    }
}

/// Remove what the broker holds for a station. False if it knows of none.
async fn was_there(ops: &Ops, name: &str) -> Done<bool> {
    match control::ask(ops, "station_destructions", control::of(ops).text("station_name", name), name).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind == Kind::NoSuchStation => Ok(false),
        Err(error) => Err(error),
    }
}

/// Names of the options that the caller gave and that are stored otherwise, as far as JetStream and the answer to a producer
/// tell: what becomes of its dead letters is known to the broker alone.
async fn differs(ops: &Ops, facts: &StationFacts, spec: &StationSpec) -> Done<Vec<&'static str>> {
    let (Some(place), name) = (facts.places.first(), facts.name.as_str()) else { return Ok(Vec::new()) };
    let asked = ops.api.ask(&format!("STREAM.INFO.{}", place.store), Vec::new());
    let info = asked.await.map_err(|refusal| refusal.error(name))?;
    let mut stored = nats::station::read_spec(&info);
    stored.partitions = u32::try_from(facts.places.len()).unwrap_or(u32::MAX);
    if spec.given.contains(&"schemaName") {
        stored.schema = producer::bound(ops, name).await?.map(|facts| facts.schema).unwrap_or_default();
    }
    let told =
        |option: &&str| !matches!(*option, "sendPoisonMsgToDls" | "sendSchemaFailedMsgToDls" | "dlsStation" | "extra");
    Ok(nats::adopt::differs(info.get("config"), &stored, spec).into_iter().filter(told).collect())
}

async fn create(ops: &Ops, name: &str, spec: &StationSpec) -> Done<()> {
    match control::ask(ops, "station_creations", config(ops, name, spec)?, name).await {
        // Somebody was faster.
        Err(error) if error.kind == Kind::AlreadyExists => Ok(()),
        other => other.map(|_| ()),
    }
}

fn config(ops: &Ops, name: &str, spec: &StationSpec) -> Done<Body> {
    if !matches!(spec.replicas, 1 | 3 | 5) {
        return Err(Error::new(Kind::NotSupported, format!("{} replicas cannot be honoured here", spec.replicas))
            .hint("Memphis keeps 1, 3 or 5 copies.")
            .at(name));
    }
    let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let mut window = spec.window;
    let (kind, value) = match spec.retention {
        Retention::Age(seconds) => {
            // The broker refuses a window that is larger than the retention: the default gives way to it.
            if !spec.given.contains(&"idempotencyWindowMs") {
                window = window.min(Millis(seconds.saturating_mul(1000)));
            }
            ("message_age_sec", seconds)
        }
        Retention::Messages(most) => ("messages", most),
        Retention::Bytes(most) => ("bytes", most),
        Retention::Acked => ("ack_based", 0),
    };
    let letters = Body::default().flag("poison", spec.poison_to_dls).flag("schemaverse", spec.schema_failed_to_dls);
    let body = control::of(ops)
        .text("name", name)
        .text("retention_type", kind)
        .number("retention_value", whole(value))
        .text("storage_type", if spec.in_memory { "memory" } else { "file" })
        .number("replicas", i64::from(spec.replicas))
        .number("idempotency_window_in_ms", whole(window.0))
        .text("schema_name", &spec.schema)
        .object("dls_configuration", letters)
        .flag("tiered_storage_enabled", false)
        .number("partitions_number", i64::from(spec.partitions))
        .text("dls_station", &spec.dls_station);
    nats::station::extra(body, spec, &["name", "username", "partitions_number"])
}

/// Remove a station.
pub async fn destroy(ops: &Ops, name: &str) -> Done<()> {
    was_there(ops, name).await?;
    ops.shared.forget(name);
    Ok(())
}

/// What it holds, and its schema. Which dead-letter options it has, the broker does not tell.
pub async fn report(ops: &Ops, name: &str) -> Done<StationReport> {
    let facts = producer::bound(ops, name).await?.ok_or_else(|| refused("Station  does not exist", name))?;
    let asked: Vec<_> =
        facts.places.iter().map(|place| ops.api.begin(&format!("STREAM.INFO.{}", place.store), Vec::new())).collect();
    let mut infos = Vec::new();
    for one in asked {
        infos.push(one.answer().await.map_err(|refusal| refusal.error(name))?);
    }
    let mut report = nats::station::summary(&facts, &infos);
    report.options.partitions = u32::try_from(facts.places.len()).unwrap_or(u32::MAX);
    report.options.schema = facts.schema;
    Ok(report)
}

/// Begin walks through its partitions, or one of them.
pub async fn walks(ops: &Ops, name: &str, start: Start, partition: Option<u32>) -> Done<Vec<Walk>> {
    nats::browse::walks_of(&ops.api, &present(ops, name).await?, start, partition).await
}

async fn present(ops: &Ops, name: &str) -> Done<StationFacts> {
    find(ops, name).await?.ok_or_else(|| refused("Station  does not exist", name))
}
