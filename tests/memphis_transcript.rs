//! Recorded conversations with Memphis 1.4.4 (`tests/vectors/memphis`), replayed through one session: what the recording's client
//! wrote must be written here byte for byte, and what the broker said must come out as it was meant, wherever the bytes are cut.
//!
//! Only the names that a client gives itself differ: reply subjects and subscription numbers. They are translated on the way.

use serde_json::Value as Json;
use stationmaster::base::time::{Millis, Now, Time, Wall};
use stationmaster::base::value::JsonReader;
use stationmaster::brokers::memphis::session::MemphisSession;
use stationmaster::brokers::memphis::shared::Shared;
use stationmaster::link::outbox::Outbox;
use stationmaster::link::session::{
    Ask, Draft, Encryption, FeedId, FeedSpec, Input, Login, Output, Place, Request, RouteId, Session, Slot, Source,
    Span, Verdict, Wait, WaitId,
};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The connection id of the recording's client.
const CONNECTION: &str = "6f0d2a0e-5d0e-4a5b-9d0f-0a6a4f1f7c11";
/// The inbox of our links, and its subscription.
const INBOX_SID: &str = "1";
/// What gets no answer.
const TOLD: &[&str] =
    &["$memphis_schemaverse_dls", "$memphis_nacked_dls", "$memphis_pm_acks", "$memphis_notifications"];
/// Sections whose conversations a client of ours could have, with what of them is at least compared.
const SECTIONS: &[(&str, usize)] = &[
    ("transcript", 10),
    ("station", 62),
    ("station errors", 34),
    ("producer", 20),
    ("producer errors", 10),
    ("consumer", 133),
    ("consumer errors", 19),
    ("last messages", 26),
    ("schema", 38),
    ("schema errors", 22),
    ("updates", 11),
    ("produce", 56),
    ("pull", 40),
    ("ack", 33),
    ("dead letters", 43),
];

#[test]
fn every_conversation_byte_for_byte() {
    for (section, least) in SECTIONS {
        let played = play(section, Cut::Whole);
        assert!(played.compared >= *least, "{section}: only {} compared", played.compared);
        assert!(played.answered > 0, "{section}: nothing was answered");
    }
}

#[test]
fn the_same_wherever_the_bytes_are_cut() {
    for (section, _) in SECTIONS {
        let whole = play(section, Cut::Whole);
        for cut in [Cut::Bytes, Cut::Odd(3), Cut::Odd(7), Cut::Odd(64)] {
            assert_eq!(play(section, cut), whole, "{section}, {cut:?}");
        }
    }
}

/// How what the broker said is handed over.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Whole,
    Bytes,
    Odd(usize),
}

/// What a section came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Played {
    /// Commands of the recording that the session wrote as well.
    compared: usize,
    /// Things the broker said that came out.
    answered: usize,
    /// What it said to nobody: a second answer, a message for a pull that is over.
    dropped: usize,
}

fn play(section: &str, cut: Cut) -> Played {
    let mut stages: BTreeMap<String, Stage> = BTreeMap::new();
    let mut played = Played::default();
    for recording in recordings(section) {
        for (conn, sent, bytes) in recording.events {
            if sent {
                let stage = stages.entry(conn).or_insert_with(|| Stage::up(cut));
                stage.place = format!("{section}: {}", recording.scenario);
                for command in commands(&bytes) {
                    stage.sends(&command, &mut played);
                }
            } else {
                if bytes.starts_with(b"INFO {") {
                    stages.insert(conn.clone(), Stage::new(cut));
                }
                let stage = stages.entry(conn).or_insert_with(|| Stage::up(cut));
                stage.place = format!("{section}: {}", recording.scenario);
                stage.held.extend_from_slice(&bytes);
                let (frames, used) = split(&stage.held);
                stage.held.drain(..used);
                for frame in frames {
                    stage.hears(&frame, &mut played);
                }
            }
        }
    }
    played
}

// ---- the recording ----------------------------------------------------------------------------------------------

struct Recording {
    scenario: String,
    /// Connection, whether the client sent it, and the bytes.
    events: Vec<(String, bool, Vec<u8>)>,
}

