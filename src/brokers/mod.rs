//! One folder a broker, and everything that knows its name.
//!
//! A broker gives two things: a [`Session`], which carries messages, and a set of operations, plain async functions
//! that create, look up and remove stations and groups. Adding one is a folder, a feature, a row in [`Kind`] and its
//! lines in the two enums here. No broker names another.

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

#[cfg(feature = "memory")]
pub mod memory;
#[cfg(feature = "nats")]
pub mod nats;
pub mod terms;

