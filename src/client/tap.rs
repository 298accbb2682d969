//! The inspector of a connection: pieces of what goes over the link, kept until the shell fetches them as frames.
//!
//! Costs nothing while nobody looks: there is no [`Tap`] then. Knows no protocol; the broker cuts and masks.

use crate::base::limits;
use crate::base::time::Wall;
use crate::brokers;
use crate::link::tap::{Direction, Frame, Piece};

/// What has been seen and not fetched, or is no whole frame yet.
#[derive(Debug, Default)]
pub struct Tap {
    pieces: Vec<Piece>,
    held: usize,
    /// More came than is kept: what follows has lost its beginning.
    overflowed: bool,
    /// The shell has been told that there is something.
    told: bool,
}

impl Tap {
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
    pub fn bytes(&mut self, direction: Direction, generation: u32, at: Wall, bytes: &[u8]) -> bool {
        self.keep(Piece { direction, generation, at, summary: None, bytes: bytes.to_vec() })
    }

    /// Whether more came than was kept, since the last time. Then the reading begins anew, with what the sessions hold of frames
    /// that have not come whole: the caller keeps that as what came first.
    pub fn begins_anew(&mut self) -> bool {
        std::mem::take(&mut self.overflowed)
    }

    /// Everything seen so far, as frames.
    pub fn frames(&mut self, kind: brokers::Kind) -> Vec<Frame> {
        self.told = false;
        self.held = 0;
        let (mut frames, mut carries) = (Vec::new(), Vec::<Piece>::new());
        for piece in std::mem::take(&mut self.pieces) {
            match piece.summary {
                Some(summary) => frames.push(Frame {
                    direction: piece.direction,
                    at: piece.at,
                    length: piece.bytes.len(),
                    summary,
                    data: piece.bytes,
                }),
                None => {
                    // Two links are up while one moves: what each has begun is its own.
                    let known = carries.iter().position(|carry| carry.generation == piece.generation);
                    let mut carry = known.map(|at| carries.swap_remove(at).bytes).unwrap_or_default();
                    kind.frames(&piece, &mut carry, &mut frames);
                    if !carry.is_empty() {
                        carries.push(Piece { direction: Direction::In, bytes: carry, ..piece });
                    }
                }
            }
        }
        self.pieces = carries;
        frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(frames: &[Frame]) -> Vec<(u64, &str)> {
        frames.iter().map(|frame| (frame.at.0, frame.summary.as_str())).collect()
    }

    #[test]
    fn it_tells_once_until_it_is_fetched() {
        let mut tap = Tap::default();
        assert!(tap.bytes(Direction::In, 1, Wall(0), b"PI"));
        assert!(!tap.bytes(Direction::In, 1, Wall(1), b"NG\r\nPO"));
        assert!(!tap.bytes(Direction::In, 1, Wall(2), b"NG\r\n"));
        assert_eq!(texts(&tap.frames(brokers::Kind::Nats)), [(1, "PING"), (2, "PONG")]);
        assert!(tap.bytes(Direction::Out, 1, Wall(3), b"PONG\r\n"));
    }

    #[test]
    fn it_is_bounded_and_finds_its_place_again() {
        let mut tap = Tap::default();
        let big = vec![b'x'; limits::TAP_BYTES];
        tap.bytes(Direction::In, 1, Wall(1), b"MSG a 1 99999999\r\n");
        tap.bytes(Direction::In, 1, Wall(1), &big);
        tap.bytes(Direction::In, 1, Wall(1), &big);
        assert!(tap.held < limits::TAP_BYTES);
        assert!(tap.begins_anew() && !tap.begins_anew());
        tap.bytes(Direction::In, 1, Wall(1), b"PIN");
        tap.bytes(Direction::In, 2, Wall(1), b"PO");
        tap.bytes(Direction::In, 1, Wall(2), b"G\r\n");
        tap.bytes(Direction::In, 2, Wall(3), b"NG\r\n");
        assert_eq!(texts(&tap.frames(brokers::Kind::Nats)), [(2, "PING"), (3, "PONG")]);
    }

    #[test]
    fn two_links_side_by_side_are_cut_each_for_itself() {
        let mut tap = Tap::default();
        tap.bytes(Direction::In, 1, Wall(1), b"MSG a 1 2\r\nh");
        tap.bytes(Direction::In, 2, Wall(2), b"INFO {");
        tap.bytes(Direction::Out, 1, Wall(3), b"PING\r\n");
        tap.bytes(Direction::In, 1, Wall(4), b"i\r\nPO");
        tap.bytes(Direction::In, 2, Wall(5), b"}\r\n");
        tap.bytes(Direction::Out, 2, Wall(6), b"CONNECT {\"pass\":\"x\"}\r\n");
        let expected = [(3, "PING"), (4, "MSG a 1 2"), (5, "INFO {}"), (6, "CONNECT {\"pass\":\"***\"}")];
        assert_eq!(texts(&tap.frames(brokers::Kind::Nats)), expected);
        // One is over; the other goes on where it was.
        tap.bytes(Direction::In, 2, Wall(7), b"PI");
        tap.bytes(Direction::In, 1, Wall(8), b"");
        tap.bytes(Direction::In, 2, Wall(9), b"NG\r\n");
        assert_eq!(texts(&tap.frames(brokers::Kind::Nats)), [(9, "PING")]);
        assert!(tap.pieces.is_empty());
    }
}
