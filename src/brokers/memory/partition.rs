//! One partition of a station: its messages, what retention removes, and the window in which an id is remembered.
//!
//! Does not know groups: when a message is done with is said from outside.

use super::head;
use crate::base::time::{Millis, Now, Time, Wall};
use crate::brokers::terms::Retention;
use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

/// What a message costs beside its bytes: its record, the allocation's header and rounding. Counted towards the
/// broker's limit, so that a flood of empty messages is bounded too.
const RECORD_COST: u64 = 64;

/// What a remembered id costs beside its text: a place in the table and one in the queue.
const ID_COST: u64 = 64;

/// A stored message.
#[derive(Debug)]
pub(super) struct Message {
    /// Head and payload; `None` where a message has gone before an older one.
    bytes: Option<Rc<[u8]>>,
    /// The head's length.
    pub head: u32,
    /// The wall clock when it was stored.
    pub stamp: Wall,
    /// The monotonic clock at the same moment: ages are counted on this one.
    stored: Time,
}

/// A message that is hidden, under the sequence that its receipt told.
#[derive(Debug)]
struct Hidden {
    sequence: u64,
    bytes: Rc<[u8]>,
    head: u32,
}

/// One partition. Invariant: `messages` is empty or begins with a message that is still there; the message at index
/// `i` has the sequence `first + i`.
#[derive(Debug)]
pub(super) struct Partition {
    retention: Retention,
    window: Millis,
    first: u64,
    messages: VecDeque<Message>,
    count: u64,
    bytes: u64,
    ids: HashMap<Rc<str>, u64, BuildHasherDefault<Fnv>>,
    /// The same ids by age, with the moment when each is forgotten.
    recent: VecDeque<(Time, Rc<str>)>,
    /// Messages that vanish, by the moment.
    vanishing: BinaryHeap<Reverse<(Time, u64)>>,
    /// Messages that appear later: by the moment, and themselves in the order of their sequences.
    appearing: BinaryHeap<Reverse<(Time, u64)>>,
    hidden: VecDeque<Hidden>,
    /// What the whole broker stores; every partition adds and takes away its share.
    used: Rc<Cell<u64>>,
}

impl Partition {
    /// An empty one.
    pub fn new(retention: Retention, window: Millis, used: Rc<Cell<u64>>) -> Partition {
        Partition {
            retention,
            window,
            first: 1,
            messages: VecDeque::new(),
            count: 0,
            bytes: 0,
            ids: HashMap::default(),
            recent: VecDeque::new(),
            vanishing: BinaryHeap::new(),
            appearing: BinaryHeap::new(),
            hidden: VecDeque::new(),
            used,
        }
    }

    /// What storing this message adds to the broker's sum, at most.
    pub fn cost(message: &[u8], id: Option<&str>) -> u64 {
        let id = id.map_or(0, |id| length(id.as_bytes()).saturating_add(ID_COST));
        length(message).saturating_add(RECORD_COST).saturating_add(id)
    }

    /// The oldest message's sequence; the next one to come if there is none.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The sequence that the next message gets.
    pub fn next(&self) -> u64 {
        self.first.saturating_add(self.messages.len() as u64)
    }

    /// How many messages there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many bytes they have, heads included.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A message and its bytes, if it is still there.
    pub fn get(&self, sequence: u64) -> Option<(&Message, &Rc<[u8]>)> {
        let index = usize::try_from(sequence.checked_sub(self.first)?).ok()?;
        let message = self.messages.get(index)?;
        Some((message, message.bytes.as_ref()?))
    }

    /// The sequence under which this id was stored, while it is remembered.
    pub fn known(&mut self, now: Now, id: &str) -> Option<u64> {
        self.forget_ids(now.mono);
        self.ids.get(id).copied()
    }

    /// Store a message and return its sequence. With `keep` false nobody will ever read it: it takes its sequence and
    /// goes at once.
    pub fn append(&mut self, now: Now, message: &[u8], head: u32, id: Option<&str>, keep: bool) -> u64 {
        let sequence = self.next();
        if let Some(id) = id.filter(|_| self.window.0 > 0) {
            let id: Rc<str> = Rc::from(id);
            self.charge(length(id.as_bytes()).saturating_add(ID_COST));
            self.recent.push_back((now.mono + self.window, Rc::clone(&id)));
            self.ids.insert(id, sequence);
        }
        if !keep && self.messages.is_empty() {
            self.first = self.first.saturating_add(1);
            return sequence;
        }
        let size = length(message);
        self.charge(RECORD_COST);
        let mut stored = Message { bytes: None, head, stamp: now.wall, stored: now.mono };
        if keep {
            self.charge(size);
            self.count = self.count.saturating_add(1);
            self.bytes = self.bytes.saturating_add(size);
            stored.bytes = Some(Rc::from(message));
            if let Some(span) = message.get(..head as usize).and_then(head::expires) {
                self.vanishing.push(Reverse((now.mono + span, sequence)));
            }
        }
        self.messages.push_back(stored);
        self.enforce();
        sequence
    }

