//! Frames for inspectors: where one ends, what it says on one line, and nothing of a secret.
//!
//! Knows no session. Reads both directions, and only as far as it takes to cut them; what is malformed is shown as it is.

use crate::base::bytes::{lossy, parse_decimal};
use crate::link::tap::{Direction, Frame, Piece};
use memchr::memchr;

/// Longest summary, in characters.
const SUMMARY: usize = 240;

/// Fields of `CONNECT` that are shown as three asterisks.
const SECRETS: [&[u8]; 5] = [b"pass", b"auth_token", b"jwt", b"sig", b"nkey"];

/// Cut a piece into frames. `carry` is what came before it and was no whole frame.
#[inline(never)]
pub fn frames(piece: &Piece, carry: &mut Vec<u8>, into: &mut Vec<Frame>) {
    let incoming = piece.direction == Direction::In;
    if incoming && piece.bytes.is_empty() {
        return carry.clear();
    }
    let joined;
    // What is sent is always whole; only what comes is cut anywhere.
    let bytes: &[u8] = if incoming && !carry.is_empty() {
        carry.extend_from_slice(&piece.bytes);
        joined = std::mem::take(carry);
        &joined
    } else {
        &piece.bytes
    };
    let mut at = 0usize;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(length) = whole(rest) else {
            if incoming {
                *carry = rest.to_vec();
            } else {
                into.push(frame(piece, rest));
            }
            return;
        };
        into.push(frame(piece, rest.get(..length).unwrap_or_default()));
        at = at.saturating_add(length);
    }
}

/// The length of the frame at the beginning, if it is all there.
fn whole(bytes: &[u8]) -> Option<usize> {
    let end = memchr(b'\n', bytes)?.saturating_add(1);
    let line = bytes.get(..end).unwrap_or_default().trim_ascii();
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    let payload = words.next().is_some_and(|verb| {
        [&b"MSG"[..], b"HMSG", b"PUB", b"HPUB"].iter().any(|known| verb.eq_ignore_ascii_case(known))
    });
    let size =
        words.next_back().filter(|_| payload).and_then(parse_decimal).and_then(|size| usize::try_from(size).ok());
    let length = match size {
        Some(size) => end.checked_add(size)?.checked_add(2)?,
        None => end,
    };
    (bytes.len() >= length).then_some(length)
}

fn frame(piece: &Piece, bytes: &[u8]) -> Frame {
    let data = if piece.direction == Direction::Out && bytes.starts_with(b"CONNECT ") {
        masked(bytes)
    } else {
        bytes.to_vec()
    };
    let line = data.get(..memchr(b'\r', &data).unwrap_or(data.len())).unwrap_or_default();
    let mut summary: String = lossy(line).chars().take(SUMMARY).collect();
    // The status of an answer stands in its headers: it is what one wants to see.
    let head = data.get(line.len().saturating_add(2)..).unwrap_or_default();
    if line.starts_with(b"HMSG") && super::wire::status(head) != 0 {
        let status = head.get(..memchr(b'\r', head).unwrap_or(head.len())).unwrap_or_default();
        summary.push_str(": ");
        summary.extend(lossy(status.get(9..).unwrap_or_default()).chars().take(SUMMARY));
    }
    Frame { direction: piece.direction, at: piece.at, length: bytes.len(), summary, data }
}

/// A `CONNECT` line whose secrets are asterisks: the values of some members, which are texts without nesting around them.
fn masked(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let mut at = 0usize;
    let mut key: Option<&[u8]> = None;
    while let Some(byte) = line.get(at) {
        if *byte != b'"' {
            // A text followed by a colon was a key, and the next text is its value; anything else ends that.
            if *byte != b':' && !byte.is_ascii_whitespace() {
                key = None;
            }
            out.push(*byte);
            at = at.saturating_add(1);
            continue;
        }
        let text = line.get(at.saturating_add(1)..).unwrap_or_default();
        let length = text_length(text);
        let inside = text.get(..length).unwrap_or_default();
        out.push(b'"');
        match key.take() {
            Some(name) if SECRETS.contains(&name) => out.extend_from_slice(b"***"),
            Some(_) => out.extend_from_slice(inside),
            None => {
                out.extend_from_slice(inside);
                key = Some(inside);
            }
        }
        if length < text.len() {
            out.push(b'"');
        }
        at = at.saturating_add(length).saturating_add(2);
    }
    out
}

