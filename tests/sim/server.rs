//! A simulated NATS server with JetStream: the client protocol, subjects, and what keeps connections alive.
//!
//! Behaviour as observed on nats-server 2.15.1. What is stored outlives connections and restarts; pulls and
//! subscriptions do not. Faults are fields that a test sets.

use crate::routes::{Question, Routes};
use crate::streams::{Parcel, Stored, Stream, header};
use serde_json::Value;
use stationmaster::base::time::{Millis, Now, Time, Wall, rfc3339};
use stationmaster::runtime::sim::{Host, Random, Said};
use std::collections::{BTreeMap, VecDeque};

/// Who may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Door {
    Open,
    User(String, String),
    Token(String),
}

/// What goes wrong, in so many of a thousand cases, or until some moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Messages that are stored without a receipt.
    pub lost_receipts: u64,
    /// Messages that are neither stored nor answered.
    pub lost_messages: u64,
    /// Messages that are refused for now: no leader.
    pub no_leader: u64,
    /// Questions that are never answered.
    pub lost_answers: u64,
}

/// A subscription.
struct Sub {
    subject: String,
    queue: Option<String>,
}

/// One connection.
#[derive(Default)]
struct Client {
    buffer: Vec<u8>,
    inside: bool,
    subs: BTreeMap<u32, Sub>,
    next_ping: Option<Time>,
    unanswered: u32,
    /// Protocol bytes that wait to be said together.
    out: Vec<u8>,
    greeted: bool,
}

/// The server.
pub struct Server {
    pub door: Door,
    pub jetstream: bool,
    /// It speaks as 2.10 does: no second INFO, no subject in a 503, a blank in receipts.
    pub old: bool,
    pub max_payload: u64,
    pub faults: Faults,
    /// It is a cluster whose streams are led by a node that no client is connected to.
    pub routes: Option<Routes>,
    pub streams: BTreeMap<String, Stream>,
    /// Other addresses that INFO tells.
    pub connect_urls: Vec<String>,
    /// Messages that clients have sent, repeats included.
    pub published: u64,
    /// Whether a client has ever sent something it must not.
    pub complaint: Option<String>,
    pub(crate) now: Now,
    clients: BTreeMap<u32, Client>,
    random: Random,
    said: VecDeque<Said>,
    /// Print what is heard and said, to look into a seed that fails: TRACE=1 SEED=<number>.
    trace: bool,
}

impl Server {
    pub fn new(seed: u64) -> Server {
        Server {
            door: Door::Open,
            jetstream: true,
            old: false,
            max_payload: 1_048_576,
            faults: Faults::default(),
            routes: None,
            streams: BTreeMap::new(),
            connect_urls: Vec::new(),
            published: 0,
            complaint: None,
            now: Now { mono: Time(0), wall: Wall(0) },
            clients: BTreeMap::new(),
            random: Random::new(seed),
            said: VecDeque::new(),
            trace: std::env::var_os("TRACE").is_some(),
        }
    }

    /// How many connections it knows.
    pub fn connections(&self) -> usize {
        self.clients.len()
    }

    /// How many subscriptions it knows.
    pub fn subscriptions(&self) -> usize {
        self.clients.values().map(|client| client.subs.len()).sum()
    }

    /// How many messages are asked for by open pulls of this consumer.
    pub fn asked(&self, stream: &str, consumer: &str) -> u64 {
        let consumer = self.streams.get(stream).and_then(|stream| stream.consumers.get(consumer));
        consumer.map_or(0, |consumer| consumer.pulls.iter().map(|pull| pull.left).sum())
    }

    /// The process died and was started again: what is stored is there.
    pub fn restart(&mut self) {
        self.clients.clear();
        for stream in self.streams.values_mut() {
            stream.consumers.values_mut().for_each(|consumer| consumer.pulls.clear());
        }
    }

    /// Every pull is forgotten without a word, as when a consumer's leader was killed.
    pub fn forget_pulls(&mut self) {
        for stream in self.streams.values_mut() {
            stream.consumers.values_mut().for_each(|consumer| consumer.pulls.clear());
        }
    }

