//! What a JetStream server keeps: streams, their consumers, and the decision what is delivered next.
//!
//! Behaviour as observed on nats-server 2.15.1. Knows no connections: a pull is a subject that somebody listens to.

use serde_json::{Value, json};
use stationmaster::base::time::{Millis, Now, Time, parse_rfc3339};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A stored message.
pub struct Stored {
    pub subject: String,
    pub head: Vec<u8>,
    pub data: Vec<u8>,
    pub at: Now,
    /// When it vanishes by itself.
    gone: Option<Time>,
    /// It is a schedule: when its message is stored in its place.
    due: Option<Time>,
}

/// One stream.
pub struct Stream {
    pub name: String,
    pub config: Value,
    pub created: Now,
    pub messages: BTreeMap<u64, Stored>,
    pub last: u64,
    pub consumers: BTreeMap<String, Consumer>,
    /// Ids of the window: the first copy's sequence, and when it came.
    ids: BTreeMap<String, (u64, Time)>,
}

/// A delivered message whose ack has not come.
pub struct Pending {
    pub deadline: Time,
}

/// An open pull.
pub struct Pull {
    pub link: u32,
    pub reply: String,
    pub left: u64,
    /// Bytes that may still come, where a limit was given.
    pub bytes: Option<u64>,
    pub expires: Option<Time>,
    pub heartbeat: Option<Millis>,
    pub no_wait: bool,
    pub got: u64,
    pub last: Time,
}

/// One durable pull consumer.
pub struct Consumer {
    pub name: String,
    pub config: Value,
    pub created: Now,
    /// Where it began: what lies before is none of its business.
    start: u64,
    /// The next sequence that has never been delivered.
    pub next: u64,
    pub delivered: u64,
    pub pending: BTreeMap<u64, Pending>,
    /// When a message is due again.
    pub again: BTreeSet<(Time, u64)>,
    pub deliveries: BTreeMap<u64, u32>,
    /// Settled for good.
    pub done: BTreeSet<u64>,
    /// Delivered too often: never again, and whether that has been told.
    pub dropped: BTreeMap<u64, bool>,
    pub pulls: VecDeque<Pull>,
}

/// Something for the one who pulls.
#[derive(Clone)]
pub struct Parcel {
    pub link: u32,
    pub sid: u32,
    /// What somebody has to listen to, to get it.
    pub inbox: String,
    pub subject: String,
    pub reply: String,
    pub head: Vec<u8>,
    pub data: Vec<u8>,
}

/// A duration of the configuration, which is in nanoseconds.
pub fn millis(value: &Value) -> Option<Millis> {
    value.as_u64().filter(|nanos| *nanos > 0).map(|nanos| Millis((nanos / 1_000_000).max(1)))
}

/// A limit of the configuration, where -1 and 0 mean none.
fn limit(value: &Value) -> Option<u64> {
    value.as_i64().filter(|limit| *limit > 0).map(|limit| limit as u64)
}

impl Stream {
    pub fn new(name: &str, config: Value, now: Now) -> Stream {
        Stream {
            name: name.into(),
            config,
            created: now,
            messages: BTreeMap::new(),
            last: 0,
            consumers: BTreeMap::new(),
            ids: BTreeMap::new(),
        }
    }

    pub fn subjects(&self) -> impl Iterator<Item = &str> {
        self.config["subjects"].as_array().into_iter().flatten().filter_map(Value::as_str)
    }

    /// Store a message; its sequence, and whether the id was known.
    pub fn store(&mut self, now: Now, subject: &str, head: &[u8], data: &[u8]) -> (u64, bool) {
        let window = millis(&self.config["duplicate_window"]).unwrap_or(Millis(120_000));
        self.ids.retain(|_, (_, at)| now.mono.since(*at) < window);
        let id = header(head, "Nats-Msg-Id").filter(|id| !id.is_empty());
        if let Some((sequence, _)) = id.as_ref().and_then(|id| self.ids.get(id)) {
            return (*sequence, true);
        }
        self.last += 1;
        if let Some(id) = id {
            self.ids.insert(id, (self.last, now.mono));
        }
        if self.config["retention"] != "interest" || !self.consumers.is_empty() {
            let seconds = |text: String| text.strip_suffix('s').and_then(|text| text.parse::<u64>().ok());
            let gone = header(head, "Nats-TTL").and_then(seconds).map(|span| now.mono + Millis(span * 1000));
            let due = header(head, "Nats-Schedule").and_then(|text| parse_rfc3339(text.strip_prefix("@at ")?));
            let due = due.map(|at| now.mono + Millis(at.0.saturating_sub(now.wall.0).div_ceil(1_000_000)));
            let message = Stored { subject: subject.into(), head: head.into(), data: data.into(), at: now, gone, due };
            self.messages.insert(self.last, message);
        }
        self.prune(now);
        (self.last, false)
    }

