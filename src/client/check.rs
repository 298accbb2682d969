//! Calls that came before their producer knew its stations' schemas: they wait as bytes, and are looked at, changed or
//! withdrawn before the producer opens.
//!
//! Knows no schema; whoever asks does.

use super::call::State;
use super::producer::Producers;
use super::sender::{Producer, Stage};
use super::turn::{CallId, ProducerId};
use crate::base::error::{Error, Kind};

impl Producers {
    /// Whether a producer sends to this station.
    pub fn uses(&self, station: &str) -> bool {
        let live = |producer: &&Producer| !matches!(producer.stage, Stage::Ended(_));
        self.producers
            .iter()
            .flatten()
            .filter(live)
            .any(|producer| producer.stations.iter().any(|name| name == station))
    }

    /// The calls of a producer that came before it knew its stations' schemas, in their order.
    pub fn unchecked(&self, id: ProducerId) -> Vec<CallId> {
        let opening = |producer: &Producer| matches!(producer.stage, Stage::Opening | Stage::Closing { .. });
        let producer = self.producers.get(id.0 as usize).and_then(Option::as_ref);
        match producer {
            Some(producer) if opening(producer) && producer.targets.is_empty() => {
                let there = |(call, order): &&(CallId, u64)| self.calls.same(*call, *order).is_some();
                producer.queue.iter().filter(there).map(|(call, _)| *call).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The payload of a call that waits.
    pub fn payload(&self, id: CallId) -> Option<&[u8]> {
        let call = self.calls.get(id).filter(|call| call.state == State::Waiting)?;
        call.bytes.get(call.head as usize..)
    }

    /// The header block of a call that waits, in the broker's own form.
    pub fn head(&self, id: CallId) -> Option<&[u8]> {
        let call = self.calls.get(id).filter(|call| call.state == State::Waiting)?;
        call.bytes.get(..call.head as usize)
    }

    /// Another payload for a call that waits: the schema's form of it. `most`: what the broker takes, with the headers.
    pub fn recode(&mut self, id: CallId, data: &[u8], most: Option<u64>) -> Result<(), Error> {
        let waiting = self.calls.get(id).filter(|call| call.state == State::Waiting);
        let Some(head) = waiting.map(|call| call.head as usize) else { return Ok(()) };
        let total = head.saturating_add(data.len()) as u64;
        if let Some(most) = most.filter(|most| total > *most) {
            return Err(Error::new(
                Kind::TooLarge,
                format!("the message has {total} bytes with its headers, the broker takes {most}"),
            )
            .hint("Split the message."));
        }
        self.calls.rewrite(id, head, data);
        Ok(())
    }
}
