//! The exported class: one connection. Methods take numbers and bytes in a scratch; what happens comes back as a table
//! once a turn, through the shell's `turn`. A method that fails gives -1 and keeps the error for [`Engine::error`].

use super::batch::Common;
use super::table::Table;
use super::{fault, given, report, values};
use crate::base::bytes::lossy;
use crate::base::error::{Error, Kind};
use crate::base::id::check_name;
use crate::base::limits;
use crate::base::time::{Millis, Wall};
use crate::base::value::Value;
use crate::brokers;
use crate::brokers::terms::{Done, StationFacts};
use crate::client::connection::Settlement;
use crate::client::consumer::Settle;
use crate::client::driver::Driver;
use crate::client::options;
use crate::client::reader;
use crate::client::turn::{CallId, ConsumerId, OpId, ProducerId, Turn};
use crate::client::usual;
use crate::link::session::Verdict;
use crate::runtime::web::{Hooks, WebRuntime, plain};
use crate::runtime::{Facts, Part, Runtime};
use js_sys::{Array, Function, Promise};
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

/// The instance is broken: the next call makes a new one.
#[wasm_bindgen(skip_typescript)]
pub fn renew() {
    wasm_bindgen::handler::schedule_reinit();
}

/// The memory in which scratches and tables lie.
#[wasm_bindgen(skip_typescript, js_name = wasmMemory)]
pub fn wasm_memory() -> JsValue {
    wasm_bindgen::memory()
}

/// Options of produce that the shell passes on by itself, as `usual` writes them: with any other it asks what is wrong.
#[wasm_bindgen(skip_typescript, js_name = produceOptions)]
pub fn produce_options() -> String {
    usual::PRODUCE.into()
}

/// Entries kept for a slow reader of `status()`.
#[wasm_bindgen(skip_typescript, js_name = feedEntries)]
pub fn feed_entries() -> u32 {
    limits::FEED_ENTRIES
}

/// The application's headers in a header block, as name and value in turn; then the message id, if there is one.
#[wasm_bindgen(skip_typescript)]
pub fn headers(broker: u32, head: &[u8]) -> Array {
    let kind = brokers::Kind::of_block(broker);
    let list = Array::new();
    for (name, value) in kind.headers(head) {
        list.push(&name.into());
        list.push(&value.into());
    }
    if let Some(id) = kind.msg_id(head) {
        list.push(&id.into());
    }
    list
}

/// One connection.
#[wasm_bindgen(skip_typescript)]
pub struct Engine {
    pub(super) driver: Rc<Driver>,
    runtime: Rc<WebRuntime>,
    pub(super) table: Rc<RefCell<Table>>,
    pub(super) scratch: RefCell<Vec<u8>>,
    pub(super) error: RefCell<Option<Error>>,
    name: Option<String>,
    pub(super) looks: super::look::Looks,
    /// When the messages of the last call go and appear, where that was asked for.
    pub(super) times: Cell<[Option<Wall>; 2]>,
}

