//! The inspector of a connection: pieces of what goes over the link, kept until the shell fetches them as frames.
//!
//! Costs nothing while nobody looks: there is no [`Tap`] then. Knows no protocol; the broker cuts and masks.

use crate::base::limits;
use crate::base::time::Wall;
use crate::brokers;
use crate::link::tap::{Direction, Frame, Piece};

/// What has been seen and not fetched.
#[derive(Debug, Default)]
pub struct Tap {
    pieces: Vec<Piece>,
    held: usize,
    /// Bytes from the broker that begin a frame.
    carry: Vec<u8>,
    /// More came than is kept: what follows has lost its beginning.
    overflowed: bool,
    /// The shell has been told that there is something.
    told: bool,
}

impl Tap {
    /// Begin; `carry` is what the session holds of a frame that has not come whole.
    pub fn new(carry: &[u8]) -> Tap {
        Tap { carry: carry.to_vec(), ..Tap::default() }
    }

    /// Keep a piece. True if the shell has to be told.
    pub fn keep(&mut self, piece: Piece) -> bool {
        if !self.overflowed {
            self.held = self.held.saturating_add(piece.bytes.len()).saturating_add(64);
            self.pieces.push(piece);
            if self.held > limits::TAP_BYTES {
                self.pieces.clear();
                self.held = 0;
                self.overflowed = true;
            }
        }
        !std::mem::replace(&mut self.told, true)
    }

    /// Keep bytes that went over the wire.
    pub fn bytes(&mut self, direction: Direction, at: Wall, bytes: &[u8]) -> bool {
        self.keep(Piece { direction, at, summary: None, bytes: bytes.to_vec() })
    }

    /// Everything seen so far, as frames. `held` is what the session holds of a frame that has not come whole: after an
    /// overflow the reading begins anew there.
    pub fn frames(&mut self, kind: brokers::Kind, held: &[u8]) -> Vec<Frame> {
        self.told = false;
        self.held = 0;
        let mut frames = Vec::new();
        for piece in std::mem::take(&mut self.pieces) {
            match piece.summary {
                Some(summary) => frames.push(Frame {
                    direction: piece.direction,
                    at: piece.at,
                    length: piece.bytes.len(),
                    summary,
                    data: piece.bytes,
                }),
                None => kind.frames(&piece, &mut self.carry, &mut frames),
            }
        }
        if std::mem::take(&mut self.overflowed) {
            self.carry = held.to_vec();
        }
        frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_once_until_it_is_fetched() {
        let mut tap = Tap::new(b"PI");
        assert!(tap.bytes(Direction::In, Wall(1), b"NG\r\nPO"));
        assert!(!tap.bytes(Direction::In, Wall(2), b"NG\r\n"));
        let frames = tap.frames(brokers::Kind::Nats, b"");
        let texts: Vec<_> = frames.iter().map(|frame| (frame.at.0, frame.summary.as_str())).collect();
        assert_eq!(texts, [(1, "PING"), (2, "PONG")]);
        assert!(tap.bytes(Direction::Out, Wall(3), b"PONG\r\n"));
    }

    #[test]
    fn it_is_bounded_and_finds_its_place_again() {
        let mut tap = Tap::new(b"");
        let big = vec![b'x'; limits::TAP_BYTES];
        tap.bytes(Direction::In, Wall(1), b"MSG a 1 99999999\r\n");
        tap.bytes(Direction::In, Wall(1), &big);
        tap.bytes(Direction::In, Wall(1), &big);
        assert!(tap.held < limits::TAP_BYTES);
        assert!(tap.frames(brokers::Kind::Nats, b"PIN").is_empty());
        tap.bytes(Direction::In, Wall(2), b"G\r\n");
        assert_eq!(tap.frames(brokers::Kind::Nats, b"").len(), 1);
    }
}
