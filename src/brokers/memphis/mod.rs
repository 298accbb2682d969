//! Memphis: a NATS server whose stations, producers and consumers are known to a control plane of its own. Messages go the
//! ways of [`nats`](super::nats), which this stands on; what is asked of the control plane is JSON on subjects of its own.
//!
//! ```text
//! login      who we are, and the name that tells the broker's liveness job so
//! control    one request: ask a subject of the control plane, wait for the answer, read its error
//! shared     what session and operations both know: ids, rows of ours in the broker's database, what was heard
//! session    a NATS session, and what Memphis does otherwise; updates, one dispatcher, for what the broker tells by itself
//! head       header blocks
//! resent     dead letters that come again to their group
//! ops        the list of operations: names, station, producer, group, dead, schemas
//! ```
//!
//! Knows nothing of the clients of other languages. Source of every fact: memphis.md.

pub mod control;
pub mod dead;
pub mod fuzz;
pub mod group;
pub mod head;
pub mod login;
pub mod names;
pub mod ops;
pub mod producer;
pub mod resent;
pub mod schemas;
pub mod session;
pub mod shared;
pub mod station;
pub mod updates;

#[cfg(test)]
mod tests;

pub use ops::{Operations, Ops};

use super::terms::Lack;
use crate::link::exchange::Exchange;
use crate::link::session::Session;
use crate::runtime::Runtime;
use shared::Shared;
use std::rc::Rc;

/// A connection's session and operations.
#[inline(never)]
pub fn open(runtime: &dyn Runtime, exchange: Exchange) -> (Box<dyn Session>, super::Ops) {
    let id = || {
        let mut random = [[0; 8]; 2];
        random.iter_mut().for_each(|half| runtime.random(half));
        names::uuid(random)
    };
    let shared = Rc::new(Shared::new(&id(), &id()));
    let session = session::MemphisSession::new(exchange.0.json(), shared.clone());
    (Box::new(session), super::Ops::Memphis(Rc::new(Ops::new(exchange, shared))))
}

/// What Memphis cannot do (semantics.md section 9).
#[inline(never)]
pub fn lacks() -> Vec<Lack> {
    let lack = |feature, why| Lack { feature, why };
    vec![
        lack("dead_letters", "only the broker's own pages list its dead letters; give the station a dlsStation"),
        lack("start_time", "Memphis has no beginning by time"),
        lack("purge", "Memphis cannot remove the messages of a station"),
        lack("list", "Memphis does not tell clients which stations there are"),
        lack("expiration", "Memphis has no expiration of single messages"),
        lack("delayed_produce", "Memphis has no messages that appear later"),
        lack("filters", "Memphis has no filters"),
        lack("compression", "Memphis has no compressed batches"),
    ]
}
