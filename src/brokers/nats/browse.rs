//! Walks through what a station's streams hold, without a consumer: nothing on the server knows of them.
//!
//! ```text
//! Pages    DIRECT.GET with batch    servers from 2.11 on       a replica answers
//! Single   DIRECT.GET               older servers              a replica answers
//! Leader   STREAM.MSG.GET           streams without allow_direct, and where a replica seems to be behind
//! ```
//!
//! Single questions go out sixteen at a time, one for each sequence, and jump where none of them is there.
//!
//! Source: jetstream.md section 4.9. Knows nothing of groups.

use super::api::{Api, Body, Refusal};
use super::{names, page, station};
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::time::{Millis, Wall, rfc3339};
use crate::base::value::Value;
use crate::brokers::terms::{Done, Start, StationFacts, Stored, Walk, Way};
use crate::link::exchange::Answer;
use crate::link::session::Place;

/// Single questions in one write.
const AT_ONCE: u64 = 16;

/// Begin walks through the partitions, or one of them, up to what is there now.
pub async fn walks(api: &Api, name: &str, start: Start, partition: Option<u32>) -> Done<Vec<Walk>> {
    let found = station::look(api, name).await?.ok_or_else(|| super::session::gone(name, 10059))?;
    walks_from(api, &station::facts(name, &found, true), &found, start, partition).await
}

/// The same where the station's partitions are known.
pub async fn walks_of(api: &Api, facts: &StationFacts, start: Start, partition: Option<u32>) -> Done<Vec<Walk>> {
    walks_from(api, facts, &Value::Nothing, start, partition).await
}

/// `found`: what is known of one of its streams.
async fn walks_from(
    api: &Api,
    facts: &StationFacts,
    found: &Value,
    start: Start,
    partition: Option<u32>,
) -> Done<Vec<Walk>> {
    let name = facts.name.as_str();
    let wanted = |place: &&Place| partition.is_none_or(|number| number == place.partition);
    let places: Vec<_> = facts.places.iter().filter(wanted).collect();
    if places.is_empty() {
        return Err(Error::argument("the station has no such partition")
            .hint("Partitions are numbered from 1; station.partitions lists them.")
            .at(name));
    }
    // What the first answer says of its own stream was the newest at the call.
    let ask = |place: &&Place| {
        let here = found.get("config").get("name").text() == Some(place.store.as_str());
        (!here).then(|| api.begin(&format!("STREAM.INFO.{}", place.store), Vec::new()))
    };
    let asked: Vec<_> = places.iter().map(ask).collect();
    let mut walks = Vec::new();
    for (place, pending) in places.into_iter().zip(asked) {
        let info = match pending {
            Some(pending) => &pending.answer().await.map_err(|refusal| refusal.error(name))?,
            None => found,
        };
        let mut walk = whole(place, info);
        walk.next = begin(api, &walk, info, start).await?;
        walks.push(walk);
    }
    Ok(walks)
}

/// The walk through everything that a stream holds.
pub(super) fn whole(place: &Place, info: &Value) -> Walk {
    let config = info.get("config");
    let state = |key: &str| info.get("state").get(key).whole().unwrap_or(0);
    let way = match (config.get("allow_direct").truth(), config.get("metadata").get("_nats.level")) {
        (false, _) => Way::Leader,
        // Written into every answer by servers that know pages.
        (true, Value::Text(_)) => Way::Pages,
        (true, _) => Way::Single,
    };
    let ours = place.address == names::subject(&names::token(&place.station), place.partition);
    Walk {
        place: place.clone(),
        next: state("first_seq").max(1),
        last: if state("messages") == 0 { 0 } else { state("last_seq") },
        way,
        only: if ours { place.address.clone() } else { String::new() },
        copies: config.get("num_replicas").whole().is_some_and(|copies| copies > 1),
    }
}

/// The first sequence that is read.
async fn begin(api: &Api, walk: &Walk, info: &Value, start: Start) -> Done<u64> {
    let end = walk.last.saturating_add(1);
    match start {
        _ if walk.is_over() => Ok(walk.next),
        Start::First => Ok(walk.next),
        Start::Next | Start::LastMessages(0) => Ok(end),
        Start::Sequence(sequence) => Ok(sequence.max(walk.next)),
        Start::Last => newest(api, walk, info, 1).await,
        Start::LastMessages(count) => newest(api, walk, info, count).await,
        Start::Time(moment) => since(api, walk, moment).await,
    }
}

