//! Dead letters, as every broker that keeps them as messages writes and reads them: which headers say where one came
//! from, and which ids keep a copy from being stored twice.
//!
//! Source: jetstream.md section 5.2, which fixes the headers and the ids; semantics.md section 6. Knows no broker.

use crate::base::bytes::{lossy, parse_decimal, push_decimal};
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::time::{Millis, Wall};
use crate::policy::redelivery::Cause;

const REASON: &str = "X-Dead-Reason";
const STATION: &str = "X-Dead-Station";
const PARTITION: &str = "X-Dead-Partition";
const SEQUENCE: &str = "X-Dead-Sequence";
const GROUP: &str = "X-Dead-Group";
const DELIVERIES: &str = "X-Dead-Deliveries";

/// Of a letter in pieces: how much of what they are together is the header block.
pub const HEAD: &str = "X-Dead-Head";
/// Where the next piece lies.
pub const REST: &str = "X-Dead-Rest";
/// A piece that is no letter by itself: which.
pub const PIECE: &str = "X-Dead-Piece";
/// What a copy lacks, for want of room.
pub const CUT: &str = "X-Dead-Cut";

/// What the reason says of a message that was delivered too often.
const TOO_OFTEN: &str = "max_deliveries";
/// What the reason begins with for a message that failed its schema; such a letter has no group.
const SCHEMA: &str = "schema: ";

/// A message that dies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// The station it lay in, or was meant for.
    pub station: String,
    /// The partition's number; 0 if it was never stored.
    pub partition: u32,
    /// Its sequence there; 0 if it was never stored.
    pub sequence: u64,
    /// The group that gave up on it; empty if it was never stored.
    pub group: String,
    /// The producer whose it was, if it was never stored; else empty.
    pub producer: String,
    /// How often it was delivered.
    pub deliveries: u32,
    /// Why.
    pub cause: Cause,
    /// The application's headers.
    pub headers: Vec<(String, String)>,
    /// The payload.
    pub data: Vec<u8>,
    /// What settles its last delivery; empty if there was none.
    pub token: Vec<u8>,
    /// The broker would tell of this end of deliveries, and somebody would record that too: it is to be a quiet one.
    pub told: bool,
    /// What makes a repeated copy known where the place does not: for one that was never stored. Random.
    pub nonce: String,
    /// How long it may take; a message whose death is not done by then comes again.
    pub limit: Millis,
}

/// A message as a broker keeps it among the dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its number there.
    pub number: u64,
    /// When it died.
    pub stamp: Wall,
    /// Its headers, ours among them.
    pub headers: Vec<(String, String)>,
    /// The payload.
    pub data: Vec<u8>,
}

/// A dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Its number among the station's dead.
    pub number: u64,
    /// When it died.
    pub stamp: Wall,
    /// Why.
    pub cause: Cause,
    /// The station it lay in.
    pub station: String,
    /// The partition's number; 0 if it was never stored.
    pub partition: u32,
    /// Its sequence there; 0 if it was never stored.
    pub sequence: u64,
    /// The group that gave up on it; `None` if it was never stored.
    pub group: Option<String>,
    /// How often it was delivered.
    pub deliveries: u32,
    /// The application's headers.
    pub headers: Vec<(String, String)>,
    /// The payload.
    pub data: Vec<u8>,
    /// Numbers of what lies apart from it, and goes with it.
    pub rest: Vec<u64>,
}

/// What became of deaths that the broker itself had told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// So many are dead letters now.
    pub recorded: u32,
    /// So many messages were gone, by their station's retention, before somebody came to record it.
    pub gone: u32,
}

impl Told {
    /// Both together.
    pub fn and(self, other: Told) -> Told {
        Told { recorded: self.recorded.saturating_add(other.recorded), gone: self.gone.saturating_add(other.gone) }
    }
}

/// Where a message that came back to life is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revived {
    /// The partition's number.
    pub partition: u32,
    /// Its sequence there.
    pub sequence: u64,
    /// It had been brought back before.
    pub duplicate: bool,
    /// The id it was stored under.
    pub id: String,
}

impl Death {
    /// The copy's id: the same whoever makes the copy, so that it is stored once although a client dies in the middle.
    /// `store` is what the partition is stored under.
    pub fn id(&self, store: &str) -> String {
        if self.sequence == 0 { format!("ds:{}", self.nonce) } else { place("dl", store, self.sequence, &self.group) }
    }

    /// The copy's headers: ours, then the application's.
    pub fn copy(&self) -> Vec<(String, String)> {
        let mut headers = self.place(limits::REASON_MAX);
        headers.extend(self.own());
        headers
    }

