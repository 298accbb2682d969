//! Header blocks: how ours are written, and what an application sees of any (memphis.md sections 4.2 and 4.4).
//!
//! The broker looks for the bytes `msg-id` and at their first hit alone, which has to begin a line: the id comes first. A block
//! is never left out: a message without one may end the broker when it dies.

use super::super::nats::head::{push, push_data};
use super::super::nats::wire;
use crate::base::bytes::lossy;
use crate::base::error::Error;
use crate::base::headers::{check, check_id};
use crate::base::id::shown;
use crate::link::session::Draft;

/// The header that makes a message idempotent.
const MSG_ID: &str = "msg-id";
/// What the broker's own headers begin with.
const OWN: &str = "$memphis";

/// Append the draft's header block and its payload; the block's length comes back. `id` is the connection's.
pub fn encode(draft: &Draft<'_>, id: &str, max_payload: u64, into: &mut Vec<u8>) -> Result<u32, Error> {
    let start = into.len();
    into.extend_from_slice(b"NATS/1.0\r\n");
    if let Some(id) = draft.msg_id {
        check_id(id)?;
        push(into, MSG_ID, id);
    }
    push(into, "$memphis_connectionId", id);
    push(into, "$memphis_producedBy", draft.producer);
    for (name, value) in draft.headers {
        check(name, value)?;
        if name.starts_with(OWN) || *name == MSG_ID {
            return Err(Error::argument(format!("the header name \"{}\" belongs to the broker", shown(name))).hint(
                "Headers that begin with $memphis, and msg-id, have a meaning to Memphis; use msgId or another name.",
            ));
        }
        push(into, name, value);
    }
    into.extend_from_slice(b"\r\n");
    push_data(into, start, draft.data, max_payload)
}

/// What an application sees of a block: its own headers. Of several values of one name the first counts.
#[inline(never)]
pub fn visible(head: &[u8]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| lossy(bytes);
    let mut seen: Vec<(String, String)> = Vec::new();
    for (name, value) in wire::fields(head) {
        let brokers = name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"nats-"));
        let own = brokers || name.starts_with(OWN.as_bytes()) || name == MSG_ID.as_bytes();
        if !own && !seen.iter().any(|(known, _)| known.as_bytes() == name) {
            seen.push((text(name), text(value)));
        }
    }
    seen
}

/// The message's id.
#[inline(never)]
pub fn msg_id(head: &[u8]) -> Option<String> {
    let id = wire::field(head, MSG_ID).filter(|id| !id.is_empty())?;
    Some(lossy(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::Kind;
    use crate::link::session::Times;

    fn draft<'a>(headers: &'a [(&'a str, &'a str)], msg_id: Option<&'a str>) -> Draft<'a> {
        Draft { producer: "p1", headers, msg_id, data: b"body", times: Times::default() }
    }

    #[test]
    fn the_id_comes_first_and_a_block_is_always_there() {
        let mut bytes = Vec::new();
        let head = encode(&draft(&[("trace", "1")], Some("m-1")), "c-1", 1000, &mut bytes).unwrap();
        let block =
            "NATS/1.0\r\nmsg-id: m-1\r\n$memphis_connectionId: c-1\r\n$memphis_producedBy: p1\r\ntrace: 1\r\n\r\n";
        assert_eq!(String::from_utf8(bytes.clone()).unwrap(), format!("{block}body"));
        assert_eq!(head as usize, block.len());
        assert_eq!(msg_id(&bytes).as_deref(), Some("m-1"));
        assert_eq!(visible(&bytes), [("trace".to_string(), "1".to_string())]);
        bytes.clear();
        assert!(encode(&draft(&[], None), "c", 1000, &mut bytes).unwrap() > 0);
        assert_eq!((msg_id(&bytes), visible(&bytes).len()), (None, 0));
    }

    #[test]
    fn names_with_a_meaning_are_refused() {
        for name in ["$memphis_producedBy", "$memphisx", "msg-id", "Nats-Rollup"] {
            let error = encode(&draft(&[(name, "x")], None), "c", 1000, &mut Vec::new()).unwrap_err();
            assert_eq!(error.kind, Kind::InvalidArgument, "{name}");
        }
        assert!(encode(&draft(&[("x-msg-id", "x")], None), "c", 1000, &mut Vec::new()).is_ok());
        assert_eq!(encode(&draft(&[], None), "c", 10, &mut Vec::new()).unwrap_err().kind, Kind::TooLarge);
    }
}
