//! The answer to a publish: a `PubAck`, or the reason why the message was not stored.
//!
//! ```text
//! {"stream":"orders","seq":1}      {"stream":"orders","seq":1,"duplicate": true}
//! {"error":{"code":400,"err_code":10071,"description":"..."},"stream":"orders","seq":0}
//! ```
//!
//! Source: jetstream.md sections 3.1 and 3.2. Knows nothing of sessions.

use crate::base::bytes::parse_decimal;
use crate::base::error::{Error, Kind};
use crate::base::value::{JsonReader, Value};
use crate::link::session::{Output, Slot};

/// What an answer's body means for the message under `slot`.
pub fn read(slot: Slot, body: &[u8], json: JsonReader) -> Output {
    stored(slot, body).unwrap_or_else(|| odd(slot, body, json))
}

/// The usual answer; `None` for any other.
pub fn stored(slot: Slot, body: &[u8]) -> Option<Output> {
    ack(body).map(|(sequence, duplicate)| Output::Stored { slot, sequence, duplicate })
}

/// Any other.
pub fn odd(slot: Slot, body: &[u8], json: JsonReader) -> Output {
    json.read(body).map_or_else(|| Output::Refused(slot, unknown_answer()), |value| unusual(slot, &value))
}

/// A `PubAck` without the JSON reader: sequence and whether it was a duplicate. `None` for anything unusual.
fn ack(body: &[u8]) -> Option<(u64, bool)> {
    const SEQ: &[u8] = b"\"seq\":";
    if !body.starts_with(b"{\"stream\":") {
        return None;
    }
    // A stream's name has no quote in it, so the first one that follows by SEQ is the real one.
    let at = body.windows(SEQ.len()).position(|window| window == SEQ)?.saturating_add(SEQ.len());
    let rest = body.get(at..)?.trim_ascii_start();
    let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let sequence = parse_decimal(rest.get(..end)?).filter(|sequence| *sequence > 0)?;
    match rest.get(end..)? {
        b"}" => Some((sequence, false)),
        b",\"duplicate\": true}" | b",\"duplicate\":true}" => Some((sequence, true)),
        _ => None,
    }
}

/// A `PubAck` that the fast path did not know.
fn unusual(slot: Slot, value: &Value) -> Output {
    let error = value.get("error");
    let code = error.get("err_code").whole().and_then(|code| u32::try_from(code).ok());
    let Some(code) = code else {
        return match (value.get("stream").text(), value.get("seq").whole()) {
            (Some(_), Some(sequence)) if sequence > 0 => {
                Output::Stored { slot, sequence, duplicate: value.get("duplicate").truth() }
            }
            _ => Output::Refused(slot, unknown_answer()),
        };
    };
    let text = error.get("description").text().unwrap_or_default().to_string();
    match code {
        // Not decided yet, or too busy: not stored for now (jetstream.md section 3.2).
        10158 | 10163 | 10167 | 10210 | 10211 => Output::NotNow(slot),
        10054 | 10097 => Output::Refused(
            slot,
            Error::new(Kind::TooLarge, text).code(code).hint("The stream's own limit is smaller than the server's."),
        ),
        10077 | 10002 | 10047 | 10028 | 10023 => {
            let full = Error::new(Kind::Rejected, text)
                .code(code)
                .retryable(true)
                .hint("The station or the server is full; try again when messages have gone.");
            Output::Refused(slot, full)
        }
        10165 | 10166 | 10188..=10190 => {
            let unfit = Error::new(Kind::NotSupported, text).code(code).hint(
                "The stream does not take messages that vanish or appear later; make the producer again to change that.",
            );
            Output::Refused(slot, unfit)
        }
        10109 => {
            let sealed =
                Error::new(Kind::Rejected, text).code(code).hint("The stream is sealed: nothing can be added to it.");
            Output::Refused(slot, sealed)
        }
        _ => Output::Refused(slot, Error::new(Kind::Rejected, text).code(code)),
    }
}

fn unknown_answer() -> Error {
    Error::new(Kind::Protocol, "something that is not a stream answered the message")
        .hint("Another program listens on the station's subject.")
        .maybe_delivered(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_path_reads_what_servers_write() {
        assert_eq!(ack(br#"{"stream":"orders","seq":1}"#), Some((1, false)));
        assert_eq!(ack(br#"{"stream":"orders", "seq":17}"#), Some((17, false)), "2.9 to 2.11");
        assert_eq!(ack(br#"{"stream":"orders","seq":2,"duplicate": true}"#), Some((2, true)));
        for odd in
            [&br#"{"stream":"one","seq":21,"x":1}"#[..], br#"{"stream":"o","seq":0}"#, br#"{"error":{}}"#, b"", b"{"]
        {
            assert_eq!(ack(odd), None);
        }
        let domain = br#"{"stream":"one","domain":"hub","seq":21}"#;
        assert_eq!(ack(domain), Some((21, false)));
    }

    #[test]
    fn errors_are_told_apart() {
        let json = JsonReader(|text| serde_json::from_slice(text).ok());
        let answer = |body: &str| read(Slot(0), body.as_bytes(), json);
        let error = |code: u32| {
            answer(&format!(
                "{{\"error\":{{\"code\":400,\"err_code\":{code},\"description\":\"d\"}},\"stream\":\"s\",\"seq\":0}}"
            ))
        };
        assert!(matches!(error(10158), Output::NotNow(_)));
        assert!(matches!(error(10054), Output::Refused(_, error) if error.kind == Kind::TooLarge));
        assert!(matches!(error(10077), Output::Refused(_, error) if error.kind == Kind::Rejected && error.retryable));
        assert!(matches!(error(10071), Output::Refused(_, error) if error.kind == Kind::Rejected && !error.retryable));
        assert!(matches!(answer("hello"), Output::Refused(_, error) if error.kind == Kind::Protocol));
        assert!(matches!(answer("{}"), Output::Refused(_, error) if error.kind == Kind::Protocol));
    }
}
