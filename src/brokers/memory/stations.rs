//! What is done to stations and groups as a whole: make, look up, describe, remove.
//!
//! Knows nothing of connections and of messages on their way.

use super::cursor::Cursor;
use super::dead;
use super::members::Member;
use super::partition::Partition;
use super::store::{Group, Reading, Station, Store, missing, removed, small};
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::time::Now;
use crate::brokers::terms::{
    Done, GroupFacts, GroupSpec, Retention, Start, StationFacts, StationReport, StationSpec, no_schema,
};
use crate::link::session::{FeedSpec, Place};
use slab::Slab;
use std::rc::Rc;

/// Who takes part in a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// Feeds with an open ask, counted in the partition that has the most.
    pub asking: usize,
    /// Messages given to a member, or put off, that are not settled and whose time is not over.
    pub pending: u64,
}

impl Store {
    /// Make a station, and the one for its dead letters; an existing one is left as it is.
    pub fn make_station(&mut self, now: Now, name: &str, spec: &StationSpec) -> Done<StationFacts> {
        if let Some((_, station)) = self.find(name) {
            return Ok(StationFacts { existed: true, differs: differs(&station.spec, spec), ..station.facts() });
        }
        check(spec).map_err(|error| error.at(name))?;
        if !spec.schema.is_empty() && self.schema(&spec.schema).is_none() {
            return Err(no_schema(&spec.schema).at(name));
        }
        let key = self.insert(now, name, spec);
        let facts = self.stations.get(key).map(Station::facts).ok_or_else(|| missing(name))?;
        if !spec.dls_station.is_empty() && self.find(&spec.dls_station).is_none() {
            self.insert(now, &spec.dls_station, &StationSpec::default());
        }
        Ok(facts)
    }

    /// A station that is there.
    pub fn facts(&self, name: &str) -> Option<StationFacts> {
        let (_, station) = self.find(name)?;
        Some(StationFacts { existed: true, ..station.facts() })
    }

    /// Remove a station with all it holds.
    pub fn destroy(&mut self, name: &str) -> Done<()> {
        let (key, uid) = self.find(name).map(|(key, station)| (key, station.uid)).ok_or_else(|| missing(name))?;
        self.disown(key, uid, None, &missing(name));
        self.stations.try_remove(key);
        Ok(())
    }

    /// What a station holds.
    pub fn report(&mut self, now: Now, name: &str) -> Done<StationReport> {
        let (key, _) = self.find(name).ok_or_else(|| missing(name))?;
        self.refresh(now, key);
        let station = self.stations.get(key).ok_or_else(|| missing(name))?;
        let only = match station.partitions.as_slice() {
            [only] => Some(only),
            _ => None,
        };
        Ok(StationReport {
            name: name.into(),
            partitions: station.numbers().collect(),
            messages: station
                .partitions
                .iter()
                .fold(0, |sum, partition| sum.saturating_add(partition.count()).saturating_add(partition.hidden())),
            bytes: station.partitions.iter().fold(0, |sum, partition| sum.saturating_add(partition.bytes())),
            first: only.filter(|partition| partition.count() > 0).map(Partition::first),
            last: only.and_then(|partition| partition.next().checked_sub(1)).filter(|last| *last > 0),
            groups: station.groups.len() as u64,
            created: Some(station.created),
            options: station.spec.clone(),
        })
    }

