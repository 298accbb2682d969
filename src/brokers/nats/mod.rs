//! NATS with JetStream: a station is one stream a partition, a group one durable pull consumer on each.
//!
//! ```text
//! wire      bytes <-> frames             head, token, info   what stands in them
//! session   log in, correlate, route     feed                the pulls of one feed
//! names, api, station, group             operations: sequences of questions, as async functions
//! ```
//!
//! Knows nothing of producers, consumers and promises. Source of every fact: jetstream.md.

pub mod api;
pub mod feed;
pub mod group;
pub mod head;
pub mod info;
pub mod names;
pub mod receipt;
pub mod session;
pub mod station;
pub mod token;
pub mod wire;

use super::terms::Lack;

/// Prefix of the JetStream API's subjects.
pub const API: &str = "$JS.API";

const LATER: &str = "it comes with a later version of this package";

/// What of the contract is not offered, and why.
pub const LACKS: &[Lack] = &[
    Lack { feature: "dead_letters", why: LATER },
    Lack { feature: "dls_station", why: LATER },
    Lack { feature: "schemas", why: LATER },
    Lack { feature: "purge", why: LATER },
    Lack { feature: "list", why: LATER },
    Lack { feature: "get", why: LATER },
    Lack { feature: "live", why: LATER },
    Lack { feature: "requests", why: LATER },
    Lack { feature: "expiration", why: LATER },
    Lack { feature: "delayed_produce", why: LATER },
    Lack { feature: "filters", why: LATER },
    Lack { feature: "compression", why: "NATS has no compressed batches" },
    Lack { feature: "resend", why: LATER },
    Lack { feature: "tiered_storage", why: "NATS has no second tier of storage" },
];
