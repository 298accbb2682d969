//! What a broker's session looks like to everything above it.
//!
//! A session is a state machine without I/O: bytes and calls go in, bytes go to the [`Outbox`], everything else comes
//! out of [`Session::poll`]. It knows routes (one partition of a station to which messages go) and feeds (one
//! partition of a consumer group from which they come), not producers and consumers.

use super::live::{Heard, Live};
use super::outbox::Outbox;
use super::tap::Piece;
use crate::base::error::Error;
use crate::base::secret::Secret;
use crate::base::time::{Millis, Now, Time, Wall};
use std::any::Any;

/// A route: one partition that messages are sent to. Small numbers, reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteId(pub u32);

/// A feed: one partition of a group that messages come from. Small numbers, reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeedId(pub u32);

/// A place in the table of pending receipts while a message is on its way. Small numbers, reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

/// A question to the broker that waits for its answer. Never reused within a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaitId(pub u32);

/// Where the broker keeps one partition of a station.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The station.
    pub station: String,
    /// The partition's number, from 1.
    pub partition: u32,
    /// What the broker stores it under (NATS: the stream).
    pub store: String,
    /// What messages are sent to (NATS: the subject).
    pub address: String,
}

/// A group at one partition, as one consumer reads it.
#[derive(Clone, Debug)]
pub struct FeedSpec {
    /// The partition.
    pub place: Place,
    /// The group.
    pub group: String,
    /// Delivered means done.
    pub auto_ack: bool,
    /// How long a delivery may stay without ack.
    pub ack_time: Millis,
}

/// A message before it is encoded.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// Who sends it, for brokers that keep that with the message.
    pub producer: &'a str,
    /// Application headers.
    pub headers: &'a [(&'a str, &'a str)],
    /// The id that makes it idempotent.
    pub msg_id: Option<&'a str>,
    /// The payload.
    pub data: &'a [u8],
    /// When it appears and when it goes.
    pub times: Times,
}

/// When a message appears and when it goes, beside the station's own rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// It vanishes after this time.
    pub expires: Option<Millis>,
    /// It stays hidden until then.
    pub later: Option<Later>,
}

/// A message that stays hidden for some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Later {
    /// How long.
    pub span: Millis,
    /// Until when, on our own clock.
    pub at: Wall,
    /// A number that no other such message has.
    pub id: u64,
}

/// [`Times::needs`]: messages that vanish.
pub const NEEDS_EXPIRY: u8 = 1;
/// [`Times::needs`]: messages that stay hidden.
pub const NEEDS_DELAY: u8 = 2;

impl Times {
    /// What a station has to be ready for before it takes such a message.
    pub fn needs(&self) -> u8 {
        let need = |given: bool, need: u8| if given { need } else { 0 };
        need(self.expires.is_some(), NEEDS_EXPIRY) | need(self.later.is_some(), NEEDS_DELAY)
    }
}

/// What a consumer asks of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// At most so many messages.
    pub messages: u32,
    /// At most so many bytes; 0 means no limit.
    pub bytes: u64,
    /// How long the broker may wait for them.
    pub wait: Wait,
}

/// How long an ask stays open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Only what is there now.
    No,
    /// Until this span is over.
    For(Millis),
    /// Until served; the session renews it as long as the feed is asked.
    Standing,
}

/// What the application says about a delivered message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done.
    Ack,
    /// Again, at once.
    Nack,
    /// Again, not before this span is over.
    Delay(Millis),
    /// Never again, and why.
    Bury(String),
    /// More time; `Some` where the span differs from the group's ack time and the broker can honour it.
    Extend(Option<Millis>),
}

/// A question to the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Where it goes (NATS: the subject).
    pub to: String,
    /// The header block, in the broker's own form, then the body.
    pub body: Vec<u8>,
    /// The header block's length; 0 if there is none.
    pub head: u32,
    /// The answer comes in several messages; they are one [`Reply`], in a form that the broker's own operations read.
    pub many: bool,
}

