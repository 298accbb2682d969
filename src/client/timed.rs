//! Messages that vanish or appear later: the first of them waits, and all behind it, until the stations of its producer are
//! ready for such messages.
//!
//! Knows no broker; whoever makes stations ready does.

use super::call::{Call, State};
use super::context::Context;
use super::driver::Driver;
use super::producer::Producers;
use super::sender::Producer;
use super::turn::ProducerId;
use crate::base::error::Error;
use std::rc::Rc;

impl Producer {
    /// Have the stations made ready, once.
    pub(super) fn prepare(&mut self, id: ProducerId, needs: u8, unready: &mut Vec<(ProducerId, u8)>) {
        if !std::mem::replace(&mut self.preparing, true) {
            unready.push((id, needs));
        }
    }
}

impl Producers {
    /// The stations are ready, or will not be: then the calls that need it fail, and the others go on. A gate: whoever made such
    /// a message had the part loaded.
    #[inline(never)]
    pub fn prepared(&mut self, ctx: &mut Context<'_>, id: ProducerId, needs: u8, result: Result<(), Error>) {
        let Some(producer) = self.producers.get_mut(id.0 as usize).and_then(Option::as_mut) else { return };
        producer.preparing = false;
        match result {
            Ok(()) => producer.ready |= needs,
            Err(error) => return self.unprepared(ctx, id, needs, &error),
        }
        self.pump(ctx, id, false);
    }

    /// The stations of a producer cannot be made ready: the calls that need it fail, and the others go on.
    #[inline(never)]
    pub fn unprepared(&mut self, ctx: &mut Context<'_>, id: ProducerId, needs: u8, error: &Error) {
        let Some(producer) = self.get(id) else { return };
        producer.preparing = false;
        let needing = |call: &Call| call.producer == id && call.needs & needs != 0 && call.state == State::Waiting;
        for call in self.in_order(needing) {
            self.fail(ctx, call, error.clone());
        }
        self.pump(ctx, id, false);
    }
}

/// Ready for all that such messages need; a gate of the part that holds it.
#[inline(never)]
pub(super) fn ready(driver: &Rc<Driver>, id: ProducerId, needs: u8) {
    let task = driver.clone();
    driver.spawn(async move {
        let result = make_ready(&task, id, needs).await;
        task.call(|core, now| {
            let (producers, _, _, mut ctx) = core.parts(now);
            producers.prepared(&mut ctx, id, needs, result);
            core.after_call(now, Default::default());
        });
    });
}

async fn make_ready(driver: &Rc<Driver>, id: ProducerId, needs: u8) -> Result<(), Error> {
    let stations = driver.call(|core, _| core.producers.stations(id));
    let ops = driver.operations()?;
    for station in stations {
        if let Some(facts) = ops.find(&station).await? {
            ops.prepare(&facts, needs).await?;
        }
    }
    Ok(())
}
