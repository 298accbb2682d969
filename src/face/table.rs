//! A turn as numbers: rows of 32-bit words that the shell reads out of the wasm's memory in one go.
//!
//! ```text
//! word 0   tag | flags << 8 | partition << 16
//! STORED   call, target, sequence lo, hi, auto id lo, hi           flags: 1 duplicate, 2 more follow
//! FAILED   call, error
//! MESSAGE  consumer, id, head at, len, data at, len, token at, len, sequence lo, hi, stamp lo, hi, deliveries
//!                                                                  flags: 1 the bytes are in the pack, not in the chunk
//! DROPPED  consumer, id
//! FETCHED  op, consumer, count, ids ...
//! BATCH    consumer, error or NONE, count, ids ...
//! READY    consumer
//! DONE     op
//! UNDONE   op, error
//! CENDED   consumer, error
//! PENDED   producer
//! ROOM
//! STATUS   index
//! ASK      attempt, error or NONE
//! OVER     error or NONE
//! SCHEMA   index
//! TAPPED                                                           tag 20
//! NOTE     index                                                   tag 21; of a list of its own
//! ```
//!
//! Rows of live messages are in `live`. Errors, statuses and schemas are indexes into lists of the same turn.

use crate::base::error::Error;
use crate::client::turn::{Binding, Note, Row, Status, Turn};
use crate::link::session::{Source, Span};

const NONE: u32 = u32::MAX;

fn halves(value: u64) -> (u32, u32) {
    (value as u32, (value >> 32) as u32)
}

/// The last turn, in the form the shell reads. Its buffers are used again.
#[derive(Default)]
pub(super) struct Table {
    pub(super) words: Vec<u32>,
    pub(super) errors: Vec<Error>,
    pub(super) statuses: Vec<Status>,
    pub(super) bindings: Vec<Binding>,
    pub(super) notes: Vec<Note>,
}

impl Table {
    pub(super) fn fill(&mut self, turn: &mut Turn) {
        self.words.clear();
        self.errors.clear();
        self.statuses.clear();
        self.bindings.clear();
        self.notes.clear();
        for row in turn.rows.drain(..) {
            self.push(row);
        }
    }

    pub(super) fn error(&mut self, error: Option<Error>) -> u32 {
        let Some(error) = error else { return NONE };
        self.errors.push(error);
        self.errors.len() as u32 - 1
    }

    pub(super) fn row(&mut self, tag: u32, words: &[u32]) {
        self.words.push(tag);
        self.words.extend_from_slice(words);
    }

    fn push(&mut self, row: Row) {
        match row {
            Row::Stored { call, target, partition, sequence, duplicate, auto_id, more } => {
                let flags = u32::from(duplicate) | u32::from(more) << 1;
                let ((sequence, sequence_high), (auto, auto_high)) = (halves(sequence), halves(auto_id));
                self.row(1 | flags << 8 | partition << 16, &[call.0, target, sequence, sequence_high, auto, auto_high]);
            }
            Row::Failed { call, error } => {
                let error = self.error(Some(error));
                self.row(2, &[call.0, error]);
            }
            Row::Done(op) => self.row(8, &[op.0]),
            Row::Undone { op, error } => {
                let error = self.error(Some(error));
                self.row(9, &[op.0, error]);
            }
            Row::ProducerEnded(producer) => self.row(11, &[producer.0]),
            Row::Room => self.row(12, &[]),
            Row::Status(status) => {
                self.statuses.push(*status);
                let index = self.statuses.len() as u32 - 1;
                self.row(13, &[index]);
            }
            Row::Ask { attempt, reason } => {
                let error = self.error(reason);
                self.row(14, &[attempt, error]);
            }
            Row::Tapped => self.row(20, &[]),
            Row::Note(note) => {
                self.notes.push(*note);
                let index = self.notes.len() as u32 - 1;
                self.row(21, &[index]);
            }
            Row::Over(error) => {
                let error = self.error(error);
                self.row(15, &[error]);
            }
            Row::Schema(binding) => {
                self.bindings.push(*binding);
                let index = self.bindings.len() as u32 - 1;
                self.row(16, &[index]);
            }
            Row::Live(row) => self.live(row),
            row => self.consumed(row),
        }
    }

    /// Rows of consumers.
    #[inline(never)]
    fn consumed(&mut self, row: Row) {
        match row {
            Row::Message(message) => {
                let flags = u32::from(message.source == Source::Own);
                let Span { at: head, len: head_len } = message.head;
                let Span { at: data, len: data_len } = message.data;
                let Span { at: token, len: token_len } = message.token;
                let ((sequence, sequence_high), (stamp, stamp_high)) =
                    (halves(message.sequence), halves(message.stamp.0));
                self.row(
                    3 | flags << 8 | message.partition << 16,
                    &[
                        message.consumer.0,
                        message.id.0,
                        head,
                        head_len,
                        data,
                        data_len,
                        token,
                        token_len,
                        sequence,
                        sequence_high,
                        stamp,
                        stamp_high,
                        message.deliveries,
                    ],
                );
            }
            Row::Dropped { consumer, id } => self.row(4, &[consumer.0, id.0]),
            Row::Fetched { op, consumer, ids } => {
                self.row(5, &[op.0, consumer.0, ids.len() as u32]);
                self.words.extend(ids.iter().map(|id| id.0));
            }
            Row::Batch { consumer, ids, error } => {
                let error = self.error(error);
                self.row(6, &[consumer.0, error, ids.len() as u32]);
                self.words.extend(ids.iter().map(|id| id.0));
            }
            Row::Ready(consumer) => self.row(7, &[consumer.0]),
            Row::ConsumerEnded { consumer, error } => {
                let error = self.error(Some(error));
                self.row(10, &[consumer.0, error]);
            }
            _ => {}
        }
    }
}
