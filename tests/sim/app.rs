//! An application on one connection: it keeps count of everything that was promised to it, and complains about whatever
//! comes twice, too late or not at all.

use serde_json::json;
use stationmaster::base::error::Error;
use stationmaster::base::time::Millis;
use stationmaster::base::value::{JsonReader, Value};
use stationmaster::client::connection::{Connection, Settlement};
use stationmaster::client::consumer::{FetchSpec, Prefetch, Scope, Settle};
use stationmaster::client::context::Context;
use stationmaster::client::driver::Driver;
use stationmaster::client::dying::Dying;
use stationmaster::client::live::LiveRow;
use stationmaster::client::producer::Message;
use stationmaster::client::turn::{CallId, ConsumerId, MsgId, OpId, ProducerId, Row, Status, Turn};
use stationmaster::client::{live_options, options};
use stationmaster::link::live::{LiveDraft, Sound, SubId};
use stationmaster::link::session::{Login, Source, Span, Verdict};
use stationmaster::policy::redelivery::Cause;
use stationmaster::runtime::Runtime;
use stationmaster::runtime::sim::{SimRuntime, World};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// serde_json in the place of the platform's parser.
pub fn json_reader() -> JsonReader {
    JsonReader(|text| serde_json::from_slice(text).ok())
}

/// A message without an id that waits for its receipt, in a window of 500.
pub fn plain(data: &str) -> Message<'_> {
    Message {
        times: Default::default(),
        headers: &[],
        msg_id: None,
        key: None,
        partition: None,
        data: data.as_bytes(),
        ack_wait: Millis(15_000),
        limit: 500,
        wants_receipt: true,
    }
}

/// What became of a produce.
#[derive(Clone, Debug)]
pub enum Outcome {
    Stored { partition: u32, sequence: u64, duplicate: bool },
    Failed(Error),
}

/// One produce.
#[derive(Clone, Debug)]
pub struct Sent {
    pub producer: ProducerId,
    pub payload: String,
    pub id: Option<String>,
    pub wants_receipt: bool,
    pub outcome: Option<Outcome>,
}

/// A message the application has in hand.
#[derive(Clone, Debug)]
pub struct Taken {
    pub consumer: ConsumerId,
    pub partition: u32,
    pub sequence: u64,
    pub deliveries: u32,
    pub payload: String,
    head: Vec<u8>,
    token: Vec<u8>,
}

/// How a consumer is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    Stopped,
    Iterating,
    Handling,
}

/// One consumer.
pub struct Reader {
    pub reading: Reading,
    pub limit: u32,
    pub auto_ack: bool,
    pub ended: Option<Error>,
    /// The iterator has been told that something is there.
    pub ready: bool,
    /// The handler is at work.
    pub busy: bool,
    held: BTreeMap<MsgId, Taken>,
    /// Most messages it ever held.
    pub most_held: usize,
}

/// Everything that was told.
#[derive(Default)]
pub struct Log {
    pub sent: Vec<Sent>,
    calls: BTreeMap<CallId, usize>,
    ops: BTreeMap<OpId, Option<Result<(), Error>>>,
    pub readers: BTreeMap<ConsumerId, Reader>,
    /// In hand and not settled.
    pub taken: VecDeque<Taken>,
    /// Everything that was handed over: partition and sequence, with the payload.
    pub seen: BTreeMap<(u32, u64), String>,
    /// What `status()` said about messages produced without waiting: how many, which ids, why.
    pub produce_failed: Vec<(u32, Vec<String>, Error)>,
    /// What `status()` told of schemas.
    pub schemas: Vec<(String, Option<String>)>,
    /// What was asked to be bound.
    pub bindings: Vec<stationmaster::client::turn::Binding>,
    /// Calls of handlers that brought nothing, and when.
    pub empty_batches: u32,
    pub connected: u32,
    /// Every loss of the link.
    pub disconnected: Vec<Error>,
    /// Pauses before attempts.
    pub pauses: Vec<Millis>,
    /// Every time that credentials were asked for.
    pub asked: Vec<(u32, Option<Error>)>,
    /// Addresses that were reached.
    pub urls: Vec<String>,
    pub over: Option<Option<Error>>,
    pub room: u32,
    /// Messages given up whose death is not recorded, and how many deaths were.
    pub dying: u32,
    pub dead: u32,
    /// Live messages, in the order they were told, with where their answers go.
    pub heard: Vec<(SubId, String)>,
    pub replies: Vec<String>,
    /// Answers to questions.
    pub answers: BTreeMap<OpId, String>,
}

