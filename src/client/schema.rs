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
use crate::base::error::{Error, Kind};
use crate::base::time::Time;
use crate::brokers::terms::{Schema, StationFacts};
use crate::link::session::{News, Reply, WaitId};
use crate::runtime::Part;
use std::rc::Rc;

/// What a connection knows of the schemas of its stations.
#[derive(Debug, Default)]
pub struct Schemas {
    pub(super) stations: Vec<Watched>,
    pub(super) looks: Vec<Look>,
    /// How often anything was heard.
    pub(super) count: u32,
    /// What was heard last of each station and schema that is of interest, and when.
    pub(super) latest: Vec<(News, u32)>,
    /// Readings begun.
    readings: u32,
    /// Somebody is looking.
    pub(super) busy: bool,
}

/// A station that has, or had, a producer or consumer here.
#[derive(Debug)]
pub(super) struct Watched {
    pub station: String,
    /// `None` until it has been read.
    pub bound: Option<Bound>,
    /// The reading it comes from: what an earlier one brings later is older.
    reading: u32,
    /// When its schema was last read again because a producer was in need of it.
    pub asked: Option<Time>,
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
pub(super) struct Look {
    /// `None`: all stations.
    pub news: Option<News>,
    /// The application binds anew, changed or not.
    pub again: bool,
    /// What had been heard by then.
    pub count: u32,
}

impl Schemas {
    /// The registry has changed. True if nobody is looking yet.
    #[inline(never)]
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

    /// The link is back: anything may have changed. True if nobody is looking yet.
    #[inline(never)]
    pub fn link_up(&mut self) -> bool {
        !self.stations.is_empty() && self.look(Look { news: None, again: false, count: self.count })
    }

    pub(super) fn look(&mut self, look: Look) -> bool {
        self.looks.push(look);
        !std::mem::replace(&mut self.busy, true)
    }

    pub(super) fn find(&mut self, station: &str) -> Option<&mut Watched> {
        self.stations.iter_mut().find(|watched| watched.station == station)
    }

    /// This station is about to be looked up: what is heard of it from now on counts.
    fn expect(&mut self, station: &str) {
        if self.find(station).is_none() {
            self.stations.push(Watched { station: station.into(), bound: None, reading: 0, asked: None });
        }
    }

    /// A reading begins.
    pub(super) fn begin(&mut self) -> u32 {
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
}

impl Watched {
    pub(super) fn is_meant(&self, news: &News) -> bool {
        match news {
            News::Station { name, .. } => self.station == *name,
            News::Schema { name, .. } => self.bound.as_ref().is_none_or(|bound| bound.name == *name),
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
            self.loaded(Part::Watching).await?;
            self.look_at(facts.name.clone(), None, false, since).await?;
        }
        done
    }

    /// The station was looked up before this reading: what has changed since is not seen.
    async fn bind_once(self: &Rc<Self>, facts: &StationFacts) -> Result<(), Error> {
        let reading = self.call(|core, _| core.schemas.begin());
        let bound = self.read_bound(&facts.schema, false).await?;
        self.adopt(&facts.name, bound, reading, !facts.schema.is_empty()).await
    }

    pub(super) async fn read_bound(self: &Rc<Self>, name: &str, known: bool) -> Result<Bound, Error> {
        if name.is_empty() {
            return Ok(Bound::default());
        }
        self.loaded(Part::Schemas).await?;
        self.read_schema(name.into(), known).await
    }

    /// Remember what was read, and have the application bind where it differs, or `must` be.
    pub(super) async fn adopt(
        self: &Rc<Self>,
        station: &str,
        bound: Bound,
        reading: u32,
        must: bool,
    ) -> Result<(), Error> {
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

    /// Have the application bind a station that is only looked at. Without a station there is nothing to bind.
    pub async fn bind_station(self: &Rc<Self>, name: &str) -> Result<(), Error> {
        match self.ops()?.bound(name).await? {
            Some(facts) => self.bind_once(&facts).await,
            None => Ok(()),
        }
    }
}
