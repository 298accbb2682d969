//! Consumer groups: one durable pull consumer of the same name on every partition.
//!
//! Source: jetstream.md sections 4.1 and 4.2; semantics.md section 9 fixes what is stored: the filter is there from the
//! first day, the server's own limits are off, and the limit of deliveries stands in the metadata.
//! Knows nothing of messages.

use super::api::{Api, Body, Refusal};
use super::{adopt, names, station};
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::time::{Millis, rfc3339};
use crate::base::value::Value;
use crate::brokers::terms::{Done, GroupFacts, GroupSpec, Start, StationFacts};
use crate::link::session::{FeedSpec, Place};

/// A sequence that no stream reaches, and every reader of numbers takes.
const FAR: u64 = 9_007_199_254_740_991;

/// Create the group where it is missing; join it where it is.
pub async fn ensure(api: &Api, facts: &StationFacts, spec: &GroupSpec) -> Done<GroupFacts> {
    let mut asked = Vec::new();
    for place in &facts.places {
        let resume = spec.resume.iter().find(|(partition, _)| *partition == place.partition);
        let start = match resume.map_or(spec.start, |(_, sequence)| Start::Sequence(*sequence)) {
            Start::LastMessages(0) => Start::Next,
            Start::LastMessages(count) => {
                let (first, last) = station::range(api, place).await?;
                Start::Sequence(last.saturating_add(1).saturating_sub(count).max(first).max(1))
            }
            other => other,
        };
        let body = create(place, spec, start);
        asked.push((place, api.begin(&subject("CREATE", place, &spec.name, is_ours(place)), body)));
    }
    let mut group = GroupFacts {
        feeds: Vec::new(),
        max_deliveries: spec.max_deliveries,
        ack_time: spec.ack_time,
        broker_buries: false,
        broker_drops: false,
        first: u64::MAX,
    };
    for (place, pending) in asked {
        let info = match pending.answer().await {
            Ok(info) => info,
            Err(Refusal::Api(10148 | 10013 | 10012, _)) => info(api, place, &spec.name).await?,
            Err(Refusal::Api(code @ 10099, text)) => {
                return Err(Refusal::Api(code, text).error(&place.station));
            }
            Err(refusal) => return Err(refusal.error(&place.station)),
        };
        join(&mut group, &info, place, spec)?;
        group.first = group.first.min(begins(info.get("config")));
    }
    Ok(group)
}

/// The sequence that a durable begins at, where it was given one; else 0.
pub fn begins(config: &Value) -> u64 {
    let given = config.get("deliver_policy").text() == Some("by_start_sequence");
    config.get("opt_start_seq").whole().filter(|_| given).unwrap_or(0)
}

/// Take over what the durable says; refuse one that cannot be read this way.
fn join(group: &mut GroupFacts, info: &Value, place: &Place, spec: &GroupSpec) -> Done<()> {
    let config = info.get("config");
    let exists = |text: &'static str, hint: &'static str| {
        Error::new(Kind::AlreadyExists, text).hint(hint).at(&place.station).code(10148)
    };
    if config.get("deliver_subject").text().is_some_and(|subject| !subject.is_empty()) {
        return Err(exists(
            "a push consumer of the group's name is in the way",
            "Choose another group name, or remove that consumer.",
        ));
    }
    if config.get("ack_policy").text() == Some("all") {
        return Err(exists(
            "a consumer of the group's name, whose acks count for all earlier messages, too, is in the way",
            "Choose another group name, or remove that consumer: one member would settle what others have.",
        ));
    }
    let no_acks = config.get("ack_policy").text() == Some("none");
    if no_acks != spec.auto_ack {
        return Err(if no_acks {
            exists("the group was made with autoAck", "Give autoAck: true, or choose another group name.")
        } else {
            exists("the group was made without autoAck", "Leave autoAck out, or choose another group name.")
        });
    }
    if let Some(nanos) = config.get("ack_wait").whole().filter(|nanos| *nanos > 0) {
        group.ack_time = Millis((nanos / 1_000_000).max(1));
    }
    let (ours, server) = adopt::limits(config);
    // What is given back on its last delivery dies here all the same; what is merely not acked, the server drops.
    group.max_deliveries = ours.min(server);
    group.broker_drops |= adopt::drops(config);
    group.feeds.push(FeedSpec {
        place: place.clone(),
        group: spec.name.clone(),
        auto_ack: spec.auto_ack,
        ack_time: group.ack_time,
    });
    Ok(())
}