    /// Take a message that stays hidden for this long and return its sequence; it appears under another one.
    pub fn hide(&mut self, now: Now, message: &[u8], head: u32, id: Option<&str>, span: Millis) -> u64 {
        let sequence = self.append(now, message, head, id, false);
        self.charge(length(message).saturating_add(RECORD_COST));
        self.appearing.push(Reverse((now.mono + span, sequence)));
        self.hidden.push_back(Hidden { sequence, bytes: Rc::from(message), head });
        sequence
    }

    /// When the next hidden message appears.
    pub fn appears(&self) -> Option<Time> {
        self.appearing.peek().map(|Reverse((at, _))| *at)
    }

    /// Take out a hidden message whose time has come.
    pub fn appeared(&mut self, now: Now) -> Option<(Rc<[u8]>, u32)> {
        while self.appears().is_some_and(|at| at <= now.mono) {
            let Reverse((_, sequence)) = self.appearing.pop()?;
            let Ok(at) = self.hidden.binary_search_by_key(&sequence, |hidden| hidden.sequence) else { continue };
            let hidden = self.hidden.remove(at)?;
            self.release(length(&hidden.bytes).saturating_add(RECORD_COST));
            return Some((hidden.bytes, hidden.head));
        }
        None
    }

    /// How many messages are hidden.
    pub fn hidden(&self) -> u64 {
        self.hidden.len() as u64
    }

    /// Remove what is too old, messages and ids.
    pub fn expire(&mut self, now: Now) {
        self.forget_ids(now.mono);
        while self.vanishing.peek().is_some_and(|Reverse((at, _))| *at <= now.mono) {
            let Some(Reverse((_, sequence))) = self.vanishing.pop() else { break };
            self.remove(sequence);
        }
        let Retention::Age(seconds) = self.retention else { return };
        let age = Millis(seconds.saturating_mul(1000));
        while self.messages.front().is_some_and(|oldest| oldest.stored + age <= now.mono) {
            self.drop_first();
        }
    }

    /// Remove one message, wherever it is.
    pub fn remove(&mut self, sequence: u64) {
        let Some(index) = sequence.checked_sub(self.first).and_then(|index| usize::try_from(index).ok()) else {
            return;
        };
        let Some(bytes) = self.messages.get_mut(index).and_then(|message| message.bytes.take()) else { return };
        self.gone(&bytes);
        while self.messages.front().is_some_and(|oldest| oldest.bytes.is_none()) {
            self.drop_first();
        }
    }

    /// Remove all messages and say how many there were. Sequences go on, and ids stay remembered.
    pub fn clear(&mut self) -> u64 {
        let count = self.count.saturating_add(self.hidden());
        while !self.messages.is_empty() {
            self.drop_first();
        }
        while let Some(hidden) = self.hidden.pop_front() {
            self.release(length(&hidden.bytes).saturating_add(RECORD_COST));
        }
        self.appearing.clear();
        self.vanishing.clear();
        count
    }

    /// The sequence of the first message stored at this moment or later; the next one to come if there is none.
    pub fn since(&self, moment: Wall) -> u64 {
        self.find(self.messages.iter().position(|message| message.bytes.is_some() && message.stamp >= moment))
    }

    /// Where the newest `count` messages begin.
    pub fn newest(&self, count: u64) -> u64 {
        if count == 0 {
            return self.next();
        }
        if count >= self.count {
            return self.first;
        }
        let mut left = count;
        self.find(self.messages.iter().rposition(|message| {
            left = left.saturating_sub(u64::from(message.bytes.is_some()));
            left == 0
        }))
    }

    fn find(&self, index: Option<usize>) -> u64 {
        index.map_or(self.next(), |index| self.first.saturating_add(index as u64))
    }