    /// Let go of what the limits do not keep.
    pub fn prune(&mut self, now: Now) {
        self.messages.retain(|_, message| message.gone.is_none_or(|at| at > now.mono));
        self.appear(now);
        if let Some(age) = millis(&self.config["max_age"]) {
            self.messages.retain(|_, message| now.mono.since(message.at.mono) < age);
        }
        if let Some(most) = limit(&self.config["max_msgs"]) {
            while self.messages.len() as u64 > most {
                self.messages.pop_first();
            }
        }
        if let Some(most) = limit(&self.config["max_bytes"]) {
            while self.bytes() > most {
                self.messages.pop_first();
            }
        }
        if self.config["retention"] == "interest" {
            let consumers = &self.consumers;
            self.messages.retain(|sequence, _| !consumers.values().all(|consumer| consumer.is_done(*sequence)));
        }
    }

    /// Schedules whose time has come: the message is stored behind all others, and the schedule forgotten with the id.
    fn appear(&mut self, now: Now) {
        let come = |message: &Stored| message.due.is_some_and(|at| at <= now.mono);
        while let Some(sequence) = self.messages.iter().find(|(_, message)| come(message)).map(|(at, _)| *at) {
            let Some(Stored { subject, head, data, .. }) = self.messages.remove(&sequence) else { return };
            let text = String::from_utf8_lossy(&head).into_owned();
            let own = |line: &&str| !line.starts_with("Nats-") && !line.is_empty();
            let mut lines: Vec<String> = text.split("\r\n").filter(own).map(String::from).collect();
            lines.push(format!("Nats-Scheduler: {subject}"));
            lines.extend(header(&head, "Nats-Schedule-TTL").map(|span| format!("Nats-TTL: {span}")));
            let target = header(&head, "Nats-Schedule-Target").unwrap_or_default();
            self.store(now, &target, format!("{}\r\n\r\n", lines.join("\r\n")).as_bytes(), &data);
        }
    }

    /// When the next schedule is due.
    pub fn deadline(&self) -> Option<Time> {
        self.messages.values().filter_map(|message| message.due).min()
    }

    /// Why this message is not taken, if so.
    pub fn refuses(&self, head: &[u8]) -> Option<(u32, &'static str)> {
        let lacks = |field: &str, flag: &str| header(head, field).is_some() && self.config[flag] != true;
        if lacks("Nats-TTL", "allow_msg_ttl") {
            return Some((10166, "per-message TTL is disabled"));
        }
        lacks("Nats-Schedule", "allow_msg_schedules").then_some((10188, "message schedules is disabled"))
    }

    pub fn bytes(&self) -> u64 {
        self.messages.values().map(|m| (m.subject.len() + m.head.len() + m.data.len() + 30) as u64).sum()
    }

    pub fn first(&self) -> u64 {
        match self.messages.keys().next() {
            Some(first) => *first,
            None if self.last == 0 => 0,
            None => self.last + 1,
        }
    }
}

impl Consumer {
    pub fn new(name: &str, config: Value, stream: &Stream, now: Now) -> Consumer {
        let next = match config["deliver_policy"].as_str() {
            Some("new") => stream.last + 1,
            Some("last") => stream.last.max(1),
            Some("by_start_sequence") => config["opt_start_seq"].as_u64().unwrap_or(1),
            Some("by_start_time") => {
                let text = config["opt_start_time"].as_str().unwrap_or_default();
                let start = stationmaster::base::time::parse_rfc3339(text).map_or(0, |at| at.0);
                let found = stream.messages.iter().find(|(_, m)| m.at.wall.0 >= start);
                found.map_or(stream.last + 1, |(sequence, _)| *sequence)
            }
            _ => 1,
        };
        Consumer {
            name: name.into(),
            config,
            created: now,
            start: next,
            next,
            delivered: 0,
            pending: BTreeMap::new(),
            again: BTreeSet::new(),
            deliveries: BTreeMap::new(),
            done: BTreeSet::new(),
            dropped: BTreeMap::new(),
            pulls: VecDeque::new(),
        }
    }

    pub fn acks(&self) -> bool {
        self.config["ack_policy"] != "none"
    }

    fn ack_wait(&self) -> Millis {
        millis(&self.config["ack_wait"]).unwrap_or(Millis(30_000))
    }

    fn is_done(&self, sequence: u64) -> bool {
        sequence < self.start || if self.acks() { self.done.contains(&sequence) } else { sequence < self.next }
    }

