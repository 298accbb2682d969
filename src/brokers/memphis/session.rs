//! The session: a NATS session, and what Memphis does otherwise.
//!
//! The login has the tenant behind the user's name, and is tried once without; messages have a header block of Memphis's own;
//! deliveries of groups that are read without acks are acked as they come; and there are subscriptions to what the broker tells
//! by itself.
//!
//! Knows nothing of producers, consumers or repetition; does no I/O.

use super::shared::{About, Shared};
use super::updates::{self, Told};
use super::{control, head, login, resent};
use crate::base::error::{Error, Kind};
use crate::base::time::{Now, Time};
use crate::base::value::JsonReader;
use crate::brokers::nats;
use crate::brokers::nats::session::NatsSession;
use crate::link::live::{AskId, Heard, Live, LiveDraft, SubId};
use crate::link::outbox::Outbox;
use crate::link::session::{
    Ask, Draft, FeedId, FeedSpec, Input, Login, Output, Place, Reply, Request, RouteId, ServerFacts, Session, Slot,
    Source, Span, Verdict, WaitId,
};
use std::collections::VecDeque;
use std::rc::Rc;

/// A feed as it was opened.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) station: String,
    pub(super) group: String,
    partition: u32,
    auto_ack: bool,
}

/// See the module.
pub struct MemphisSession {
    pub(super) inner: NatsSession,
    pub(super) json: JsonReader,
    pub(super) shared: Rc<Shared>,
    /// By their numbers.
    pub(super) feeds: Vec<Option<Feed>>,
    /// Some of them are read without acks.
    autos: bool,
    /// The user whose name went through without the tenant.
    bare: Option<String>,
    /// The login of this link: who, and whether without the tenant.
    attempt: (String, bool),
    /// The link was up when it was looked at last.
    was_up: bool,
    /// Subjects that were subscribed to on this link, by their numbers; empty where none is.
    said: Vec<String>,
    /// Dead letters that came again with the last input: head, payload and token of each.
    pub(super) resent: Vec<u8>,
    /// The arrival that was told last is one of them.
    is_resent: bool,
    /// What is to be told before what the session below has to say.
    pub(super) outputs: VecDeque<Output>,
}

impl MemphisSession {
    /// A session that has no link yet.
    pub fn new(json: JsonReader, shared: Rc<Shared>) -> MemphisSession {
        let mut inner = NatsSession::new(json, nats::API);
        inner.may_be_silent();
        MemphisSession {
            inner,
            json,
            shared,
            feeds: Vec::new(),
            autos: false,
            bare: None,
            attempt: (String::new(), false),
            was_up: false,
            said: Vec::new(),
            resent: Vec::new(),
            is_resent: false,
            outputs: VecDeque::new(),
        }
    }

    fn opened(&mut self, login: &Login) -> Login {
        let user = login.username.clone().unwrap_or_default();
        *self.shared.user.borrow_mut() = user.to_ascii_lowercase();
        let bare = self.bare.as_ref() == Some(&user);
        self.attempt = (user, bare || login.token.is_some());
        login::wire(login, &self.shared, bare)
    }

    /// Subscribe to what somebody wants to hear of, and to nothing else.
    fn listen(&mut self, out: &mut Outbox) {
        let up = self.inner.is_up();
        if !std::mem::replace(&mut self.was_up, up) {
            self.said.clear();
            self.shared.changed.set(true);
        }
        if !up || !self.shared.changed.replace(false) {
            return;
        }
        let ears = self.shared.ears.borrow();
        self.said.resize(ears.len().max(self.said.len()), String::new());
        for (at, (said, ear)) in (0u32..).zip(self.said.iter_mut().zip(ears.iter())) {
            if *said == ear.subject {
                continue;
            }
            if !said.is_empty() {
                self.inner.hush_beside(out, at);
            }
            if !ear.subject.is_empty() {
                self.inner.listen_beside(out, at, &ear.subject);
            }
            said.clone_from(&ear.subject);
        }
    }

    /// After an input: updates go to whom they concern, and what needs no ack is acked.
    fn heard(&mut self, now: Now, chunk: &[u8], out: &mut Outbox) {
        if self.inner.was_told() {
            for (ear, msg, bytes) in self.inner.take_told() {
                updates::take(self, now, &Told { ear, msg, bytes }, out);
            }
        }
        if self.autos {
            self.ack_all(now, chunk, out);
        }
    }

    fn ack_all(&mut self, now: Now, chunk: &[u8], out: &mut Outbox) {
        while let Some(output) = self.inner.poll() {
            if let Output::Arrived(arrival) = &output
                && self.feed(arrival.feed).is_some_and(|feed| feed.auto_ack)
            {
                let home = if arrival.source == Source::Own { self.inner.own() } else { chunk };
                let Span { at, len } = arrival.token;
                let token = home.get(at as usize..(at as usize).saturating_add(len as usize)).map(<[u8]>::to_vec);
                self.inner.settle(now, out, arrival.feed, &token.unwrap_or_default(), &Verdict::Ack, None);
            }
            self.outputs.push_back(output);
        }
    }

