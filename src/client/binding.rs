//! A schema that has to be read or bound: what most stations, which have none, do without.

use super::driver::Driver;
use super::schema::Bound;
use super::turn::{Binding, Row, Status};
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::link::exchange::Exchange;
use std::pin::Pin;
use std::rc::Rc;

/// Something that is compiled once, not into each of those who wait for it.
pub(super) type Boxed<T> = Pin<Box<dyn Future<Output = Result<T, Error>>>>;

impl Driver {
    /// The schema of this name, as the registry has it. `known`: what counted before goes on to count while the registry does not
    /// answer; without that, it cannot be had.
    #[inline(never)]
    pub(super) fn read_schema(self: &Rc<Self>, name: String, known: bool) -> Boxed<Bound> {
        let driver = self.clone();
        Box::pin(async move {
            let (schema, why) = match driver.operations()?.schema(&name).await {
                Ok(Some(schema)) => (Some(schema), String::new()),
                Ok(None) => (None, "it is not in the registry any more".into()),
                Err(error) if matches!(error.kind, Kind::Closed | Kind::Internal) || known && error.retryable => {
                    return Err(error);
                }
                Err(error) => (None, error.text.to_string()),
            };
            Ok(Bound { name, schema, why })
        })
    }

    /// Have the application bind what was read. `changed`: it was something else before.
    #[inline(never)]
    pub(super) fn rebind(self: &Rc<Self>, station: String, bound: Bound, changed: bool) -> Boxed<()> {
        let driver = self.clone();
        Box::pin(async move {
            let name = Some(bound.name.clone()).filter(|name| !name.is_empty());
            let (ticket, answer) = Exchange(driver.clone()).ticket(limits::ENGINE);
            let Bound { name: bound_name, schema, why } = bound;
            let binding = Binding { ticket, station: station.clone(), name: bound_name, schema, why };
            driver.call(|core, _| core.turn.rows.push(Row::Schema(Box::new(binding))));
            let answered = answer.await;
            if changed {
                driver.call(|core, _| core.turn.status(Status::Schema { station: station.clone(), schema: name }));
            }
            let error = match answered {
                Ok(_) => return Ok(()),
                Err(error) if !matches!(error.kind, Kind::Timeout | Kind::SchemaViolation) => return Err(error),
                Err(error) if error.kind == Kind::SchemaViolation => error,
                Err(_) => Error::new(Kind::SchemaViolation, "the schema's engine was not loaded in time"),
            };
            let error = error
                .hint("Are the folders shell and schemas served as they are in the package? Try again.")
                .at(&station)
                .retryable(true);
            // What runs must not go on unchecked.
            driver.call(|core, now| {
                let (producers, _, _, mut ctx) = core.parts(now);
                producers.station_gone(&mut ctx, &station, &error);
            });
            Err(error)
        })
    }
}
