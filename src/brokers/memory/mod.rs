//! The memory broker: the promises of a station in code, without a server. What a newcomer starts with, what the tests
//! of an application use, and the model that every real broker is compared with.
//!
//! Does not know JavaScript, sockets, clocks or any other broker: calls and the time go in, parcels and the next moment
//! at which something is due come out.
//!
//! ```text
//! session    one connection: calls in, arrivals out      ops        stations and groups, for `client`
//! store      who gets what, and when                     stations   make, describe, remove
//! members    who asks, and what lies ready for him       registry   which brokers there are, by name
//! cursor     where a group stands in a partition         partition  messages, retention, the window of ids
//! head       headers as bytes                            token      what an ack gives back
//! look       lists, walks through what is stored, purges
//! live       who listens to what, and questions
//! schemas    the registry of schemas
//! dead       what groups gave up on
//! ```

mod cursor;
mod dead;
mod head;
mod live;
mod look;
mod members;
mod ops;
mod partition;
mod registry;
mod schemas;
mod session;
mod stations;
mod store;
mod tap;
mod token;

#[cfg(test)]
mod tests;

pub use head::{MESSAGE_MAX, expires, headers, msg_id};
pub use live::beside;
pub use ops::Ops;
pub use session::MemorySession;
pub use stations::Membership;

use crate::brokers::terms::Lack;
use crate::link::exchange::Exchange;
use crate::link::session::Session;
use crate::runtime::Runtime;
use std::rc::Rc;

/// A connection to the broker of this name: its session and its operations.
#[inline(never)]
pub fn open(name: &str, runtime: Rc<dyn Runtime>, exchange: Exchange) -> (Box<dyn Session>, super::Ops) {
    let wake = Rc::new(move || runtime.defer());
    (Box::new(MemorySession::new(name, wake)), super::Ops::Memory(Ops::new(name), exchange))
}

/// What this broker cannot do.
pub const LACKS: &[Lack] = &[Lack { feature: "compression", why: "messages never leave this process" }];
