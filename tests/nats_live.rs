//! Live messages on the wire of NATS: what is written, what is heard, and what any cut of the bytes changes: nothing.

use proptest::prelude::*;
use stationmaster::base::error::Kind;
use stationmaster::base::time::{Millis, Now, Time, Wall};
use stationmaster::base::value::JsonReader;
use stationmaster::brokers::nats::session::NatsSession;
use stationmaster::client::context::Context;
use stationmaster::client::live::{Live, Moment, Sent};
use stationmaster::client::turn::{OpId, Turn};
use stationmaster::link::live::{AskId, Heard, LiveDraft, Sound, SubId};
use stationmaster::link::outbox::Outbox;
use stationmaster::link::session::{Encryption, Input, Login, Output, Session, Source, Span};

const INFO: &str = "INFO {\"server_id\":\"x\",\"version\":\"2.15.1\",\"headers\":true,\"max_payload\":100000} \r\n";

#[test]
fn subscriptions_are_said_and_known() {
    let mut talk = Talk::up();
    talk.subscribe(0, "orders.*", "");
    talk.subscribe(1, "orders.>", "workers");
    assert_eq!(talk.written(), "SUB orders.* 2\r\nPING\r\nSUB orders.> workers 4\r\nPING\r\n");
    assert_eq!(talk.says("PONG\r\nPONG\r\n"), ["opened 0", "opened 1"]);
    let heard = talk.says("MSG orders.a 2 5\r\nhello\r\nHMSG orders.a 4 back.1 12 14\r\nNATS/1.0\r\n\r\nhi\r\n");
    assert_eq!(heard, ["0: orders.a  \"\" hello", "1: orders.a back.1 \"NATS/1.0\\r\\n\\r\\n\" hi"]);
    talk.unsubscribe(0);
    assert_eq!(talk.written(), "UNSUB 2\r\nPING\r\n");
    assert_eq!(talk.says("MSG orders.b 2 1\r\nx\r\nPONG\r\n"), ["0: orders.b  \"\" x", "over 0"]);
}

#[test]
fn a_new_link_hears_of_every_subscription_before_anything_is_published() {
    let mut talk = Talk::up();
    talk.subscribe(0, "a", "");
    talk.subscribe(1, "b", "g");
    talk.unsubscribe(0);
    talk.says("PONG\r\nPONG\r\n");
    talk.written();
    talk.session.handle(talk.now, Input::Closed, &mut talk.out);
    assert_eq!(talk.told(), ["over 0"], "what was waited for does not come any more");
    talk.subscribe(2, "c", "");
    assert_eq!(talk.written(), "", "while the link is down it is remembered");
    talk.open();
    assert!(talk.written().ends_with("PING\r\nSUB b g 4\r\nPING\r\nSUB c 6\r\nPING\r\n"));
    assert_eq!(talk.says("PONG\r\nPONG\r\n"), ["opened 1", "opened 2"]);
}

#[test]
fn a_refused_subscription_ends_alone() {
    let mut talk = Talk::up();
    talk.subscribe(0, "secret.a", "");
    talk.subscribe(1, "open.a", "");
    talk.subscribe(2, "secret.b", "g");
    let said = "-ERR 'Permissions Violation for Subscription to \"secret.a\"'\r\n\
                -ERR 'Permissions Violation for Subscription to \"secret.b\" using queue \"g\"'\r\nPONG\r\nPONG\r\nPONG\r\n";
    let heard = talk.says(said);
    assert_eq!(heard[..2], ["refused 0 permission_denied", "refused 2 permission_denied"]);
    assert!(heard.contains(&"opened 1".into()));
    let mut talk = Talk::up();
    talk.subscribe(7, "a", "");
    assert_eq!(talk.says("-ERR 'maximum subscriptions exceeded'\r\n"), ["refused 7 rejected"]);
}

