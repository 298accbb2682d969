//! Producers that are to finish: flush, destroy.
//!
//! Knows no broker and no promise.

use super::context::Context;
use super::producer::Producers;
use super::sender::{Flush, Stage, closed};
use super::turn::{OpId, ProducerId};
use crate::base::limits;

impl Producers {
    /// Tell `op` when everything produced so far has its outcome.
    pub fn flush(&mut self, ctx: &mut Context<'_>, id: ProducerId, op: OpId) {
        let before = self.calls.next_order();
        match self.get(id) {
            Some(producer) if producer.pending > 0 => {
                let left = producer.pending;
                producer.flushes.push(Flush { op, before, left });
            }
            _ => ctx.turn.end(op, Ok(())),
        }
    }

    /// End a producer: what is pending may finish within the limit for closing, then it is rejected.
    pub fn destroy(&mut self, ctx: &mut Context<'_>, id: ProducerId, op: Option<OpId>) {
        let until = ctx.now.mono + limits::CLOSE_WAIT;
        let up = ctx.linked;
        let Some(producer) = self.get(id) else {
            return if let Some(op) = op {
                ctx.turn.end(op, Ok(()))
            };
        };
        let idle = producer.pending == 0;
        match producer.stage {
            Stage::Ended(_) => {
                if let Some(op) = op {
                    ctx.turn.end(op, Ok(()));
                }
            }
            Stage::Closing { .. } => {
                // A second destroy ends with the first.
                if let Some(op) = op {
                    producer.flushes.push(Flush { op, before: u64::MAX, left: producer.pending });
                }
            }
            Stage::Opening | Stage::Open => {
                producer.stage = Stage::Closing { op, until };
                self.due_at(until);
                if idle || !up {
                    self.end(ctx, id, &closed());
                }
            }
        }
    }

    /// End all of them.
    pub fn destroy_all(&mut self, ctx: &mut Context<'_>) {
        for id in self.ids(|_| true) {
            self.destroy(ctx, id, None);
        }
    }
}