/// Where the newest messages begin, so many of them. Deleted ones inside do not count: servers with pages tell how many are
/// left, the others are asked for each, from the end on.
async fn newest(api: &Api, walk: &Walk, info: &Value, count: u64) -> Done<u64> {
    let end = walk.last.saturating_add(1);
    let from = end.saturating_sub(count).max(walk.next);
    let state = |key: &str| info.get("state").get(key).whole().unwrap_or(0);
    let dense = state("num_deleted") == 0 && state("num_subjects") <= 1;
    if dense || from == walk.next {
        return Ok(from);
    }
    if walk.way != Way::Pages {
        return from_end(api, walk, count).await;
    }
    // Below `low` are enough of them, from `high` on too few.
    let (mut low, mut high, mut step) = (from, from, count);
    while there(api, walk, low).await? < count {
        if low == walk.next {
            return Ok(low);
        }
        high = low;
        low = low.saturating_sub(step).max(walk.next);
        step = step.saturating_mul(2);
    }
    while high.saturating_sub(low) > 1 {
        let middle = low.midpoint(high);
        match there(api, walk, middle).await? >= count {
            true => low = middle,
            false => high = middle,
        }
    }
    Ok(low)
}

/// The same by single questions.
async fn from_end(api: &Api, walk: &Walk, count: u64) -> Done<u64> {
    let mut walk = walk.clone();
    let mut low = walk.last.saturating_add(1);
    let mut left = count;
    while low > walk.next {
        let from = low.saturating_sub(AT_ONCE).max(walk.next);
        let asked: Vec<_> = (from..low).rev().map(|sequence| Single::ask(api, &walk, sequence, false)).collect();
        let mut closed = false;
        for single in asked {
            match single.answer(&walk).await? {
                Single::Found(stored) => {
                    left = left.saturating_sub(1);
                    if left == 0 {
                        return Ok(stored.sequence);
                    }
                }
                Single::Nothing => {}
                Single::Closed => closed = true,
            }
        }
        match closed {
            true => (walk.way, left) = (Way::Leader, count),
            false => low = from,
        }
    }
    Ok(walk.next)
}

/// How many messages there are from this sequence to the walk's end; what has come since does not count.
async fn there(api: &Api, walk: &Walk, from: u64) -> Done<u64> {
    let count = |sequence: u64| api.begin_raw(&direct(walk), select(walk, sequence).number("batch", 1).finish(), true);
    let (inside, behind) = (count(from), count(walk.last.saturating_add(1)));
    let mut counts = [0u64; 2];
    for (at, answer) in [inside, behind].into_iter().enumerate() {
        let reply = answer.await.map_err(|error| error.at(&walk.place.station))?;
        let first = page::messages(walk.place.partition, &reply.body).into_iter().next();
        if let (Some((first, _)), Some(place)) = (first, counts.get_mut(at)) {
            *place = page::pending(&first.head).unwrap_or(0).saturating_add(1);
        }
    }
    let [inside, behind] = counts;
    Ok(inside.saturating_sub(behind))
}

