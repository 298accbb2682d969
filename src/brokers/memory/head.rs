//! The head of a stored message: its id and its headers, in this broker's own compact form.
//!
//! Knows nothing of stations or groups; it only turns headers into bytes and back.
//!
//! A message with neither id nor headers has an empty head. Otherwise: the id's length (four bytes, little-endian, 0
//! for none) and the id, then for each header the name's length (two bytes), the value's length (four bytes), the name
//! and the value.

use super::live;
use crate::base::bytes::{lossy, parse_decimal};
use crate::base::error::{Error, Kind};
use crate::base::headers::{check, check_id, one_line};
use crate::base::time::Millis;
use crate::link::live::LiveDraft;
use crate::link::session::Draft;

/// Largest head: what a NATS stream takes, for the same reason.
const HEAD_MAX: usize = 65_535;

/// Largest message, head and payload together: what a NATS server takes unless told otherwise, so that a program that
/// was written without a server goes on working with one.
pub const MESSAGE_MAX: usize = 1024 * 1024;

/// Append head and payload; returns the head's length.
pub(super) fn encode(draft: &Draft<'_>, into: &mut Vec<u8>) -> Result<u32, Error> {
    for (name, value) in draft.headers {
        check(name, value)?;
    }
    encode_checked(draft, into)
}

/// The same for a live message, with what stands beside its headers.
pub(super) fn encode_live(draft: &LiveDraft<'_>, into: &mut Vec<u8>) -> Result<u32, Error> {
    for (name, value) in draft.headers {
        check(name, value)?;
    }
    let text = draft.error.map(|(text, _)| one_line(text)).unwrap_or_default();
    let name = |executed| if executed { live::DONE_ALL_THE_SAME } else { live::FAILED };
    let error = draft.error.map(|(_, executed)| (name(executed), text.as_str()));
    let beside = draft.metadata.map(|text| (live::METADATA, text)).into_iter().chain(error);
    let headers: Vec<_> = draft.headers.iter().copied().chain(beside).collect();
    let times = Default::default();
    encode_checked(&Draft { producer: "", headers: &headers, msg_id: draft.id, times, data: draft.data }, into)
}

fn encode_checked(draft: &Draft<'_>, into: &mut Vec<u8>) -> Result<u32, Error> {
    if let Some(id) = draft.msg_id {
        check_id(id)?;
    }
    let head = head_size(draft);
    if head > HEAD_MAX {
        return Err(too_large("the headers have", head, HEAD_MAX));
    }
    let size = head.saturating_add(draft.data.len());
    if size > MESSAGE_MAX {
        return Err(too_large("the message has, with its headers,", size, MESSAGE_MAX));
    }
    write(draft, into);
    Ok(u32::try_from(head).unwrap_or(u32::MAX))
}

/// A message with headers of ours, which are neither checked nor measured as an application's are; and its head's length.
pub(super) fn copy(draft: &Draft<'_>) -> (Vec<u8>, u32) {
    let mut message = Vec::new();
    write(draft, &mut message);
    (message, u32::try_from(head_size(draft)).unwrap_or(u32::MAX))
}

fn write(draft: &Draft<'_>, into: &mut Vec<u8>) {
    let own = times(draft);
    if draft.msg_id.is_some() || !draft.headers.is_empty() || !own.is_empty() {
        let id = draft.msg_id.unwrap_or_default();
        push_length(into, id.len());
        into.extend_from_slice(id.as_bytes());
        for (name, value) in
            own.iter().map(|(name, value)| (*name, value.as_str())).chain(draft.headers.iter().copied())
        {
            into.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
            push_length(into, value.len());
            into.extend_from_slice(name.as_bytes());
            into.extend_from_slice(value.as_bytes());
        }
    }
    into.extend_from_slice(draft.data);
}

/// The application's headers, in the order they were given.
pub fn headers(head: &[u8]) -> Vec<(String, String)> {
    let mut headers = all_headers(head);
    headers.retain(|(name, _)| name.as_bytes().first().is_some_and(|first| *first > b' '));
    headers
}

