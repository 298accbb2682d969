//! Consumer groups: a row a consumer in the broker's database, and a durable a partition, which the broker makes (memphis.md
//! sections 2.5, 2.6, 5.3 and 5.9).
//!
//! What the broker answers with success need not have happened: whether the durables are there is asked of JetStream, and what
//! is missing of them is made here.

use super::shared::{About, leave_row, take};
use super::{Ops, control, names, producer, schemas};
use crate::base::error::{Error, Kind};
use crate::base::time::Millis;
use crate::base::value::Value;
use crate::brokers::nats::api::{Body, Refusal};
use crate::brokers::nats::group::begins;
use crate::brokers::terms::{Done, GroupFacts, GroupSpec, Start, StationFacts};
use crate::link::session::{FeedSpec, Place};

/// The most deliveries the broker knows.
const DELIVERIES_MAX: u32 = 10;
/// So many last messages that they are all.
const ALL: i64 = 1 << 40;
/// Says in a durable's metadata that its group is read with `autoAck`, which the broker knows nothing of.
const AUTO: &str = "stationmaster.auto_ack";

/// Where a group begins, in the broker's two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Begin {
    sequence: u64,
    last: i64,
}

/// Make the group where it is missing, join it where it is.
pub async fn ensure(ops: &Ops, facts: &StationFacts, spec: &GroupSpec) -> Done<GroupFacts> {
    check(facts, spec)?;
    let name = facts.name.as_str();
    let places = &facts.places;
    let before = durables(ops, places, &spec.name).await?;
    let known = before.iter().flatten().next();
    if let Some(config) = known {
        same_kind(name, config, spec.auto_ack)?;
    }
    let shared = &ops.shared;
    let mut places = places.clone();
    if take(&shared.consumers, name, &spec.member, &spec.name) {
        schemas::refresh(ops, name).await?;
    } else {
        match create(ops, facts, spec, &before).await {
            Ok(found) => places = found,
            Err(error) => {
                leave_row(&shared.consumers, name, &spec.member, &spec.name);
                return Err(error);
            }
        }
    }
    let configs = match before.into_iter().collect::<Option<Vec<_>>>().filter(|there| there.len() == places.len()) {
        Some(configs) => configs,
        None => complete(ops, &places, spec).await?,
    };
    Ok(join_all(places, spec, &configs))
}

/// Make the row, and with it what is missing of the group; `before`: its durables. The station's partitions come back.
async fn create(ops: &Ops, facts: &StationFacts, spec: &GroupSpec, before: &[Option<Value>]) -> Done<Vec<Place>> {
    let (name, shared) = (facts.name.as_str(), &ops.shared);
    let known = before.iter().flatten().next();
    let begin = match known {
        Some(config) => as_it_began(config),
        None => begin(ops, facts, spec.start).await?,
    };
    shared.listen(names::schema_updates(name), About::Schema(name.into()));
    let links = shared.links.get();
    let answer = control::ask(ops, "consumer_creations", request(ops, name, spec, known, begin), name).await;
    if shared.links.get() != links {
        // The request may have been read twice. Nothing can be done about that now: leaving one row may remove the group.
        let mut rows = shared.consumers.borrow_mut();
        rows.iter_mut().filter(|row| row.is(name, &spec.member, &spec.name)).for_each(|row| row.doubled = true);
    }
    match answer {
        Ok(Value::Nothing) if facts.places.iter().any(names::has_partitions) => {
            Err(Error::new(Kind::Protocol, "the broker read the request as one of its oldest form")
                .hint("Is something between this client and the broker that changes numbers?")
                .at(name))
        }
        // Brokers before 1.2 say no more.
        Ok(Value::Nothing) => Ok(facts.places.clone()),
        Ok(answer) => {
            schemas::learn(shared, name, &answer);
            Ok(producer::partitions(name, &answer))
        }
        // The group began in a way that its members cannot say: it is there all the same.
        Err(error) if error.kind == Kind::AlreadyExists && before.iter().all(Option::is_some) => {
            schemas::refresh(ops, name).await?;
            Ok(facts.places.clone())
        }
        Err(error) => Err(error),
    }
}

fn check(facts: &StationFacts, spec: &GroupSpec) -> Done<()> {
    let cannot =
        |text: &'static str, hint: &'static str| Err(Error::new(Kind::NotSupported, text).hint(hint).at(&facts.name));
    if matches!(spec.start, Start::Time(_)) {
        return cannot("Memphis has no beginning by time", "Begin with a sequence, or with the last messages.");
    }
    if spec.max_deliveries > DELIVERIES_MAX {
        return cannot(
            "Memphis delivers a message 10 times at most",
            "Give maxMsgDeliveries from 1 to 10; it is 10 by default.",
        );
    }
    Ok(())
}