/// The broker's answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// A status number of the protocol, 0 for an ordinary answer.
    pub status: u32,
    /// The header block as it came; empty if there is none.
    pub head: Vec<u8>,
    /// The body.
    pub body: Vec<u8>,
}

/// Who we are, for one dial.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// User.
    pub username: Option<String>,
    /// Password.
    pub password: Option<String>,
    /// Token instead of user and password.
    pub token: Option<String>,
    /// Name shown by the broker's tools.
    pub name: Option<String>,
    /// memphis: the tenant; 0 for none.
    pub account: u32,
    /// nats: what the user's account says of him, signed.
    pub jwt: Option<String>,
    /// nats: the private half of the user's key.
    pub seed: Option<Secret>,
    /// nats: the text of a `.creds` file, until it has been split into the two.
    pub creds: Option<Secret>,
}

impl Login {
    /// There is more to it than words that are sent as they are: it has to be made ready before the dial.
    pub fn has_key(&self) -> bool {
        self.jwt.is_some() || self.seed.is_some() || self.creds.is_some()
    }
}

/// Who encrypts a link, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Nobody, or the socket itself: nothing is left to do.
    Settled,
    /// The session asks for it where the broker wants it (`tcp:`).
    OnDemand,
    /// Nothing of ours may leave before it (`tls:`).
    Required,
}

/// What happens to a session.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A socket is open; the greeting begins. The random bytes make reply subjects that no other link has.
    Opened {
        /// Credentials of this dial.
        login: &'a Login,
        /// Who encrypts the link.
        encryption: Encryption,
        /// How long the dial took: a round trip at least.
        took: Millis,
        /// Fresh random bytes.
        random: [u8; 8],
    },
    /// What [`Output::Encrypt`] asked for is done: everything from here on is encrypted.
    Encrypted,
    /// Bytes from the broker, cut anywhere.
    Chunk(&'a [u8]),
    /// The socket is gone.
    Closed,
    /// Time has passed.
    Tick,
}

/// Where the bytes of an arrival lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the chunk that was handled last.
    Chunk,
    /// In [`Session::own`].
    Own,
}

/// A range of bytes: offset and length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Where it begins.
    pub at: u32,
    /// How long it is.
    pub len: u32,
}

/// A delivered message, as positions in the bytes it came with. Invariant: `head`, `data` and `token` lie inside `frame`.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Which feed it belongs to.
    pub feed: FeedId,
    /// Where the ranges point to.
    pub source: Source,
    /// All of its bytes.
    pub frame: Span,
    /// The header block, in the broker's own form.
    pub head: Span,
    /// The payload.
    pub data: Span,
    /// What an ack has to give back; opaque above the broker.
    pub token: Span,
    /// Its sequence in the partition.
    pub sequence: u64,
    /// When the broker stored it.
    pub stamp: Wall,
    /// 1 on the first delivery.
    pub deliveries: u32,
}

/// Something has changed in the registry of schemas, or will have in a moment: what is stored has to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A schema has another version.
    Schema {
        /// Its name.
        name: String,
        /// The version; 0 if it was removed.
        version: u64,
    },
    /// Another schema is enforced on a station.
    Station {
        /// The station's name.
        name: String,
        /// The schema's; empty for none.
        schema: String,
    },
}

impl News {
    /// Of the same schema, or the same station.
    pub fn is_about_the_same(&self, other: &News) -> bool {
        match (self, other) {
            (News::Schema { name, .. }, News::Schema { name: other, .. })
            | (News::Station { name, .. }, News::Station { name: other, .. }) => name == other,
            _ => false,
        }
    }
}

