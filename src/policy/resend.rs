//! Whether and when a message without an outcome is sent again (semantics.md section 2).

use crate::base::limits;
use crate::base::time::{Millis, Time};

/// Pause before repetition number `repeat` (from 1) of what was "not stored for now": 100, 200, 400 ... ms.
pub fn pause(repeat: u32) -> Millis {
    let doublings = repeat.saturating_sub(1).min(16);
    Millis(limits::NOT_NOW_FIRST.0.saturating_mul(1u64 << doublings).min(limits::NOT_NOW_MAX.0))
}

/// Whether a copy may leave although an earlier one may have been stored: it has an id, and less than half of the
/// window in which the broker remembers ids has passed since the first copy left.
pub fn may_repeat(has_id: bool, first_sent: Time, now: Time, window: Millis) -> bool {
    has_id && now.since(first_sent) < window.half()
}

/// When silence about a message becomes a reason to send it again.
pub fn silence_ends(sent: Time) -> Time {
    sent + limits::SILENCE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double() {
        let pauses: Vec<_> = (1..=7).map(|n| pause(n).0).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 3200]);
    }

    #[test]
    fn only_with_an_id_and_within_half_the_window() {
        let window = Millis(120_000);
        assert!(may_repeat(true, Time(0), Time(59_999), window));
        assert!(!may_repeat(true, Time(0), Time(60_000), window));
        assert!(!may_repeat(false, Time(0), Time(1), window));
        assert_eq!(silence_ends(Time(5)), Time(2005));
    }
}