#[test]
fn what_is_published_is_confirmed_by_round_trips() {
    let mut talk = Talk::up();
    talk.send("a.b", None, &LiveDraft { data: b"hello", ..LiveDraft::default() });
    assert_eq!(talk.written(), "PUB a.b 5\r\nhello\r\n");
    assert_eq!(talk.session.unconfirmed(), 24);
    let large = vec![b'x'; 90_000];
    for _ in 0..3 {
        talk.send("a", None, &LiveDraft { data: &large, ..LiveDraft::default() });
    }
    assert!(talk.written().ends_with("xx\r\nPING\r\n"), "after a quarter of a mebibyte");
    talk.send("a", None, &LiveDraft { data: b"last", ..LiveDraft::default() });
    talk.written();
    // A probe's answer confirms nothing, and neither answer is taken for the other.
    talk.session.probe(talk.now, &mut talk.out);
    assert_eq!(talk.says("PONG\r\n"), ["confirmed"]);
    assert_eq!(talk.session.unconfirmed(), 21);
    assert_eq!(talk.says("PONG\r\n"), ["alive"]);
    assert_eq!(talk.session.unconfirmed(), 21);
    talk.written();
    // What came last is confirmed a second later.
    talk.now.mono = talk.now.mono + Millis(1000);
    assert!(talk.session.deadline().is_some_and(|at| at <= talk.now.mono));
    talk.session.handle(talk.now, Input::Tick, &mut talk.out);
    assert_eq!(talk.written(), "PING\r\n");
    assert_eq!(talk.session.deadline(), None);
    assert_eq!(talk.says("PONG\r\n"), ["confirmed"]);
    assert_eq!(talk.session.unconfirmed(), 0);
}

#[test]
fn what_is_laid_down_is_written_as_if_it_had_been_published() {
    let mut talk = Talk::up();
    let mut live = Live::new(10, 64 << 20);
    let (a, b) = (live.channel("a.b").unwrap(), live.channel("c").unwrap());
    live.tray.bytes();
    assert!(!live.tray.is_open());
    talk.publish(&mut live, a, b"first");
    assert!(live.tray.is_open());
    assert_eq!(lay(&mut live, &[(a, b"hello"), (b, b""), (b, b"x\r\ny"), (99, b"no such channel")]), 0);
    talk.interrupt(&mut live, true);
    assert_eq!(talk.written(), "PUB a.b 5\r\nfirst\r\nPUB a.b 5\r\nhello\r\nPUB c 0\r\n\r\nPUB c 4\r\nx\r\ny\r\n");
    assert_eq!(live.sent, (4, 14));
    assert!(!live.tray.is_open(), "until something is published again");
    talk.interrupt(&mut live, true);
    // A link that is lost takes along what was meant for it.
    talk.publish(&mut live, a, b"next");
    lay(&mut live, &[(a, b"lost")]);
    talk.interrupt(&mut live, false);
    assert_eq!(talk.written(), "PUB a.b 4\r\nnext\r\n");
}

#[test]
fn nothing_may_be_laid_down_where_it_could_be_refused() {
    let mut talk = Talk::up();
    // Too little room for a tray full of the shortest messages.
    let mut live = Live::new(10, 500_000);
    let a = live.channel("a").unwrap();
    live.tray.bytes();
    talk.publish(&mut live, a, b"x");
    assert!(!live.tray.is_open());
    // Who publishes more than is confirmed is told to wait.
    let mut live = Live::new(10, 64 << 20);
    let a = live.channel("a").unwrap();
    live.tray.bytes();
    let large = vec![b'x'; 99_000];
    for _ in 0..10 {
        assert_eq!(talk.publish(&mut live, a, &large), Sent::Written);
    }
    assert_eq!(lay(&mut live, &[(a, b"fits")]), 0);
    assert_eq!(talk.publish(&mut live, a, &large), Sent::Full);
    assert_eq!(lay(&mut live, &[(a, b"fits, but better wait")]), 1);
    // The server takes less than a tray holds.
    let mut talk = Talk::saying(&INFO.replace("100000", "60000"));
    let mut live = Live::new(10, 64 << 20);
    let a = live.channel("a").unwrap();
    live.tray.bytes();
    talk.publish(&mut live, a, b"x");
    assert!(!live.tray.is_open());
}

