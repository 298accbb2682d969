//! The world: clocks, connections, hosts and the network between them.
//!
//! Bytes of one direction of one link arrive in order; what a link loses, it loses from some moment on, since a
//! stream never has holes. Wall time and monotonic time can be moved apart.

use super::SimRuntime;
use super::random::Random;
use super::tasks::{Tasks, run_one};
use crate::base::error::{Error, Kind};
use crate::base::time::{Millis, Now, Time, Wall};
use crate::base::value::JsonReader;
use crate::runtime::{Event, Facts};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;

/// Where the clocks begin: some time after the page was opened, on a day in November 2026.
const MONO: u64 = 1_000_000;
const WALL: u64 = 1_795_243_580_000_000_000;

/// More events than this within one millisecond mean that somebody never comes to rest.
const RESTLESS: u32 = 200_000;

/// What answers at the other end of a link; a state machine without I/O.
pub trait Host {
    /// A link is open.
    fn opened(&mut self, now: Now, link: u32);
    /// Bytes came.
    fn bytes(&mut self, now: Now, link: u32, bytes: &[u8]);
    /// A link is gone.
    fn gone(&mut self, now: Now, link: u32);
    /// Time has passed.
    fn tick(&mut self, now: Now);
    /// When it wants to be told that time has passed.
    fn deadline(&self) -> Option<Time>;
    /// The next thing it has to say.
    fn poll(&mut self) -> Option<Said>;
}

/// What a host says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Bytes for a link.
    Bytes {
        /// Which.
        link: u32,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// It closes a link.
    HangUp {
        /// Which.
        link: u32,
        /// The reason that the other side sees.
        reason: String,
    },
}

/// How the network behaves.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    /// Shortest and longest way of a chunk, in milliseconds.
    pub latency: (u64, u64),
    /// How often, in a thousand, what arrives is cut into pieces at random places.
    pub cuts: u64,
    /// Keep what connections send, for [`SimRuntime::take_sent`].
    pub record: bool,
}

impl Default for Network {
    fn default() -> Network {
        Network { latency: (0, 0), cuts: 0, record: true }
    }
}

