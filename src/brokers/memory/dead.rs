//! Dead letters: what a group gives up on goes to the dead of its station, and to the station named for it.
//!
//! They are messages in a partition beside the station's own, with the headers that tell where they came from, so they
//! age, count towards the broker's limit and are known by their ids as all messages are. Knows no connections.
//!
//! Where there is no room for a copy the message stays as it is, and dies when its ack time is over again.

use super::head;
use super::partition::Partition;
use super::store::{Published, Station, Store, full, missing, removed};
use super::token::{Spot, Token};
use crate::base::limits;
use crate::base::time::{Millis, Now};
use crate::brokers::dead::{Death, Kept, Letter, Revived, gone};
use crate::brokers::terms::{Done, Retention, StationSpec};
use crate::link::session::Draft;
use crate::policy::partition::{self, Choice};
use crate::policy::redelivery::Cause;
use std::cell::Cell;
use std::rc::Rc;

/// Letters handed out at a time.
const AT_ONCE: usize = 16;

/// An empty list of dead letters.
pub(super) fn letters(used: Rc<Cell<u64>>) -> Partition {
    Partition::new(Retention::Age(limits::DEAD_SECONDS), limits::DEAD_WINDOW, used)
}

/// What a partition is stored under, as ids of copies name it: the same as on a broker with a store for each.
fn store(station: &str, partition: u32) -> String {
    if partition <= 1 { station.into() } else { format!("{station}${partition}") }
}

impl Store {
    /// Record a death that a connection tells of.
    pub fn bury(&mut self, now: Now, death: &Death) -> Done<()> {
        let (key, _) = self.find(&death.station).ok_or_else(|| missing(&death.station))?;
        self.refresh(now, key);
        if death.token.is_empty() {
            return self.lay(now, key, death);
        }
        let token = Token::read(&death.token).ok_or_else(|| removed(&death.station))?;
        // What retention has taken meanwhile counts as done for the group; the letter brings the message along.
        let done = self.is_done(token.spot, token.sequence).ok_or_else(|| removed(&death.station))?;
        if done && !self.is_taken(token.spot, token.sequence) {
            return Ok(());
        }
        self.lay(now, key, death)?;
        self.done_with(token.spot, token.sequence);
        Ok(())
    }

    /// Record the deaths that time has brought to a group.
    pub(super) fn bury_due(&mut self, now: Now, spot: Spot) {
        for (sequence, deliveries) in self.take_dying(spot) {
            if let Some(death) = self.death(spot, sequence, deliveries)
                && self.lay(now, spot.station as usize, &death).is_err()
            {
                continue;
            }
            self.done_with(spot, sequence);
        }
    }

    /// Record what time has brought where the dead go to another station, whose consumers may wait for them.
    pub(super) fn bury_for_others(&mut self, now: Now) {
        let sends = |(key, station): (usize, &Station)| (!station.spec.dls_station.is_empty()).then_some(key);
        let keys: Vec<_> = self.stations.iter().filter_map(sends).collect();
        for key in keys {
            self.refresh(now, key);
        }
    }

    /// What dies there; `None` if retention was faster.
    fn death(&self, spot: Spot, sequence: u64, deliveries: u32) -> Option<Death> {
        let station = self.stations.get(spot.station as usize)?;
        let group = station.groups.get(spot.group as usize)?;
        let (message, bytes) = station.partitions.get(spot.partition as usize)?.get(sequence)?;
        let (head, data) = bytes.split_at_checked(message.head as usize)?;
        Some(Death {
            station: station.name.clone(),
            partition: spot.partition.saturating_add(1),
            sequence,
            group: group.name.clone(),
            producer: String::new(),
            deliveries,
            cause: Cause::Deliveries,
            headers: head::headers(head),
            data: data.to_vec(),
            token: Vec::new(),
            told: false,
            nonce: String::new(),
            limit: Millis(0),
        })
    }

    fn take_dying(&mut self, spot: Spot) -> Vec<(u64, u32)> {
        let index = spot.partition as usize;
        let reading = self.group(spot).and_then(|group| group.cursors.get_mut(index));
        reading.map(|reading| reading.cursor.dying()).unwrap_or_default()
    }

    fn is_done(&mut self, spot: Spot, sequence: u64) -> Option<bool> {
        let index = spot.partition as usize;
        Some(self.group(spot)?.cursors.get(index)?.cursor.is_done(sequence))
    }

    /// Age, number or size have taken it from the station, not its groups.
    fn is_taken(&self, spot: Spot, sequence: u64) -> bool {
        let Some(station) = self.stations.get(spot.station as usize) else { return false };
        let partition = station.partitions.get(spot.partition as usize);
        station.spec.retention != Retention::Acked
            && partition.is_some_and(|partition| partition.get(sequence).is_none())
    }

    fn done_with(&mut self, spot: Spot, sequence: u64) {
        let index = spot.partition as usize;
        let Some(reading) = self.group(spot).and_then(|group| group.cursors.get_mut(index)) else { return };
        reading.cursor.ack(sequence);
        let finished = reading.cursor.finished();
        if let Some(station) = self.stations.get_mut(spot.station as usize) {
            station.reap(index, finished);
        }
    }

