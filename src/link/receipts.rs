//! The table of pending receipts: which call a slot on the wire belongs to.
//!
//! Slots are few, short and reused: a fresh reply subject a message costs a NATS server 15 to 40 %.

use super::session::Slot;
use slab::Slab;

/// Slots in use, and the call each stands for.
#[derive(Debug, Default)]
pub struct Receipts {
    slots: Slab<u32>,
}

impl Receipts {
    /// A free slot for this call.
    pub fn open(&mut self, call: u32) -> Slot {
        Slot(u32::try_from(self.slots.insert(call)).unwrap_or(u32::MAX))
    }

    /// The call behind a slot, which becomes free; `None` if nobody waits there any more.
    pub fn close(&mut self, slot: Slot) -> Option<u32> {
        self.slots.try_remove(slot.0 as usize)
    }

    /// Free every slot.
    pub fn clear(&mut self) {
        self.slots.clear();
    }

    /// How many are in use.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// None is in use.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_reused_and_settle_once() {
        let mut table = Receipts::default();
        let (a, b) = (table.open(70), table.open(71));
        assert_eq!(table.close(a), Some(70));
        assert_eq!(table.close(a), None);
        assert_eq!(table.open(72), a);
        assert_eq!(table.close(b), Some(71));
        table.clear();
        assert!(table.is_empty());
    }
}
