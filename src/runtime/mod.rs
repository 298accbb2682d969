//! The trait behind which the outside world lives: sockets, timers, clocks, randomness and the platform's facts.
//!
//! `web` is the package's; `sim` is that of tests, with a virtual clock. The trait may be named from `link` up, its
//! implementations only by `face` and by tests. Nothing here is shared between two connections: on Workers a socket
//! or a timer belongs to the request that made it.

#[cfg(any(test, not(target_arch = "wasm32")))]
pub mod sim;
#[cfg(target_arch = "wasm32")]
pub(crate) mod web;

use crate::base::error::Error;
use crate::base::time::{Now, Time};
use crate::base::value::JsonReader;
use std::future::Future;
use std::pin::Pin;

/// A task of one connection; single-threaded.
pub struct Task(pub Pin<Box<dyn Future<Output = ()>>>);

/// A part of the package that is loaded when it is used first. What calls its functions is in it, or has waited for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What makes stations, and what the broker's refusals mean.
    Making,
    /// What a broker's refusals mean for messages.
    Refusals,
    /// Sockets that are not the platform's WebSocket.
    Raw,
    /// Credentials that are asked for, or made ready.
    Credentials,
    /// Other addresses of the broker.
    Servers,
    /// The move to another server before this one goes.
    Moving,
    /// Schemas that are read again, after news or a lost link.
    Watching,
    /// The broker inside this package.
    Memory,
    /// A Memphis broker.
    Memphis,
    /// Credentials that sign.
    Keys,
    /// The registry of schemas.
    Schemas,
    /// Dead letters.
    Dead,
    /// What makes stations ready for messages that vanish or appear later.
    Timing,
}

impl Part {
    /// What its files are called by.
    pub fn name(self) -> &'static str {
        match self {
            Part::Making => "making",
            Part::Refusals => "refusals",
            Part::Raw => "raw",
            Part::Credentials => "credentials",
            Part::Servers => "servers",
            Part::Moving => "moving",
            Part::Watching => "watching",
            Part::Memory => "memory",
            Part::Memphis => "memphis",
            Part::Keys => "keys",
            Part::Schemas => "schemas",
            Part::Dead => "dead",
            Part::Timing => "timing",
        }
    }
}

/// A part on its way; the error says why it cannot be had, and asking again tries again.
pub type Loading = Pin<Box<dyn Future<Output = Result<(), Error>>>>;

/// What the platform says about itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// The page was loaded over TLS: plain `ws:` is forbidden to it, but for loopback hosts.
    pub secure_page: bool,
    /// The platform says there is no network, or the page is frozen.
    pub offline: bool,
}

/// A socket to be opened.
#[derive(Clone, Copy, Debug)]
pub struct Dial<'a> {
    /// Its number: later dials have higher ones.
    pub generation: u32,
    /// Where to.
    pub url: &'a str,
    /// The name that a certificate has to bear; empty for the host of the URL.
    pub name: &'a str,
    /// Raw TCP is encrypted before its first byte.
    pub encrypted: bool,
}

/// The outside world, as one connection sees it.
pub trait Runtime {
    /// Both clocks.
    fn now(&self) -> Now;
    /// Fill with random bytes.
    fn random(&self, into: &mut [u8]);
    /// The platform's facts, as they are at this moment.
    fn facts(&self) -> Facts;
    /// The platform's JSON parser.
    fn json(&self) -> JsonReader;
    /// Open a socket beside those that are open. What becomes of it comes back as an event with this generation.
    fn dial(&self, dial: Dial<'_>);
    /// Send on an open socket. The bytes are copied before this returns. `more`: this turn sends again, at its end at the latest
    /// and be it nothing, so that these may wait.
    fn send(&self, generation: u32, bytes: &[u8], more: bool);
    /// Encrypt an open socket of raw TCP: [`Event::Encrypted`] or [`Event::Closed`] follows.
    fn encrypt(&self, generation: u32);
    /// Close a socket, whatever state it is in; none of its events come any more.
    fn hang_up(&self, generation: u32);
    /// Have the one timer fire at this moment, or not at all.
    fn arm(&self, at: Option<Time>);
    /// Have the end of this turn announced.
    fn defer(&self);
    /// Run a task.
    fn spawn(&self, task: Task);
    /// Have a part of the package loaded; `None` if it is there.
    fn part(&self, part: Part) -> Option<Loading>;
}

/// What the outside world says to a connection.
#[derive(Debug)]
pub enum Event<'a> {
    /// The socket is open.
    Opened {
        /// Of which dial.
        generation: u32,
    },
    /// What [`Runtime::encrypt`] asked for is done.
    Encrypted {
        /// Of which dial.
        generation: u32,
    },
    /// Bytes came in.
    Chunk {
        /// Of which dial.
        generation: u32,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// The socket is gone, or could not be opened.
    Closed {
        /// Of which dial.
        generation: u32,
        /// Why, as far as the platform tells.
        error: Error,
    },
    /// The timer fired.
    Timer,
    /// The turn ends.
    Deferred,
    /// The network is back, or the page is visible or has been resumed.
    Awake,
}
