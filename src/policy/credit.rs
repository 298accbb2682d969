//! How much a standing consumer asks for: never more than there is room for, and in large pieces.

/// How many messages to ask for now, or `None` to wait. `limit` is what may be held and asked for together; a refill
/// comes when half of it is free, and then asks for all the room there is.
pub fn refill(limit: u32, held: u32, asked: u32) -> Option<u32> {
    let room = limit.saturating_sub(held).saturating_sub(asked);
    (room > 0 && room >= limit >> 1).then_some(room)
}

/// The share of one partition of a consumer's limit: at least 1.
pub fn share(limit: u32, partitions: u32) -> u32 {
    limit.checked_div(partitions).unwrap_or(limit).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn asks_for_all_the_room_at_half() {
        assert_eq!(refill(500, 0, 0), Some(500));
        assert_eq!(refill(500, 0, 251), None);
        assert_eq!(refill(500, 0, 250), Some(250));
        assert_eq!(refill(500, 400, 100), None);
        assert_eq!(refill(1, 0, 0), Some(1));
        assert_eq!(refill(1, 1, 0), None);
        assert_eq!(share(500, 3), 166);
        assert_eq!(share(2, 3), 1);
    }

    proptest! {
        #[test]
        fn never_more_than_the_limit(limit in 1u32..5000, held in 0u32..6000, asked in 0u32..6000) {
            if let Some(more) = refill(limit, held, asked) {
                prop_assert!(held + asked + more <= limit);
            }
        }
    }
}
