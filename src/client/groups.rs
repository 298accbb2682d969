//! Groups on the broker: made for a consumer, and left.

use super::connection::Connection;
use super::consumer::Spec;
use super::dead;
use super::driver::Driver;
use super::turn::{ConsumerId, OpId};
use crate::base::error::{Error, Kind};
use crate::brokers::terms::{GroupFacts, StationSpec};
use crate::runtime::Part;
use std::rc::Rc;

impl Driver {
    /// Make a consumer and open it: station and group are created where they are missing.
    #[inline(never)]
    pub fn open_consumer(self: &Rc<Self>, spec: Spec) -> ConsumerId {
        let now = self.now();
        let id = self.core.borrow_mut().consumers.add(now.mono, spec);
        self.open_group(id);
        id
    }

    #[inline(never)]
    pub(super) fn open_group(self: &Rc<Self>, id: ConsumerId) {
        let driver = self.clone();
        self.spawn(async move {
            let result = driver.find_group(id).await;
            if let Ok(facts) = &result
                && facts.broker_drops
            {
                dead::attend(&driver, id, facts.ack_time);
            }
            driver.call(|core, now| {
                let (_, consumers, _, mut ctx) = core.parts(now);
                match result {
                    Ok(facts) => consumers.opened(&mut ctx, id, facts),
                    Err(error) => consumers.end(&mut ctx, id, &error, true),
                }
                core.after_call(now, driver.facts());
            });
        });
    }

    async fn find_group(self: &Rc<Self>, id: ConsumerId) -> Result<GroupFacts, Error> {
        let spec = self
            .core
            .borrow()
            .consumers
            .spec(id)
            .cloned()
            .ok_or_else(|| Error::argument("the consumer has been closed"))?;
        let station = StationSpec::default();
        let since = self.watch_registry(std::slice::from_ref(&spec.station));
        let ops = self.ops()?;
        // A group that is made again does not make its station again.
        let mut facts = match spec.group.again {
            false => ops.station(&spec.station, &station).await?,
            true => ops.find(&spec.station).await?.ok_or_else(|| {
                Error::new(Kind::NoSuchStation, "the station does not exist any more")
                    .hint("Make the consumer again to create it.")
                    .at(&spec.station)
            })?,
        };
        let group = ops.group(&facts, &spec.group).await?;
        if group.broker_drops {
            self.loaded(Part::Dead).await?;
            ops.heed_deaths(&facts).await?;
        }
        ops.retold(&mut facts);
        // Messages are handed over without an engine, too: then decode() says what is missing.
        match self.bind(&facts, since).await {
            Err(error) if error.kind != Kind::SchemaViolation => Err(error),
            _ => Ok(group),
        }
    }

    /// Leave a group: stop, and remove it from the broker where it has no name, or (`named`) nobody else shows.
    pub fn leave(self: &Rc<Self>, id: ConsumerId, named: bool, op: Option<OpId>) {
        let found = self.call(|core, now| {
            let (_, consumers, _, mut ctx) = core.parts(now);
            consumers.stop(&mut ctx, id);
            let spec = consumers.spec(id).cloned();
            let alone = !consumers.has_other(id);
            let given_back = consumers.given_back(id);
            spec.map(|spec| (spec, alone, given_back))
        });
        let driver = self.clone();
        self.spawn(async move {
            let mut result = Ok(());
            if let Some((spec, alone, given_back)) = found {
                let removes = spec.group.nameless || named && alone;
                if removes && driver.core.borrow().is_up() {
                    result = driver
                        .remove_group(&spec.station, &spec.group.name, (!spec.group.nameless).then_some(given_back))
                        .await;
                }
            }
            driver.call(|core, now| {
                let (_, consumers, _, mut ctx) = core.parts(now);
                let closed = Error::new(Kind::Closed, "the consumer has been closed");
                if named || consumers.spec(id).is_some_and(|spec| spec.group.nameless) {
                    consumers.end(&mut ctx, id, &closed, false);
                }
                if let Some(op) = op {
                    core.turn.end(op, result);
                }
            });
        });
    }

    async fn remove_group(&self, station: &str, group: &str, given_back: Option<u64>) -> Result<(), Error> {
        let ops = self.operations()?;
        match ops.find(station).await? {
            Some(facts) => ops.remove_group(&facts, group, given_back).await.map(|_| ()),
            None => Ok(()),
        }
    }

    /// The connection closes: remove the groups without names.
    #[inline(never)]
    pub(super) fn leave_nameless(self: &Rc<Self>) {
        let nameless = self.call(|core, _| {
            let ids = core.consumers.ids();
            let specs = ids.into_iter().filter_map(|id| core.consumers.spec(id).cloned());
            specs.filter(|spec| spec.group.nameless).collect::<Vec<_>>()
        });
        let driver = self.clone();
        self.spawn(async move {
            for spec in nameless {
                if driver.core.borrow().is_up() {
                    // What cannot be removed now expires by itself.
                    let _ = driver.remove_group(&spec.station, &spec.group.name, None).await;
                }
            }
            driver.call(Connection::groups_left);
        });
    }
}
