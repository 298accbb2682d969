//! What every layer may use: errors, limits, time, ids, bytes and plain values.
//!
//! Knows no broker, no socket and no clock; everything here is a value or a function of its arguments.

pub mod bytes;
pub mod channel;
pub mod error;
pub mod headers;
pub mod id;
pub mod limits;
pub mod secret;
pub mod time;
pub mod value;
