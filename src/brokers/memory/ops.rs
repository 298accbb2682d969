//! The broker's operations: stations and groups as `client` asks for them.
//!
//! Knows nothing of messages. Everything here is done at once; nothing waits.

use super::registry;
use super::session::wake_all;
use super::stations::Membership;
use super::store::Store;
use crate::base::time::Now;
use crate::brokers::dead::{Death, Letter, Revived};
use crate::brokers::terms::{
    Done, GroupFacts, GroupSpec, Schema, Start, StationFacts, StationReport, StationSpec, Stored, Walk,
};
use std::cell::RefCell;
use std::rc::Rc;

/// The operations of one memory broker.
#[derive(Clone)]
pub struct Ops {
    store: Rc<RefCell<Store>>,
}

impl Ops {
    /// The broker of this name; the empty name is the default one.
    pub fn new(name: &str) -> Ops {
        Ops { store: registry::broker(name) }
    }

    #[cfg(test)]
    pub(super) fn over(store: Rc<RefCell<Store>>) -> Ops {
        Ops { store }
    }

    /// Make a station; an existing one is left as it is, and the answer says so.
    #[inline(never)]
    pub fn station(&self, now: Now, name: &str, spec: &StationSpec) -> Done<StationFacts> {
        self.store.borrow_mut().make_station(now, name, spec)
    }

    /// Look a station up.
    #[inline(never)]
    pub fn find(&self, name: &str) -> Done<Option<StationFacts>> {
        Ok(self.store.borrow().facts(name))
    }

    /// Remove a station; its producers and consumers, in every connection, learn that it is gone.
    #[inline(never)]
    pub fn destroy(&self, name: &str) -> Done<()> {
        let done = self.store.borrow_mut().destroy(name);
        wake_all(&self.store);
        done
    }

    /// The newest version of a schema.
    pub fn schema(&self, name: &str) -> Done<Option<Schema>> {
        Ok(self.store.borrow().schema(name))
    }

    /// Make a schema, or another version of it.
    pub fn create_schema(&self, schema: &Schema) -> Done<u64> {
        let done = self.store.borrow_mut().create_schema(schema);
        wake_all(&self.store);
        done
    }

    /// Enforce a schema on a station, or (`""`) none.
    pub fn enforce(&self, station: &str, schema: &str) -> Done<()> {
        let done = self.store.borrow_mut().enforce(station, schema);
        wake_all(&self.store);
        done
    }

    /// What a station holds.
    #[inline(never)]
    pub fn report(&self, now: Now, name: &str) -> Done<StationReport> {
        self.store.borrow_mut().report(now, name)
    }

    /// Every station, by name.
    #[inline(never)]
    pub fn stations(&self, now: Now) -> Done<Vec<StationReport>> {
        self.store.borrow_mut().list(now)
    }

    /// Remove the messages of a station.
    #[inline(never)]
    pub fn purge(&self, now: Now, name: &str) -> Done<u64> {
        self.store.borrow_mut().purge(now, name)
    }

    /// Begin to walk through what a station holds.
    #[inline(never)]
    pub fn walks(&self, now: Now, name: &str, start: Start, partition: Option<u32>) -> Done<Vec<Walk>> {
        self.store.borrow_mut().walks(now, name, start, partition)
    }

    /// The next messages of a walk.
    #[inline(never)]
    pub fn page(&self, now: Now, walk: &mut Walk, most: u32) -> Done<Vec<Stored>> {
        self.store.borrow_mut().page(now, walk, most)
    }

    /// Make a group, or join it where it stands and as it is.
    #[inline(never)]
    pub fn group(&self, now: Now, station: &StationFacts, spec: &GroupSpec) -> Done<GroupFacts> {
        self.store.borrow_mut().make_group(now, &station.name, spec)
    }

    /// Remove a group; false if there is none or, with `only_if_alone`, if another member shows: somebody asks, or has
    /// messages that are not settled. A caller withdraws its own asks first.
    #[inline(never)]
    pub fn remove_group(&self, now: Now, station: &StationFacts, group: &str, only_if_alone: bool) -> Done<bool> {
        let done = self.store.borrow_mut().drop_group(now, &station.name, group, only_if_alone);
        wake_all(&self.store);
        Ok(done)
    }

    /// Record a death.
    pub fn bury(&self, now: Now, death: &Death) -> Done<()> {
        let done = self.store.borrow_mut().bury(now, death);
        wake_all(&self.store);
        done
    }

    /// The number of a station's newest dead letter; 0 if there has never been one.
    pub fn newest_letter(&self, now: Now, station: &str) -> Done<u64> {
        self.store.borrow_mut().newest_letter(now, station)
    }

    /// The next dead letters with numbers from `from` to `to`; none if there are no more.
    pub fn letters(&self, now: Now, station: &str, from: u64, to: u64) -> Done<Vec<Letter>> {
        self.store.borrow_mut().letters(now, station, from, to)
    }

    /// Put a dead letter into its station again, and forget it.
    pub fn revive(&self, now: Now, station: &str, number: u64) -> Done<Revived> {
        let done = self.store.borrow_mut().revive(now, station, number);
        wake_all(&self.store);
        done
    }

    /// Forget a dead letter.
    pub fn discard(&self, now: Now, station: &str, number: u64) -> Done<()> {
        self.store.borrow_mut().discard(now, station, number)
    }

    /// Who shows as a member of a group; nobody if there is none.
    #[inline(never)]
    pub fn members(&self, now: Now, station: &str, group: &str) -> Done<Membership> {
        Ok(self.store.borrow_mut().membership(now, station, group).unwrap_or_default())
    }

    /// The last sequence up to which a group is done with a partition; `None` if there is nothing yet.
    #[inline(never)]
    pub fn position(&self, now: Now, station: &str, group: &str, partition: u32) -> Done<Option<u64>> {
        self.store.borrow_mut().position(now, station, group, partition)
    }
}