#[test]
fn questions_and_their_answers() {
    let mut talk = Talk::up();
    talk.send("ask", Some(AskId(36)), &LiveDraft { data: b"?", ..LiveDraft::default() });
    assert!(talk.written().starts_with("PUB ask _INBOX."), "an answer is wanted");
    assert_eq!(talk.session.unconfirmed(), 0, "the answer confirms it");
    let inbox = talk.inbox();
    assert_eq!(talk.says(&format!("MSG {inbox}.Q10 1 3\r\nyes\r\n")), [format!("answer 36: {inbox}.Q10  \"\" yes")]);
    assert_eq!(talk.says(&format!("HMSG {inbox}.Q10 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n")), ["nobody 36"]);
    assert_eq!(talk.says(&format!("MSG {inbox}.Q 1 0\r\n\r\nMSG {inbox}.Q-1 1 0\r\n\r\n")), [""; 0]);
    assert_eq!(talk.says("-ERR 'Permissions Violation for Publish to \"ask\"'\r\n"), ["denied ask permission_denied"]);
}

proptest! {
    #[test]
    fn whatever_lies_on_the_tray_is_read_with_checks(laid in prop::collection::vec(any::<u8>(), 0..300), end in any::<u32>()) {
        let mut talk = Talk::up();
        let mut live = Live::new(10, 64 << 20);
        let a = live.channel("a").unwrap();
        live.tray.bytes();
        talk.publish(&mut live, a, b"x");
        let bytes = live.tray.bytes();
        bytes[16..16 + laid.len()].copy_from_slice(&laid);
        bytes[..4].copy_from_slice(&end.to_le_bytes());
        talk.interrupt(&mut live, true);
        prop_assert!(!live.tray.is_open());
    }

    #[test]
    fn any_cut_of_the_bytes_brings_the_same(
        messages in proptest::collection::vec(("[a-z]{1,8}", 0u32..3, "[ -~\r\n]{0,40}", any::<bool>(), any::<bool>()), 1..12),
        step in 1usize..60,
    ) {
        let inbox = Talk::up().inbox();
        let mut stream = String::new();
        for (name, sub, data, reply, answer) in messages {
            let (subject, sid) = if answer { (format!("{inbox}.Q{sub}"), 1) } else { (name, sub * 2 + 2) };
            let reply = if reply { "back.x " } else { "" };
            stream += &format!("MSG {subject} {sid} {reply}{}\r\n{data}\r\nPING\r\n", data.len());
        }
        let run = |step: usize| {
            let mut talk = Talk::up();
            talk.subscribe(0, "used", "");
            let mut heard = Vec::new();
            for chunk in stream.as_bytes().chunks(step) {
                heard.extend(talk.gets(chunk));
            }
            heard
        };
        prop_assert_eq!(run(step), run(stream.len().max(1)));
    }
}

// ---- the stage --------------------------------------------------------------------------------------------------

struct Talk {
    session: NatsSession,
    out: Outbox,
    now: Now,
    chunk: Vec<u8>,
}

/// Lay messages down as the shell does; what it is told of waiting comes back.
fn lay(live: &mut Live, messages: &[(u32, &[u8])]) -> u32 {
    let bytes = live.tray.bytes();
    let number = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    for (channel, data) in messages {
        let at = number(bytes, 0) as usize;
        let end = at + 8 + data.len();
        assert!(end <= number(bytes, 4) as usize, "there is room");
        bytes[at..at + 4].copy_from_slice(&channel.to_le_bytes());
        bytes[at + 4..at + 8].copy_from_slice(&(data.len() as u32).to_le_bytes());
        bytes[at + 8..end].copy_from_slice(data);
        bytes[..4].copy_from_slice(&(end as u32).to_le_bytes());
    }
    number(bytes, 8)
}

impl Talk {
    fn up() -> Talk {
        Talk::saying(INFO)
    }

    fn saying(info: &str) -> Talk {
        let mut talk = Talk {
            session: NatsSession::new(JsonReader(|bytes| serde_json::from_slice(bytes).ok()), "$JS.API"),
            out: Outbox::default(),
            now: Now { mono: Time(50_000), wall: Wall(1_795_243_580_000_000_000) },
            chunk: Vec::new(),
        };
        talk.open();
        talk.says(info);
        talk.written();
        talk
    }

