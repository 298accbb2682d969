//! What a server seldom says: that a message was not stored, that nobody listens, that somebody may not publish.
//!
//! In a part of the wasm of its own, loaded when that is said for the first time; the link still stands then.

use super::super::info::{self, Complaint};
use super::super::{receipt, time, wire};
use super::{Check, NatsSession, gone};
use crate::base::bytes::{find, lossy};
use crate::base::error::{Error, Kind};
use crate::base::id::push_base36;
use crate::base::limits;
use crate::base::time::Now;
use crate::link::live::Heard;
use crate::link::outbox::Outbox;
use crate::link::session::{FeedId, Output, RouteId, Slot};

impl NatsSession {
    /// What was heard before the code for it was there.
    pub(super) fn hear_odds(&mut self, now: Now, out: &mut Outbox) {
        let odds = std::mem::take(&mut self.odds);
        let mut rest = odds.as_slice();
        while let Some((name, head, body)) =
            next(&mut rest).zip(next(&mut rest)).zip(next(&mut rest)).map(|((a, b), c)| (a, b, c))
        {
            if !name.is_empty() {
                self.receipt(now, name, head, body, out);
                continue;
            }
            let text = lossy(body);
            if let Complaint::Publish(subject) = info::complaint(&text) {
                self.denied(subject, &text);
            }
        }
    }

    /// An answer to a publish that does not say that the message was stored.
    #[inline(never)]
    pub(super) fn odd_receipt(&mut self, now: Now, slot: Slot, head: &[u8], body: &[u8], out: &mut Outbox) {
        match wire::status(head) {
            0 => self.outputs.push_back(receipt::odd(slot, body, self.json)),
            503 => {
                self.outputs.push_back(Output::NotNow(slot));
                self.suspect(now, head, out);
            }
            status => {
                let error = Error::new(Kind::Rejected, "the broker refused the message").code(status);
                self.outputs.push_back(Output::Refused(slot, error));
            }
        }
    }

    pub(super) fn check(&mut self, out: &mut Outbox, subject: &str, check: Check) {
        self.last_check = self.last_check.wrapping_add(1);
        let mut name = vec![b'.', b'I'];
        push_base36(&mut name, u64::from(self.last_check));
        wire::push_pub(out.main(), &[subject.as_bytes()], &[self.inbox.as_bytes(), &name], b"", 0);
        // Answers that never came are forgotten; few questions are open at a time.
        if self.checks.len() >= 256 {
            self.checks.remove(0);
        }
        self.checks.push((self.last_check, check));
    }

    /// The answer to what the session wanted to know.
    #[inline(never)]
    pub(super) fn checked(&mut self, now: Now, check: Check, status: u32, body: &[u8], out: &mut Outbox) {
        let code = if status == 0 {
            self.json.read(body).map(|value| value.get("error").get("err_code").whole().unwrap_or(0))
        } else {
            None
        };
        match check {
            Check::Route(id) => {
                if let Some(route) = self.routes.get_mut(id.0 as usize) {
                    route.checking = None;
                    if code == Some(10059) {
                        let error = gone(&route.station, 10059);
                        self.outputs.push_back(Output::RouteLost(id, error));
                    }
                }
            }
            Check::Feed(id) => self.feed_checked(now, id, code, out),
            Check::Rested => self.rested(),
        }
    }

    /// The first "nobody listens" for a route asks whether its stream still exists.
    fn suspect(&mut self, now: Now, head: &[u8], out: &mut Outbox) {
        let subject = wire::field(head, "Nats-Subject").map(lossy);
        let mut streams = Vec::new();
        for (index, route) in &mut self.routes {
            // Servers before 2.12 do not name the subject: then every route is asked about.
            if route.checking.is_none_or(|until| until <= now.mono)
                && subject.as_ref().is_none_or(|subject| time::leads(&route.subject, subject))
            {
                route.checking = Some(now.mono + limits::REQUEST);
                streams.push((RouteId(index as u32), route.stream.clone()));
            }
        }
        for (id, stream) in streams {
            let subject = format!("{}.STREAM.INFO.{stream}", self.prefix);
            self.check(out, &subject, Check::Route(id));
        }
    }

    /// A refused publish gets no other answer: find out whose it was.
    #[inline(never)]
    pub(super) fn denied(&mut self, subject: &str, text: &str) {
        let denied = Error::new(Kind::PermissionDenied, format!("the user may not publish to {subject}"))
            .hint("Ask for the rights that the README lists for producing and consuming.")
            .said(text);
        if let Some(at) = self.questions.iter().position(|(_, to)| to == subject) {
            let (wait, _) = self.questions.remove(at);
            self.gathered.retain(|(other, ..)| *other != wait);
            self.outputs.push_back(Output::Replied(wait, Err(denied.clone())));
            return;
        }
        let before = self.outputs.len();
        for (index, route) in &self.routes {
            if time::leads(&route.subject, subject) {
                self.outputs.push_back(Output::RouteLost(RouteId(index as u32), denied.clone().at(&route.station)));
            }
        }
        for (index, feed) in &self.feeds {
            let ends = subject.strip_suffix(feed.group.as_str()).and_then(|rest| rest.strip_suffix('.'));
            if ends.is_some_and(|rest| rest.ends_with(feed.stream.as_str()) && find(rest, ".CONSUMER.").is_some()) {
                self.outputs.push_back(Output::FeedLost(FeedId(index as u32), denied.clone().at(&feed.station)));
            }
        }
        // An acknowledgement is no live message.
        if self.outputs.len() == before && self.ears.is_used() && !subject.starts_with("$JS.") {
            self.outputs.push_back(Output::Live(Heard::Denied(subject.into(), denied.clone())));
        } else if self.outputs.len() == before {
            self.outputs.push_back(Output::Remark(denied.clone()));
        }
    }
}

/// The next part of what was put off: its length and its bytes.
fn next<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk()?;
    let (part, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *rest = after;
    Some(part)
}
