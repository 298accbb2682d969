//! What a turn brought: one list of rows, which crosses to the application in one piece.
//!
//! Knows nothing of JavaScript; `face` turns it into numbers.

use super::live::LiveRow;
use crate::base::error::Error;
use crate::base::time::{Millis, Wall};
use crate::brokers::terms::Schema;
use crate::link::session::{Source, Span, WaitId};

/// A call of `produce`: an index that is reused after its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u32);

/// A producer; never reused within a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerId(pub u32);

/// A consumer; never reused within a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsumerId(pub u32);

/// Anything else that is waited for: an open, a fetch, a flush, a close; never reused within a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(pub u32);

/// A message that a consumer holds: its number within the consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MsgId(pub u32);

/// A delivered message, as positions in the bytes it came with.
#[derive(Clone, Copy, Debug)]
pub struct Delivered {
    /// Whose.
    pub consumer: ConsumerId,
    /// Its number within the consumer; numbers rise.
    pub id: MsgId,
    /// Where the spans point to: the chunk, or [`Turn::pack`].
    pub source: Source,
    /// The header block in the broker's own form.
    pub head: Span,
    /// The payload.
    pub data: Span,
    /// What a settle gives back.
    pub token: Span,
    /// The partition's number.
    pub partition: u32,
    /// The sequence in the partition.
    pub sequence: u64,
    /// When the broker stored it.
    pub stamp: Wall,
    /// 1 on the first delivery.
    pub deliveries: u32,
}

/// A change of state that `status()` tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Status {
    /// The link works.
    Connected {
        /// Where to.
        url: String,
        /// Which attempt it was.
        attempt: u32,
    },
    /// It is lost.
    Disconnected(Error),
    /// The next attempt is this far away.
    Reconnecting {
        /// Which attempt it will be.
        attempt: u32,
        /// The pause.
        pause: Millis,
    },
    /// A subscription loses messages, since the application is too slow.
    SlowConsumer {
        /// Its channel.
        station: String,
        /// How many messages wait for the application.
        pending: u32,
    },
    /// Messages produced with `waitForAck: false` were not stored after all.
    ProduceFailed {
        /// Where they were meant to go.
        station: String,
        /// Why.
        error: Error,
        /// How many, of this turn.
        messages: u32,
        /// Their ids, as far as they have one; the first 100.
        ids: Vec<String>,
    },
    /// Another schema, or another version of it, counts for a station; `None`: no schema does.
    Schema {
        /// The station.
        station: String,
        /// The schema's name.
        schema: Option<String>,
    },
    /// It is over for good.
    Closed(Option<Error>),
}

/// What the messages of a station have to fit. The application loads the engine, checks with it, and says so.
#[derive(Clone, Debug)]
pub struct Binding {
    /// What it answers under.
    pub ticket: WaitId,
    /// The station.
    pub station: String,
    /// The schema's name; empty for none.
    pub name: String,
    /// The schema. `None` with a name: it is enforced but cannot be had, so nothing can be checked.
    pub schema: Option<Schema>,
    /// Why it cannot.
    pub why: String,
}

/// An entry for the application's logger that is nobody's outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// What happened.
    pub event: &'static str,
    /// Where, if at a station.
    pub station: String,
    /// To how many messages.
    pub messages: u32,
    /// Why, if something failed.
    pub error: Option<Error>,
    /// Which message of the station, if it is about one.
    pub place: Option<NotePlace>,
}

