//! The NATS client protocol as bytes: frames out of a stream that is cut anywhere, and commands into a buffer.
//!
//! ```text
//! PUB <subject> [reply] <bytes>           HPUB <subject> [reply] <header bytes> <total bytes>
//! SUB <subject> [queue] <sid>             UNSUB <sid> [after n messages]
//! MSG <subject> <sid> [reply] <bytes>     HMSG <subject> <sid> [reply] <header bytes> <total bytes>
//! PING  PONG  +OK  -ERR '<text>'  INFO {json}  CONNECT {json}
//! ```
//!
//! Source: jetstream.md section 1.6. Knows nothing of JetStream, sessions or time. Every read is checked; bytes of a
//! message are never copied unless the chunk ends inside it.

use crate::base::bytes::{parse_decimal, push_decimal};
use crate::base::error::Fault;
use crate::base::limits::{FRAME_MAX, LINE_MAX};
use memchr::memchr;
use std::ops::Range;

/// One frame from the server; ranges count from the frame's own beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// `MSG` and `HMSG`.
    Msg(Msg),
    /// `INFO`: the JSON.
    Info(Range<usize>),
    /// `-ERR`: the text without its quotes.
    Err(Range<usize>),
    /// `PING`
    Ping,
    /// `PONG`
    Pong,
    /// `+OK`
    Ok,
}

/// A delivered message.
///
/// Invariant: `subject`, `reply`, `head` and `data` lie inside the frame, in this order; `head` is empty for `MSG`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Msg {
    /// What it was published to.
    pub subject: Range<usize>,
    /// Which subscription it is for.
    pub sid: u32,
    /// Where an answer goes; empty if nowhere.
    pub reply: Range<usize>,
    /// The header block with its final empty line.
    pub head: Range<usize>,
    /// The payload.
    pub data: Range<usize>,
}

/// What [`parse`] made of the beginning of some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A frame of this length.
    Whole(Frame, usize),
    /// The first line has not ended.
    OpenLine,
    /// The frame has this length, and not all of it is here.
    Needs(usize),
}

/// Read the frame at the beginning of `bytes`.
pub fn parse(bytes: &[u8]) -> Result<Parsed, Fault> {
    let Some(end) = memchr(b'\n', bytes) else {
        // Garbage shows in its first byte; waiting for a line end would hide it.
        return match bytes.first() {
            Some(first) if !matches!(first, b'I' | b'i' | b'M' | b'm' | b'H' | b'h' | b'P' | b'p' | b'+' | b'-') => {
                Err(fault(0, "a command of the NATS protocol"))
            }
            _ if bytes.len() > LINE_MAX => Err(fault(LINE_MAX, "the end of a line")),
            _ => Ok(Parsed::OpenLine),
        };
    };
    if end > LINE_MAX {
        return Err(fault(LINE_MAX, "the end of a line"));
    }
    let after = end.saturating_add(1);
    let line_end = match end.checked_sub(1).and_then(|at| bytes.get(at)) {
        Some(b'\r') => end.saturating_sub(1),
        _ => end,
    };
    let line = bytes.get(..line_end).unwrap_or_default();
    let word_end = line.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    let (word, rest) = line.split_at(word_end);
    if word.eq_ignore_ascii_case(b"MSG") {
        return message(bytes, line, word_end, after, false);
    }
    if word.eq_ignore_ascii_case(b"HMSG") {
        return message(bytes, line, word_end, after, true);
    }
    let frame = if word.eq_ignore_ascii_case(b"PING") && rest.trim_ascii().is_empty() {
        Frame::Ping
    } else if word.eq_ignore_ascii_case(b"PONG") && rest.trim_ascii().is_empty() {
        Frame::Pong
    } else if word.eq_ignore_ascii_case(b"INFO") {
        Frame::Info(trimmed(line, word_end))
    } else if word.eq_ignore_ascii_case(b"-ERR") {
        let text = trimmed(line, word_end);
        let quoted = line
            .get(text.clone())
            .is_some_and(|text| text.len() >= 2 && text.starts_with(b"'") && text.ends_with(b"'"));
        Frame::Err(if quoted { text.start.saturating_add(1)..text.end.saturating_sub(1) } else { text })
    } else if word.eq_ignore_ascii_case(b"+OK") {
        Frame::Ok
    } else {
        return Err(fault(0, "a command of the NATS protocol"));
    };
    Ok(Parsed::Whole(frame, after))
}

/// The range of what follows the first word, without blanks around it.
fn trimmed(line: &[u8], from: usize) -> Range<usize> {
    let rest = line.get(from..).unwrap_or_default();
    let start = from.saturating_add(rest.len().saturating_sub(rest.trim_ascii_start().len()));
    start..start.saturating_add(rest.trim_ascii().len())
}

