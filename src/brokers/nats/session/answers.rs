//! Answers on the inbox: receipts of publishes, replies to questions, and what the session itself wanted to know.

use super::super::{page, receipt, time, wire};
use super::{Check, NatsSession, gone};
use crate::base::error::{Error, Kind};
use crate::base::id::{parse_base36, push_base36};
use crate::base::limits;
use crate::base::time::Now;
use crate::link::outbox::Outbox;
use crate::link::session::{Output, Reply, RouteId, Slot, WaitId};

impl NatsSession {
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

    /// An answer on `<inbox>.<name>`.
    pub(super) fn answer(&mut self, now: Now, name: &[u8], head: &[u8], body: &[u8], out: &mut Outbox) {
        match name.split_first() {
            Some((b'R', id)) => {
                let Some(wait) = parse_base36(id).and_then(|id| u32::try_from(id).ok()).map(WaitId) else { return };
                let mut body = body.to_vec();
                if let Some(at) = self.gathered.iter().position(|(other, _)| *other == wait) {
                    if self.gathered.get_mut(at).is_some_and(|(_, page)| page::gather(page, head, &body)) {
                        return;
                    }
                    body = self.gathered.swap_remove(at).1;
                }
                self.questions.retain(|(other, _)| *other != wait);
                let reply = Reply { status: wire::status(head), head: head.to_vec(), body };
                self.outputs.push_back(Output::Replied(wait, Ok(reply)));
            }
            Some((b'I', id)) => {
                let id = parse_base36(id);
                if let Some(at) = self.checks.iter().position(|(check, _)| id == Some(u64::from(*check))) {
                    let (_, check) = self.checks.swap_remove(at);
                    self.checked(now, check, wire::status(head), body, out);
                }
            }
            Some(_) => self.receipt(now, name, head, body, out),
            None => {}
        }
    }

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
        }
    }

    /// An answer to a publish: `<slot>` or `<slot>-<generation>`.
    pub(super) fn receipt(&mut self, now: Now, name: &[u8], head: &[u8], body: &[u8], out: &mut Outbox) {
        let mut parts = name.splitn(2, |byte| *byte == b'-');
        let slot = parts.next().and_then(parse_base36).and_then(|slot| u32::try_from(slot).ok());
        let generation = parts.next().map_or(Some(0), parse_base36);
        let Some(slot) = slot else { return };
        let current = self.generations.get(slot as usize).copied().unwrap_or(0);
        if generation != Some(u64::from(current)) {
            return;
        }
        let slot = Slot(slot);
        match wire::status(head) {
            0 => {}
            503 => {
                self.outputs.push_back(Output::NotNow(slot));
                return self.suspect(now, head, out);
            }
            status => {
                let error = Error::new(Kind::Rejected, "the broker refused the message").code(status);
                return self.outputs.push_back(Output::Refused(slot, error));
            }
        }
        self.outputs.push_back(receipt::read(slot, body, self.json));
    }

    /// The first "nobody listens" for a route asks whether its stream still exists.
    pub(super) fn suspect(&mut self, now: Now, head: &[u8], out: &mut Outbox) {
        let subject = wire::field(head, "Nats-Subject").map(|subject| String::from_utf8_lossy(subject).into_owned());
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
}