/// Where a connection's events go.
type Sink = Rc<dyn Fn(Event<'_>)>;

pub(crate) struct Port {
    sink: Option<Sink>,
    pub(crate) facts: Facts,
    pub(crate) dials: Vec<(u32, String)>,
    pub(crate) sent: Vec<Vec<u8>>,
    pub(crate) sends: u64,
    pub(crate) sent_bytes: u64,
    pub(crate) hang_ups: u64,
    pub(crate) timer: Option<Time>,
    pub(crate) deferred: bool,
    /// The links that this side holds, oldest first.
    links: Vec<u32>,
    /// Timers do not fire before this.
    throttled: Time,
    /// Nothing at all is delivered before this.
    frozen: Time,
}

struct Listener {
    prefix: String,
    host: Rc<RefCell<dyn Host>>,
    down: bool,
}

struct Link {
    port: usize,
    generation: u32,
    listener: usize,
    /// The host knows it.
    open: bool,
    /// Nothing passes any more, and nobody is told.
    silent: bool,
    out_free: Time,
    in_free: Time,
}

enum Flight {
    Dial { link: u32 },
    ToHost { link: u32, bytes: Vec<u8> },
    HostGone { link: u32 },
    Opened { port: usize, generation: u32 },
    Encrypted { port: usize, generation: u32 },
    ToPort { port: usize, generation: u32, bytes: Vec<u8> },
    Closed { port: usize, generation: u32, error: Error },
    Awake { port: usize },
}

pub(crate) struct Inner {
    pub(crate) now: Now,
    pub(crate) random: Random,
    pub(crate) json: JsonReader,
    pub(crate) ports: Vec<Port>,
    pub(crate) tasks: Tasks,
    network: Network,
    listeners: Vec<Listener>,
    links: BTreeMap<u32, Link>,
    last_link: u32,
    flights: BTreeMap<(Time, u64), Flight>,
    last_flight: u64,
    restless: u32,
}

impl Inner {
    pub(crate) fn advance(&mut self, millis: u64) {
        self.now.mono = self.now.mono + Millis(millis);
        self.now.wall = Wall(self.now.wall.0.saturating_add(millis * 1_000_000));
    }

    fn fly(&mut self, at: Time, flight: Flight) {
        self.last_flight += 1;
        self.flights.insert((at, self.last_flight), flight);
    }

    fn latency(&mut self) -> Millis {
        Millis(self.random.between(self.network.latency.0, self.network.latency.1))
    }

    pub(crate) fn dial(&mut self, port: usize, generation: u32, url: &str) {
        self.ports[port].dials.push((generation, url.into()));
        if self.listeners.is_empty() {
            return;
        }
        let listener = self.listeners.iter().position(|listener| url.starts_with(&listener.prefix));
        let at = self.now.mono + self.latency();
        match listener {
            Some(listener) => {
                self.last_link += 1;
                let link = self.last_link;
                let state = Link { port, generation, listener, open: false, silent: false, out_free: at, in_free: at };
                self.links.insert(link, state);
                self.ports[port].links.push(link);
                self.fly(at, Flight::Dial { link });
            }
            None => self.fly(at, Flight::Closed { port, generation, error: refused() }),
        }
    }

    /// The link of a dial, while this side holds it.
    fn link(&self, port: usize, generation: u32) -> Option<u32> {
        let held = |link: &&u32| self.links.get(*link).is_some_and(|state| state.generation == generation);
        self.ports[port].links.iter().find(held).copied()
    }

    /// The world has no eavesdroppers: only the time passes.
    pub(crate) fn encrypt(&mut self, port: usize, generation: u32) {
        let delay = self.latency();
        let Some(link) = self.link(port, generation) else { return };
        let now = self.now.mono;
        let Some(state) = self.links.get_mut(&link) else { return };
        if !state.silent {
            state.in_free = state.in_free.max(now + delay);
            let at = state.in_free;
            self.fly(at, Flight::Encrypted { port, generation });
        }
    }

    pub(crate) fn send(&mut self, port: usize, generation: u32, bytes: &[u8]) {
        let record = self.network.record;
        let state = &mut self.ports[port];
        state.sends += 1;
        state.sent_bytes += bytes.len() as u64;
        if record {
            state.sent.push(bytes.to_vec());
        }
        let Some(link) = self.link(port, generation) else { return };
        let delay = self.latency();
        let now = self.now.mono;
        let Some(state) = self.links.get_mut(&link) else { return };
        if !state.silent {
            state.out_free = state.out_free.max(now + delay);
            let at = state.out_free;
            self.fly(at, Flight::ToHost { link, bytes: bytes.to_vec() });
        }
    }

    pub(crate) fn hang_up(&mut self, port: usize, generation: u32) {
        self.ports[port].hang_ups += 1;
        self.drop_link(port, generation);
    }

    /// This side lets go: the host hears of it, unless the link is silent; nothing arrives here any more.
    fn drop_link(&mut self, port: usize, generation: u32) {
        self.flights.retain(|_, flight| match flight {
            Flight::Opened { port: p, generation: g }
            | Flight::Encrypted { port: p, generation: g }
            | Flight::ToPort { port: p, generation: g, .. }
            | Flight::Closed { port: p, generation: g, .. } => (*p, *g) != (port, generation),
            _ => true,
        });
        let Some(link) = self.link(port, generation) else { return };
        self.ports[port].links.retain(|held| *held != link);
        let delay = self.latency();
        let now = self.now.mono;
        if let Some(state) = self.links.get(&link)
            && !state.silent
        {
            let at = state.out_free.max(now + delay);
            self.fly(at, Flight::HostGone { link });
        }
    }

    /// The link breaks now; what is under way is lost, and both sides hear of it.
    fn cut(&mut self, link: u32, error: Error) {
        let Some(state) = self.links.get_mut(&link) else { return };
        let (port, generation) = (state.port, state.generation);
        state.silent = true;
        self.flights.retain(|_, flight| match flight {
            Flight::Dial { link: l } | Flight::ToHost { link: l, .. } => *l != link,
            Flight::Opened { port: p, generation: g }
            | Flight::Encrypted { port: p, generation: g }
            | Flight::ToPort { port: p, generation: g, .. } => (*p, *g) != (port, generation),
            _ => true,
        });
        let (here, there) = (self.now.mono + self.latency(), self.now.mono + self.latency());
        if self.let_go(port, link) {
            self.fly(here, Flight::Closed { port, generation, error });
        }
        self.fly(there, Flight::HostGone { link });
    }

    /// This side holds the link no more; whether it did.
    fn let_go(&mut self, port: usize, link: u32) -> bool {
        let before = self.ports[port].links.len();
        self.ports[port].links.retain(|held| *held != link);
        self.ports[port].links.len() < before
    }

    /// A host's bytes set out.
    fn say(&mut self, link: u32, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let cut = rest.len() > 1 && self.random.chance(self.network.cuts);
            let take = if cut { 1 + self.random.below(rest.len() as u64 - 1) as usize } else { rest.len() };
            let (piece, others) = rest.split_at(take);
            rest = others;
            let delay = self.latency();
            let now = self.now.mono;
            let Some(state) = self.links.get_mut(&link) else { return };
            if state.silent || !self.ports[state.port].links.contains(&link) {
                return;
            }
            state.in_free = state.in_free.max(now + delay);
            let (at, port, generation) = (state.in_free, state.port, state.generation);
            self.fly(at, Flight::ToPort { port, generation, bytes: piece.to_vec() });
        }
    }

    /// A host closes a link: what it said before still arrives.
    fn host_hangs_up(&mut self, link: u32, reason: &str) {
        let Some(state) = self.links.remove(&link) else { return };
        if !state.silent && self.let_go(state.port, link) {
            let at = state.in_free.max(self.now.mono);
            let error = Error::new(Kind::ConnectionLost, "the server closed the connection").said(reason);
            self.fly(at, Flight::Closed { port: state.port, generation: state.generation, error });
        }
    }

    /// When a port's timer can fire.
    fn timer(&self, port: usize) -> Option<Time> {
        let state = &self.ports[port];
        state.timer.map(|at| at.max(state.throttled).max(state.frozen))
    }
}