    /// The application's headers in it. Of a message that dies a second time only the last death is told.
    pub fn own(&self) -> Vec<(String, String)> {
        self.headers.iter().filter(|(name, _)| !is_ours(name)).cloned().collect()
    }

    /// Our own headers in it, with so many bytes of the text given.
    pub fn place(&self, most: usize) -> Vec<(String, String)> {
        let reason = match &self.cause {
            Cause::Deliveries => TOO_OFTEN.into(),
            Cause::Rejected(text) => escape(text, most, true),
            Cause::Schema(text) => format!("{SCHEMA}{}", escape(text, most, false)),
        };
        let mut headers = vec![(REASON.into(), reason), (STATION.into(), self.station.clone())];
        if self.sequence > 0 {
            headers.push((PARTITION.into(), decimal(u64::from(self.partition))));
            headers.push((SEQUENCE.into(), decimal(self.sequence)));
            headers.push((GROUP.into(), self.group.clone()));
            headers.push((DELIVERIES.into(), decimal(u64::from(self.deliveries))));
        }
        headers
    }
}

impl Letter {
    /// Read one of `station`'s dead. What somebody else put there has neither place nor group.
    pub fn read(kept: Kept, station: &str) -> Letter {
        let text = |name: &str| {
            let found = kept.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str())
        };
        let number = |name: &str| text(name).and_then(|value| parse_decimal(value.as_bytes())).unwrap_or(0);
        let small = |name: &str| u32::try_from(number(name)).unwrap_or(0);
        let group = text(GROUP).filter(|group| !group.is_empty()).map(String::from);
        let reason = text(REASON).unwrap_or_default();
        let cause = match reason.strip_prefix(SCHEMA) {
            Some(wrong) if group.is_none() => Cause::Schema(unescape(wrong)),
            _ if reason == TOO_OFTEN => Cause::Deliveries,
            _ => Cause::Rejected(unescape(reason)),
        };
        Letter {
            number: kept.number,
            stamp: kept.stamp,
            cause,
            station: text(STATION).unwrap_or(station).into(),
            partition: small(PARTITION),
            sequence: number(SEQUENCE),
            group,
            deliveries: small(DELIVERIES),
            headers: kept.headers.iter().filter(|(name, _)| !is_ours(name)).cloned().collect(),
            data: kept.data,
            rest: Vec::new(),
        }
    }

    /// The id under which it comes back to life, so that a repeat cannot store it twice. `store` is what its partition is
    /// stored under, `home` what the station's dead are.
    pub fn revival(&self, store: &str, home: &str) -> String {
        match (&self.group, self.sequence) {
            (Some(group), 1..) => place("re", store, self.sequence, group),
            _ => place("re", home, self.number, ""),
        }
    }
}

/// A letter that was there is not any more.
pub fn gone(station: &str) -> Error {
    Error::new(Kind::Rejected, "the dead letter is not there any more")
        .hint("Somebody has resent or discarded it, or its time is over: dead letters are kept for seven days.")
        .at(station)
}

fn place(what: &str, store: &str, sequence: u64, group: &str) -> String {
    format!("{what}:{store}:{}:{group}", decimal(sequence))
}

fn decimal(number: u64) -> String {
    let mut text = Vec::new();
    push_decimal(&mut text, number);
    String::from_utf8(text).unwrap_or_default()
}

fn is_ours(name: &str) -> bool {
    let ours = [REASON, STATION, PARTITION, SEQUENCE, GROUP, DELIVERIES, HEAD, REST, PIECE, CUT];
    ours.iter().any(|ours| ours.eq_ignore_ascii_case(name))
}

/// A text as a header value: what is not printable ASCII as `%0A`, also blanks at its ends, since not everybody keeps them.
/// No more than `most` bytes of the text stay. With `alone` one that says the same as [`TOO_OFTEN`] is told apart from it.
fn escape(text: &str, most: usize, alone: bool) -> String {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    let text = text.get(..end).unwrap_or_default();
    let mut out = String::new();
    for (at, byte) in text.bytes().enumerate() {
        let edge = at == 0 || at.saturating_add(1) == text.len();
        let plain = (0x20..=0x7e).contains(&byte) && byte != b'%' && !(edge && byte == b' ');
        if plain && !(at == 0 && alone && text == TOO_OFTEN) {
            out.push(char::from(byte));
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            out.push('%');
            for nibble in [byte >> 4, byte & 15] {
                out.push(char::from(HEX.get(usize::from(nibble)).copied().unwrap_or(b'0')));
            }
        }
    }
    out
}

