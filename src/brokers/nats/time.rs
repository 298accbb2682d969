//! Messages that vanish, and messages that appear later.
//!
//! A message that vanishes carries `Nats-TTL`, in whole seconds: the server would cut the rest off, and a message must not
//! go before its time. One that appears later is a schedule of its own on `stations.T.p.at.<id>`; when its time has come the
//! server stores the message behind all others and forgets the schedule, and the message's id with it, which is therefore
//! kept under another name. Streams take either only after they were changed for it, which the first such message does.
//!
//! Source: jetstream.md sections 3.7 and 3.8. Knows nothing of sessions.

use super::api::{Api, Refusal};
use super::{head, names, patch, station, wire};
use crate::base::bytes::{lossy, parse_decimal, push_decimal};
use crate::base::error::{Error, Kind};
use crate::base::id::push_base36;
use crate::base::time::{Millis, rfc3339};
use crate::base::value::Value;
use crate::brokers::terms::{Done, StationFacts};
use crate::link::session::{NEEDS_DELAY, NEEDS_EXPIRY, Place, Times};

/// Beginning of a header block that schedules its message; what follows until the line's end is the moment.
const SCHEDULE: &[u8] = b"NATS/1.0\r\nNats-Schedule: ";
const TARGET: &str = "Nats-Schedule-Target";

/// How often a stream is read and changed again when others change it at the same moment.
const TRIES: u8 = 4;

/// The message's id where the server takes the real one away.
pub const KEPT_ID: &str = "X-Msg-Id";

/// Append the lines of a header block that say when the message appears and goes. They stand in front of all others; where it
/// is scheduled, the target is filled in by [`aimed`]. A gate: messages with times are made when the part is there.
#[inline(never)]
pub fn push(into: &mut Vec<u8>, times: &Times, msg_id: Option<&str>) {
    let seconds = |span: Millis| {
        let mut text = Vec::new();
        push_decimal(&mut text, span.0.div_ceil(1000));
        text.push(b's');
        String::from_utf8(text).unwrap_or_default()
    };
    let Some(later) = times.later else {
        if let Some(span) = times.expires {
            head::push(into, "Nats-TTL", &seconds(span));
        }
        return;
    };
    head::push(into, "Nats-Schedule", &format!("@at {}", rfc3339(later.at)));
    let mut id = Vec::new();
    push_base36(&mut id, later.id);
    head::push(into, TARGET, std::str::from_utf8(&id).unwrap_or_default());
    if let Some(span) = times.expires {
        head::push(into, "Nats-Schedule-TTL", &seconds(span));
    }
    if let Some(id) = msg_id {
        head::push(into, KEPT_ID, id);
    }
}

/// A message that [`aimed`] has something to do with.
pub fn is_scheduled(message: &[u8]) -> bool {
    message.starts_with(SCHEDULE)
}

/// A scheduled message for a partition: the subject of its schedule, and the message with its target filled in. `None` for any
/// other message. A gate, as [`push`] is.
#[inline(never)]
pub fn aimed(subject: &str, message: &[u8]) -> Option<(String, Vec<u8>)> {
    let rest = message.strip_prefix(SCHEDULE)?;
    let line = format!("\r\n{TARGET}: ");
    let at = rest.windows(line.len()).position(|window| window == line.as_bytes())?.checked_add(line.len())?;
    let (before, rest) = rest.split_at_checked(at)?;
    let end = rest.iter().position(|byte| *byte == b'\r')?;
    let (id, after) = rest.split_at_checked(end)?;
    let to = format!("{subject}.at.{}", lossy(id));
    Some((to, [SCHEDULE, before, subject.as_bytes(), after].concat()))
}

/// Whether a message to this subject is one of the partition whose own subject is `subject`.
pub fn leads(subject: &str, to: &str) -> bool {
    to.strip_prefix(subject).is_some_and(|rest| rest.is_empty() || rest.starts_with(".at."))
}

/// How long a stored message stays, if that is said.
pub fn expires(head: &[u8]) -> Option<Millis> {
    let text = wire::field(head, "Nats-TTL")?;
    if let Some(seconds) = parse_decimal(text) {
        return Some(Millis(seconds.saturating_mul(1000)));
    }
    // A duration as Go writes it: 1h30m. The server counts whole seconds of it.
    let mut rest = text;
    let mut nanos = 0u64;
    while !rest.is_empty() {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, after) = rest.split_at_checked(digits)?;
        let unit = after.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let (unit, after) = after.split_at_checked(unit)?;
        let each = match unit {
            b"h" => 3_600_000_000_000,
            b"m" => 60_000_000_000,
            b"s" => 1_000_000_000,
            b"ms" => 1_000_000,
            b"us" => 1_000,
            b"ns" => 1,
            _ => return None,
        };
        nanos = nanos.saturating_add(parse_decimal(number)?.saturating_mul(each));
        rest = after;
    }
    (nanos > 0).then(|| Millis((nanos / 1_000_000_000).saturating_mul(1000)))
}