fn refused() -> Error {
    Error::new(Kind::ConnectFailed, "the connection was refused")
}

/// Several connections, hosts, one network, one clock.
#[derive(Clone)]
pub struct World {
    inner: Rc<RefCell<Inner>>,
}

impl World {
    /// A world in which everything follows from this seed.
    pub fn new(seed: u64, json: JsonReader) -> World {
        let inner = Inner {
            now: Now { mono: Time(MONO), wall: Wall(WALL) },
            random: Random::new(seed),
            json,
            ports: Vec::new(),
            tasks: Tasks::default(),
            network: Network::default(),
            listeners: Vec::new(),
            links: BTreeMap::new(),
            last_link: 0,
            flights: BTreeMap::new(),
            last_flight: 0,
            restless: 0,
        };
        World { inner: Rc::new(RefCell::new(inner)) }
    }

    pub(crate) fn of(inner: Rc<RefCell<Inner>>) -> World {
        World { inner }
    }

    /// A view for one more connection.
    pub fn runtime(&self) -> SimRuntime {
        let mut inner = self.inner.borrow_mut();
        inner.ports.push(Port {
            sink: None,
            facts: Facts::default(),
            dials: Vec::new(),
            sent: Vec::new(),
            sends: 0,
            sent_bytes: 0,
            hang_ups: 0,
            timer: None,
            deferred: false,
            links: Vec::new(),
            throttled: Time(0),
            frozen: Time(0),
        });
        SimRuntime::at(self.inner.clone(), inner.ports.len() - 1)
    }

