//! Dead letters: the client copies what dies, then has the server forget it; the copies lie in a stream beside the
//! station's, made with the first of them.
//!
//! ```text
//! copy -> T$dls, and to the dead-letter station's partition   (receipt awaited)
//! +TERM on the delivery                                       (confirmation awaited)
//! ```
//!
//! Whoever dies in between leaves the message to the next client, whose copy has the same id. Without a receipt nothing is
//! said to the server: the ack time brings the message back. Source: jetstream.md section 5.2. Knows no consumers.

use super::api::{Api, Body, Refusal};
use super::{browse, graves, head, names, pieces, receipt, station};
use crate::base::bytes::lossy;
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::time::{Millis, Time};
use crate::base::value::Value;
use crate::brokers::dead::{Death, Letter, Revived, gone};
use crate::brokers::terms::{Done, StationFacts, StationSpec};
use crate::link::session::{Draft, Output, Place, Slot};
use crate::policy::partition::{self, Choice};
use crate::policy::redelivery::Cause;
use std::pin::Pin;

/// Letters that are asked for at once.
const AT_ONCE: u32 = 64;

/// Record a death: copies, then the end of its deliveries.
pub async fn bury(api: &Api, death: &Death) -> Done<()> {
    let name = death.station.as_str();
    let until = api.exchange().0.now().mono + death.limit;
    let info = loop {
        match station::look(api, name).await {
            Ok(Some(info)) => break info,
            Ok(None) => return Err(super::session::gone(name, 10059)),
            Err(error) => try_again(api, error, until)?,
        }
    };
    copy(api, &station::read_spec(&info), death, until).await?;
    if death.token.is_empty() { Ok(()) } else { end(api, death, until).await }
}

/// Make the copies of a message that dies in a station with these options.
pub(super) async fn copy(api: &Api, spec: &StationSpec, death: &Death, until: Time) -> Done<()> {
    let name = death.station.as_str();
    let store = names::stream(&names::token(name), death.partition.max(1));
    let id = death.id(&store);
    let headers = death.copy();
    let keeps = match death.cause {
        Cause::Schema(_) => spec.schema_failed_to_dls,
        Cause::Deliveries | Cause::Rejected(_) => spec.poison_to_dls,
    };
    if keeps {
        let target = Target { name, subject: graves::subject(name), home: Home::Letters(spec) };
        match target.store(api, &headers, Some(&id), &death.data, until).await {
            Err(error) if error.kind == Kind::TooLarge => pieces::store(api, &target, death, &id, until).await?,
            other => other.map(|_| ())?,
        }
    }
    if !spec.dls_station.is_empty() {
        let facts = dead_letter_station(api, &spec.dls_station, until).await?;
        let place = by_hash(&facts, &id)?;
        let target = Target { name: &facts.name, subject: place.address.clone(), home: Home::Station };
        match target.store(api, &headers, Some(&id), &death.data, until).await {
            Err(error) if error.kind == Kind::TooLarge => pieces::store_less(api, &target, death, &id, until).await?,
            other => other.map(|_| ())?,
        }
    }
    Ok(())
}

/// Have the server deliver it never again.
async fn end(api: &Api, death: &Death, until: Time) -> Done<()> {
    let reason = match &death.cause {
        Cause::Deliveries => "max deliveries",
        Cause::Rejected(text) | Cause::Schema(text) => text,
    };
    let word: String = reason.chars().take(200).map(|c| if c < ' ' || c == '\u{7f}' { ' ' } else { c }).collect();
    // Where the server's word of it would be made a letter again, the delivery ends as if it had been done.
    let body = if death.told { "+ACK".into() } else { format!("+TERM {word}") };
    let to = lossy(&death.token);
    let mut pause = limits::NOT_NOW_FIRST;
    loop {
        match api.publish(&to, body.clone().into_bytes(), 0, limits::REQUEST).await {
            Ok(reply) if reply.status == 0 => return Ok(()),
            // Nobody leads the group at present, or there is none any more.
            Ok(_) => rest(api, &mut pause, until, &death.station).await?,
            Err(error) => try_again(api, error, until)?,
        }
    }
}

/// Of what has to be done until some moment, whether it is tried again.
fn try_again(api: &Api, error: Error, until: Time) -> Done<()> {
    if error.kind == Kind::Timeout && api.exchange().0.now().mono < until { Ok(()) } else { Err(error) }
}

async fn rest(api: &Api, pause: &mut Millis, until: Time, name: &str) -> Done<()> {
    if api.exchange().0.now().mono + *pause >= until {
        return Err(Error::new(Kind::Timeout, "the broker did not record the dead letter in time")
            .hint("The message comes again when its ack time is over.")
            .at(name));
    }
    api.exchange().pause(*pause).await;
    *pause = Millis(pause.0.saturating_mul(2)).min(limits::NOT_NOW_MAX);
    Ok(())
}

