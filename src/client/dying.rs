//! Messages that die: how many of them there may be at a time, and who records them.
//!
//! A death whose recording fails is none: the ack time brings the message back, and its death with it; the application's
//! logger is told. Knows no broker.

use super::consumer::Todo;
use super::dead;
use super::driver::Driver;
use super::turn::{ConsumerId, NotePlace};
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::time::Millis;
use crate::brokers::terms::Done;
use crate::link::exchange::Exchange;
use crate::policy::redelivery::Cause;
use crate::runtime::Part;
use std::rc::Rc;

/// A delivery that will be the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dying {
    /// Who got it.
    pub consumer: ConsumerId,
    /// The partition's number.
    pub partition: u32,
    /// Its sequence.
    pub sequence: u64,
    /// How often it was delivered.
    pub deliveries: u32,
    /// Why it dies.
    pub cause: Cause,
    /// What the delivery is known by.
    pub token: Vec<u8>,
    /// The header block in the broker's own form.
    pub head: Vec<u8>,
    /// The payload.
    pub data: Vec<u8>,
}

/// Deaths that are being recorded.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Deaths {
    pub(super) messages: u32,
    bytes: u64,
}

impl Dying {
    fn size(&self) -> u64 {
        (self.head.len() as u64).saturating_add(self.data.len() as u64)
    }
}

impl Deaths {
    /// One more; an error if there are too many.
    fn begin(&mut self, dying: &Dying) -> Result<(), Error> {
        let bytes = self.bytes.saturating_add(dying.size());
        if self.messages >= limits::DYING_MESSAGES || self.messages > 0 && bytes > limits::DYING_BYTES {
            return Err(Error::new(Kind::QueueFull, "too many dead letters are being recorded")
                .hint("Await deadLetter(), and try this one again."));
        }
        *self = Deaths { messages: self.messages.saturating_add(1), bytes };
        Ok(())
    }

    /// A delivery beyond the limit came. With too much of that going on it is left alone, and comes again.
    pub(super) fn add(&mut self, dying: Dying, todo: &mut Vec<Todo>) {
        if self.begin(&dying).is_ok() {
            todo.push(Todo::Bury(Box::new(dying)));
        }
    }

    fn end(&mut self, size: u64) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size);
    }
}

impl Driver {
    /// Record the death of a message that the application has in hand.
    pub fn give_up(self: &Rc<Self>, dying: Dying) -> Result<impl Future<Output = Done<()>> + use<>, Error> {
        self.call(|core, _| {
            core.check_open()?;
            core.consumers.deaths.begin(&dying)
        })?;
        Ok(self.clone().recorded(dying))
    }

    /// Record a death that was begun.
    #[inline(never)]
    pub(super) fn bury(self: &Rc<Self>, dying: Dying) {
        let driver = self.clone();
        self.spawn(async move {
            let named = driver.core.borrow().consumers.spec(dying.consumer).map(|spec| {
                let group = spec.group.name.clone();
                (spec.station.clone(), NotePlace { partition: dying.partition, sequence: dying.sequence, group })
            });
            // It comes again.
            if let (Err(error), Some((station, place))) = (driver.clone().recorded(dying).await, named) {
                driver.call(|core, _| core.unrecorded(station, 0, Some(error), Some(place)));
            }
        });
    }

    async fn recorded(self: Rc<Self>, dying: Dying) -> Done<()> {
        let size = dying.size();
        let result = match self.loaded(Part::Dead).await {
            Ok(()) => dead::record(self.clone(), dying).await,
            Err(error) => Err(error),
        };
        let driver = self.clone();
        self.spawn(async move {
            // A close that waits for the last one would otherwise overtake the news of it.
            if !driver.call(|core, _| core.is_over()) {
                Exchange(driver.clone()).pause(Millis(1)).await;
            }
            driver.call(|core, now| {
                core.consumers.deaths.end(size);
                core.check_closing(now);
            });
        });
        result
    }
}