    /// Say where a connection's events go.
    pub fn attach(&self, runtime: &SimRuntime, sink: impl Fn(Event<'_>) + 'static) {
        self.inner.borrow_mut().ports[runtime.port()].sink = Some(Rc::new(sink));
    }

    /// Let a host answer at every address that begins like this.
    pub fn listen(&self, prefix: &str, host: Rc<RefCell<dyn Host>>) {
        self.inner.borrow_mut().listeners.push(Listener { prefix: prefix.into(), host, down: false });
    }

    /// Say how the network behaves from now on.
    pub fn set_network(&self, network: Network) {
        self.inner.borrow_mut().network = network;
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        self.inner.borrow().now
    }

    /// A number below `bound`, from the world's seed.
    pub fn below(&self, bound: u64) -> u64 {
        self.inner.borrow_mut().random.below(bound)
    }

    /// Break a connection's link; what is under way is lost, and both sides hear of it.
    pub fn cut(&self, runtime: &SimRuntime) {
        let mut inner = self.inner.borrow_mut();
        let port = runtime.port();
        // The newest: a silent link may have been let go by neither side yet.
        let link = inner.links.iter().rfind(|(_, link)| link.port == port).map(|(id, _)| *id);
        if let Some(link) = link {
            inner.cut(link, Error::new(Kind::ConnectionLost, "the link was cut"));
        }
    }

    /// Lose everything on a connection's link from now on, without telling anybody.
    pub fn half_open(&self, runtime: &SimRuntime) {
        let mut inner = self.inner.borrow_mut();
        let Some(link) = inner.ports[runtime.port()].links.last().copied() else { return };
        let Some(state) = inner.links.get_mut(&link) else { return };
        state.silent = true;
        let (port, generation) = (state.port, state.generation);
        inner.flights.retain(|_, flight| match flight {
            Flight::ToHost { link: l, .. } | Flight::Dial { link: l } => *l != link,
            Flight::ToPort { port: p, generation: g, .. }
            | Flight::Encrypted { port: p, generation: g }
            | Flight::Opened { port: p, generation: g } => (*p, *g) != (port, generation),
            _ => true,
        });
    }

    /// Let no timer of this connection fire for so long, as a page in the background sees it.
    pub fn throttle(&self, runtime: &SimRuntime, span: Millis) {
        let mut inner = self.inner.borrow_mut();
        let until = inner.now.mono + span;
        inner.ports[runtime.port()].throttled = until;
    }

    /// Deliver nothing to this connection for so long; then everything that came meanwhile, after an `Awake`.
    pub fn freeze(&self, runtime: &SimRuntime, span: Millis) {
        let mut inner = self.inner.borrow_mut();
        let until = inner.now.mono + span;
        inner.ports[runtime.port()].frozen = until;
        inner.fly(until, Flight::Awake { port: runtime.port() });
        // What is under way keeps its order behind the awakening.
        let late: Vec<_> = inner
            .flights
            .iter()
            .filter(|(key, f)| key.0 < until && f.port() == Some(runtime.port()))
            .map(|(key, _)| *key)
            .collect();
        for key in late {
            if let Some(flight) = inner.flights.remove(&key) {
                inner.fly(until, flight);
            }
        }
    }

    /// Move the wall clock, as its owner or a time server may do.
    pub fn jump_wall(&self, millis: i64) {
        let mut inner = self.inner.borrow_mut();
        inner.now.wall = Wall(inner.now.wall.0.saturating_add_signed(millis.saturating_mul(1_000_000)));
    }

    /// Let both clocks jump over a span in which nothing ran, as when a lid is closed.
    pub fn jump(&self, span: Millis) {
        self.inner.borrow_mut().advance(span.0);
    }

    /// Kill the host at this address (its links break, dials are refused), or start it again.
    pub fn set_down(&self, prefix: &str, down: bool) {
        let mut inner = self.inner.borrow_mut();
        let Some(at) = inner.listeners.iter().position(|listener| listener.prefix == prefix) else { return };
        inner.listeners[at].down = down;
        if down {
            let links: Vec<u32> =
                inner.links.iter().filter(|(_, link)| link.listener == at).map(|(id, _)| *id).collect();
            for link in links {
                inner.cut(link, Error::new(Kind::ConnectionLost, "the server died"));
            }
        }
    }

    /// Run every task that is ready.
    pub fn run_tasks(&self) {
        while run_one(|take| take(&mut self.inner.borrow_mut().tasks)) {
            self.count();
        }
    }

    /// Tasks that have not ended.
    pub fn tasks(&self) -> usize {
        self.inner.borrow().tasks.len()
    }

    /// Nothing is under way, no timer is set, no task waits to run, and no host has a deadline.
    pub fn is_quiet(&self) -> bool {
        self.settle();
        self.next().is_none()
    }

    /// Let this much time pass.
    pub fn run_for(&self, span: Millis) {
        let until = self.now().mono + span;
        self.run_until(until, || false);
    }

    /// Run until the condition holds or this much time has passed; says whether it held.
    pub fn wait(&self, span: Millis, mut condition: impl FnMut() -> bool) -> bool {
        let until = self.now().mono + span;
        self.run_until(until, &mut condition) || condition()
    }

    /// Run a future to its end, for at most so long.
    pub fn run<T: 'static>(&self, span: Millis, future: impl Future<Output = T> + 'static) -> Option<T> {
        let result = Rc::new(RefCell::new(None));
        let slot = result.clone();
        self.inner.borrow_mut().tasks.add(Box::pin(async move {
            let value = future.await;
            *slot.borrow_mut() = Some(value);
        }));
        self.wait(span, || result.borrow().is_some());
        result.take()
    }