    /// Every consumer gets another leader: its pulls end with a status without counts.
    pub fn change_leaders(&mut self) {
        let mut parcels = Vec::new();
        for stream in self.streams.values_mut() {
            for consumer in stream.consumers.values_mut() {
                let heard = |link, s: &str| listens(&self.clients, &self.routes, self.now, link, s);
                parcels.extend(consumer.end_pulls("409 Leadership Change", heard));
            }
        }
        self.deliver(parcels);
        self.flush();
    }

    /// Somebody else removes a stream.
    pub fn destroy(&mut self, stream: &str) {
        self.api(0, &format!("STREAM.DELETE.{stream}"), "", "");
        self.flush();
    }

    /// Say this to every client; it leaves with the next word to anybody.
    pub fn say_to_all(&mut self, text: &[u8]) {
        for client in self.clients.values_mut() {
            client.out.extend_from_slice(text);
        }
        self.flush();
    }

    /// Close every link.
    pub fn hang_up_all(&mut self, reason: &str) {
        for link in self.clients.keys().copied().collect::<Vec<_>>() {
            self.hang_up(link, reason);
        }
    }

    /// It is about to go, and says so.
    pub fn announce_leaving(&mut self) {
        let info = self.info(true);
        for client in self.clients.values_mut() {
            client.out.extend_from_slice(info.as_bytes());
        }
        self.flush();
    }

    fn info(&self, leaving: bool) -> String {
        let auth = if self.door == Door::Open { "" } else { "\"auth_required\":true," };
        let ldm = if leaving { "\"ldm\":true," } else { "" };
        let urls = serde_json::to_string(&self.connect_urls).unwrap();
        let version = if self.old { "2.10.26\"" } else { "2.15.1\",\"api_lvl\":5" };
        let js = if self.jetstream { "\"jetstream\":true," } else { "" };
        format!(
            "INFO {{\"server_id\":\"SIM\",\"server_name\":\"sim\",\"version\":\"{version},\"proto\":1,\"headers\":true,\
             \"max_payload\":{},{auth}{js}{ldm}\"connect_urls\":{urls},\"client_id\":1}} \r\n",
            self.max_payload
        )
    }

    /// Take one command out of a client's buffer and do it; false if there is no whole one.
    fn command(&mut self, link: u32) -> bool {
        let Some(client) = self.clients.get_mut(&link) else { return false };
        let Some(end) = client.buffer.windows(2).position(|pair| pair == b"\r\n") else { return false };
        let line = String::from_utf8_lossy(&client.buffer[..end]).into_owned();
        let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
        let verb = words.first().map(|word| word.to_ascii_uppercase()).unwrap_or_default();
        let mut used = end + 2;
        let mut body = Vec::new();
        if verb == "PUB" || verb == "HPUB" {
            let Some(total) = words.last().and_then(|word| word.parse::<usize>().ok()) else {
                return self.complain(link, &line);
            };
            if total as u64 > self.max_payload {
                self.error(link, "Maximum Payload Violation");
                self.hang_up(link, "Maximum Message Payload Exceeded");
                return false;
            }
            if client.buffer.len() < used + total + 2 {
                return false;
            }
            body = client.buffer[used..used + total].to_vec();
            used += total + 2;
        }
        client.buffer.drain(..used);
        if !client.inside && verb != "CONNECT" {
            self.refuse(link);
            return false;
        }
        match (verb.as_str(), &words[1..]) {
            ("CONNECT", _) => self.enter(link, line.split_once(' ').map_or("", |(_, json)| json)),
            ("PING", []) => {
                let more = !std::mem::replace(&mut self.clients.get_mut(&link).unwrap().greeted, true);
                self.write(link, b"PONG\r\n");
                if more && !self.old {
                    let info = self.info(false);
                    self.write(link, info.as_bytes());
                }
            }
            ("PONG", []) => self.clients.get_mut(&link).unwrap().unanswered = 0,
            ("SUB", [subject, sid]) => self.subscribe(link, subject, None, sid),
            ("SUB", [subject, queue, sid]) => self.subscribe(link, subject, Some(queue), sid),
            ("UNSUB", [sid]) | ("UNSUB", [sid, _]) => {
                let sid = sid.parse().unwrap_or(0);
                let sub = self.clients.get_mut(&link).unwrap().subs.remove(&sid);
                if let (Some(routes), Some(sub)) = (&mut self.routes, sub) {
                    routes.unsubscribed(self.now.mono, link, Some(&sub.subject));
                }
            }
            ("PUB", [subject, _]) => self.publish(link, subject, "", &[], &body),
            ("PUB", [subject, reply, _]) => self.publish(link, subject, reply, &[], &body),
            ("HPUB", [rest @ .., head, _]) if (1..=2).contains(&rest.len()) => {
                let at = head.parse::<usize>().unwrap_or(usize::MAX);
                let Some((head, data)) = body.split_at_checked(at) else { return self.complain(link, &line) };
                self.publish(link, rest[0], rest.get(1).unwrap_or(&""), head, data);
            }
            _ => return self.complain(link, &line),
        }
        true
    }

