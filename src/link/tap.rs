//! What goes over a link, as it is kept for those who look at it.
//!
//! Knows no protocol: bytes are cut into frames later, by the broker's own part, when somebody reads them.

use crate::base::time::Wall;

/// Which way something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the broker.
    In,
    /// To the broker.
    Out,
}

/// A piece of what went over the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which way.
    pub direction: Direction,
    /// By which socket; two are up while a link moves. 0 where there is none.
    pub generation: u32,
    /// When.
    pub at: Wall,
    /// What it is, where the piece is one frame already; `None` for bytes that are cut anywhere.
    pub summary: Option<String>,
    /// The bytes. An empty piece from the broker says that this socket is over.
    pub bytes: Vec<u8>,
}

/// One frame, as an application sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Which way.
    pub direction: Direction,
    /// When; of a frame that came in several chunks, when the last one came.
    pub at: Wall,
    /// Its length on the wire.
    pub length: usize,
    /// What it is, on one line.
    pub summary: String,
    /// Its bytes, with secrets masked.
    pub data: Vec<u8>,
}