    fn run_until(&self, until: Time, mut stop: impl FnMut() -> bool) -> bool {
        loop {
            self.settle();
            if stop() {
                return true;
            }
            match self.next() {
                Some(at) if at <= until => self.step(at),
                _ => {
                    let mut inner = self.inner.borrow_mut();
                    let rest = until.since(inner.now.mono);
                    inner.advance(rest.0);
                    inner.restless = 0;
                    return false;
                }
            }
        }
    }

    /// Bring the present turn to its end: tasks first, then those who asked for the end of the turn. Hosts are heard
    /// out as well: a test may have made one say something.
    fn settle(&self) {
        let hosts: Vec<_> = self.inner.borrow().listeners.iter().map(|listener| listener.host.clone()).collect();
        hosts.iter().for_each(|host| self.listen_to(host));
        loop {
            self.run_tasks();
            let port = {
                let mut inner = self.inner.borrow_mut();
                let port = inner.ports.iter().position(|port| port.deferred);
                port.inspect(|at| inner.ports[*at].deferred = false)
            };
            match port {
                Some(port) => self.deliver(port, Event::Deferred),
                None => break,
            }
        }
    }

    /// When something happens next.
    fn next(&self) -> Option<Time> {
        let inner = self.inner.borrow();
        let flight = inner.flights.keys().next().map(|(at, _)| *at);
        let timers = (0..inner.ports.len()).filter_map(|port| inner.timer(port));
        let hosts = inner.listeners.iter().filter(|listener| !listener.down).filter_map(|l| l.host.borrow().deadline());
        let next = flight.into_iter().chain(timers).chain(hosts).min();
        next.map(|at| at.max(inner.now.mono))
    }

    /// Let time pass up to `at` and do one thing.
    fn step(&self, at: Time) {
        self.count();
        let (flight, port) = {
            let mut inner = self.inner.borrow_mut();
            let rest = at.since(inner.now.mono);
            if rest.0 > 0 {
                inner.restless = 0;
            }
            inner.advance(rest.0);
            let key = inner.flights.keys().next().copied().filter(|(when, _)| *when <= at);
            let flight = key.and_then(|key| inner.flights.remove(&key));
            let port = (0..inner.ports.len()).find(|port| inner.timer(*port).is_some_and(|when| when <= at));
            (flight, port)
        };
        match (flight, port) {
            (Some(flight), _) => self.land(flight),
            (None, Some(port)) => {
                self.inner.borrow_mut().ports[port].timer = None;
                self.deliver(port, Event::Timer);
            }
            (None, None) => self.tick_hosts(at),
        }
    }