/// What [`escape`] made of a text; what is no escape stays as it is.
fn unescape(value: &str) -> String {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte.wrapping_sub(b'0')),
        b'A'..=b'F' => Some(byte.wrapping_sub(b'A').wrapping_add(10)),
        _ => None,
    };
    let mut out = Vec::new();
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let byte = match after {
            [high, low, ..] if *first == b'%' => digit(high).zip(digit(low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        out.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    lossy(&out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn death(cause: Cause) -> Death {
        let pair = |name: &str, value: &str| (name.to_string(), value.to_string());
        Death {
            station: "orders.eu".into(),
            partition: 2,
            sequence: 17,
            group: "billing".into(),
            producer: String::new(),
            deliveries: 3,
            cause,
            headers: vec![pair("trace", "t-1"), pair("x-dead-group", "an older death")],
            data: b"body".to_vec(),
            token: Vec::new(),
            told: false,
            nonce: "n".into(),
            limit: Millis(1000),
        }
    }

    fn read(headers: Vec<(String, String)>) -> Letter {
        Letter::read(Kept { number: 5, stamp: Wall(0), headers, data: Vec::new() }, "home")
    }

    #[test]
    fn the_place_is_told_in_headers_and_read_back() {
        let death = death(Cause::Deliveries);
        let text: Vec<_> = death.copy().iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(
            text,
            [
                "X-Dead-Reason: max_deliveries",
                "X-Dead-Station: orders.eu",
                "X-Dead-Partition: 2",
                "X-Dead-Sequence: 17",
                "X-Dead-Group: billing",
                "X-Dead-Deliveries: 3",
                "trace: t-1"
            ]
        );
        assert_eq!(death.id("orders#eu$2"), "dl:orders#eu$2:17:billing");
        let letter = read(death.copy());
        assert_eq!((letter.station.as_str(), letter.partition, letter.sequence), ("orders.eu", 2, 17));
        assert_eq!(
            (letter.group.as_deref(), letter.deliveries, letter.cause.clone()),
            (Some("billing"), 3, death.cause)
        );
        assert_eq!(letter.headers, [("trace".to_string(), "t-1".to_string())]);
        assert_eq!(letter.revival("orders#eu$2", "orders#eu$dls"), "re:orders#eu$2:17:billing");
    }

    #[test]
    fn one_that_was_never_stored_has_no_place() {
        let failed = Death { sequence: 0, partition: 0, group: String::new(), ..death(Cause::Schema("a: b".into())) };
        assert_eq!(failed.id("orders"), "ds:n");
        let letter = read(failed.copy());
        assert_eq!((letter.cause.clone(), letter.group.clone()), (Cause::Schema("a: b".into()), None));
        assert_eq!(letter.revival("orders", "orders$dls"), "re:orders$dls:5:");
    }

    #[test]
    fn what_somebody_else_put_there_is_a_letter_too() {
        let letter = read(vec![("X-Dead-Sequence".into(), "many".into())]);
        assert_eq!((letter.station.as_str(), letter.partition, letter.sequence), ("home", 0, 0));
        assert_eq!(letter.cause, Cause::Rejected(String::new()));
    }

    #[test]
    fn reasons_are_one_line_and_not_mistaken_for_each_other() {
        assert_eq!(escape("no\r\nsuch 100% ü ", 100, true), "no%0D%0Asuch 100%25 %C3%BC%20");
        assert_eq!(unescape("50% off, %zz, %4"), "50% off, %zz, %4");
        for text in ["max_deliveries", "schema: wrong", ""] {
            assert_eq!(read(death(Cause::Rejected(text.into())).copy()).cause, Cause::Rejected(text.into()));
        }
        assert_eq!(unescape(&escape(&"ü".repeat(5000), limits::REASON_MAX, true)), "ü".repeat(limits::REASON_MAX / 2));
    }

    proptest! {
        #[test]
        fn any_reason_comes_back(text in "\\PC{0,40}", raw: String, schema: bool) {
            for text in [text, raw] {
                let cause = if schema { Cause::Schema(text) } else { Cause::Rejected(text) };
                let dying = match schema {
                    true => Death { group: String::new(), sequence: 0, ..death(cause.clone()) },
                    false => death(cause.clone()),
                };
                let headers = dying.copy();
                prop_assert!(crate::base::headers::check(&headers[0].0, &headers[0].1).is_ok());
                prop_assert_eq!(read(headers).cause, cause);
            }
        }
    }
}
