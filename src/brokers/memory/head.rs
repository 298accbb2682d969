//! The head of a stored message: its id and its headers, in this broker's own compact form.
//!
//! Knows nothing of stations or groups; it only turns headers into bytes and back.
//!
//! A message with neither id nor headers has an empty head. Otherwise: the id's length (four bytes, little-endian, 0
//! for none) and the id, then for each header the name's length (two bytes), the value's length (four bytes), the name
//! and the value.

use crate::base::error::{Error, Kind};
use crate::link::session::Draft;

/// Largest message, head and payload together: what a NATS server takes unless told otherwise, so that a program that
/// was written without a server goes on working with one.
pub const MESSAGE_MAX: usize = 1024 * 1024;

/// Append head and payload; returns the head's length.
pub(super) fn encode(draft: &Draft<'_>, into: &mut Vec<u8>) -> Result<u32, Error> {
    if let Some(id) = draft.msg_id {
        check_id(id)?;
    }
    for (name, value) in draft.headers {
        check_header(name, value)?;
    }
    let size = size(draft);
    if size > MESSAGE_MAX {
        return Err(Error::new(
            Kind::TooLarge,
            format!("the message has {size} bytes with its headers, {MESSAGE_MAX} are allowed"),
        )
        .hint("Split it, or store the payload elsewhere and send where it is."));
    }
    let begin = into.len();
    if draft.msg_id.is_some() || !draft.headers.is_empty() {
        let id = draft.msg_id.unwrap_or_default();
        push_length(into, id.len());
        into.extend_from_slice(id.as_bytes());
        for (name, value) in draft.headers {
            into.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
            push_length(into, value.len());
            into.extend_from_slice(name.as_bytes());
            into.extend_from_slice(value.as_bytes());
        }
    }
    let head = into.len().saturating_sub(begin);
    into.extend_from_slice(draft.data);
    Ok(u32::try_from(head).unwrap_or(u32::MAX))
}

/// The application's headers, in the order they were given.
pub fn headers(head: &[u8]) -> Vec<(String, String)> {
    let mut list = Vec::new();
    let Some((_, mut rest)) = split_id(head) else { return list };
    while let Some((name, value, after)) = split_header(rest) {
        list.push((String::from_utf8_lossy(name).into_owned(), String::from_utf8_lossy(value).into_owned()));
        rest = after;
    }
    list
}

/// The message's id, if it has one.
pub fn msg_id(head: &[u8]) -> Option<String> {
    id(head).map(String::from)
}

/// The message's id in place.
pub(super) fn id(head: &[u8]) -> Option<&str> {
    let (id, _) = split_id(head)?;
    std::str::from_utf8(id).ok().filter(|id| !id.is_empty())
}

fn size(draft: &Draft<'_>) -> usize {
    let mut size = draft.data.len();
    if draft.msg_id.is_some() || !draft.headers.is_empty() {
        size = size.saturating_add(4).saturating_add(draft.msg_id.map_or(0, str::len));
        for (name, value) in draft.headers {
            size = size.saturating_add(6).saturating_add(name.len()).saturating_add(value.len());
        }
    }
    size
}

fn check_id(id: &str) -> Result<(), Error> {
    if id.is_empty() {
        return Err(Error::argument("the msgId is empty").hint("Leave msgId out, or give a text."));
    }
    if breaks_line(id) {
        return Err(
            Error::argument("the msgId contains a line break or a NUL").hint("Use an id of printable characters.")
        );
    }
    Ok(())
}

/// The rule that is right on every broker, so that what is accepted here is accepted there.
fn check_header(name: &str, value: &str) -> Result<(), Error> {
    let shown = name.escape_debug();
    if name.is_empty() {
        return Err(Error::argument("a header has an empty name").hint(NAMES));
    }
    if let Some(wrong) = name.chars().find(|c| !c.is_ascii_graphic() || *c == ':') {
        let wrong = wrong.escape_debug();
        return Err(Error::argument(format!(
            "the header name \"{shown}\" has the character '{wrong}', which is not allowed"
        ))
        .hint(NAMES));
    }
    if name.len() > usize::from(u16::MAX) {
        return Err(Error::argument("a header name is longer than 65535 bytes").hint(NAMES));
    }
    if name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("nats-")) {
        return Err(Error::argument(format!(
            "the header name \"{shown}\" begins with \"Nats-\", which NATS keeps for itself"
        ))
        .hint("Choose another name; for an idempotent message there is the option msgId."));
    }
    if breaks_line(value) {
        return Err(Error::argument(format!("the value of header \"{shown}\" contains a line break or a NUL"))
            .hint("Headers are single lines; put longer text into the message, or encode it."));
    }
    Ok(())
}

