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
    /// What the turn brings.
    pub turn: &'a mut Turn,
}
