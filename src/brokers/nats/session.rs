//! The session: logs in, gives every frame to whom it belongs, and writes commands into the outbox.
//!
//! ```text
//! Idle -> Listening (for INFO) -> Greeting (CONNECT and PING are out) -> Up -> Idle ...
//!             \-> Encrypting -/
//! ```
//!
//! Subscriptions of a link: `<inbox>.*` (sid 1) for receipts and answers, one a feed (odd numbers), those of live messages
//! (even numbers), and those of a broker that stands on this session (even numbers from the other end). The inbox is new on every link, so an answer meant for an older one never reaches a newer
//! one's slot.
//!
//! Knows nothing of producers, consumers or repetition; does no I/O.

mod answers;
pub mod beside;
mod feeds;
mod live;
mod moving;
mod odd;
mod pings;
mod pulled;
mod sharing;

use super::feed::Pulls;
use super::info::{self, Complaint, Info, Tls};
use super::wire::{self, Deframer, Frame, Home, Msg};
use super::{head, names, nkey, registry, time};
use crate::base::bytes::{lossy, push_decimal};
use crate::base::error::{Error, Fault, Kind};
use crate::base::id::{push_base36, random_id};
use crate::base::limits;
use crate::base::time::{Millis, Now, Time, Wall, earliest};
use crate::base::value::{JsonReader, Value};
use crate::link::live::Live;
use crate::link::outbox::Outbox;
use crate::link::session::{
    Ask, Draft, Encryption, FeedId, FeedSpec, Input, Login, Output, Place, Request, RouteId, ServerFacts, Session,
    Slot, Source, Verdict, WaitId, hand_in,
};
use pings::{Ears, Ping};
use slab::Slab;
use std::any::Any;
use std::collections::VecDeque;

/// Subscription of the registry of schemas.
const REGISTRY_SID: u32 = 0;
/// Subscription of the inbox.
const INBOX_SID: u32 = 1;
/// A feed's number stands above the bits of its epoch.
const EPOCH_BITS: u32 = 12;
const EPOCH_MASK: u32 = (1 << EPOCH_BITS) - 1;

/// What an answer on `<inbox>.I<n>` is about.
#[derive(Clone, Debug)]
enum Check {
    Route(RouteId),
    Feed(FeedId),
    /// Whatever the leader of a feed sent before has come.
    Rested,
}

#[derive(Debug)]
struct Route {
    station: String,
    stream: String,
    subject: String,
    /// The server was asked whether the stream is there; until when it may answer.
    checking: Option<Time>,
}

#[derive(Debug)]
struct Feed {
    station: String,
    stream: String,
    group: String,
    /// Raised by every subscription, so that the server forgets the pulls of the one before.
    epoch: u32,
    /// The epoch it was opened with; messages of an older one were meant for another feed.
    first_epoch: u32,
    subscribed: bool,
    /// What its subscription's subjects begin with: the inbox of the link that the subscription was made on.
    inbox: String,
    /// Another link listens as well, and goes on with the pulls when it takes this one's place.
    shared: bool,
    /// The last delivery's place among those of the group.
    order: u64,
    /// Which of its deliveries may come by two links.
    twice: Option<Twice>,
    pulls: Pulls,
}

/// A subscription that two links have.
#[derive(Clone, Copy, Debug)]
struct Twice {
    epoch: u32,
    /// The last delivery that was taken; what stands before it is a copy.
    order: u64,
    /// Only one of them is left: copies end with the first delivery that is none.
    moved: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    /// INFO has not come. With a moment: until then; a server that says nothing waits for TLS.
    Listening(Option<Time>),
    /// INFO came in plain, and the rest is to be encrypted.
    Encrypting,
    /// CONNECT and PING are out.
    Greeting,
    Up,
}

