//! What the session and the operations of one connection both know.
//!
//! The broker keeps a row a producer and a row a consumer, under our connection id: each is made once and left once, however
//! often the link is lost and however many of ours share a name.

use crate::brokers::terms::Schema;
use std::cell::{Cell, RefCell};
use std::task::Waker;

/// See the module.
#[derive(Debug)]
pub struct Shared {
    /// The connection id: one for the life of the client, over all its links.
    pub id: String,
    /// The id of the program.
    pub app: String,
    /// Who is logged in, in lower case, as requests name him.
    pub user: RefCell<String>,
    /// Rows of producers.
    pub producers: RefCell<Vec<Row>>,
    /// Rows of consumers.
    pub consumers: RefCell<Vec<Row>>,
    /// What is known of stations.
    pub stations: RefCell<Vec<Known>>,
    /// Subscriptions to what the broker tells by itself; the index is their number.
    pub ears: RefCell<Vec<Ear>>,
    /// Schema failures are to be notified as well (section 2.13).
    pub notify: Cell<bool>,
    /// How often the link was lost.
    pub links: Cell<u32>,
    /// Somebody listens, or does not any more, and the broker has not been told.
    pub changed: Cell<bool>,
    /// Who waits for what the next input may bring.
    pub waiting: RefCell<Vec<Waker>>,
}

/// A row of ours in the broker's database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The station.
    pub station: String,
    /// Name of the producer or consumer.
    pub name: String,
    /// The consumer's group; empty for a producer.
    pub group: String,
    /// How many of ours stand on it.
    pub uses: u32,
    /// The link was lost while it was made: there may be two.
    pub doubled: bool,
}

impl Row {
    /// It is this one.
    pub fn is(&self, station: &str, name: &str, group: &str) -> bool {
        self.station == station && self.name == name && self.group == group
    }
}

/// What was heard of a station, in answers and in updates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub station: String,
    /// Its schema; `None` for none.
    pub schema: Option<Schema>,
    /// The link has been there ever since: an update would have come.
    pub fresh: bool,
    /// Messages that fail the schema are to be reported (section 2.10).
    pub reports: bool,
}

/// Something that the broker tells by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ear {
    /// Subject, and behind a blank the queue group, if there is one. Empty: nobody listens any more, and the number is free.
    pub subject: String,
    /// What it is about.
    pub about: About,
}

/// What a subscription is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// All clients (section 2.8).
    Clients,
    /// The schema of this station (section 2.9).
    Schema(String),
    /// Dead letters that are sent again to this group of a station (section 5.8).
    Dead {
        /// The station.
        station: String,
        /// The group.
        group: String,
    },
}

impl Shared {
    /// A client with these ids.
    pub fn new(id: &str, app: &str) -> Shared {
        Shared {
            id: id.into(),
            app: app.into(),
            user: RefCell::default(),
            producers: RefCell::default(),
            consumers: RefCell::default(),
            stations: RefCell::default(),
            ears: RefCell::new(vec![Ear { subject: "$memphis_sdk_clients_updates".into(), about: About::Clients }]),
            notify: Cell::new(false),
            links: Cell::new(0),
            changed: Cell::new(true),
            waiting: RefCell::new(Vec::new()),
        }
    }

    /// There was an input, and what it brings is told in this turn: whoever waits looks after it.
    pub fn wake(&self) {
        for waker in self.waiting.take() {
            waker.wake();
        }
    }

    /// Listen; nothing happens if somebody does already. It takes effect before the next request leaves.
    pub fn listen(&self, subject: String, about: About) {
        let mut ears = self.ears.borrow_mut();
        if !ears.iter().any(|ear| ear.subject == subject) {
            self.changed.set(true);
            match ears.iter_mut().find(|ear| ear.subject.is_empty()) {
                Some(free) => *free = Ear { subject, about },
                None => ears.push(Ear { subject, about }),
            }
        }
    }

    /// Listen no longer.
    pub fn hush(&self, about: &About) {
        for ear in self.ears.borrow_mut().iter_mut().filter(|ear| ear.about == *about) {
            ear.subject.clear();
            self.changed.set(true);
        }
    }

    /// What is known of a station, to be looked at or changed; it is known from now on.
    pub fn station<T>(&self, station: &str, work: impl FnOnce(&mut Known) -> T) -> T {
        let mut stations = self.stations.borrow_mut();
        if !stations.iter().any(|known| known.station == station) {
            stations.push(Known { station: station.into(), ..Known::default() });
        }
        match stations.iter_mut().find(|known| known.station == station) {
            Some(known) => work(known),
            None => work(&mut Known::default()),
        }
    }