    /// Make a group, or join it as it is.
    pub fn make_group(&mut self, now: Now, station: &str, spec: &GroupSpec) -> Done<GroupFacts> {
        let (key, _) = self.find(station).ok_or_else(|| missing(station))?;
        self.refresh(now, key);
        let uid = self.last_uid.wrapping_add(1);
        let station = self.stations.get_mut(key).ok_or_else(|| missing(station))?;
        if let Some((_, group)) = station.groups.iter().find(|(_, group)| group.name == spec.name) {
            if group.auto_ack != spec.auto_ack {
                return Err(other_kind(&spec.name, group.auto_ack).at(&station.name));
            }
            return Ok(group.facts(&station.name));
        }
        self.last_uid = uid;
        let report = station.spec.retention == Retention::Acked;
        let cursors = station.partitions.iter().map(|partition| Reading {
            cursor: Cursor::new(
                begin(partition, spec.start),
                spec.ack_time,
                spec.max_deliveries.max(1),
                spec.auto_ack,
                report,
            ),
            members: Vec::new(),
        });
        let group = Group {
            uid,
            name: spec.name.clone(),
            nameless: spec.nameless,
            auto_ack: spec.auto_ack,
            ack_time: spec.ack_time,
            max_deliveries: spec.max_deliveries.max(1),
            alone_since: Some(now.mono),
            cursors: cursors.collect(),
        };
        let facts = group.facts(&station.name);
        station.groups.insert(group);
        Ok(facts)
    }

    /// Remove a group; with `only_if_alone` only where nobody asks and nobody may be at work on its messages.
    pub fn drop_group(&mut self, now: Now, station: &str, group: &str, only_if_alone: bool) -> bool {
        let Some(membership) = self.membership(now, station, group) else { return false };
        if only_if_alone && membership != Membership::default() {
            return false;
        }
        let Some((key, uid)) = self.find(station).map(|(key, station)| (key, station.uid)) else { return false };
        let place =
            self.stations.get(key).and_then(|station| station.groups.iter().find(|(_, other)| other.name == group));
        let Some((place, group_uid)) = place.map(|(place, group)| (place, group.uid)) else { return false };
        self.disown(key, uid, Some(group_uid), &removed(station));
        if let Some(station) = self.stations.get_mut(key) {
            station.drop_group(place);
        }
        true
    }

    /// Who takes part in a group; `None` if there is none.
    pub fn membership(&mut self, now: Now, station: &str, group: &str) -> Option<Membership> {
        let (key, _) = self.find(station)?;
        self.refresh(now, key);
        let group = self.stations.get(key)?.groups.iter().find(|(_, other)| other.name == group)?.1;
        Some(Membership {
            asking: group.cursors.iter().map(|reading| self.asking(reading)).max().unwrap_or_default(),
            pending: group.cursors.iter().fold(0, |sum, reading| sum.saturating_add(reading.cursor.held())),
        })
    }

    /// The last sequence up to which a group is done with a partition.
    pub fn position(&mut self, now: Now, station: &str, group: &str, partition: u32) -> Done<Option<u64>> {
        let (key, _) = self.find(station).ok_or_else(|| missing(station))?;
        self.refresh(now, key);
        let found =
            self.stations.get(key).and_then(|station| station.groups.iter().find(|(_, other)| other.name == group));
        let (_, group) = found.ok_or_else(|| removed(station))?;
        let reading = group.cursors.get((partition as usize).wrapping_sub(1)).ok_or_else(|| {
            Error::argument(format!("there is no partition {partition}"))
                .hint("Partitions are numbered from 1.")
                .at(station)
        })?;
        Ok(reading.cursor.position())
    }

    fn asking(&self, reading: &Reading) -> usize {
        reading.members.iter().filter(|member| self.members.get(**member).is_some_and(Member::is_hungry)).count()
    }

    pub(super) fn insert(&mut self, now: Now, name: &str, spec: &StationSpec) -> usize {
        self.last_uid = self.last_uid.wrapping_add(1);
        let partitions =
            (0..spec.partitions).map(|_| Partition::new(spec.retention, spec.window, Rc::clone(&self.used)));
        let station = Station {
            uid: self.last_uid,
            name: name.into(),
            spec: StationSpec { given: Vec::new(), ..spec.clone() },
            created: now.wall,
            partitions: partitions.collect(),
            groups: Slab::new(),
            letters: dead::letters(Rc::clone(&self.used)),
        };
        self.stations.insert(station)
    }
}