fn message(bytes: &[u8], line: &[u8], from: usize, after: usize, with_head: bool) -> Result<Parsed, Fault> {
    let mut tokens: [Range<usize>; 5] = Default::default();
    let mut count = 0usize;
    let mut start = from;
    let mut close = |start: usize, at: usize| {
        if at > start {
            match tokens.get_mut(count) {
                Some(token) => *token = start..at,
                None => return Err(fault(start, "the end of the line")),
            }
            count = count.saturating_add(1);
        }
        Ok(())
    };
    for (at, byte) in line.iter().enumerate().skip(from) {
        if matches!(byte, b' ' | b'\t') {
            close(start, at)?;
            start = at.saturating_add(1);
        }
    }
    close(start, line.len())?;
    let [subject, sid, third, fourth, fifth] = tokens;
    let (reply, head_len, total) = match (with_head, count) {
        (false, 3) => (0..0, None, third),
        (false, 4) => (third, None, fourth),
        (true, 4) => (0..0, Some(third), fourth),
        (true, 5) => (third, Some(fourth), fifth),
        _ => return Err(fault(line.len(), "subject, subscription and length")),
    };
    let number = |range: &Range<usize>, most: usize, expected: &'static str| {
        line.get(range.clone())
            .and_then(parse_decimal)
            .and_then(|value| usize::try_from(value).ok())
            .filter(|value| *value <= most)
            .ok_or(fault(range.start, expected))
    };
    let sid = number(&sid, u32::MAX as usize, "the number of a subscription")?;
    let total = number(&total, FRAME_MAX, "a length of at most 64 MiB")?;
    let head_len = match head_len {
        Some(range) => number(&range, total, "a header length that is not above the total")?,
        None => 0,
    };
    let data_start = after.saturating_add(head_len);
    let end = after.saturating_add(total);
    let whole = end.saturating_add(2);
    if bytes.len() < whole {
        return Ok(Parsed::Needs(whole));
    }
    if bytes.get(end..whole) != Some(b"\r\n") {
        return Err(fault(end, "the line end after a payload"));
    }
    let msg = Msg {
        subject,
        sid: u32::try_from(sid).unwrap_or(u32::MAX),
        reply,
        head: after..data_start,
        data: data_start..end,
    };
    Ok(Parsed::Whole(Frame::Msg(msg), whole))
}

fn fault(at: usize, expected: &'static str) -> Fault {
    Fault { at, expected }
}

/// Bytes reserved at most on the server's word alone; more is added as it comes.
const RESERVE: usize = 256 * 1024;

/// Where a frame's bytes lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// In the chunk, from this offset on.
    Chunk(usize),
    /// In [`Deframer::assembled`], from its beginning on: the chunk had ended inside it.
    Assembled,
}

/// Frames out of chunks. At most one frame a chunk is assembled; all others stay where the socket put them.
#[derive(Debug, Default)]
pub struct Deframer {
    /// The beginning of a frame whose end has not come. Never holds a whole frame between two calls.
    carry: Vec<u8>,
    /// Length of that frame; 0 while its first line is open.
    need: usize,
    /// The last frame that had to be put together.
    assembled: Vec<u8>,
}

impl Deframer {
    /// The next frame that ends in `chunk`, which is read from `*at` on; `None` when it is used up.
    pub fn next(&mut self, chunk: &[u8], at: &mut usize) -> Result<Option<(Home, Frame, usize)>, Fault> {
        if self.carry.is_empty() {
            let rest = chunk.get(*at..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(None);
            }
            return match parse(rest)? {
                Parsed::Whole(frame, len) => {
                    let start = *at;
                    *at = start.saturating_add(len);
                    Ok(Some((Home::Chunk(start), frame, len)))
                }
                open => {
                    self.need = if let Parsed::Needs(need) = open { need } else { 0 };
                    self.carry.reserve(self.need.min(RESERVE).max(rest.len()));
                    self.carry.extend_from_slice(rest);
                    *at = chunk.len();
                    Ok(None)
                }
            };
        }
        loop {
            let rest = chunk.get(*at..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(None);
            }
            let take = match self.need {
                // Up to the line's end: what was carried is never searched again.
                0 => memchr(b'\n', rest).map_or(rest.len(), |end| end.saturating_add(1)),
                need => need.saturating_sub(self.carry.len()).min(rest.len()),
            };
            self.carry.extend_from_slice(rest.get(..take).unwrap_or_default());
            *at = at.saturating_add(take);
            if self.need == 0 && self.carry.last() != Some(&b'\n') {
                if self.carry.len() > LINE_MAX {
                    return Err(fault(LINE_MAX, "the end of a line"));
                }
                continue;
            }
            if self.carry.len() < self.need {
                continue;
            }
            match parse(&self.carry)? {
                Parsed::Whole(frame, len) => {
                    std::mem::swap(&mut self.carry, &mut self.assembled);
                    self.carry.clear();
                    self.need = 0;
                    return Ok(Some((Home::Assembled, frame, len)));
                }
                Parsed::Needs(need) => {
                    self.need = need;
                    self.carry.reserve(need.saturating_sub(self.carry.len()).min(RESERVE));
                }
                Parsed::OpenLine => {}
            }
        }
    }