    /// A client broke the protocol.
    fn complain(&mut self, link: u32, line: &str) -> bool {
        self.complaint = Some(line.into());
        self.hang_up(link, "Protocol Violation");
        false
    }

    fn enter(&mut self, link: u32, json: &str) {
        let given: Value = serde_json::from_str(json).unwrap_or(Value::Null);
        let right = match &self.door {
            Door::Open => true,
            Door::User(user, pass) => given["user"] == user.as_str() && given["pass"] == pass.as_str(),
            Door::Token(token) => given["auth_token"] == token.as_str(),
        };
        if given["headers"] != true || given["no_responders"] != true || given["verbose"] != false {
            self.complaint = Some(json.into());
        }
        match right {
            true => self.clients.get_mut(&link).unwrap().inside = true,
            false => self.refuse(link),
        }
    }

    fn refuse(&mut self, link: u32) {
        self.error(link, "Authorization Violation");
        self.hang_up(link, "Authentication Failure");
    }

    fn error(&mut self, link: u32, text: &str) {
        self.write(link, format!("-ERR '{text}'\r\n").as_bytes());
    }

    fn hang_up(&mut self, link: u32, reason: &str) {
        self.flush();
        self.forget(link);
        if self.clients.remove(&link).is_some() {
            self.said.push_back(Said::HangUp { link, reason: reason.into() });
        }
    }

    fn subscribe(&mut self, link: u32, subject: &str, queue: Option<&str>, sid: &str) {
        let Ok(sid) = sid.parse() else { return };
        let sub = Sub { subject: subject.into(), queue: queue.map(String::from) };
        if let Some(routes) = &mut self.routes {
            routes.subscribed(self.now.mono, link, subject);
        }
        self.clients.get_mut(&link).unwrap().subs.entry(sid).or_insert(sub);
    }

    /// A message came in.
    fn publish(&mut self, link: u32, subject: &str, reply: &str, head: &[u8], data: &[u8]) {
        if let Some(rest) = subject.strip_prefix("$JS.API.") {
            if !self.jetstream {
                self.nobody(subject, reply);
            } else if !self.random.chance(self.faults.lost_answers) {
                let body = String::from_utf8_lossy(data).into_owned();
                let question = Question { link, subject: rest.into(), body, reply: reply.into() };
                match &mut self.routes {
                    Some(routes) => routes.ask(self.now.mono, question),
                    None => self.perform(&question),
                }
            }
            return;
        }
        if let Some(rest) = subject.strip_prefix("$JS.ACK.") {
            self.acked(rest, &String::from_utf8_lossy(data));
            if !reply.is_empty() {
                self.send(reply, "", &[], b"");
            }
            return;
        }
        let stream = self.streams.values().find(|stream| stream.subjects().any(|s| matches(s, subject)));
        let Some(name) = stream.map(|stream| stream.name.clone()) else {
            if !self.send(subject, reply, head, data) {
                self.nobody(subject, reply);
            }
            return;
        };
        self.published += 1;
        if self.random.chance(self.faults.no_leader) {
            return self.nobody(subject, reply);
        }
        if self.random.chance(self.faults.lost_messages) {
            return;
        }
        let now = self.now;
        let stream = self.streams.get_mut(&name).unwrap();
        let full = stream.config["discard"] == "new"
            && stream.config["max_msgs"].as_i64().is_some_and(|most| most > 0 && stream.messages.len() as i64 >= most);
        let refused = if full { Some((10077, "maximum messages exceeded")) } else { stream.refuses(head) };
        let answer = if let Some((code, text)) = refused {
            let error = format!("{{\"code\":400,\"err_code\":{code},\"description\":\"{text}\"}}");
            format!("{{\"error\":{error},\"stream\":\"{name}\",\"seq\":0}}")
        } else {
            let (sequence, duplicate) = stream.store(now, subject, head, data);
            let repeated = if duplicate { ",\"duplicate\": true" } else { "" };
            let blank = if self.old { " " } else { "" };
            format!("{{\"stream\":\"{name}\",{blank}\"seq\":{sequence}{repeated}}}")
        };
        if !reply.is_empty() && !self.random.chance(self.faults.lost_receipts) {
            self.send(reply, "", &[], answer.as_bytes());
        }
    }

