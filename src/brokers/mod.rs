//! One folder a broker, and everything that knows its name.
//!
//! A broker gives two things: a [`Session`], which carries messages, and a set of operations, plain async functions
//! that create, look up and remove stations and groups. Adding one is a folder, a feature, a row in [`Kind`] and its
//! lines in the two enums here. No broker names another, but for Memphis, which is a NATS server with a control plane of
//! its own and stands on `nats`.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::panic
    )
)]

mod absent;
pub mod dead;
#[cfg(feature = "memory")]
pub mod memory;
#[cfg(feature = "memphis")]
pub mod memphis;
#[cfg(feature = "nats")]
pub mod nats;
pub mod terms;

use crate::base::error::Error;
use crate::base::time::{Millis, Now};
use crate::base::value::JsonReader;
use crate::link::exchange::Exchange;
use crate::link::live::Beside;
use crate::link::session::{Login, ServerFacts, Session};
use crate::link::tap::{Frame, Piece};
use crate::runtime::{Part, Runtime};
use dead::{Death, Letter, Revived, Told};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use terms::{Done, GroupFacts, GroupSpec, Lack, Schema, Start, StationFacts, StationReport, StationSpec, Stored, Walk};

/// The brokers of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A Memphis broker.
    Memphis,
    /// A NATS server with JetStream.
    Nats,
    /// RabbitMQ Streams.
    RabbitMq,
    /// KubeMQ.
    KubeMq,
    /// The broker inside this package.
    Memory,
}

impl Kind {
    /// By the contract's name; an error for those that this build does not carry.
    pub fn by_name(name: &str) -> Result<Kind, Error> {
        match name {
            #[cfg(feature = "memory")]
            "memory" => Ok(Kind::Memory),
            #[cfg(feature = "nats")]
            "nats" => Ok(Kind::Nats),
            #[cfg(feature = "memphis")]
            "memphis" => Ok(Kind::Memphis),
            _ => Err(Error::new(
                crate::base::error::Kind::NotSupported,
                format!("the broker {name} is not in this version of the package"),
            )
            .hint("This version has memphis, nats and memory; the others come with later ones.")),
        }
    }

