//! Live messages: who listens to what, and what lies ready for whom. Nothing is stored: who does not listen when
//! something is sent never hears of it.
//!
//! A message is one packet however many listen. It counts for the connection that sent it until the last of them has
//! taken it out of his inbox: that is the round trip of a broker without a wire.

use super::head;
use super::members::Parcel;
use super::session::{MemorySession, wake_all};
use super::store::{Store, small};
use crate::base::channel::matches;
use crate::base::error::Error;
use crate::base::id::{parse_base36, push_base36};
use crate::base::time::Now;
use crate::link::live::{AskId, Beside, Heard, Live, LiveDraft, Sound, SubId};
use crate::link::outbox::Outbox;
use crate::link::session::{Output, Source, Span};
use std::cell::Cell;
use std::rc::Rc;

/// Reply addresses begin with it; then the connection's number and the question's, in base 36.
const INBOX: &str = "_INBOX.";

/// Everybody who listens.
#[derive(Default)]
pub(super) struct Ears {
    ears: Vec<Ear>,
    homes: Vec<Home>,
    /// Rises with each delivery to a group: the member whose number is lowest is next.
    turns: u64,
    last_home: u32,
}

/// One subscription.
struct Ear {
    seat: usize,
    sub: SubId,
    channel: String,
    group: String,
    turn: u64,
}

/// One connection: where answers to it go.
struct Home {
    number: u32,
    seat: usize,
    /// Bytes that it has sent and that lie in inboxes.
    charge: Rc<Cell<u64>>,
    /// It wants to know when they become fewer.
    waits: bool,
}

/// A message on its way, to whoever has it in his inbox.
#[derive(Debug)]
pub(super) struct Packet {
    channel: Box<str>,
    reply: Box<str>,
    message: Box<[u8]>,
    head: u32,
    charge: Rc<Cell<u64>>,
}

/// What a connection finds in its inbox.
#[derive(Debug)]
pub(super) enum Post {
    /// A message for a subscription.
    Message(SubId, Rc<Packet>),
    /// An answer.
    Answer(AskId, Rc<Packet>),
    /// Something without bytes.
    Word(Heard),
}

impl Packet {
    fn size(&self) -> u64 {
        (self.message.len() as u64).saturating_add(self.channel.len() as u64).saturating_add(16)
    }
}

impl Drop for Packet {
    fn drop(&mut self) {
        self.charge.set(self.charge.get().saturating_sub(self.size()));
    }
}

impl Store {
    /// A number for a connection, which no other has had.
    pub fn settle_in(&mut self, seat: usize) {
        self.ears.last_home = self.ears.last_home.wrapping_add(1);
        let (number, charge) = (self.ears.last_home, Rc::new(Cell::new(0)));
        self.ears.homes.push(Home { number, seat, charge, waits: false });
    }

    /// A connection goes, and listens no more.
    pub fn move_out(&mut self, seat: usize) {
        self.ears.ears.retain(|ear| ear.seat != seat);
        self.ears.homes.retain(|home| home.seat != seat);
    }

    fn home(&self, seat: usize) -> Option<&Home> {
        self.ears.homes.iter().find(|home| home.seat == seat)
    }

    fn unconfirmed(&self, seat: usize) -> u64 {
        self.home(seat).map_or(0, |home| home.charge.get())
    }

    /// Give a message to everybody who listens; with `ask`, whoever answers answers this connection's question.
    fn send(&mut self, seat: usize, to: &str, ask: Option<AskId>, message: &[u8], head: u32) {
        let Some(home) = self.home(seat) else { return };
        let reply = ask.map(|ask| address(home.number, ask)).unwrap_or_default();
        let packet = Packet {
            channel: to.into(),
            reply: reply.into(),
            message: message.into(),
            head,
            charge: Rc::clone(&home.charge),
        };
        packet.charge.set(packet.charge.get().saturating_add(packet.size()));
        let packet = Rc::new(packet);
        if let Some((number, ask)) = to.strip_prefix(INBOX).and_then(question) {
            if let Some(asker) = self.ears.homes.iter().find(|home| home.number == number).map(|home| home.seat) {
                self.seats.put(asker, Parcel::Live(Post::Answer(ask, packet)));
            }
            return;
        }
        let chosen = self.ears.choose(to);
        if let (true, Some(ask)) = (chosen.is_empty(), ask) {
            self.seats.put(seat, Parcel::Live(Post::Word(Heard::Nobody(ask))));
        }
        for (listener, sub) in chosen {
            self.seats.put(listener, Parcel::Live(Post::Message(sub, Rc::clone(&packet))));
        }
    }

    /// Inboxes have been emptied: tell those who wait for it.
    fn give_room(&mut self) {
        for home in self.ears.homes.iter_mut().filter(|home| home.waits) {
            home.waits = home.charge.get() > 0;
            self.seats.put(home.seat, Parcel::Live(Post::Word(Heard::Confirmed)));
        }
    }
}