    /// A question has reached the leader.
    fn perform(&mut self, question: &Question) {
        let Question { link, subject, body, reply } = question;
        if let Some(stream) = subject.strip_prefix("DIRECT.GET.") {
            return self.direct(stream, body, reply);
        }
        let Some(answer) = self.api(*link, subject, body, reply) else { return };
        let data = answer.to_string().into_bytes();
        match &mut self.routes {
            Some(routes) => {
                let (inbox, subject) = (reply.clone(), reply.clone());
                let parcel = Parcel { link: 0, sid: 0, inbox, subject, reply: String::new(), head: vec![], data };
                routes.send(self.now.mono, vec![parcel]);
            }
            None => {
                self.send(reply, "", &[], &data);
            }
        }
    }

    /// Give these to whom they are for, the way that there is.
    pub fn deliver(&mut self, parcels: Vec<Parcel>) {
        match &mut self.routes {
            Some(routes) => routes.send(self.now.mono, parcels),
            None => self.post(parcels),
        }
    }

    /// What has come along the routes: questions to the leader, and its parcels to the nodes.
    fn arrive(&mut self) {
        while let Some(question) = self.routes.as_mut().and_then(|routes| routes.asked(self.now.mono)) {
            self.perform(&question);
        }
        let Some(routes) = &mut self.routes else { return };
        let mut heard = Vec::new();
        for parcel in routes.arrived(self.now.mono) {
            // What nobody listens to any more is lost.
            if let Some(sid) = heard_by(&self.clients, parcel.link, &parcel.inbox) {
                heard.push(Parcel { sid, ..parcel });
            }
        }
        self.post(heard);
    }

    /// The subscriptions of a link are over.
    fn forget(&mut self, link: u32) {
        if let Some(routes) = &mut self.routes {
            routes.unsubscribed(self.now.mono, link, None);
        }
    }

    fn acked(&mut self, rest: &str, body: &str) {
        let now = self.now;
        let tokens: Vec<&str> = rest.split('.').collect();
        let [stream, consumer, _, sequence, ..] = tokens[..] else { return };
        let Some(stream) = self.streams.get_mut(stream) else { return };
        if let (Some(consumer), Ok(sequence)) = (stream.consumers.get_mut(consumer), sequence.parse()) {
            consumer.settle(now, sequence, body);
        }
        stream.prune(now);
    }

    /// Nobody listens to this subject.
    pub fn nobody(&mut self, subject: &str, reply: &str) {
        let named = if self.old { String::new() } else { format!("Nats-Subject: {subject}\r\n") };
        let head = format!("NATS/1.0 503\r\n{named}\r\n");
        self.send(reply, "", head.as_bytes(), b"");
    }

    /// Give a message to everybody who listens to its subject; whether anybody did.
    pub fn send(&mut self, subject: &str, reply: &str, head: &[u8], data: &[u8]) -> bool {
        let mut heard: Vec<(u32, u32)> = Vec::new();
        let mut groups: BTreeMap<&str, Vec<(u32, u32)>> = BTreeMap::new();
        for (link, client) in &self.clients {
            for (sid, sub) in client.subs.iter().filter(|(_, sub)| matches(&sub.subject, subject)) {
                match &sub.queue {
                    Some(queue) => groups.entry(queue).or_default().push((*link, *sid)),
                    None => heard.push((*link, *sid)),
                }
            }
        }
        // Of a group any one.
        for members in groups.values() {
            heard.push(members[self.random.below(members.len() as u64) as usize]);
        }
        let parcel = |(link, sid): &(u32, u32)| Parcel {
            link: *link,
            sid: *sid,
            inbox: subject.into(),
            subject: subject.into(),
            reply: reply.into(),
            head: head.into(),
            data: data.into(),
        };
        let parcels = heard.iter().map(parcel).collect();
        self.post(parcels);
        !heard.is_empty()
    }