/// The application.
pub struct App {
    pub driver: Rc<Driver>,
    pub runtime: SimRuntime,
    pub log: Rc<RefCell<Log>>,
}

impl App {
    /// Begin to connect.
    pub fn connect(world: &World, options: serde_json::Value) -> App {
        App::connect_asking(world, options, false)
    }

    /// Begin to connect; with `asks` there is a function to ask for credentials.
    pub fn connect_asking(world: &World, options: serde_json::Value, asks: bool) -> App {
        let runtime = world.runtime();
        let options = options::connect(&value(&options), asks, false).unwrap();
        let driver = Driver::new(options, Rc::new(runtime.clone()));
        let log = Rc::new(RefCell::new(Log::default()));
        let (weak, told) = (Rc::downgrade(&driver), log.clone());
        world.attach(&runtime, move |event| {
            let Some(driver) = weak.upgrade() else { return };
            let chunk =
                if let stationmaster::runtime::Event::Chunk { bytes, .. } = &event { bytes.to_vec() } else { vec![] };
            let turn = driver.event(event);
            told.borrow_mut().turn(turn, &chunk);
        });
        driver.start();
        log.borrow_mut().turn(driver.take_turn(), &[]);
        App { driver, runtime, log }
    }

    /// Use the connection as the shell does: what the call brought is told before anything else happens.
    pub fn call<T>(&self, work: impl FnOnce(&mut Connection, stationmaster::base::time::Now) -> T) -> T {
        self.log.borrow_mut().turn(self.driver.take_turn(), &[]);
        let result = self.driver.call(work);
        self.log.borrow_mut().turn(self.driver.take_turn(), &[]);
        result
    }

    /// Answer for credentials.
    pub fn answer(&self, login: Result<Login, Error>) {
        let facts = self.runtime.facts();
        self.call(|core, now| core.credentials(now, login, 7, facts));
    }

    pub fn producer(&self, station: &str, auto_id: bool) -> ProducerId {
        let prefix = auto_id.then(|| self.driver.random_name());
        self.driver.open_producer("p".into(), vec![station.into()], prefix)
    }

    /// Produce; a refusal at once is an outcome too.
    pub fn produce(&self, producer: ProducerId, message: &Message<'_>, id: Option<String>) {
        let payload = String::from_utf8(message.data.to_vec()).unwrap();
        let wants_receipt = message.wants_receipt;
        let mut sent = Sent { producer, payload, id, wants_receipt, outcome: None };
        self.log.borrow_mut().turn(self.driver.take_turn(), &[]);
        let result = self.driver.hot(|core, now| {
            let (producers, _, _, mut ctx) = core.parts(now);
            producers.produce(&mut ctx, producer, message)
        });
        let mut log = self.log.borrow_mut();
        let index = log.sent.len();
        match result {
            Ok(call) => {
                let old = log.calls.insert(call, index);
                assert_eq!(old, None, "{call:?} was given twice");
            }
            Err(error) => sent.outcome = Some(Outcome::Failed(error)),
        }
        log.sent.push(sent);
        log.turn(self.driver.take_turn(), &[]);
    }

    pub fn abort(&self, index: usize) {
        let call = self.log.borrow().calls.iter().find(|(_, at)| **at == index).map(|(call, _)| *call);
        if let Some(call) = call {
            self.call(|core, now| {
                let (producers, _, _, mut ctx) = core.parts(now);
                producers.abort(&mut ctx, call);
            });
        }
    }

    pub fn consumer(&self, station: &str, options: serde_json::Value) -> ConsumerId {
        let (spec, _) =
            options::consumer(&value(&options), station, &[], self.driver.now(), "r", self.driver.broker()).unwrap();
        let auto_ack = spec.group.auto_ack;
        let id = self.driver.open_consumer(spec);
        let reader = Reader {
            reading: Reading::Stopped,
            limit: u32::MAX,
            auto_ack,
            ended: None,
            ready: false,
            busy: false,
            held: BTreeMap::new(),
            most_held: 0,
        };
        self.log.borrow_mut().readers.insert(id, reader);
        id
    }