/// How long a JSON text is, up to the quote that ends it.
fn text_length(text: &[u8]) -> usize {
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'"' if !escaped => return at,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Wall;
    use crate::brokers::nats::info::push_connect;
    use crate::brokers::nats::nkey::Proof;
    use crate::link::session::Login;
    use proptest::prelude::*;

    fn piece(direction: Direction, bytes: &[u8]) -> Piece {
        Piece { direction, generation: 1, at: Wall(7), summary: None, bytes: bytes.to_vec() }
    }

    fn summaries(direction: Direction, pieces: &[&[u8]]) -> Vec<String> {
        let (mut carry, mut all) = (Vec::new(), Vec::new());
        for bytes in pieces {
            frames(&piece(direction, bytes), &mut carry, &mut all);
        }
        all.into_iter().map(|frame| frame.summary).collect()
    }

    const INCOMING: &[u8] = b"INFO {\"nonce\":\"x\"} \r\nPONG\r\nMSG a.b 1 c 4\r\nab\r\n\r\n-ERR 'no'\r\nHMSG i.1 1 30 30\r\nNATS/1.0 404 No Messages\r\n\r\n\r\n\r\n+OK\r\n";

    #[test]
    fn what_comes_is_cut_into_frames() {
        let expected = [
            "INFO {\"nonce\":\"x\"} ",
            "PONG",
            "MSG a.b 1 c 4",
            "-ERR 'no'",
            "HMSG i.1 1 30 30: 404 No Messages",
            "+OK",
        ];
        assert_eq!(summaries(Direction::In, &[INCOMING]), expected);
    }

    #[test]
    fn what_goes_is_cut_into_frames() {
        let bytes = b"SUB i.* 1\r\nPING\r\nPUB a i.1 3\r\nx\r\n\r\nHPUB b 12 14\r\nNATS/1.0\r\n\r\nhi\r\nUNSUB 4\r\n";
        assert_eq!(
            summaries(Direction::Out, &[bytes]),
            ["SUB i.* 1", "PING", "PUB a i.1 3", "HPUB b 12 14", "UNSUB 4"]
        );
    }

    #[test]
    fn another_link_begins_anew() {
        assert_eq!(summaries(Direction::In, &[b"MSG a 1 900\r\nabc", b"", b"PING\r\n"]), ["PING"]);
    }

    #[test]
    fn no_secret_is_shown() {
        let secret = |n: u8| Some(format!("s\"3\\cr{n}et"));
        let login = Login {
            username: Some("anna".into()),
            password: secret(1),
            token: secret(2),
            jwt: secret(3),
            name: Some("pass".into()),
            ..Login::default()
        };
        let mut line = Vec::new();
        push_connect(&mut line, &login, &Proof { key: secret(4), signature: secret(5) });
        let mut all = Vec::new();
        frames(&piece(Direction::Out, &line), &mut Vec::new(), &mut all);
        let [frame] = all.as_slice() else { panic!("{all:?}") };
        let shown = format!("{} {}", frame.summary, String::from_utf8_lossy(&frame.data));
        assert!(!shown.contains("cr"), "{shown}");
        assert_eq!(frame.length, line.len());
        let text = String::from_utf8(frame.data.clone()).unwrap();
        let json: crate::base::value::Value =
            serde_json::from_str(text.strip_prefix("CONNECT ").unwrap().trim_end()).unwrap();
        for name in ["pass", "auth_token", "jwt", "nkey", "sig"] {
            assert_eq!(json.get(name).text(), Some("***"), "{name}");
        }
        assert_eq!((json.get("user").text(), json.get("name").text()), (Some("anna"), Some("pass")));
        assert!(json.get("no_responders").truth());
    }

    proptest! {
        #[test]
        fn any_cutting_gives_the_same_frames(cuts in prop::collection::vec(0..INCOMING.len(), 0..6)) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            cuts.push(INCOMING.len());
            let mut from = 0;
            // An empty piece would mean another link.
            let pieces: Vec<&[u8]> = cuts
                .iter()
                .filter_map(|to| {
                    let piece = &INCOMING[from..*to];
                    from = *to;
                    (!piece.is_empty()).then_some(piece)
                })
                .collect();
            prop_assert_eq!(summaries(Direction::In, &pieces), summaries(Direction::In, &[INCOMING]));
        }

        #[test]
        fn nothing_is_lost_or_made_up(bytes in prop::collection::vec(any::<u8>(), 1..200)) {
            let (mut carry, mut all) = (Vec::new(), Vec::new());
            frames(&piece(Direction::In, &bytes), &mut carry, &mut all);
            let total: usize = all.iter().map(|frame| frame.length).sum();
            prop_assert_eq!(total + carry.len(), bytes.len());
            let _ = masked(&bytes);
        }
    }
}
