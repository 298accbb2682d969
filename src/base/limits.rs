//! Every limit of the package with its reason. Everything that waits has one.

use super::time::Millis;

/// Bytes gathered before a write leaves at once instead of at the end of the turn; larger ones would delay the first (a 128 KiB
/// WebSocket frame costs about as much a byte as a 32 KiB one). What the turn writes behind it the socket gathers further.
pub const SEND_AT: usize = 128 * 1024;

/// Acknowledgements gathered before they leave by themselves; a send an ack is five times slower.
pub const ACKS_AT: usize = 8 * 1024;

/// The longest an acknowledgement waits for company.
pub const ACKS_WAIT: Millis = Millis(2);

/// Messages a page that never closes may keep waiting, by default (`maxPendingMessages`).
pub const PENDING_MESSAGES: u32 = 10_000;

/// Bytes of the same (`maxPendingBytes`).
pub const PENDING_BYTES: u64 = 64 * 1024 * 1024;

/// Bytes of what a broker seldom says, kept while the code for it is on its way: "nobody listens" to each of ten thousand messages.
pub const ODDS: usize = 2 * 1024 * 1024;

/// Most messages of one fetch; two full in-queues of a page.
pub const BATCH_MAX: u32 = 5000;

/// A fetch resolves early at this many bytes, so that one call cannot exhaust a page.
pub const FETCH_BYTES: u64 = 16 * 1024 * 1024;

/// Dead letters that were sent again come unasked: with so many messages in hand a consumer takes no more of them.
pub const RESENT: usize = 1000;

/// Most partitions of a station made here; more serve nobody and cost a round trip each.
pub const PARTITIONS_MAX: u32 = 64;

/// Longest line of the NATS protocol that is not a payload. The largest legitimate one is INFO of a big cluster.
pub const LINE_MAX: usize = 1024 * 1024;

/// Largest declared length that is believed: the server's hard maximum of `max_payload`.
pub const FRAME_MAX: usize = 64 * 1024 * 1024;

/// What a pull asks of the server at a time.
pub const PULL_EXPIRES: Millis = Millis(30_000);

/// How often a silent pull shows that it lives; missed twice, it is dead (jetstream.md section 4.5).
pub const PULL_HEARTBEAT: Millis = Millis(5_000);

/// What a pull may stay without any answer where a broker may say nothing at all to one for a group that is gone: so long
/// after its end, and twice as long where it has none. Less than [`FETCH_GRACE`], or the fetch's own timer is first.
pub const SILENT_PULL: Millis = Millis(450);

/// Limit of one request to a control plane: the broker may have to make many partitions first (memphis.md section 2.1).
pub const CONTROL: Millis = Millis(20_000);

/// What a fetch's own timer waits beyond the pull's time, for the answer to arrive.
pub const FETCH_GRACE: Millis = Millis(500);

/// How long an open pull of a finished fetch may wait for the next fetch before it is withdrawn.
pub const LINGER: Millis = Millis(100);

/// Limit of one question to the broker (jetstream.md section 8.1).
pub const REQUEST: Millis = Millis(5_000);

/// How long a message that is put back waits for its receipt; the default of `ackWaitMs`.
pub const RECEIPT: Millis = Millis(15_000);

/// First pause before a message that was "not stored for now" is sent again; it doubles.
pub const NOT_NOW_FIRST: Millis = Millis(100);

/// The longest such pause.
pub const NOT_NOW_MAX: Millis = Millis(3_200);

/// Silence after which a message with an id is sent again.
pub const SILENCE: Millis = Millis(2_000);

/// How long a question that nobody hears is put again: a cluster that is starting hears it by then, a server without
/// JetStream never does.
pub const NO_RESPONDERS: Millis = Millis(1_000);

/// Limit for everything that is pending when a connection or producer is closed.
pub const CLOSE_WAIT: Millis = Millis(5_000);

/// How long a probe after waking up waits for its answer.
pub const PROBE: Millis = Millis(2_000);

/// A timer this late means the page was asleep: silence meanwhile proves nothing.
pub const ASLEEP: Millis = Millis(3_000);

/// The longest pause between attempts to reconnect.
pub const BACKOFF_MAX: Millis = Millis(30_000);

/// A link that lived this long starts counting attempts anew.
pub const STABLE: Millis = Millis(5_000);

/// What `credentials()` may take a call.
pub const CREDENTIALS: Millis = Millis(30_000);

/// A group without a name disappears from the broker this long after its page is gone.
pub const NAMELESS_GROUP: Millis = Millis(300_000);

/// How much longer than a round trip a server with `tls:` may be silent before it is taken for one that expects TLS
/// first; one that decides by what comes (`handshake_first: auto`) speaks after 50 ms.
pub const TLS_FIRST: Millis = Millis(120);

/// How long what is on its way may still be answered by a server that is about to go, once another one is there. Its
/// grace period is 10 s by default.
pub const REST: Millis = Millis(2_000);