    fn consumers<T>(
        &self,
        work: impl FnOnce(&mut stationmaster::client::consumer::Consumers, &mut Context<'_>) -> T,
    ) -> T {
        self.call(|core, now| {
            let (_, consumers, _, mut ctx) = core.parts(now);
            work(consumers, &mut ctx)
        })
    }

    pub fn when_open(&self, id: ConsumerId) -> OpId {
        let op = self.op();
        self.consumers(|consumers, ctx| consumers.when_open(ctx, id, op));
        op
    }

    pub fn start(&self, id: ConsumerId, handler: bool, prefetch: u32) -> Result<(), Error> {
        let prefetch = Prefetch { messages: prefetch, bytes: 1 << 24 };
        let started = self.consumers(|consumers, ctx| consumers.start(ctx, id, handler, Scope::All, Some(prefetch)));
        if started.is_ok() {
            let mut log = self.log.borrow_mut();
            let reader = log.readers.get_mut(&id).unwrap();
            reader.reading = if handler { Reading::Handling } else { Reading::Iterating };
            reader.limit = prefetch.messages;
            reader.ready = true;
            reader.busy = false;
        }
        started
    }

    /// What the iterator does: take one; without one it is told when there is.
    pub fn take(&self, id: ConsumerId) -> bool {
        let taken = self.consumers(|consumers, ctx| consumers.take(ctx, id));
        let mut log = self.log.borrow_mut();
        match taken {
            Some(msg) => log.hand_over(id, msg),
            None => log.readers.get_mut(&id).unwrap().ready = false,
        }
        taken.is_some()
    }

    pub fn handled(&self, id: ConsumerId) {
        self.log.borrow_mut().readers.get_mut(&id).unwrap().busy = false;
        self.consumers(|consumers, ctx| consumers.handled(ctx, id));
    }

    pub fn fetch(&self, id: ConsumerId, messages: u32, wait: u64, no_wait: bool, ahead: bool) -> Result<OpId, Error> {
        let spec = FetchSpec { messages, wait: Millis(wait), no_wait, ahead, scope: Scope::All };
        let op = self.op();
        let begun = self.consumers(|consumers, ctx| consumers.fetch(ctx, id, op, spec));
        match begun {
            Ok(()) => Ok(op),
            Err(error) => {
                self.log.borrow_mut().ops.remove(&op);
                Err(error)
            }
        }
    }

    pub fn abort_fetch(&self, id: ConsumerId, op: OpId) {
        self.consumers(|consumers, ctx| consumers.abort(ctx, id, op));
    }

    pub fn stop(&self, id: ConsumerId) {
        self.consumers(|consumers, ctx| consumers.stop(ctx, id));
        self.log.borrow_mut().readers.get_mut(&id).unwrap().reading = Reading::Stopped;
    }

    /// Leave the group for good.
    pub fn leave(&self, id: ConsumerId) -> OpId {
        let op = self.op();
        self.driver.leave(id, true, Some(op));
        self.log.borrow_mut().turn(self.driver.take_turn(), &[]);
        op
    }

    /// Say what becomes of the oldest message in hand; with `confirm`, wait for the broker's word.
    pub fn settle(&self, verdict: Verdict, confirm: bool) -> Option<OpId> {
        let taken = self.log.borrow_mut().taken.pop_front()?;
        let Taken { consumer, partition, sequence, deliveries, ref token, .. } = taken;
        let settle = Settle { partition, token, sequence, deliveries, verdict, confirm };
        let said = self.call(|core, now| core.settle(now, consumer, &settle));
        let op = match said.ok()? {
            Settlement::Done => return None,
            Settlement::Pending(op) => op,
            Settlement::Dies => {
                self.give_up(taken, Cause::Rejected("given up".into()));
                return None;
            }
        };
        self.log.borrow_mut().ops.entry(op).or_insert(None);
        Some(op)
    }

    fn give_up(&self, taken: Taken, cause: Cause) {
        let Taken { consumer, partition, sequence, deliveries, payload, head, token } = taken;
        let dying = Dying { consumer, partition, sequence, deliveries, cause, token, head, data: payload.into_bytes() };
        let Ok(work) = self.driver.give_up(dying) else { return };
        let log = self.log.clone();
        log.borrow_mut().dying += 1;
        self.driver.spawn(async move {
            let result = work.await;
            let mut log = log.borrow_mut();
            log.dying -= 1;
            log.dead += u32::from(result.is_ok());
        });
    }

    pub fn flush(&self, producer: ProducerId) -> OpId {
        let op = self.op();
        self.call(|core, now| {
            let (producers, _, _, mut ctx) = core.parts(now);
            producers.flush(&mut ctx, producer, op);
        });
        op
    }

    pub fn destroy_producer(&self, producer: ProducerId) -> OpId {
        let op = self.op();
        self.call(|core, now| {
            let (producers, _, _, mut ctx) = core.parts(now);
            producers.destroy(&mut ctx, producer, Some(op));
        });
        op
    }

    pub fn close(&self) {
        self.driver.close(false);
        self.log.borrow_mut().turn(self.driver.take_turn(), &[]);
    }

    /// Listen; in a group, if it has a name.
    pub fn subscribe(&self, channel: &str, group: &str) -> SubId {
        let listen =
            live_options::subscribe(channel, &value(&json!({ "group": group })), self.driver.broker()).unwrap();
        let op = self.op();
        self.call(|core, now| {
            let (live, _, mut ctx) = core.live_parts(now);
            let sub = live.subscribe(&mut ctx, listen);
            live.when_open(&mut ctx, sub, op);
            sub
        })
    }

    /// Ask whoever listens to the channel.
    pub fn request(&self, channel: &str, text: &str, limit: Millis) -> OpId {
        let op = self.op();
        self.call(|core, now| {
            let (live, beside, mut ctx) = core.live_parts(now);
            let channel = live.channel(channel).unwrap();
            let draft = LiveDraft { data: text.as_bytes(), ..LiveDraft::default() };
            live.request(&mut ctx, beside, channel, &draft, limit, op).unwrap();
        });
        op
    }

    /// A number for something that is waited for.
    fn op(&self) -> OpId {
        let op = self.driver.call(|core, _| core.next_op());
        self.log.borrow_mut().ops.insert(op, None);
        op
    }

    pub fn pending(&self) -> (usize, u64) {
        self.driver.call(|core, _| core.producers.pending())
    }
}

impl Log {
    /// Everything that was begun has ended.
    pub fn unfinished(&self) -> Vec<String> {
        let calls =
            self.sent.iter().filter(|sent| sent.outcome.is_none()).map(|sent| format!("produce {}", sent.payload));
        let ops = self.ops.iter().filter(|(_, end)| end.is_none()).map(|(op, _)| format!("{op:?}"));
        calls.chain(ops).collect()
    }

