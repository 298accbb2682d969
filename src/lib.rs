//! Message brokers straight from the browser and the edge.
//!
//! The crate is a set of layers; imports go downwards only (a test reads the `use` lines):
//!
//! ```text
//! face      wasm-bindgen exports; reads options, makes errors; the JavaScript shell lies beside it in `pkg/shell`
//! client    connections, producers and consumers in broker-neutral Rust
//! brokers   one folder a broker, and everything that knows its name
//! link      one live connection of any kind; no I/O of its own
//! policy    decisions as plain values
//! runtime   the trait behind which sockets, timers, clocks and randomness live
//! base      error, limits, time, id, bytes
//! ```
//!
//! Everything below `face` is plain Rust that runs natively, under tests, fuzzers and the simulator, with a clock
//! that is an argument.

pub mod base;
pub mod brokers;
pub mod client;
#[cfg(target_arch = "wasm32")]
mod face;
pub mod link;
pub mod policy;
pub mod runtime;
