//! A link changes hands: what one session has logged in on, another goes on with.

use super::super::info::Info;
use super::super::wire::Deframer;
use super::pings::Ears;
use super::sharing::Kept;
use super::{NatsSession, Phase};
use crate::base::time::Now;
use crate::link::outbox::Outbox;
use crate::link::session::Login;
use std::any::Any;

/// What belongs to a link, and not to those who use it.
struct Link {
    login: Login,
    deframer: Deframer,
    info: Info,
    inbox: String,
    ears: Ears,
    kept: Option<Kept>,
}

impl NatsSession {
    /// One that logs in on another link.
    pub(super) fn another(&self) -> NatsSession {
        NatsSession::new(self.json, &self.prefix).with_inbox(&self.inbox_prefix)
    }

    pub(super) fn link(&mut self) -> Option<Box<dyn Any>> {
        (self.phase == Phase::Up).then(|| {
            self.phase = Phase::Idle;
            let link = Link {
                login: std::mem::take(&mut self.login),
                deframer: std::mem::take(&mut self.deframer),
                info: std::mem::take(&mut self.info),
                inbox: std::mem::take(&mut self.inbox),
                ears: std::mem::take(&mut self.ears),
                kept: self.kept.take(),
            };
            Box::new(link) as Box<dyn Any>
        })
    }

    pub(super) fn go_on_with(&mut self, now: Now, link: Box<dyn Any>, out: &mut Outbox) {
        if let Ok(link) = link.downcast::<Link>() {
            let Link { login, deframer, info, inbox, ears, kept } = *link;
            (self.login, self.deframer, self.info, self.inbox) = (login, deframer, info, inbox);
            // What was put off was said on the link before.
            self.odds.clear();
            if ears.is_used() {
                self.hear_on(ears, out);
            } else {
                self.ears.pings = ears.pings;
            }
            self.up(out);
            if let Some(kept) = kept.filter(|_| !self.feeds.is_empty()) {
                self.go_on_with_feeds(now, kept, out);
            }
        }
    }
}