    /// The feed by which dead letters come again to a group, and whether it is read without acks: of those that somebody reads
    /// at present, else of all, the first.
    pub(super) fn first_feed(&self, station: &str, group: &str) -> Option<(FeedId, bool)> {
        let feeds = (0u32..).zip(&self.feeds).filter_map(|(at, feed)| Some((at, feed.as_ref()?)));
        let of_group = feeds.filter(|(_, feed)| feed.station == station && feed.group == group);
        let idle = |at: u32| self.inner.asked(FeedId(at)) == 0;
        of_group.min_by_key(|(at, feed)| (idle(*at), feed.partition)).map(|(at, feed)| (FeedId(at), feed.auto_ack))
    }

    fn feed(&self, id: FeedId) -> Option<&Feed> {
        self.feeds.get(id.0 as usize)?.as_ref()
    }

    /// Read what the session below says, where it means something else here.
    fn translate(&mut self, output: Output) -> Output {
        match output {
            Output::Broken(error) if error.kind == Kind::AuthFailed && !self.was_up => {
                let (user, bare) = &mut self.attempt;
                if std::mem::replace(bare, true) {
                    self.bare = None;
                    return Output::Broken(error.hint("Check username, password and accountId, or connectionToken; the broker does not say which is wrong, nor whether it wants a password or a token."));
                }
                // A broker without tenants, or with one of another number (memphis.md section 1.6).
                self.bare = Some(std::mem::take(user));
                Output::DialAgain
            }
            Output::RouteLost(_, ref error) if error.kind == Kind::NoSuchStation => {
                self.shared.forget(error.station.as_deref().unwrap_or_default());
                output
            }
            Output::FeedLost(id, ref error) if error.kind == Kind::NoSuchStation => {
                if let Some(feed) = self.feeds.get(id.0 as usize).and_then(Option::as_ref) {
                    let gone = |row: &super::shared::Row| row.station == feed.station && row.group == feed.group;
                    self.shared.consumers.borrow_mut().retain(|row| !gone(row));
                }
                output
            }
            // The broker does not say what was refused.
            Output::Remark(error) | Output::Live(Heard::Denied(_, error)) if error.kind == Kind::PermissionDenied => {
                let mut denied = Error::new(Kind::PermissionDenied, "the broker refused something that was asked for")
                    .hint("The user has no role for that station; whatever waits for an answer will not get it.");
                denied.server.clone_from(&error.server);
                Output::Remark(denied)
            }
            other => other,
        }
    }
}