    /// Everything up to here is settled.
    pub fn floor(&self, stream_first: u64) -> u64 {
        if !self.acks() {
            return self.next.saturating_sub(1);
        }
        let open = self.pending.keys().chain(self.again.iter().map(|(_, sequence)| sequence)).min();
        let delivered = self.deliveries.keys().next_back().copied().unwrap_or(0).max(stream_first.saturating_sub(1));
        open.map_or(delivered, |open| open - 1)
    }

    /// Messages that have never been delivered.
    pub fn waiting(&self, messages: &BTreeMap<u64, Stored>) -> u64 {
        messages.range(self.next..).filter(|(_, message)| self.wants(message)).count() as u64
    }

    fn wants(&self, message: &Stored) -> bool {
        self.config["filter_subject"].as_str().is_none_or(|filter| filter == message.subject)
    }

    /// What a member says about a message.
    pub fn settle(&mut self, now: Now, sequence: u64, body: &str) {
        let known = self.pending.contains_key(&sequence) || self.again.iter().any(|(_, s)| *s == sequence);
        if !known {
            return;
        }
        let verb = body.split([' ', '{']).next().unwrap_or_default();
        match verb {
            "" | "+ACK" | "+OK" | "+TERM" | "+NXT" => {
                self.drop_open(sequence);
                self.done.insert(sequence);
            }
            "-NAK" => {
                let delay = body.find('{').and_then(|at| serde_json::from_str::<Value>(&body[at..]).ok());
                let delay = delay.and_then(|value| millis(&value["delay"])).unwrap_or(Millis(0));
                self.drop_open(sequence);
                self.again.insert((now.mono + delay, sequence));
            }
            "+WPI" => {
                let deadline = now.mono + self.ack_wait();
                if let Some(pending) = self.pending.get_mut(&sequence) {
                    pending.deadline = deadline;
                }
            }
            _ => {}
        }
    }

    fn drop_open(&mut self, sequence: u64) {
        self.pending.remove(&sequence);
        self.again.retain(|(_, s)| *s != sequence);
    }

    /// Deliver what can be delivered, and end what has ended. `sid` finds the subscription that a pull's subject is
    /// heard by; without one the pull is dropped in silence.
    pub fn pump(
        &mut self,
        now: Now,
        stream: &str,
        messages: &BTreeMap<u64, Stored>,
        sid: impl Fn(u32, &str) -> Option<u32>,
    ) -> Vec<Parcel> {
        let mut out = Vec::new();
        let late: Vec<u64> = self.pending.iter().filter(|(_, p)| p.deadline <= now.mono).map(|(s, _)| *s).collect();
        for sequence in late {
            self.pending.remove(&sequence);
            self.again.insert((now.mono, sequence));
        }
        self.again.retain(|(_, sequence)| messages.contains_key(sequence));
        self.pulls.retain(|pull| sid(pull.link, &pull.reply).is_some());
        self.expire(now, &sid, &mut out);
        while let Some(sequence) = self.next_sequence(now, messages) {
            let message = &messages[&sequence];
            let Some(mut pull) = self.pulls.pop_front() else { break };
            let (link, heard_by) = (pull.link, sid(pull.link, &pull.reply).unwrap_or_default());
            let deliveries = self.deliveries.get(&sequence).copied().unwrap_or(0) + 1;
            let left_over = self.waiting(messages).saturating_sub(u64::from(sequence >= self.next));
            let reply = format!(
                "$JS.ACK.{stream}.{}.{deliveries}.{sequence}.{}.{}.{left_over}",
                self.name,
                self.delivered + 1,
                message.at.wall.0
            );
            let size = (message.subject.len() + reply.len() + message.head.len() + message.data.len()) as u64;
            if pull.bytes.is_some_and(|bytes| bytes < size) {
                out.push(status(&pull, heard_by, "409 Message Size Exceeds MaxBytes", true));
                continue;
            }
            self.delivered += 1;
            self.deliveries.insert(sequence, deliveries);
            self.again.retain(|(_, s)| *s != sequence);
            self.next = self.next.max(sequence + 1);
            if self.acks() {
                let deadline = now.mono + self.ack_wait();
                self.pending.insert(sequence, Pending { deadline });
            }
            out.push(Parcel {
                link,
                sid: heard_by,
                inbox: pull.reply.clone(),
                subject: message.subject.clone(),
                reply,
                head: message.head.clone(),
                data: message.data.clone(),
            });
            pull.left -= 1;
            pull.got += 1;
            pull.last = now.mono;
            pull.bytes = pull.bytes.map(|bytes| bytes - size);
            match (pull.left, pull.bytes) {
                (0, Some(_)) => out.push(status(&pull, heard_by, "409 Batch Completed", true)),
                (0, None) => {}
                _ => self.pulls.push_back(pull),
            }
        }
        self.end_without_waiting(&sid, &mut out);
        out
    }

