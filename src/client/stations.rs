//! Stations that producers need: made where they are missing.

use super::driver::Driver;
use super::turn::ProducerId;
use crate::base::error::{Error, Kind};
use crate::brokers::terms::{Done, StationFacts, StationSpec};
use crate::runtime::Part;
use std::rc::Rc;

/// Open a producer.
#[inline(never)]
pub fn open(driver: &Rc<Driver>, id: ProducerId, names: Vec<String>) {
    let task = driver.clone();
    driver.spawn(async move {
        let result = ensure(&task, id, &names).await;
        task.call(|core, now| {
            let (producers, _, _, mut ctx) = core.parts(now);
            match result {
                Ok(facts) => producers.opened(&mut ctx, id, facts),
                Err(error) => producers.end(&mut ctx, id, &error),
            }
        });
    });
}

/// Find the stations of a producer; what is missing is created.
async fn ensure(driver: &Rc<Driver>, id: ProducerId, names: &[String]) -> Done<Vec<StationFacts>> {
    let since = driver.watch_registry(names);
    let mut found = Vec::new();
    for name in names {
        // Also while the connection closes: what waits for the station may still finish.
        let ops = driver.operations()?;
        let facts = match ops.find(name).await? {
            Some(facts) => facts,
            None => {
                driver.loaded(Part::Making).await?;
                ops.station(name, &StationSpec::default()).await?
            }
        };
        let own = driver.look(|core| core.producers.get(id).map(|producer| producer.name.clone()));
        let facts = ops.producer(facts, &own.unwrap_or_default()).await?;
        if facts.places.iter().any(|place| place.address.is_empty()) {
            return Err(Error::new(
                    Kind::NotSupported,
                    "messages cannot be sent to this stream: there is no one subject that is its own, or it never confirms",
                )
                .hint("Give the stream one subject without wildcards, or name one in its metadata as stationmaster.subject. A mirror, or a stream with no_ack, takes no messages from here.")
                .at(name));
        }
        driver.bind(&facts, since).await?;
        found.push(facts);
    }
    Ok(found)
}