/// Make the station's streams ready for such messages; nothing is changed where they are.
pub async fn prepare(api: &Api, facts: &StationFacts, needs: u8) -> Done<()> {
    for place in &facts.places {
        ready(api, place, needs).await?;
    }
    Ok(())
}

async fn ready(api: &Api, place: &Place, needs: u8) -> Done<()> {
    let station = &place.station;
    // Somebody else may change it at the same moment: what is there then is read again.
    let mut tries = 0u8;
    loop {
        let asked = api.begin(&format!("STREAM.INFO.{}", place.store), Vec::new());
        let (info, text) = asked.with_text().await.map_err(|refusal| refusal.error(station))?;
        let config = info.get("config");
        let missing = lacking(config, needs);
        if missing == 0 {
            return Ok(());
        }
        possible(config, place, missing).map_err(|error| error.at(station))?;
        let body = changed(&text, place, missing).ok_or_else(|| {
            Error::new(Kind::Protocol, "JetStream described the stream in a way that cannot be read").at(station)
        })?;
        match api.ask(&format!("STREAM.UPDATE.{}", place.store), body).await {
            Err(Refusal::Api(10025, _)) => return Err(too_old(missing).at(station)),
            Err(refusal) if tries == TRIES || refusal.code() != 10052 => return Err(refusal.error(station)),
            Ok(_) if tries == TRIES => return Err(too_old(missing).at(station)),
            // Of two changes of the same moment the server may confirm both and keep one [seen on 2.15.1]: what is there is read.
            Ok(_) | Err(_) => {}
        }
        tries = tries.saturating_add(1);
    }
}

/// What of it the stream cannot do yet.
fn lacking(config: &Value, needs: u8) -> u8 {
    let lacks = |flag: &str, need: u8| if config.get(flag).truth() { 0 } else { need };
    needs & (lacks("allow_msg_ttl", NEEDS_EXPIRY) | lacks("allow_msg_schedules", NEEDS_DELAY))
}

/// Why the stream cannot be made ready, if so.
fn possible(config: &Value, place: &Place, missing: u8) -> Done<()> {
    let metadata = config.get("metadata");
    // Servers write their level into every answer from 2.11 on; 2.12 began with 2.
    let level = station::number(metadata, "_nats.level").unwrap_or(0);
    if level < if missing & NEEDS_DELAY == 0 { 1 } else { 2 } {
        return Err(too_old(missing));
    }
    if place.address != names::subject(&names::token(&place.station), place.partition) {
        return Err(Error::new(Kind::NotSupported, "the stream is not ours, and not made for such messages").hint(
            "Whoever made it can set allow_msg_ttl for expirationMs; delayMs needs a station that was made here.",
        ));
    }
    if missing & NEEDS_DELAY != 0 && config.get("retention").text() != Some("limits") {
        return Err(Error::new(
            Kind::NotSupported,
            "a station with retentionType \"ack_based\" has no delayed messages",
        )
        .hint("The server would forget them at once: nobody has to ack a message that is hidden."));
    }
    Ok(())
}

fn too_old(missing: u8) -> Error {
    let (option, version) = if missing & NEEDS_DELAY == 0 { ("expirationMs", "2.11") } else { ("delayMs", "2.12") };
    Error::new(Kind::NotSupported, format!("{option} needs nats-server {version} or newer"))
        .hint("This server is older; capabilities tells what it has.")
}