/// A session with a NATS server.
pub struct NatsSession {
    json: JsonReader,
    prefix: String,
    phase: Phase,
    encryption: Encryption,
    login: Login,
    deframer: Deframer,
    info: Info,
    /// What inboxes begin with.
    inbox_prefix: String,
    inbox: String,
    routes: Slab<Route>,
    feeds: Slab<Feed>,
    /// Epochs outlive their feeds: a late message of a closed one must not reach the next with its number.
    epochs: Vec<u32>,
    /// How often a slot's receipt was given up; part of its reply subject from then on.
    generations: Vec<u32>,
    checks: Vec<(u32, Check)>,
    last_check: u32,
    /// So many answers are to come before everything has.
    resting: usize,
    /// A scout: deliveries are for the session that will go on with this link.
    kept: Option<sharing::Kept>,
    /// What the scout of this link had kept, until the next chunk comes.
    before: Vec<u8>,
    /// Questions on the wire, with their subjects: a refused one gets no other answer.
    questions: Vec<(WaitId, String)>,
    /// What has come of answers in several messages, and when they were asked for.
    gathered: Vec<(WaitId, Time, Vec<u8>)>,
    /// The application wants to know what changes in the registry of schemas.
    watches: bool,
    /// What came for a broker that stands on this session.
    told: Vec<(Msg, Vec<u8>)>,
    /// The server may say nothing at all to a pull for a group that is gone.
    silent: bool,
    /// Subscriptions of live messages, and what no round trip has confirmed.
    ears: Ears,
    jitter: u32,
    /// The code for what is unusual may not be there.
    plain: bool,
    /// What was put off until it is, of this link; see [`odd`].
    odds: Vec<u8>,
    /// End of the reply subject that is being written; one buffer for all.
    name: Vec<u8>,
    outputs: VecDeque<Output>,
}

impl NatsSession {
    /// A session that has no link yet. `prefix` is that of the API subjects, `$JS.API` by default.
    pub fn new(json: JsonReader, prefix: &str) -> NatsSession {
        NatsSession {
            json,
            prefix: prefix.into(),
            phase: Phase::Idle,
            encryption: Encryption::Settled,
            login: Login::default(),
            deframer: Deframer::default(),
            info: Info::default(),
            inbox_prefix: super::INBOX.into(),
            inbox: String::new(),
            routes: Slab::new(),
            feeds: Slab::new(),
            epochs: Vec::new(),
            generations: Vec::new(),
            checks: Vec::new(),
            last_check: 0,
            resting: 0,
            kept: None,
            before: Vec::new(),
            questions: Vec::new(),
            gathered: Vec::new(),
            watches: false,
            told: Vec::new(),
            silent: false,
            ears: Ears::default(),
            jitter: 0,
            plain: false,
            odds: Vec::new(),
            name: Vec::new(),
            outputs: VecDeque::new(),
        }
    }

    /// The same with other reply subjects, for users who may subscribe to some prefix only.
    pub fn with_inbox(mut self, prefix: &str) -> NatsSession {
        self.inbox_prefix = prefix.into();
        self
    }

    /// What the server said about itself.
    pub fn info(&self) -> &Info {
        &self.info
    }

    fn chunk(&mut self, now: Now, chunk: &[u8], out: &mut Outbox) {
        self.before.clear();
        let mut deframer = std::mem::take(&mut self.deframer);
        let mut at = 0;
        loop {
            match deframer.next(chunk, &mut at) {
                Ok(Some((Home::Chunk(start), frame, len))) => {
                    let bytes = chunk.get(start..start.saturating_add(len)).unwrap_or_default();
                    self.frame(now, frame, bytes, Source::Chunk, start, out);
                }
                Ok(Some((Home::Assembled, frame, len))) => {
                    let bytes = deframer.assembled().get(..len).unwrap_or_default();
                    self.frame(now, frame, bytes, Source::Own, 0, out);
                }
                Ok(None) => break,
                Err(fault) => {
                    self.garbage(fault);
                    break;
                }
            }
            if self.phase == Phase::Idle {
                break;
            }
        }
        self.deframer = deframer;
    }

    fn garbage(&mut self, fault: Fault) {
        let error = Error::new(
            Kind::Protocol,
            format!("the server sent something that is not NATS: at byte {} should be {}", fault.at, fault.expected),
        )
        .hint("Is this URL the WebSocket listener of a NATS server?");
        self.broken(error);
    }