/// A message that a note is about.
#[derive(Clone, Debug, PartialEq)]
pub struct NotePlace {
    /// The partition's number.
    pub partition: u32,
    /// Its sequence there.
    pub sequence: u64,
    /// The group that gave up on it.
    pub group: String,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Row {
    /// A receipt.
    Stored {
        /// Whose.
        call: CallId,
        /// Which of the producer's stations.
        target: u32,
        /// The partition's number.
        partition: u32,
        /// 0 where the broker tells none.
        sequence: u64,
        /// It was stored before, under the same id.
        duplicate: bool,
        /// The number in the id that `autoMsgId` made; 0 where there is none.
        auto_id: u64,
        /// More stations follow: the call goes on.
        more: bool,
    },
    /// A produce that came to nothing.
    Failed {
        /// Whose.
        call: CallId,
        /// Why.
        error: Error,
    },
    /// A message arrived and is held.
    Message(Delivered),
    /// A held message was given back, or its time is over.
    Dropped {
        /// Whose.
        consumer: ConsumerId,
        /// Which.
        id: MsgId,
    },
    /// A fetch has ended with these messages.
    Fetched {
        /// Which fetch.
        op: OpId,
        /// The consumer.
        consumer: ConsumerId,
        /// Its messages.
        ids: Vec<MsgId>,
    },
    /// The handler's next call.
    Batch {
        /// Whose.
        consumer: ConsumerId,
        /// The messages; none with an error.
        ids: Vec<MsgId>,
        /// Nothing came in time.
        error: Option<Error>,
    },
    /// Something can be taken by the iterator that waits.
    Ready(ConsumerId),
    /// An operation has succeeded.
    Done(OpId),
    /// An operation has failed.
    Undone {
        /// Which.
        op: OpId,
        /// Why.
        error: Error,
    },
    /// A consumer has ended by itself.
    ConsumerEnded {
        /// Which.
        consumer: ConsumerId,
        /// Why.
        error: Error,
    },
    /// A producer has ended by itself.
    ProducerEnded(ProducerId),
    /// There is room again for those who wait with a batch or a stream.
    Room,
    /// Something for `status()`.
    Status(Box<Status>),
    /// Messages of a station have to fit a schema from now on, or none.
    Schema(Box<Binding>),
    /// The application is to be asked for credentials.
    Ask {
        /// Which attempt, from 1.
        attempt: u32,
        /// What made it necessary.
        reason: Option<Error>,
    },
    /// There is something for those who look at frames.
    Tapped,
    /// Something for the application's logger.
    Note(Box<Note>),
    /// The connection is over for good.
    Over(Option<Error>),
    /// Something about live messages.
    Live(LiveRow),
}

/// The rows of a turn and the bytes they point to.
#[derive(Debug, Default)]
pub struct Turn {
    /// What happened, in order.
    pub rows: Vec<Row>,
    /// Bytes that are not in the chunk: messages that were cut, or that a memory broker delivered.
    pub pack: Vec<u8>,
}

impl Turn {
    /// A chunk of which messages use less than a quarter is not kept alive for them: they are copied out.
    #[inline(never)]
    pub fn thin(&mut self, chunk: &[u8]) {
        let frame = |message: &Delivered| (message.token.at, message.data.at.saturating_add(message.data.len));
        let in_chunk = |row: &Row| match row {
            Row::Message(message) if message.source == Source::Chunk => Some(frame(message)),
            Row::Live(LiveRow::Message(_, sound) | LiveRow::Answer(_, sound)) if sound.source == Source::Chunk => {
                Some((sound.channel.at, sound.data.at.saturating_add(sound.data.len)))
            }
            _ => None,
        };
        let used: u64 =
            self.rows.iter().filter_map(in_chunk).map(|(from, to)| u64::from(to.saturating_sub(from))).sum();
        if used == 0 || used.saturating_mul(4) >= chunk.len() as u64 {
            return;
        }
        for row in &mut self.rows {
            let Some((from, to)) = in_chunk(row) else { continue };
            let base = self.pack.len() as u32;
            self.pack.extend_from_slice(chunk.get(from as usize..to as usize).unwrap_or_default());
            let moved = |span: &mut Span| span.at = span.at.saturating_sub(from).saturating_add(base);
            match row {
                Row::Message(message) => {
                    message.source = Source::Own;
                    [&mut message.head, &mut message.data, &mut message.token].into_iter().for_each(moved);
                }
                Row::Live(LiveRow::Message(_, sound) | LiveRow::Answer(_, sound)) => {
                    sound.source = Source::Own;
                    let spans = [&mut sound.channel, &mut sound.reply, &mut sound.head, &mut sound.data];
                    spans.into_iter().for_each(moved);
                }
                _ => {}
            }
        }
    }

    /// Nothing happened.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// An operation has ended.
    pub fn end(&mut self, op: OpId, result: Result<(), Error>) {
        self.rows.push(match result {
            Ok(()) => Row::Done(op),
            Err(error) => Row::Undone { op, error },
        });
    }

    /// A message was sent once more; those in a row are one entry.
    pub fn repeated(&mut self, station: &str) {
        if let Some(Row::Note(note)) = self.rows.last_mut()
            && note.event == "produce_repeated"
            && note.station == station
        {
            note.messages = note.messages.saturating_add(1);
            return;
        }
        let note = Note { event: "produce_repeated", station: station.into(), messages: 1, error: None, place: None };
        self.rows.push(Row::Note(Box::new(note)));
    }

    /// The broker refused something that nobody waits for.
    pub fn refused(&mut self, error: Error) {
        let station = error.station.as_deref().unwrap_or_default().into();
        let note = Note { event: "refused", station, messages: 0, error: Some(error), place: None };
        self.rows.push(Row::Note(Box::new(note)));
    }

    /// Something for `status()`.
    pub fn status(&mut self, status: Status) {
        self.rows.push(Row::Status(Box::new(status)));
    }
}
