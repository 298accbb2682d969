//! Where a group stands in one partition: what it has been given, what it is done with, what it gets again and when.
//!
//! Knows no members, no station and no other group. The partition is an argument where one is needed.
//!
//! Life of a message in a group:
//!
//! ```text
//! ahead ──take──> held ──ack, bury, dead──────────────────────> done
//!                  │ ^                                            ^
//!     time over,   │ └──take──┐                                   │ late ack, retention
//!     nack, delay  └──────> ready ────────────────────────────────┘
//! ```
//!
//! Ready is what can be given again now. A message whose ack time or delay still runs is held: for the group it makes no
//! difference who waits for the time to be over.

use super::partition::Partition;
use crate::base::time::{Millis, Time};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Stale timers kept before the table of timers is swept.
const SWEEP_AT: usize = 64;

/// What the group has made of one message it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Given to a member, or put off; again when its time is over.
    Held,
    /// To be given again.
    Ready,
    /// Never again.
    Done,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    due: Time,
    deliveries: u32,
    state: State,
}

/// What can be given next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The message.
    pub sequence: u64,
    again: bool,
}

/// A group in one partition. Invariant: `entries` covers the sequences from `base` up to `next`; it is empty or begins
/// with one that is not done.
#[derive(Debug)]
pub(super) struct Cursor {
    ack_time: Millis,
    max_deliveries: u32,
    auto_ack: bool,
    /// Where it began.
    start: u64,
    /// The lowest sequence that is not done.
    base: u64,
    /// The next one to be given for the first time.
    next: u64,
    entries: VecDeque<Entry>,
    /// Entries that are not done.
    open: usize,
    /// Entries that are ready.
    waiting: usize,
    /// When held entries are due. One that does not agree with its entry is stale.
    timers: BinaryHeap<Reverse<(Time, u64)>>,
    /// Ready entries by due time, then sequence. One whose entry is not ready is stale.
    ready: BinaryHeap<Reverse<(Time, u64)>>,
    /// Sequences that became done since somebody looked; only where `report` is set.
    finished: Vec<u64>,
    report: bool,
    /// Delivered too often, with the number of their deliveries, since somebody looked. Held until they are done with; if
    /// nobody can take them now, they die again when their ack time is over.
    dying: Vec<(u64, u32)>,
}

impl Cursor {
    /// A group that begins at `start`. With `report` what is done with is kept for [`Cursor::finished`].
    pub fn new(start: u64, ack_time: Millis, max_deliveries: u32, auto_ack: bool, report: bool) -> Cursor {
        Cursor {
            ack_time,
            max_deliveries,
            auto_ack,
            start,
            base: start,
            next: start,
            entries: VecDeque::new(),
            open: 0,
            waiting: 0,
            timers: BinaryHeap::new(),
            ready: BinaryHeap::new(),
            finished: Vec::new(),
            report,
            dying: Vec::new(),
        }
    }

    /// The group never needs this message again.
    pub fn is_done(&self, sequence: u64) -> bool {
        sequence < self.base || self.entry(sequence).is_some_and(|entry| entry.state == State::Done)
    }

    /// The highest sequence up to which everything is done; `None` while that is where the group began.
    pub fn position(&self) -> Option<u64> {
        self.base.checked_sub(1).filter(|_| self.base > self.start)
    }

    /// Messages that a member may still be at work on.
    pub fn held(&self) -> u64 {
        self.open.saturating_sub(self.waiting) as u64
    }

    /// When the next held message is due.
    pub fn due(&mut self) -> Option<Time> {
        while let Some(Reverse((due, sequence))) = self.timers.peek().copied() {
            if self.is_live(due, sequence) {
                return Some(due);
            }
            self.timers.pop();
        }
        None
    }

    /// Bring it up to date: forget what the partition no longer has, take up what is due.
    pub fn refresh(&mut self, now: Time, partition: &Partition) {
        self.trim(partition.first());
        while let Some(due) = self.due().filter(|due| *due <= now) {
            let Some(Reverse((_, sequence))) = self.timers.pop() else { return };
            self.make_ready(now, sequence, due);
        }
    }

    /// What would be given now. What is due again goes before what is new. Refresh first.
    pub fn peek(&mut self, partition: &Partition) -> Option<Candidate> {
        while let Some(Reverse((_, sequence))) = self.ready.peek().copied() {
            if self.entry(sequence).is_some_and(|entry| entry.state == State::Ready) {
                if partition.get(sequence).is_some() {
                    return Some(Candidate { sequence, again: true });
                }
                self.finish(sequence);
            }
            self.ready.pop();
        }
        while self.next < partition.next() {
            if partition.get(self.next).is_some() {
                return Some(Candidate { sequence: self.next, again: false });
            }
            self.step(Entry { due: Time(0), deliveries: 0, state: State::Done });
        }
        None
    }

