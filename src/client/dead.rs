//! Dead letters, as the application asks for them, and the record of a death: cold operations of the driver.
//!
//! Knows no broker; what dies and when is said elsewhere.

use super::driver::Driver;
use super::dying::Dying;
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::brokers::dead::{Death, Letter, Revived};
use crate::brokers::terms::Done;
use crate::policy::redelivery::Cause;
use std::pin::Pin;
use std::rc::Rc;

/// Record a death, also while the connection closes, which waits for it.
#[inline(never)]
pub(super) fn record(driver: Rc<Driver>, dying: Dying) -> Pin<Box<dyn Future<Output = Done<()>>>> {
    Box::pin(async move {
        let spec = driver.core.borrow().consumers.spec(dying.consumer).cloned();
        let spec = spec.ok_or_else(|| Error::new(Kind::Closed, "the consumer has been closed"))?;
        let ops = driver.operations()?;
        let death = Death {
            station: spec.station,
            partition: dying.partition,
            sequence: dying.sequence,
            group: spec.group.name,
            producer: String::new(),
            deliveries: dying.deliveries,
            cause: dying.cause,
            headers: driver.broker().headers(&dying.head),
            data: dying.data,
            token: dying.token,
            nonce: String::new(),
            limit: spec.group.ack_time,
        };
        ops.bury(&death).await
    })
}

impl Driver {
    /// Keep a message that failed its schema, as the station's options say. `text` is what was wrong, `producer` whose it was.
    pub async fn schema_failed(
        &self,
        station: String,
        headers: Vec<(String, String)>,
        data: Vec<u8>,
        text: String,
        producer: String,
    ) -> Done<()> {
        let death = Death {
            station,
            partition: 0,
            sequence: 0,
            group: String::new(),
            producer,
            deliveries: 0,
            cause: Cause::Schema(text),
            headers,
            data,
            token: Vec::new(),
            nonce: self.random_name(),
            limit: limits::RECEIPT,
        };
        self.ops()?.bury(&death).await
    }

    /// The number of a station's newest dead letter; 0 if there has never been one.
    pub async fn newest_letter(&self, station: &str) -> Done<u64> {
        self.ops()?.newest_letter(station).await
    }

    /// The next dead letters with numbers from `from` to `to`; none if there are no more.
    pub async fn letters(&self, station: &str, from: u64, to: u64) -> Done<Vec<Letter>> {
        self.ops()?.letters(station, from, to).await
    }

    /// Put a dead letter into its station again, and forget it.
    pub async fn revive(&self, station: &str, number: u64) -> Done<Revived> {
        self.ops()?.revive(station, number).await
    }

    /// Forget a dead letter.
    pub async fn discard(&self, station: &str, number: u64) -> Done<()> {
        self.ops()?.discard(station, number).await
    }
}
