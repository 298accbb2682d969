//! The NATS wire code against recorded frames, every cut of them, and bytes that no server should send.

use proptest::prelude::*;
use serde_json::Value;
use stationmaster::base::limits::LINE_MAX;
use stationmaster::brokers::nats::wire::{self, Deframer, Frame, Parsed};
use std::fs;
use std::path::PathBuf;

const NAMES: [&str; 9] =
    ["connect", "errors", "lame-duck", "produce", "pull", "acks", "core", "leader-change", "transcript"];

#[test]
fn recorded_frames_mean_what_another_decoder_says() {
    for name in NAMES {
        let mut lines = Vec::new();
        let recording = recording(name);
        for connection in recording.iter().map(|chunk| chunk.connection).collect::<std::collections::BTreeSet<_>>() {
            lines.push(format!("# connection {connection}"));
            let chunks: Vec<&[u8]> = from_server(&recording, connection).collect();
            for frame in wire::dump(&chunks) {
                let (frame, bytes) = frame.unwrap_or_else(|| panic!("{name}: a fault"));
                lines.push(describe(&frame, &bytes));
            }
        }
        let expected = fs::read_to_string(folder().join(format!("{name}.dump"))).unwrap();
        for (at, (line, wanted)) in lines.iter().zip(expected.lines()).enumerate() {
            assert_eq!(line, wanted, "{name}.dump, line {}", at + 1);
        }
        assert_eq!(lines.len(), expected.lines().count(), "{name}.dump");
    }
}

#[test]
fn what_we_write_is_what_was_written() {
    let mut commands = 0;
    for name in NAMES {
        for chunk in recording(name).iter().filter(|chunk| !chunk.from_server) {
            let mut rest = &chunk.bytes[..];
            while let Some((line, after)) = line(rest) {
                let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
                let mut ours = Vec::new();
                let mut used = rest.len() - after.len();
                match words[..] {
                    [b"SUB", subject, sid] => wire::push_sub(&mut ours, &[subject], number(sid)),
                    [b"UNSUB", sid] => wire::push_unsub(&mut ours, number(sid)),
                    [verb @ (b"PUB" | b"HPUB"), subject, ref counts @ ..] => {
                        let total = number(counts[counts.len() - 1]) as usize;
                        let with_head = verb == b"HPUB";
                        let (head, replies) = match with_head {
                            true => (number(counts[counts.len() - 2]) as usize, &counts[..counts.len() - 2]),
                            false => (0, &counts[..counts.len() - 1]),
                        };
                        // Some recordings go wrong on purpose: a payload of another length than was declared.
                        let Some(message) = after.get(..total).filter(|_| after[total..].starts_with(b"\r\n")) else {
                            break;
                        };
                        wire::push_pub(&mut ours, &[subject], replies, message, head);
                        used += total + 2;
                    }
                    _ => {
                        rest = after;
                        continue;
                    }
                }
                let theirs = &rest[..used];
                assert_eq!(ours.escape_ascii().to_string(), theirs.escape_ascii().to_string(), "{name}");
                commands += 1;
                rest = &rest[used..];
            }
        }
    }
    assert!(commands > 150, "only {commands} commands");
}

#[test]
fn every_pair_of_cuts_of_a_recording_gives_the_same_frames() {
    let recording = recording("connect");
    // Two INFO lines with nothing but text inside make up most of it: begin behind the first.
    let bytes: Vec<u8> = from_server(&recording, 1).skip(1).flatten().copied().collect();
    let bytes = &bytes[bytes.len() - 260..];
    let start = bytes.windows(2).position(|pair| pair == b"\r\n").unwrap() + 2;
    let bytes = &bytes[start..];
    let whole = wire::dump(&[bytes]);
    assert!(whole.len() >= 3 && whole.iter().all(Option::is_some), "{whole:?}");
    for first in 0..=bytes.len() {
        for second in first..=bytes.len() {
            let cut = [&bytes[..first], &bytes[first..second], &bytes[second..]];
            assert_eq!(wire::dump(&cut), whole, "cut at {first} and {second}");
        }
    }
}