    fn broken(&mut self, error: Error) {
        self.phase = Phase::Idle;
        self.outputs.push_back(Output::Broken(error));
    }

    fn frame(&mut self, now: Now, frame: Frame, bytes: &[u8], source: Source, start: usize, out: &mut Outbox) {
        match frame {
            _ if self.phase == Phase::Encrypting => {
                self.garbage(Fault { at: 0, expected: "nothing between INFO and TLS" })
            }
            Frame::Msg(msg) if self.phase == Phase::Up => self.message(now, &msg, bytes, source, start, out),
            Frame::Msg(_) => self.garbage(Fault { at: 0, expected: "no message before the login" }),
            Frame::Ping => out.main().extend_from_slice(b"PONG\r\n"),
            Frame::Pong if self.phase == Phase::Greeting => self.up(out),
            Frame::Pong => match self.ears.pong() {
                Ping::Probe => self.outputs.push_back(Output::Alive),
                Ping::Settled(sid) => self.feed_settled(now, sid, out),
                Ping::Rested => self.rested(),
                ping => self.answered_ping(ping),
            },
            Frame::Ok => {}
            Frame::Info(json) => {
                let value = bytes.get(json).and_then(|text| self.json.read(text));
                match value {
                    Some(value @ Value::Map(_)) => self.informed(&value, out),
                    _ => self.garbage(Fault { at: 5, expected: "JSON in INFO" }),
                }
            }
            Frame::Err(text) => {
                let text = lossy(bytes.get(text).unwrap_or_default());
                self.complained(&text);
            }
        }
    }

    fn message(&mut self, now: Now, msg: &Msg, bytes: &[u8], source: Source, start: usize, out: &mut Outbox) {
        let part = |range: &std::ops::Range<usize>| bytes.get(range.clone()).unwrap_or_default();
        if msg.sid == INBOX_SID {
            if !msg.reply.is_empty()
                && !self.gathered.is_empty()
                && self.brought(now, part(&msg.reply), part(&msg.data))
            {
                return;
            }
            let name = part(&msg.subject).get(self.inbox.len().saturating_add(1)..).unwrap_or_default();
            if name.first() == Some(&pings::ASK) && self.ears.is_used() {
                return self.answered(name, msg, bytes, source, start);
            }
            return self.answer(now, name, part(&msg.head), part(&msg.data), out);
        }
        if msg.sid == REGISTRY_SID {
            if !self.watches {
                return;
            }
            let news = registry::news(self.json, part(&msg.subject), part(&msg.head), part(&msg.data));
            return self.outputs.extend(news.map(Output::Registry));
        }
        if msg.sid & (EPOCH_MASK << 1 | 1) == INBOX_SID && self.ears.is_used() {
            return self.answered_late(msg, bytes, source, start);
        }
        // Before the first feed the code for them may not be there, nor that of live messages; nothing was subscribed to
        // either.
        if msg.sid & 1 == 0 {
            if msg.sid >= beside::FIRST && self.silent {
                self.heard_beside(msg, bytes);
            } else if self.ears.is_used() {
                self.heard(msg, bytes, source, start);
            }
            return;
        }
        if !self.epochs.is_empty() {
            self.delivered(now, msg, bytes, source, start, out);
        } else if self.kept.is_some() {
            self.keep(bytes);
        }
    }

