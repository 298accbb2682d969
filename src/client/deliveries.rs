//! What a connection does for its consumers: gives them what arrived, and says what becomes of it.

use super::connection::{Connection, Settlement};
use super::consumer::{Settle, Settled};
use super::turn::ConsumerId;
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::time::Now;
use crate::link::session::{Output, Reply, Source, WaitId};

impl Connection {
    /// Something came for a feed.
    #[inline(never)]
    pub(super) fn delivered(&mut self, now: Now, output: Output, chunk: &[u8]) {
        // Where an arrival's bytes lie has to be read while the session is not borrowed for writing.
        if let Output::Arrived(arrival) = &output {
            let own;
            let (bytes, source): (&[u8], Source) = match arrival.source {
                Source::Own => {
                    own = self
                        .session
                        .own()
                        .get(arrival.frame.at as usize..)
                        .and_then(|rest| rest.get(..arrival.frame.len as usize))
                        .unwrap_or_default()
                        .to_vec();
                    (&own, Source::Own)
                }
                Source::Chunk => (chunk, Source::Chunk),
            };
            let mut arrival = *arrival;
            if source == Source::Own {
                let base = arrival.frame.at;
                for span in [&mut arrival.frame, &mut arrival.head, &mut arrival.data, &mut arrival.token] {
                    span.at = span.at.saturating_sub(base);
                }
            }
            let (_, consumers, _, mut ctx) = self.parts(now);
            return consumers.arrived(&mut ctx, &arrival, bytes, source);
        }
        let (_, consumers, _, mut ctx) = self.parts(now);
        match output {
            Output::Room(feed) => consumers.room(feed),
            Output::AskOver(feed) => consumers.ask_over(feed),
            Output::FeedLost(feed, error) => consumers.feed_lost(&mut ctx, feed, &error),
            _ => {}
        }
    }

    /// The link works again.
    #[inline(never)]
    pub(super) fn consumers_up(&mut self, now: Now) {
        let (_, consumers, waits, mut ctx) = self.parts(now);
        let confirms = consumers.link_up(&mut ctx, waits);
        self.watchers.confirms.extend(confirms.into_iter().map(|(wait, op)| (wait, op, now.mono + limits::REQUEST)));
    }

    /// Settles whose record the broker did not confirm in time.
    #[inline(never)]
    pub(super) fn confirms_late(&mut self, now: Now) {
        let turn = &mut self.turn;
        self.watchers.confirms.retain(|(_, op, deadline)| {
            if *deadline <= now.mono {
                let late = Error::new(Kind::Timeout, "the broker did not confirm in time")
                    .hint("It may have been recorded; a message that was not comes again.");
                turn.end(*op, Err(late));
            }
            *deadline > now.mono
        });
    }

    /// An answer, which may be the confirmation of a settle.
    #[inline(never)]
    pub(super) fn confirmed(&mut self, wait: WaitId, reply: Result<Reply, Error>) {
        match self.watchers.confirms.iter().position(|(id, ..)| *id == wait) {
            Some(at) => {
                let (_, op, _) = self.watchers.confirms.swap_remove(at);
                self.turn.end(op, reply.map(|_| ()));
            }
            None => self.waits.answer(wait, reply),
        }
    }

    /// No confirmation comes any more.
    #[inline(never)]
    pub(super) fn confirms_lost(&mut self, error: &Error) {
        for (_, op, _) in std::mem::take(&mut self.watchers.confirms) {
            self.turn.end(op, Err(error.clone()));
        }
    }

    /// Say what becomes of a message that was handed over.
    pub fn settle(&mut self, now: Now, id: ConsumerId, settle: &Settle<'_>) -> Result<Settlement, Error> {
        self.check_open()?;
        let op = self.next_op();
        let wait = self.waits.next_id();
        let (_, consumers, _, mut ctx) = self.parts(now);
        match consumers.settle(&mut ctx, id, settle, op, wait)? {
            Settled::Dies => Ok(Settlement::Dies),
            Settled::Done => Ok(Settlement::Done),
            Settled::Late => Ok(Settlement::Pending(op)),
            Settled::Asked => {
                self.watchers.confirms.push((wait, op, now.mono + limits::REQUEST));
                Ok(Settlement::Pending(op))
            }
        }
    }
}
