//! Producers that the broker knows of: when one is destroyed, the broker is told once everything of it has its outcome.
//!
//! Comes in the part of the broker that wants to know. Knows no broker.

use super::driver::Driver;
use super::producer::Producers;
use super::sender::Stage;
use super::turn::{OpId, ProducerId};
use crate::brokers::terms::StationFacts;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

impl Producers {
    /// It was destroyed, and what it had has not all its outcome.
    fn is_leaving(&mut self, id: ProducerId) -> bool {
        self.get(id).is_some_and(|producer| matches!(producer.stage, Stage::Closing { .. }))
    }
}

impl Driver {
    /// A producer came to nothing at another of its stations: have the broker forget it at these.
    #[inline(never)]
    pub(super) fn take_back(self: &Rc<Self>, name: &str, found: &[StationFacts]) {
        let (driver, name) = (self.clone(), name.to_string());
        let stations: Vec<_> = found.iter().map(|facts| facts.name.clone()).collect();
        self.spawn(async move {
            let Ok(ops) = driver.operations() else { return };
            for station in stations {
                let _ = ops.leave_producer(&station, &name).await;
            }
        });
    }

    /// Destroy a producer, and have the broker forget it; the operation ends when it has.
    #[inline(never)]
    pub fn leave_producer(self: &Rc<Self>, id: ProducerId) -> OpId {
        let (op, name, stations) = self.call(|core, now| {
            let op = core.next_op();
            let (producers, _, _, mut ctx) = core.parts(now);
            let stations = producers.stations(id);
            let live = producers.get(id).filter(|producer| matches!(producer.stage, Stage::Open | Stage::Opening));
            // One that was destroyed before has been told of.
            let name = live.map(|producer| producer.name.clone());
            producers.destroy(&mut ctx, id, None);
            (op, name, stations)
        });
        let driver = self.clone();
        self.spawn(async move {
            if let Ok(ops) = driver.operations() {
                // Whatever ends it is an input, or follows from one.
                poll_fn(|context| match driver.look(|core| core.producers.is_leaving(id)) {
                    true => {
                        ops.wake_later(context.waker());
                        Poll::Pending
                    }
                    false => Poll::Ready(()),
                })
                .await;
                for station in stations.iter().filter(|_| driver.core.borrow().is_up()) {
                    let Some(name) = &name else { break };
                    // Without a link the broker finds out by itself, some time later.
                    let _ = ops.leave_producer(station, name).await;
                }
            }
            driver.call(|core, _| core.turn.end(op, Ok(())));
        });
        op
    }
}