    /// The contract's name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Memphis => "memphis",
            Kind::Nats => "nats",
            Kind::RabbitMq => "rabbitmq",
            Kind::KubeMq => "kubemq",
            Kind::Memory => "memory",
        }
    }

    /// Whose form a header block has, as the shell numbers them.
    pub fn of_block(number: u32) -> Kind {
        match number {
            1 => Kind::Memory,
            2 => Kind::Memphis,
            _ => Kind::Nats,
        }
    }

    /// The port of the contract where a host is given without one.
    pub fn port(self) -> u16 {
        match self {
            Kind::Memphis => 7770,
            Kind::KubeMq => 9090,
            Kind::RabbitMq => 5552,
            Kind::Nats | Kind::Memory => 8080,
        }
    }

    /// The port of its raw TCP, where a URL names none.
    pub fn tcp_port(self) -> u16 {
        match self {
            Kind::Memphis => 6666,
            Kind::RabbitMq => 5552,
            Kind::KubeMq => 50_000,
            Kind::Nats | Kind::Memory => 4222,
        }
    }

    /// The part that has to be there before a dial with these credentials; `None` for most.
    pub fn readier(self, login: &Login) -> Option<Part> {
        match self {
            Kind::Memphis => Some(Part::Memphis),
            _ => login.has_key().then_some(Part::Keys),
        }
    }

    /// Station names may have capitals.
    pub fn capitals(self) -> bool {
        self == Kind::Nats
    }

    /// What of the contract is not offered by this broker, as this server of it is, and why.
    pub fn lacks(self, server: &ServerFacts) -> Vec<Lack> {
        match self {
            #[cfg(feature = "memory")]
            Kind::Memory => memory::LACKS.to_vec(),
            #[cfg(feature = "nats")]
            Kind::Nats => nats::lacks(server),
            #[cfg(feature = "memphis")]
            Kind::Memphis => memphis::lacks(),
            _ => Vec::new(),
        }
    }

    /// Cut a piece of what went over the link into frames, secrets masked. `carry` is the beginning of the first one.
    pub fn frames(self, piece: &Piece, carry: &mut Vec<u8>, into: &mut Vec<Frame>) {
        if cfg!(feature = "nats") && matches!(self, Kind::Nats | Kind::Memphis) {
            #[cfg(feature = "nats")]
            nats::tap::frames(piece, carry, into);
        }
    }

    /// The application's headers in a header block of this broker.
    pub fn headers(self, head: &[u8]) -> Vec<(String, String)> {
        match self {
            #[cfg(feature = "memory")]
            Kind::Memory => memory::headers(head),
            #[cfg(feature = "nats")]
            Kind::Nats => nats::head::visible(head),
            #[cfg(feature = "memphis")]
            Kind::Memphis => memphis::head::visible(head),
            _ => Vec::new(),
        }
    }

    /// How long a message with this header block of this broker stays, if that is said.
    pub fn expires(self, head: &[u8]) -> Option<Millis> {
        match self {
            #[cfg(feature = "memory")]
            Kind::Memory => memory::expires(head),
            #[cfg(feature = "nats")]
            Kind::Nats => nats::time::expires(head),
            _ => None,
        }
    }

    /// The application's headers in a live message's header block, and what stands beside them.
    pub fn live_head(self, head: &[u8]) -> (Vec<(String, String)>, Beside) {
        match self {
            #[cfg(feature = "memory")]
            Kind::Memory => (memory::headers(head), memory::beside(head)),
            #[cfg(feature = "nats")]
            Kind::Nats | Kind::Memphis => (nats::live_head::headers(head), nats::live_head::beside(head)),
            _ => Default::default(),
        }
    }

    /// The message id in a header block of this broker.
    pub fn msg_id(self, head: &[u8]) -> Option<String> {
        match self {
            #[cfg(feature = "memory")]
            Kind::Memory => memory::msg_id(head),
            #[cfg(feature = "nats")]
            Kind::Nats => nats::head::msg_id(head),
            #[cfg(feature = "memphis")]
            Kind::Memphis => memphis::head::msg_id(head),
            _ => None,
        }
    }
}

/// What of the connect options a broker's session and operations are made with. Default: what the contract says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// memory: the broker's name; empty for the one of the process.
    pub memory: String,
    /// nats: the JetStream domain; empty for the server's own.
    pub domain: String,
    /// nats: what reply subjects begin with; empty for the usual one.
    pub inbox: String,
}

/// Make the session of a broker. That of a broker with a part of its own comes with [`enter`], when the part is there.
pub fn session(kind: Kind, setting: &Setting, json: JsonReader) -> Box<dyn Session> {
    match kind {
        Kind::Memory | Kind::Memphis => Box::new(absent::Absent),
        _ => {
            let session = nats::session::NatsSession::new(json, &nats::names::api(&setting.domain));
            Box::new(if setting.inbox.is_empty() { session } else { session.with_inbox(&setting.inbox) })
        }
    }
}

/// Make credentials ready for a dial: what is wrong with them shows here, before anything is sent.
pub fn ready(kind: Kind, login: Login, json: JsonReader) -> Operation<'static, Login> {
    match kind {
        #[cfg(feature = "nats")]
        Kind::Nats => Operation::new(async move { nats::nkey::ready(login, json) }),
        #[cfg(feature = "memphis")]
        Kind::Memphis => Operation::ready(memphis::login::ready(login)),
        _ => Operation(Box::pin(std::future::ready(Ok(login)))),
    }
}

/// The session and the operations of the memory broker, whose part has been loaded.
#[inline]
pub fn enter_memory(setting: &Setting, runtime: Rc<dyn Runtime>, exchange: Exchange) -> (Box<dyn Session>, Ops) {
    memory::open(&setting.memory, runtime, exchange)
}

/// The same of a Memphis broker.
#[inline]
pub fn enter_memphis(runtime: &dyn Runtime, exchange: Exchange) -> (Box<dyn Session>, Ops) {
    memphis::open(runtime, exchange)
}