/// The dead-letter station, made anew with the defaults if somebody has removed it.
async fn dead_letter_station(api: &Api, name: &str, until: Time) -> Done<StationFacts> {
    loop {
        let ensured: Pin<Box<dyn Future<Output = Done<StationFacts>>>> = {
            let (api, name) = (api.clone(), name.to_string());
            Box::pin(async move { station::ensure(&api, &name, &StationSpec::default()).await })
        };
        match ensured.await {
            Ok(facts) => return Ok(facts),
            Err(error) => try_again(api, error, until)?,
        }
    }
}

fn by_hash<'a>(facts: &'a StationFacts, id: &str) -> Done<&'a Place> {
    let numbers: Vec<_> = facts.places.iter().map(|place| place.partition).collect();
    let index = partition::choose(Choice::Hash(partition::hash(id)), &numbers, &mut 0);
    let place = index.and_then(|index| facts.places.get(index)).filter(|place| !place.address.is_empty());
    place.ok_or_else(|| {
        Error::new(Kind::NotSupported, "the stream has no subject of its own that messages could be sent to")
            .hint(
                "Give the stream one subject without wildcards, or name one in its metadata as stationmaster.subject.",
            )
            .at(&facts.name)
    })
}

/// What is done where nobody stores what is published.
enum Home<'a> {
    /// A stream of dead letters for a station with these options: make it.
    Letters(&'a StationSpec),
    /// A station: see whether it is still there.
    Station,
}

/// Where a message is to be stored.
pub(super) struct Target<'a> {
    name: &'a str,
    subject: String,
    home: Home<'a>,
}

impl Target<'_> {
    /// Store a message: its sequence, and whether it was there already.
    pub(super) async fn store(
        &self,
        api: &Api,
        headers: &[(String, String)],
        id: Option<&str>,
        data: &[u8],
        until: Time,
    ) -> Done<(u64, bool)> {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let draft = Draft { producer: "", headers: &headers, msg_id: id, data, times: Default::default() };
        let plain = id.is_none() && headers.is_empty();
        let (message, head) = if plain { (data.to_vec(), 0) } else { head::copy(&draft) };
        let mut pause = limits::NOT_NOW_FIRST;
        let mut looked = false;
        loop {
            // A monitor that listens to the subject turns "nobody" into silence: the first one is not waited for long.
            let limit = if looked { limits::REQUEST } else { limits::SILENCE };
            match api.publish(&self.subject, message.clone(), head, limit).await {
                Ok(reply) if reply.status == 0 => match receipt::read(Slot(0), &reply.body, api.exchange().0.json()) {
                    Output::Stored { sequence, duplicate, .. } => return Ok((sequence, duplicate)),
                    Output::Refused(_, error) => return Err(error.at(self.name)),
                    _ => rest(api, &mut pause, until, self.name).await?,
                },
                Ok(_) if looked => rest(api, &mut pause, until, self.name).await?,
                Ok(_) => {}
                Err(error) => try_again(api, error.at(self.name), until)?,
            }
            if !looked {
                match self.see(api).await {
                    Ok(()) => looked = true,
                    Err(error) => try_again(api, error, until)?,
                }
            }
        }
    }

    async fn see(&self, api: &Api) -> Done<()> {
        match self.home {
            Home::Letters(spec) => make(api, self.name, spec).await,
            Home::Station => match station::look(api, self.name).await? {
                Some(_) => Ok(()),
                None => Err(super::session::gone(self.name, 10059)),
            },
        }
    }
}

/// Make the stream of a station's dead.
async fn make(api: &Api, name: &str, spec: &StationSpec) -> Done<()> {
    let (stream, subject) = (graves::stream(name), graves::subject(name));
    let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let age = Millis(limits::DEAD_SECONDS.saturating_mul(1000));
    let metadata = Body::default().text("stationmaster.v", "1").text("stationmaster.dls_of", name);
    let body = Body::default()
        .text("name", &stream)
        .texts("subjects", &[&subject])
        .text("retention", "limits")
        .text("storage", if spec.in_memory { "memory" } else { "file" })
        .number("num_replicas", i64::from(spec.replicas))
        .text("discard", "old")
        .number("max_age", whole(age.nanos()))
        .flag("allow_direct", true)
        .object("metadata", metadata);
    let create = format!("STREAM.CREATE.{stream}");
    let long = body.clone().number("duplicate_window", whole(limits::DEAD_WINDOW.nanos()));
    let mut answer = api.ask(&create, long.finish()).await;
    if matches!(answer, Err(Refusal::Api(10052, _))) {
        // A server may limit the window; its own default is within the limit.
        answer = api.ask(&create, body.finish()).await;
    }
    match answer {
        Err(refusal) if refusal.code() == 10058 => match graves::look(api, name).await? {
            Some(_) => Ok(()),
            None => Err(Error::new(Kind::AlreadyExists, format!("the stream {stream} is in the way of dead letters"))
                .hint("Remove or rename that stream: dead letters of the station are kept under its name.")
                .at(name)
                .code(10058)),
        },
        Err(refusal) => Err(refusal.error(name)),
        Ok(_) => Ok(()),
    }
}

