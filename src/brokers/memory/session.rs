//! One connection to a memory broker, as the link sees it: calls go to the store, parcels from its inbox become
//! arrivals.
//!
//! Knows neither stations nor groups. There is no wire: nothing is ever written to the outbox.

use super::head;
use super::members::{Parcel, Wake};
use super::registry;
use super::store::{Published, Store, small};
use super::tap::Calls;
use super::token::Token;
use crate::base::error::{Error, Kind};
use crate::base::time::{Now, Time};
use crate::link::live::Live;
use crate::link::outbox::Outbox;
use crate::link::session::{
    Arrival, Ask, Draft, FeedId, FeedSpec, Input, Output, Place, Reply, Request, RouteId, ServerFacts, Session, Slot,
    Source, Span, Verdict, WaitId,
};
use crate::link::tap::Piece;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Bytes of arrivals handed over in one turn. More waits for the next one, so that a page that asks for a lot stays
/// able to do something else in between.
const TURN_BYTES: usize = 4 * 1024 * 1024;

/// The buffer of arrivals is kept from turn to turn up to this size.
const KEEP_BYTES: usize = 256 * 1024;

/// For what only a mistake above this broker can cause.
const DEFECT: &str = "This is a defect of the package: please report it.";

/// A connection to a memory broker.
pub struct MemorySession {
    pub(super) store: Rc<RefCell<Store>>,
    pub(super) seat: usize,
    outputs: VecDeque<Output>,
    pub(super) own: Vec<u8>,
    /// Somebody looks at what is called and delivered.
    calls: Option<Box<Calls>>,
}

impl MemorySession {
    /// A connection to the broker of this name; the empty name is the default one. `wake` is called when there is
    /// something for this connection: it has [`Input::Tick`] given at the end of the turn, and nothing else.
    pub fn new(name: &str, wake: Rc<dyn Fn()>) -> MemorySession {
        MemorySession::over(registry::broker(name), wake)
    }

    pub(super) fn over(store: Rc<RefCell<Store>>, wake: Wake) -> MemorySession {
        let seat = store.borrow_mut().enter(wake);
        MemorySession { store, seat, outputs: VecDeque::new(), own: Vec::new(), calls: None }
    }

    fn deliver(&mut self, now: Now) {
        let shared = Rc::clone(&self.store);
        let mut store = shared.borrow_mut();
        store.tick(now);
        while self.own.len() < TURN_BYTES {
            let Some(parcel) = store.fetch(self.seat) else { return };
            let output = match parcel {
                Parcel::Message { member, token, bytes, head, stamp } => {
                    let begin = self.own.len();
                    token.write(&mut self.own);
                    let message = self.own.len();
                    self.own.extend_from_slice(&bytes);
                    let payload = message.saturating_add(head as usize);
                    if let Some(calls) = &mut self.calls {
                        let data = self.own.get(payload..).unwrap_or_default();
                        calls.message(now.wall, &store, member, &token, data);
                    }
                    Output::Arrived(Arrival {
                        feed: FeedId(small(member)),
                        source: Source::Own,
                        frame: span(begin, self.own.len()),
                        head: span(message, payload),
                        data: span(payload, self.own.len()),
                        token: span(begin, message),
                        sequence: token.sequence,
                        stamp,
                        deliveries: token.delivery,
                    })
                }
                Parcel::Over(member) => Output::AskOver(FeedId(small(member))),
                Parcel::Room(member) => Output::Room(FeedId(small(member))),
                Parcel::FeedLost(member, error) => Output::FeedLost(FeedId(small(member)), error),
                Parcel::Registry(news) => Output::Registry(news),
                Parcel::RouteLost(route, error) => Output::RouteLost(RouteId(small(route)), error),
                Parcel::Live(post) => self.open(post),
            };
            self.outputs.push_back(output);
        }
        store.wake_again(self.seat);
    }
}

impl Session for MemorySession {
    fn handle(&mut self, now: Now, input: Input<'_>, _out: &mut Outbox) {
        self.own.clear();
        self.own.shrink_to(KEEP_BYTES);
        match input {
            Input::Opened { .. } => self.outputs.push_back(Output::Up),
            Input::Tick => {
                self.deliver(now);
                self.emptied();
            }
            Input::Closed => self.store.borrow_mut().cut(now, self.seat),
            // Nobody writes to a broker that has no wire.
            Input::Chunk(_) | Input::Encrypted => {}
        }
        wake_all(&self.store);
    }

    fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn has_output(&self) -> bool {
        !self.outputs.is_empty()
    }

    fn deadline(&self) -> Option<Time> {
        self.store.borrow().deadline()
    }

    fn own(&self) -> &[u8] {
        &self.own
    }

    fn server(&self) -> ServerFacts {
        ServerFacts {
            product: "memory",
            version: Some(env!("CARGO_PKG_VERSION").into()),
            host: None,
            max_payload: Some(head::MESSAGE_MAX as u64),
            level: 0,
        }
    }

    fn probe(&mut self, _now: Now, _out: &mut Outbox) {
        self.outputs.push_back(Output::Alive);
    }

    fn open_route(&mut self, place: &Place) -> RouteId {
        RouteId(small(self.store.borrow_mut().open_route(self.seat, place)))
    }