    /// Retention by number and by bytes.
    fn enforce(&mut self) {
        loop {
            let over = match self.retention {
                Retention::Messages(limit) => self.count > limit,
                Retention::Bytes(limit) => self.bytes > limit,
                Retention::Age(_) | Retention::Acked => false,
            };
            if !over || self.messages.is_empty() {
                return;
            }
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        let Some(message) = self.messages.pop_front() else { return };
        self.first = self.first.saturating_add(1);
        self.release(RECORD_COST);
        if let Some(bytes) = message.bytes {
            self.gone(&bytes);
        }
    }

    fn gone(&mut self, bytes: &[u8]) {
        let size = length(bytes);
        self.count = self.count.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size);
        self.release(size);
    }

    fn forget_ids(&mut self, now: Time) {
        while self.recent.front().is_some_and(|(until, _)| *until <= now) {
            let Some((_, id)) = self.recent.pop_front() else { return };
            self.ids.remove(&id);
            self.release(length(id.as_bytes()).saturating_add(ID_COST));
        }
    }

    fn charge(&self, cost: u64) {
        self.used.set(self.used.get().saturating_add(cost));
    }

    fn release(&self, cost: u64) {
        self.used.set(self.used.get().saturating_sub(cost));
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        let _ = self.clear();
        let records = (self.messages.len() as u64).saturating_mul(RECORD_COST);
        let ids = self
            .recent
            .iter()
            .fold(0u64, |sum, (_, id)| sum.saturating_add(length(id.as_bytes())).saturating_add(ID_COST));
        self.release(self.bytes.saturating_add(records).saturating_add(ids));
    }
}

/// FNV-1a: the ids are the application's own, so nobody makes them collide, and a page downloads less of it.
#[derive(Clone, Copy, Debug)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

fn length(bytes: &[u8]) -> u64 {
    bytes.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Now {
        Now { mono: Time(millis), wall: Wall(millis * 1_000_000) }
    }

    fn with(count: u64) -> (Partition, Rc<Cell<u64>>) {
        let used = Rc::new(Cell::new(0));
        let mut partition = Partition::new(Retention::Acked, Millis(100), Rc::clone(&used));
        for number in 1..=count {
            assert_eq!(partition.append(at(number), b"four", 0, None, true), number);
        }
        (partition, used)
    }

    #[test]
    fn holes_are_neither_counted_nor_found() {
        let (mut partition, _) = with(6);
        for sequence in [3, 4, 6] {
            partition.remove(sequence);
            partition.remove(sequence);
        }
        assert_eq!((partition.count(), partition.bytes(), partition.first(), partition.next()), (3, 12, 1, 7));
        assert!(
            partition.get(3).is_none()
                && partition.get(5).is_some()
                && partition.get(0).is_none()
                && partition.get(7).is_none()
        );
        assert_eq!((partition.newest(1), partition.newest(2), partition.newest(3), partition.newest(9)), (5, 2, 1, 1));
        assert_eq!(
            (partition.since(Wall(0)), partition.since(Wall(3_000_000)), partition.since(Wall(5_000_001))),
            (1, 5, 7)
        );
        partition.remove(1);
        partition.remove(2);
        assert_eq!(partition.first(), 5, "holes behind the oldest go with it");
        partition.remove(5);
        assert_eq!((partition.count(), partition.first(), partition.newest(1)), (0, 7, 7));
    }

    #[test]
    fn nobody_reads_it_and_something_older_is_still_there() {
        let (mut partition, used) = with(1);
        assert_eq!(partition.append(at(2), b"gone", 0, None, false), 2);
        assert_eq!((partition.count(), partition.next()), (1, 3));
        partition.remove(1);
        assert_eq!((partition.first(), used.get()), (3, 0));
        assert_eq!(partition.append(at(3), b"gone", 0, None, false), 3);
        assert_eq!((partition.first(), partition.next(), used.get()), (4, 4, 0));
    }

    #[test]
    fn what_it_costs_comes_back() {
        let (mut partition, used) = with(2);
        partition.append(at(10), b"four", 0, Some("an-id"), true);
        assert_eq!(used.get(), 3 * (4 + RECORD_COST) + 5 + ID_COST);
        partition.remove(2);
        assert_eq!(used.get(), 3 * RECORD_COST + 8 + 5 + ID_COST, "a hole keeps its record");
        partition.remove(1);
        partition.remove(3);
        assert_eq!(used.get(), 5 + ID_COST);
        assert_eq!(partition.known(at(109), "an-id"), Some(3));
        assert_eq!(partition.known(at(110), "an-id"), None);
        assert_eq!(used.get(), 0);
        partition.append(at(200), b"four", 0, Some("b"), true);
        drop(partition);
        assert_eq!(used.get(), 0);
    }
}