fn recordings(section: &str) -> Vec<Recording> {
    let text = include_str!("vectors/memphis/1.4.4.jsonl");
    let mut found: Vec<Recording> = Vec::new();
    let mut within = false;
    for line in text.lines() {
        let line: Json = serde_json::from_str(line).unwrap();
        if let Some(name) = line["section"].as_str() {
            within = name == section;
            if within {
                found.push(Recording { scenario: line["scenario"].as_str().unwrap().into(), events: Vec::new() });
            }
        } else if within && line["dir"].is_string() && line["conn"] != "rest" {
            let recording = found.last_mut().unwrap();
            let bytes = match (line["text"].as_str(), line["hex"].as_str()) {
                (Some(text), _) => text.as_bytes().to_vec(),
                (None, Some(hex)) => unhex(hex),
                // Left out of the recording for its length.
                (None, None) => continue,
            };
            recording.events.push((line["conn"].as_str().unwrap().into(), line["dir"] == "c2s", bytes));
        }
    }
    found
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

/// A line of the protocol, and what follows it where it has a length.
#[derive(Clone, Debug)]
struct Command {
    line: String,
    words: Vec<String>,
    head: Vec<u8>,
    body: Vec<u8>,
    whole: Vec<u8>,
}

impl Command {
    fn verb(&self) -> &str {
        &self.words[0]
    }

    fn subject(&self) -> &str {
        &self.words[1]
    }

    /// The reply subject of PUB and HPUB.
    fn reply(&self) -> Option<&str> {
        let least = if self.verb() == "HPUB" { 4 } else { 3 };
        (self.words.len() > least).then(|| self.words[2].as_str())
    }

    /// The header block's lines.
    fn headers(&self) -> Vec<(String, String)> {
        let text = String::from_utf8_lossy(&self.head).into_owned();
        let pair = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_string(), value.to_string()));
        text.split("\r\n").skip(1).filter_map(pair).collect()
    }

    /// The same bytes with another reply subject.
    fn with_reply(&self, reply: &str) -> Vec<u8> {
        match self.reply() {
            None => self.whole.clone(),
            Some(old) => {
                let at = self.line.find(old).unwrap();
                [&self.whole[..at], reply.as_bytes(), &self.whole[at + old.len()..]].concat()
            }
        }
    }
}

fn commands(bytes: &[u8]) -> Vec<Command> {
    let (commands, used) = split(bytes);
    assert_eq!(used, bytes.len(), "half a command in the recording");
    commands
}

/// Whole commands, and how many bytes they took.
fn split(bytes: &[u8]) -> (Vec<Command>, usize) {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(end) = bytes[at..].windows(2).position(|two| two == b"\r\n") {
        let line = String::from_utf8_lossy(&bytes[at..at + end]).into_owned();
        let words: Vec<String> = line.split_whitespace().map(String::from).collect();
        let from = at + end + 2;
        let number = |back: usize| words[words.len() - back].parse::<usize>().unwrap();
        let (head, total) = match words.first().map(String::as_str) {
            Some("PUB" | "MSG") => (0, number(1)),
            Some("HPUB" | "HMSG") => (number(2), number(1)),
            _ => {
                found.push(Command { line, words, head: vec![], body: vec![], whole: bytes[at..from].to_vec() });
                at = from;
                continue;
            }
        };
        if bytes.len() < from + total + 2 {
            break;
        }
        let (head, body) = (bytes[from..from + head].to_vec(), bytes[from + head..from + total].to_vec());
        found.push(Command { line, words, head, body, whole: bytes[at..from + total + 2].to_vec() });
        at = from + total + 2;
    }
    (found, at)
}

// ---- the session ------------------------------------------------------------------------------------------------

/// What an answer is for.
#[derive(Clone, Debug)]
enum For {
    Slot(u32),
    Wait(u32),
    Pull(FeedId),
}

