//! Schemas: which of them a station's messages have to fit, and how that reaches the application's side, where the
//! engines are (semantics.md section 7).
//!
//! ```text
//! a producer or consumer opens   its station's schema is read; the application loads the engine, then it opens
//! news of the registry           what is stored is read again; where it differs, the application binds anew
//! ```
//!
//! Knows no type of schema, no engine and no broker. A station without schema costs one comparison.

use super::driver::Driver;
use super::turn::{Binding, Row};
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::time::{Millis, Time};
use crate::brokers::terms::{Schema, StationFacts};
use crate::link::exchange::Exchange;
use crate::link::session::{News, Reply, WaitId};
use crate::runtime::Part;
use std::rc::Rc;

/// What a connection knows of the schemas of its stations.
#[derive(Debug, Default)]
pub struct Schemas {
    stations: Vec<Watched>,
    looks: Vec<Look>,
    /// How often anything was heard.
    count: u32,
    /// What was heard last of each station and schema that is of interest, and when.
    latest: Vec<(News, u32)>,
    /// Readings begun.
    readings: u32,
    /// Somebody is looking.
    busy: bool,
}

/// A station that has, or had, a producer or consumer here.
#[derive(Debug)]
struct Watched {
    station: String,
    /// `None` until it has been read.
    bound: Option<Bound>,
    /// The reading it comes from: what an earlier one brings later is older.
    reading: u32,
    /// When its schema was last read again because a producer was in need of it.
    asked: Option<Time>,
}

/// The schema of a station as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bound {
    /// Its name; empty for none.
    pub name: String,
    /// `None` with a name: it is enforced, but cannot be had.
    pub schema: Option<Schema>,
    /// Why it cannot.
    pub why: String,
}

/// A reason to read again.
#[derive(Debug)]
struct Look {
    /// `None`: all stations.
    news: Option<News>,
    /// The application binds anew, changed or not.
    again: bool,
    /// What had been heard by then.
    count: u32,
}

impl Schemas {
    /// The registry has changed. True if nobody is looking yet.
    pub fn heard(&mut self, news: News) -> bool {
        self.count = self.count.wrapping_add(1);
        // Whom a schema concerns may change with what is being looked at.
        if !self.busy && !self.stations.iter().any(|watched| watched.is_meant(&news)) {
            return false;
        }
        // What was heard of it before has been overtaken.
        self.latest.retain(|(other, _)| !other.is_about_the_same(&news));
        self.latest.push((news.clone(), self.count));
        self.looks.retain(|look| look.again || !look.news.as_ref().is_some_and(|other| other.is_about_the_same(&news)));
        self.look(Look { news: Some(news), again: false, count: self.count })
    }

    /// Something newer than this was heard of the same thing.
    fn is_overtaken(&self, news: Option<&News>, count: u32) -> bool {
        let Some(news) = news else { return false };
        self.latest.iter().any(|(other, heard)| other.is_about_the_same(news) && *heard != count)
    }

    /// The link is back: anything may have changed. True if nobody is looking yet.
    pub fn link_up(&mut self) -> bool {
        !self.stations.is_empty() && self.look(Look { news: None, again: false, count: self.count })
    }