impl Session for MemphisSession {
    fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Outbox) {
        match input {
            Input::Opened { login, encryption, took, random } => {
                let login = self.opened(login);
                self.inner.handle(now, Input::Opened { login: &login, encryption, took, random }, out);
            }
            Input::Chunk(chunk) => {
                self.resent.clear();
                self.inner.handle(now, input, out);
                self.heard(now, chunk, out);
            }
            Input::Closed => {
                self.inner.handle(now, input, out);
                self.shared.link_lost();
                self.was_up = false;
            }
            Input::Encrypted | Input::Tick => self.inner.handle(now, input, out),
        }
        if !self.was_up || matches!(input, Input::Tick) {
            self.listen(out);
        }
        self.shared.wake();
    }

    fn poll(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front().or_else(|| self.inner.poll())?;
        self.is_resent = matches!(&output, Output::Arrived(arrival) if arrival.sequence == 0);
        Some(self.translate(output))
    }

    fn has_output(&self) -> bool {
        !self.outputs.is_empty() || self.inner.has_output()
    }

    fn deadline(&self) -> Option<Time> {
        self.inner.deadline()
    }

    fn own(&self) -> &[u8] {
        if self.is_resent { &self.resent } else { self.inner.own() }
    }

    fn held(&self) -> &[u8] {
        self.inner.held()
    }

    fn server(&self) -> ServerFacts {
        // The version that it tells is that of the server it was made from.
        ServerFacts { product: "memphis", version: None, level: 0, ..self.inner.server() }
    }

    fn probe(&mut self, now: Now, out: &mut Outbox) {
        self.inner.probe(now, out);
    }

    fn open_route(&mut self, place: &Place) -> RouteId {
        self.inner.open_route(place)
    }

    fn close_route(&mut self, route: RouteId) {
        self.inner.close_route(route);
    }

    fn encode(&self, draft: &Draft<'_>, into: &mut Vec<u8>) -> Result<u32, Error> {
        head::encode(draft, &self.shared.id, self.inner.max_payload(), into)
    }

    fn header<'a>(&self, head: &'a [u8], name: &str) -> Option<&'a [u8]> {
        self.inner.header(head, name)
    }

    fn publish(&mut self, now: Now, out: &mut Outbox, route: RouteId, slot: Slot, message: &[u8], head: u32) {
        self.inner.publish(now, out, route, slot, message, head);
    }

    fn forget(&mut self, slot: Slot) {
        self.inner.forget(slot);
    }

    fn open_feed(&mut self, now: Now, out: &mut Outbox, spec: &FeedSpec) -> FeedId {
        let id = self.inner.open_feed(now, out, spec);
        let index = id.0 as usize;
        if self.feeds.len() <= index {
            self.feeds.resize_with(index.saturating_add(1), || None);
        }
        if let Some(feed) = self.feeds.get_mut(index) {
            let (station, group) = (spec.place.station.clone(), spec.group.clone());
            *feed = Some(Feed { station, group, partition: spec.place.partition, auto_ack: spec.auto_ack });
        }
        self.autos |= spec.auto_ack;
        let version = self.inner.server().version;
        let subject = resent::subject(&spec.place.station, &spec.group, version.as_deref().unwrap_or_default());
        let about = About::Dead { station: spec.place.station.clone(), group: spec.group.clone() };
        self.shared.listen(format!("{subject} {subject}"), about);
        self.listen(out);
        id
    }

    fn close_feed(&mut self, now: Now, out: &mut Outbox, feed: FeedId) {
        self.inner.close_feed(now, out, feed);
        let closed = self.feeds.get_mut(feed.0 as usize).and_then(Option::take);
        if let Some(Feed { station, group, .. }) = closed
            && self.first_feed(&station, &group).is_none()
        {
            self.shared.hush(&About::Dead { station, group });
            self.listen(out);
        }
    }

    fn ask(&mut self, now: Now, out: &mut Outbox, feed: FeedId, ask: Ask) {
        self.inner.ask(now, out, feed, ask);
    }

    fn asked(&self, feed: FeedId) -> u32 {
        self.inner.asked(feed)
    }

    fn withdraw(&mut self, now: Now, out: &mut Outbox, feed: FeedId) {
        self.inner.withdraw(now, out, feed);
    }

    fn settle(
        &mut self,
        now: Now,
        out: &mut Outbox,
        feed: FeedId,
        token: &[u8],
        verdict: &Verdict,
        confirm: Option<WaitId>,
    ) {
        if !resent::is_token(token) {
            self.inner.settle(now, out, feed, token, verdict, confirm);
        } else if *verdict == Verdict::Ack {
            nats::wire::push_pub(out.main(), &[resent::ACKS.as_bytes()], &[], token, 0);
        }
    }

    fn live(&mut self) -> &mut dyn Live {
        self
    }

    fn unconfirmed(&self) -> u64 {
        self.inner.unconfirmed()
    }

    fn request(&mut self, now: Now, out: &mut Outbox, wait: WaitId, request: &Request) {
        self.listen(out);
        if !control::is_told(&request.to) {
            return self.inner.request(now, out, wait, request);
        }
        let done = nats::head::fits(0, request.body.len(), self.inner.max_payload());
        if done.is_ok() {
            nats::wire::push_pub(out.main(), &[request.to.as_bytes()], &[], &request.body, 0);
        }
        let reply = done.map(|()| Reply { status: 0, head: Vec::new(), body: Vec::new() });
        self.outputs.push_back(Output::Replied(wait, reply));
    }
}

impl Live for MemphisSession {
    fn subscribe(&mut self, now: Now, out: &mut Outbox, sub: SubId, channel: &str, group: &str) {
        self.inner.subscribe(now, out, sub, channel, group);
    }

    fn unsubscribe(&mut self, now: Now, out: &mut Outbox, sub: SubId) {
        self.inner.unsubscribe(now, out, sub);
    }

    fn encode(&self, draft: &LiveDraft<'_>, into: &mut Vec<u8>) -> Result<u32, Error> {
        Live::encode(&self.inner, draft, into)
    }

    fn send(&mut self, now: Now, out: &mut Outbox, to: &str, ask: Option<AskId>, message: &[u8], head: u32) {
        self.inner.send(now, out, to, ask, message, head);
    }

    fn send_plain(&mut self, now: Now, out: &mut Outbox, to: &Rc<str>, data: &[u8]) -> Result<(), Error> {
        self.inner.send_plain(now, out, to, data)
    }

    fn send_all<'a>(
        &mut self,
        now: Now,
        out: &mut Outbox,
        messages: &mut dyn Iterator<Item = (&'a Rc<str>, &'a [u8])>,
    ) -> (u64, u64) {
        self.inner.send_all(now, out, messages)
    }

    fn takes(&self) -> u64 {
        self.inner.takes()
    }

    fn confirm(&mut self, out: &mut Outbox) {
        self.inner.confirm(out);
    }
}