struct Stage {
    session: MemphisSession,
    out: Outbox,
    now: Now,
    cut: Cut,
    place: String,
    held: Vec<u8>,
    login: Option<Login>,
    routes: BTreeMap<String, RouteId>,
    feeds: BTreeMap<String, FeedId>,
    /// Inboxes of the recording, ours in their place, and what they are for.
    inboxes: BTreeMap<String, (String, For)>,
    /// Subscriptions of pulls in the recording: to which inbox.
    sids: BTreeMap<String, String>,
    /// Ours, by the feed.
    feed_sids: BTreeMap<u32, String>,
    /// Head, payload and token of what arrived.
    arrivals: Vec<(Vec<u8>, Vec<u8>, Vec<u8>)>,
    /// The login is over.
    greeted: bool,
    /// Questions that have their answer.
    answered: Vec<u32>,
    last: u32,
}

impl Stage {
    fn new(cut: Cut) -> Stage {
        let json = JsonReader(|bytes| serde_json::from_slice(bytes).ok());
        Stage {
            session: MemphisSession::new(
                json,
                Rc::new(Shared::new(CONNECTION, "0b1f3f0e-3d55-4f7e-8a51-7f0f0f6d2c90")),
            ),
            out: Outbox::default(),
            now: Now { mono: Time(50_000), wall: Wall(1_795_243_580_000_000_000) },
            cut,
            place: String::new(),
            held: Vec::new(),
            login: None,
            routes: BTreeMap::new(),
            feeds: BTreeMap::new(),
            inboxes: BTreeMap::new(),
            sids: BTreeMap::new(),
            feed_sids: BTreeMap::new(),
            arrivals: Vec::new(),
            greeted: false,
            answered: Vec::new(),
            last: 0,
        }
    }

    /// One that logged in before the recording began.
    fn up(cut: Cut) -> Stage {
        let mut stage = Stage::new(cut);
        stage.gets(b"INFO {\"headers\":true,\"max_payload\":8388608,\"jetstream\":true} \r\n");
        stage.gets(b"PONG\r\n");
        stage.greeted = true;
        stage.settled();
        stage
    }

    fn gets(&mut self, bytes: &[u8]) -> Vec<Output> {
        if self.login.is_none() {
            let login = Login {
                username: Some("root".into()),
                password: Some("memphis".into()),
                account: 1,
                ..Login::default()
            };
            let input =
                Input::Opened { login: &login, encryption: Encryption::Settled, took: Millis(1), random: [7; 8] };
            self.session.handle(self.now, input, &mut self.out);
            self.login = Some(login.clone());
        }
        let size = match self.cut {
            Cut::Whole => bytes.len(),
            Cut::Bytes => 1,
            Cut::Odd(size) => size,
        };
        let mut told = Vec::new();
        for piece in bytes.chunks(size.max(1)) {
            self.session.handle(self.now, Input::Chunk(piece), &mut self.out);
            while let Some(output) = self.session.poll() {
                if let Output::Arrived(arrival) = &output {
                    let home = if arrival.source == Source::Own { self.session.own() } else { piece };
                    let part = |span: Span| home[span.at as usize..(span.at + span.len) as usize].to_vec();
                    self.arrivals.push((part(arrival.head), part(arrival.data), part(arrival.token)));
                }
                told.push(output);
            }
        }
        told
    }

    /// What has been written since the last look.
    fn written(&mut self) -> Vec<u8> {
        self.out.release_acks();
        self.out.take(Vec::new())
    }

    /// The subscriptions that the session makes by itself.
    fn settled(&mut self) {
        self.session.handle(self.now, Input::Tick, &mut self.out);
        self.written();
    }

    fn next(&mut self) -> u32 {
        self.last += 1;
        self.last
    }

    // ---- what the recording's client sent ---------------------------------------------------------------------------

    fn sends(&mut self, command: &Command, played: &mut Played) {
        match command.verb() {
            "CONNECT" => self.greets(command, played),
            "SUB" => {
                let sid = command.words.last().unwrap().clone();
                self.sids.insert(sid, command.subject().into());
            }
            "PUB" | "HPUB" if command.subject().starts_with("$JS.API.CONSUMER.MSG.NEXT.") => self.pulls(command),
            "PUB" if command.subject().starts_with("$JS.ACK.") => self.settles(command, played),
            "PUB" if command.subject().starts_with('$') => self.asks(command, played),
            "HPUB" if !command.subject().starts_with('$') => self.produces(command, played),
            // What a session of ours never writes, and the rest of the greeting.
            _ => {}
        }
    }

