//! When to dial again.

use crate::base::limits;
use crate::base::time::Millis;

/// Pause before attempt number `attempt` (from 1): full jitter below a bound that doubles from `first` up to
/// [`limits::BACKOFF_MAX`]. `random` is uniform over all 32-bit numbers.
pub fn pause(first: Millis, attempt: u32, random: u32) -> Millis {
    let doublings = attempt.saturating_sub(1).min(16);
    let bound = first.0.saturating_mul(1u64 << doublings).min(limits::BACKOFF_MAX.0.max(first.0));
    Millis(u64::from(random).saturating_mul(bound.saturating_add(1)) >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn stays_below_the_bound(first in 0u64..60_000, attempt: u32, random: u32) {
            let pause = pause(Millis(first), attempt, random);
            prop_assert!(pause.0 <= limits::BACKOFF_MAX.0.max(first));
            if attempt <= 1 { prop_assert!(pause.0 <= first); }
        }
    }

    #[test]
    fn grows() {
        assert_eq!(pause(Millis(1500), 1, u32::MAX), Millis(1500));
        assert_eq!(pause(Millis(1500), 2, u32::MAX), Millis(3000));
        assert_eq!(pause(Millis(1500), 30, u32::MAX), Millis(30_000));
        assert_eq!(pause(Millis(1500), 30, 0), Millis(0));
    }
}
