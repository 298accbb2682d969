//! Dead letters, as the application asks for them, and the record of a death: cold operations of the driver.
//!
//! Knows no broker; what dies and when is said elsewhere.

use super::driver::Driver;
use super::dying::Dying;
use super::turn::ConsumerId;
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::time::Millis;
use crate::brokers::dead::{Death, Letter, Revived, Told};
use crate::brokers::terms::Done;
use crate::link::exchange::Exchange;
use crate::policy::redelivery::Cause;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

/// Record a death, also while the connection closes, which waits for it.
#[inline(never)]
pub(super) fn record(driver: Rc<Driver>, dying: Dying) -> Pin<Box<dyn Future<Output = Done<()>>>> {
    Box::pin(async move {
        let spec = driver.core.borrow().consumers.spec(dying.consumer).cloned();
        let spec = spec.ok_or_else(|| Error::new(Kind::Closed, "the consumer has been closed"))?;
        let told = driver.core.borrow_mut().consumers.get(dying.consumer).is_some_and(|one| one.broker_drops);
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
            told,
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
            told: false,
            nonce: self.random_name(),
            limit: limits::RECEIPT,
        };
        self.ops()?.bury(&death).await
    }

    /// The number of a station's newest dead letter; 0 if there has never been one. What the broker has told of until now
    /// counts.
    pub async fn newest_letter(self: &Rc<Self>, station: &str) -> Done<u64> {
        let ops = self.ops()?;
        // Both are asked at once: without news the answer is what was the newest at the call.
        let (mut told, mut newest) = (ops.record_deaths(station), ops.newest_letter(station));
        let mut outcome = None;
        let newest = poll_fn(|context| {
            if outcome.is_none()
                && let Poll::Ready(result) = Pin::new(&mut told).poll(context)
            {
                outcome = Some(result);
            }
            Pin::new(&mut newest).poll(context)
        })
        .await?;
        let outcome = match outcome {
            Some(outcome) => outcome,
            None => told.await,
        };
        let news = !matches!(outcome, Ok(Told { recorded: 0, .. }));
        // A user who may only read leaves it to others.
        if !matches!(&outcome, Err(error) if error.kind == Kind::PermissionDenied) {
            self.tell_told(station, outcome);
        }
        if news { ops.newest_letter(station).await } else { Ok(newest) }
    }

    /// What became of deaths that the broker has told of, for the logger. One that could not be recorded is told of again.
    fn tell_told(self: &Rc<Self>, station: &str, outcome: Done<Told>) {
        match outcome {
            Ok(Told { gone: 0, .. }) => {}
            Ok(Told { gone, .. }) => self.call(|core, _| core.unrecorded(station.into(), gone, None, None)),
            Err(error) => self.call(|core, _| core.unrecorded(station.into(), 0, Some(error), None)),
        }
    }

    /// The next dead letters with numbers from `from` to `to`; none if there are no more.
    pub async fn letters(&self, station: &str, from: u64, to: u64) -> Done<Vec<Letter>> {
        self.ops()?.letters(station, from, to).await
    }

    /// Put a dead letter into its station again, and forget it.
    pub async fn revive(&self, station: &str, number: u64) -> Done<Revived> {
        self.ops()?.revive(station, number).await
    }

    /// Forget a dead letter, and what lies apart from it.
    pub async fn discard(&self, station: &str, number: u64, rest: &[u64]) -> Done<()> {
        self.ops()?.discard(station, number, rest).await
    }
}

/// As long as a consumer is there, record what the broker itself tells of deaths at its station: twice in an ack time, since
/// that is how long a message takes to die.
#[inline(never)]
pub(super) fn attend(driver: &Rc<Driver>, id: ConsumerId, ack_time: Millis) {
    let driver = driver.clone();
    let pause = ack_time.half().clamp(limits::TOLD_FIRST, limits::TOLD_LAST);
    driver.clone().spawn(async move {
        let station = || {
            driver.look(|core| {
                let open = !core.is_over() && core.consumers.ids().contains(&id);
                core.consumers.spec(id).filter(|_| open).map(|spec| spec.station.clone())
            })
        };
        while station().is_some() {
            Exchange(driver.clone()).pause(pause).await;
            let (Some(station), Ok(ops)) = (station(), driver.ops()) else { return };
            let outcome = ops.record_deaths(&station).await;
            driver.tell_told(&station, outcome);
        }
    });
}