    /// Give what [`Cursor::peek`] found; returns which delivery this is.
    pub fn take(&mut self, now: Time, candidate: Candidate) -> u32 {
        let due = now + self.ack_time;
        let sequence = candidate.sequence;
        if !candidate.again {
            if self.auto_ack {
                self.step(Entry { due, deliveries: 1, state: State::Done });
                self.tell(sequence);
            } else {
                self.step(Entry { due, deliveries: 1, state: State::Held });
                self.open = self.open.saturating_add(1);
                self.arm(due, sequence);
            }
            return 1;
        }
        self.ready.pop();
        let Some(entry) = self.entry_mut(sequence) else { return 1 };
        entry.deliveries = entry.deliveries.saturating_add(1);
        entry.state = State::Held;
        entry.due = due;
        let deliveries = entry.deliveries;
        self.waiting = self.waiting.saturating_sub(1);
        self.arm(due, sequence);
        deliveries
    }

    /// Done, whichever delivery says so and however late.
    pub fn ack(&mut self, sequence: u64) {
        self.finish(sequence);
    }

    /// Again: at once, or when `after` is over. Nothing happens unless this is the message's latest delivery.
    pub fn nack(&mut self, now: Time, sequence: u64, delivery: u32, after: Millis) {
        let due = now + after;
        if !self.is_current(sequence, delivery) {
            return;
        }
        if after.0 == 0 || delivery >= self.max_deliveries {
            self.make_ready(now, sequence, due);
        } else {
            self.hold(sequence, due);
        }
    }

    /// Its time starts again. Nothing happens unless this is the message's latest delivery.
    pub fn extend(&mut self, now: Time, sequence: u64, delivery: u32, span: Option<Millis>) {
        if self.is_current(sequence, delivery) {
            self.hold(sequence, now + span.unwrap_or(self.ack_time));
        }
    }

    /// A delivery that never left this broker is taken back and does not count.
    pub fn undo(&mut self, sequence: u64, delivery: u32) {
        if !self.is_current(sequence, delivery) {
            return;
        }
        if let Some(entry) = self.entry_mut(sequence) {
            entry.deliveries = entry.deliveries.saturating_sub(1);
        }
        self.queue(sequence, Time(0));
    }