/// How long two links listen side by side, once the next server has confirmed it: the other servers of its cluster learn of
/// the new subscriptions meanwhile, over whatever lies between them.
pub const OVERLAP: Millis = Millis(500);

/// What the next link may bring meanwhile, in bytes, before the move is made at once.
pub const OVERLAP_BYTES: usize = 16 * 1024 * 1024;

/// How long one of two links may be behind the other.
pub const LATE_ECHO: Millis = Millis(250);

/// Bytes published live between two questions whether the server has read them (semantics.md section 8).
pub const CONFIRM_AT: u64 = 256 * 1024;

/// What was published live last is confirmed too, this long afterwards.
pub const CONFIRM_AFTER: Millis = Millis(1_000);

/// Unconfirmed bytes from which on `publish` resolves only when half of them are confirmed: whoever awaits it never gets
/// `queue_full`, and four questions under way keep a socket busy.
pub const LIVE_ROOM: u64 = 1024 * 1024;

/// Bytes of live messages that are laid down before they are taken, each with eight bytes beside its payload: some hundreds
/// of small ones share a crossing, and all of them a processor's cache.
pub const TRAY: usize = 64 * 1024;

/// Messages a subscription holds for the application unless told otherwise. One chunk of a socket may bring five thousand
/// small ones, and nobody can take any of them before all have been read.
pub const LIVE_HELD: u32 = 16_384;

/// Bytes it holds at most.
pub const LIVE_HELD_BYTES: u64 = 64 * 1024 * 1024;

/// How long an answer is waited for unless told otherwise.
pub const ANSWER: Millis = Millis(5_000);

/// Entries kept for a slow reader of `status()` and `tap()`.
pub const FEED_ENTRIES: u32 = 1000;

/// What is kept for `tap()` before the code that reads it has been loaded; after that, entries count.
pub const TAP_BYTES: usize = 16 * 1024 * 1024;

/// Ids listed in one `produce_failed`.
pub const FAILED_IDS: usize = 100;

/// Buffers of finished messages larger than this are given back to the allocator.
pub const KEEP_BUFFER: usize = 1024;

/// What one memory broker stores at most.
pub const MEMORY_BYTES: u64 = 256 * 1024 * 1024;

/// Ends of turns a send may wait for what the application does with the rows before it; a fetch from what is held takes two.
pub const TURNS_HELD: u8 = 6;

/// How long a broker may take to answer one question in several messages (a page of stored ones). Longer than [`REQUEST`]: a
/// page may have to come through a slow line.
pub const MANY: Millis = Millis(15_000);

/// Stored messages that are read in one go; the application may stop at any of them, so not too many.
pub const PAGE_MESSAGES: u32 = 256;

/// Bytes of such a page; the broker stops at the message that reaches it.
pub const PAGE_BYTES: u64 = 512 * 1024;

/// What a page may have at most, whatever the broker was asked for: its limit, and the largest message beyond it.
pub const PAGE_MAX: usize = 80 * 1024 * 1024;

/// How long the question where a group stands waits for acks that are on their way; it is asked then all the same.
pub const QUEUED: Millis = Millis(2_000);

/// What loading a schema's engine may take before a producer or consumer does without.
pub const ENGINE: Millis = Millis(10_000);

/// How long a producer that could not have its schema waits before it is asked for again.
pub const BIND_AGAIN: Millis = Millis(5_000);

/// How long it waits that was to read a schema again, and got no answer.
pub const LOOK_AGAIN: Millis = Millis(1_000);

/// News of the registry may come before what they tell is stored: first and last pause before it is looked for again.
pub const NEWS_FIRST: Millis = Millis(25);
/// Seven pauses, which make three seconds; after them what is stored is what counts.
pub const NEWS_LAST: Millis = Millis(1_600);

/// Bytes of the text given to `deadLetter()` that are kept: a stack trace, and room for headers beside it.
pub const REASON_MAX: usize = 4000;

/// Messages whose death is being recorded at a time. One more is left alone: its ack time brings it back.
pub const DYING_MESSAGES: u32 = 1000;

/// Bytes of the same.
pub const DYING_BYTES: u64 = 16 * 1024 * 1024;

/// How often it is looked for deaths that the broker itself has told of, at most and at least.
pub const TOLD_FIRST: Millis = Millis(500);
/// Less often than that nobody waits for a dead letter.
pub const TOLD_LAST: Millis = Millis(15_000);

/// Deaths told by the broker that are recorded side by side; after as many that cannot be, the others are left for another time.
pub const TOLD: usize = 16;

/// How long the broker waits until it tells somebody else of a death.
pub const TOLD_AGAIN: Millis = Millis(30_000);

/// How long dead letters are kept, in seconds (jetstream.md section 5.2).
pub const DEAD_SECONDS: u64 = 604_800;

/// How long the copy of a dead message is known by its id. A client that dies between the copy and its confirmation leaves
/// the message to the next one, at most an ack time later; a group that is made anew may give up on it again.
pub const DEAD_WINDOW: Millis = Millis(3_600_000);