/// An operation under way. Boxed: one awaited inside the other would be compiled into every caller anew.
pub struct Operation<'a, T>(Pin<Box<dyn Future<Output = Done<T>> + 'a>>);

impl<'a, T: 'a> Operation<'a, T> {
    fn new(work: impl Future<Output = Done<T>> + 'a) -> Operation<'a, T> {
        Operation(Box::pin(work))
    }

    fn ready(result: Done<T>) -> Operation<'a, T> {
        Operation(Box::pin(std::future::ready(result)))
    }
}

impl<T> Future for Operation<'_, T> {
    type Output = Done<T>;
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Done<T>> {
        self.0.as_mut().poll(context)
    }
}

/// The operations of a broker.
#[derive(Clone)]
pub enum Ops {
    /// The broker inside this package.
    #[cfg(feature = "memory")]
    Memory(memory::Ops, Exchange),
    /// A NATS server.
    #[cfg(feature = "nats")]
    Nats(nats::api::Api),
    /// A Memphis broker.
    #[cfg(feature = "memphis")]
    Memphis(Rc<dyn memphis::Operations>),
}

impl Ops {
    /// The operations of a broker that is reached over a socket.
    pub fn new(setting: &Setting, exchange: Exchange) -> Ops {
        Ops::Nats(nats::api::Api::new(exchange, &nats::names::api(&setting.domain)))
    }

    fn now(exchange: &Exchange) -> Now {
        exchange.0.now()
    }

    /// Find a station; `None` if there is none.
    pub fn find<'a>(&'a self, name: &'a str) -> Operation<'a, Option<StationFacts>> {
        match self {
            #[cfg(feature = "memory")]
            Ops::Memory(ops, _) => Operation::ready(ops.find(name)),
            #[cfg(feature = "nats")]
            Ops::Nats(api) => Operation::new(nats::station::find(api, name)),
            #[cfg(feature = "memphis")]
            Ops::Memphis(ops) => ops.find(name),
        }
    }

