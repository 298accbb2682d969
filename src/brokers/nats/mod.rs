//! NATS with JetStream: a station is one stream a partition, a group one durable pull consumer on each.
//!
//! ```text
//! wire      bytes <-> frames             head, live_head, token, info   what stands in them
//! session   log in, correlate, route     feed                the pulls of one feed
//! nkey      seeds, JWTs, signatures       tap                frames for inspectors
//! names, api, station, group, dead, graves  operations: sequences of questions, as async functions
//! notices, pieces                        deaths that the server itself tells of; dead letters that are too large
//! list, browse, page                     ... that only look: stations, and what they hold
//! adopt, time                            streams that exist already; messages that vanish or appear later
//! ```
//!
//! Knows nothing of producers, consumers and promises. Source of every fact: jetstream.md.

pub mod adopt;
pub mod api;
pub mod browse;
pub mod dead;
pub mod feed;
pub mod fuzz;
pub mod graves;
pub mod group;
pub mod head;
pub mod info;
pub mod list;
pub mod live_head;
pub mod names;
pub mod nkey;
pub mod notices;
pub mod page;
pub mod patch;
pub mod pieces;
pub mod receipt;
pub mod registry;
pub mod session;
pub mod station;
pub mod tap;
pub mod time;
pub mod token;
pub mod wire;

use super::terms::Lack;
use crate::link::session::ServerFacts;

/// Prefix of the JetStream API's subjects, in the server's own domain.
pub const API: &str = "$JS.API";
/// What reply subjects begin with, unless the application says otherwise.
pub const INBOX: &str = "_INBOX";

/// What NATS, or this server of it, cannot do (semantics.md section 9; jetstream.md section 12).
pub fn lacks(server: &ServerFacts) -> Vec<Lack> {
    let mut lacks = vec![
        Lack { feature: "compression", why: "NATS has no compressed batches" },
        Lack { feature: "tiered_storage", why: "NATS has no second tier of storage" },
    ];
    if server.level < info::LEVEL_TTL {
        lacks.push(Lack { feature: "expiration", why: "this server is older than nats-server 2.11, which has it" });
    }
    if server.level < info::LEVEL_SCHEDULES {
        lacks
            .push(Lack { feature: "delayed_produce", why: "this server is older than nats-server 2.12, which has it" });
    }
    lacks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_server_lacks_what_came_later() {
        let lacking = |level| {
            let server = ServerFacts { level, ..ServerFacts::default() };
            let lacks = lacks(&server);
            assert!(lacks.iter().all(|lack| !lack.why.is_empty()));
            ["expiration", "delayed_produce"].map(|name| lacks.iter().any(|lack| lack.feature == name))
        };
        assert_eq!(lacking(0), [true, true], "2.10");
        assert_eq!(lacking(info::LEVEL_TTL), [false, true], "2.11");
        assert_eq!(lacking(info::LEVEL_SCHEDULES), [false, false], "2.12");
    }
}