impl Station {
    fn facts(&self) -> StationFacts {
        StationFacts {
            name: self.name.clone(),
            places: self.numbers().map(|number| place(&self.name, number)).collect(),
            existed: false,
            differs: Vec::new(),
            window: self.spec.window,
            schema: self.spec.schema.clone(),
        }
    }

    fn numbers(&self) -> impl Iterator<Item = u32> {
        1..=small(self.partitions.len())
    }
}

impl Group {
    fn facts(&self, station: &str) -> GroupFacts {
        let feeds = (1..=small(self.cursors.len())).map(|number| FeedSpec {
            place: place(station, number),
            group: self.name.clone(),
            auto_ack: self.auto_ack,
            ack_time: self.ack_time,
        });
        GroupFacts {
            feeds: feeds.collect(),
            max_deliveries: self.max_deliveries,
            ack_time: self.ack_time,
            broker_buries: true,
            broker_drops: false,
            first: 0,
        }
    }
}

/// Where a partition is kept: under the station's own name, since this broker needs no other.
pub(super) fn place(station: &str, partition: u32) -> Place {
    Place { station: station.into(), partition, store: station.into(), address: station.into() }
}

/// The first sequence that a new group gets.
pub(super) fn begin(partition: &Partition, start: Start) -> u64 {
    match start {
        Start::First => partition.first(),
        Start::Last => partition.newest(1),
        Start::Next => partition.next(),
        Start::Sequence(sequence) => sequence.max(partition.first()),
        Start::Time(moment) => partition.since(moment),
        Start::LastMessages(count) => partition.newest(count),
    }
}

fn other_kind(group: &str, auto_ack: bool) -> Error {
    let (is, hint) = if auto_ack {
        ("without acks", "Give autoAck: true, or another consumerGroup.")
    } else {
        ("with acks", "Leave autoAck out, or give another consumerGroup.")
    };
    Error::new(Kind::AlreadyExists, format!("the group \"{group}\" exists and delivers {is}")).hint(hint)
}

/// What a station may be here. The rest of the options is taken as it comes.
fn check(spec: &StationSpec) -> Done<()> {
    if spec.partitions == 0 || spec.partitions > limits::PARTITIONS_MAX {
        return Err(Error::argument(format!("{} partitions were asked for", spec.partitions))
            .hint(format!("A station has 1 to {} partitions.", limits::PARTITIONS_MAX)));
    }
    if let Some((name, _)) = spec.extra.first() {
        return Err(Error::new(Kind::NotSupported, format!("the memory broker has no option \"{name}\""))
            .hint("Leave `extra` out."));
    }
    Ok(())
}

/// The options that the caller gave and that are stored otherwise, in the order of the contract.
fn differs(stored: &StationSpec, asked: &StationSpec) -> Vec<&'static str> {
    let ((kind, value), (asked_kind, asked_value)) = (parts(stored.retention), parts(asked.retention));
    let rows = [
        ("retentionType", kind != asked_kind),
        ("retentionValue", asked_value.is_some() && value.is_some() && value != asked_value),
        ("storageType", stored.in_memory != asked.in_memory),
        ("replicas", stored.replicas != asked.replicas),
        ("idempotencyWindowMs", stored.window != asked.window),
        ("schemaName", stored.schema != asked.schema),
        ("sendPoisonMsgToDls", stored.poison_to_dls != asked.poison_to_dls),
        ("sendSchemaFailedMsgToDls", stored.schema_failed_to_dls != asked.schema_failed_to_dls),
        ("partitionsNumber", stored.partitions != asked.partitions),
        ("dlsStation", stored.dls_station != asked.dls_station),
        ("extra", stored.extra != asked.extra),
    ];
    rows.iter().filter(|(name, other)| *other && asked.given.contains(name)).map(|(name, _)| *name).collect()
}

fn parts(retention: Retention) -> (u8, Option<u64>) {
    match retention {
        Retention::Age(value) => (0, Some(value)),
        Retention::Messages(value) => (1, Some(value)),
        Retention::Bytes(value) => (2, Some(value)),
        Retention::Acked => (3, None),
    }
}
