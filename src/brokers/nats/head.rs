//! Header blocks: how ours are written, and what an application sees of any.
//!
//! ```text
//! NATS/1.0 CR LF  Name: value CR LF ...  CR LF
//! ```
//!
//! Source: jetstream.md sections 1.6 and 3.3. Knows nothing of sessions.

use super::{time, wire};
use crate::base::bytes::lossy;
use crate::base::error::{Error, Kind};
use crate::base::headers::{check, check_id};
use crate::link::session::Draft;

/// Largest header block a stream takes (jetstream.md section 3.2, error 10097).
const HEAD_MAX: usize = 65_535;

const MSG_ID: &str = "Nats-Msg-Id";

/// Told by the server of a message that was hidden; the id of such a one stands elsewhere.
const SCHEDULER: &str = "Nats-Scheduler";

/// Append the draft's header block, if it needs one, and its payload; the block's length comes back.
pub fn encode(draft: &Draft<'_>, max_payload: u64, into: &mut Vec<u8>) -> Result<u32, Error> {
    let start = into.len();
    if draft.msg_id.is_some() || !draft.headers.is_empty() || draft.times.needs() != 0 {
        into.extend_from_slice(b"NATS/1.0\r\n");
        if draft.times.needs() != 0 {
            time::push(into, &draft.times, draft.msg_id);
        }
        if let Some(id) = draft.msg_id {
            check_id(id)?;
            push(into, MSG_ID, id);
        }
        for (name, value) in draft.headers {
            check(name, value)?;
            push(into, name, value);
        }
        into.extend_from_slice(b"\r\n");
    }
    push_data(into, start, draft.data, max_payload)
}

/// Append the payload behind the block that begins at `start`; the block's length comes back.
pub fn push_data(into: &mut Vec<u8>, start: usize, data: &[u8], max_payload: u64) -> Result<u32, Error> {
    let head = into.len().saturating_sub(start);
    fits(head, head.saturating_add(data.len()), max_payload)?;
    into.extend_from_slice(data);
    Ok(u32::try_from(head).unwrap_or(u32::MAX))
}

/// Whether the broker takes a message with a header block of this length, of this size altogether: one that is larger
/// would end the link.
pub fn fits(head: usize, total: usize, max_payload: u64) -> Result<(), Error> {
    if head > HEAD_MAX {
        return Err(Error::new(Kind::TooLarge, format!("the headers have {head} bytes, the broker takes {HEAD_MAX}"))
            .hint("Put large values into the payload."));
    }
    if total as u64 > max_payload {
        return Err(Error::new(
            Kind::TooLarge,
            format!("the message has {total} bytes with its headers, the broker takes {max_payload}"),
        )
        .hint("Split the message, or raise max_payload in the server's configuration."));
    }
    Ok(())
}

/// Append one line of a block.
pub fn push(into: &mut Vec<u8>, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        into.extend_from_slice(part.as_bytes());
    }
}

/// A message with headers of ours, which are not checked as an application's are: a block, then the payload, and the
/// block's length.
pub fn copy(draft: &Draft<'_>) -> (Vec<u8>, u32) {
    let mut message = b"NATS/1.0\r\n".to_vec();
    if let Some(id) = draft.msg_id {
        push(&mut message, MSG_ID, id);
    }
    for (name, value) in draft.headers {
        push(&mut message, name, value);
    }
    message.extend_from_slice(b"\r\n");
    let head = u32::try_from(message.len()).unwrap_or(u32::MAX);
    message.extend_from_slice(draft.data);
    (message, head)
}

/// What an application sees of a block: its own headers. The broker's are left out.
pub fn visible(head: &[u8]) -> Vec<(String, String)> {
    let scheduled = wire::field(head, SCHEDULER).is_some();
    let own = |name: &[u8]| {
        let brokers = name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"nats-"));
        !(brokers || scheduled && name == time::KEPT_ID.as_bytes())
    };
    let text = |bytes: &[u8]| lossy(bytes);
    wire::fields(head).filter(|(name, _)| own(name)).map(|(name, value)| (text(name), text(value))).collect()
}

/// The message's id.
pub fn msg_id(head: &[u8]) -> Option<String> {
    let kept = || wire::field(head, SCHEDULER).and_then(|_| wire::field(head, time::KEPT_ID));
    wire::field(head, MSG_ID).or_else(kept).filter(|id| !id.is_empty()).map(lossy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::session::Times;

    fn draft<'a>(headers: &'a [(&'a str, &'a str)], msg_id: Option<&'a str>, data: &'a [u8]) -> Draft<'a> {
        Draft { producer: "p", headers, msg_id, data, times: Times::default() }
    }

    #[test]
    fn the_id_comes_first_with_one_blank() {
        let mut bytes = Vec::new();
        let head = encode(&draft(&[("k", "v")], Some("m-1"), b"body"), 1000, &mut bytes).unwrap();
        assert_eq!(bytes, b"NATS/1.0\r\nNats-Msg-Id: m-1\r\nk: v\r\n\r\nbody");
        assert_eq!(msg_id(&bytes[..head as usize]).as_deref(), Some("m-1"));
        assert_eq!(visible(&bytes[..head as usize]), [("k".to_string(), "v".to_string())]);
    }

    #[test]
    fn no_headers_no_block() {
        let mut bytes = Vec::new();
        assert_eq!(encode(&draft(&[], None, b"body"), 4, &mut bytes), Ok(0));
        assert_eq!(bytes, b"body");
    }

    #[test]
    fn a_message_that_was_hidden_has_its_id() {
        let head = b"NATS/1.0\r\nX-Msg-Id: m-1\r\nk: v\r\nNats-Scheduler: s.at.x\r\n\r\n";
        assert_eq!(msg_id(head).as_deref(), Some("m-1"));
        assert_eq!(visible(head), [("k".to_string(), "v".to_string())]);
        let own = b"NATS/1.0\r\nX-Msg-Id: mine\r\n\r\n";
        assert_eq!((msg_id(own), visible(own).len()), (None, 1), "an application's own header of that name");
    }

    #[test]
    fn limits_are_the_brokers() {
        let error = encode(&draft(&[], None, b"body"), 3, &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind, Kind::TooLarge);
        let long = "x".repeat(70_000);
        let error = encode(&draft(&[("k", &long)], None, b""), 1 << 20, &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind, Kind::TooLarge);
        assert!(encode(&draft(&[("k", "a\nb")], None, b""), 1 << 20, &mut Vec::new()).is_err());
    }
}
