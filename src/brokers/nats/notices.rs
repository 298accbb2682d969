//! What the server itself tells of deaths: in groups with a limit of its own (`max_deliver`), which only a durable of
//! somebody else's has, it drops what was delivered too often, keeps nothing, and says so once, to whoever listens.
//!
//! ```text
//! heed     stream DLADV_T on those subjects, durable fwd on it       when such a group is joined
//! record   fwd's next -> the message itself -> a dead letter -> +ACK   now and then, and when somebody asks for dead letters
//! ```
//!
//! Whatever fails comes again after fwd's ack time, to any client; the letter's id keeps it from being there twice.
//! Source: jetstream.md section 5.3. Knows no consumers.

use super::api::{Api, Body, Refusal};
use super::{adopt, browse, dead, graves, head, names, station};
use crate::base::bytes::{lossy, parse_decimal};
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::time::{Millis, rfc3339};
use crate::base::value::Value;
use crate::brokers::dead::{Death, Told};
use crate::brokers::terms::{Done, StationFacts, StationSpec};
use crate::link::exchange::Answer;
use crate::link::session::{Place, Reply};
use crate::policy::redelivery::Cause;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The durable that all clients share.
const GROUP: &str = "fwd";

/// Where the server tells of them, before the stream's name.
const DROPPED: &str = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES";
const TERMINATED: &str = "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED";

/// A death as the server tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Notice {
    stream: String,
    group: String,
    sequence: u64,
    deliveries: u32,
    /// Somebody ended the deliveries, for this reason; else there were too many.
    terminated: Option<String>,
}

/// Have what the server tells about a station kept until it is recorded.
pub async fn heed(api: &Api, facts: &StationFacts) -> Done<()> {
    let name = facts.name.as_str();
    let info = station::look(api, name).await?.ok_or_else(|| super::session::gone(name, 10059))?;
    let spec = station::read_spec(&info);
    if !spec.poison_to_dls && spec.dls_station.is_empty() {
        return Ok(());
    }
    keep(api, facts, &spec).await.map_err(|error| match error.kind {
        // Why a server refuses explains itself.
        Kind::Rejected if error.hint.is_some() => error,
        Kind::PermissionDenied | Kind::AlreadyExists | Kind::Rejected => error.hint(format!(
            "The group has a limit of deliveries on the server, which drops messages beyond it. They become dead letters by way of the stream {} and its consumer {GROUP}: let this user make them, or have somebody open the group who may. To do without dead letters, set stationmaster.dls_poison to 0 in the metadata of the station's stream.",
            graves::notices(name)
        )),
        _ => error,
    })
}

async fn keep(api: &Api, facts: &StationFacts, spec: &StationSpec) -> Done<()> {
    let (name, stream) = (facts.name.as_str(), graves::notices(&facts.name));
    let subjects: Vec<_> = facts
        .places
        .iter()
        .flat_map(|place| [DROPPED, TERMINATED].map(|subject| format!("{subject}.{}.>", place.store)))
        .collect();
    let metadata = Body::default().text("stationmaster.v", "1").text("stationmaster.dls_of", name);
    let body = Body::default()
        .text("name", &stream)
        .text("retention", "limits")
        .text("storage", if spec.in_memory { "memory" } else { "file" })
        .number("num_replicas", i64::from(spec.replicas))
        .text("discard", "old")
        .number("max_age", whole(Millis(limits::DEAD_SECONDS.saturating_mul(1000)).nanos()))
        .object("metadata", metadata);
    let create = format!("STREAM.CREATE.{stream}");
    let all: Vec<_> = subjects.iter().map(String::as_str).collect();
    let mut answer = api.ask(&create, body.clone().texts("subjects", &all).finish()).await;
    if matches!(answer, Err(Refusal::Api(10065, _))) {
        // Somebody keeps what servers tell already: it is read from there.
        answer = api.ask(&create, beside(api, body, &all).await.map_err(|refusal| refusal.error(name))?).await;
    }
    if let Err(refusal) = answer {
        there(api, &stream, refusal, name, |info| {
            let config = info.get("config");
            let listens =
                |subject: &&str| config.get("subjects").elements().iter().any(|one| one.text() == Some(subject));
            config.get("metadata").get("stationmaster.dls_of").text() == Some(name) || all.iter().all(listens)
        })
        .await?;
    }
    let config = Body::default()
        .text("name", GROUP)
        .text("durable_name", GROUP)
        .text("deliver_policy", "all")
        .text("ack_policy", "explicit")
        .number("ack_wait", whole(limits::TOLD_AGAIN.nanos()))
        .number("max_deliver", -1)
        .number("max_ack_pending", -1)
        .text("replay_policy", "instant");
    let body = Body::default().text("stream_name", &stream).text("action", "create").object("config", config);
    match api.ask(&format!("CONSUMER.CREATE.{stream}.{GROUP}"), body.finish()).await {
        // Somebody else's will do.
        Ok(_) | Err(Refusal::Api(10148 | 10013, _)) => Ok(()),
        Err(refusal) => there(api, &format!("{stream}.{GROUP}"), refusal, name, |_| true).await,
    }
}