    fn close_route(&mut self, route: RouteId) {
        self.store.borrow_mut().close_route(route.0 as usize);
    }

    fn encode(&self, draft: &Draft<'_>, into: &mut Vec<u8>) -> Result<u32, Error> {
        head::encode(draft, into)
    }

    fn header<'a>(&self, head: &'a [u8], name: &str) -> Option<&'a [u8]> {
        head::header(head, name)
    }

    fn publish(&mut self, now: Now, _out: &mut Outbox, route: RouteId, slot: Slot, message: &[u8], head: u32) {
        let published = self.store.borrow_mut().publish(now, route.0 as usize, message, head);
        if let Some(calls) = &mut self.calls {
            let (store, route) = (self.store.borrow(), route.0 as usize);
            calls.publish(now.wall, &store, route, message.get(head as usize..).unwrap_or_default());
            match &published {
                Published::Stored(sequence) => calls.stored(now.wall, &store, route, *sequence, false),
                Published::Duplicate(sequence) => calls.stored(now.wall, &store, route, *sequence, true),
                Published::Lost(error) | Published::Refused(error) => {
                    calls.refused(now.wall, &store, route, &error.text)
                }
            }
        }
        self.outputs.push_back(match published {
            Published::Stored(sequence) => Output::Stored { slot, sequence, duplicate: false },
            Published::Duplicate(sequence) => Output::Stored { slot, sequence, duplicate: true },
            Published::Lost(error) => Output::RouteLost(route, error),
            Published::Refused(error) => Output::Refused(slot, error),
        });
        wake_all(&self.store);
    }

    fn forget(&mut self, slot: Slot) {
        self.outputs.retain(|output| match output {
            Output::Stored { slot: other, .. } | Output::Refused(other, _) | Output::NotNow(other) => *other != slot,
            _ => true,
        });
    }

    fn open_feed(&mut self, _now: Now, _out: &mut Outbox, spec: &FeedSpec) -> FeedId {
        let member = self.store.borrow_mut().open_member(self.seat, spec);
        wake_all(&self.store);
        FeedId(small(member))
    }

    fn close_feed(&mut self, now: Now, _out: &mut Outbox, feed: FeedId) {
        self.store.borrow_mut().close_member(Some(now), feed.0 as usize);
        wake_all(&self.store);
    }

    fn tap(&mut self, on: bool) {
        if on != self.calls.is_some() {
            self.calls = on.then(Box::default);
        }
    }

    fn tapped(&mut self) -> Vec<Piece> {
        self.calls.as_mut().map(|calls| calls.take()).unwrap_or_default()
    }

    fn ask(&mut self, now: Now, _out: &mut Outbox, feed: FeedId, ask: Ask) {
        if let Some(calls) = &mut self.calls {
            calls.ask(now.wall, &self.store.borrow(), feed.0 as usize, &ask);
        }
        self.store.borrow_mut().ask(now, feed.0 as usize, ask);
        wake_all(&self.store);
    }

    fn asked(&self, feed: FeedId) -> u32 {
        self.store.borrow().asked(feed.0 as usize)
    }

    fn withdraw(&mut self, now: Now, _out: &mut Outbox, feed: FeedId) {
        self.store.borrow_mut().withdraw(now, feed.0 as usize);
        wake_all(&self.store);
    }

    fn settle(
        &mut self,
        now: Now,
        _out: &mut Outbox,
        _feed: FeedId,
        token: &[u8],
        verdict: &Verdict,
        confirm: Option<WaitId>,
    ) {
        let settled = match Token::read(token) {
            Some(token) => {
                if let Some(calls) = &mut self.calls {
                    calls.settle(now.wall, &self.store.borrow(), &token, verdict);
                }
                self.store.borrow_mut().settle(now, &token, verdict)
            }
            None => Err(Error::new(Kind::Internal, "an ack came back with a token that is none").hint(DEFECT)),
        };
        if let Some(wait) = confirm {
            let reply = settled.map(|()| Reply { status: 0, head: Vec::new(), body: Vec::new() });
            self.outputs.push_back(Output::Replied(wait, reply));
        }
        wake_all(&self.store);
    }

    fn watch_registry(&mut self, _out: &mut Outbox) {
        self.store.borrow_mut().watch(self.seat);
    }

    fn live(&mut self) -> &mut dyn Live {
        self
    }

    fn unconfirmed(&self) -> u64 {
        self.sent_and_not_taken()
    }

    fn request(&mut self, _now: Now, _out: &mut Outbox, wait: WaitId, _request: &Request) {
        let error = Error::new(Kind::Internal, "the memory broker answers no requests").hint(DEFECT);
        self.outputs.push_back(Output::Replied(wait, Err(error)));
    }
}

impl Drop for MemorySession {
    fn drop(&mut self) {
        self.store.borrow_mut().leave(None, self.seat);
        wake_all(&self.store);
    }
}

/// Call the callbacks of those that got something, now that the store is not borrowed.
pub(super) fn wake_all(store: &Rc<RefCell<Store>>) {
    let wakes = store.borrow_mut().take_wakes();
    for wake in wakes {
        wake();
    }
}

fn span(begin: usize, end: usize) -> Span {
    Span { at: small(begin), len: small(end.saturating_sub(begin)) }
}
