//! Bytes on their way out. Everything written in one turn leaves in one send; acknowledgements wait a little for
//! company, since `for await` resumes in microtasks and would otherwise cause a send each.
//!
//! Knows nothing of what the bytes mean.

use crate::base::limits;
use crate::base::time::Time;

/// What is to be sent.
#[derive(Debug, Default)]
pub struct Outbox {
    main: Vec<u8>,
    acks: Vec<u8>,
    /// When the oldest waiting acknowledgement was written.
    acks_since: Option<Time>,
}

impl Outbox {
    /// The buffer for everything but acknowledgements. Those that wait go first: order on the wire is call order.
    pub fn main(&mut self) -> &mut Vec<u8> {
        self.release_acks();
        &mut self.main
    }

    /// The buffer for acknowledgements.
    pub fn acks(&mut self, now: Time) -> &mut Vec<u8> {
        self.acks_since.get_or_insert(now);
        &mut self.acks
    }

    /// Let the waiting acknowledgements leave with the next send.
    pub fn release_acks(&mut self) {
        if !self.acks.is_empty() {
            self.main.append(&mut self.acks);
        }
        self.acks_since = None;
    }

    /// Something should be sent at the end of this turn.
    pub fn is_due(&self) -> bool {
        !self.main.is_empty() || self.acks.len() >= limits::ACKS_AT
    }

    /// Something should be sent at once.
    pub fn is_full(&self) -> bool {
        self.main.len() >= limits::SEND_AT
    }

    /// When waiting acknowledgements should leave by themselves.
    pub fn deadline(&self) -> Option<Time> {
        self.acks_since.map(|since| since + limits::ACKS_WAIT)
    }

    /// Take all that is due, leaving `spare` (emptied) in its place, so that two buffers serve for ever.
    pub fn take(&mut self, mut spare: Vec<u8>) -> Vec<u8> {
        if self.acks.len() >= limits::ACKS_AT || !self.main.is_empty() {
            self.release_acks();
        }
        spare.clear();
        std::mem::replace(&mut self.main, spare)
    }

    /// Forget everything: the link it was meant for is gone.
    pub fn clear(&mut self) {
        self.main.clear();
        self.acks.clear();
        self.acks_since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acks_wait_for_company_and_go_before_what_follows() {
        let mut out = Outbox::default();
        out.acks(Time(5)).extend_from_slice(b"a1");
        out.acks(Time(6)).extend_from_slice(b"a2");
        assert!(!out.is_due());
        assert_eq!(out.deadline(), Some(Time(7)));
        out.main().extend_from_slice(b"m");
        assert!(out.is_due());
        assert_eq!(out.deadline(), None);
        assert_eq!(out.take(Vec::new()), b"a1a2m");
        assert!(!out.is_due());
    }

    #[test]
    fn many_acks_are_due_at_once() {
        let mut out = Outbox::default();
        out.acks(Time(0)).resize(limits::ACKS_AT, b'a');
        assert!(out.is_due());
        assert_eq!(out.take(Vec::new()).len(), limits::ACKS_AT);
    }
}
