//! The list of operations. They are asked for by way of an object, so that nothing of them is where this broker's part of the
//! wasm has not been loaded.

use super::shared::Shared;
use super::{dead, group, names, producer, schemas, station};
use crate::base::error::{Error, Kind};
use crate::brokers::Operation;
use crate::brokers::dead::{Death, Letter, Revived};
use crate::brokers::nats;
use crate::brokers::nats::api::Api;
use crate::brokers::terms::{
    Done, GroupFacts, GroupSpec, Schema, Start, StationFacts, StationReport, StationSpec, Stored, Walk,
};
use crate::link::exchange::Exchange;
use crate::link::session::{NEEDS_DELAY, Place};
use std::rc::Rc;
use std::task::Waker;

/// What is asked of one broker.
pub struct Ops {
    /// The JetStream behind it.
    pub api: Api,
    /// What the session knows as well.
    pub shared: Rc<Shared>,
}

impl Ops {
    /// Operations that ask through this exchange.
    pub fn new(exchange: Exchange, shared: Rc<Shared>) -> Ops {
        Ops { api: Api::new(exchange, nats::API), shared }
    }
}

/// See the module; each is told in [`Ops`](crate::brokers::Ops).
pub trait Operations {
    /// Find a station.
    fn find<'a>(&'a self, name: &'a str) -> Operation<'a, Option<StationFacts>>;
    /// The same, with its schema.
    fn bound<'a>(&'a self, name: &'a str) -> Operation<'a, Option<StationFacts>>;
    /// Create what is missing.
    fn station<'a>(&'a self, name: &'a str, spec: &'a StationSpec) -> Operation<'a, StationFacts>;
    /// A row for a producer of a station.
    fn producer<'a>(&'a self, facts: StationFacts, producer: &'a str) -> Operation<'a, StationFacts>;
    /// The row is of no use any more.
    fn leave_producer<'a>(&'a self, name: &'a str, producer: &'a str) -> Operation<'a, ()>;
    /// Remove a station.
    fn destroy<'a>(&'a self, facts: &'a StationFacts) -> Operation<'a, ()>;
    /// What it holds.
    fn report<'a>(&'a self, name: &'a str) -> Operation<'a, StationReport>;
    /// Begin walks through what a station holds.
    fn walks<'a>(&'a self, name: &'a str, start: Start, partition: Option<u32>) -> Operation<'a, Vec<Walk>>;
    /// The next messages of a walk.
    fn page<'a>(&'a self, walk: &'a mut Walk, most: u32) -> Operation<'a, Vec<Stored>>;
    /// Join a group.
    fn group<'a>(&'a self, facts: &'a StationFacts, spec: &'a GroupSpec) -> Operation<'a, GroupFacts>;
    /// The answer to who joins a group tells of the station's schema.
    fn retold(&self, facts: &mut StationFacts);
    /// Leave it with all members of ours.
    fn remove_group<'a>(&'a self, facts: &'a StationFacts, group: &'a str) -> Operation<'a, bool>;
    /// Where it stands.
    fn position<'a>(&'a self, place: &'a Place, group: &'a str) -> Operation<'a, Option<u64>>;
    /// Record a death.
    fn bury<'a>(&'a self, death: &'a Death) -> Operation<'a, ()>;
    /// Wake whoever waits after the next input.
    fn wake_later(&self, waker: &Waker);
    /// A schema, as it was told last.
    fn schema<'a>(&'a self, name: &'a str) -> Operation<'a, Option<Schema>>;
    /// Make a schema, or another version of it.
    fn create_schema<'a>(&'a self, schema: &'a Schema) -> Operation<'a, u64>;
    /// Enforce a schema on a station, or none.
    fn enforce<'a>(&'a self, station: &'a str, schema: &'a str) -> Operation<'a, ()>;
    /// Messages that vanish or appear later.
    fn prepare<'a>(&self, needs: u8) -> Operation<'a, ()>;
    /// The stations there are.
    fn stations<'a>(&self) -> Operation<'a, Vec<StationReport>>;
    /// The removal of messages.
    fn purge<'a>(&self) -> Operation<'a, u64>;
    /// The number of the newest of the broker's dead letters.
    fn newest_letter<'a>(&self) -> Operation<'a, u64>;
    /// The broker's dead letters.
    fn letters<'a>(&self) -> Operation<'a, Vec<Letter>>;
    /// One that is to live again.
    fn revive<'a>(&self) -> Operation<'a, Revived>;
    /// One that is to be forgotten.
    fn discard<'a>(&self) -> Operation<'a, ()>;
}

impl Operations for Ops {
    fn find<'a>(&'a self, name: &'a str) -> Operation<'a, Option<StationFacts>> {
        boxed(station::find(self, name))
    }