    fn informed(&mut self, value: &Value, out: &mut Outbox) {
        let known = std::mem::take(&mut self.info.urls);
        self.info.merge(value);
        if let Phase::Listening(_) = self.phase {
            if !self.info.headers {
                let error = Error::new(Kind::NotSupported, "this NATS server has no message headers")
                    .hint("Use nats-server 2.10 or newer, with headers left on.");
                return self.broken(error);
            }
            // On a WebSocket TLS is the socket's own, whatever INFO says of it.
            match (self.encryption, info::offers_tls(value)) {
                (Encryption::Settled, _) | (Encryption::OnDemand, Tls::None | Tls::Possible) => self.greet(out),
                (Encryption::OnDemand, Tls::Required) | (Encryption::Required, Tls::Required | Tls::Possible) => {
                    self.phase = Phase::Encrypting;
                    self.outputs.push_back(Output::Encrypt);
                }
                (Encryption::Required, Tls::None) => {
                    let error = Error::new(Kind::ConnectFailed, "the server offers no TLS")
                        .hint("Give it a certificate, or say tcp: if what is sent may be read on the way.");
                    return self.broken(error.retryable(false));
                }
            }
        }
        if self.info.urls.is_empty() {
            self.info.urls = known;
        } else if self.info.urls != known {
            self.outputs.push_back(Output::Servers(self.info.urls.clone()));
        }
        if self.info.leaving && self.phase == Phase::Up {
            self.outputs.push_back(Output::Leaving);
        }
    }

    fn greet(&mut self, out: &mut Outbox) {
        self.phase = Phase::Greeting;
        // Nothing of the credentials is needed, or kept, after this.
        let login = std::mem::take(&mut self.login);
        let proof = if login.seed.is_some() {
            nkey::prove(&login, self.info.nonce.as_deref())
        } else {
            Ok(nkey::Proof::default())
        };
        let proof = match proof {
            Ok(proof) => proof,
            Err(error) => return self.broken(error),
        };
        let main = out.main();
        info::push_connect(main, &login, &proof);
        // Before the PING: its PONG then says that answers can come in as well.
        wire::push_sub(main, &[self.inbox.as_bytes(), b".*"], INBOX_SID);
        main.extend_from_slice(b"PING\r\n");
    }

    fn up(&mut self, out: &mut Outbox) {
        self.phase = Phase::Up;
        self.outputs.push_back(Output::Up);
        self.subscribe_registry(out);
        if self.ears.is_used() {
            self.listen_again(out);
        }
        for (index, _) in &self.feeds {
            self.outputs.push_back(Output::Room(FeedId(index as u32)));
        }
    }

    fn complained(&mut self, text: &str) {
        match info::complaint(text) {
            Complaint::Fatal(error) => self.broken(error),
            Complaint::Minor => {
                if self.ears.is_used() {
                    self.refused(text);
                }
            }
            Complaint::Subscribe(subject) if self.ears.is_used() && self.deafened(subject, text) => {}
            // Who may not listen to the registry learns of changes when he makes something, or after a reconnect.
            Complaint::Subscribe(subject) if subject.starts_with(registry::SUBJECTS) => {}
            // The same of what the broker above would have heard.
            Complaint::Subscribe(subject) if self.silent && subject.starts_with('$') => {}
            Complaint::Subscribe(subject) => {
                let denied = Error::new(Kind::PermissionDenied, format!("the user may not subscribe to {subject}"))
                    .hint(format!(
                        "Answers and messages come in under {0}.>: allow the user to subscribe to it, or set inboxPrefix to what he may subscribe to.",
                        self.inbox_prefix
                    ))
                    .said(text);
                self.broken(denied);
            }
            Complaint::Publish(_) if self.plain => self.put_off([b"", b"", text.as_bytes()]),
            Complaint::Publish(subject) => self.denied(subject, text),
        }
    }

    fn subscribe_registry(&self, out: &mut Outbox) {
        if self.watches && self.phase == Phase::Up {
            wire::push_sub(out.main(), &[registry::SUBJECTS.as_bytes(), b">"], REGISTRY_SID);
        }
    }

    fn opened(&mut self, login: &Login, encryption: Encryption, silent: Option<Time>, random: [u8; 8]) {
        self.phase = Phase::Listening(silent);
        self.encryption = encryption;
        self.login = login.clone();
        self.deframer.reset();
        self.inbox = format!("{}.{}", self.inbox_prefix, random_id(random));
        self.jitter = u32::from_le_bytes([random[0], random[1], random[2], random[3]]);
        self.info = Info::default();
    }

