//! One partition as one producer sends to it: in order, and held up while something has to be repeated.
//!
//! ```text
//! Flowing -> Holding (a pause) -> Probing (the first one is out again) -> Repeating (the others are) -> Flowing
//! ```
//!
//! While it does not flow, new messages are parked, so that a repeated one stays in front of what was called later
//! (semantics.md section 2). Knows no session: it says what to write.

use super::turn::CallId;
use crate::base::time::Time;
use crate::link::session::RouteId;
use crate::policy::resend;
use std::collections::VecDeque;

/// How a lane stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Messages go out as they come.
    Flowing,
    /// Nothing goes out before this moment; `None`: before the link is back.
    Holding(Option<Time>),
    /// The first message to be repeated is out, alone.
    Probing(CallId),
    /// All of them are out; so many have no answer yet.
    Repeating(u32),
}

/// One partition as one producer sends to it.
#[derive(Debug)]
pub struct Lane {
    /// Where it goes.
    pub route: RouteId,
    /// The partition's number.
    pub partition: u32,
    /// How it stands.
    pub flow: Flow,
    /// New messages that wait for the flow.
    pub parked: VecDeque<(CallId, u64)>,
    /// Messages to be repeated, in the order of their calls.
    redo: Vec<(u64, CallId)>,
    repeats: u32,
}

impl Lane {
    /// A lane that flows.
    pub fn new(route: RouteId, partition: u32) -> Lane {
        Lane { route, partition, flow: Flow::Flowing, parked: VecDeque::new(), redo: Vec::new(), repeats: 0 }
    }

    /// A message was not stored for now.
    pub fn not_now(&mut self, now: Time, id: CallId, order: u64) {
        self.insert(id, order);
        match self.flow {
            Flow::Holding(_) => {}
            Flow::Flowing | Flow::Probing(_) | Flow::Repeating(_) => {
                self.repeats = self.repeats.saturating_add(1);
                self.flow = Flow::Holding(Some(now + resend::pause(self.repeats)));
            }
        }
    }

    /// The link was lost with this message on it.
    pub fn link_lost(&mut self, id: CallId, order: u64) {
        self.insert(id, order);
    }

    /// The link was lost.
    pub fn hold(&mut self) {
        self.flow = Flow::Holding(None);
    }

    fn insert(&mut self, id: CallId, order: u64) {
        let at = self.redo.partition_point(|(other, _)| *other < order);
        self.redo.insert(at, (order, id));
    }

    /// A call has its outcome: if it was being repeated, what may be written next.
    pub fn settled(&mut self, id: CallId, stored: bool) -> Vec<CallId> {
        self.redo.retain(|(_, other)| *other != id);
        match self.flow {
            Flow::Probing(probe) if probe == id && stored => {
                self.repeats = 0;
                self.repeat()
            }
            // The probe came to nothing by itself: the next one is the probe.
            Flow::Probing(probe) if probe == id => self.probe(),
            Flow::Repeating(left) => {
                self.flow = if left <= 1 { Flow::Flowing } else { Flow::Repeating(left.saturating_sub(1)) };
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// The pause is over.
    pub fn tick(&mut self, now: Time) -> Vec<CallId> {
        match self.flow {
            Flow::Holding(Some(until)) if until <= now => self.probe(),
            _ => Vec::new(),
        }
    }

    /// The link is back: everything that was on the old one goes out again, in order.
    pub fn link_up(&mut self) -> Vec<CallId> {
        self.repeat()
    }

    fn probe(&mut self) -> Vec<CallId> {
        if self.redo.is_empty() {
            self.flow = Flow::Flowing;
            return Vec::new();
        }
        let (_, id) = self.redo.remove(0);
        self.flow = Flow::Probing(id);
        vec![id]
    }

    fn repeat(&mut self) -> Vec<CallId> {
        let all: Vec<_> = std::mem::take(&mut self.redo).into_iter().map(|(_, id)| id).collect();
        self.flow = if all.is_empty() { Flow::Flowing } else { Flow::Repeating(all.len() as u32) };
        all
    }

    /// When it wants [`Lane::tick`].
    pub fn deadline(&self) -> Option<Time> {
        match self.flow {
            Flow::Holding(until) => until,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_goes_first_then_the_others_in_order() {
        let mut lane = Lane::new(RouteId(0), 1);
        lane.not_now(Time(0), CallId(7), 12);
        lane.not_now(Time(1), CallId(3), 11);
        assert_eq!(lane.deadline(), Some(Time(100)));
        assert_eq!(lane.tick(Time(100)), [CallId(3)]);
        lane.not_now(Time(101), CallId(3), 11);
        assert_eq!(lane.deadline(), Some(Time(301)), "the pause has doubled");
        assert_eq!(lane.tick(Time(301)), [CallId(3)]);
        assert_eq!(lane.settled(CallId(3), true), [CallId(7)]);
        assert_eq!(lane.flow, Flow::Repeating(1));
        assert!(lane.settled(CallId(7), true).is_empty());
        assert_eq!(lane.flow, Flow::Flowing);
    }

    #[test]
    fn after_the_link_all_go_out_again() {
        let mut lane = Lane::new(RouteId(0), 1);
        lane.link_lost(CallId(2), 6);
        lane.link_lost(CallId(1), 5);
        lane.hold();
        assert!(lane.tick(Time(1_000_000)).is_empty());
        assert_eq!(lane.link_up(), [CallId(1), CallId(2)]);
    }

    #[test]
    fn a_call_that_ends_while_held_is_not_repeated() {
        let mut lane = Lane::new(RouteId(0), 1);
        lane.not_now(Time(0), CallId(1), 1);
        lane.settled(CallId(1), false);
        assert!(lane.tick(Time(100)).is_empty());
        assert_eq!(lane.flow, Flow::Flowing);
    }
}