#[wasm_bindgen]
impl Engine {
    /// `turn(words, count, chunk, pack, packed)` gets pointers into the memory; `guard` wraps functions; `live` gets every
    /// socket that is used, to be closed if the wasm cannot do it any more; `open` opens all but the platform's WebSocket,
    /// and with `own` those as well; `part(name)` loads a part of the package: a promise, or undefined if it is there. Options
    /// that are not the usual ones give undefined for an error: they are read with `all`, when the part `options` is there.
    #[wasm_bindgen(constructor)]
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        given: &JsValue,
        turn: Function,
        guard: Function,
        live: Function,
        open: Function,
        own: bool,
        asks: bool,
        part: Function,
        all: bool,
    ) -> Result<Engine, JsValue> {
        let runtime = WebRuntime::new(Hooks { guard, live, open, own, part });
        let facts = runtime.facts();
        let options = match all {
            true => given::connect(given, asks, own, facts).map_err(|error| fault::fields(&error))?,
            false => usual(given, facts).ok_or(JsValue::UNDEFINED)?,
        };
        let name = options.login.name.clone();
        let driver = Driver::new(options, runtime.clone());
        let table = Rc::new(RefCell::new(Table::default()));
        let (weak, rows): (Weak<Driver>, _) = (Rc::downgrade(&driver), table.clone());
        runtime.listen(Box::new(move |event, chunk| {
            if let Some(driver) = weak.upgrade() {
                deliver(&driver, &rows, driver.event(event), &turn, chunk);
            }
        }));
        Ok(Engine {
            driver,
            runtime,
            table,
            scratch: RefCell::new(Vec::new()),
            error: RefCell::new(None),
            name,
            looks: Default::default(),
            times: Default::default(),
        })
    }

    pub(super) fn kept<T>(&self, result: Result<T, Error>, good: impl FnOnce(T) -> i32) -> i32 {
        match result {
            Ok(value) => good(value),
            Err(error) => {
                *self.error.borrow_mut() = Some(error);
                -1
            }
        }
    }

    /// The error of the last call that gave -1.
    pub fn error(&self) -> JsValue {
        self.error.borrow_mut().take().map_or(JsValue::UNDEFINED, |error| fault::fields(&error))
    }

    /// An error of the present turn.
    #[wasm_bindgen(js_name = turnError)]
    pub fn turn_error(&self, index: u32) -> JsValue {
        self.table.borrow().errors.get(index as usize).map_or(JsValue::UNDEFINED, fault::fields)
    }

    /// A status of the present turn.
    #[wasm_bindgen(js_name = turnStatus)]
    pub fn turn_status(&self, index: u32) -> JsValue {
        self.table.borrow().statuses.get(index as usize).map_or(JsValue::UNDEFINED, report::status)
    }

    /// A note of the present turn for the logger: event and detail.
    #[wasm_bindgen(js_name = turnNote)]
    pub fn turn_note(&self, index: u32) -> JsValue {
        self.table.borrow().notes.get(index as usize).map_or(JsValue::UNDEFINED, report::note)
    }

    /// Begin to connect.
    pub fn start(&self) {
        self.driver.start();
        self.runtime.defer();
    }

    /// What `credentials()` answered.
    pub fn credentials(&self, given: &JsValue) {
        self.driver.answer(given::credentials(given, self.name.clone(), self.driver.broker()));
    }

    /// `credentials()` threw.
    #[wasm_bindgen(js_name = credentialsFailed)]
    pub fn credentials_failed(&self, text: String) {
        self.driver.answer(Err(Error::new(Kind::ConnectFailed, format!("credentials() failed: {text}"))));
    }

    /// The application's signal: give up connecting.
    #[wasm_bindgen(js_name = abortConnect)]
    pub fn abort_connect(&self) {
        self.driver.call(|core, now| core.fail(now, Error::new(Kind::Aborted, "the signal was aborted")));
    }

    /// Room for so many bytes; where they go.
    pub fn scratch(&self, length: u32) -> u32 {
        let mut scratch = self.scratch.borrow_mut();
        if scratch.len() < length as usize {
            let more = (length as usize).next_power_of_two().max(4096);
            scratch.resize(more, 0);
        }
        scratch.as_ptr() as u32
    }

    /// Give a large scratch back.
    #[wasm_bindgen(js_name = trimScratch)]
    pub fn trim_scratch(&self) {
        *self.scratch.borrow_mut() = Vec::new();
    }

    /// A producer of stations; it takes messages at once. What its options say has been checked where it is not usual.
    #[wasm_bindgen(js_name = openProducer)]
    pub fn open_producer(&self, stations: Vec<String>, name: Option<String>, auto_id: bool) -> i32 {
        let open = || -> Result<ProducerId, Error> {
            self.driver.ops()?;
            if stations.is_empty() {
                return Err(Error::argument("there is no station to produce to"));
            }
            if let Some(name) = &name {
                check_name("producer", name, self.driver.broker().capitals())?;
            }
            for station in &stations {
                check_name("station", station, self.driver.broker().capitals())?;
            }
            let prefix = self.driver.random_name();
            let name = name.unwrap_or_else(|| format!("p-{prefix}"));
            *self.scratch.borrow_mut() = name.as_bytes().to_vec();
            let auto = auto_id.then(|| prefix.clone());
            let id = self.driver.open_producer(name, stations, auto);
            self.scratch.borrow_mut().push(b'\n');
            self.scratch.borrow_mut().extend_from_slice(prefix.as_bytes());
            Ok(id)
        };
        self.kept(open(), |id| id.0 as i32)
    }

    /// The text that the last call left in the scratch.
    pub fn text(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.scratch.borrow_mut())).unwrap_or_default()
    }

    /// The operation that ends when the producer sends.
    #[wasm_bindgen(js_name = whenProducer)]
    pub fn when_producer(&self, id: u32) -> u32 {
        self.operation(|core, now, op| {
            let (producers, _, _, mut ctx) = core.parts(now);
            producers.when_open(&mut ctx, ProducerId(id), op);
        })
    }

    pub(super) fn operation(
        &self,
        work: impl FnOnce(&mut crate::client::connection::Connection, crate::base::time::Now, OpId),
    ) -> u32 {
        self.driver.call(|core, now| {
            let op = core.next_op();
            work(core, now, op);
            op.0
        })
    }

    /// Send what lies in the scratch: `length` bytes of payload, then `texts` bytes of tagged texts. Gives the call.
    #[allow(clippy::too_many_arguments)]
    pub fn produce(
        &self,
        producer: u32,
        length: u32,
        texts: u32,
        flags: u32,
        partition: f64,
        wait: f64,
        limit: f64,
    ) -> i32 {
        let scratch = self.scratch.borrow();
        let end = (length as usize).saturating_add(texts as usize);
        let (Some(data), Some(texts)) = (scratch.get(..length as usize), scratch.get(length as usize..end)) else {
            return self.kept(Err(Error::new(Kind::Internal, "the scratch is too small")), |_: ()| -1);
        };
        let send = || -> Result<CallId, Error> {
            let common = Common::read(texts, flags, partition, wait, limit)?.timed(self);
            self.driver.hot(|core, now| {
                core.check_open()?;
                let (producers, _, _, mut ctx) = core.parts(now);
                producers.produce(&mut ctx, ProducerId(producer), &common.message(data))
            })
        };
        self.kept(send(), |call| call.0 as i32)
    }

    /// Check options that are not the usual ones: only their error is of interest.
    #[wasm_bindgen(js_name = checkProduce)]
    pub fn check_produce(&self, given: &JsValue, batch: bool, mixed: bool) -> i32 {
        let check = || options::produce(&values::options(given)?, batch, mixed, self.driver.broker());
        self.kept(check(), |_| 0)
    }

    /// The same with those of a producer; `mixed`: produce options may stand among them.
    #[wasm_bindgen(js_name = checkProducer)]
    pub fn check_producer(&self, given: &JsValue, mixed: bool) -> i32 {
        let check = || options::producer(&values::options(given)?, mixed, self.driver.broker());
        self.kept(check(), |_| 0)
    }

    /// Withdraw a call.
    #[wasm_bindgen(js_name = abortCall)]
    pub fn abort_call(&self, call: u32) {
        self.driver.call(|core, now| {
            let (producers, _, _, mut ctx) = core.parts(now);
            producers.abort(&mut ctx, CallId(call));
        });
    }

    /// Ask to be told when there is room again.
    #[wasm_bindgen(js_name = wantRoom)]
    pub fn want_room(&self) {
        self.driver.call(|core, _| core.producers.want_room());
    }

    /// The operation that ends when everything produced so far has its outcome.
    #[wasm_bindgen(js_name = flushProducer)]
    pub fn flush_producer(&self, id: u32) -> u32 {
        self.operation(|core, now, op| {
            let (producers, _, _, mut ctx) = core.parts(now);
            producers.flush(&mut ctx, ProducerId(id), op);
        })
    }

    /// The operation that ends when the producer is gone.
    #[wasm_bindgen(js_name = destroyProducer)]
    pub fn destroy_producer(&self, id: u32) -> u32 {
        if self.driver.broker() == brokers::Kind::Memphis {
            return self.driver.leave_producer(ProducerId(id)).0;
        }
        self.operation(|core, now, op| {
            let (producers, _, _, mut ctx) = core.parts(now);
            producers.destroy(&mut ctx, ProducerId(id), Some(op));
        })
    }

    /// A consumer of a station. `among`: 1 fetch options, 2 consume options may stand among its own. Its name and group
    /// are the [`Engine::text`].
    #[wasm_bindgen(js_name = openConsumer)]
    pub fn open_consumer(&self, station: &str, given: &JsValue, among: u32) -> i32 {
        let open = || -> Result<ConsumerId, Error> {
            self.driver.ops()?;
            check_name("station", station, self.driver.broker().capitals())?;
            let given = values::options(given)?;
            let names = match among {
                1 => options::FETCH,
                2 => options::CONSUME,
                _ => &[],
            };
            let (spec, name) = options::consumer(
                &given,
                station,
                names,
                self.driver.now(),
                &self.driver.random_name(),
                self.driver.broker(),
            )?;
            // What stands among them is checked now, though it is used later.
            match among {
                1 => drop(options::fetch(&given, &spec, options::CONSUMER)?),
                2 => drop(options::consume(&given, spec.group.auto_ack, options::CONSUMER)?),
                _ => {}
            }
            *self.scratch.borrow_mut() =
                format!("{name}\n{}\n{}", spec.group.name, u32::from(spec.group.auto_ack)).into_bytes();
            Ok(self.driver.open_consumer(spec))
        };
        self.kept(open(), |id| id.0 as i32)
    }

    /// The operation that ends when the consumer works.
    #[wasm_bindgen(js_name = whenConsumer)]
    pub fn when_consumer(&self, id: u32) -> u32 {
        self.operation(|core, now, op| {
            let (_, consumers, _, mut ctx) = core.parts(now);
            consumers.when_open(&mut ctx, ConsumerId(id), op);
        })
    }

    /// A fetch; the operation that ends with its messages. `among`: consumer options may stand among its own.
    pub fn fetch(&self, id: u32, given: &JsValue, among: bool) -> i32 {
        let id = ConsumerId(id);
        let fetch = || -> Result<OpId, Error> {
            let given = values::options(given)?;
            let names = if among { options::CONSUMER } else { &[] };
            self.driver.call(|core, now| {
                core.check_open()?;
                let spec = match core.consumers.spec(id) {
                    Some(spec) => options::fetch(&given, spec, names)?,
                    None => return Err(Error::new(Kind::Closed, "the consumer has been closed")),
                };
                let op = core.next_op();
                let (_, consumers, _, mut ctx) = core.parts(now);
                consumers.fetch(&mut ctx, id, op, spec).map(|()| op)
            })
        };
        self.kept(fetch(), |op| op.0 as i32)
    }

    /// Withdraw a fetch.
    #[wasm_bindgen(js_name = abortFetch)]
    pub fn abort_fetch(&self, id: u32, op: u32) {
        self.driver.call(|core, now| {
            let (_, consumers, _, mut ctx) = core.parts(now);
            consumers.abort(&mut ctx, ConsumerId(id), OpId(op));
        });
    }

    /// Start handing messages over: to a handler, or one at a time.
    pub fn consume(&self, id: u32, given: &JsValue, handler: bool, among: bool) -> i32 {
        let id = ConsumerId(id);
        let begin = || -> Result<(), Error> {
            let given = values::options(given)?;
            let names = if among { options::CONSUMER } else { &[] };
            self.driver.call(|core, now| {
                core.check_open()?;
                let auto_ack = core.consumers.spec(id).is_some_and(|spec| spec.group.auto_ack);
                let (scope, prefetch) = options::consume(&given, auto_ack, names)?;
                let (_, consumers, _, mut ctx) = core.parts(now);
                consumers.start(&mut ctx, id, handler, scope, Some(prefetch))
            })
        };
        self.kept(begin(), |()| 0)
    }

    /// Take one message; 0 if there is none.
    pub fn take(&self, id: u32) -> u32 {
        self.driver.hot(|core, now| {
            let (_, consumers, _, mut ctx) = core.parts(now);
            consumers.take(&mut ctx, ConsumerId(id)).map_or(0, |msg| msg.0)
        })
    }

    /// The handler's promise has settled.
    pub fn handled(&self, id: u32) {
        self.driver.call(|core, now| {
            let (_, consumers, _, mut ctx) = core.parts(now);
            consumers.handled(&mut ctx, ConsumerId(id));
        });
    }

    /// End the delivery.
    pub fn stop(&self, id: u32) {
        self.driver.call(|core, now| {
            let (_, consumers, _, mut ctx) = core.parts(now);
            consumers.stop(&mut ctx, ConsumerId(id));
        });
    }

    /// The operation that ends when the group is left. `destroy`: a group with a name is removed too, if nobody else shows.
    pub fn leave(&self, id: u32, destroy: bool) -> u32 {
        let op = self.driver.call(|core, _| core.next_op());
        self.driver.leave(ConsumerId(id), destroy, Some(op));
        op.0
    }

    /// Settle a message whose token lies in the scratch, then the reason. Gives 0 when done, -2 if [`Engine::bury`] has to be
    /// called since the message dies, else the operation.
    #[allow(clippy::too_many_arguments)]
    pub fn settle(
        &self,
        id: u32,
        partition: u32,
        token: u32,
        reason: u32,
        what: u32,
        span: f64,
        low: u32,
        high: u32,
        deliveries: u32,
        confirm: bool,
    ) -> i32 {
        let scratch = self.scratch.borrow();
        let end = (token as usize).saturating_add(reason as usize);
        let (Some(token), Some(reason)) = (scratch.get(..token as usize), scratch.get(token as usize..end)) else {
            return self.kept(Err(Error::new(Kind::Internal, "the scratch is too small")), |_: ()| -1);
        };
        let settle = || -> Result<Settlement, Error> {
            let time =
                |name: &str, least: u64| reader::whole(name, &Value::Number(span), least, reader::SAFE).map(Millis);
            let verdict = match what {
                0 => Verdict::Ack,
                1 => Verdict::Nack,
                2 => Verdict::Delay(time("the delay", 0)?),
                3 => Verdict::Bury(lossy(reason)),
                _ if span.is_nan() && reason.is_empty() => Verdict::Extend(None),
                _ => Verdict::Extend(Some(time("the time", 1)?)),
            };
            let sequence = u64::from(high) << 32 | u64::from(low);
            let settle = Settle { partition, token, sequence, deliveries, verdict, confirm };
            self.driver.hot(|core, now| core.settle(now, ConsumerId(id), &settle))
        };
        self.kept(settle(), |settlement| match settlement {
            Settlement::Done => 0,
            Settlement::Pending(op) => op.0 as i32,
            Settlement::Dies => -2,
        })
    }

    /// Create a station where it is missing: `[partitions, existed, differs]`.
    pub fn station(&self, name: String, given: &JsValue) -> Promise {
        let driver = self.driver.clone();
        let read = values::options(given).and_then(|given| {
            check_name("station", &name, driver.broker().capitals())?;
            options::station(&given, driver.broker())
        });
        promise(async move {
            let spec = read?;
            if !spec.schema.is_empty() {
                driver.loaded(Part::Schemas).await?;
            }
            let facts = driver.ops()?.station(&name, &spec).await?;
            let list = Array::new();
            list.push(&report::numbers(&facts.places.iter().map(|place| place.partition).collect::<Vec<_>>()));
            list.push(&facts.existed.into());
            list.push(&facts.differs.iter().map(|name| JsValue::from_str(name)).collect::<Array>());
            Ok(list.into())
        })
    }

    /// `StationInfo`.
    pub fn info(&self, name: String) -> Promise {
        let driver = self.driver.clone();
        promise(async move { Ok(report::station(&driver.ops()?.report(&name).await?)) })
    }

    /// A station's schema is bound when this ends, if it has one.
    #[wasm_bindgen(js_name = bindStation)]
    pub fn bind_station(&self, name: String) -> Promise {
        let driver = self.driver.clone();
        promise(async move { driver.bind_station(&name).await.map(|()| JsValue::UNDEFINED) })
    }

    /// Remove a station; its producers and consumers here end.
    pub fn destroy(&self, name: String) -> Promise {
        let driver = self.driver.clone();
        promise(async move {
            let facts = find(&driver, &name).await?;
            driver.ops()?.destroy(&facts).await?;
            driver.call(|core, now| core.station_gone(now, &name));
            Ok(JsValue::UNDEFINED)
        })
    }

    /// The last sequence a consumer's group is done with, as a bigint. Without a partition's number: of the only one.
    pub fn position(&self, id: u32, partition: Option<f64>) -> Promise {
        let driver = self.driver.clone();
        let spec = driver.call(|core, _| core.consumers.spec(ConsumerId(id)).cloned());
        promise(async move {
            let spec = spec.ok_or_else(|| Error::new(Kind::Closed, "the consumer has been closed"))?;
            let facts = find(&driver, &spec.station).await?;
            let partition = match (partition, facts.places.as_slice()) {
                (Some(number), _) => {
                    reader::whole("partitionNumber", &Value::Number(number), 1, u64::from(u32::MAX))? as u32
                }
                (None, [only]) => only.partition,
                (None, _) => {
                    return Err(Error::argument("the station has several partitions").hint("Give the number of one."));
                }
            };
            let position = driver.ops()?.position(&facts, &spec.group.name, partition).await?;
            Ok(position.map_or(JsValue::UNDEFINED, |position| js_sys::BigInt::from(position).into()))
        })
    }

    /// The operation that ends after one round trip; -1 if the link is down.
    pub fn ping(&self) -> i32 {
        let op = self.driver.call(|core, now| core.ping(now));
        self.kept(op, |op| op.0 as i32)
    }

    /// `[product, version, host, maxPayloadBytes]`.
    pub fn server(&self) -> Array {
        let facts = self.driver.call(|core, _| core.session().server());
        let text = |text: Option<String>| text.map_or(JsValue::UNDEFINED, JsValue::from);
        let max = facts.max_payload.map_or(JsValue::UNDEFINED, |max| JsValue::from(max as f64));
        [facts.product.into(), text(facts.version), text(facts.host), max].into_iter().collect()
    }

    /// The link works.
    #[wasm_bindgen(js_name = isUp)]
    pub fn is_up(&self) -> bool {
        self.driver.call(|core, _| core.is_up() && core.check_open().is_ok())
    }

    /// `[sentMessages, sentBytes, receivedMessages, receivedBytes, pendingMessages, pendingBytes, reconnects]`.
    pub fn stats(&self) -> Vec<f64> {
        self.driver.call(|core, _| {
            let (sent, received, pending) = (core.producers.sent, core.consumers.received, core.producers.pending());
            let live = (core.live.sent, core.live.received, core.live.pending());
            let unconfirmed = core.session().unconfirmed();
            vec![
                (sent.0 + live.0.0) as f64,
                (sent.1 + live.0.1) as f64,
                (received.0 + live.1.0) as f64,
                (received.1 + live.1.1) as f64,
                (pending.0 + live.2.0) as f64,
                (pending.1 + live.2.1 + unconfirmed) as f64,
                f64::from(core.reconnects),
            ]
        })
    }

    /// What the broker lacks, as the server at the other end is: feature and reason in turn.
    pub fn lacks(&self) -> Array {
        let server = self.driver.call(|core, _| core.session().server());
        let lacks = self.driver.broker().lacks(&server);
        lacks.iter().flat_map(|lack| [lack.feature, lack.why]).map(JsValue::from_str).collect()
    }

    /// Close; the turn tells when it is over. `early`: calls from before have not begun, and it is called again when they have.
    pub fn close(&self, early: bool) {
        self.driver.close(early);
    }

    /// It is over: nothing calls back any more.
    pub fn release(&self) {
        self.runtime.release();
        self.driver.release();
    }
}