    fn closed(&mut self) {
        self.phase = Phase::Idle;
        self.login = Login::default();
        self.deframer.reset();
        self.checks.clear();
        self.odds.clear();
        self.resting = 0;
        self.questions.clear();
        self.gathered.clear();
        if self.ears.is_used() {
            self.unplug();
        }
        self.ears.forget();
        self.generations.clear();
        for (_, route) in &mut self.routes {
            route.checking = None;
        }
        if !self.feeds.is_empty() {
            self.feeds_lost();
        }
    }
}

impl Session for NatsSession {
    fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Outbox) {
        match input {
            Input::Opened { login, encryption, took, random } => {
                // INFO comes a round trip after the socket opened, if it comes first; the dial took one as well.
                let silent = now.mono + took + limits::TLS_FIRST;
                self.opened(login, encryption, (encryption == Encryption::Required).then_some(silent), random);
            }
            Input::Encrypted if self.phase == Phase::Encrypting => {
                self.deframer.reset();
                self.greet(out);
            }
            Input::Encrypted => {}
            Input::Chunk(chunk) if self.phase != Phase::Idle => self.chunk(now, chunk, out),
            Input::Chunk(_) => {}
            Input::Closed => self.closed(),
            Input::Tick => match self.phase {
                Phase::Listening(Some(until)) if until <= now.mono => {
                    self.phase = Phase::Idle;
                    self.outputs.push_back(Output::EncryptFirst);
                }
                // Where nobody consumes, the code for it may not be there.
                Phase::Up => {
                    if !self.feeds.is_empty() {
                        self.tick(now, out);
                    }
                    if self.ears.deadline().is_some_and(|at| at <= now.mono) {
                        self.confirm_last(out);
                    }
                }
                _ => {}
            },
        }
    }

    fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn has_output(&self) -> bool {
        !self.outputs.is_empty()
    }

    fn deadline(&self) -> Option<Time> {
        match self.phase {
            Phase::Up => {}
            Phase::Listening(silent) => return silent,
            _ => return None,
        }
        let feeds = if self.feeds.is_empty() { None } else { self.feeds_deadline() };
        earliest(feeds, self.ears.deadline())
    }

    fn own(&self) -> &[u8] {
        if self.before.is_empty() { self.deframer.assembled() } else { &self.before }
    }

    fn held(&self) -> &[u8] {
        self.deframer.held()
    }

    fn server(&self) -> ServerFacts {
        let level = self.info.level();
        let Info { version, name, max_payload, .. } = self.info.clone();
        ServerFacts { product: "nats-server", version, host: name, max_payload: Some(max_payload), level }
    }

    fn probe(&mut self, _now: Now, out: &mut Outbox) {
        if self.phase == Phase::Up {
            self.ears.ping(out, Ping::Probe);
        }
    }

    fn scout(&self) -> Option<Box<dyn Session>> {
        Some(Box::new(self.another()))
    }

    fn share(&mut self) -> Option<Box<dyn Any>> {
        if self.feeds.is_empty() { None } else { self.share_feeds() }
    }

    fn join(&mut self, shared: Box<dyn Any>, out: &mut Outbox) {
        self.join_feeds(shared, out);
    }

    fn rest(&mut self, out: &mut Outbox) {
        // What comes from other nodes of a cluster comes before the answers of theirs.
        self.resting = 1;
        if !self.feeds.is_empty() {
            self.ask_leaders(out);
        }
        if self.ears.leaving {
            self.listen_no_more(out);
        }
        self.ears.ping(out, Ping::Rested);
    }

    fn stay(&mut self) {
        if !self.feeds.is_empty() {
            self.keep_feeds();
        }
    }

    fn give_link(&mut self) -> Option<Box<dyn Any>> {
        self.link()
    }

    fn take_link(&mut self, now: Now, link: Box<dyn Any>, out: &mut Outbox) {
        self.go_on_with(now, link, out);
    }

    fn open_route(&mut self, place: &Place) -> RouteId {
        let route = Route {
            station: place.station.clone(),
            stream: place.store.clone(),
            subject: place.address.clone(),
            checking: None,
        };
        RouteId(self.routes.insert(route) as u32)
    }

    fn close_route(&mut self, route: RouteId) {
        self.routes.try_remove(route.0 as usize);
    }

    fn encode(&self, draft: &Draft<'_>, into: &mut Vec<u8>) -> Result<u32, Error> {
        head::encode(draft, self.info.max_payload, into)
    }

    fn publish(&mut self, _now: Now, out: &mut Outbox, route: RouteId, slot: Slot, message: &[u8], head: u32) {
        let Some(route) = self.routes.get(route.0 as usize) else { return };
        self.name.clear();
        self.name.push(b'.');
        push_base36(&mut self.name, u64::from(slot.0));
        if let Some(generation) = self.generations.get(slot.0 as usize).filter(|generation| **generation > 0) {
            self.name.push(b'-');
            push_base36(&mut self.name, u64::from(*generation));
        }
        let reply: &[&[u8]] = &[self.inbox.as_bytes(), &self.name];
        let scheduled = if time::is_scheduled(message) { time::aimed(&route.subject, message) } else { None };
        if let Some((to, scheduled)) = scheduled {
            let head = (head as usize).saturating_add(scheduled.len()).saturating_sub(message.len());
            return wire::push_pub(out.main(), &[to.as_bytes()], reply, &scheduled, head);
        }
        wire::push_pub(out.main(), &[route.subject.as_bytes()], reply, message, head as usize);
    }

    fn header<'a>(&self, head: &'a [u8], name: &str) -> Option<&'a [u8]> {
        wire::field(head, name)
    }

    fn forget(&mut self, slot: Slot) {
        let index = slot.0 as usize;
        if self.generations.len() <= index {
            self.generations.resize(index.saturating_add(1), 0);
        }
        if let Some(generation) = self.generations.get_mut(index) {
            *generation = generation.wrapping_add(1);
        }
    }

    fn open_feed(&mut self, _now: Now, _out: &mut Outbox, spec: &FeedSpec) -> FeedId {
        let feed = Feed {
            station: spec.place.station.clone(),
            stream: spec.place.store.clone(),
            group: names::token(&spec.group),
            epoch: 0,
            first_epoch: 0,
            subscribed: false,
            inbox: String::new(),
            shared: false,
            order: 0,
            twice: None,
            pulls: Pulls::new(self.silent),
        };
        let index = self.feeds.insert(feed);
        if self.epochs.len() <= index {
            self.epochs.resize(index.saturating_add(1), 0);
        }
        let epoch = self.next_epoch(index);
        if let Some(feed) = self.feeds.get_mut(index) {
            feed.epoch = epoch;
            feed.first_epoch = epoch;
        }
        FeedId(index as u32)
    }

    fn close_feed(&mut self, now: Now, out: &mut Outbox, feed: FeedId) {
        self.withdraw(now, out, feed);
        self.feeds.try_remove(feed.0 as usize);
    }

    fn ask(&mut self, now: Now, out: &mut Outbox, id: FeedId, ask: Ask) {
        if self.phase != Phase::Up || ask.messages == 0 {
            return;
        }
        // A byte limit costs a status message a pull: it is left out where the number of messages keeps it anyway.
        let bytes =
            if u64::from(ask.messages).saturating_mul(self.info.max_payload) <= ask.bytes { 0 } else { ask.bytes };
        let pull = self.feeds.get_mut(id.0 as usize).and_then(|feed| feed.pulls.ask(now.mono, Ask { bytes, ..ask }));
        if let Some(pull) = pull {
            self.push_pull(out, id, pull);
        }
    }

    fn asked(&self, feed: FeedId) -> u32 {
        self.feeds.get(feed.0 as usize).map_or(0, |feed| feed.pulls.asked())
    }

    fn withdraw(&mut self, _now: Now, out: &mut Outbox, id: FeedId) {
        if let Some(feed) = self.feeds.get_mut(id.0 as usize) {
            feed.pulls.withdraw();
            self.unsubscribe(id, out);
        }
    }

    fn settle(
        &mut self,
        now: Now,
        out: &mut Outbox,
        _feed: FeedId,
        token: &[u8],
        verdict: &Verdict,
        confirm: Option<WaitId>,
    ) {
        let delay;
        let bury;
        let body: &[u8] = match verdict {
            Verdict::Ack => b"+ACK",
            Verdict::Nack => b"-NAK",
            Verdict::Delay(span) => {
                delay = delay_body(*span);
                &delay
            }
            Verdict::Bury(reason) => {
                bury = format!("+TERM {}", reason.replace(['\r', '\n'], " "));
                bury.as_bytes()
            }
            Verdict::Extend(_) => b"+WPI",
        };
        match confirm {
            None => wire::push_pub(out.acks(now.mono), &[token], &[], body, 0),
            Some(wait) => {
                let mut name = vec![b'.', b'R'];
                push_base36(&mut name, u64::from(wait.0));
                wire::push_pub(out.main(), &[token], &[self.inbox.as_bytes(), &name], body, 0);
                self.questions.push((wait, lossy(token)));
            }
        }
    }

    fn watch_registry(&mut self, out: &mut Outbox) {
        if !std::mem::replace(&mut self.watches, true) {
            self.subscribe_registry(out);
        }
    }

    fn begin_plain(&mut self) {
        self.plain = true;
        self.odds.clear();
    }

    fn odd(&mut self, now: Now, out: &mut Outbox) {
        self.plain = false;
        self.hear_odds(now, out);
    }

    fn live(&mut self) -> &mut dyn Live {
        self
    }

    fn unconfirmed(&self) -> u64 {
        self.ears.unconfirmed()
    }

    fn request(&mut self, now: Now, out: &mut Outbox, wait: WaitId, request: &Request) {
        if let Err(error) = head::fits(request.head as usize, request.body.len(), self.info.max_payload) {
            return self.outputs.push_back(Output::Replied(wait, Err(error)));
        }
        let mut name = vec![b'.', b'R'];
        push_base36(&mut name, u64::from(wait.0));
        let head = request.head as usize;
        wire::push_pub(out.main(), &[request.to.as_bytes()], &[self.inbox.as_bytes(), &name], &request.body, head);
        self.questions.push((wait, request.to.clone()));
        if request.many {
            self.gathered.push((wait, now.mono, Vec::new()));
        }
    }
}

