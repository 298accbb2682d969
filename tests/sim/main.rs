//! Whole connections against a simulated server, with faults, by seed.

mod api;
mod app;
mod faults;
mod feeds;
mod recorded;
mod server;
mod streams;