    /// Create what is missing of a station; what exists is left as it is.
    #[inline(never)]
    pub fn station<'a>(&'a self, name: &'a str, spec: &'a StationSpec) -> Operation<'a, StationFacts> {
        if spec.dls_station == name {
            return Operation::ready(Err(Error::argument("a station cannot be its own dlsStation")
                .hint("Dead letters would die there again and again; name another station.")
                .at(name)));
        }
        match self {
            #[cfg(feature = "memory")]
            Ops::Memory(ops, exchange) => Operation::ready(ops.station(Ops::now(exchange), name, spec)),
            #[cfg(feature = "nats")]
            Ops::Nats(api) => Operation::new(nats::station::ensure(api, name, spec)),
            #[cfg(feature = "memphis")]
            Ops::Memphis(ops) => ops.station(name, spec),
        }
    }

    /// A producer of this name is about to send there; the broker may want to know of it, and say where.
    pub fn producer<'a>(&'a self, facts: StationFacts, producer: &'a str) -> Operation<'a, StationFacts> {
        match self {
            #[cfg(feature = "memphis")]
            Ops::Memphis(ops) => ops.producer(facts, producer),
            _ => {
                let _ = producer;
                Operation::ready(Ok(facts))
            }
        }
    }

    /// A producer was destroyed: the broker need not know of it any more.
    pub fn leave_producer<'a>(&'a self, name: &'a str, producer: &'a str) -> Operation<'a, ()> {
        match self {
            #[cfg(feature = "memphis")]
            Ops::Memphis(ops) => ops.leave_producer(name, producer),
            _ => {
                let _ = (name, producer);
                Operation::ready(Ok(()))
            }
        }
    }

    /// Wake after the next input, where a broker has a use for it: what the turn brings has happened then.
    pub fn wake_later(&self, waker: &Waker) {
        match self {
            #[cfg(feature = "memphis")]
            Ops::Memphis(ops) => ops.wake_later(waker),
            _ => waker.wake_by_ref(),
        }
    }

    /// As [`Ops::find`], for those who go by the station's schema: where finding does not tell it, it is asked for.
    pub fn bound<'a>(&'a self, name: &'a str) -> Operation<'a, Option<StationFacts>> {
        match self {
            #[cfg(feature = "memphis")]
            Ops::Memphis(ops) => ops.bound(name),
            _ => self.find(name),
        }
    }

    /// Make a station ready for messages that vanish or appear later.
    pub fn prepare<'a>(&'a self, facts: &'a StationFacts, needs: u8) -> Operation<'a, ()> {
        match self {
            #[cfg(feature = "memory")]
            Ops::Memory(..) => Operation::ready(Ok(())),
            #[cfg(feature = "nats")]
            Ops::Nats(api) => Operation::new(nats::time::prepare(api, facts, needs)),
            #[cfg(feature = "memphis")]
            Ops::Memphis(ops) => ops.prepare(needs),
        }
    }

    /// Remove a station.
    pub fn destroy<'a>(&'a self, facts: &'a StationFacts) -> Operation<'a, ()> {
        match self {
            #[cfg(feature = "memory")]
            Ops::Memory(ops, _) => Operation::ready(ops.destroy(&facts.name)),
            #[cfg(feature = "nats")]
            Ops::Nats(api) => Operation::new(nats::station::destroy(api, facts)),
            #[cfg(feature = "memphis")]
            Ops::Memphis(ops) => ops.destroy(facts),
        }
    }

    /// A schema in its newest version; `None` if there is none.
    pub fn schema<'a>(&'a self, name: &'a str) -> Operation<'a, Option<Schema>> {
        match self {
            #[cfg(feature = "memory")]
            Ops::Memory(ops, _) => Operation::ready(ops.schema(name)),
            #[cfg(feature = "nats")]
            Ops::Nats(api) => Operation::new(nats::registry::find(api, name)),
            #[cfg(feature = "memphis")]
            Ops::Memphis(ops) => ops.schema(name),
        }
    }

    /// Make a schema, or another version of it; its number comes back, the one given does not count.
    pub fn create_schema<'a>(&'a self, schema: &'a Schema) -> Operation<'a, u64> {
        match self {
            #[cfg(feature = "memory")]
            Ops::Memory(ops, _) => Operation::ready(ops.create_schema(schema)),
            #[cfg(feature = "nats")]
            Ops::Nats(api) => Operation::new(nats::registry::create(api, schema)),
            #[cfg(feature = "memphis")]
            Ops::Memphis(ops) => ops.create_schema(schema),
        }
    }

    /// Enforce a schema on a station, or (`""`) none.
    pub fn enforce<'a>(&'a self, station: &'a str, schema: &'a str) -> Operation<'a, ()> {
        match self {
            #[cfg(feature = "memory")]
            Ops::Memory(ops, _) => Operation::ready(ops.enforce(station, schema)),
            #[cfg(feature = "nats")]
            Ops::Nats(api) => Operation::new(nats::registry::enforce(api, station, schema)),
            #[cfg(feature = "memphis")]
            Ops::Memphis(ops) => ops.enforce(station, schema),
        }
    }

    /// What a station holds.
    pub fn report<'a>(&'a self, name: &'a str) -> Operation<'a, StationReport> {
        match self {
            #[cfg(feature = "memory")]
            Ops::Memory(ops, exchange) => Operation::ready(ops.report(Ops::now(exchange), name)),
            #[cfg(feature = "nats")]
            Ops::Nats(api) => Operation::new(nats::station::report(api, name)),
            #[cfg(feature = "memphis")]
            Ops::Memphis(ops) => ops.report(name),
        }
    }

    /// Every station that the user can see, by name.
    pub fn stations(&self) -> Operation<'_, Vec<StationReport>> {
        match self {
            #[cfg(feature = "memory")]
            Ops::Memory(ops, exchange) => Operation::ready(ops.stations(Ops::now(exchange))),
            #[cfg(feature = "nats")]
            Ops::Nats(api) => Operation::new(nats::list::stations(api)),
            #[cfg(feature = "memphis")]
            Ops::Memphis(ops) => ops.stations(),
        }
    }

    /// Remove the messages of a station; says how many there were.
    pub fn purge<'a>(&'a self, facts: &'a StationFacts) -> Operation<'a, u64> {
        match self {
            #[cfg(feature = "memory")]
            Ops::Memory(ops, exchange) => Operation::ready(ops.purge(Ops::now(exchange), &facts.name)),
            #[cfg(feature = "nats")]
            Ops::Nats(api) => Operation::new(nats::station::purge(api, facts)),
            #[cfg(feature = "memphis")]
            Ops::Memphis(ops) => ops.purge(),
        }
    }

    /// Begin to walk through what a station holds now, in each of its partitions or in one.
    pub fn walks<'a>(&'a self, name: &'a str, start: Start, partition: Option<u32>) -> Operation<'a, Vec<Walk>> {
        match self {
            #[cfg(feature = "memory")]
            Ops::Memory(ops, exchange) => Operation::ready(ops.walks(Ops::now(exchange), name, start, partition)),
            #[cfg(feature = "nats")]
            Ops::Nats(api) => Operation::new(nats::browse::walks(api, name, start, partition)),
            #[cfg(feature = "memphis")]
            Ops::Memphis(ops) => ops.walks(name, start, partition),
        }
    }

    /// The next messages of a walk, at most so many; none only where it is over.
    pub fn page<'a>(&'a self, walk: &'a mut Walk, most: u32) -> Operation<'a, Vec<Stored>> {
        match self {
            #[cfg(feature = "memory")]
            Ops::Memory(ops, exchange) => Operation::ready(ops.page(Ops::now(exchange), walk, most)),
            #[cfg(feature = "nats")]
            Ops::Nats(api) => Operation::new(nats::browse::page(api, walk, most)),
            #[cfg(feature = "memphis")]
            Ops::Memphis(ops) => ops.page(walk, most),
        }
    }

    /// Create a group where it is missing; join it where it is.
    pub fn group<'a>(&'a self, facts: &'a StationFacts, spec: &'a GroupSpec) -> Operation<'a, GroupFacts> {
        match self {
            #[cfg(feature = "memory")]
            Ops::Memory(ops, exchange) => Operation::ready(ops.group(Ops::now(exchange), facts, spec)),
            #[cfg(feature = "nats")]
            Ops::Nats(api) => Operation::new(nats::group::ensure(api, facts, spec)),
            #[cfg(feature = "memphis")]
            Ops::Memphis(ops) => ops.group(facts, spec),
        }
    }

    /// What was told about a station since it was found.
    pub fn retold(&self, facts: &mut StationFacts) {
        match self {
            #[cfg(feature = "memphis")]
            Ops::Memphis(ops) => ops.retold(facts),
            _ => {
                let _ = facts;
            }
        }
    }

    /// Remove a group; with `given_back`, only if no other member shows. Says whether it was removed.
    pub fn remove_group<'a>(
        &'a self,
        facts: &'a StationFacts,
        group: &'a str,
        given_back: Option<u64>,
    ) -> Operation<'a, bool> {
        match self {
            #[cfg(feature = "memory")]
            Ops::Memory(ops, exchange) => {
                Operation::ready(ops.remove_group(Ops::now(exchange), facts, group, given_back.is_some()))
            }
            #[cfg(feature = "nats")]
            Ops::Nats(api) => Operation::new(nats::group::remove(api, facts, group, given_back)),
            #[cfg(feature = "memphis")]
            Ops::Memphis(ops) => ops.remove_group(facts, group),
        }
    }

    /// Record a death: copies, as the station's options say, then the end of its deliveries.
    pub fn bury<'a>(&'a self, death: &'a Death) -> Operation<'a, ()> {
        match self {
            #[cfg(feature = "memory")]
            Ops::Memory(ops, exchange) => Operation::ready(ops.bury(Ops::now(exchange), death)),
            #[cfg(feature = "nats")]
            Ops::Nats(api) => Operation::new(nats::dead::bury(api, death)),
            #[cfg(feature = "memphis")]
            Ops::Memphis(ops) => ops.bury(death),
        }
    }

    /// Have it kept what the broker tells of deaths in groups whose limit is its own, until somebody records them.
    #[inline(never)]
    pub fn heed_deaths<'a>(&'a self, facts: &'a StationFacts) -> Operation<'a, ()> {
        match self {
            #[cfg(feature = "nats")]
            Ops::Nats(api) => Operation::new(nats::notices::heed(api, facts)),
            _ => Operation::ready(Ok(())),
        }
    }

    /// Record deaths that the broker has told of.
    #[inline(never)]
    pub fn record_deaths<'a>(&'a self, station: &'a str) -> Operation<'a, Told> {
        match self {
            #[cfg(feature = "nats")]
            Ops::Nats(api) => Operation::new(nats::notices::record(api, station)),
            _ => Operation::ready(Ok(Told::default())),
        }
    }

    /// The number of a station's newest dead letter; 0 if there has never been one.
    pub fn newest_letter<'a>(&'a self, station: &'a str) -> Operation<'a, u64> {
        match self {
            #[cfg(feature = "memory")]
            Ops::Memory(ops, exchange) => Operation::ready(ops.newest_letter(Ops::now(exchange), station)),
            #[cfg(feature = "nats")]
            Ops::Nats(api) => Operation::new(nats::dead::newest(api, station)),
            #[cfg(feature = "memphis")]
            Ops::Memphis(ops) => ops.newest_letter(),
        }
    }

    /// The next dead letters with numbers from `from` to `to`; none if there are no more.
    pub fn letters<'a>(&'a self, station: &'a str, from: u64, to: u64) -> Operation<'a, Vec<Letter>> {
        match self {
            #[cfg(feature = "memory")]
            Ops::Memory(ops, exchange) => Operation::ready(ops.letters(Ops::now(exchange), station, from, to)),
            #[cfg(feature = "nats")]
            Ops::Nats(api) => Operation::new(nats::dead::letters(api, station, from, to)),
            #[cfg(feature = "memphis")]
            Ops::Memphis(ops) => ops.letters(),
        }
    }

    /// Put a dead letter into its station again, as a new message, and forget it.
    pub fn revive<'a>(&'a self, station: &'a str, number: u64) -> Operation<'a, Revived> {
        match self {
            #[cfg(feature = "memory")]
            Ops::Memory(ops, exchange) => Operation::ready(ops.revive(Ops::now(exchange), station, number)),
            #[cfg(feature = "nats")]
            Ops::Nats(api) => Operation::new(nats::dead::revive(api, station, number)),
            #[cfg(feature = "memphis")]
            Ops::Memphis(ops) => ops.revive(),
        }
    }

    /// Forget a dead letter, and what lies apart from it.
    pub fn discard<'a>(&'a self, station: &'a str, number: u64, rest: &'a [u64]) -> Operation<'a, ()> {
        match self {
            #[cfg(feature = "memory")]
            Ops::Memory(ops, exchange) => Operation::ready(ops.discard(Ops::now(exchange), station, number)),
            #[cfg(feature = "nats")]
            Ops::Nats(api) => Operation::new(nats::dead::discard(api, station, number, rest)),
            #[cfg(feature = "memphis")]
            Ops::Memphis(ops) => ops.discard(),
        }
    }

    /// The last sequence a group is done with in a partition; `None` if nothing yet.
    pub fn position<'a>(
        &'a self,
        facts: &'a StationFacts,
        group: &'a str,
        partition: u32,
    ) -> Operation<'a, Option<u64>> {
        let Some(place) = facts.places.iter().find(|place| place.partition == partition) else {
            return Operation::ready(Err(Error::argument(format!("the station has no partition {partition}"))));
        };
        match self {
            #[cfg(feature = "memory")]
            Ops::Memory(ops, exchange) => {
                Operation::ready(ops.position(Ops::now(exchange), &place.station, group, partition))
            }
            #[cfg(feature = "nats")]
            Ops::Nats(api) => Operation::new(nats::group::position(api, place, group)),
            #[cfg(feature = "memphis")]
            Ops::Memphis(ops) => ops.position(place, group),
        }
    }
}
