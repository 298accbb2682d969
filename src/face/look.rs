//! Exports for looking: stations, stored messages, purges.

use super::engine::{Engine, find, promise};
use super::{report, values};
use crate::base::error::{Error, Kind};
use crate::base::id::check_name;
use crate::base::time::Wall;
use crate::brokers;
use crate::brokers::terms::Stored;
use crate::client::look::Look;
use crate::client::options;
use crate::client::turn::{ConsumerId, MsgId};
use js_sys::{Array, BigInt, Promise, Uint8Array};
use slab::Slab;
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use wasm_bindgen::prelude::*;

/// Looks that have begun and not ended. One that is being asked is taken out meanwhile.
pub(super) type Looks = Rc<RefCell<Slab<Option<Look>>>>;

#[wasm_bindgen]
impl Engine {
    /// Every station that the user can see, as a list of `StationInfo`.
    #[wasm_bindgen(js_name = listStations)]
    pub fn list_stations(&self) -> Promise {
        let driver = self.driver.clone();
        at_once(Box::pin(async move {
            let reports = driver.ops()?.stations().await?;
            Ok(reports.iter().map(report::station).collect::<Array>().into())
        }))
    }

    /// Remove the messages of a station; gives their number.
    #[wasm_bindgen(js_name = purgeStation)]
    pub fn purge_station(&self, name: String) -> Promise {
        let driver = self.driver.clone();
        promise(async move {
            let facts = find(&driver, &name).await?;
            let removed = driver.ops()?.purge(&facts).await?;
            Ok((removed as f64).into())
        })
    }

    /// Begin a look at what a station holds now; gives the look's number.
    #[wasm_bindgen(js_name = beginLook)]
    pub fn begin_look(&self, name: String, given: &JsValue) -> Promise {
        let (driver, looks) = (self.driver.clone(), self.looks.clone());
        let read = values::options(given).and_then(|given| options::browse(&given, driver.now()));
        at_once(Box::pin(async move {
            check_name("station", &name, driver.broker().capitals())?;
            let look = Look::begin(&driver.ops()?, &name, &read?).await?;
            Ok((looks.borrow_mut().insert(Some(look)) as f64).into())
        }))
    }

    /// The next messages of a look, five members each: partition, sequence, time stamp, header block, payload. None where it
    /// is over.
    #[wasm_bindgen(js_name = nextLook)]
    pub fn next_look(&self, id: u32) -> Promise {
        let (driver, looks) = (self.driver.clone(), self.looks.clone());
        promise(async move {
            let taken = looks.borrow_mut().get_mut(id as usize).and_then(Option::take);
            let mut look = taken.ok_or_else(|| Error::new(Kind::Closed, "the look has ended"))?;
            let found = look.next(&driver.ops()?).await?;
            if let Some(place) = looks.borrow_mut().get_mut(id as usize) {
                *place = Some(look);
            }
            Ok(messages(&found).into())
        })
    }

    /// Nobody looks any more.
    #[wasm_bindgen(js_name = endLook)]
    pub fn end_look(&self, id: u32) {
        self.looks.borrow_mut().try_remove(id as usize);
    }
}

#[wasm_bindgen]
impl Engine {
    /// When the messages of the call before go and appear, in milliseconds since 1970; NaN where that was not asked for.
    #[wasm_bindgen(js_name = lastTimes)]
    pub fn last_times(&self) -> Vec<f64> {
        let millis = |wall: Option<Wall>| wall.map_or(f64::NAN, |wall| (wall.0 / 1_000_000) as f64);
        self.times.get().map(millis).to_vec()
    }
}

#[wasm_bindgen]
impl Engine {
    /// What the application's predicate says of a message that waits for it; true if it was there and is gone now.
    #[wasm_bindgen(js_name = judge)]
    pub fn judge(&self, id: u32, msg: u32, fits: bool) -> bool {
        self.driver.call(|core, now| {
            let (_, consumers, _, mut ctx) = core.parts(now);
            consumers.judge(&mut ctx, ConsumerId(id), MsgId(msg), fits)
        })
    }
}

/// How long a message with this header block stays, in milliseconds; NaN if that is not said.
#[wasm_bindgen(skip_typescript, js_name = staysFor)]
pub fn stays_for(broker: u32, head: &[u8]) -> f64 {
    let kind = brokers::Kind::of_block(broker);
    kind.expires(head).map_or(f64::NAN, |span| span.0 as f64)
}

/// A promise of an operation whose first question goes out before anything that the application sends next: what is newest
/// at the call is what counts.
pub(super) fn at_once(mut work: Pin<Box<dyn Future<Output = Result<JsValue, Error>>>>) -> Promise {
    match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => promise(async { result }),
        Poll::Pending => promise(work),
    }
}

/// Stored messages as the shell reads them.
pub(super) fn messages(found: &[Stored]) -> Array {
    let list = Array::new();
    for stored in found {
        list.push(&stored.partition.into());
        list.push(&BigInt::from(stored.sequence));
        list.push(&BigInt::from(stored.stamp.0));
        list.push(&Uint8Array::from(stored.head.as_slice()));
        list.push(&Uint8Array::from(stored.data.as_slice()));
    }
    list
}
