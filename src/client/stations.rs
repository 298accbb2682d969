//! Stations that producers need: made where they are missing.

use super::driver::Driver;
use crate::base::error::{Error, Kind};
use crate::brokers::terms::{Done, StationFacts, StationSpec};
use crate::runtime::Part;
use std::pin::Pin;
use std::rc::Rc;

/// Find the stations of a producer; what is missing is created.
#[inline(never)]
pub fn ensure(driver: Rc<Driver>, names: Vec<String>) -> Pin<Box<dyn Future<Output = Done<Vec<StationFacts>>>>> {
    Box::pin(async move {
        let since = driver.watch_registry(&names);
        let mut found = Vec::new();
        for name in &names {
            // Also while the connection closes: what waits for the station may still finish.
            let ops = driver.operations()?;
            let facts = match ops.find(name).await? {
                Some(facts) => facts,
                None => {
                    driver.loaded(Part::Making).await?;
                    ops.station(name, &StationSpec::default()).await?
                }
            };
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
    })
}
