//! Producers that the broker knows of: when one is destroyed, the broker is told once everything of it has its outcome.
//!
//! Comes in the part of the broker that wants to know. Knows no broker.

use super::driver::Driver;
use super::sender::Stage;
use super::turn::{OpId, ProducerId};
use crate::base::time::Millis;
use crate::link::exchange::Exchange;
use std::rc::Rc;

/// How often it is looked whether a producer is done with what it had.
const LOOK: Millis = Millis(10);

impl Driver {
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
            let busy = |driver: &Rc<Driver>| {
                driver.call(|core, _| {
                    core.producers.get(id).is_some_and(|producer| matches!(producer.stage, Stage::Closing { .. }))
                })
            };
            while busy(&driver) {
                Exchange(driver.clone()).pause(LOOK).await;
            }
            if let (Some(name), Ok(ops)) = (name, driver.operations()) {
                for station in stations.iter().filter(|_| driver.core.borrow().is_up()) {
                    // Without a link the broker finds out by itself, some time later.
                    let _ = ops.leave_producer(station, &name).await;
                }
            }
            driver.call(|core, _| core.turn.end(op, Ok(())));
        });
        op
    }
}