    fn look(&mut self, look: Look) -> bool {
        self.looks.push(look);
        !std::mem::replace(&mut self.busy, true)
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

    fn find(&mut self, station: &str) -> Option<&mut Watched> {
        self.stations.iter_mut().find(|watched| watched.station == station)
    }

    /// This station is about to be looked up: what is heard of it from now on counts.
    fn expect(&mut self, station: &str) {
        if self.find(station).is_none() {
            self.stations.push(Watched { station: station.into(), bound: None, reading: 0, asked: None });
        }
    }

    /// A reading begins.
    fn begin(&mut self) -> u32 {
        self.readings = self.readings.wrapping_add(1);
        self.readings
    }

    /// Remember what a reading brought. What counts comes back, and whether it is another than before.
    fn set(&mut self, station: &str, bound: Bound, reading: u32) -> (Bound, bool) {
        self.expect(station);
        let Some(watched) = self.find(station) else { return (bound, false) };
        match &watched.bound {
            Some(newer) if watched.reading > reading => return (newer.clone(), false),
            _ => watched.reading = reading,
        }
        let before = watched.bound.replace(bound.clone());
        let changed = before.is_some_and(|before| before != bound);
        (bound, changed)
    }

    /// Nobody uses the station any more. True if it had a schema.
    fn forget(&mut self, station: &str) -> bool {
        let had =
            self.find(station).and_then(|watched| watched.bound.as_ref()).is_some_and(|bound| !bound.name.is_empty());
        self.stations.retain(|watched| watched.station != station);
        had
    }
}

impl Watched {
    fn is_meant(&self, news: &News) -> bool {
        match news {
            News::Station { name, .. } => self.station == *name,
            News::Schema { name, .. } => self.bound.as_ref().is_none_or(|bound| bound.name == *name),
        }
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
    /// From now on this connection hears of changes. To be called before stations are looked up, so that none is missed;
    /// what comes back is for [`Driver::bind`].
    pub(super) fn watch_registry(self: &Rc<Self>, stations: &[String]) -> u32 {
        self.call(|core, now| {
            let (_, _, _, ctx) = core.parts(now);
            ctx.session.watch_registry(ctx.out);
            for station in stations {
                core.schemas.expect(station);
            }
            core.schemas.count
        })
    }

    /// A producer or consumer of this station is about to open: its schema is ready when this ends, or the application
    /// knows why it cannot be. An error says that the application did not answer.
    pub(super) async fn bind(self: &Rc<Self>, facts: &StationFacts, since: u32) -> Result<(), Error> {
        let done = self.bind_once(facts).await;
        if self.call(|core, _| core.schemas.count) != since {
            // What was heard meanwhile may be newer than what was looked up before.
            self.look_at(&facts.name, None, false, since).await?;
        }
        done
    }

    /// The station was looked up before this reading: what has changed since is not seen.
    async fn bind_once(self: &Rc<Self>, facts: &StationFacts) -> Result<(), Error> {
        let reading = self.call(|core, _| core.schemas.begin());
        let bound = self.read_bound(&facts.schema).await?;
        self.adopt(&facts.name, bound, reading, !facts.schema.is_empty()).await
    }

    async fn read_bound(self: &Rc<Self>, name: &str) -> Result<Bound, Error> {
        if name.is_empty() {
            return Ok(Bound::default());
        }
        self.loaded(Part::Schemas).await?;
        self.read_schema(name.into()).await
    }

    /// Remember what was read, and have the application bind where it differs, or `must` be.
    async fn adopt(self: &Rc<Self>, station: &str, bound: Bound, reading: u32, must: bool) -> Result<(), Error> {
        let (bound, changed) = self.call(|core, _| core.schemas.set(station, bound, reading));
        if !changed && !must {
            return Ok(());
        }
        self.loaded(Part::Schemas).await?;
        self.rebind(station.into(), bound, changed).await
    }

    /// The application has bound, or could not and says why.
    pub fn bound(self: &Rc<Self>, ticket: u32, failed: String) {
        let answer = match failed.as_str() {
            "" => Ok(Reply { status: 0, head: Vec::new(), body: Vec::new() }),
            _ => Err(Error::new(Kind::SchemaViolation, failed)),
        };
        self.call(|core, _| core.waits.answer(WaitId(ticket), answer));
    }

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
    pub(super) fn look_again(self: &Rc<Self>) {
        let driver = self.clone();
        self.spawn(async move {
            while let Some((look, stations)) = driver.call(|core, _| core.schemas.next()) {
                for station in stations {
                    // A station or link that is gone: its producers and consumers hear of it otherwise.
                    let _ = driver.look_at(&station, look.news.as_ref(), look.again, look.count).await;
                }
            }
        });
    }

    async fn look_at(
        self: &Rc<Self>,
        station: &str,
        news: Option<&News>,
        again: bool,
        count: u32,
    ) -> Result<(), Error> {
        let used = self.call(|core, _| core.producers.uses(station) || core.consumers.uses(station));
        if !used {
            return self.forget_station(station);
        }
        // News may come before what they tell is stored.
        let mut pause = limits::NEWS_FIRST;
        loop {
            let reading = self.call(|core, _| core.schemas.begin());
            let Some(facts) = self.ops()?.find(station).await? else { return Ok(()) };
            let bound = self.read_bound(&facts.schema).await?;
            let overtaken = self.call(|core, _| core.schemas.is_overtaken(news, count));
            if bound.agrees(news) || overtaken || pause > limits::NEWS_LAST {
                return self.adopt(station, bound, reading, again).await;
            }
            Exchange(self.clone()).pause(pause).await;
            pause = Millis(pause.0.saturating_mul(2));
        }
    }

    /// Nobody uses a station any more: nothing is bound to it, and what changes there is of no interest.
    fn forget_station(self: &Rc<Self>, station: &str) -> Result<(), Error> {
        self.call(|core, _| {
            if core.schemas.forget(station) {
                let (name, why) = (String::new(), String::new());
                let nobody = Binding { ticket: WaitId(0), station: station.into(), name, schema: None, why };
                core.turn.rows.push(Row::Schema(Box::new(nobody)));
            }
        });
        Ok(())
    }

    /// Have the application bind a station that is only looked at. Without a station there is nothing to bind.
    pub async fn bind_station(self: &Rc<Self>, name: &str) -> Result<(), Error> {
        match self.ops()?.find(name).await? {
            Some(facts) => self.bind_once(&facts).await,
            None => Ok(()),
        }
    }

    /// Make a schema, or another version of it. What runs here has it when this ends.
    pub async fn create_schema(self: &Rc<Self>, schema: &Schema) -> Result<(), Error> {
        let count = self.call(|core, _| core.schemas.count);
        let version = self.ops()?.create_schema(schema).await?;
        let news = News::Schema { name: schema.name.clone(), version };
        for station in self.call(|core, _| core.schemas.of(&schema.name)) {
            // Its news may have been read already, but not carried out.
            self.look_at(&station, Some(&news), true, count).await?;
        }
        Ok(())
    }

    /// Enforce a schema on a station, or (`""`) none. What runs here has it when this ends.
    pub async fn enforce(self: &Rc<Self>, station: &str, schema: &str) -> Result<(), Error> {
        let count = self.call(|core, _| core.schemas.count);
        self.ops()?.enforce(station, schema).await?;
        if self.call(|core, _| core.schemas.find(station).is_some()) {
            let news = News::Station { name: station.into(), schema: schema.into() };
            self.look_at(station, Some(&news), true, count).await?;
        }
        Ok(())
    }
}
