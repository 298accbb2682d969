//! Decisions as plain values: which partition, how much to ask for, when to try again, what a delivery beyond the
//! limit means.
//!
//! Knows no broker, no link and no clock; every function here is one of its arguments alone.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::panic
    )
)]

pub mod backoff;
pub mod credit;
pub mod partition;
pub mod redelivery;
pub mod resend;