    fn land(&self, flight: Flight) {
        if let Some(port) = flight.port() {
            let mut inner = self.inner.borrow_mut();
            let frozen = inner.ports[port].frozen;
            if frozen > inner.now.mono {
                inner.fly(frozen, flight);
                return;
            }
        }
        let now = self.now();
        match flight {
            Flight::Dial { link } => {
                let mut inner = self.inner.borrow_mut();
                let Some(state) = inner.links.get_mut(&link) else { return };
                let (port, generation, listener) = (state.port, state.generation, state.listener);
                state.open = true;
                if inner.listeners[listener].down {
                    inner.links.remove(&link);
                    inner.let_go(port, link);
                    inner.fly(now.mono, Flight::Closed { port, generation, error: refused() });
                    return;
                }
                inner.fly(now.mono, Flight::Opened { port, generation });
                let host = inner.listeners[listener].host.clone();
                drop(inner);
                host.borrow_mut().opened(now, link);
                self.listen_to(&host);
            }
            Flight::ToHost { link, bytes } => self.with_host(link, |host| host.bytes(now, link, &bytes)),
            Flight::HostGone { link } => {
                if self.inner.borrow().links.get(&link).is_some_and(|state| state.open) {
                    self.with_host(link, |host| host.gone(now, link));
                }
                self.inner.borrow_mut().links.remove(&link);
            }
            Flight::Opened { port, generation } => self.deliver(port, Event::Opened { generation }),
            Flight::Encrypted { port, generation } => self.deliver(port, Event::Encrypted { generation }),
            Flight::ToPort { port, generation, bytes } => {
                self.deliver(port, Event::Chunk { generation, bytes: &bytes });
            }
            Flight::Closed { port, generation, error } => self.deliver(port, Event::Closed { generation, error }),
            Flight::Awake { port } => self.deliver(port, Event::Awake),
        }
    }

    fn with_host(&self, link: u32, act: impl FnOnce(&mut dyn Host)) {
        let host = {
            let inner = self.inner.borrow();
            inner.links.get(&link).map(|state| inner.listeners[state.listener].host.clone())
        };
        if let Some(host) = host {
            act(&mut *host.borrow_mut());
            self.listen_to(&host);
        }
    }

    fn tick_hosts(&self, at: Time) {
        let now = self.now();
        let hosts: Vec<_> = self.inner.borrow().listeners.iter().filter(|l| !l.down).map(|l| l.host.clone()).collect();
        for host in hosts {
            if host.borrow().deadline().is_some_and(|when| when <= at) {
                host.borrow_mut().tick(now);
                self.listen_to(&host);
            }
        }
    }

    /// Take everything a host has to say.
    fn listen_to(&self, host: &Rc<RefCell<dyn Host>>) {
        loop {
            let said = host.borrow_mut().poll();
            let mut inner = self.inner.borrow_mut();
            match said {
                Some(Said::Bytes { link, bytes }) => inner.say(link, &bytes),
                Some(Said::HangUp { link, reason }) => inner.host_hangs_up(link, &reason),
                None => break,
            }
        }
    }

    fn deliver(&self, port: usize, event: Event<'_>) {
        let sink = self.inner.borrow().ports[port].sink.clone();
        if let Some(sink) = sink {
            sink(event);
        }
        self.count();
    }

    fn count(&self) {
        let mut inner = self.inner.borrow_mut();
        inner.restless += 1;
        assert!(inner.restless < RESTLESS, "time stands still at {:?}: somebody never comes to rest", inner.now.mono);
    }
}

impl Flight {
    /// The connection it arrives at.
    fn port(&self) -> Option<usize> {
        match self {
            Flight::Opened { port, .. }
            | Flight::Encrypted { port, .. }
            | Flight::ToPort { port, .. }
            | Flight::Closed { port, .. }
            | Flight::Awake { port } => Some(*port),
            Flight::Dial { .. } | Flight::ToHost { .. } | Flight::HostGone { .. } => None,
        }
    }
}