/// A stream on these subjects, but for those that another one has: these come from there, from now on.
async fn beside(api: &Api, body: Body, subjects: &[&str]) -> Result<Vec<u8>, Refusal> {
    let now = rfc3339(api.exchange().0.now().wall);
    let (mut own, mut sources) = (Vec::new(), Vec::new());
    for subject in subjects {
        let found = api.ask("STREAM.NAMES", Body::default().text("subject", subject).finish()).await?;
        let names: Vec<_> = found.get("streams").elements().iter().filter_map(Value::text).collect();
        if names.is_empty() {
            own.push(*subject);
        }
        for name in names {
            let source = Body::default().text("name", name).text("filter_subject", subject);
            // A server before 2.11 begins with the first one for all the time that is given to it; who may not ask where
            // the stream ends has that there.
            sources.push(match api.ask(&format!("STREAM.INFO.{name}"), Vec::new()).await {
                Ok(info) => {
                    let last = info.get("state").get("last_seq").whole().unwrap_or(0);
                    source.number("opt_start_seq", whole(last.saturating_add(1)))
                }
                Err(_) => source.text("opt_start_time", &now),
            });
        }
    }
    Ok(body.texts("subjects", &own).objects("sources", sources).finish())
}

/// What could not be made may be there: made by somebody who may, or otherwise than it would be here.
async fn there(api: &Api, thing: &str, refusal: Refusal, name: &str, fits: impl Fn(&Value) -> bool) -> Done<()> {
    let kind = if thing.ends_with(GROUP) { "CONSUMER" } else { "STREAM" };
    let made = refusal.code() == 10058;
    let error = refusal.error(name);
    if !made && error.kind != Kind::PermissionDenied {
        return Err(error);
    }
    match api.ask(&format!("{kind}.INFO.{thing}"), Vec::new()).await {
        Ok(info) if fits(&info) => Ok(()),
        Ok(_) => {
            let text = format!("the stream {thing} is in the way of dead letters");
            Err(Error::new(Kind::AlreadyExists, text).at(name).code(10058))
        }
        Err(_) => Err(error),
    }
}

/// Record the deaths that the server has told of until now.
pub async fn record(api: &Api, name: &str) -> Done<Told> {
    let mut told = Told::default();
    let mut failed = Vec::new();
    let mut known = None;
    // As far as is known, there is one.
    let mut there = 1;
    while there > 0 && failed.len() < limits::TOLD {
        let asked: Vec<_> = (0..there).map(|_| next(api, name, there > 1)).collect();
        let mut pulled = Vec::new();
        for answer in asked {
            match answer.await {
                Ok(reply) if reply.status == 0 => pulled.push(reply),
                Ok(_) => {}
                Err(error) => failed.push(error.at(name)),
            }
        }
        there = pulled.last().map_or(0, |reply| left(&reply.head)).min(limits::TOLD);
        if known.is_none() && !pulled.is_empty() {
            known = Some(Known::of(api, name).await?);
        }
        let Some(known) = &known else { break };
        let work = pulled.iter().map(|reply| known.take(api, reply));
        for outcome in together(work.collect()).await {
            match outcome {
                Ok(one) => told = told.and(one),
                // It comes again. What is wrong with one of them need not be wrong with the others.
                Err(error) => failed.push(error),
            }
        }
    }
    failed.into_iter().next().map_or(Ok(told), Err)
}