fn delay_body(span: Millis) -> Vec<u8> {
    let mut body = b"-NAK {\"delay\":".to_vec();
    push_decimal(&mut body, span.nanos());
    body.push(b'}');
    body
}

/// A stream or a durable that is not there any more.
pub fn gone(station: &str, code: u32) -> Error {
    let (text, hint) = if code == 10014 {
        (
            "the consumer group has been removed from the broker",
            "Somebody destroyed the group; make the consumer again to create it.",
        )
    } else {
        ("the station does not exist any more", "Make the station, the producer or the consumer again to create it.")
    };
    Error::new(Kind::NoSuchStation, text).hint(hint).at(station).code(code)
}

/// The body of the fuzz target: whatever a server sends after the login, in pieces, nothing panics and every arrival
/// lies inside the bytes it came with.
pub fn fuzz(json: JsonReader, bytes: &[u8]) {
    let now = Now { mono: Time(0), wall: Wall(0) };
    let mut session = NatsSession::new(json, "$JS.API");
    let mut out = Outbox::default();
    session.handle(
        now,
        Input::Opened { login: &Login::default(), encryption: Encryption::Settled, took: Millis(0), random: [7; 8] },
        &mut out,
    );
    session.handle(now, Input::Chunk(b"INFO {\"headers\":true,\"max_payload\":1000}\r\nPONG\r\n"), &mut out);
    let place = Place { station: "a".into(), partition: 1, store: "a".into(), address: "stations.a.1".into() };
    let route = session.open_route(&place);
    let feed = session.open_feed(
        now,
        &mut out,
        &FeedSpec { place, group: "g".into(), auto_ack: false, ack_time: Millis(1000) },
    );
    session.publish(now, &mut out, route, Slot(0), b"x", 0);
    session.ask(now, &mut out, feed, Ask { messages: 10, bytes: 0, wait: crate::link::session::Wait::Standing });
    hand_in(&mut session, now, &mut out, bytes);
}