    /// The same fields, whatever their order; who the program is, is ours to say.
    fn greets(&mut self, command: &Command, played: &mut Played) {
        let written = String::from_utf8(self.written()).unwrap();
        let (connect, rest) = written.split_once("\r\n").unwrap();
        let read = |line: &str| -> BTreeMap<String, Json> {
            let mut fields: BTreeMap<String, Json> =
                serde_json::from_str(line.strip_prefix("CONNECT ").unwrap()).unwrap();
            fields.retain(|name, _| !["lang", "version", "tls_required"].contains(&name.as_str()));
            fields
        };
        let wanted = read(&command.line);
        // Recordings of other logins are about the broker, not about this session.
        if wanted.get("name").is_some_and(|name| *name == format!("{CONNECTION}::root"))
            && wanted.get("user").is_some_and(|user| user == "root$1")
        {
            assert_eq!(read(connect), wanted, "{}", self.place);
            assert!(rest.ends_with("PING\r\n"), "{rest}");
            played.compared += 1;
        }
    }

    fn produces(&mut self, command: &Command, played: &mut Played) {
        let fields = command.headers();
        let own = [("$memphis_connectionId", CONNECTION), ("$memphis_producedBy", "p1")];
        let id = fields.first().filter(|(name, _)| name == "msg-id").map(|(_, value)| value.clone());
        let mut rest = &fields[usize::from(id.is_some())..];
        for (name, value) in own {
            match rest.split_first() {
                Some(((found, text), others)) if found == name && text == value => rest = others,
                // Not a message of ours.
                _ => return,
            }
        }
        let (Some(reply), Some((stream, "final"))) = (command.reply(), command.subject().rsplit_once('.')) else {
            return;
        };
        if rest.iter().any(|(name, _)| name == "msg-id" || name.starts_with('$') || name.starts_with("Nats-")) {
            return;
        }
        // A line that is written otherwise than `name: value`, or with more than ASCII in it.
        if !command.head.is_ascii() || fields.len() + 3 != String::from_utf8_lossy(&command.head).split("\r\n").count()
        {
            return;
        }
        let route = match self.routes.get(stream) {
            Some(route) => *route,
            None => {
                let route = self.session.open_route(&place(stream));
                self.routes.insert(stream.into(), route);
                route
            }
        };
        let headers: Vec<(&str, &str)> = rest.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let draft = Draft {
            producer: "p1",
            headers: &headers,
            msg_id: id.as_deref(),
            data: &command.body,
            times: Default::default(),
        };
        let mut message = Vec::new();
        let head = self.session.encode(&draft, &mut message).unwrap();
        let slot = self.next();
        self.session.publish(self.now, &mut self.out, route, Slot(slot), &message, head);
        self.compare(command, reply, For::Slot(slot), played);
    }

    fn asks(&mut self, command: &Command, played: &mut Played) {
        let wait = self.next();
        let request = Request { to: command.subject().into(), body: command.body.clone(), head: 0, many: false };
        self.session.request(self.now, &mut self.out, WaitId(wait), &request);
        match command.reply() {
            Some(reply) => self.compare(command, reply, For::Wait(wait), played),
            None if TOLD.contains(&command.subject()) => {
                assert_eq!(shown(&self.written()), shown(&command.whole), "{}", self.place);
                let told: Vec<Output> = std::iter::from_fn(|| self.session.poll()).collect();
                assert!(matches!(&told[..], [Output::Replied(_, Ok(_))]), "{}: {told:?}", self.place);
                played.compared += 1;
            }
            // Ours always want an answer.
            None => drop(self.written()),
        }
    }

    fn settles(&mut self, command: &Command, played: &mut Played) {
        let body = String::from_utf8_lossy(&command.body).into_owned();
        let verdict = match body.as_str() {
            "+ACK" => Verdict::Ack,
            "-NAK" => Verdict::Nack,
            "+WPI" => Verdict::Extend(None),
            text => {
                match text.strip_prefix("-NAK {\"delay\":").and_then(|rest| rest.strip_suffix('}')?.parse::<u64>().ok())
                {
                    Some(nanos) if nanos % 1_000_000 == 0 => Verdict::Delay(Millis(nanos / 1_000_000)),
                    _ => return,
                }
            }
        };
        let words: Vec<&str> = command.subject().split('.').collect();
        let feed = self.feed(words[2], words[3]);
        let confirm = command.reply().map(|_| WaitId(self.next()));
        self.session.settle(self.now, &mut self.out, feed, command.subject().as_bytes(), &verdict, confirm);
        match (command.reply(), confirm) {
            (Some(reply), Some(WaitId(wait))) => self.compare(command, reply, For::Wait(wait), played),
            _ => {
                assert_eq!(shown(&self.written()), shown(&command.whole), "{}", self.place);
                played.compared += 1;
            }
        }
    }

