//! Stored messages as the server gives them to one who only looks: answers of direct gets, singly and by the page, and of
//! the leader in JSON.
//!
//! Source: jetstream.md section 4.9. Knows nothing of stations and sessions.

use super::wire;
use crate::base::bytes::{decode_base64, parse_decimal};
use crate::base::limits;
use crate::base::time::{Wall, parse_rfc3339};
use crate::base::value::Value;
use crate::brokers::terms::Stored;

/// Take a message of an answer in several; false if it is the last one, which has no message of the stream in it or is
/// the only one. Each is kept as the lengths of head and body, four bytes each, and both.
#[inline(never)]
pub fn gather(page: &mut Vec<u8>, head: &[u8], body: &[u8]) -> bool {
    if wire::status(head) != 0 || page.len() > limits::PAGE_MAX {
        return false;
    }
    for part in [head, body] {
        page.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
    }
    page.extend_from_slice(head);
    page.extend_from_slice(body);
    // A server that does not know pages answers with one message, which does not say how many follow.
    field(head, "Nats-Num-Pending").is_some()
}

/// The messages of a page that was gathered.
pub fn messages(partition: u32, page: &[u8]) -> Vec<(Stored, Vec<u8>)> {
    let mut list = Vec::new();
    let mut rest = page;
    while let Some((head, body, after)) = split(rest) {
        list.extend(direct(partition, head, body));
        rest = after;
    }
    list
}

fn split(rest: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (head, rest) = rest.split_first_chunk::<4>()?;
    let (body, rest) = rest.split_first_chunk::<4>()?;
    let (head, rest) = rest.split_at_checked(u32::from_le_bytes(*head) as usize)?;
    let (body, rest) = rest.split_at_checked(u32::from_le_bytes(*body) as usize)?;
    Some((head, body, rest))
}

/// The answer of a direct get, and the subject that it was stored under. What the server tells of the message stands behind
/// the message's own headers.
pub fn direct(partition: u32, head: &[u8], body: &[u8]) -> Option<(Stored, Vec<u8>)> {
    let sequence = field(head, "Nats-Sequence").and_then(parse_decimal)?;
    let stamp = std::str::from_utf8(field(head, "Nats-Time-Stamp")?).ok().and_then(parse_rfc3339)?;
    let subject = field(head, "Nats-Subject")?.to_vec();
    Some((Stored { partition, sequence, stamp, head: head.to_vec(), data: body.to_vec() }, subject))
}

/// How many messages follow the last one of a page.
pub fn pending(head: &[u8]) -> Option<u64> {
    field(head, "Nats-Num-Pending").and_then(parse_decimal)
}

/// The leader's answer.
pub fn leader(partition: u32, answer: &Value) -> Option<(Stored, Vec<u8>)> {
    let (sequence, head, data) = kept(answer)?;
    let message = answer.get("message");
    let stamp = message.get("time").text().and_then(parse_rfc3339).unwrap_or(Wall(0));
    Some((Stored { partition, sequence, stamp, head, data }, message.get("subject").text()?.as_bytes().to_vec()))
}

/// The sequence, the head and the payload in the leader's answer. A copy where it is used: that is in parts of the wasm that
/// have nothing in common.
#[inline(always)]
pub fn kept(answer: &Value) -> Option<(u64, Vec<u8>, Vec<u8>)> {
    let message = answer.get("message");
    let head = decode_base64(message.get("hdrs").text().unwrap_or_default())?;
    let data = decode_base64(message.get("data").text().unwrap_or_default())?;
    Some((message.get("seq").whole()?, head, data))
}

/// The last field of a name: a message may have been stored with one of the same name, copied from elsewhere.
fn field<'a>(head: &'a [u8], name: &str) -> Option<&'a [u8]> {
    wire::fields(head).filter(|(key, _)| *key == name.as_bytes()).last().map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: &str = "NATS/1.0\r\nk: v\r\nNats-Sequence: 1\r\nNats-Stream: o\r\nNats-Subject: stations.o.1\r\nNats-Sequence: 3\r\nNats-Time-Stamp: 2026-11-21T06:46:20.3614Z\r\nNats-Num-Pending: 2\r\nNats-Last-Sequence: 1\r\n\r\n";

    #[test]
    fn a_page_is_read_as_it_was_gathered() {
        let mut page = Vec::new();
        assert!(gather(&mut page, HEAD.as_bytes(), b"m3"));
        assert!(gather(&mut page, HEAD.replace("Sequence: 3", "Sequence: 4").as_bytes(), b""));
        assert!(!gather(&mut page, b"NATS/1.0 204 EOB\r\nNats-Num-Pending: 1\r\n\r\n", b""));
        let read = messages(2, &page);
        let seen: Vec<_> =
            read.iter().map(|(stored, _)| (stored.partition, stored.sequence, stored.data.as_slice())).collect();
        assert_eq!(seen, [(2, 3, &b"m3"[..]), (2, 4, b"")]);
        assert_eq!(read[0].0.stamp, Wall(1_795_243_580_361_400_000));
        assert_eq!(read[0].1, b"stations.o.1");
    }

    #[test]
    fn a_server_that_does_not_know_pages_answers_once() {
        let mut page = Vec::new();
        assert!(!gather(&mut page, HEAD.replace("Nats-Num-Pending: 2\r\n", "").as_bytes(), b"m3"));
        assert_eq!(messages(1, &page).len(), 1);
    }

    #[test]
    fn the_leaders_answer_is_json() {
        let answer = r#"{"message":{"subject":"s","seq":3,"hdrs":"TkFUUy8xLjANCms6IHYNCg0K","data":"bTM=","time":"2026-11-21T17:11:31.117278094Z"}}"#;
        let (stored, subject) = leader(1, &serde_json::from_str(answer).unwrap()).unwrap();
        assert_eq!((stored.head.as_slice(), stored.data.as_slice()), (&b"NATS/1.0\r\nk: v\r\n\r\n"[..], &b"m3"[..]));
        assert_eq!((stored.sequence, subject), (3, b"s".to_vec()));
        let empty =
            leader(1, &serde_json::from_str(r#"{"message":{"subject":"s","seq":3,"time":"x"}}"#).unwrap()).unwrap();
        assert!(empty.0.data.is_empty());
        assert_eq!(
            leader(1, &serde_json::from_str(r#"{"message":{"subject":"s","seq":3,"data":"*"}}"#).unwrap()),
            None
        );
    }

    proptest! {
        #[test]
        fn any_page_is_read_without_a_panic(bytes: Vec<u8>, text in "[A-Za-z0-9+/=]{0,40}") {
            let _ = messages(1, &bytes);
            prop_assert!(decode_base64(&text).is_none_or(|bytes| bytes.len() <= text.len()));
        }
    }
}