    /// As a driver does it: what was laid down comes first.
    fn publish(&mut self, live: &mut Live, channel: u32, data: &[u8]) -> Sent {
        self.interrupt(live, true);
        self.with(|ctx| {
            live.publish(ctx, (0, 0), channel, &LiveDraft { data, ..LiveDraft::default() }, OpId(0)).unwrap()
        })
    }

    fn interrupt(&mut self, live: &mut Live, up: bool) {
        self.with(|ctx| {
            ctx.up = up;
            if live.tray.is_open() {
                live.handle(ctx, Moment::Interrupted);
            }
        });
    }

    fn with<T>(&mut self, work: impl FnOnce(&mut Context<'_>) -> T) -> T {
        let mut turn = Turn::default();
        work(&mut Context {
            now: self.now,
            up: true,
            linked: true,
            session: &mut self.session,
            out: &mut self.out,
            beside: 0,
            turn: &mut turn,
        })
    }

    fn open(&mut self) {
        let input = Input::Opened {
            login: &Login::default(),
            encryption: Encryption::Settled,
            took: Millis(1),
            random: [7; 8],
        };
        self.session.handle(self.now, input, &mut self.out);
        self.says(&format!("{INFO}PONG\r\n"));
    }

    fn inbox(&self) -> String {
        format!("_INBOX.{}", stationmaster::base::id::random_id([7; 8]))
    }

    fn subscribe(&mut self, sub: u32, channel: &str, group: &str) {
        self.session.live().subscribe(self.now, &mut self.out, SubId(sub), channel, group);
    }

    fn unsubscribe(&mut self, sub: u32) {
        self.session.live().unsubscribe(self.now, &mut self.out, SubId(sub));
    }

    fn send(&mut self, to: &str, ask: Option<AskId>, draft: &LiveDraft<'_>) {
        let mut message = Vec::new();
        let head = self.session.live().encode(draft, &mut message).unwrap();
        self.session.live().send(self.now, &mut self.out, to, ask, &message, head);
    }

    fn written(&mut self) -> String {
        String::from_utf8(self.out.take(Vec::new())).unwrap()
    }

    fn says(&mut self, text: &str) -> Vec<String> {
        self.gets(text.as_bytes())
    }

    fn gets(&mut self, bytes: &[u8]) -> Vec<String> {
        self.chunk = bytes.to_vec();
        self.session.handle(self.now, Input::Chunk(bytes), &mut self.out);
        self.told()
    }

    /// What the session says of live messages, in words.
    fn told(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        while let Some(output) = self.session.poll() {
            let heard = match output {
                Output::Live(heard) => heard,
                Output::Alive => {
                    told.push("alive".into());
                    continue;
                }
                _ => continue,
            };
            let kind = |kind: Kind| kind.code();
            told.push(match heard {
                Heard::Opened(sub) => format!("opened {}", sub.0),
                Heard::Over(sub) => format!("over {}", sub.0),
                Heard::Refused(sub, error) => format!("refused {} {}", sub.0, kind(error.kind)),
                Heard::Nobody(ask) => format!("nobody {}", ask.0),
                Heard::Denied(channel, error) => format!("denied {channel} {}", kind(error.kind)),
                Heard::Confirmed => "confirmed".into(),
                Heard::Message(sub, sound) => format!("{}: {}", sub.0, self.words(&sound)),
                Heard::Answer(ask, sound) => format!("answer {}: {}", ask.0, self.words(&sound)),
            });
        }
        told
    }

    fn words(&self, sound: &Sound) -> String {
        let bytes = if sound.source == Source::Chunk { &self.chunk[..] } else { self.session.own() };
        let text = |span: Span| String::from_utf8_lossy(&bytes[span.at as usize..][..span.len as usize]).into_owned();
        format!("{} {} {:?} {}", text(sound.channel), text(sound.reply), text(sound.head), text(sound.data))
    }
}
