//! Whole connections against a simulated server, with faults, by seed.

mod api;
mod feeds;
mod recorded;
mod server;
mod streams;