    /// What is asked for is ours to choose; who is asked, and where the answers go, is not.
    fn pulls(&mut self, command: &Command) {
        let (Some(reply), Some(rest)) = (command.reply(), command.subject().strip_prefix("$JS.API.CONSUMER.MSG.NEXT."))
        else {
            return;
        };
        let (stream, group) = rest.rsplit_once('.').unwrap();
        let feed = self.feed(stream, group);
        let batch =
            serde_json::from_slice(&command.body).ok().and_then(|body: Json| body["batch"].as_u64()).unwrap_or(1);
        let ask = Ask { messages: u32::try_from(batch).unwrap_or(1), bytes: 0, wait: Wait::For(Millis(600_000)) };
        self.session.ask(self.now, &mut self.out, feed, ask);
        for written in commands(&self.written()) {
            match written.verb() {
                "SUB" => {
                    self.feed_sids.insert(feed.0, written.words.last().unwrap().clone());
                }
                "PUB" => {
                    assert_eq!(written.subject(), command.subject(), "{}", self.place);
                    self.inboxes.insert(reply.into(), (written.reply().unwrap().into(), For::Pull(feed)));
                }
                _ => {}
            }
        }
    }

    fn feed(&mut self, stream: &str, group: &str) -> FeedId {
        let key = format!("{stream}.{group}");
        if let Some(feed) = self.feeds.get(&key) {
            return *feed;
        }
        let external = group.replace('#', ".");
        let spec = FeedSpec { place: place(stream), group: external, auto_ack: false, ack_time: Millis(30_000) };
        let feed = self.session.open_feed(self.now, &mut self.out, &spec);
        self.feeds.insert(key, feed);
        feed
    }

    /// Our bytes are the recording's, but for the reply subject.
    fn compare(&mut self, command: &Command, reply: &str, purpose: For, played: &mut Played) {
        let written = self.written();
        let ours = commands(&written);
        let [ours] = &ours[..] else { panic!("{}: {}", self.place, shown(&written)) };
        let inbox = ours.reply().unwrap_or_default().to_string();
        assert_eq!(shown(&ours.whole), shown(&command.with_reply(&inbox)), "{}", self.place);
        self.inboxes.insert(reply.into(), (inbox, purpose));
        played.compared += 1;
    }

    // ---- what the broker said -----------------------------------------------------------------------------------------

    fn hears(&mut self, frame: &Command, played: &mut Played) {
        match frame.verb() {
            "INFO" => {
                assert!(self.gets(&frame.whole).is_empty(), "{}", self.place);
            }
            "PONG" => {
                // Others are answers to what the recording's client asked by itself.
                if self.greeted {
                    return;
                }
                self.greeted = true;
                assert!(matches!(self.gets(&frame.whole)[..], [Output::Up]), "{}", self.place);
                self.settled();
            }
            "PING" => {
                self.gets(&frame.whole);
                assert_eq!(shown(&self.written()), "PONG\r\n", "{}", self.place);
            }
            "MSG" | "HMSG" => self.message(frame, played),
            _ => {}
        }
    }

