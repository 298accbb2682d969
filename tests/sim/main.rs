//! Whole connections against a simulated server, with faults, by seed.

mod api;
mod app;
mod clocks;
mod consuming;
mod dead;
mod faults;
mod feeds;
mod inside;
mod links;
mod moving;
mod producing;
mod recorded;
mod routes;
mod schemas;
mod server;
mod streams;
mod timed;
