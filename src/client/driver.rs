//! The one place that gives events to a connection, runs what it wants done, flushes, arms the timer and wakes tasks.
//!
//! Everything from outside comes in here and everything for the application leaves from here, as a [`Turn`]: by return
//! value where somebody called, at the end of the turn otherwise.

use super::connection::{Connection, Deed};
use super::consumer::Todo;
use super::turn::{OpId, ProducerId, Turn};
use super::usual::Connect;
use super::{stations, timed};
use crate::base::error::Error;
use crate::base::id::random_id;
use crate::base::limits;
use crate::base::time::{Millis, Now, Time, earliest};
use crate::base::value::JsonReader;
use crate::brokers::{self, Ops};
use crate::link::exchange::{Exchange, Port};
use crate::link::session::{Login, Reply, Request, WaitId};
use crate::link::tap::Direction;
use crate::runtime::{Dial, Event, Facts, Loading, Part, Runtime, Task};
use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;
use std::task::Waker;

/// A connection at work.
pub struct Driver {
    pub(super) core: RefCell<Connection>,
    pub(super) runtime: Rc<dyn Runtime>,
    pub(super) setting: brokers::Setting,
    pub(super) ops: RefCell<Option<Ops>>,
    /// The end of this turn has been asked for.
    deferred: Cell<bool>,
    /// The runtime may hold back what has been sent in this turn.
    unsent: Cell<bool>,
    /// When the turn began, for whoever needs to know no better.
    began: Cell<Option<Now>>,
    armed: Cell<Option<Time>>,
    spare: Cell<Vec<u8>>,
    /// Ends of turns that a send still waits for, and how many it has waited for.
    held_back: Cell<(u8, u8)>,
}

impl Driver {
    /// A connection that has not been started.
    pub fn new(options: Connect, runtime: Rc<dyn Runtime>) -> Rc<Driver> {
        let (kind, setting) = (options.broker, options.setting.clone());
        let session = brokers::session(kind, &setting, runtime.json());
        let driver = Rc::new(Driver {
            core: RefCell::new(Connection::new(options, session)),
            setting,
            runtime,
            ops: RefCell::new(None),
            deferred: Cell::new(false),
            unsent: Cell::new(false),
            began: Cell::new(None),
            armed: Cell::new(None),
            spare: Cell::new(Vec::new()),
            held_back: Cell::new((0, 0)),
        });
        if kind == brokers::Kind::Nats {
            *driver.ops.borrow_mut() = Some(Ops::new(&driver.setting, Exchange(driver.clone())));
        }
        driver
    }

    /// Begin to connect.
    pub fn start(self: &Rc<Self>) {
        self.core.borrow_mut().start(self.now());
        self.work(false);
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        self.runtime.now()
    }

    /// Fresh random bytes.
    pub fn random(&self) -> [u8; 8] {
        let mut random = [0; 8];
        self.runtime.random(&mut random);
        random
    }

    /// The broker's operations.
    pub fn ops(&self) -> Result<Ops, Error> {
        self.core.borrow().check_open()?;
        self.operations()
    }

    /// The same, also while the connection closes.
    #[inline(never)]
    pub(super) fn operations(&self) -> Result<Ops, Error> {
        self.ops.borrow().clone().ok_or_else(|| Error::argument("the connection has been closed"))
    }

    /// Which broker.
    pub fn broker(&self) -> brokers::Kind {
        self.core.borrow().broker
    }

    /// Take an event from outside; what the turn brought comes back.
    pub fn event(self: &Rc<Self>, event: Event<'_>) -> Turn {
        let now = self.now();
        let timer = matches!(event, Event::Timer);
        if matches!(event, Event::Deferred) {
            self.deferred.set(false);
            self.began.set(None);
        }
        let late = timer && self.armed.get().is_some_and(|at| now.mono.since(at) > limits::ASLEEP);
        if timer {
            self.armed.set(None);
        }
        // Random bytes and facts cost calls outside: only a dial, a loss and a timer use them.
        let rare = !matches!(event, Event::Chunk { .. } | Event::Deferred);
        let random = if rare { self.random() } else { [0; 8] };
        let facts = if rare { self.runtime.facts() } else { Facts::default() };
        let mut core = self.entered();
        core.handle(now, event, late, random, facts);
        drop(core);
        self.work(!rare);
        self.take_turn()
    }

