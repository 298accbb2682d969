//! What the machines of a connection work with during one input.

use super::turn::Turn;
use crate::base::time::Now;
use crate::link::outbox::Outbox;
use crate::link::session::Session;

/// Borrowed for one input.
pub struct Context<'a> {
    /// Both clocks.
    pub now: Now,
    /// The link works: bytes may be written.
    pub up: bool,
    /// There is a link, though it may take nothing new for a moment.
    pub linked: bool,
    /// The broker's session.
    pub session: &'a mut dyn Session,
    /// Bytes on their way out.
    pub out: &'a mut Outbox,
    /// Bytes of live messages that wait, or that the broker has not confirmed: they count beside what producers have.
    pub beside: u64,
    /// What the turn brings.
    pub turn: &'a mut Turn,
}
