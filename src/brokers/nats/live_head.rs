//! Header blocks of live messages and answers: the application's headers, and what stands beside them.
//!
//! ```text
//! Nats-Msg-Id              the id                  X-Metadata    the text, on one line
//! Nats-Service-Error       what went wrong         Nats-Service-Error-Code   500, or 200 where it was carried out all the same
//! ```
//!
//! The last two are the convention of NATS services, so that clients of any kind understand each other's failures
//! (jetstream.md section 7). Knows nothing of sessions.

use super::{head, wire};
use crate::base::bytes::lossy;
use crate::base::error::Error;
use crate::base::headers::{check, check_id, one_line};
use crate::link::live::{Beside, LiveDraft};

const MSG_ID: &str = "Nats-Msg-Id";
const METADATA: &str = "X-Metadata";
const ERROR: &str = "Nats-Service-Error";
const CODE: &str = "Nats-Service-Error-Code";

/// Append the draft's header block, if it needs one, and its payload; the block's length comes back.
pub fn encode(draft: &LiveDraft<'_>, max_payload: u64, into: &mut Vec<u8>) -> Result<u32, Error> {
    let start = into.len();
    if !draft.is_plain() {
        into.extend_from_slice(b"NATS/1.0\r\n");
        if let Some(id) = draft.id {
            check_id(id)?;
            head::push(into, MSG_ID, id);
        }
        for (name, value) in draft.headers {
            check(name, value)?;
            head::push(into, name, value);
        }
        if let Some(text) = draft.metadata {
            head::push(into, METADATA, &escaped(text));
        }
        if let Some((text, executed)) = draft.error {
            head::push(into, ERROR, &one_line(text));
            head::push(into, CODE, if executed { "200" } else { "500" });
        }
        into.extend_from_slice(b"\r\n");
    }
    let length = into.len().saturating_sub(start);
    head::fits(length, length.saturating_add(draft.data.len()), max_payload)?;
    into.extend_from_slice(draft.data);
    Ok(u32::try_from(length).unwrap_or(u32::MAX))
}

/// What stands beside the application's headers.
pub fn beside(block: &[u8]) -> Beside {
    let text = |name: &str| wire::field(block, name).map(lossy);
    let code = wire::field(block, CODE);
    Beside {
        id: text(MSG_ID).filter(|id| !id.is_empty()),
        metadata: text(METADATA).map(|text| plain(&text)),
        // A code alone is a failure too.
        error: text(ERROR)
            .or(code.map(|_| String::new()))
            .map(|error| (error, code.is_some_and(|code| code.starts_with(b"2")))),
    }
}

/// The application's headers.
pub fn headers(block: &[u8]) -> Vec<(String, String)> {
    let mut headers = head::visible(block);
    headers.retain(|(name, _)| name != METADATA);
    headers
}

/// A text on one line, from which [`plain`] gets it back.
fn escaped(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0'..='\x1f' | '\x7f' | '%' => {
                line.push('%');
                for digit in [c as u32 >> 4, c as u32 & 15] {
                    line.push(char::from_digit(digit, 16).unwrap_or('0'));
                }
            }
            c => line.push(c),
        }
    }
    line
}

/// What [`escaped`] was made of. What is no escape stays as it is: somebody else wrote it.
fn plain(line: &str) -> String {
    let mut text = Vec::with_capacity(line.len());
    let mut rest = line.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let digit = |at: usize| rest.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (*first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) if high < 8 => {
                text.push((high << 4 | low) as u8);
                rest = rest.get(2..).unwrap_or_default();
            }
            (byte, ..) => text.push(byte),
        }
    }
    lossy(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::Kind;
    use proptest::prelude::*;

    fn block(draft: &LiveDraft<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let head = encode(draft, 1 << 20, &mut bytes).unwrap() as usize;
        assert_eq!(&bytes[head..], draft.data);
        bytes.truncate(head);
        bytes
    }

    #[test]
    fn a_plain_message_has_no_block() {
        assert_eq!(block(&LiveDraft { data: b"body", ..LiveDraft::default() }), b"");
        assert_eq!(beside(b""), Beside::default());
    }

    #[test]
    fn failures_are_those_of_services() {
        let bytes = block(&LiveDraft { error: Some(("no\r\nsuch thing", false)), ..LiveDraft::default() });
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert_eq!(text, "NATS/1.0\r\nNats-Service-Error: no  such thing\r\nNats-Service-Error-Code: 500\r\n\r\n");
        assert_eq!(beside(&bytes).error, Some(("no  such thing".into(), false)));
        let late = block(&LiveDraft { error: Some(("only just", true)), ..LiveDraft::default() });
        assert_eq!(beside(&late).error, Some(("only just".into(), true)));
        let theirs = b"NATS/1.0\r\nNats-Service-Error-Code: 400\r\nNats-Service-Error: bad\r\nk: v\r\n\r\n";
        assert_eq!(beside(theirs).error, Some(("bad".into(), false)));
        assert_eq!(headers(theirs), [("k".to_string(), "v".to_string())]);
        let empty = block(&LiveDraft { error: Some(("", false)), ..LiveDraft::default() });
        assert!(!beside(&empty).error.unwrap().0.is_empty());
        let long = "ü".repeat(100_000);
        assert!(block(&LiveDraft { error: Some((&long, false)), ..LiveDraft::default() }).len() < 9000);
    }

    #[test]
    fn limits_and_names_are_checked() {
        let refuses = |draft: &LiveDraft<'_>, max| encode(draft, max, &mut Vec::new()).unwrap_err().kind;
        assert_eq!(refuses(&LiveDraft { data: b"body", ..LiveDraft::default() }, 3), Kind::TooLarge);
        let headers = [("Nats-Service-Error", "x")];
        assert_eq!(refuses(&LiveDraft { headers: &headers, ..LiveDraft::default() }, 1000), Kind::InvalidArgument);
        assert_eq!(refuses(&LiveDraft { id: Some(" x"), ..LiveDraft::default() }, 1000), Kind::InvalidArgument);
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(metadata: String, id in proptest::option::of("[!-~]{1,9}"), value in "[ -~]{0,20}") {
            let pairs = [("k", value.as_str())];
            let bytes = block(&LiveDraft { headers: &pairs, id: id.as_deref(), metadata: Some(&metadata), error: None, data: b"x" });
            prop_assert_eq!(beside(&bytes), Beside { id, metadata: Some(metadata), error: None });
            prop_assert_eq!(headers(&bytes), vec![("k".to_string(), value)]);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            let _ = (beside(&bytes), headers(&bytes));
        }
    }
}