    /// What is known of a station's schema: `None` if nothing is, or something may have changed unheard.
    pub fn schema_of(&self, station: &str) -> Option<Option<Schema>> {
        let stations = self.stations.borrow();
        stations.iter().find(|known| known.station == station && known.fresh).map(|known| known.schema.clone())
    }

    /// What is known of a station, if anything is, may have changed.
    pub fn doubt(&self, station: &str) {
        self.stations
            .borrow_mut()
            .iter_mut()
            .filter(|known| known.station == station)
            .for_each(|known| known.fresh = false);
    }

    /// The link was lost: updates may have passed by.
    pub fn link_lost(&self) {
        self.links.set(self.links.get().wrapping_add(1));
        self.stations.borrow_mut().iter_mut().for_each(|known| known.fresh = false);
    }

    /// Something of a station was left; when nothing of ours is there any more, nobody has to hear of it.
    pub fn leave(&self, station: &str) {
        let used = |rows: &RefCell<Vec<Row>>| rows.borrow().iter().any(|row| row.station == station);
        if !used(&self.producers) && !used(&self.consumers) {
            self.forget(station);
        }
    }

    /// A station is gone, and its rows with it.
    pub fn forget(&self, station: &str) {
        self.producers.borrow_mut().retain(|row| row.station != station);
        self.consumers.borrow_mut().retain(|row| row.station != station);
        self.stations.borrow_mut().retain(|known| known.station != station);
        self.hush(&About::Schema(station.into()));
    }
}

/// One more of ours stands on a row. False if there was none yet: it has to be made.
pub fn take(rows: &RefCell<Vec<Row>>, station: &str, name: &str, group: &str) -> bool {
    let mut rows = rows.borrow_mut();
    if let Some(row) = rows.iter_mut().find(|row| row.is(station, name, group)) {
        row.uses = row.uses.saturating_add(1);
        return true;
    }
    let (station, name, group) = (station.into(), name.into(), group.into());
    rows.push(Row { station, name, group, uses: 1, doubled: false });
    false
}

/// One less stands on it. True if it was the last one: it is not needed any more.
pub fn leave_row(rows: &RefCell<Vec<Row>>, station: &str, name: &str, group: &str) -> bool {
    let mut rows = rows.borrow_mut();
    let Some(at) = rows.iter().position(|row| row.is(station, name, group)) else { return false };
    let last = rows.get_mut(at).is_some_and(|row| {
        row.uses = row.uses.saturating_sub(1);
        row.uses == 0
    });
    if last {
        rows.remove(at);
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_subscriptions_are_used_again() {
        let shared = Shared::new("c", "a");
        shared.listen("x".into(), About::Schema("s".into()));
        shared.listen("x".into(), About::Schema("s".into()));
        assert_eq!(shared.ears.borrow().len(), 2);
        shared.hush(&About::Schema("s".into()));
        shared.listen("y".into(), About::Schema("t".into()));
        assert_eq!(shared.ears.borrow()[1].subject, "y");
    }

    #[test]
    fn a_row_goes_with_the_last_that_stands_on_it() {
        let shared = Shared::new("c", "a");
        let rows = &shared.consumers;
        assert!(!take(rows, "s", "n", "g"));
        assert!(take(rows, "s", "n", "g"));
        assert!(!take(rows, "s", "n", "h"));
        assert!(!leave_row(rows, "s", "n", "g"));
        assert!(leave_row(rows, "s", "n", "g"));
        assert!(!leave_row(rows, "s", "n", "g"));
        shared.station("s", |known| known.fresh = true);
        shared.leave("s");
        assert!(shared.schema_of("s").is_some());
        assert!(leave_row(rows, "s", "n", "h"));
        shared.leave("s");
        assert_eq!(shared.schema_of("s"), None);
    }

    #[test]
    fn what_may_have_changed_unheard_is_not_known() {
        let shared = Shared::new("c", "a");
        assert_eq!(shared.schema_of("s"), None);
        shared.station("s", |known| known.fresh = true);
        assert_eq!(shared.schema_of("s"), Some(None));
        shared.link_lost();
        assert_eq!(shared.schema_of("s"), None);
        shared.station("s", |known| known.fresh = true);
        shared.doubt("s");
        shared.doubt("somebody-elses");
        assert_eq!((shared.schema_of("s"), shared.stations.borrow().len()), (None, 1));
    }
}
