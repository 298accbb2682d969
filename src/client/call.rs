//! One produce between its call and its outcome, and the table of all of them.
//!
//! ```text
//! Waiting -> Written -> outcome
//!    \          \-> Held (to be repeated) -> Written ...
//!     \-> Parked (its partition is held up) -> Written ...
//! ```

use super::turn::{CallId, ProducerId};
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::time::Time;
use crate::link::session::Slot;
use crate::policy::partition::Choice;
use slab::Slab;

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// In its producer's queue.
    Waiting,
    /// In its partition's queue, which is held up.
    Parked,
    /// In the outbox or the socket.
    Written(Slot),
    /// No copy of it is under way; one will be sent again.
    Held,
}

/// One produce.
#[derive(Debug)]
pub struct Call {
    /// Whose.
    pub producer: ProducerId,
    /// Which of the producer's stations it is at.
    pub target: usize,
    /// Which of the station's partitions, once chosen.
    pub lane: usize,
    /// How it chooses.
    pub choice: Choice,
    /// Head and payload as they go out; kept until the outcome, since any message may have to be repeated.
    pub bytes: Vec<u8>,
    /// Length of the head.
    pub head: u32,
    /// Where it stands.
    pub state: State,
    /// When `ackWaitMs` is over.
    pub deadline: Time,
    /// It waits while its producer has that many messages without an outcome.
    pub limit: u32,
    /// What its stations have to be ready for.
    pub needs: u8,
    /// A repeat cannot store it twice.
    pub has_id: bool,
    /// The application's id, kept where a failure has to name it.
    pub id: Option<String>,
    /// The number in the id that `autoMsgId` made; 0 for none.
    pub auto_id: u64,
    /// The promise waits for the receipt.
    pub wants_receipt: bool,
    /// The promise has been resolved without the receipt.
    pub told: bool,
    /// Rises from call to call; also tells a reused index from its earlier use.
    pub order: u64,
    /// When its first copy left.
    pub first_sent: Option<Time>,
    /// When its last copy left.
    pub sent: Time,
    /// Copies on the present link that have no answer.
    pub copies: u32,
    /// A copy left whose answer cannot come any more.
    pub lost: bool,
}

impl Call {
    /// A copy left and was not answered "not stored".
    pub fn is_uncertain(&self) -> bool {
        self.lost || self.copies > 0
    }
}

/// All calls of a connection, with the limits that count over all of them.
#[derive(Debug)]
pub struct Calls {
    /// `None`: the call has ended, but the row that says so has not been read: its index must not be used again yet.
    calls: Slab<Option<Call>>,
    ended: Vec<usize>,
    count: usize,
    /// Buffers of finished calls, to be used again.
    spare: Vec<Vec<u8>>,
    bytes: u64,
    most: u32,
    most_bytes: u64,
    order: u64,
    /// Somebody was refused, or feeds itself, and wants to know when there is room.
    pub wants_room: bool,
}

impl Calls {
    /// An empty table with the application's limits.
    pub fn new(most: u32, most_bytes: u64) -> Calls {
        Calls {
            calls: Slab::new(),
            ended: Vec::new(),
            count: 0,
            spare: Vec::new(),
            bytes: 0,
            most,
            most_bytes,
            order: 0,
            wants_room: false,
        }
    }

    /// How many have no outcome.
    pub fn len(&self) -> usize {
        self.count
    }

    /// All have one.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Indexes of calls that have ended may be used again.
    pub fn free(&mut self) {
        for index in self.ended.drain(..) {
            self.calls.try_remove(index);
        }
    }

    /// Their bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The number that the next call gets; all earlier ones are lower.
    pub fn next_order(&self) -> u64 {
        self.order
    }

    /// Whether one more of this size may wait.
    /// `beside` are bytes of other kinds that count too.
    pub fn admit(&mut self, size: usize, beside: u64) -> Result<(), Error> {
        let after = self.bytes.saturating_add(beside).saturating_add(size as u64);
        if self.count < self.most as usize && (after <= self.most_bytes || self.count == 0 && beside == 0) {
            return Ok(());
        }
        self.wants_room = true;
        let (limit, option) = if self.count >= self.most as usize {
            (u64::from(self.most), "maxPendingMessages")
        } else {
            (self.most_bytes, "maxPendingBytes")
        };
        Err(Error::new(Kind::QueueFull, format!("{option} ({limit}) is reached; the message was not taken"))
            .hint("Await earlier produce calls before making more, use produceBatch or writable, or raise the limit.")
            .maybe_delivered(false))
    }

    /// An empty buffer.
    pub fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// Give a buffer back.
    pub fn recycle(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() <= limits::KEEP_BUFFER && self.spare.len() < 1024 {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    /// Take a call in.
    pub fn insert(&mut self, mut call: Call) -> CallId {
        call.order = self.order;
        self.order = self.order.wrapping_add(1);
        self.bytes = self.bytes.saturating_add(call.bytes.len() as u64);
        self.count = self.count.saturating_add(1);
        CallId(self.calls.insert(Some(call)) as u32)
    }

    /// A call.
    pub fn get(&self, id: CallId) -> Option<&Call> {
        self.calls.get(id.0 as usize)?.as_ref()
    }

    /// A call, to change.
    pub fn get_mut(&mut self, id: CallId) -> Option<&mut Call> {
        self.calls.get_mut(id.0 as usize)?.as_mut()
    }

    /// The call, if the index has not been reused since.
    pub fn same(&self, id: CallId, order: u64) -> Option<&Call> {
        self.get(id).filter(|call| call.order == order)
    }

    /// Another payload behind the first `head` bytes of a call.
    pub fn rewrite(&mut self, id: CallId, head: usize, data: &[u8]) {
        let Some(call) = self.calls.get_mut(id.0 as usize).and_then(Option::as_mut) else { return };
        self.bytes = self.bytes.saturating_sub(call.bytes.len() as u64);
        call.bytes.truncate(head);
        call.bytes.extend_from_slice(data);
        self.bytes = self.bytes.saturating_add(call.bytes.len() as u64);
    }

    /// Take a call out: it has its outcome.
    pub fn remove(&mut self, id: CallId) -> Option<Call> {
        let call = self.calls.get_mut(id.0 as usize)?.take()?;
        self.ended.push(id.0 as usize);
        self.count = self.count.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(call.bytes.len() as u64);
        Some(call)
    }

    /// All calls.
    pub fn iter(&self) -> impl Iterator<Item = (CallId, &Call)> {
        self.calls.iter().filter_map(|(index, call)| Some((CallId(index as u32), call.as_ref()?)))
    }

    /// Whether whoever wanted room is to be told now: at half of the limit.
    pub fn take_room(&mut self) -> bool {
        let room = self.wants_room && self.count <= (self.most / 2) as usize && self.bytes <= self.most_bytes / 2;
        if room {
            self.wants_room = false;
        }
        room
    }
}
