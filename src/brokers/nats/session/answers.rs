//! Answers on the inbox: receipts of publishes, replies to questions, and what the session itself wanted to know.

use super::super::{page, receipt, wire};
use super::NatsSession;
use crate::base::id::parse_base36;
use crate::base::limits;
use crate::base::time::Now;
use crate::link::outbox::Outbox;
use crate::link::session::{Output, Reply, Slot, WaitId};

impl NatsSession {
    /// An answer on `<inbox>.<name>`.
    pub(super) fn answer(&mut self, now: Now, name: &[u8], head: &[u8], body: &[u8], out: &mut Outbox) {
        match name.split_first() {
            Some((b'R', id)) => {
                let Some(wait) = parse_base36(id).and_then(|id| u32::try_from(id).ok()).map(WaitId) else { return };
                let mut body = body.to_vec();
                if let Some(at) = self.gathered.iter().position(|(other, ..)| *other == wait) {
                    if self.gathered.get_mut(at).is_some_and(|(.., page)| page::gather(page, head, &body)) {
                        return;
                    }
                    body = self.gathered.swap_remove(at).2;
                }
                self.questions.retain(|(other, _)| *other != wait);
                let reply = Reply { status: wire::status(head), head: head.to_vec(), body };
                self.outputs.push_back(Output::Replied(wait, Ok(reply)));
            }
            Some((b'I', id)) => {
                let id = parse_base36(id);
                if let Some(at) = self.checks.iter().position(|(check, _)| id == Some(u64::from(*check))) {
                    let (_, check) = self.checks.swap_remove(at);
                    self.checked(now, check, wire::status(head), body, out);
                }
            }
            Some(_) => self.receipt(now, name, head, body, out),
            None => {}
        }
    }

    /// One of those that were to come before everything has.
    pub(super) fn rested(&mut self) {
        self.resting = self.resting.saturating_sub(1);
        if self.resting == 0 {
            self.outputs.push_back(Output::Rested);
        }
    }

    /// An answer to a publish: `<slot>` or `<slot>-<generation>`.
    pub(super) fn receipt(&mut self, now: Now, name: &[u8], head: &[u8], body: &[u8], out: &mut Outbox) {
        let mut parts = name.splitn(2, |byte| *byte == b'-');
        let slot = parts.next().and_then(parse_base36).and_then(|slot| u32::try_from(slot).ok());
        let generation = parts.next().map_or(Some(0), parse_base36);
        let Some(slot) = slot else { return };
        let current = self.generations.get(slot as usize).copied().unwrap_or(0);
        if generation != Some(u64::from(current)) {
            return;
        }
        let slot = Slot(slot);
        match receipt::stored(slot, body).filter(|_| wire::status(head) == 0) {
            Some(stored) => self.outputs.push_back(stored),
            None if self.plain => self.put_off([name, head, body]),
            None => self.odd_receipt(now, slot, head, body, out),
        }
    }

    /// Keep something unusual until the code for it is there: what it is about (the end of the reply subject; nothing for an error of the
    /// protocol), its header block and its text. What finds no room goes unheard, as if it had been lost.
    #[inline(never)]
    pub(super) fn put_off(&mut self, odd: [&[u8]; 3]) {
        if self.odds.is_empty() {
            self.outputs.push_back(Output::Odd);
        }
        if self.odds.len() < limits::ODDS {
            for part in odd {
                self.odds.extend_from_slice(&(part.len() as u32).to_le_bytes());
                self.odds.extend_from_slice(part);
            }
        }
    }
}