/// What a session has to say.
#[derive(Debug)]
pub enum Output {
    /// Logged in: everything may go out now.
    Up,
    /// Encrypt the socket now; [`Input::Encrypted`] follows.
    Encrypt,
    /// The broker waits for us to begin: dial again, and encrypt before the first byte.
    EncryptFirst,
    /// The broker ended the link over something that we can say otherwise: dial again, within the same time limit.
    DialAgain,
    /// This link is over; `error.retryable` says whether dialing again may help.
    Broken(Error),
    /// An answer to [`Session::probe`].
    Alive,
    /// An answer to [`Session::rest`], or to [`Session::join`].
    Rested,
    /// A receipt.
    Stored {
        /// Whose.
        slot: Slot,
        /// The sequence in the partition; 0 where the broker tells none.
        sequence: u64,
        /// It was stored before, under the same id.
        duplicate: bool,
    },
    /// Not stored for now: the same bytes may be sent again.
    NotNow(Slot),
    /// Not stored, for good.
    Refused(Slot, Error),
    /// The route is of no use any more; nothing that is on its way there was stored.
    RouteLost(RouteId, Error),
    /// A message.
    Arrived(Arrival),
    /// The feed has been asked for less than before; there may be room for more.
    Room(FeedId),
    /// An ask with [`Wait::For`] or [`Wait::No`] has ended.
    AskOver(FeedId),
    /// The feed will bring nothing any more.
    FeedLost(FeedId, Error),
    /// An answer to [`Session::request`] or to a confirmed settle.
    Replied(WaitId, Result<Reply, Error>),
    /// Something was refused that nobody waits for: an acknowledgement, for one.
    Remark(Error),
    /// Something about live messages.
    Live(Heard),
    /// Something unusual, which [`Session::odd`] goes on with when the code for it is there.
    Odd,
    /// Other addresses of the same broker, as `host:port`.
    Servers(Vec<String>),
    /// This server is about to go: move to another one.
    Leaving,
    /// The registry of schemas has changed.
    Registry(News),
}

/// What a broker says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerFacts {
    /// The product's name.
    pub product: &'static str,
    /// Its version.
    pub version: Option<String>,
    /// The server's own name.
    pub host: Option<String>,
    /// Largest message it takes, with its headers, in bytes.
    pub max_payload: Option<u64>,
    /// How new its API is, where that decides what it can do (NATS: the JetStream API level); 0 is the oldest.
    pub level: u32,
}