impl Ears {
    /// Who gets a message: everybody without a group, and of each group the member that has waited longest.
    fn choose(&mut self, to: &str) -> Vec<(usize, SubId)> {
        let mut chosen: Vec<usize> = Vec::new();
        for (at, ear) in self.ears.iter().enumerate().filter(|(_, ear)| matches(&ear.channel, to)) {
            let same = |other: &usize| self.ears.get(*other).is_some_and(|other| other.group == ear.group);
            match chosen.iter().position(|other| !ear.group.is_empty() && same(other)) {
                None => chosen.push(at),
                Some(place) => {
                    let other = chosen.get(place).and_then(|other| self.ears.get(*other)).map_or(0, |ear| ear.turn);
                    if let Some(place) = chosen.get_mut(place).filter(|_| ear.turn < other) {
                        *place = at;
                    }
                }
            }
        }
        self.turns = self.turns.saturating_add(1);
        let turn = self.turns;
        chosen
            .into_iter()
            .filter_map(|at| {
                let ear = self.ears.get_mut(at)?;
                ear.turn = turn;
                Some((ear.seat, ear.sub))
            })
            .collect()
    }
}

fn address(number: u32, ask: AskId) -> String {
    let mut text = INBOX.as_bytes().to_vec();
    push_base36(&mut text, u64::from(number));
    text.push(b'.');
    push_base36(&mut text, u64::from(ask.0));
    String::from_utf8(text).unwrap_or_default()
}

fn question(text: &str) -> Option<(u32, AskId)> {
    let (number, ask) = text.split_once('.')?;
    let read = |text: &str| parse_base36(text.as_bytes()).and_then(|value| u32::try_from(value).ok());
    Some((read(number)?, AskId(read(ask)?)))
}

impl MemorySession {
    /// What a piece of post means here; its bytes are laid into `own`.
    pub(super) fn open(&mut self, post: Post) -> Output {
        let heard = match post {
            Post::Message(sub, packet) => Heard::Message(sub, self.unpack(&packet)),
            Post::Answer(ask, packet) => Heard::Answer(ask, self.unpack(&packet)),
            Post::Word(heard) => heard,
        };
        Output::Live(heard)
    }

    fn unpack(&mut self, packet: &Packet) -> Sound {
        let mut lay = |bytes: &[u8]| {
            let at = small(self.own.len());
            self.own.extend_from_slice(bytes);
            Span { at, len: small(bytes.len()) }
        };
        let (head, data) = packet.message.split_at_checked(packet.head as usize).unwrap_or_default();
        let channel = lay(packet.channel.as_bytes());
        let (reply, head, data) = (lay(packet.reply.as_bytes()), lay(head), lay(data));
        let frame = Span { at: channel.at, len: data.at.saturating_add(data.len).saturating_sub(channel.at) };
        Sound { source: Source::Own, frame, channel, reply, head, data }
    }

    /// What was taken out of the inbox has been dropped.
    pub(super) fn emptied(&mut self) {
        self.store.borrow_mut().give_room();
    }

    pub(super) fn sent_and_not_taken(&self) -> u64 {
        self.store.borrow().unconfirmed(self.seat)
    }

    fn put(&mut self, word: Heard) {
        self.store.borrow_mut().seats.put(self.seat, Parcel::Live(Post::Word(word)));
        wake_all(&self.store);
    }
}

impl Live for MemorySession {
    fn subscribe(&mut self, _now: Now, _out: &mut Outbox, sub: SubId, channel: &str, group: &str) {
        let ear = Ear { seat: self.seat, sub, channel: channel.into(), group: group.into(), turn: 0 };
        self.store.borrow_mut().ears.ears.push(ear);
        self.put(Heard::Opened(sub));
    }

    fn unsubscribe(&mut self, _now: Now, _out: &mut Outbox, sub: SubId) {
        self.store.borrow_mut().ears.ears.retain(|ear| (ear.seat, ear.sub) != (self.seat, sub));
        self.put(Heard::Over(sub));
    }

    fn encode(&self, draft: &LiveDraft<'_>, into: &mut Vec<u8>) -> Result<u32, Error> {
        head::encode_live(draft, into)
    }

    fn send(&mut self, _now: Now, _out: &mut Outbox, to: &str, ask: Option<AskId>, message: &[u8], head: u32) {
        self.store.borrow_mut().send(self.seat, to, ask, message, head);
        wake_all(&self.store);
    }

    /// What lies in inboxes is taken at the end of the turn, without being asked; only that is told.
    fn confirm(&mut self, _out: &mut Outbox) {
        if let Some(home) = self.store.borrow_mut().ears.homes.iter_mut().find(|home| home.seat == self.seat) {
            home.waits = true;
        }
    }
}

/// Names of what stands beside the application's headers, which no application can give.
pub(super) const METADATA: &str = "\u{1}";
pub(super) const FAILED: &str = "\u{2}";
pub(super) const DONE_ALL_THE_SAME: &str = "\u{3}";

/// What stands beside the application's headers.
pub fn beside(block: &[u8]) -> Beside {
    let mut beside = Beside { id: head::msg_id(block), ..Beside::default() };
    for (name, value) in head::all_headers(block) {
        match name.as_str() {
            METADATA => beside.metadata = Some(value),
            FAILED => beside.error = Some((value, false)),
            DONE_ALL_THE_SAME => beside.error = Some((value, true)),
            _ => {}
        }
    }
    beside
}