    /// What the turn has brought so far.
    pub fn take_turn(&self) -> Turn {
        self.core.borrow_mut().take_turn()
    }

    /// A turn that has been read, to be used again.
    pub fn recycle(&self, turn: Turn) {
        self.core.borrow_mut().spare = turn;
    }

    /// The connection, for something that happens now: after what has been laid down.
    #[inline(never)]
    fn entered(&self) -> RefMut<'_, Connection> {
        let mut core = self.core.borrow_mut();
        if core.live.tray.is_open() {
            core.collect(self.began.get().unwrap_or_else(|| self.now()));
        }
        core
    }

    /// Use the connection; what follows from it happens now, what it has to say at the end of the turn.
    pub fn call<T>(self: &Rc<Self>, work: impl FnOnce(&mut Connection, Now) -> T) -> T {
        let now = self.now();
        let result = work(&mut self.entered(), now);
        self.schedule(true, now);
        result
    }

    /// Use the connection for something that neither writes nor waits.
    pub fn look<T>(&self, work: impl FnOnce(&mut Connection) -> T) -> T {
        work(&mut self.entered())
    }

    /// Use the connection on the hot path: a write that is large enough leaves at once.
    pub fn hot<T>(self: &Rc<Self>, work: impl FnOnce(&mut Connection, Now) -> T) -> T {
        self.hot_at(self.now(), work)
    }

    /// The same for what sets no deadline that would have to be kept exactly: the clock, a call outside, is read once a
    /// turn.
    pub fn hot_by_turn<T>(self: &Rc<Self>, work: impl FnOnce(&mut Connection, Now) -> T) -> T {
        let now = self.began.get().filter(|_| self.deferred.get()).unwrap_or_else(|| self.now());
        let result = self.hot_at(now, work);
        self.began.set(Some(now).filter(|_| self.deferred.get()));
        result
    }

    fn hot_at<T>(self: &Rc<Self>, now: Now, work: impl FnOnce(&mut Connection, Now) -> T) -> T {
        let mut core = self.entered();
        let result = work(&mut core, now);
        let full = core.outbox.is_full();
        drop(core);
        if full {
            self.flush(true);
        }
        self.schedule(!self.core.borrow().is_up(), now);
        result
    }

    /// Have the end of this turn announced, if anything is to be done then. A hot call on a link that is up can only have
    /// brought a produce's or an acknowledgement's deadline nearer; looking at all others costs more than the call.
    fn schedule(self: &Rc<Self>, everything: bool, now: Now) {
        if self.deferred.get() {
            return;
        }
        let core = self.core.borrow();
        let due = self.unsent.get()
            || core.outbox.is_due()
            || !core.turn.is_empty()
            || core.session().has_output()
            || core.has_deeds()
            || core.live.tray.is_open();
        let deadline = match (due, everything) {
            (true, _) => None,
            (_, true) => core.deadline(),
            (_, false) => earliest(core.outbox.deadline(), core.producers.deadline()),
        };
        drop(core);
        if due {
            self.deferred.set(true);
            self.runtime.defer();
        } else {
            self.arm(deadline, Some(now));
        }
    }

    /// `now`: whoever knows the time saves a call outside.
    fn arm(&self, deadline: Option<Time>, now: Option<Now>) {
        if self.core.borrow().is_over() {
            // A timer that is left would keep a process alive.
            self.armed.set(None);
            return self.runtime.arm(None);
        }
        // A timer that fires too early is cheaper than one that is set again every turn.
        let armed = self.armed.get();
        let keep = match (armed, deadline) {
            (Some(armed), Some(deadline)) => armed <= deadline && armed >= now.unwrap_or_else(|| self.now()).mono,
            (Some(_), None) => true,
            (None, None) => true,
            (None, Some(_)) => false,
        };
        if !keep {
            self.armed.set(deadline);
            self.runtime.arm(deadline);
        }
    }

    /// Do what the connection wants done, flush, arm the timer.
    fn work(self: &Rc<Self>, company: bool) {
        loop {
            let Some(deed) = self.core.borrow_mut().poll() else { break };
            match deed.part().and_then(|part| self.runtime.part(part)) {
                None => self.carry_out(deed, Ok(())),
                Some(loading) => {
                    let driver = self.clone();
                    self.spawn(async move {
                        driver.carry_out(deed, loading.await);
                        driver.call(|_, _| ());
                    });
                }
            }
        }
        if !(company && self.waits_for_company()) {
            self.flush(false);
        }
        let (deadline, more) = {
            let core = self.core.borrow();
            (core.deadline(), core.is_closing())
        };
        if more && !self.deferred.replace(true) {
            self.runtime.defer();
        }
        self.arm(deadline, None);
    }

    /// Do one thing, whose part of the package is there, or cannot be had.
    fn carry_out(self: &Rc<Self>, deed: Deed, loaded: Result<(), Error>) {
        match (deed, loaded) {
            (Deed::Dial { generation, url: None, .. }, loaded) => self.enter(generation, loaded),
            (Deed::Dial { generation, url: Some(url), encrypted }, Ok(())) => {
                // One whose time was over before its part was there opens no socket, which nobody would close.
                if self.core.borrow().dials(generation) {
                    self.runtime.dial(Dial { generation, url: &url.text, name: &url.name, encrypted });
                }
            }
            (Deed::Dial { generation, .. }, Err(error)) => self.tell(Event::Closed { generation, error }),
            (Deed::Write(generation, bytes), _) => self.runtime.send(generation, &bytes, false),
            (Deed::Encrypt(generation), _) => self.runtime.encrypt(generation),
            (Deed::HangUp(generation), _) => self.runtime.hang_up(generation),
            (Deed::Ready(login), Ok(())) => self.answer(Ok(login)),
            (Deed::Ready(_), Err(error)) => self.call(|core, now| core.fail(now, error)),
            (Deed::Do(Todo::Bury(dying)), _) => self.bury(*dying),
            (Deed::Do(Todo::Regroup(consumer)), _) => self.open_group(consumer),
            (Deed::Look, Ok(())) => self.look_again(),
            (Deed::Look, Err(error)) => self.call(|core, _| core.look_later(error)),
            (Deed::Odd, loaded) => self.call(|core, now| core.odd(now, loaded)),
            (Deed::Prepare(producer, needs), Ok(())) => timed::ready(self, producer, needs),
            (Deed::Prepare(producer, needs), Err(error)) => self.call(|core, now| {
                let (producers, _, _, mut ctx) = core.parts(now);
                producers.unprepared(&mut ctx, producer, needs, &error);
                core.after_call(now, Facts::default());
            }),
            (Deed::Leave, Ok(())) => self.call(|core, now| core.leave(now)),
            (Deed::Learn(hosts), Ok(())) => self.call(|core, _| core.machine.learn(&hosts)),
            // The server is stayed with until it closes; its like are told of again with the next link.
            (Deed::Leave | Deed::Learn(_), Err(_)) => {}
        }
    }

    fn tell(&self, event: Event<'_>) {
        let (facts, random) = (self.runtime.facts(), self.random());
        self.core.borrow_mut().handle(self.now(), event, false, random, facts);
    }

    /// The broker inside this package is there, or cannot be loaded.
    fn enter(self: &Rc<Self>, generation: u32, loaded: Result<(), Error>) {
        let event = match loaded {
            Ok(()) if self.core.borrow().is_over() => return,
            Ok(()) => {
                self.enter_memory();
                Event::Opened { generation }
            }
            Err(error) => Event::Closed { generation, error },
        };
        self.tell(event);
    }

    /// What the application does with the rows of this turn belongs into the same send: its reactions run before the
    /// second end of turn that is announced from here. Never for long, and not when there is enough for a send.
    fn waits_for_company(&self) -> bool {
        let (left, waited) = self.held_back.get();
        let core = self.core.borrow();
        let left = if core.turn.is_empty() { left } else { 2 };
        let waits = left > 0 && waited < limits::TURNS_HELD && core.outbox.is_due() && !core.outbox.is_full();
        drop(core);
        self.held_back.set(if waits { (left.saturating_sub(1), waited.saturating_add(1)) } else { (0, 0) });
        if waits && !self.deferred.replace(true) {
            self.runtime.defer();
        }
        waits
    }

    /// Send what is due; `more`: before the turn is over. The connection is not borrowed meanwhile: a socket of the application's own
    /// may call back.
    fn flush(&self, more: bool) {
        let mut core = self.core.borrow_mut();
        if !self.unsent.replace(more) && !core.outbox.is_due() {
            return;
        }
        let bytes = core.outbox.take(self.spare.take());
        let generation = core.generation();
        if core.tap.is_some() && !bytes.is_empty() {
            core.seen(Direction::Out, generation, self.now(), &bytes);
        }
        drop(core);
        self.runtime.send(generation, &bytes, more);
        self.spare.set(if bytes.capacity() > limits::SEND_AT * 4 { Vec::new() } else { bytes });
    }

    /// Credentials for the dial that waits for them, from the application: those with a key are made ready first, as are those
    /// for a broker whose part has to be there before it is dialed.
    #[inline(never)]
    pub fn answer(self: &Rc<Self>, given: Result<Login, Error>) {
        let driver = self.clone();
        self.spawn(async move {
            let login = match given {
                Ok(login) => match driver.broker().readier(&login) {
                    None => Ok(login),
                    Some(part) => match driver.loaded(part).await {
                        Ok(()) => {
                            if part == Part::Memphis {
                                driver.enter_memphis();
                            }
                            brokers::ready(driver.broker(), login, driver.runtime.json()).await
                        }
                        Err(error) => Err(error),
                    },
                },
                Err(error) => Err(error),
            };
            let [a, b, c, d, ..] = driver.random();
            let facts = driver.runtime.facts();
            driver.call(|core, now| core.credentials(now, login, u32::from_le_bytes([a, b, c, d]), facts));
        });
    }

    /// Have a part of the package loaded.
    pub fn loaded(self: &Rc<Self>, part: Part) -> Loading {
        Exchange(self.clone()).loaded(part)
    }

    /// The platform's facts.
    pub(super) fn facts(&self) -> Facts {
        self.runtime.facts()
    }

    /// Run a task of this connection.
    pub fn spawn(self: &Rc<Self>, task: impl Future<Output = ()> + 'static) {
        self.runtime.spawn(Task(Box::pin(task)));
    }

    /// End an operation; the turn tells it.
    pub fn end(self: &Rc<Self>, op: OpId, result: Result<(), Error>) {
        self.call(|core, _| core.turn.end(op, result));
    }

    /// Make a producer for these stations and open it: what is missing is created.
    pub fn open_producer(self: &Rc<Self>, name: String, stations: Vec<String>, prefix: Option<String>) -> ProducerId {
        let id = self.core.borrow_mut().producers.add(name, stations.clone(), prefix);
        stations::open(self, id, stations);
        id
    }

    /// Close: stop consumers, let what is pending finish, remove the groups without names, close the socket. `early`: calls from before
    /// have not begun; another call of this says when they have.
    pub fn close(self: &Rc<Self>, early: bool) {
        if early {
            return self.call(Connection::close_soon);
        }
        let consumes = self.call(|core, now| {
            core.begin_close(now);
            !core.consumers.is_empty()
        });
        self.work(false);
        if consumes {
            self.leave_nameless();
        } else {
            self.call(Connection::groups_left);
        }
    }

    /// Forget the operations, which hold the driver itself.
    pub fn release(&self) {
        self.ops.borrow_mut().take();
    }

    /// A random name.
    pub fn random_name(&self) -> String {
        random_id(self.random())
    }
}

impl Port for Driver {
    fn ask(&self, request: Request, limit: Millis) -> WaitId {
        let now = self.now();
        let mut core = self.entered();
        let id = core.waits.ask(request, now.mono + limit);
        core.end_waits();
        core.after_call(now, self.runtime.facts());
        drop(core);
        if !self.deferred.replace(true) {
            self.runtime.defer();
        }
        id
    }

    fn pause(&self, span: Millis) -> WaitId {
        let now = self.now();
        let mut core = self.core.borrow_mut();
        let id = core.waits.pause(now.mono + span);
        core.end_waits();
        let deadline = core.deadline();
        drop(core);
        self.arm(deadline, None);
        id
    }

    fn poll(&self, wait: WaitId, waker: &Waker) -> Option<Result<Reply, Error>> {
        self.core.borrow_mut().waits.poll(wait, waker)
    }

    fn drop_wait(&self, wait: WaitId) {
        self.core.borrow_mut().waits.drop_wait(wait);
    }

    fn now(&self) -> Now {
        self.runtime.now()
    }

    fn json(&self) -> JsonReader {
        self.runtime.json()
    }

    fn part(&self, part: Part) -> Option<Loading> {
        self.runtime.part(part)
    }
}