    /// Copy it where the station's options say: everywhere, or nowhere if there is no room.
    fn lay(&mut self, now: Now, key: usize, death: &Death) -> Done<()> {
        let station = self.stations.get(key).ok_or_else(|| missing(&death.station))?;
        let spec = &station.spec;
        let keeps = match death.cause {
            Cause::Schema(_) => spec.schema_failed_to_dls,
            Cause::Deliveries | Cause::Rejected(_) => spec.poison_to_dls,
        };
        let other = spec.dls_station.clone();
        let id = death.id(&store(&death.station, death.partition));
        let (message, head) = encoded(&death.copy(), &id, &death.data);
        let copies = u64::from(keeps).saturating_add(u64::from(!other.is_empty()));
        self.make_room(now, Partition::cost(&message, Some(&id)).saturating_mul(copies))?;
        if keeps && let Some(station) = self.stations.get_mut(key) {
            station.letters.expire(now);
            if station.letters.known(now, &id).is_none() {
                station.letters.append(now, &message, head, Some(&id), true);
            }
        }
        if other.is_empty() {
            return Ok(());
        }
        let key = match self.find(&other) {
            Some((key, _)) => key,
            None => self.insert(now, &other, &StationSpec::default()),
        };
        let index = self.by_hash(key, &id);
        match self.append(now, key, index, &message, head) {
            Published::Refused(error) | Published::Lost(error) => Err(error),
            Published::Stored(_) | Published::Duplicate(_) => Ok(()),
        }
    }

    /// The index of the partition that an id chooses.
    fn by_hash(&self, key: usize, id: &str) -> usize {
        let count = self.stations.get(key).map_or(0, |station| station.partitions.len());
        let numbers: Vec<_> = (1..=u32::try_from(count).unwrap_or(u32::MAX)).collect();
        partition::choose(Choice::Hash(partition::hash(id)), &numbers, &mut 0).unwrap_or(0)
    }

    fn make_room(&mut self, now: Now, cost: u64) -> Done<()> {
        let room = self.limit.saturating_sub(cost);
        if self.used.get() > room {
            self.expire_all(now);
        }
        if self.used.get() > room { Err(full(self.limit)) } else { Ok(()) }
    }

    /// The station's dead, up to date.
    fn dead(&mut self, now: Now, name: &str) -> Done<(usize, &mut Partition)> {
        let (key, _) = self.find(name).ok_or_else(|| missing(name))?;
        self.refresh(now, key);
        let station = self.stations.get_mut(key).ok_or_else(|| missing(name))?;
        Ok((key, &mut station.letters))
    }

    /// The number of the newest letter; 0 if there has never been one.
    pub fn newest_letter(&mut self, now: Now, name: &str) -> Done<u64> {
        Ok(self.dead(now, name)?.1.next().saturating_sub(1))
    }

    /// The next letters with numbers from `from` to `to`.
    pub fn letters(&mut self, now: Now, name: &str, from: u64, to: u64) -> Done<Vec<Letter>> {
        let letters = self.dead(now, name)?.1;
        let numbers = from.max(letters.first())..=to.min(letters.next().saturating_sub(1));
        Ok(numbers.filter_map(|number| letter(letters, name, number)).take(AT_ONCE).collect())
    }

    /// Put a letter into its station again, as a new message, and forget it.
    pub fn revive(&mut self, now: Now, name: &str, number: u64) -> Done<Revived> {
        let (key, letters) = self.dead(now, name)?;
        let letter = letter(letters, name, number).ok_or_else(|| gone(name))?;
        let id = letter.revival(&store(name, letter.partition), &format!("{name}$dls"));
        let (message, head) = encoded(&letter.headers, &id, &letter.data);
        let count = self.stations.get(key).map_or(0, |station| station.partitions.len());
        let index = (letter.partition as usize).checked_sub(1).filter(|index| *index < count);
        let index = index.unwrap_or_else(|| self.by_hash(key, &id));
        let (sequence, duplicate) = match self.append(now, key, index, &message, head) {
            Published::Stored(sequence) => (sequence, false),
            Published::Duplicate(sequence) => (sequence, true),
            Published::Refused(error) | Published::Lost(error) => return Err(error),
        };
        self.dead(now, name)?.1.remove(number);
        Ok(Revived { partition: u32::try_from(index).unwrap_or(0).saturating_add(1), sequence, duplicate, id })
    }

    /// Forget a letter.
    pub fn discard(&mut self, now: Now, name: &str, number: u64) -> Done<()> {
        let letters = self.dead(now, name)?.1;
        letters.get(number).ok_or_else(|| gone(name))?;
        letters.remove(number);
        Ok(())
    }
}

fn letter(letters: &Partition, name: &str, number: u64) -> Option<Letter> {
    let (message, bytes) = letters.get(number)?;
    let (head, data) = bytes.split_at_checked(message.head as usize)?;
    let kept = Kept { number, stamp: message.stamp, headers: head::headers(head), data: data.to_vec() };
    Some(Letter::read(kept, name))
}

fn encoded(headers: &[(String, String)], id: &str, data: &[u8]) -> (Vec<u8>, u32) {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    head::copy(&Draft { producer: "", headers: &headers, msg_id: Some(id), data, times: Default::default() })
}