/// The same with what stands beside them.
pub(super) fn all_headers(head: &[u8]) -> Vec<(String, String)> {
    let mut list = Vec::new();
    let Some((_, mut rest)) = split_id(head) else { return list };
    while let Some((name, value, after)) = split_header(rest) {
        if !name.starts_with(b"Nats-") {
            list.push((lossy(name), lossy(value)));
        }
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

/// What the broker has to know of a message travels as headers that no application can have; they come first.
const EXPIRES: &str = "Nats-TTL";
const HIDDEN: &str = "Nats-Hidden";

fn times(draft: &Draft<'_>) -> Vec<(&'static str, String)> {
    let times = &draft.times;
    let spans = [(EXPIRES, times.expires), (HIDDEN, times.later.map(|later| later.span))];
    spans.into_iter().filter_map(|(name, span)| Some((name, span?.0.to_string()))).collect()
}

fn span(head: &[u8], name: &str) -> Option<Millis> {
    let (_, mut rest) = split_id(head)?;
    while let Some((key, value, after)) = split_header(rest).filter(|(key, ..)| key.starts_with(b"Nats-")) {
        if key == name.as_bytes() {
            return parse_decimal(value).map(Millis);
        }
        rest = after;
    }
    None
}

/// How long the message stays, if that is said.
pub fn expires(head: &[u8]) -> Option<Millis> {
    span(head, EXPIRES)
}

/// How long the message stays hidden, if that is said.
pub(super) fn hidden(head: &[u8]) -> Option<Millis> {
    span(head, HIDDEN)
}

/// The value of an application's header.
pub(super) fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (_, mut rest) = split_id(head)?;
    while let Some((key, value, after)) = split_header(rest) {
        if key == name.as_bytes() {
            return Some(value);
        }
        rest = after;
    }
    None
}

fn head_size(draft: &Draft<'_>) -> usize {
    let own = times(draft);
    if draft.msg_id.is_none() && draft.headers.is_empty() && own.is_empty() {
        return 0;
    }
    let id = draft.msg_id.map_or(0, str::len).saturating_add(4);
    let each = |(name, value): &(&str, &str)| name.len().saturating_add(value.len()).saturating_add(6);
    let id = own.iter().fold(id, |sum, (name, value)| sum.saturating_add(each(&(name, value.as_str()))));
    draft.headers.iter().fold(id, |sum, header| sum.saturating_add(each(header)))
}

fn too_large(what: &str, size: usize, limit: usize) -> Error {
    Error::new(Kind::TooLarge, format!("{what} {size} bytes; {limit} are allowed"))
        .hint("Put large values into the payload, split the message, or store it elsewhere and send where it is.")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::session::{Later, Times};
    use proptest::prelude::*;

    fn draft<'a>(headers: &'a [(&'a str, &'a str)], msg_id: Option<&'a str>, data: &'a [u8]) -> Draft<'a> {
        Draft { producer: "p", headers, msg_id, data, times: Times::default() }
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
    fn times_are_the_brokers_own() {
        let later = Later { span: Millis(20), at: crate::base::time::Wall(5), id: 1 };
        let times = Times { expires: Some(Millis(1500)), later: Some(later) };
        let mut bytes = Vec::new();
        let head = encode(&Draft { times, ..draft(&[("k", "v")], None, b"x") }, &mut bytes).unwrap() as usize;
        let head = &bytes[..head];
        assert_eq!(
            (expires(head), hidden(head), header(head, "k")),
            (Some(Millis(1500)), Some(Millis(20)), Some(&b"v"[..]))
        );
        assert_eq!(headers(head), [("k".to_string(), "v".to_string())]);
        assert_eq!((expires(b""), hidden(b"")), (None, None));
    }

    #[test]
    fn refuses_what_another_broker_would_refuse() {
        let mut bytes = Vec::new();
        for (name, value) in [
            ("", "x"),
            ("a b", "x"),
            ("a:b", "x"),
            ("a\n", "x"),
            ("a\0", "x"),
            ("ä", "x"),
            ("Nats-Msg-Id", "x"),
            ("nats-x", "x"),
            ("a", "x\r"),
            ("a", "x\ny"),
            ("a", "\0"),
        ] {
            let error = encode(&draft(&[(name, value)], None, b""), &mut bytes).unwrap_err();
            assert_eq!(error.kind, Kind::InvalidArgument, "{name:?} {value:?}");
            assert!(error.hint.as_ref().is_some_and(|hint| !hint.is_empty()));
        }
        for id in ["", "a\nb", "a\0", " a"] {
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
        let value = "x".repeat(HEAD_MAX - 4 - 6 - 1);
        assert_eq!(encode(&draft(&[("a", &value)], None, b""), &mut bytes).unwrap() as usize, HEAD_MAX);
        bytes.clear();
        let error = encode(&draft(&[("ab", &value)], None, b""), &mut bytes).unwrap_err();
        assert_eq!(error.kind, Kind::TooLarge);
        assert!(bytes.is_empty());
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(
            pairs in proptest::collection::vec(("[a-m!-/]{1,9}", "[ -~]{0,9}"), 0..5),
            id in proptest::option::of("[!-~ä-ü]{1,9}"),
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