    pub fn post(&mut self, parcels: Vec<Parcel>) {
        for parcel in parcels {
            let Parcel { link, sid, subject, reply, head, data, .. } = parcel;
            let blank = if reply.is_empty() { "" } else { " " };
            let mut bytes = match head.len() {
                0 => format!("MSG {subject} {sid} {reply}{blank}{}\r\n", data.len()),
                len => format!("HMSG {subject} {sid} {reply}{blank}{len} {}\r\n", len + data.len()),
            }
            .into_bytes();
            bytes.extend_from_slice(&head);
            bytes.extend_from_slice(&data);
            bytes.extend_from_slice(b"\r\n");
            self.write(link, &bytes);
        }
    }

    fn write(&mut self, link: u32, bytes: &[u8]) {
        if let Some(client) = self.clients.get_mut(&link) {
            client.out.extend_from_slice(bytes);
        }
    }

    /// Deliver what can be delivered.
    fn pump(&mut self) {
        self.arrive();
        let (mut parcels, mut notices) = (Vec::new(), Vec::new());
        for stream in self.streams.values_mut() {
            stream.prune(self.now);
            for consumer in stream.consumers.values_mut() {
                let heard = |link, subject: &str| listens(&self.clients, &self.routes, self.now, link, subject);
                parcels.extend(consumer.pump(self.now, &stream.name, &stream.messages, heard));
                notices.extend(consumer.tell(&stream.name));
            }
        }
        for (subject, notice) in notices {
            let listens = |stream: &&mut Stream| stream.subjects().any(|pattern| matches(pattern, &subject));
            if let Some(stream) = self.streams.values_mut().find(listens) {
                stream.store(self.now, &subject, &[], notice.as_bytes());
            }
        }
        self.deliver(parcels);
        self.arrive();
    }

    /// Stored messages for one who only looks: a page of them, or one.
    fn direct(&mut self, stream: &str, body: &str, reply: &str) {
        let asked: Value = serde_json::from_str(body).unwrap_or(Value::Null);
        let Some(found) = self.streams.get(stream).filter(|stream| stream.config["allow_direct"] == true) else {
            return self.nobody(&format!("$JS.API.DIRECT.GET.{stream}"), reply);
        };
        let from = asked["seq"].as_u64().unwrap_or(1);
        let wanted = asked["next_by_subj"].as_str();
        let meant = |(sequence, message): &(&u64, &Stored)| match wanted {
            Some(pattern) => matches(pattern, &message.subject),
            None => **sequence == from,
        };
        let all: Vec<_> = found.messages.range(from..).filter(meant).collect();
        let (batch, last) = (asked["batch"].as_u64(), found.last);
        let count = all.len().min(batch.unwrap_or(1) as usize);
        let mut answers = Vec::new();
        for (index, (sequence, message)) in all.iter().take(count).enumerate() {
            let own = String::from_utf8_lossy(&message.head);
            let own = own.strip_suffix("\r\n").unwrap_or("NATS/1.0\r\n");
            let at = rfc3339(message.at.wall);
            let (left, subject) = (all.len() - index - 1, &message.subject);
            let mut head = format!("{own}Nats-Stream: {stream}\r\nNats-Subject: {subject}\r\n");
            head += &format!("Nats-Sequence: {sequence}\r\nNats-Time-Stamp: {at}\r\n");
            if batch.is_some() {
                head += &format!("Nats-Num-Pending: {left}\r\nNats-Last-Sequence: {last}\r\n");
            }
            answers.push((head + "\r\n", message.data.clone()));
        }
        if answers.is_empty() {
            answers.push(("NATS/1.0 404 Message Not Found\r\n\r\n".into(), Vec::new()));
        } else if batch.is_some() {
            let left = all.len() - count;
            let head = format!("NATS/1.0 204 EOB\r\nNats-Num-Pending: {left}\r\nNats-Last-Sequence: {last}\r\n\r\n");
            answers.push((head, Vec::new()));
        }
        for (head, data) in answers {
            self.send(reply, "", head.as_bytes(), &data);
        }
    }

