//! Schemas that are read again: after news of the registry, after a lost link, or because a producer cannot check.
//!
//! In a part of the wasm of its own, which is loaded while the link stands: stations with a schema that nobody changes do without.

use super::binding::Boxed;
use super::driver::Driver;
use super::schema::{Bound, Look, Schemas, Watched};
use super::turn::{Binding, Row};
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::time::Millis;
use crate::brokers::terms::Schema;
use crate::link::exchange::Exchange;
use crate::link::session::{News, WaitId};
use std::rc::Rc;

impl Schemas {
    /// Something newer than this was heard of the same thing.
    fn is_overtaken(&self, news: Option<&News>, count: u32) -> bool {
        let Some(news) = news else { return false };
        self.latest.iter().any(|(other, heard)| other.is_about_the_same(news) && *heard != count)
    }

    /// The next reason, and whom it concerns.
    fn next(&mut self) -> Option<(Look, Vec<String>)> {
        if self.looks.is_empty() {
            self.busy = false;
            self.latest.clear();
            return None;
        }
        let look = self.looks.remove(0);
        let concerned = |watched: &&Watched| look.news.as_ref().is_none_or(|news| watched.is_meant(news));
        let stations = self.stations.iter().filter(concerned).map(|watched| watched.station.clone()).collect();
        Some((look, stations))
    }

    /// The stations on which a schema is enforced.
    fn of(&self, schema: &str) -> Vec<String> {
        let bound = |watched: &&Watched| watched.bound.as_ref().is_some_and(|bound| bound.name == schema);
        self.stations.iter().filter(bound).map(|watched| watched.station.clone()).collect()
    }

    /// Nobody uses the station any more. True if it had a schema.
    fn forget(&mut self, station: &str) -> bool {
        let had =
            self.find(station).and_then(|watched| watched.bound.as_ref()).is_some_and(|bound| !bound.name.is_empty());
        self.stations.retain(|watched| watched.station != station);
        had
    }
}

impl Bound {
    /// It is what the news spoke of, or something later.
    fn agrees(&self, news: Option<&News>) -> bool {
        match news {
            None => true,
            Some(News::Station { schema, .. }) => self.name == *schema,
            // Not this station's schema, or not any more.
            Some(News::Schema { name, .. }) if self.name != *name => true,
            Some(News::Schema { version: 0, .. }) => self.schema.is_none(),
            Some(News::Schema { version, .. }) => self.schema.as_ref().is_some_and(|schema| schema.version >= *version),
        }
    }
}

impl Driver {
    /// A producer cannot check, since its engine or schema could not be had: it is tried again, at most every few seconds.
    pub fn bind_again(self: &Rc<Self>, station: &str) {
        let begins = self.call(|core, now| {
            let Some(watched) = core.schemas.find(station) else { return false };
            let schema = watched.bound.as_ref().map(|bound| bound.name.clone()).unwrap_or_default();
            if watched.asked.is_some_and(|asked| now.mono.since(asked) < limits::BIND_AGAIN) {
                return false;
            }
            watched.asked = Some(now.mono);
            let news = Some(News::Station { name: station.into(), schema });
            let count = core.schemas.count;
            core.schemas.look(Look { news, again: true, count })
        });
        if begins {
            self.look_again();
        }
    }

    /// Read again what there is reason to.
    #[inline(never)]
    pub(super) fn look_again(self: &Rc<Self>) {
        let driver = self.clone();
        self.spawn(async move {
            while let Some((look, stations)) = driver.call(|core, _| core.schemas.next()) {
                let mut silent = false;
                for station in stations {
                    // A station or link that is gone: its producers and consumers hear of it otherwise.
                    let looked = driver.look_at(station, look.news.clone(), look.again, look.count).await;
                    silent |= looked.is_err_and(|error| error.retryable && error.kind != Kind::SchemaViolation);
                }
                if silent {
                    // Somebody is being elected: what was told still counts.
                    Exchange(driver.clone()).pause(limits::LOOK_AGAIN).await;
                    driver.call(|core, _| {
                        // The next link begins with a look of its own.
                        if core.is_up() && !core.schemas.is_overtaken(look.news.as_ref(), look.count) {
                            core.schemas.looks.push(look);
                        }
                    });
                }
            }
        });
    }

    /// Read the schema of a station again, because of these news.
    #[inline(never)]
    pub(super) fn look_at(self: &Rc<Self>, station: String, news: Option<News>, again: bool, count: u32) -> Boxed<()> {
        let driver = self.clone();
        Box::pin(async move {
            let used = driver.call(|core, _| core.producers.uses(&station) || core.consumers.uses(&station));
            if !used {
                driver.forget_station(&station);
                return Ok(());
            }
            // News may come before what they tell is stored.
            let mut pause = limits::NEWS_FIRST;
            loop {
                let reading = driver.call(|core, _| core.schemas.begin());
                let Some(facts) = driver.ops()?.bound(&station).await? else { return Ok(()) };
                let bound = driver.read_bound(&facts.schema, true).await?;
                let overtaken = driver.call(|core, _| core.schemas.is_overtaken(news.as_ref(), count));
                if bound.agrees(news.as_ref()) || overtaken || pause > limits::NEWS_LAST {
                    return driver.adopt(&station, bound, reading, again).await;
                }
                Exchange(driver.clone()).pause(pause).await;
                pause = Millis(pause.0.saturating_mul(2));
            }
        })
    }

    /// Nobody uses a station any more: nothing is bound to it, and what changes there is of no interest.
    fn forget_station(self: &Rc<Self>, station: &str) {
        self.call(|core, _| {
            if core.schemas.forget(station) {
                let (name, why) = (String::new(), String::new());
                let nobody = Binding { ticket: WaitId(0), station: station.into(), name, schema: None, why };
                core.turn.rows.push(Row::Schema(Box::new(nobody)));
            }
        });
    }

    /// Make a schema, or another version of it. What runs here has it when this ends.
    pub async fn create_schema(self: &Rc<Self>, schema: &Schema) -> Result<(), Error> {
        let count = self.call(|core, _| core.schemas.count);
        let version = self.ops()?.create_schema(schema).await?;
        let news = News::Schema { name: schema.name.clone(), version };
        for station in self.call(|core, _| core.schemas.of(&schema.name)) {
            // Its news may have been read already, but not carried out.
            self.look_at(station, Some(news.clone()), true, count).await?;
        }
        Ok(())
    }

    /// Enforce a schema on a station, or (`""`) none. What runs here has it when this ends.
    pub async fn enforce(self: &Rc<Self>, station: &str, schema: &str) -> Result<(), Error> {
        let count = self.call(|core, _| core.schemas.count);
        self.ops()?.enforce(station, schema).await?;
        if self.call(|core, _| core.schemas.find(station).is_some()) {
            let news = News::Station { name: station.into(), schema: schema.into() };
            self.look_at(station.into(), Some(news), true, count).await?;
        }
        Ok(())
    }
}
