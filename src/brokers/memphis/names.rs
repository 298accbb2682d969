//! What things are called on the broker (memphis.md section 3).

use crate::link::session::Place;

/// The internal form of a name: lower case, `#` for every dot.
pub fn internal(name: &str) -> String {
    name.replace('.', "#").to_ascii_lowercase()
}

/// The external form of an internal name.
pub fn external(name: &str) -> String {
    name.replace('#', ".")
}

/// The stream of a partition; 0 is that of a station without partitions, which brokers before 1.2 made.
pub fn stream(station: &str, partition: u32) -> String {
    let name = internal(station);
    if partition == 0 { name } else { format!("{name}${partition}") }
}

/// Where a partition is kept. `function`: what messages go through first, on the vendor's cloud (section 2.14).
pub fn place(station: &str, partition: u32, function: Option<u64>) -> Place {
    let store = stream(station, partition);
    let address = match function {
        None => format!("{store}.final"),
        Some(id) => format!("{store}.functions.{id}"),
    };
    Place { station: station.into(), partition: partition.max(1), store, address }
}

/// Whether a station has partitions: one that has none cannot be named in reports (section 2.11).
pub fn has_partitions(place: &Place) -> bool {
    crate::base::bytes::find(&place.store, "$").is_some()
}

/// Whom schema updates of a station are told to.
pub fn schema_updates(station: &str) -> String {
    format!("$memphis_schema_updates_{}", internal(station))
}

/// A UUID, version 4.
pub fn uuid(random: [[u8; 8]; 2]) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::new();
    for (at, byte) in random.as_flattened().iter().enumerate() {
        let byte = match at {
            6 => byte & 0x0f | 0x40,
            8 => byte & 0x3f | 0x80,
            _ => *byte,
        };
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from(HEX.get(usize::from(nibble)).copied().unwrap_or(b'0')));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_hashes_inside() {
        assert_eq!((internal("my.St"), external("my#st")), ("my#st".into(), "my.st".into()));
        let place = place("my.st", 2, None);
        assert_eq!((place.store.as_str(), place.address.as_str()), ("my#st$2", "my#st$2.final"));
        assert!(has_partitions(&place));
        let old = super::place("a", 0, None);
        assert_eq!((old.store.as_str(), old.partition, has_partitions(&old)), ("a", 1, false));
        assert_eq!(super::place("a", 1, Some(7)).address, "a$1.functions.7");
    }

    #[test]
    fn ids_are_of_version_4() {
        let id = uuid([[0xff; 8]; 2]);
        assert_eq!(id, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
