//! The words in which `client` asks a broker for stations and groups. No broker is named here.

use crate::base::error::{Error, Kind};
use crate::base::time::{Millis, Wall};
use crate::base::value::Value;
use crate::link::session::{FeedSpec, Place};

/// When a partition's oldest messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// After this many seconds.
    Age(u64),
    /// When there are more than so many messages in the partition.
    Messages(u64),
    /// When there are more than so many bytes in the partition.
    Bytes(u64),
    /// When every group is done with them.
    Acked,
}

/// Options of a station, with the contract's defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct StationSpec {
    /// When messages go.
    pub retention: Retention,
    /// Kept in the broker's memory instead of on disk.
    pub in_memory: bool,
    /// Copies in a cluster.
    pub replicas: u32,
    /// How long a msgId is remembered.
    pub window: Millis,
    /// Number of partitions.
    pub partitions: u32,
    /// Messages a group gave up on stay readable.
    pub poison_to_dls: bool,
    /// Messages that failed the schema stay readable.
    pub schema_failed_to_dls: bool,
    /// Station that also gets the dead letters; empty for none.
    pub dls_station: String,
    /// Enforced schema; empty for none.
    pub schema: String,
    /// What else the broker's own "create" takes.
    pub extra: Vec<(String, Value)>,
    /// Names of the options the caller gave himself: only these can differ from what is stored.
    pub given: Vec<&'static str>,
}

impl Default for StationSpec {
    /// The contract's defaults: those of a station that nobody gave options for, what reading none makes of them.
    fn default() -> StationSpec {
        StationSpec {
            retention: Retention::Age(604_800),
            in_memory: false,
            replicas: 1,
            window: Millis(120_000),
            partitions: 1,
            poison_to_dls: true,
            schema_failed_to_dls: true,
            dls_station: String::new(),
            schema: String::new(),
            extra: Vec::new(),
            given: Vec::new(),
        }
    }
}

/// What a station is.
#[derive(Clone, Debug)]
pub struct StationFacts {
    /// Its name.
    pub name: String,
    /// Its partitions, in order.
    pub places: Vec<Place>,
    /// It was there before.
    pub existed: bool,
    /// Options that are stored differently from what was asked.
    pub differs: Vec<&'static str>,
    /// How long a msgId is remembered.
    pub window: Millis,
    /// The schema that is enforced; empty for none.
    pub schema: String,
}

/// A version of a schema, as the registry keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// Its name.
    pub name: String,
    /// Its type, in the contract's word.
    pub kind: String,
    /// Counts from 1.
    pub version: u64,
    /// The text.
    pub definition: String,
    /// Which of its messages is meant (protobuf); empty where there is only one.
    pub message: String,
}

/// The types of schemas, in the contract's words.
pub const SCHEMA_TYPES: &[&str] = &["protobuf", "json", "graphql", "avro"];

/// A schema that was named is not in the registry.
pub fn no_schema(name: &str) -> Error {
    Error::new(Kind::Rejected, format!("there is no schema {name}")).hint("Make it with createSchema() first.")
}

/// What a station holds, summed over its partitions.
#[derive(Clone, Debug)]
pub struct StationReport {
    /// Its name.
    pub name: String,
    /// Its partitions' numbers.
    pub partitions: Vec<u32>,
    /// Stored messages.
    pub messages: u64,
    /// Stored bytes.
    pub bytes: u64,
    /// Lowest sequence; only where there is one partition.
    pub first: Option<u64>,
    /// Highest sequence; only where there is one partition.
    pub last: Option<u64>,
    /// Consumer groups.
    pub groups: u64,
    /// When it was made.
    pub created: Option<Wall>,
    /// The options as stored.
    pub options: StationSpec,
}

/// Where a new group begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The oldest message.
    First,
    /// The newest message.
    Last,
    /// Only what comes now.
    Next,
    /// This sequence, or the next one that exists.
    Sequence(u64),
    /// What was stored from this moment on.
    Time(Wall),
    /// The newest so many of each partition.
    LastMessages(u64),
}

/// A consumer group as it is asked for.
#[derive(Clone, Debug)]
pub struct GroupSpec {
    /// Its name.
    pub name: String,
    /// The name of the consumer that joins it.
    pub member: String,
    /// The name is random and the group goes with its only member.
    pub nameless: bool,
    /// Where it begins, if it is new.
    pub start: Start,
    /// It is made again after it was lost; a station that is gone then stays so.
    pub again: bool,
    /// Where single partitions begin instead: number and sequence; for a group that is made again.
    pub resume: Vec<(u32, u64)>,
    /// How long a delivery may stay without ack.
    pub ack_time: Millis,
    /// After so many deliveries a message is dead.
    pub max_deliveries: u32,
    /// Delivered means done.
    pub auto_ack: bool,
}

/// A consumer group as it is.
#[derive(Clone, Debug)]
pub struct GroupFacts {
    /// One a partition.
    pub feeds: Vec<FeedSpec>,
    /// The group's own limit, which a later member cannot change.
    pub max_deliveries: u32,
    /// The group's own ack time.
    pub ack_time: Millis,
    /// The broker itself ends deliveries beyond the limit and keeps the dead; else the client does.
    pub broker_buries: bool,
    /// The broker itself ends deliveries at the limit, keeps nothing, and only tells of it: somebody has to be there who
    /// records it.
    pub broker_drops: bool,
    /// What lies before this sequence is none of the group's business, in no partition; 0: the broker sees to it. Where the group begins
    /// beyond the newest message, older brokers begin with the next one.
    pub first: u64,
}

/// A stored message, as one who only looks reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The partition's number.
    pub partition: u32,
    /// Its sequence in the partition.
    pub sequence: u64,
    /// When the broker stored it.
    pub stamp: Wall,
    /// The header block, in the broker's own form.
    pub head: Vec<u8>,
    /// The payload.
    pub data: Vec<u8>,
}

/// How a broker can be asked for stored messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Many with one question.
    Pages,
    /// One with one question.
    Single,
    /// One with one question, which only the leader answers.
    Leader,
}

/// A walk through the stored messages of one partition: what is left of it.
#[derive(Clone, Debug)]
pub struct Walk {
    /// Where.
    pub place: Place,
    /// The lowest sequence that has not been read.
    pub next: u64,
    /// The last one that is read.
    pub last: u64,
    /// How the broker is asked.
    pub way: Way,
    /// What lies in the partition without being a message of the station is passed over: only this address counts;
    /// empty where everything does.
    pub only: String,
    /// There are copies, and the one that answers may be behind.
    pub copies: bool,
}

impl Walk {
    /// Nothing is left.
    pub fn is_over(&self) -> bool {
        self.next > self.last
    }
}

/// A capability of the contract, and why the broker lacks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lack {
    /// The feature's name in the contract.
    pub feature: &'static str,
    /// Why not, in a sentence.
    pub why: &'static str,
}

/// Result of a broker's operation.
pub type Done<T> = Result<T, Error>;