    /// Why operations have failed.
    pub fn errors(&self) -> Vec<&Error> {
        self.ops.values().flatten().filter_map(|end| end.as_ref().err()).collect()
    }

    /// Whether an operation has ended, and well.
    pub fn ended(&self, op: OpId) -> Option<bool> {
        self.ops.get(&op)?.as_ref().map(Result::is_ok)
    }

    fn end(&mut self, op: OpId, result: Result<(), Error>) {
        let slot = self.ops.get_mut(&op).unwrap_or_else(|| panic!("{op:?} was never begun: {result:?}"));
        assert!(slot.is_none(), "{op:?} ended twice: {slot:?}, {result:?}");
        *slot = Some(result);
    }

    fn outcome(&mut self, call: CallId, outcome: Outcome) {
        let index = self.calls.remove(&call).unwrap_or_else(|| panic!("nobody waits for {call:?}: {outcome:?}"));
        let sent = &mut self.sent[index];
        assert!(sent.outcome.is_none(), "a second outcome for {sent:?}: {outcome:?}");
        sent.outcome = Some(outcome);
    }

    fn hand_over(&mut self, id: ConsumerId, msg: MsgId) {
        let reader = self.readers.get_mut(&id).unwrap();
        let taken = reader.held.remove(&msg).unwrap_or_else(|| panic!("{msg:?} is not held"));
        let before = self.seen.insert((taken.partition, taken.sequence), taken.payload.clone());
        assert!(before.is_none_or(|before| before == taken.payload), "{taken:?} was another message before");
        if !reader.auto_ack {
            self.taken.push_back(taken);
        }
    }

    fn live(&mut self, id: ConsumerId, what: &str) -> &mut Reader {
        let reader = self.readers.get_mut(&id).unwrap();
        assert!(reader.ended.is_none(), "{what} reached {id:?}, which has ended");
        reader
    }

