//! Looking at what the broker holds, and throwing it away: lists, walks, purges.
//!
//! Knows nothing of groups and of who looks.

use super::partition::Partition;
use super::stations::{begin, place};
use super::store::{Store, missing};
use crate::base::error::Error;
use crate::base::limits;
use crate::base::time::Now;
use crate::brokers::terms::{Done, Start, StationReport, Stored, Walk, Way};

impl Store {
    /// Every station, by name.
    pub fn list(&mut self, now: Now) -> Done<Vec<StationReport>> {
        let mut names: Vec<_> = self.stations.iter().map(|(_, station)| station.name.clone()).collect();
        names.sort_unstable();
        names.iter().map(|name| self.report(now, name)).collect()
    }

    /// Remove all messages of a station; says how many there were.
    pub fn purge(&mut self, now: Now, name: &str) -> Done<u64> {
        let (key, _) = self.find(name).ok_or_else(|| missing(name))?;
        self.refresh(now, key);
        let station = self.stations.get_mut(key).ok_or_else(|| missing(name))?;
        let removed = station.partitions.iter_mut().fold(0u64, |sum, partition| sum.saturating_add(partition.clear()));
        // The groups see what is gone.
        self.refresh(now, key);
        Ok(removed)
    }

    /// Begin walks through the partitions, or one of them, up to what is there now.
    pub fn walks(&mut self, now: Now, name: &str, start: Start, only: Option<u32>) -> Done<Vec<Walk>> {
        let (key, _) = self.find(name).ok_or_else(|| missing(name))?;
        self.refresh(now, key);
        let station = self.stations.get(key).ok_or_else(|| missing(name))?;
        let wanted = |(number, _): &(u32, &Partition)| only.is_none_or(|only| only == *number);
        let walks: Vec<_> = (1..)
            .zip(&station.partitions)
            .filter(wanted)
            .map(|(number, partition)| Walk {
                place: place(name, number),
                next: begin(partition, start),
                last: partition.next().saturating_sub(1),
                way: Way::Pages,
                only: String::new(),
                copies: false,
            })
            .collect();
        if walks.is_empty() {
            return Err(Error::argument("the station has no such partition")
                .hint("Partitions are numbered from 1; station.partitions lists them.")
                .at(name));
        }
        Ok(walks)
    }

    /// The next messages of a walk, at most so many; none only where it is over.
    pub fn page(&mut self, now: Now, walk: &mut Walk, most: u32) -> Done<Vec<Stored>> {
        let name = &walk.place.station;
        let (key, _) = self.find(name).ok_or_else(|| missing(name))?;
        self.refresh(now, key);
        let index = (walk.place.partition as usize).wrapping_sub(1);
        let partition = self.stations.get(key).and_then(|station| station.partitions.get(index));
        let partition = partition.ok_or_else(|| missing(name))?;
        let mut found = Vec::new();
        let mut bytes = 0u64;
        walk.next = walk.next.max(partition.first());
        while !walk.is_over() && found.len() < most as usize && bytes < limits::PAGE_BYTES {
            if let Some((message, all)) = partition.get(walk.next) {
                let (head, data) = all.split_at_checked(message.head as usize).unwrap_or_default();
                bytes = bytes.saturating_add(all.len() as u64);
                found.push(Stored {
                    partition: walk.place.partition,
                    sequence: walk.next,
                    stamp: message.stamp,
                    head: head.to_vec(),
                    data: data.to_vec(),
                });
            }
            walk.next = walk.next.saturating_add(1);
        }
        Ok(found)
    }
}