fn breaks_line(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

fn push_length(into: &mut Vec<u8>, length: usize) {
    into.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}

fn split_id(head: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = head.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

fn split_header(rest: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (name, rest) = rest.split_first_chunk::<2>()?;
    let (value, rest) = rest.split_first_chunk::<4>()?;
    let (name, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*name)))?;
    let (value, rest) = rest.split_at_checked(u32::from_le_bytes(*value) as usize)?;
    Some((name, value, rest))
}

const NAMES: &str = "Header names are printable ASCII without blanks and ':'.";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn draft<'a>(headers: &'a [(&'a str, &'a str)], msg_id: Option<&'a str>, data: &'a [u8]) -> Draft<'a> {
        Draft { headers, msg_id, data }
    }

    #[test]
    fn a_plain_message_has_no_head() {
        let mut bytes = Vec::new();
        assert_eq!(encode(&draft(&[], None, b"abc"), &mut bytes).unwrap(), 0);
        assert_eq!(bytes, b"abc");
        assert_eq!(headers(b""), []);
        assert_eq!(msg_id(b""), None);
    }

    #[test]
    fn refuses_what_another_broker_would_refuse() {
        let mut bytes = Vec::new();
        let long = "x".repeat(65_536);
        for (name, value) in [
            ("", "x"),
            ("a b", "x"),
            ("a:b", "x"),
            ("a\n", "x"),
            ("a\0", "x"),
            ("ä", "x"),
            ("Nats-Msg-Id", "x"),
            ("nats-x", "x"),
            (long.as_str(), "x"),
            ("a", "x\r"),
            ("a", "x\ny"),
            ("a", "\0"),
        ] {
            let error = encode(&draft(&[(name, value)], None, b""), &mut bytes).unwrap_err();
            assert_eq!(error.kind, Kind::InvalidArgument, "{name:?} {value:?}");
            assert!(error.hint.as_ref().is_some_and(|hint| !hint.is_empty()));
        }
        for id in ["", "a\nb", "a\0"] {
            let error = encode(&draft(&[], Some(id), b""), &mut bytes).unwrap_err();
            assert_eq!(error.kind, Kind::InvalidArgument, "{id:?}");
        }
        assert!(bytes.is_empty(), "nothing is written when something is wrong");
    }

    #[test]
    fn the_largest_message_fits_and_the_next_does_not() {
        let mut bytes = Vec::new();
        assert_eq!(encode(&draft(&[], None, &vec![0; MESSAGE_MAX]), &mut bytes).unwrap(), 0);
        bytes.clear();
        let error = encode(&draft(&[], None, &vec![0; MESSAGE_MAX + 1]), &mut bytes).unwrap_err();
        assert_eq!((error.kind, error.retryable), (Kind::TooLarge, false));
        let error = encode(&draft(&[("a", "b")], None, &vec![0; MESSAGE_MAX]), &mut bytes).unwrap_err();
        assert_eq!(error.kind, Kind::TooLarge, "headers count");
        assert!(bytes.is_empty());
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(
            pairs in proptest::collection::vec(("[a-m!-/]{1,9}", "[^\r\n\0]{0,9}"), 0..5),
            id in proptest::option::of("[^\r\n\0]{1,9}"),
            data: Vec<u8>,
        ) {
            let list: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let mut bytes = b"before".to_vec();
            let head = encode(&draft(&list, id.as_deref(), &data), &mut bytes).unwrap() as usize;
            prop_assert_eq!(&headers(&bytes[6..6 + head]), &pairs);
            prop_assert_eq!(msg_id(&bytes[6..6 + head]), id);
            prop_assert_eq!(&bytes[6 + head..], &data[..]);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            let _ = msg_id(&bytes);
            prop_assert!(headers(&bytes).len() <= bytes.len());
        }
    }
}