    fn flush(&mut self) {
        for (link, client) in &mut self.clients {
            if !client.out.is_empty() {
                if self.trace {
                    eprintln!("{} {link} S {}", self.now.mono.0, client.out.escape_ascii());
                }
                self.said.push_back(Said::Bytes { link: *link, bytes: std::mem::take(&mut client.out) });
            }
        }
    }

    /// The subscription by which a link hears a subject; in a cluster there is one if anybody hears it.
    pub fn heard_by(&self, link: u32, subject: &str) -> Option<u32> {
        listens(&self.clients, &self.routes, self.now, link, subject)
    }

    /// Let go of what is over.
    pub fn prune(&mut self, now: Now) {
        self.streams.values_mut().for_each(|stream| stream.prune(now));
    }

    /// What was produced to a stream and is stored, in order.
    pub fn stored(&self, stream: &str) -> Vec<(u64, Option<String>, Vec<u8>)> {
        let messages = self.streams.get(stream).into_iter().flat_map(|stream| &stream.messages);
        messages.map(|(sequence, m)| (*sequence, header(&m.head, "Nats-Msg-Id"), m.data.clone())).collect()
    }
}

fn listens(
    clients: &BTreeMap<u32, Client>,
    routes: &Option<Routes>,
    now: Now,
    link: u32,
    subject: &str,
) -> Option<u32> {
    match routes {
        Some(routes) => (!routes.listeners(now.mono, subject).is_empty()).then_some(0),
        None => heard_by(clients, link, subject),
    }
}

fn heard_by(clients: &BTreeMap<u32, Client>, link: u32, subject: &str) -> Option<u32> {
    let subs = &clients.get(&link)?.subs;
    subs.iter().find(|(_, sub)| matches(&sub.subject, subject)).map(|(sid, _)| *sid)
}

/// Whether a subject is meant by a pattern with `*` for one token and `>` for the rest.
pub fn matches(pattern: &str, subject: &str) -> bool {
    let (mut wanted, mut given) = (pattern.split('.'), subject.split('.'));
    loop {
        match (wanted.next(), given.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(w), Some(g)) if w == g => {}
            _ => return false,
        }
    }
}

impl Host for Server {
    fn opened(&mut self, now: Now, link: u32) {
        self.now = now;
        let first_ping = Some(now.mono + Millis(2_000));
        self.clients.insert(link, Client { next_ping: first_ping, ..Client::default() });
        let info = self.info(false);
        self.write(link, info.as_bytes());
        self.flush();
    }

    fn bytes(&mut self, now: Now, link: u32, bytes: &[u8]) {
        self.now = now;
        if self.trace {
            eprintln!("{} {link} C {}", now.mono.0, bytes.escape_ascii());
        }
        if let Some(client) = self.clients.get_mut(&link) {
            client.buffer.extend_from_slice(bytes);
        }
        while self.command(link) {}
        self.pump();
        self.flush();
    }

    fn gone(&mut self, now: Now, link: u32) {
        self.now = now;
        self.forget(link);
        self.clients.remove(&link);
        self.pump();
        self.flush();
    }

    fn tick(&mut self, now: Now) {
        self.now = now;
        let mut stale = Vec::new();
        for (link, client) in &mut self.clients {
            if client.next_ping.is_some_and(|at| at <= now.mono) {
                client.unanswered += 1;
                client.next_ping = Some(now.mono + Millis(120_000));
                client.out.extend_from_slice(b"PING\r\n");
                if client.unanswered > 2 {
                    stale.push(*link);
                }
            }
        }
        for link in stale {
            self.error(link, "Stale Connection");
            self.hang_up(link, "Stale Connection");
        }
        self.pump();
        self.flush();
    }

    fn deadline(&self) -> Option<Time> {
        let pings = self.clients.values().filter_map(|client| client.next_ping);
        let consumers = self.streams.values().flat_map(|stream| stream.consumers.values());
        let schedules = self.streams.values().filter_map(|stream| stream.deadline());
        let routes = self.routes.as_ref().and_then(|routes| routes.deadline());
        pings.chain(consumers.filter_map(|consumer| consumer.deadline())).chain(routes).chain(schedules).min()
    }

    fn poll(&mut self) -> Option<Said> {
        self.said.pop_front()
    }
}
