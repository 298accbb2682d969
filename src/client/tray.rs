//! Live messages that are laid down in a row, to be taken in one crossing: a call into the wasm costs more than the copy
//! of a small payload, and a loop that publishes makes thousands of them in one task.
//!
//! Whoever publishes writes into the tray's bytes while the tray is open, behind what lies there already. It is opened
//! only where every message that it has room for could be taken at once, and only until something else happens: all that
//! enters the connection first [takes](super::live::Live::collect) what was laid down, so the order of calls stays.
//!
//! ```text
//! 0   where the last message ends            16  the first message: number of its channel, length, payload
//! 4   where messages must end; 0: closed         the next one, and so on
//! 8   1: better to wait for room, as for [`Sent::Full`](super::live::Sent::Full)
//! ```
//!
//! All numbers are 32 bits, little-endian, and stand where they stand: nothing is aligned.

use super::context::Context;
use super::live::Live;
use crate::base::limits;

const HEAD: usize = 16;

/// What stands before a payload.
const EACH: usize = 8;

/// The bytes, which somebody else writes to.
#[derive(Debug, Default)]
pub struct Tray {
    bytes: Vec<u8>,
    open: bool,
}

impl Tray {
    /// Something may have been laid down.
    #[inline(always)]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// The bytes to write to: they are there from now on, and stay where they are.
    pub fn bytes(&mut self) -> &mut [u8] {
        self.bytes.resize(limits::TRAY, 0);
        &mut self.bytes
    }

    fn set(&mut self, numbers: [usize; 3]) {
        for (place, number) in self.bytes.chunks_exact_mut(4).zip(numbers) {
            place.copy_from_slice(&(number as u32).to_le_bytes());
        }
    }

    /// Messages may be laid down; `full`: better to wait after each.
    fn open(&mut self, full: bool) {
        self.open = true;
        self.set([HEAD, self.bytes.len(), full.into()]);
    }

    fn close(&mut self) {
        self.open = false;
        self.set([HEAD, 0, 0]);
    }

    /// What has been laid down.
    fn laid(&self) -> &[u8] {
        let end = self.bytes.first_chunk().map_or(0, |end| u32::from_le_bytes(*end) as usize);
        self.bytes.get(HEAD..end).unwrap_or_default()
    }
}

/// The first of the messages that were laid down, as the number of its channel and its payload; `laid` loses it.
fn first<'a>(laid: &mut &'a [u8]) -> Option<(usize, &'a [u8])> {
    let (head, rest) = laid.split_first_chunk::<EACH>()?;
    let [a, b, c, d, e, f, g, h] = *head;
    let (data, rest) = rest.split_at_checked(u32::from_le_bytes([e, f, g, h]) as usize)?;
    *laid = rest;
    Some((u32::from_le_bytes([a, b, c, d]) as usize, data))
}

impl Live {
    /// Let the next messages be laid down, if each of them could be taken whatever they are. `beside` is what producers
    /// have waiting, in bytes.
    pub(super) fn open_tray(&mut self, ctx: &mut Context<'_>, beside: u64) {
        let room = limits::TRAY as u64;
        // The shortest messages are the most; each counts with its line.
        let each = 64 + self.longest as u64;
        let worst = room + room / EACH as u64 * each;
        let before = self.bytes() + beside + ctx.session.unconfirmed();
        if self.tray.bytes.is_empty() || before + worst > self.most_bytes || ctx.session.live().takes() < room {
            return;
        }
        self.tray.open(self.wants_room);
    }

    /// Take what was laid down. What was meant for a link that has been lost since is lost with it.
    pub(super) fn collect(&mut self, ctx: &mut Context<'_>) {
        let mut tray = std::mem::take(&mut self.tray);
        let (mut count, mut length) = (0, 0);
        if ctx.up {
            let mut laid = tray.laid();
            let mut messages = std::iter::from_fn(|| {
                let (channel, data) = first(&mut laid)?;
                Some((self.channels.get(channel)?, data))
            });
            (count, length) = ctx.session.live().send_all(ctx.now, ctx.out, &mut messages);
        }
        tray.close();
        self.tray = tray;
        if count > 0 {
            self.went(ctx, count, length);
        }
    }
}