/// A group is read with acks or without, by all of its members.
fn same_kind(station: &str, config: &Value, auto_ack: bool) -> Done<()> {
    let marked = config.get("metadata").get(AUTO).text().is_some();
    if marked == auto_ack {
        return Ok(());
    }
    let (text, hint) = if marked {
        ("the group was made with autoAck", "Give autoAck: true, or choose another group name.")
    } else {
        ("the group was made without autoAck", "Leave autoAck out, or choose another group name.")
    };
    Err(Error::new(Kind::AlreadyExists, text).hint(hint).at(station))
}

/// The configurations of the group's durables, a place each; `None` where there is none.
async fn durables(ops: &Ops, places: &[Place], group: &str) -> Done<Vec<Option<Value>>> {
    let ask =
        |place: &Place| ops.api.begin(&format!("CONSUMER.INFO.{}.{}", place.store, names::internal(group)), Vec::new());
    let asked: Vec<_> = places.iter().map(ask).collect();
    let mut found = Vec::new();
    for (one, place) in asked.into_iter().zip(places) {
        found.push(match one.answer().await {
            Ok(info) => Some(info.get("config").clone()),
            Err(Refusal::Api(10014, _)) => None,
            Err(refusal) => return Err(refusal.error(&place.station)),
        });
    }
    Ok(found)
}

/// Where a new group begins. The last messages of a station with one partition are a sequence: the broker would make nothing of
/// them.
async fn begin(ops: &Ops, facts: &StationFacts, start: Start) -> Done<Begin> {
    let at = |sequence: u64, last: i64| Ok(Begin { sequence, last });
    let count = match start {
        Start::First | Start::Time(_) => return at(1, -1),
        Start::Next | Start::LastMessages(0) => return at(1, 0),
        Start::Sequence(sequence) => return at(sequence.max(1), -1),
        Start::Last => 1,
        Start::LastMessages(count) => count,
    };
    match facts.places.as_slice() {
        [only] => at(newest(ops, only, count).await?, -1),
        _ => at(1, i64::try_from(count).unwrap_or(ALL)),
    }
}

/// Where the newest messages of a partition begin, so many of them.
async fn newest(ops: &Ops, place: &Place, count: u64) -> Done<u64> {
    let (_, last) = crate::brokers::nats::station::range(&ops.api, place).await?;
    Ok(last.saturating_add(1).saturating_sub(count).max(1))
}

/// How a group that is there began, so that the broker has nothing to change.
fn as_it_began(config: &Value) -> Begin {
    let sequence = config.get("opt_start_seq").whole().unwrap_or(1).max(1);
    match (config.get("deliver_policy").text(), sequence) {
        (Some("new"), _) => Begin { sequence: 1, last: 0 },
        (Some("by_start_sequence"), 1) => Begin { sequence: 1, last: ALL },
        (Some("by_start_sequence"), _) => Begin { sequence, last: -1 },
        _ => Begin { sequence: 1, last: -1 },
    }
}

fn request(ops: &Ops, station: &str, spec: &GroupSpec, known: Option<&Value>, begin: Begin) -> Body {
    let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let (ack_time, deliveries) = match known {
        Some(config) => limits_of(config, spec),
        None => (spec.ack_time, spec.max_deliveries),
    };
    control::making(ops, &spec.member, station)
        .text("consumer_type", "application")
        .text("consumers_group", &spec.name)
        .number("max_ack_time_ms", whole(ack_time.0))
        .number("max_msg_deliveries", i64::from(deliveries))
        .number("start_consume_from_sequence", whole(begin.sequence))
        .number("last_messages", begin.last)
}

/// Ack time and deliveries of a group that is there.
fn limits_of(config: &Value, spec: &GroupSpec) -> (Millis, u32) {
    let wait = config.get("ack_wait").whole().filter(|nanos| *nanos > 0);
    let most = config.get("max_deliver").whole().filter(|most| *most > 0).and_then(|most| u32::try_from(most).ok());
    (wait.map_or(spec.ack_time, |nanos| Millis((nanos / 1_000_000).max(1))), most.unwrap_or(u32::MAX))
}