    fn bound<'a>(&'a self, name: &'a str) -> Operation<'a, Option<StationFacts>> {
        boxed(producer::bound(self, name))
    }

    fn station<'a>(&'a self, name: &'a str, spec: &'a StationSpec) -> Operation<'a, StationFacts> {
        boxed(station::ensure(self, name, spec))
    }

    fn producer<'a>(&'a self, facts: StationFacts, producer: &'a str) -> Operation<'a, StationFacts> {
        boxed(producer::open(self, facts, producer))
    }

    fn leave_producer<'a>(&'a self, name: &'a str, producer: &'a str) -> Operation<'a, ()> {
        boxed(producer::leave(self, name, producer))
    }

    fn wake_later(&self, waker: &Waker) {
        self.shared.waiting.borrow_mut().push(waker.clone());
    }

    fn destroy<'a>(&'a self, facts: &'a StationFacts) -> Operation<'a, ()> {
        boxed(station::destroy(self, &facts.name))
    }

    fn report<'a>(&'a self, name: &'a str) -> Operation<'a, StationReport> {
        boxed(station::report(self, name))
    }

    fn walks<'a>(&'a self, name: &'a str, start: Start, partition: Option<u32>) -> Operation<'a, Vec<Walk>> {
        boxed(station::walks(self, name, start, partition))
    }

    fn page<'a>(&'a self, walk: &'a mut Walk, most: u32) -> Operation<'a, Vec<Stored>> {
        boxed(nats::browse::page(&self.api, walk, most))
    }

    fn group<'a>(&'a self, facts: &'a StationFacts, spec: &'a GroupSpec) -> Operation<'a, GroupFacts> {
        boxed(group::ensure(self, facts, spec))
    }

    fn retold(&self, facts: &mut StationFacts) {
        facts.schema = schemas::name_of(&self.shared, &facts.name);
    }

    fn remove_group<'a>(&'a self, facts: &'a StationFacts, group: &'a str) -> Operation<'a, bool> {
        boxed(group::remove(self, facts, group))
    }

    fn position<'a>(&'a self, place: &'a Place, group: &'a str) -> Operation<'a, Option<u64>> {
        boxed(nats::group::position(&self.api, place, group))
    }

    fn bury<'a>(&'a self, death: &'a Death) -> Operation<'a, ()> {
        boxed(dead::bury(self, death))
    }

    fn schema<'a>(&'a self, name: &'a str) -> Operation<'a, Option<Schema>> {
        Operation::ready(Ok(schemas::known(&self.shared, name)))
    }

    fn create_schema<'a>(&'a self, schema: &'a Schema) -> Operation<'a, u64> {
        boxed(schemas::create(self, schema))
    }

    fn enforce<'a>(&'a self, station: &'a str, schema: &'a str) -> Operation<'a, ()> {
        boxed(schemas::enforce(self, station, schema))
    }

    fn prepare<'a>(&self, needs: u8) -> Operation<'a, ()> {
        lacking(if needs & NEEDS_DELAY > 0 {
            "messages that appear later (delayMs)"
        } else {
            "messages that vanish (expirationMs)"
        })
    }

    fn stations<'a>(&self) -> Operation<'a, Vec<StationReport>> {
        lacking("list of its stations for clients")
    }

    fn purge<'a>(&self) -> Operation<'a, u64> {
        lacking("way to remove the messages of a station")
    }

    fn newest_letter<'a>(&self) -> Operation<'a, u64> {
        lacking(LETTERS)
    }

    fn letters<'a>(&self) -> Operation<'a, Vec<Letter>> {
        lacking(LETTERS)
    }

    fn revive<'a>(&self) -> Operation<'a, Revived> {
        lacking(LETTERS)
    }

    fn discard<'a>(&self) -> Operation<'a, ()> {
        lacking(LETTERS)
    }
}

/// What nobody but the broker's own pages can ask for.
const LETTERS: &str = "list of its dead letters for clients";

/// The station's places, by its partitions.
pub fn places(station: &str, partitions: &[u32]) -> Vec<Place> {
    match partitions {
        [] => vec![names::place(station, 0, None)],
        numbers => numbers.iter().map(|number| names::place(station, *number, None)).collect(),
    }
}

/// Boxed here: what is small and known by its virtual call alone would be in the part that is loaded first.
#[inline(never)]
fn boxed<'a, T: 'a>(work: impl Future<Output = Done<T>> + 'a) -> Operation<'a, T> {
    Operation::new(work)
}

#[inline(never)]
fn lacking<'a, T: 'a>(what: &str) -> Operation<'a, T> {
    Operation::ready(Err(Error::new(Kind::NotSupported, format!("Memphis has no {what}"))
        .hint("capabilities tells what this broker can do.")))
}