    /// The bytes of the last frame with [`Home::Assembled`].
    pub fn assembled(&self) -> &[u8] {
        &self.assembled
    }

    /// The beginning of a frame whose end has not come.
    pub fn held(&self) -> &[u8] {
        &self.carry
    }

    /// Begin anew, on a new socket. Large buffers are given back.
    pub fn reset(&mut self) {
        *self = Deframer::default();
    }
}

/// The number of a status message: `NATS/1.0 503 text`; 0 for ordinary headers.
pub fn status(head: &[u8]) -> u32 {
    let digits = head.strip_prefix(b"NATS/1.0 ").and_then(|rest| rest.get(..3));
    digits.and_then(parse_decimal).and_then(|value| u32::try_from(value).ok()).unwrap_or(0)
}

/// The text of a status message.
pub fn status_text(head: &[u8]) -> &[u8] {
    let line = head.get(..memchr(b'\r', head).unwrap_or(head.len())).unwrap_or_default();
    line.get(12..).unwrap_or_default().trim_ascii()
}

/// The header fields, in order, as they stand.
pub fn fields(head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    head.split(|byte| *byte == b'\n').skip(1).filter_map(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let colon = memchr(b':', line)?;
        let value = line.get(colon.saturating_add(1)..)?;
        Some((line.get(..colon)?, value.strip_prefix(b" ").unwrap_or(value)))
    })
}

/// The value of a field, by its exact name.
pub fn field<'a>(head: &'a [u8], name: &str) -> Option<&'a [u8]> {
    fields(head).find(|(field, _)| *field == name.as_bytes()).map(|(_, value)| value)
}

/// Write `SUB`.
pub fn push_sub(out: &mut Vec<u8>, subject: &[&[u8]], sid: u32) {
    out.extend_from_slice(b"SUB ");
    subject.iter().for_each(|part| out.extend_from_slice(part));
    out.push(b' ');
    push_decimal(out, u64::from(sid));
    out.extend_from_slice(b"\r\n");
}

/// Write `UNSUB`.
pub fn push_unsub(out: &mut Vec<u8>, sid: u32) {
    out.extend_from_slice(b"UNSUB ");
    push_decimal(out, u64::from(sid));
    out.extend_from_slice(b"\r\n");
}

/// Write `PUB`, or `HPUB` where `message` begins with a header block of `head` bytes. Subject and reply come in parts
/// that are joined; without reply, no answer is asked for.
pub fn push_pub(out: &mut Vec<u8>, subject: &[&[u8]], reply: &[&[u8]], message: &[u8], head: usize) {
    out.extend_from_slice(if head > 0 { b"HPUB ".as_slice() } else { b"PUB ".as_slice() });
    subject.iter().for_each(|part| out.extend_from_slice(part));
    out.push(b' ');
    if !reply.is_empty() {
        reply.iter().for_each(|part| out.extend_from_slice(part));
        out.push(b' ');
    }
    if head > 0 {
        push_decimal(out, head as u64);
        out.push(b' ');
    }
    push_decimal(out, message.len() as u64);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(message);
    out.extend_from_slice(b"\r\n");
}

/// Write what stands before the payload of a `PUB` without reply.
pub fn push_pub_line(out: &mut Vec<u8>, subject: &[u8], length: usize) {
    out.extend_from_slice(b"PUB ");
    out.extend_from_slice(subject);
    out.push(b' ');
    push_decimal(out, length as u64);
    out.extend_from_slice(b"\r\n");
}

/// The body of the fuzz target: any cut of any bytes gives the same frames, and no frame reaches beyond them.
pub fn fuzz(bytes: &[u8]) {
    let Some((seed, bytes)) = bytes.split_first() else { return };
    let step = usize::from(*seed).saturating_add(1);
    let whole = dump(&[bytes]);
    let cut = dump(&bytes.chunks(step).collect::<Vec<_>>());
    assert_eq!(whole, cut, "the same bytes, cut into pieces of {step}");
}