/// Ask for the next one that is there. One with each question: in a cluster the word that some were all comes before them, since
/// they wait for copies. Of `several` questions a server before 2.11 may forget one, unless it has an end.
fn next(api: &Api, name: &str, several: bool) -> Answer {
    let mut body = Body::default().number("batch", 1).flag("no_wait", true);
    if several {
        body = body.number("expires", whole(limits::TOLD_FIRST.nanos()));
    }
    api.begin_raw(&format!("CONSUMER.MSG.NEXT.{}.{GROUP}", graves::notices(name)), body.finish(), true)
}

/// How many there are behind the one that is acknowledged here.
fn left(token: &[u8]) -> usize {
    let last = token.rsplit(|byte| *byte == b'.').next().and_then(parse_decimal);
    last.and_then(|left| usize::try_from(left).ok()).unwrap_or(1)
}

/// Work that goes on side by side. Boxed, as all operations are.
type Work<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Wait until all of it is done.
async fn together<T>(mut work: Vec<Work<'_, T>>) -> Vec<T> {
    let mut results: Vec<Option<T>> = work.iter().map(|_| None).collect();
    poll_fn(|context| {
        let mut open = false;
        for (one, result) in work.iter_mut().zip(&mut results).filter(|(_, result)| result.is_none()) {
            match one.as_mut().poll(context) {
                Poll::Ready(value) => *result = Some(value),
                Poll::Pending => open = true,
            }
        }
        if open { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    results.into_iter().flatten().collect()
}

async fn acknowledge(api: &Api, token: &[u8], name: &str) -> Done<()> {
    let answer = api.publish(&lossy(token), b"+ACK".to_vec(), 0, limits::REQUEST).await;
    answer.map(|_| ()).map_err(|error| error.at(name))
}

/// What has to be known of a station to record its deaths.
struct Known {
    facts: StationFacts,
    info: Value,
    spec: StationSpec,
}

impl Known {
    async fn of(api: &Api, name: &str) -> Done<Known> {
        let info = station::look(api, name).await?.ok_or_else(|| super::session::gone(name, 10059))?;
        let (facts, spec) = (station::facts(name, &info, true), station::read_spec(&info));
        Ok(Known { facts, info, spec })
    }

    /// Record what an answer tells, and acknowledge it.
    fn take<'a>(&'a self, api: &'a Api, reply: &'a Reply) -> Work<'a, Done<Told>> {
        Box::pin(async move {
            let told = match read(&api.exchange().0.json().read(&reply.body).unwrap_or(Value::Nothing)) {
                // Nobody can read it; it is not to come again.
                None => Told::default(),
                Some(notice) => self.record(api, &notice).await?,
            };
            acknowledge(api, &reply.head, &self.facts.name).await?;
            Ok(told)
        })
    }

    /// Make a dead letter of it.
    async fn record(&self, api: &Api, notice: &Notice) -> Done<Told> {
        let nothing = Told::default();
        let place = self.facts.places.iter().find(|place| place.store == notice.stream).cloned();
        let Some(place) = place else { return Ok(nothing) };
        if notice.terminated.is_some() && !self.drops(api, notice).await? {
            // In a group of ours: who gives up on a message there has recorded it.
            return Ok(nothing);
        }
        let mut walk = browse::whole(&place, &self.info);
        (walk.next, walk.last) = (notice.sequence, notice.sequence);
        let Some(stored) = browse::page(api, &mut walk, 1).await?.into_iter().next() else {
            return Ok(Told { gone: 1, ..nothing });
        };
        let death = Death {
            station: self.facts.name.clone(),
            partition: place.partition,
            sequence: notice.sequence,
            group: names::station(&notice.group),
            producer: String::new(),
            deliveries: notice.deliveries,
            cause: notice.terminated.clone().map_or(Cause::Deliveries, Cause::Rejected),
            headers: head::visible(&stored.head),
            data: stored.data,
            token: Vec::new(),
            told: true,
            nonce: String::new(),
            limit: limits::RECEIPT,
        };
        let until = api.exchange().0.now().mono + death.limit;
        dead::copy(api, &self.spec, &death, until).await?;
        let retention = self.info.get("config").get("retention").text();
        if notice.terminated.is_none() && (retention == Some("workqueue") || retention == Some("interest")) {
            clear(api, &place, notice, retention == Some("interest")).await;
        }
        Ok(Told { recorded: 1, ..nothing })
    }

    /// Whether the group is one of those whose limit is the server's. One that is gone is not.
    async fn drops(&self, api: &Api, notice: &Notice) -> Done<bool> {
        match api.ask(&format!("CONSUMER.INFO.{}.{}", notice.stream, notice.group), Vec::new()).await {
            Ok(info) => Ok(adopt::drops(info.get("config"))),
            Err(refusal) if refusal.code() == 10014 => Ok(false),
            Err(refusal) => Err(refusal.error(&self.facts.name)),
        }
    }
}

/// Remove a message that no group is going to acknowledge any more: such a stream would keep it for ever. Where another group
/// may not have had it, or that cannot be known, it stays.
async fn clear(api: &Api, place: &Place, notice: &Notice, shared: bool) {
    if shared {
        let Ok(list) = api.ask(&format!("CONSUMER.LIST.{}", place.store), Vec::new()).await else { return };
        let groups = list.get("consumers").elements();
        let number = |value: &Value| value.whole().unwrap_or(0);
        let done = |other: &Value| {
            let idle = number(other.get("num_pending")) == 0 && number(other.get("num_ack_pending")) == 0;
            other.get("name").text() == Some(&notice.group)
                || idle
                || number(other.get("ack_floor").get("stream_seq")) >= notice.sequence
        };
        if number(list.get("total")) > groups.len() as u64 || !groups.iter().all(done) {
            return;
        }
    }
    let number = i64::try_from(notice.sequence).unwrap_or(i64::MAX);
    let body = Body::default().number("seq", number).flag("no_erase", true);
    // It is a dead letter already: that it stays as well harms nobody.
    let _ = api.ask(&format!("STREAM.MSG.DELETE.{}", place.store), body.finish()).await;
}

/// The body of a fuzz target: whatever the server says is a notice of a message, or none.
pub fn fuzz(notice: &Value) {
    assert!(read(notice).is_none_or(|notice| notice.sequence > 0));
}

/// What the server says; `None` if it is something else.
fn read(notice: &Value) -> Option<Notice> {
    let text = |key: &str| notice.get(key).text().map(String::from);
    let terminated = match notice.get("type").text()?.rsplit('.').next()? {
        "max_deliver" => None,
        "terminated" => Some(text("reason").unwrap_or_default()),
        _ => return None,
    };
    let deliveries = notice.get("deliveries").whole().and_then(|count| u32::try_from(count).ok()).unwrap_or(0);
    Some(Notice {
        stream: text("stream")?,
        group: text("consumer")?,
        sequence: notice.get("stream_seq").whole().filter(|sequence| *sequence > 0)?,
        deliveries,
        terminated,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn notice(text: &str) -> Option<Notice> {
        read(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn both_kinds_as_the_server_sends_them() {
        let dropped = r#"{"type":"io.nats.jetstream.advisory.v1.max_deliver","id":"kHA022pBI3r2CQlZzvF0jX","timestamp":"2026-11-21T06:50:47.349412882Z","stream":"dl","consumer":"g","stream_seq":1,"deliveries":2}"#;
        let ended = r#"{"type":"io.nats.jetstream.advisory.v1.terminated","id":"kHA022pBI3r2CQlZzvF0h1","timestamp":"2026-11-21T06:50:44.744552553Z","stream":"dl","consumer":"g","consumer_seq":3,"stream_seq":3,"deliveries":1,"reason":"broken"}"#;
        let one = Notice { stream: "dl".into(), group: "g".into(), sequence: 1, deliveries: 2, terminated: None };
        assert_eq!(notice(dropped), Some(one.clone()));
        assert_eq!(
            notice(ended),
            Some(Notice { sequence: 3, deliveries: 1, terminated: Some("broken".into()), ..one })
        );
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "null",
            "[]",
            r#"{"type":"io.nats.jetstream.advisory.v1.nak","stream":"s","consumer":"g","stream_seq":1}"#,
            r#"{"type":"x.max_deliver","stream":"s","consumer":"g"}"#,
            r#"{"type":"x.max_deliver","stream":"s","consumer":"g","stream_seq":0}"#,
            r#"{"type":"x.max_deliver","stream":7,"consumer":"g","stream_seq":1}"#,
            r#"{"type":"x.max_deliver","consumer":"g","stream_seq":1}"#,
        ] {
            assert_eq!(notice(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_json_is_too_odd(key in "type|stream|consumer|stream_seq|deliveries", number: i64, text: String) {
            let _ = read(&serde_json::from_value(serde_json::json!({ key.clone(): number })).unwrap());
            let _ = read(&serde_json::from_value(serde_json::json!({ "type": text, key: text })).unwrap());
        }
    }
}
