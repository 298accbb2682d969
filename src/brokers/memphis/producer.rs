//! Producers: a row in the broker's database, and what the broker tells about the station when one is made (memphis.md section
//! 2.4). The row of a name is made once a connection: a second one would stay for half an hour after we are gone.

use super::control;
use super::ops::places;
use super::shared::{About, leave_row, take};
use super::{Ops, names, schemas, station};
use crate::base::bytes::push_decimal;
use crate::base::error::Kind;
use crate::base::value::Value;
use crate::brokers::nats;
use crate::brokers::terms::{Done, StationFacts};
use crate::link::session::Place;

/// Make a producer of this name at a station.
pub async fn open(ops: &Ops, found: StationFacts, producer: &str) -> Done<StationFacts> {
    let shared = &ops.shared;
    let name = found.name.as_str();
    let asked = found.places.first().map(|place| ops.api.begin(&format!("STREAM.INFO.{}", place.store), Vec::new()));
    let places = if take(&shared.producers, name, producer, "") {
        schemas::refresh(ops, name).await?;
        found.places.clone()
    } else {
        match create_once(ops, name, producer).await {
            Ok(answer) => partitions(name, &answer),
            Err(error) => {
                leave_row(&shared.producers, name, producer, "");
                return Err(error);
            }
        }
    };
    let mut facts = station::facts(ops, name, places, found.existed);
    if let Some(asked) = asked {
        // How long an id is remembered decides about repeats. Who may not ask gets the default.
        facts.window = asked.answer().await.map_or(facts.window, |info| nats::station::read_spec(&info).window);
    }
    Ok(facts)
}

/// Make the row. Where the link was lost meanwhile, the request may have been read twice: all rows of that name go, and there
/// is one again.
async fn create_once(ops: &Ops, name: &str, producer: &str) -> Done<Value> {
    let links = ops.shared.links.get();
    let answer = create(ops, name, producer).await?;
    if ops.shared.links.get() == links {
        return Ok(answer);
    }
    remove(ops, name, producer).await?;
    create(ops, name, producer).await
}

/// Make the row. Whoever makes one hears of changes of the station's schema, and what it is now.
async fn create(ops: &Ops, name: &str, producer: &str) -> Done<Value> {
    let shared = &ops.shared;
    shared.listen(names::schema_updates(name), About::Schema(name.into()));
    let body = control::making(ops, producer, name).text("producer_type", "application");
    let answer = control::ask(ops, "producer_creations", body, name).await?;
    schemas::learn(shared, name, &answer);
    Ok(answer)
}

/// The partitions that an answer lists; none means a station without (brokers before 1.2).
pub fn partitions(station: &str, answer: &Value) -> Vec<Place> {
    let listed = answer.get("partitions_update").get("partitions_list").elements();
    let numbers: Vec<u32> =
        listed.iter().filter_map(Value::whole).filter_map(|number| u32::try_from(number).ok()).collect();
    let functions = answer.get("station_partitions_first_functions");
    let mut places = places(station, &numbers);
    for place in places.iter_mut().filter(|_| !functions.entries().is_empty()) {
        let mut key = Vec::new();
        push_decimal(&mut key, u64::from(place.partition));
        if let Some(id) = functions.get(std::str::from_utf8(&key).unwrap_or_default()).whole() {
            *place = names::place(station, place.partition, Some(id));
        }
    }
    places
}

/// A producer was destroyed; the row goes with the last one of its name.
pub async fn leave(ops: &Ops, name: &str, producer: &str) -> Done<()> {
    if leave_row(&ops.shared.producers, name, producer, "") {
        remove(ops, name, producer).await?;
        ops.shared.leave(name);
    }
    Ok(())
}

async fn remove(ops: &Ops, name: &str, producer: &str) -> Done<()> {
    match control::ask(ops, "producer_destructions", control::of_ours(ops, producer, name, 1), name).await {
        Err(error) if error.kind != Kind::NoSuchStation => Err(error),
        _ => Ok(()),
    }
}

/// Find a station with its schema. Where it was not heard all along, the broker tells it to whoever makes a producer: one is
/// made for the question, and goes with it.
pub async fn bound(ops: &Ops, name: &str) -> Done<Option<StationFacts>> {
    let Some(found) = station::find(ops, name).await? else { return Ok(None) };
    schemas::refresh(ops, name).await?;
    Ok(Some(station::facts(ops, name, found.places, true)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stores(answer: &str) -> Vec<String> {
        let answer = serde_json::from_str(answer).unwrap();
        partitions("a.b", &answer).into_iter().map(|place| place.address).collect()
    }

    #[test]
    fn partitions_are_those_of_the_list() {
        assert_eq!(stores(r#"{"partitions_update":{"partitions_list":[1,3]}}"#), ["a#b$1.final", "a#b$3.final"]);
        assert_eq!(stores(r#"{"partitions_update":{"partitions_list":null}}"#), ["a#b.final"]);
        assert_eq!(stores("{}"), ["a#b.final"]);
        assert_eq!(
            stores(r#"{"partitions_update":{"partitions_list":[1,2]},"station_partitions_first_functions":{"2":9}}"#),
            ["a#b$1.final", "a#b$2.functions.9"]
        );
    }
}