    fn sound(&mut self, row: LiveRow, chunk: &[u8], pack: &[u8]) {
        let text = |sound: &Sound, span: Span| {
            let bytes = if sound.source == Source::Chunk { chunk } else { pack };
            String::from_utf8(bytes[span.at as usize..][..span.len as usize].to_vec()).unwrap()
        };
        match row {
            LiveRow::Message(sub, sound) => {
                self.heard.push((sub, text(&sound, sound.data)));
                self.replies.push(text(&sound, sound.reply));
            }
            LiveRow::Answer(op, sound) => {
                assert_eq!(self.answers.insert(op, text(&sound, sound.data)), None, "a second answer to {op:?}");
                self.end(op, Ok(()));
            }
            _ => {}
        }
    }

    /// Take what a turn brought.
    pub fn turn(&mut self, turn: Turn, chunk: &[u8]) {
        for row in turn.rows {
            assert!(self.over.is_none(), "after the end: {row:?}");
            match row {
                Row::Stored { call, partition, sequence, duplicate, more, .. } => {
                    assert!(!more, "there is one station");
                    self.outcome(call, Outcome::Stored { partition, sequence, duplicate });
                }
                Row::Failed { call, error } => self.outcome(call, Outcome::Failed(error)),
                Row::Message(message) => {
                    let bytes = if message.source == Source::Chunk { chunk } else { &turn.pack };
                    let part =
                        |span: stationmaster::link::session::Span| &bytes[span.at as usize..][..span.len as usize];
                    let taken = Taken {
                        consumer: message.consumer,
                        partition: message.partition,
                        sequence: message.sequence,
                        deliveries: message.deliveries,
                        payload: String::from_utf8(part(message.data).to_vec()).unwrap(),
                        head: part(message.head).to_vec(),
                        token: part(message.token).to_vec(),
                    };
                    let reader = self.live(message.consumer, "a message");
                    assert!(reader.held.insert(message.id, taken).is_none(), "{:?} came twice", message.id);
                    reader.most_held = reader.most_held.max(reader.held.len());
                }
                Row::Dropped { consumer, id } => {
                    let reader = self.readers.get_mut(&consumer).unwrap();
                    assert!(reader.held.remove(&id).is_some(), "{id:?} was dropped, but not held");
                }
                Row::Fetched { op, consumer, ids } => {
                    self.live(consumer, "a fetch");
                    ids.into_iter().for_each(|id| self.hand_over(consumer, id));
                    self.end(op, Ok(()));
                }
                Row::Batch { consumer, ids, error } => {
                    let reader = self.live(consumer, "a batch");
                    assert!(!reader.busy, "two calls of the handler at once");
                    assert_ne!(ids.is_empty(), error.is_none(), "messages or an error");
                    reader.busy = true;
                    self.empty_batches += u32::from(ids.is_empty());
                    ids.into_iter().for_each(|id| self.hand_over(consumer, id));
                }
                Row::Ready(consumer) => self.live(consumer, "readiness").ready = true,
                Row::Done(op) => self.end(op, Ok(())),
                Row::Undone { op, error } => self.end(op, Err(error)),
                Row::ConsumerEnded { consumer, error } => self.live(consumer, "an end").ended = Some(error),
                Row::ProducerEnded(_) => {}
                Row::Room => self.room += 1,
                Row::Status(status) => match *status {
                    Status::Connected { url, .. } => {
                        self.connected += 1;
                        self.urls.push(url);
                    }
                    Status::Disconnected(error) => self.disconnected.push(error),
                    Status::Reconnecting { pause, .. } => self.pauses.push(pause),
                    Status::ProduceFailed { messages, ids, error, .. } => {
                        self.produce_failed.push((messages, ids, error))
                    }
                    Status::Schema { station, schema } => self.schemas.push((station, schema)),
                    Status::Closed(_) | Status::SlowConsumer { .. } => {}
                },
                Row::Schema(binding) => self.bindings.push(*binding),
                Row::Ask { attempt, reason } => self.asked.push((attempt, reason)),
                Row::Tapped | Row::Note(_) => {}
                Row::Over(reason) => self.over = Some(reason),
                Row::Live(row) => self.sound(row, chunk, &turn.pack),
            }
        }
        for (id, reader) in &self.readers {
            let running = reader.reading != Reading::Stopped;
            let held = reader.held.len();
            assert!(!running || held <= reader.limit as usize, "{id:?} holds {held} of {}", reader.limit);
        }
    }
}

fn value(json: &serde_json::Value) -> Value {
    if *json == json!(null) { Value::Nothing } else { serde_json::from_value(json.clone()).unwrap() }
}
