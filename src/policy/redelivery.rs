//! What the number of a delivery means (semantics.md section 3).

use crate::base::time::Millis;

/// What to do with a message that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arriving {
    /// Give it to the application.
    Hand,
    /// It has been delivered too often: it is dead.
    Bury,
}

/// Why a message is dead (semantics.md section 6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It was delivered too often.
    Deliveries,
    /// The application gave up on it, for this reason.
    Rejected(String),
    /// It did not fit its schema, and what was wrong.
    Schema(String),
}

/// Delivery number `deliveries` (from 1) of a message that may be delivered `most` times.
pub fn arriving(deliveries: u32, most: u32) -> Arriving {
    if deliveries > most { Arriving::Bury } else { Arriving::Hand }
}

/// A message that is given back on its last delivery dies at once.
pub fn dies_when_given_back(deliveries: u32, most: u32) -> bool {
    deliveries >= most
}

/// How many messages a consumer may hold ahead: no more than a batch where giving back costs one of few deliveries.
pub fn hold_limit(prefetch: u32, batch: u32, most: u32, auto_ack: bool) -> u32 {
    if most <= 3 && !auto_ack { prefetch.min(batch) } else { prefetch }.max(1)
}

/// When a held message is kept alive, counted from its delivery or the last time it was.
pub fn keep_alive_after(ack_time: Millis) -> Millis {
    Millis(ack_time.half().0.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_counts_deliveries() {
        assert_eq!(arriving(10, 10), Arriving::Hand);
        assert_eq!(arriving(11, 10), Arriving::Bury);
        assert!(dies_when_given_back(10, 10) && !dies_when_given_back(9, 10));
        assert_eq!(hold_limit(500, 10, 3, false), 10);
        assert_eq!(hold_limit(500, 10, 3, true), 500);
        assert_eq!(hold_limit(500, 10, 4, false), 500);
        assert_eq!(hold_limit(0, 10, 4, false), 1);
        assert_eq!(keep_alive_after(Millis(30_000)), Millis(15_000));
    }
}