/// The first sequence that was stored at this moment or later.
async fn since(api: &Api, walk: &Walk, moment: Wall) -> Done<u64> {
    let end = walk.last.saturating_add(1);
    if walk.way == Way::Pages {
        let body = Body::default().text("start_time", &rfc3339(moment)).number("batch", 1);
        let body = body.text("next_by_subj", filter(walk)).finish();
        let reply = api.begin_raw(&direct(walk), body, true).await.map_err(|error| error.at(&walk.place.station))?;
        if matches!(reply.status, 204 | 404) {
            let first = page::messages(walk.place.partition, &reply.body).into_iter().next();
            return Ok(first.map_or(end, |(first, _)| first.sequence));
        }
    }
    // Times rise with the sequences. What is below `low` is older, what is from `high` on is not.
    let (mut low, mut high) = (walk.next, end);
    while low < high {
        let middle = low.midpoint(high);
        match jump(api, walk, middle).await? {
            Some(stored) if stored.sequence < high && stored.stamp < moment => low = stored.sequence.saturating_add(1),
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The next messages, at most so many; none only where the walk is over.
pub async fn page(api: &Api, walk: &mut Walk, most: u32) -> Done<Vec<Stored>> {
    while !walk.is_over() {
        let found = match walk.way {
            Way::Pages => many(api, walk, most).await?,
            Way::Single | Way::Leader => some(api, walk, most).await?,
        };
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// One page. Where a replica says that nothing is left before the walk's end, the leader is asked.
async fn many(api: &Api, walk: &mut Walk, most: u32) -> Done<Vec<Stored>> {
    let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let body = select(walk, walk.next)
        .number("batch", i64::from(most.max(1)))
        .number("max_bytes", whole(limits::PAGE_BYTES))
        .finish();
    let mut pause = limits::NOT_NOW_FIRST;
    let reply = loop {
        let answer = api.begin_raw(&direct(walk), body.clone(), true);
        let reply = answer.await.map_err(|error| error.at(&walk.place.station))?;
        if reply.status != 429 || pause > limits::NOT_NOW_MAX {
            break reply;
        }
        api.exchange().pause(pause).await;
        pause = Millis(pause.0.saturating_mul(2));
    };
    match reply.status {
        0 | 204 | 404 => {}
        429 => {
            return Err(Error::new(Kind::Rejected, "the server has too many questions to answer")
                .hint("Try again later.")
                .at(&walk.place.station)
                .code(429)
                .retryable(true));
        }
        _ => {
            walk.way = Way::Leader;
            return Ok(Vec::new());
        }
    }
    let mut found: Vec<_> =
        page::messages(walk.place.partition, &reply.body).into_iter().map(|(stored, _)| stored).collect();
    found.truncate(most as usize);
    let reached = found.last().map(|stored| stored.sequence);
    found.retain(|stored| stored.sequence >= walk.next && stored.sequence <= walk.last);
    let over = reply.status == 404 || reply.status == 204 && page::pending(&reply.head) == Some(0);
    match reached {
        Some(reached) => walk.next = reached.saturating_add(1).max(walk.next),
        None if !over => walk.way = Way::Leader,
        None => {}
    }
    if over && !walk.is_over() {
        match walk.copies {
            true => walk.way = Way::Leader,
            false => walk.next = walk.last.saturating_add(1),
        }
    }
    Ok(found)
}

/// Some messages, each with a question of its own.
async fn some(api: &Api, walk: &mut Walk, most: u32) -> Done<Vec<Stored>> {
    let end = walk.last.min(walk.next.saturating_add(AT_ONCE.min(u64::from(most.max(1)))).saturating_sub(1));
    let asked: Vec<_> = (walk.next..=end).map(|sequence| Single::ask(api, walk, sequence, false)).collect();
    let mut found = Vec::new();
    for single in asked {
        match single.answer(walk).await? {
            Single::Found(stored) => found.push(*stored),
            Single::Nothing => {}
            Single::Closed => {
                walk.way = Way::Leader;
                return Ok(Vec::new());
            }
        }
    }
    walk.next = end.saturating_add(1);
    if found.is_empty() && !walk.is_over() {
        match jump(api, walk, walk.next).await? {
            Some(stored) => walk.next = stored.sequence,
            None => walk.next = walk.last.saturating_add(1),
        }
    }
    Ok(found)
}

/// The first message from this sequence on.
async fn jump(api: &Api, walk: &Walk, from: u64) -> Done<Option<Stored>> {
    match Single::ask(api, walk, from, true).answer(walk).await? {
        Single::Found(stored) => Ok(Some(*stored)),
        Single::Nothing => Ok(None),
        Single::Closed => {
            let leader = Walk { way: Way::Leader, ..walk.clone() };
            match Single::ask(api, &leader, from, true).answer(&leader).await? {
                Single::Found(stored) => Ok(Some(*stored)),
                Single::Nothing | Single::Closed => Ok(None),
            }
        }
    }
}

/// What became of a single question.
enum Single {
    Found(Box<Stored>),
    Nothing,
    /// The stream gives nobody direct access.
    Closed,
}

/// A single question on its way.
enum Asked<'a> {
    Direct(Answer),
    Leader(super::api::Pending<'a>),
}

impl Single {
    fn ask<'a>(api: &'a Api, walk: &Walk, sequence: u64, jump: bool) -> Asked<'a> {
        let number = i64::try_from(sequence).unwrap_or(i64::MAX);
        let body = if jump { select(walk, sequence) } else { Body::default().number("seq", number) };
        match walk.way {
            Way::Leader => Asked::Leader(api.begin(&format!("STREAM.MSG.GET.{}", walk.place.store), body.finish())),
            Way::Pages | Way::Single => Asked::Direct(api.begin_raw(&direct(walk), body.finish(), false)),
        }
    }
}

impl Asked<'_> {
    async fn answer(self, walk: &Walk) -> Done<Single> {
        let station = &walk.place.station;
        let found = match self {
            Asked::Direct(answer) => {
                let reply = answer.await.map_err(|error| error.at(station))?;
                match reply.status {
                    0 => page::direct(walk.place.partition, &reply.head, &reply.body),
                    404 => return Ok(Single::Nothing),
                    _ => return Ok(Single::Closed),
                }
            }
            Asked::Leader(pending) => match pending.answer().await {
                Ok(answer) => page::leader(walk.place.partition, &answer),
                Err(Refusal::Api(10037, _)) => return Ok(Single::Nothing),
                Err(refusal) => return Err(refusal.error(station)),
            },
        };
        let Some((stored, subject)) = found else {
            return Err(Error::new(Kind::Protocol, "the server answered with something that is not a stored message")
                .hint("Another program answers on the JetStream API's subjects.")
                .at(station));
        };
        let counts = walk.only.is_empty() || walk.only.as_bytes() == subject;
        Ok(if counts { Single::Found(Box::new(stored)) } else { Single::Nothing })
    }
}

fn direct(walk: &Walk) -> String {
    format!("DIRECT.GET.{}", walk.place.store)
}

fn filter(walk: &Walk) -> &str {
    if walk.only.is_empty() { ">" } else { &walk.only }
}

/// The first message of the station from this sequence on.
fn select(walk: &Walk, sequence: u64) -> Body {
    Body::default().number("seq", i64::try_from(sequence).unwrap_or(i64::MAX)).text("next_by_subj", filter(walk))
}