#[test]
fn every_single_cut_and_every_byte_alone_of_all_recordings() {
    for name in NAMES {
        let recording = recording(name);
        let bytes: Vec<u8> = from_server(&recording, recording[0].connection).flatten().copied().collect();
        let whole = wire::dump(&[&bytes]);
        assert_eq!(wire::dump(&bytes.chunks(1).collect::<Vec<_>>()), whole, "{name}: byte by byte");
        for cut in 0..bytes.len().min(4000) {
            assert_eq!(wire::dump(&[&bytes[..cut], &bytes[cut..]]), whole, "{name}: cut at {cut}");
        }
    }
}

#[test]
fn whole_but_for_the_line_end() {
    for cut in [1, 2] {
        let bytes = b"MSG a.b 3 r 5\r\nhello\r\nPING\r\n";
        let at = "MSG a.b 3 r 5\r\nhello".len() + cut - 1;
        let mut deframer = Deframer::default();
        let mut place = 0;
        assert_eq!(deframer.next(&bytes[..at], &mut place), Ok(None), "not before its line end");
        assert_eq!(place, at, "the chunk is used up");
        let mut place = 0;
        let (home, frame, len) = deframer.next(&bytes[at..], &mut place).unwrap().unwrap();
        assert_eq!((home, len), (wire::Home::Assembled, 22));
        let Frame::Msg(msg) = frame else { panic!("{frame:?}") };
        assert_eq!(&deframer.assembled()[msg.data], b"hello");
        let next = deframer.next(&bytes[at..], &mut place).unwrap().unwrap();
        assert_eq!(next.1, Frame::Ping);
    }
}

#[test]
fn half_a_line_is_no_frame_and_no_fault() {
    for text in
        ["I", "INFO {\"a\":", "MS", "MSG a 1", "MSG a 1 3\r", "HMSG a 1 r 12 15\r\nNATS/1.0\r\n", "PIN", "-ERR 'x"]
    {
        let mut deframer = Deframer::default();
        assert_eq!(deframer.next(text.as_bytes(), &mut 0), Ok(None), "{text}");
    }
    assert_eq!(wire::parse(b"MSG a 1 3\r\n"), Ok(Parsed::Needs(16)));
}

#[test]
fn a_line_without_end_is_a_fault_before_it_fills_the_memory() {
    let mut deframer = Deframer::default();
    let piece = [b'I'; 4096];
    let mut taken = 0;
    while deframer.next(&piece, &mut 0).is_ok() {
        taken += piece.len();
        assert!(taken <= LINE_MAX + piece.len(), "{taken} bytes of one line");
    }
    assert!(taken >= LINE_MAX - piece.len());
}

#[test]
fn impossible_lengths_are_faults() {
    for length in ["2147483648", "67108865", "18446744073709551616", "-1", "1e3", "0x10", "", " "] {
        let line = format!("MSG a 1 {length}\r\n");
        let fault = wire::parse(line.as_bytes()).unwrap_err();
        assert!(!fault.expected.is_empty() && fault.at <= line.len(), "{line}");
    }
    assert!(wire::parse(b"HMSG a 1 20 10\r\n").is_err(), "more header than message");
    assert!(wire::parse(b"HMSG a 1 2147483648 2147483648\r\n").is_err());
}

#[test]
fn other_protocols_are_faults_at_once() {
    for bytes in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"\x00\x00\x00\x10",
        b"\x16\x03\x01\x02\x00",
        b"<html>",
        b"{\"a\":1}",
        b"AMQP\x00\x01\x00\x00",
        b"MSG a 1 3\r\nabcd\r\n",
        b"NOPE\r\n",
    ] {
        assert_eq!(wire::dump(&[bytes]).pop(), Some(None), "{}", bytes.escape_ascii());
    }
}

