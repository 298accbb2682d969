//! One live connection of any kind: the machine that dials and redials, the outbox, the table of pending receipts,
//! the table of pending questions, and the trait that a broker's session implements.
//!
//! Does no I/O and reads no clock: bytes and time come in as arguments, what is to be done comes out as values.
//! Knows no broker.

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

pub mod exchange;
pub mod live;
pub mod machine;
pub mod outbox;
pub mod receipts;
pub mod session;
pub mod tap;
pub mod url;
pub mod waits;