/// Remove the group. With `given_back`, only if no other member shows: no open pull, and nothing pending beyond what this
/// member has just given back. Says whether it was removed.
pub async fn remove(api: &Api, facts: &StationFacts, group: &str, given_back: Option<u64>) -> Done<bool> {
    if let Some(given_back) = given_back {
        let mut pending = 0u64;
        for place in &facts.places {
            match info(api, place, group).await {
                Ok(info) => {
                    let number = |key: &str| info.get(key).whole().unwrap_or(0);
                    pending = pending.saturating_add(number("num_ack_pending"));
                    if number("num_waiting") > 0 {
                        return Ok(false);
                    }
                }
                Err(error) if error.kind == Kind::NoSuchStation => {}
                Err(error) => return Err(error),
            }
        }
        if pending > given_back {
            return Ok(false);
        }
    }
    let deletes: Vec<_> =
        facts.places.iter().map(|place| api.begin(&subject("DELETE", place, group, false), Vec::new())).collect();
    for delete in deletes {
        match delete.answer().await {
            Err(refusal) if !matches!(refusal.code(), 10014 | 10059) => return Err(refusal.error(&facts.name)),
            _ => {}
        }
    }
    Ok(true)
}

/// The last sequence the group is done with; `None` if nothing yet.
pub async fn position(api: &Api, place: &Place, group: &str) -> Done<Option<u64>> {
    // Acks wait in a queue of the consumer: what comes through it behind them is answered when they count. This sign of life
    // is for a sequence that no stream reaches, and so means nothing else. A group without acks has no such queue.
    let last = format!("$JS.ACK.{}.{}.1.{FAR}.{FAR}.1.0", place.store, names::token(group));
    let _ = api.publish(&last, b"+WPI".to_vec(), 0, limits::QUEUED).await;
    let info = info(api, place, group).await?;
    let floor = info.get("ack_floor");
    let done = floor.get("consumer_seq").whole().unwrap_or(0) > 0;
    Ok(floor.get("stream_seq").whole().filter(|sequence| done && *sequence > 0))
}

async fn info(api: &Api, place: &Place, group: &str) -> Done<Value> {
    api.ask(&subject("INFO", place, group, false), Vec::new()).await.map_err(|refusal| refusal.error(&place.station))
}

/// The filter keeps other subjects of the stream away, such as those of delayed messages.
fn is_ours(place: &Place) -> bool {
    place.address == names::subject(&names::token(&place.station), place.partition)
}

fn subject(what: &str, place: &Place, group: &str, filter: bool) -> String {
    let mut subject = format!("CONSUMER.{what}.{}.{}", place.store, names::token(group));
    if filter {
        subject.push('.');
        subject.push_str(&place.address);
    }
    subject
}

fn create(place: &Place, spec: &GroupSpec, start: Start) -> Vec<u8> {
    let name = names::token(&spec.name);
    let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let mut config = Body::default().text("name", &name).text("durable_name", &name);
    config = match start {
        Start::First | Start::LastMessages(_) | Start::Sequence(0 | 1) => config.text("deliver_policy", "all"),
        Start::Last => config.text("deliver_policy", "last"),
        Start::Next => config.text("deliver_policy", "new"),
        Start::Sequence(sequence) => {
            config.text("deliver_policy", "by_start_sequence").number("opt_start_seq", whole(sequence))
        }
        Start::Time(at) => config.text("deliver_policy", "by_start_time").text("opt_start_time", &rfc3339(at)),
    };
    config = config
        .text("ack_policy", if spec.auto_ack { "none" } else { "explicit" })
        .number("ack_wait", whole(spec.ack_time.nanos()))
        .number("max_deliver", -1)
        .number("max_ack_pending", -1)
        .text("replay_policy", "instant");
    if spec.nameless {
        config = config.number("inactive_threshold", whole(limits::NAMELESS_GROUP.nanos()));
    }
    if is_ours(place) {
        config = config.text("filter_subject", &place.address);
    }
    let metadata = Body::default()
        .text("stationmaster.v", "1")
        .text("stationmaster.group", &spec.name)
        .text("stationmaster.max_deliver", &spec.max_deliveries.to_string());
    let config = config.object("metadata", metadata);
    Body::default().text("stream_name", &place.store).text("action", "create").object("config", config).finish()
}