#[test]
fn crashes_of_the_past() {
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "bin") {
            let bytes = fs::read(&path).unwrap();
            wire::fuzz(&bytes);
            let whole = wire::dump(&[&bytes]);
            assert_eq!(wire::dump(&bytes.chunks(1).collect::<Vec<_>>()), whole, "{}", path.display());
        }
    }
}

proptest! {
    #[test]
    fn any_cutting_of_a_recording(name in prop::sample::select(&NAMES[..]), sizes in prop::collection::vec(1usize..300, 1..60)) {
        let recording = recording(name);
        let bytes: Vec<u8> = from_server(&recording, recording[0].connection).flatten().copied().collect();
        let mut rest = &bytes[..];
        let mut chunks = Vec::new();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, others) = rest.split_at((*size).min(rest.len()));
            chunks.push(piece);
            rest = others;
        }
        prop_assert_eq!(wire::dump(&chunks), wire::dump(&[&bytes]));
    }

    #[test]
    fn spoiled_recordings_never_panic(name in prop::sample::select(&NAMES[..]), spoil in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), step in 1usize..200) {
        let recording = recording(name);
        let mut bytes: Vec<u8> = from_server(&recording, recording[0].connection).flatten().copied().collect();
        for (at, byte) in spoil {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let whole = wire::dump(&[&bytes]);
        let cut = wire::dump(&bytes.chunks(step).collect::<Vec<_>>());
        prop_assert_eq!(&cut, &whole);
        let inside = whole.iter().flatten().all(|(frame, bytes)| match frame {
            Frame::Msg(msg) => {
                msg.subject.end <= msg.head.start && msg.head.end == msg.data.start && msg.data.end + 2 == bytes.len()
            }
            Frame::Info(range) | Frame::Err(range) => range.end <= bytes.len(),
            _ => true,
        });
        prop_assert!(inside);
    }
}

/// One message of a recording.
struct Chunk {
    connection: u64,
    from_server: bool,
    bytes: Vec<u8>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/nats")
}

fn recording(name: &str) -> Vec<Chunk> {
    let text = fs::read_to_string(folder().join(format!("{name}.jsonl"))).unwrap();
    let chunk = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap();
        let bytes = match value["hex"].as_str() {
            Some(hex) => {
                (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
            }
            None => value["bytes"].as_str().unwrap().as_bytes().to_vec(),
        };
        Chunk { connection: value["conn"].as_u64().unwrap(), from_server: value["dir"] == "s2c", bytes }
    };
    text.lines().map(chunk).collect()
}

fn from_server(recording: &[Chunk], connection: u64) -> impl Iterator<Item = &[u8]> {
    let wanted = move |chunk: &&Chunk| chunk.from_server && chunk.connection == connection;
    recording.iter().filter(wanted).map(|chunk| &chunk.bytes[..])
}

fn describe(frame: &Frame, bytes: &[u8]) -> String {
    let text = |range: &std::ops::Range<usize>| match &bytes[range.clone()] {
        all if all.len() <= 120 => all.escape_ascii().to_string(),
        long => format!("{}...{}", long[..60].escape_ascii(), long.len()),
    };
    match frame {
        Frame::Msg(m) => {
            let (subject, reply, head, data) = (text(&m.subject), text(&m.reply), text(&m.head), text(&m.data));
            format!("MSG {subject} sid={} reply={reply} head={head} data={data}", m.sid)
        }
        Frame::Info(range) => format!("INFO {}", text(range)),
        Frame::Err(range) => format!("ERR {}", text(range)),
        Frame::Ping => "PING".into(),
        Frame::Pong => "PONG".into(),
        Frame::Ok => "OK".into(),
    }
}

fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    Some((&bytes[..end], &bytes[end + 2..]))
}

fn number(text: &[u8]) -> u32 {
    std::str::from_utf8(text).unwrap().parse().unwrap()
}