/// Every frame of some chunks, its bytes copied out; ends with `None` where a fault was found.
pub fn dump(chunks: &[&[u8]]) -> Vec<Option<(Frame, Vec<u8>)>> {
    let mut frames = Vec::new();
    let mut deframer = Deframer::default();
    for chunk in chunks {
        let mut at = 0;
        loop {
            match deframer.next(chunk, &mut at) {
                Ok(Some((home, frame, len))) => {
                    let bytes = match home {
                        Home::Chunk(start) => chunk.get(start..start.saturating_add(len)),
                        Home::Assembled => deframer.assembled().get(..len),
                    };
                    frames.push(bytes.map(|bytes| (frame, bytes.to_vec())));
                }
                Ok(None) => break,
                Err(_) => {
                    frames.push(None);
                    return frames;
                }
            }
        }
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STREAM: &[u8] = b"INFO {\"a\":1} \r\nPING\r\nPONG\r\n+OK\r\n-ERR 'Stale Connection'\r\nMSG a.b 7 5\r\nhello\r\nMSG a 1 r.1 0\r\n\r\nHMSG s 2 $JS.ACK.x 12 15\r\nNATS/1.0\r\n\r\nabc\r\n";

    #[test]
    fn reads_every_frame() {
        let frames: Vec<_> = dump(&[STREAM]).into_iter().map(Option::unwrap).collect();
        assert_eq!(frames.len(), 8);
        assert_eq!(frames[0].0, Frame::Info(5..12));
        let (Frame::Err(text), bytes) = &frames[4] else { panic!() };
        assert_eq!(&bytes[text.clone()], b"Stale Connection");
        let (Frame::Msg(msg), bytes) = &frames[7] else { panic!() };
        assert_eq!(
            (&bytes[msg.subject.clone()], msg.sid, &bytes[msg.reply.clone()]),
            (&b"s"[..], 2, &b"$JS.ACK.x"[..])
        );
        assert_eq!((&bytes[msg.head.clone()], &bytes[msg.data.clone()]), (&b"NATS/1.0\r\n\r\n"[..], &b"abc"[..]));
    }

    #[test]
    fn every_pair_of_cuts_gives_the_same() {
        let whole = dump(&[STREAM]);
        for first in 0..STREAM.len() {
            for second in first..STREAM.len() {
                let cut = dump(&[&STREAM[..first], &STREAM[first..second], &STREAM[second..]]);
                assert_eq!(cut, whole, "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn garbage_is_a_fault_at_once() {
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"\x16\x03\x01",
            b"MSG a 1 2147483648\r\n",
            b"MSG a 1 -1\r\n",
            b"MSG a 1\r\n",
            b"MSG a 1 2 3 4 5\r\n",
            b"MSG a 99999999999 1\r\n",
            b"HMSG a 1 9 3\r\nabc\r\n",
            b"MSG a 1 1\r\nabc\r\n",
            b"\r\n",
        ] {
            assert_eq!(dump(&[bytes]).last(), Some(&None), "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn reads_status_and_fields() {
        let head = b"NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 4\r\nk:  v \r\nK: w\r\n\r\n";
        assert_eq!((status(head), status_text(head)), (408, &b"Request Timeout"[..]));
        assert_eq!(field(head, "Nats-Pending-Messages"), Some(&b"4"[..]));
        assert_eq!(field(head, "k"), Some(&b" v "[..]));
        assert_eq!(fields(head).count(), 3);
        assert_eq!(status(b"NATS/1.0\r\n\r\n"), 0);
        assert_eq!(status_text(b"NATS/1.0 503\r\n\r\n"), b"");
    }

    #[test]
    fn writes_commands() {
        let mut out = Vec::new();
        push_sub(&mut out, &[b"_I.a", b".*"], 1);
        push_pub(&mut out, &[b"s.", b"1"], &[b"r.", b"z"], b"body", 0);
        push_pub(&mut out, &[b"s"], &[], b"NATS/1.0\r\n\r\nx", 12);
        push_unsub(&mut out, 12);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "SUB _I.a.* 1\r\nPUB s.1 r.z 4\r\nbody\r\nHPUB s 12 13\r\nNATS/1.0\r\n\r\nx\r\nUNSUB 12\r\n"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_any_cut(bytes: Vec<u8>) {
            fuzz(&bytes);
        }

        #[test]
        fn messages_any_cut(bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..8), step in 1usize..40) {
            let mut stream = Vec::new();
            for body in &bodies {
                stream.extend_from_slice(format!("MSG x.y 3 r {}\r\n", body.len()).as_bytes());
                stream.extend_from_slice(body);
                stream.extend_from_slice(b"\r\n");
            }
            let frames = dump(&stream.chunks(step).collect::<Vec<_>>());
            prop_assert_eq!(frames.len(), bodies.len());
            for (frame, body) in frames.iter().zip(&bodies) {
                let Some((Frame::Msg(msg), bytes)) = frame else { panic!("not a message") };
                prop_assert_eq!(&bytes[msg.data.clone()], &body[..]);
            }
        }
    }
}