/// The configuration in the text of a `STREAM.INFO`, ready for what is missing.
fn changed(info: &[u8], place: &Place, missing: u8) -> Option<Vec<u8>> {
    let mut config = info.get(patch::member(info, "config")?)?.to_vec();
    if missing & NEEDS_EXPIRY != 0 {
        config = patch::set(&config, "allow_msg_ttl", b"true")?;
    }
    if missing & NEEDS_DELAY != 0 {
        config = patch::set(&config, "allow_msg_schedules", b"true")?;
        // With a delay goes the right to vanish later, so that the stream is changed once.
        config = patch::set(&config, "allow_msg_ttl", b"true")?;
        let subjects = format!("[\"{0}\",\"{0}.at.*\"]", place.address);
        config = patch::set(&config, "subjects", subjects.as_bytes())?;
    }
    Some(config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Wall;
    use crate::link::session::Later;

    fn block(times: Times, id: Option<&str>) -> String {
        let mut head = Vec::new();
        push(&mut head, &times, id);
        String::from_utf8(head).unwrap()
    }

    #[test]
    fn seconds_are_rounded_up() {
        let vanishing = |ms| block(Times { expires: Some(Millis(ms)), later: None }, Some("id"));
        assert_eq!(vanishing(1000), "Nats-TTL: 1s\r\n");
        assert_eq!(vanishing(1001), "Nats-TTL: 2s\r\n");
        assert_eq!(block(Times::default(), Some("id")), "");
    }

    #[test]
    fn a_schedule_is_aimed_where_its_message_goes() {
        let later = Later { span: Millis(5), at: Wall(1_795_243_580_360_822_863), id: 35 };
        let lines = block(Times { expires: Some(Millis(1500)), later: Some(later) }, Some("m-1"));
        let message = format!("NATS/1.0\r\n{lines}k: v\r\n\r\nbody");
        let (to, aimed) = aimed("stations.o.2", message.as_bytes()).unwrap();
        assert_eq!(to, "stations.o.2.at.z");
        assert_eq!(
            String::from_utf8(aimed).unwrap(),
            "NATS/1.0\r\nNats-Schedule: @at 2026-11-21T06:46:20.360822863Z\r\nNats-Schedule-Target: stations.o.2\r\nNats-Schedule-TTL: 2s\r\nX-Msg-Id: m-1\r\nk: v\r\n\r\nbody"
        );
        assert!(leads("stations.o.2", &to) && leads("stations.o.2", "stations.o.2"));
        assert!(!leads("stations.o.2", "stations.o.20") && !leads("stations.o.2", "stations.o.1.at.z"));
        assert_eq!(super::aimed("s", b"NATS/1.0\r\nk: v\r\n\r\n"), None);
        assert_eq!(super::aimed("s", b"body"), None);
    }

    #[test]
    fn durations_of_other_clients_are_read() {
        let read = |text: &str| expires(format!("NATS/1.0\r\nNats-TTL: {text}\r\n\r\n").as_bytes()).map(|span| span.0);
        assert_eq!(
            (read("90"), read("2s"), read("1h30m"), read("1500ms")),
            (Some(90_000), Some(2000), Some(5_400_000), Some(1000))
        );
        assert_eq!((read("never"), read("s"), read("1.5s"), read("")), (None, None, None, None));
        assert_eq!(expires(b"NATS/1.0\r\nk: v\r\n\r\n"), None);
    }

    #[test]
    fn the_configuration_changes_where_it_has_to() {
        let place = Place { station: "o".into(), partition: 2, store: "o$2".into(), address: "stations.o.2".into() };
        let info = br#"{"type":"x","config":{"name":"o$2","subjects":["stations.o.2"],"max_age":604800000000000,"metadata":{"a":"b"}}}"#;
        let text = |needs| String::from_utf8(changed(info, &place, needs).unwrap()).unwrap();
        assert_eq!(
            text(NEEDS_EXPIRY),
            r#"{"allow_msg_ttl":true,"name":"o$2","subjects":["stations.o.2"],"max_age":604800000000000,"metadata":{"a":"b"}}"#
        );
        let both: Value = serde_json::from_str(&text(NEEDS_EXPIRY | NEEDS_DELAY)).unwrap();
        assert_eq!(lacking(&both, NEEDS_EXPIRY | NEEDS_DELAY), 0);
        assert_eq!(both.get("subjects").elements().last().and_then(Value::text), Some("stations.o.2.at.*"));
    }

    #[test]
    fn who_is_too_old_is_told_what_is_needed() {
        let place = Place { station: "o".into(), partition: 1, store: "o".into(), address: "stations.o.1".into() };
        let config = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let refuses = |text: &str, missing| possible(&config(text), &place, missing).unwrap_err().text.to_string();
        assert!(refuses(r#"{"retention":"limits"}"#, NEEDS_EXPIRY).contains("2.11"));
        assert!(refuses(r#"{"retention":"limits","metadata":{"_nats.level":"1"}}"#, NEEDS_DELAY).contains("2.12"));
        let new = r#"{"retention":"interest","metadata":{"_nats.level":"5"}}"#;
        assert!(refuses(new, NEEDS_DELAY).contains("ack_based"));
        assert!(possible(&config(new), &place, NEEDS_EXPIRY).is_ok());
        let foreign = Place { address: "events".into(), ..place };
        assert!(possible(&config(new), &foreign, NEEDS_EXPIRY).is_err());
    }
}