/// One broker's protocol on one connection.
pub trait Session {
    /// Take an input. Call [`Session::poll`] until it is empty afterwards, before the next input.
    fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Outbox);
    /// The next thing it has to say.
    fn poll(&mut self) -> Option<Output>;
    /// Whether [`Session::poll`] has something to say.
    fn has_output(&self) -> bool;
    /// When it wants a [`Input::Tick`]; one also comes at the end of every turn.
    fn deadline(&self) -> Option<Time>;
    /// The bytes that arrivals with [`Source::Own`] point to; good until the next call.
    fn own(&self) -> &[u8];
    /// What the broker said about itself: product, version, its own name, largest message.
    fn server(&self) -> ServerFacts;
    /// Ask for a sign of life.
    fn probe(&mut self, now: Now, out: &mut Outbox);

    /// A session that logs in on another link beside this one, to be moved to; `None` where there is nothing to move.
    fn scout(&self) -> Option<Box<dyn Session>> {
        None
    }
    /// What has been asked for and has not come, for a scout to [`Session::join`]; `None` where nothing has.
    fn share(&mut self) -> Option<Box<dyn Any>> {
        None
    }
    /// A scout listens to what is shared and keeps what comes of it: [`Output::Rested`] tells that everything that the
    /// broker sends from now on comes to this link too.
    fn join(&mut self, _shared: Box<dyn Any>, _out: &mut Outbox) {}
    /// Let [`Output::Rested`] tell that whatever the broker sent before has come.
    fn rest(&mut self, _out: &mut Outbox) {}
    /// There will be no move: nothing is shared any more.
    fn stay(&mut self) {}
    /// The link that a scout has logged in on.
    fn give_link(&mut self) -> Option<Box<dyn Any>> {
        None
    }
    /// Go on with a scout's link: [`Output::Up`] follows.
    fn take_link(&mut self, _now: Now, _link: Box<dyn Any>, _out: &mut Outbox) {}

    /// Begin to send to a partition.
    fn open_route(&mut self, place: &Place) -> RouteId;
    /// End it.
    fn close_route(&mut self, route: RouteId);
    /// Append the message to `into`, as it is kept while it waits: head, then payload. Returns the head's length.
    /// Checks what the protocol limits: header names and values, sizes.
    fn encode(&self, draft: &Draft<'_>, into: &mut Vec<u8>) -> Result<u32, Error>;
    /// The value of an application's header in a header block, if it is there.
    fn header<'a>(&self, head: &'a [u8], name: &str) -> Option<&'a [u8]>;
    /// Write an encoded message, with a receipt wanted under `slot`.
    fn publish(&mut self, now: Now, out: &mut Outbox, route: RouteId, slot: Slot, message: &[u8], head: u32);
    /// The slot's receipt is no longer wanted; one that comes late must not be taken for the slot's next message.
    fn forget(&mut self, slot: Slot);

    /// Begin to read a group's partition. The reading begins with the first ask.
    fn open_feed(&mut self, now: Now, out: &mut Outbox, spec: &FeedSpec) -> FeedId;
    /// End it.
    fn close_feed(&mut self, now: Now, out: &mut Outbox, feed: FeedId);
    /// Ask for messages, in addition to what has been asked for already.
    fn ask(&mut self, now: Now, out: &mut Outbox, feed: FeedId, ask: Ask);
    /// How many messages have been asked for and not come.
    fn asked(&self, feed: FeedId) -> u32;
    /// Take back every ask of the feed. What is already on its way still arrives.
    fn withdraw(&mut self, now: Now, out: &mut Outbox, feed: FeedId);
    /// Say what becomes of a delivered message. With `confirm` an [`Output::Replied`] tells that it is recorded.
    fn settle(
        &mut self,
        now: Now,
        out: &mut Outbox,
        feed: FeedId,
        token: &[u8],
        verdict: &Verdict,
        confirm: Option<WaitId>,
    );

    /// Begin without the code for what is unusual, and without what was put off: from now on it is, and [`Output::Odd`] says so, until
    /// [`Session::odd`] was called.
    fn begin_plain(&mut self) {}
    /// The code for what is unusual is there: go on with what was put off.
    fn odd(&mut self, _now: Now, _out: &mut Outbox) {}

    /// From now on, on every link, say what changes in the registry of schemas.
    fn watch_registry(&mut self, _out: &mut Outbox) {}
    /// The beginning of a frame whose end has not come.
    fn held(&self) -> &[u8] {
        &[]
    }
    /// Begin or end to keep calls for [`Session::tapped`]. A broker with a wire has nothing to do: its bytes are seen.
    fn tap(&mut self, _on: bool) {}
    /// What was kept since the last time.
    fn tapped(&mut self) -> Vec<Piece> {
        Vec::new()
    }

    /// Its part that carries live messages.
    fn live(&mut self) -> &mut dyn Live;
    /// Bytes of live messages that no round trip has confirmed.
    fn unconfirmed(&self) -> u64;

    /// Put a question.
    fn request(&mut self, now: Now, out: &mut Outbox, wait: WaitId, request: &Request);
}

/// For fuzz targets: hand in bytes, in chunks whose length the first one says. Every arrival lies inside the bytes it came with.
pub fn hand_in(session: &mut dyn Session, now: Now, out: &mut Outbox, bytes: &[u8]) {
    let step = bytes.first().map_or(1, |byte| usize::from(*byte).saturating_add(1));
    for chunk in bytes.chunks(step) {
        session.handle(now, Input::Chunk(chunk), out);
        while let Some(output) = session.poll() {
            if let Output::Arrived(arrival) = output {
                let home = if arrival.source == Source::Chunk { chunk } else { session.own() };
                for span in [arrival.frame, arrival.head, arrival.data, arrival.token] {
                    assert!((span.at as usize).saturating_add(span.len as usize) <= home.len());
                }
            }
        }
    }
}