    /// What became done since the last call.
    pub fn finished(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.finished)
    }

    /// What died since the last call, with the number of its deliveries.
    pub fn dying(&mut self) -> Vec<(u64, u32)> {
        std::mem::take(&mut self.dying)
    }

    fn is_current(&self, sequence: u64, delivery: u32) -> bool {
        self.entry(sequence).is_some_and(|entry| entry.state != State::Done && entry.deliveries == delivery)
    }

    /// The time of a held message is over, or it is wanted again at once.
    fn make_ready(&mut self, now: Time, sequence: u64, due: Time) {
        match self.entry(sequence) {
            Some(entry) if entry.deliveries >= self.max_deliveries => {
                self.dying.push((sequence, entry.deliveries));
                self.hold(sequence, now + self.ack_time);
            }
            Some(_) => self.queue(sequence, due),
            None => {}
        }
    }

    fn queue(&mut self, sequence: u64, due: Time) {
        let Some(entry) = self.entry_mut(sequence).filter(|entry| entry.state == State::Held) else { return };
        entry.state = State::Ready;
        entry.due = due;
        self.waiting = self.waiting.saturating_add(1);
        self.ready.push(Reverse((due, sequence)));
    }

    fn hold(&mut self, sequence: u64, due: Time) {
        let Some(entry) = self.entry_mut(sequence) else { return };
        let was = std::mem::replace(&mut entry.state, State::Held);
        entry.due = due;
        if was == State::Ready {
            // Rare: somebody speaks up after the time was over and before the message went out again.
            self.waiting = self.waiting.saturating_sub(1);
            self.ready.retain(|Reverse((_, other))| *other != sequence);
        }
        self.arm(due, sequence);
    }

    fn finish(&mut self, sequence: u64) {
        let Some(entry) = self.entry_mut(sequence).filter(|entry| entry.state != State::Done) else { return };
        if entry.state == State::Ready {
            self.waiting = self.waiting.saturating_sub(1);
        }
        if let Some(entry) = self.entry_mut(sequence) {
            entry.state = State::Done;
        }
        self.open = self.open.saturating_sub(1);
        self.tell(sequence);
        while self.entries.front().is_some_and(|entry| entry.state == State::Done) {
            self.entries.pop_front();
            self.base = self.base.saturating_add(1);
        }
        self.sweep();
    }

    fn tell(&mut self, sequence: u64) {
        if self.report {
            self.finished.push(sequence);
        }
    }

    /// One further message has been looked at.
    fn step(&mut self, entry: Entry) {
        self.next = self.next.saturating_add(1);
        if entry.state == State::Done && self.entries.is_empty() {
            self.base = self.next;
        } else {
            self.entries.push_back(entry);
        }
    }

    fn trim(&mut self, first: u64) {
        while self.base < first {
            match self.entries.pop_front() {
                Some(entry) => {
                    self.base = self.base.saturating_add(1);
                    if entry.state != State::Done {
                        self.open = self.open.saturating_sub(1);
                    }
                    if entry.state == State::Ready {
                        self.waiting = self.waiting.saturating_sub(1);
                    }
                }
                None => self.base = first,
            }
        }
        while self.entries.front().is_some_and(|entry| entry.state == State::Done) {
            self.entries.pop_front();
            self.base = self.base.saturating_add(1);
        }
        self.next = self.next.max(self.base);
        self.sweep();
    }

    fn arm(&mut self, due: Time, sequence: u64) {
        self.timers.push(Reverse((due, sequence)));
    }

    fn is_live(&self, due: Time, sequence: u64) -> bool {
        self.entry(sequence).is_some_and(|entry| entry.state == State::Held && entry.due == due)
    }

    /// A settled message leaves its timer behind; this keeps the table in proportion to what is open.
    fn sweep(&mut self) {
        let most = self.open.saturating_mul(2).saturating_add(SWEEP_AT);
        if self.timers.len() > most {
            let mut timers = std::mem::take(&mut self.timers);
            timers.retain(|Reverse((due, sequence))| self.is_live(*due, *sequence));
            self.timers = timers;
        }
        if self.ready.len() > most {
            let mut ready = std::mem::take(&mut self.ready);
            ready.retain(|Reverse((_, sequence))| {
                self.entry(*sequence).is_some_and(|entry| entry.state == State::Ready)
            });
            self.ready = ready;
        }
    }

    fn entry(&self, sequence: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(sequence.checked_sub(self.base)?).ok()?)
    }

    fn entry_mut(&mut self, sequence: u64) -> Option<&mut Entry> {
        self.entries.get_mut(usize::try_from(sequence.checked_sub(self.base)?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::{Now, Wall};
    use crate::brokers::terms::Retention;
    use std::cell::Cell;
    use std::rc::Rc;

    fn partition(messages: u64) -> Partition {
        let mut partition = Partition::new(Retention::Age(1000), Millis(0), Rc::new(Cell::new(0)));
        for _ in 0..messages {
            partition.append(Now { mono: Time(0), wall: Wall(0) }, b"x", 0, None, true);
        }
        partition
    }

    #[test]
    fn tables_stay_in_proportion_to_what_is_open() {
        let partition = partition(20_000);
        let mut cursor = Cursor::new(1, Millis(30_000), 10, false, false);
        cursor.refresh(Time(0), &partition);
        for at in 0..20_000 {
            let candidate = cursor.peek(&partition).unwrap();
            cursor.take(Time(at), candidate);
            if at >= 100 {
                cursor.ack(candidate.sequence - 100);
            }
            assert!(cursor.timers.len() <= 300 && cursor.entries.len() <= 101, "{} timers", cursor.timers.len());
        }
        assert_eq!((cursor.held(), cursor.position()), (100, Some(19_900)));
    }

    #[test]
    fn one_message_put_off_for_ever_stays_one() {
        let partition = partition(1);
        let mut cursor = Cursor::new(1, Millis(30_000), u32::MAX, false, false);
        cursor.refresh(Time(0), &partition);
        let candidate = cursor.peek(&partition).unwrap();
        let mut delivery = cursor.take(Time(0), candidate);
        for at in 0..10_000 {
            cursor.extend(Time(at), 1, delivery, None);
            cursor.nack(Time(at), 1, delivery, Millis(0));
            cursor.nack(Time(at), 1, delivery, Millis(0));
            if at % 3 == 0 {
                let candidate = cursor.peek(&partition).unwrap();
                delivery = cursor.take(Time(at), candidate);
            }
            cursor.refresh(Time(at), &partition);
            assert!(
                cursor.ready.len() <= 1 && cursor.timers.len() <= 200,
                "{} {}",
                cursor.ready.len(),
                cursor.timers.len()
            );
        }
    }

    #[test]
    fn a_timer_that_no_longer_counts_announces_nothing() {
        let partition = partition(2);
        let mut cursor = Cursor::new(1, Millis(100), 10, false, false);
        for at in [0, 5] {
            cursor.refresh(Time(at), &partition);
            let candidate = cursor.peek(&partition).unwrap();
            cursor.take(Time(at), candidate);
        }
        assert_eq!(cursor.due(), Some(Time(100)));
        cursor.ack(1);
        assert_eq!(cursor.due(), Some(Time(105)));
        cursor.ack(2);
        assert_eq!(cursor.due(), None);
    }
}