    /// What would be delivered next: repeats that are due before what is new.
    fn next_sequence(&mut self, now: Now, messages: &BTreeMap<u64, Stored>) -> Option<u64> {
        let most = limit(&self.config["max_deliver"]);
        loop {
            match self.again.first().copied().filter(|(due, _)| *due <= now.mono) {
                Some((due, sequence)) => {
                    let count = u64::from(self.deliveries.get(&sequence).copied().unwrap_or(0));
                    if most.is_some_and(|most| count >= most) {
                        self.again.remove(&(due, sequence));
                        self.dropped.insert(sequence, false);
                        continue;
                    }
                    return Some(sequence);
                }
                None => {
                    let mut new = messages.range(self.next..);
                    return new.find(|(_, message)| self.wants(message)).map(|(sequence, _)| *sequence);
                }
            }
        }
    }

    /// What the server tells of messages that it has dropped, once: where, and what.
    pub fn tell(&mut self, stream: &str) -> Vec<(String, String)> {
        let mut notices = Vec::new();
        for (sequence, told) in self.dropped.iter_mut().filter(|(_, told)| !**told) {
            *told = true;
            let subject = format!("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.{stream}.{}", self.name);
            let deliveries = self.deliveries.get(sequence).copied().unwrap_or(0);
            let notice = json!({
                "type": "io.nats.jetstream.advisory.v1.max_deliver", "id": "x", "timestamp": "2026-11-21T06:50:47.349412882Z",
                "stream": stream, "consumer": self.name, "stream_seq": sequence, "deliveries": deliveries
            });
            notices.push((subject, notice.to_string()));
        }
        notices
    }

    fn expire(&mut self, now: Now, sid: &impl Fn(u32, &str) -> Option<u32>, out: &mut Vec<Parcel>) {
        let (delivered, next) = (self.delivered, self.next);
        self.pulls.retain_mut(|pull| {
            let heard_by = sid(pull.link, &pull.reply).unwrap_or_default();
            if pull.expires.is_some_and(|at| at <= now.mono) {
                out.push(status(pull, heard_by, "408 Request Timeout", true));
                return false;
            }
            if pull.heartbeat.is_some_and(|span| pull.last + span <= now.mono) {
                pull.last = now.mono;
                let last =
                    format!("100 Idle Heartbeat\r\nNats-Last-Consumer: {delivered}\r\nNats-Last-Stream: {}", next - 1);
                out.push(status(pull, heard_by, &last, false));
            }
            true
        });
    }

    /// Pulls that do not wait end when there is nothing more; those with a time wait for the first message.
    fn end_without_waiting(&mut self, sid: &impl Fn(u32, &str) -> Option<u32>, out: &mut Vec<Parcel>) {
        self.pulls.retain(|pull| {
            let over = pull.no_wait && (pull.expires.is_none() || pull.got > 0);
            if over {
                let heard_by = sid(pull.link, &pull.reply).unwrap_or_default();
                out.push(status(pull, heard_by, "404 No Messages", false));
            }
            !over
        });
    }

    /// End every pull with a status that tells no counts.
    pub fn end_pulls(&mut self, text: &str, sid: impl Fn(u32, &str) -> Option<u32>) -> Vec<Parcel> {
        let ended = self.pulls.drain(..);
        ended.filter_map(|pull| Some(status(&pull, sid(pull.link, &pull.reply)?, text, false))).collect()
    }

    pub fn deadline(&self) -> Option<Time> {
        let pending = self.pending.values().map(|pending| pending.deadline);
        let pulls = self.pulls.iter().filter_map(|pull| pull.expires);
        let beats = self.pulls.iter().filter_map(|pull| pull.heartbeat.map(|span| pull.last + span));
        let again = self.again.iter().map(|(due, _)| *due).filter(|_| !self.pulls.is_empty());
        pending.chain(pulls).chain(beats).chain(again).min()
    }
}

/// A status message to a pull's own subject.
fn status(pull: &Pull, sid: u32, text: &str, counts: bool) -> Parcel {
    let mut head = format!("NATS/1.0 {text}\r\n");
    if counts {
        head += &format!("Nats-Pending-Messages: {}\r\nNats-Pending-Bytes: {}\r\n", pull.left, pull.bytes.unwrap_or(0));
    }
    head += "\r\n";
    let (inbox, subject, reply) = (pull.reply.clone(), pull.reply.clone(), String::new());
    Parcel { link: pull.link, sid, inbox, subject, reply, head: head.into_bytes(), data: Vec::new() }
}

/// The value of a header field, by its exact name.
pub fn header(head: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(head);
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.strip_prefix(' ').unwrap_or(line).to_string())
}
