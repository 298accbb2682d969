//! The registry of schemas, and which station enforces which.
//!
//! Knows nothing of engines and messages.

use super::members::Parcel;
use super::store::{Store, full, missing};
use crate::base::error::{Error, Kind};
use crate::brokers::terms::{Done, Schema, no_schema};
use crate::link::session::News;

impl Store {
    /// The newest version of a schema.
    pub fn schema(&self, name: &str) -> Option<Schema> {
        self.schemas.iter().find(|schema| schema.name == name).cloned()
    }

    /// Make a schema, or another version of it, whose number comes back. The same text again changes nothing.
    pub fn create_schema(&mut self, asked: &Schema) -> Done<u64> {
        let old = self.schemas.iter_mut().find(|schema| schema.name == asked.name);
        let (version, freed) = match &old {
            None => (1, 0),
            Some(old) if old.kind != asked.kind => {
                return Err(Error::new(
                    Kind::AlreadyExists,
                    format!("the schema {} exists and is of the type {}", asked.name, old.kind),
                )
                .hint("A schema keeps its type through all versions; choose another name."));
            }
            Some(old) if old.definition == asked.definition => return Ok(old.version),
            Some(old) => (old.version.saturating_add(1), size(old)),
        };
        let used = self.used.get().saturating_sub(freed).saturating_add(size(asked));
        if used > self.limit {
            return Err(full(self.limit));
        }
        self.used.set(used);
        let new = Schema { version, ..asked.clone() };
        match old {
            Some(old) => *old = new,
            None => self.schemas.push(new),
        }
        self.tell(&News::Schema { name: asked.name.clone(), version });
        Ok(version)
    }

    /// Enforce a schema on a station, another one in its place, or (`""`) none.
    pub fn enforce(&mut self, station: &str, schema: &str) -> Done<()> {
        if !schema.is_empty() && self.schema(schema).is_none() {
            return Err(no_schema(schema).at(station));
        }
        let key = self.find(station).map(|(key, _)| key).ok_or_else(|| missing(station))?;
        if let Some(station) = self.stations.get_mut(key) {
            station.spec.schema = schema.into();
        }
        self.tell(&News::Station { name: station.into(), schema: schema.into() });
        Ok(())
    }

    /// A connection wants to know what changes.
    pub fn watch(&mut self, seat: usize) {
        if !self.watching.contains(&seat) {
            self.watching.push(seat);
        }
    }

    /// It does not any more.
    pub fn unwatch(&mut self, seat: usize) {
        self.watching.retain(|other| *other != seat);
    }

    fn tell(&mut self, news: &News) {
        for seat in &self.watching {
            self.seats.put(*seat, Parcel::Registry(news.clone()));
        }
    }
}

fn size(schema: &Schema) -> u64 {
    let texts = [&schema.name, &schema.definition, &schema.message];
    texts.iter().fold(0, |sum, text| sum.saturating_add(text.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(name: &str, kind: &str, definition: &str) -> Schema {
        Schema {
            name: name.into(),
            kind: kind.into(),
            version: 0,
            definition: definition.into(),
            message: String::new(),
        }
    }

    #[test]
    fn versions_count_and_the_same_text_is_none() {
        let mut store = Store::new();
        store.create_schema(&schema("a", "json", "{}")).unwrap();
        store.create_schema(&schema("a", "json", "{}")).unwrap();
        assert_eq!(store.schema("a").unwrap().version, 1);
        store.create_schema(&schema("a", "json", "true")).unwrap();
        assert_eq!(store.schema("a").unwrap().version, 2);
        assert_eq!(store.used.get(), 5, "only the newest version takes room");
        assert_eq!(store.create_schema(&schema("a", "avro", "{}")).unwrap_err().kind, Kind::AlreadyExists);
    }

    #[test]
    fn a_full_broker_takes_no_schema() {
        let mut store = Store::new();
        store.limit = 10;
        assert_eq!(store.create_schema(&schema("a", "json", "0123456789")).unwrap_err().kind, Kind::Rejected);
        assert_eq!((store.schema("a"), store.used.get()), (None, 0));
    }

    #[test]
    fn only_what_is_there_is_enforced() {
        let mut store = Store::new();
        assert_eq!(store.enforce("s", "a").unwrap_err().kind, Kind::Rejected);
        assert_eq!(store.enforce("s", "").unwrap_err().kind, Kind::NoSuchStation);
    }
}