/// What `connect` was given, if it is all of the usual kind.
fn usual(given: &JsValue, facts: Facts) -> Option<usual::Connect> {
    let mut given = plain::read(given)?;
    let options = usual::connect(&given, facts);
    given.wipe();
    options
}

pub(super) async fn find(driver: &Rc<Driver>, name: &str) -> Done<StationFacts> {
    let facts = driver.ops()?.find(name).await?;
    facts.ok_or_else(|| {
        Error::new(Kind::NoSuchStation, "the station does not exist")
            .hint("Create it with station(); producers and consumers create it too.")
            .at(name)
    })
}

/// A promise of a cold operation; it rejects with the fields of an error.
pub(super) fn promise(work: impl Future<Output = Done<JsValue>> + 'static) -> Promise {
    boxed(Box::pin(work))
}

/// Not generic: the way from a future to a promise is compiled once.
fn boxed(work: Pin<Box<dyn Future<Output = Done<JsValue>>>>) -> Promise {
    future_to_promise(async move { work.await.map_err(|error| fault::fields(&error)) })
}

/// Give a turn to the shell, if anything happened.
fn deliver(driver: &Driver, table: &Rc<RefCell<Table>>, mut turn: Turn, function: &Function, chunk: &JsValue) {
    if turn.is_empty() {
        return driver.recycle(turn);
    }
    let (words, count, pack, packed) = {
        let mut table = table.borrow_mut();
        table.fill(&mut turn);
        (table.words.as_ptr() as u32, table.words.len() as u32, turn.pack.as_ptr() as u32, turn.pack.len() as u32)
    };
    let arguments: Array =
        [words.into(), count.into(), chunk.clone(), pack.into(), packed.into()].into_iter().collect();
    let _ = function.apply(&JsValue::UNDEFINED, &arguments);
    turn.pack.clear();
    turn.pack.shrink_to(limits::SEND_AT);
    driver.recycle(turn);
}