/// Make what the broker has not made of the group's durables, and mark those of a group without acks.
async fn complete(ops: &Ops, places: &[Place], spec: &GroupSpec) -> Done<Vec<Value>> {
    let mut configs = Vec::new();
    for (place, found) in places.iter().zip(durables(ops, places, &spec.name).await?) {
        let start = match found {
            Some(config) if !spec.auto_ack || config.get("metadata").get(AUTO).text().is_some() => {
                configs.push(config);
                continue;
            }
            Some(config) => Some(config),
            None => None,
        };
        let body = durable(ops, place, spec, start.as_ref()).await?;
        let to = format!("CONSUMER.DURABLE.CREATE.{}.{}", place.store, names::internal(&spec.name));
        let made = ops.api.ask(&to, body).await.map_err(|refusal| refusal.error(&place.station))?;
        configs.push(made.get("config").clone());
    }
    Ok(configs)
}

/// A durable as the broker would make it (section 5.3). `old`: as it is already, but for its mark.
async fn durable(ops: &Ops, place: &Place, spec: &GroupSpec, old: Option<&Value>) -> Done<Vec<u8>> {
    let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let resume = spec.resume.iter().find(|(partition, _)| *partition == place.partition).map(|(_, sequence)| *sequence);
    let (begin, (ack_time, deliveries)) = match old {
        Some(config) => (as_it_began(config), limits_of(config, spec)),
        None => {
            let sequence = match (resume, spec.start) {
                (Some(sequence), _) | (None, Start::Sequence(sequence)) => sequence,
                (None, Start::Last) => newest(ops, place, 1).await?,
                (None, Start::LastMessages(count)) if count > 0 => newest(ops, place, count).await?,
                _ => 1,
            };
            let new = resume.is_none() && matches!(spec.start, Start::Next | Start::LastMessages(0));
            (Begin { sequence, last: if new { 0 } else { -1 } }, (spec.ack_time, spec.max_deliveries))
        }
    };
    let mut config = Body::default().text("durable_name", &names::internal(&spec.name));
    config = match begin {
        Begin { last: 0, .. } => config.text("deliver_policy", "new"),
        Begin { sequence: 0 | 1, last: -1 } => config.text("deliver_policy", "all"),
        Begin { sequence, .. } => {
            config.text("deliver_policy", "by_start_sequence").number("opt_start_seq", whole(sequence))
        }
    };
    config = config
        .text("ack_policy", "explicit")
        .number("ack_wait", whole(ack_time.nanos()))
        .number("max_deliver", i64::from(deliveries))
        .text("filter_subject", &format!("{}.final", place.store))
        .text("replay_policy", "instant")
        .number("max_ack_pending", -1);
    if spec.auto_ack {
        config = config.object("metadata", Body::default().text(AUTO, "1"));
    }
    Ok(Body::default().text("stream_name", &place.store).object("config", config).finish())
}

fn join_all(places: Vec<Place>, spec: &GroupSpec, configs: &[Value]) -> GroupFacts {
    let (ack_time, max_deliveries) =
        configs.first().map_or((spec.ack_time, spec.max_deliveries), |config| limits_of(config, spec));
    let feed = |place: Place| FeedSpec { place, group: spec.name.clone(), auto_ack: spec.auto_ack, ack_time };
    GroupFacts {
        feeds: places.into_iter().map(feed).collect(),
        max_deliveries,
        ack_time,
        broker_buries: true,
        broker_drops: false,
        first: configs.iter().map(begins).min().unwrap_or(0),
    }
}

/// Leave a group with all members of ours; the broker removes it with the last one that it knows of.
pub async fn remove(ops: &Ops, facts: &StationFacts, group: &str) -> Done<bool> {
    let name = facts.name.as_str();
    let ours = |row: &super::shared::Row| row.station == name && row.group == group;
    let rows: Vec<_> = ops.shared.consumers.borrow().iter().filter(|row| ours(row)).cloned().collect();
    ops.shared.consumers.borrow_mut().retain(|row| !ours(row));
    for row in &rows {
        for _ in 0..=u32::from(row.doubled) {
            let body = control::of_ours(ops, &row.name, name, 1);
            match control::ask(ops, "consumer_destructions", body, name).await {
                Err(error) if error.kind != Kind::NoSuchStation => return Err(error),
                _ => {}
            }
        }
    }
    ops.shared.leave(name);
    Ok(!rows.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_joined_as_it_began() {
        let began = |text: &str| as_it_began(&serde_json::from_str(text).unwrap());
        assert_eq!(began(r#"{"deliver_policy":"all"}"#), Begin { sequence: 1, last: -1 });
        assert_eq!(began(r#"{"deliver_policy":"new"}"#), Begin { sequence: 1, last: 0 });
        let by = |sequence: u64| {
            began(&format!("{{\"deliver_policy\":\"by_start_sequence\",\"opt_start_seq\":{sequence}}}"))
        };
        assert_eq!((by(8), by(1)), (Begin { sequence: 8, last: -1 }, Begin { sequence: 1, last: ALL }));
    }
}
