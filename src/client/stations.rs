//! Stations that producers need: made where they are missing.

use super::driver::Driver;
use super::turn::ProducerId;
use crate::base::error::{self, Error};
use crate::brokers::Kind;
use crate::brokers::terms::{Done, StationFacts, StationSpec};
use crate::runtime::Part;
use std::rc::Rc;

/// Open a producer.
#[inline(never)]
pub fn open(driver: &Rc<Driver>, id: ProducerId, names: Vec<String>) {
    let task = driver.clone();
    driver.spawn(async move {
        let mut found = Vec::new();
        let name = task.look(|core| core.producers.get(id).map(|producer| producer.name.clone())).unwrap_or_default();
        let result = ensure(&task, &name, &names, &mut found).await;
        if result.is_err() && task.broker() == Kind::Memphis {
            // What was made for it at other stations is of no use.
            task.take_back(&name, &found);
        }
        task.call(|core, now| {
            let (producers, _, _, mut ctx) = core.parts(now);
            match result {
                Ok(()) => producers.opened(&mut ctx, id, found),
                Err(error) => producers.end(&mut ctx, id, &error),
            }
        });
    });
}

/// Find the stations of a producer of this name; what is missing is created.
async fn ensure(driver: &Rc<Driver>, own: &str, names: &[String], found: &mut Vec<StationFacts>) -> Done<()> {
    let since = driver.watch_registry(names);
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
        let facts = ops.producer(facts, own).await?;
        if facts.places.iter().any(|place| place.address.is_empty()) {
            return Err(Error::new(
                    error::Kind::NotSupported,
                    "messages cannot be sent to this stream: there is no one subject that is its own, or it never confirms",
                )
                .hint("Give the stream one subject without wildcards, or name one in its metadata as stationmaster.subject. A mirror, or a stream with no_ack, takes no messages from here.")
                .at(name));
        }
        let bound = driver.bind(&facts, since).await;
        found.push(facts);
        bound?;
    }
    Ok(())
}