    fn message(&mut self, frame: &Command, played: &mut Played) {
        // Words: verb, subject, sid, reply if there is one, lengths.
        let sid = &frame.words[2];
        let listened = self.sids.get(sid).cloned().unwrap_or_default();
        let at_inbox = self.inboxes.get(frame.subject()).cloned();
        let delivered = self.inboxes.get(&listened).cloned().filter(|_| at_inbox.is_none());
        let (subject, sid, purpose) = match (at_inbox, delivered) {
            (Some((inbox, For::Pull(feed))), _) => (inbox, self.feed_sids[&feed.0].clone(), For::Pull(feed)),
            (Some((inbox, purpose)), _) => (inbox, INBOX_SID.to_string(), purpose),
            // Messages of a pull come under their own subject.
            (None, Some((_, For::Pull(feed)))) => {
                (frame.subject().to_string(), self.feed_sids[&feed.0].clone(), For::Pull(feed))
            }
            _ => {
                played.dropped += 1;
                return;
            }
        };
        let bytes = frame.renamed(&subject, &sid);
        self.arrivals.clear();
        let told = self.gets(&bytes);
        match purpose {
            For::Slot(slot) => {
                self.receipt(slot, frame, &told);
                self.inboxes.remove(frame.subject());
            }
            // Only the first message on the inbox of a question is its answer.
            For::Wait(wait) if self.answered.contains(&wait) => {
                // At most it is said to be for the same question, for which nobody waits any more.
                let own = |output: &Output| matches!(output, Output::Replied(WaitId(found), _) if *found == wait);
                assert!(told.iter().all(own), "{}: {told:?}", self.place);
                played.dropped += 1;
                return;
            }
            For::Wait(wait) => {
                self.answered.push(wait);
                let [Output::Replied(WaitId(found), Ok(reply))] = &told[..] else { panic!("{}: {told:?}", self.place) };
                assert_eq!((*found, &reply.body), (wait, &frame.body), "{}", self.place);
            }
            For::Pull(_) if frame.subject() == listened => {
                let lost = told.iter().any(|output| matches!(output, Output::Broken(_)));
                assert!(!lost && self.arrivals.is_empty(), "{}: {told:?}", self.place);
            }
            For::Pull(_) => {
                let wanted = (frame.head.clone(), frame.body.clone(), frame.words[3].as_bytes().to_vec());
                assert_eq!(self.arrivals, [wanted], "{}: {told:?}", self.place);
                let Some(Output::Arrived(arrival)) = told.iter().find(|output| matches!(output, Output::Arrived(_)))
                else {
                    panic!("{told:?}")
                };
                let tokens: Vec<&str> = frame.words[3].split('.').collect();
                assert_eq!(
                    (arrival.deliveries.to_string(), arrival.sequence.to_string()),
                    (tokens[4].into(), tokens[5].into())
                );
            }
        }
        played.answered += 1;
        // What the session writes because of it (another pull, a question) is its own affair.
        self.written();
    }

    fn receipt(&mut self, slot: u32, frame: &Command, told: &[Output]) {
        let body: Json = serde_json::from_slice(&frame.body).unwrap_or_default();
        match told {
            [Output::Stored { slot: Slot(found), sequence, duplicate }] => {
                let wanted = (body["seq"].as_u64(), body["duplicate"].as_bool().unwrap_or_default());
                assert_eq!((*found, Some(*sequence), *duplicate), (slot, wanted.0, wanted.1), "{}", self.place);
            }
            [Output::NotNow(Slot(found))] => {
                assert!(*found == slot && frame.head.starts_with(b"NATS/1.0 503"), "{}", self.place)
            }
            [Output::Refused(Slot(found), _)] => assert!(*found == slot && body["error"].is_object(), "{}", self.place),
            other => panic!("{}: {other:?}", self.place),
        }
    }
}

impl Command {
    /// A message under another subject and subscription, its blanks as they came.
    fn renamed(&self, subject: &str, sid: &str) -> Vec<u8> {
        let rest = self.line.strip_prefix(self.verb()).unwrap().trim_start();
        let rest = rest.strip_prefix(self.subject()).unwrap().trim_start();
        let rest = rest.strip_prefix(self.words[2].as_str()).unwrap();
        let line = format!("{} {subject} {sid}{rest}", self.verb());
        [line.as_bytes(), &self.whole[self.line.len()..]].concat()
    }
}

/// A partition by its stream: `orders$1`, or without a number.
fn place(stream: &str) -> Place {
    let (station, partition) = stream.rsplit_once('$').unwrap_or((stream, "1"));
    Place {
        station: station.replace('#', "."),
        partition: partition.parse().unwrap_or(1),
        store: stream.into(),
        address: format!("{stream}.final"),
    }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