/// The number of the newest letter; 0 if there has never been one.
pub async fn newest(api: &Api, name: &str) -> Done<u64> {
    if station::find(api, name).await?.is_none() {
        return Err(super::session::gone(name, 10059));
    }
    let info = graves::look(api, name).await?.unwrap_or(Value::Nothing);
    Ok(info.get("state").get("last_seq").whole().unwrap_or(0))
}

/// The next letters with numbers from `from` to `to`; none if there are no more.
pub async fn letters(api: &Api, name: &str, from: u64, to: u64) -> Done<Vec<Letter>> {
    let Some(info) = graves::look(api, name).await? else { return Err(absent(api, name).await) };
    let place = Place { station: name.into(), partition: 0, store: graves::stream(name), address: String::new() };
    let mut walk = browse::whole(&place, &info);
    walk.next = walk.next.max(from);
    walk.last = walk.last.min(to);
    let mut letters = Vec::new();
    while letters.is_empty() {
        let found = browse::page(api, &mut walk, AT_ONCE).await?;
        if found.is_empty() {
            break;
        }
        for stored in found {
            letters.extend(pieces::letter(api, &walk, stored, name).await?);
        }
    }
    Ok(letters)
}

/// Why there are no letters where there were some.
async fn absent(api: &Api, name: &str) -> Error {
    match station::find(api, name).await {
        Err(error) => error,
        Ok(None) => super::session::gone(name, 10059),
        Ok(Some(_)) => gone(name),
    }
}

/// Put a letter into its station again, as a new message, and forget it.
pub async fn revive(api: &Api, name: &str, number: u64) -> Done<Revived> {
    let facts = station::find(api, name).await?.ok_or_else(|| super::session::gone(name, 10059))?;
    let letter = letters(api, name, number, number).await?.into_iter().next().ok_or_else(|| gone(name))?;
    let store = names::stream(&names::token(name), letter.partition.max(1));
    let id = letter.revival(&store, &graves::stream(name));
    let place = match facts.places.iter().find(|place| place.partition == letter.partition) {
        Some(place) if !place.address.is_empty() => place,
        _ => by_hash(&facts, &id)?,
    };
    let target = Target { name, subject: place.address.clone(), home: Home::Station };
    let until = api.exchange().0.now().mono + limits::RECEIPT;
    let (stored, id) = match target.store(api, &letter.headers, Some(&id), &letter.data, until).await {
        // It had no room for an id when it was stored first, and has none now.
        Err(error) if error.kind == Kind::TooLarge => {
            (target.store(api, &letter.headers, None, &letter.data, until).await, String::new())
        }
        stored => (stored, id),
    };
    let (sequence, duplicate) = stored?;
    match delete(api, name, number, &letter.rest).await {
        // Somebody else was as fast; the message is stored once all the same.
        Ok(_) => Ok(Revived { partition: place.partition, sequence, duplicate, id }),
        Err(error) => Err(error.maybe_delivered(true)),
    }
}

/// Forget a letter, and its other pieces.
pub async fn discard(api: &Api, name: &str, number: u64, rest: &[u64]) -> Done<()> {
    if delete(api, name, number, rest).await? {
        return Ok(());
    }
    match station::find(api, name).await? {
        Some(_) => Err(gone(name)),
        None => Err(super::session::gone(name, 10059)),
    }
}

/// Remove a letter, and then its other pieces; false if it was not there.
async fn delete(api: &Api, name: &str, number: u64, rest: &[u64]) -> Done<bool> {
    let mut there = true;
    for (index, number) in [number].iter().chain(rest).enumerate() {
        let body = Body::default().number("seq", i64::try_from(*number).unwrap_or(i64::MAX)).flag("no_erase", true);
        match api.ask(&format!("STREAM.MSG.DELETE.{}", graves::stream(name)), body.finish()).await {
            Ok(_) => {}
            Err(refusal) if matches!(refusal.code(), 10043 | 10057 | 10037 | 10059) => there &= index > 0,
            Err(refusal) => return Err(refusal.error(name)),
        }
    }
    Ok(there)
}
