//! The pulls of one feed: what has been asked for, which statuses end it, and what silence means.
//!
//! The server keeps open pulls and says little about them: a pull that is served in full just ends, one that dies with
//! its leader says nothing at all. So only the sum of what is outstanding is known, statuses correct it, and heartbeats
//! show that somebody still listens (jetstream.md sections 4.3 to 4.5).
//!
//! Writes no bytes and knows no subjects; the session does.

use crate::base::limits;
use crate::base::time::{Millis, Time, earliest};
use crate::link::session::{Ask, Wait};

/// A pull as it goes to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pull {
    /// Its number within the feed; its reply subject ends in it.
    pub id: u32,
    /// At most so many messages.
    pub batch: u32,
    /// At most so many bytes; 0 for no limit.
    pub bytes: u64,
    /// How long the server keeps it; `None` with `no_wait`.
    pub expires: Option<Millis>,
    /// How often the server shows that it lives; `None` for short ones.
    pub heartbeat: Option<Millis>,
}

/// What an input means for the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Nothing,
    /// Less is outstanding than before.
    Room,
    /// Everything that was asked for with an end has ended.
    Over,
    /// Ask the server whether the group is still there.
    Check,
    /// What was asked for with an end has ended without a word: the group may be gone.
    Unanswered,
    /// The server refuses pulls of this kind.
    Refused(&'static str),
}

#[derive(Clone, Copy, Debug)]
struct Open {
    id: u32,
    batch: u32,
    /// How many of its messages have not come; attributed to the oldest pull first.
    left: u32,
    wait: Wait,
    /// When the server ends it, by our clock.
    over_at: Time,
}

/// The pulls of one feed.
#[derive(Debug, Default)]
pub struct Pulls {
    open: Vec<Open>,
    last: u32,
    /// To be pulled when the pause is over.
    deferred: Option<(Ask, Time)>,
    pause_until: Option<Time>,
    pauses: u32,
    heard: Option<Time>,
    /// The server was asked whether the group is there; until when it may answer.
    checking: Option<Time>,
    /// Pulls were given up without the server's word that they are dead: they must not be served any more.
    renew: bool,
    /// So many subscriptions were given up with pulls, and the server has not said yet that it knows: what it sent before
    /// still comes, and counts for what is asked for next.
    settling: u32,
    /// The next message alone is larger than the byte limit: ask for one without a limit.
    oversize: bool,
    /// The group's own limit of a pull, where it has one.
    most: Option<u32>,
    /// The server may say nothing at all to a pull for a group that is gone.
    silent: bool,
}

impl Pulls {
    /// None yet. `silent`: the server may say nothing at all to a pull for a group that is gone.
    pub fn new(silent: bool) -> Pulls {
        Pulls { silent, ..Pulls::default() }
    }

    /// How many messages have been asked for and not come.
    pub fn asked(&self) -> u32 {
        let deferred = self.deferred.map_or(0, |(ask, _)| ask.messages);
        self.open.iter().fold(deferred, |sum, open| sum.saturating_add(open.left))
    }

    /// Whether the subscription has to be made anew, so that pulls that were given up bring nothing.
    pub fn take_renew(&mut self) -> bool {
        std::mem::take(&mut self.renew)
    }

    /// Ask for messages. `None` while there is a pause; the ask is kept for its end.
    pub fn ask(&mut self, now: Time, ask: Ask) -> Option<Pull> {
        if self.pause_until.is_some_and(|until| until > now) || self.checking.is_some() || self.settling > 0 {
            self.defer(now, ask);
            // With the pause's end, or the server's word, whichever comes last.
            self.pause_until.get_or_insert(now);
            return None;
        }
        Some(self.pull(now, ask))
    }

    fn defer(&mut self, now: Time, ask: Ask) {
        let end = match ask.wait {
            Wait::For(span) => now + span,
            Wait::No | Wait::Standing => now + limits::PULL_EXPIRES,
        };
        self.deferred = Some(match self.deferred {
            None => (ask, end),
            Some((old, old_end)) => {
                let wait = if old.wait == Wait::Standing { Wait::Standing } else { ask.wait };
                (
                    Ask { messages: old.messages.saturating_add(ask.messages), bytes: old.bytes.max(ask.bytes), wait },
                    old_end.max(end),
                )
            }
        });
    }

    fn pull(&mut self, now: Time, ask: Ask) -> Pull {
        let (batch, bytes) = match (self.oversize && ask.bytes > 0, self.most) {
            (true, _) => (1, 0),
            (false, most) => (ask.messages.min(most.unwrap_or(u32::MAX)), ask.bytes),
        };
        self.oversize = false;
        let expires = match ask.wait {
            Wait::No => None,
            Wait::For(span) => Some(Millis(span.0.max(1))),
            Wait::Standing => Some(limits::PULL_EXPIRES),
        };
        // A heartbeat is at most half of the pull's time; short pulls end soon enough by themselves.
        let heartbeat = expires.filter(|span| span.0 >= 2000).map(|span| span.half().min(limits::PULL_HEARTBEAT));
        self.last = self.last.wrapping_add(1);
        let over_at = now + expires.unwrap_or(if self.silent { limits::SILENT_PULL } else { limits::REQUEST });
        self.open.push(Open { id: self.last, batch, left: batch, wait: ask.wait, over_at });
        self.heard = Some(now);
        Pull { id: self.last, batch, bytes, expires, heartbeat }
    }

    /// A message came.
    pub fn message(&mut self, now: Time) -> Effect {
        self.heard = Some(now);
        self.pauses = 0;
        if let Some(open) = self.open.iter_mut().find(|open| open.left > 0) {
            open.left = open.left.saturating_sub(1);
        }
        self.full()
    }

    /// A pull that is served in full says nothing: when nothing is left of any, all are over.
    fn full(&mut self) -> Effect {
        if self.open.is_empty() || self.open.iter().any(|open| open.left > 0) {
            return Effect::Nothing;
        }
        let ends = self.open.iter().any(|open| open.wait != Wait::Standing);
        self.open.clear();
        if ends { Effect::Over } else { Effect::Nothing }
    }

    /// A status came for a pull. `pending` is the number of messages it had left, where the server told.
    pub fn status(&mut self, now: Time, id: u32, code: u32, text: &[u8], pending: Option<u32>, jitter: u32) -> Effect {
        self.heard = Some(now);
        if code == 100 {
            return Effect::Nothing;
        }
        let Some(at) = self.open.iter().position(|open| open.id == id) else { return Effect::Nothing };
        let starts = |word: &[u8]| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        match (code, pending) {
            (409, None) if starts(b"Leadership") || starts(b"Server Shutdown") => {
                self.again(now, Millis(u64::from(jitter % 250)));
                Effect::Nothing
            }
            (409, None) if starts(b"Consumer Deleted") => {
                self.again(now, limits::REQUEST);
                self.check(now)
            }
            (409, None) if starts(b"Exceeded MaxWaiting") => {
                self.again(now, Millis(1000));
                Effect::Nothing
            }
            (409, None) if starts(b"Exceeded MaxRequestBatch") => {
                let digits = text.rsplit(|byte| *byte == b' ').next().and_then(crate::base::bytes::parse_decimal);
                self.most = digits.and_then(|most| u32::try_from(most).ok()).filter(|most| *most > 0).or(Some(1));
                self.again(now, Millis(0));
                Effect::Nothing
            }
            (409, None) if starts(b"Exceeded") => {
                Effect::Refused("the group's own limits refuse the pulls of this client")
            }
            (409, None) if starts(b"Consumer is push") => Effect::Refused("the group is a push consumer"),
            (503, _) => {
                self.backoff(now);
                self.check(now)
            }
            (400, _) => Effect::Refused("the broker did not understand a pull"),
            (412 | 423, _) => Effect::Refused("the group wants pulls that this client does not make"),
            _ => self.over(at, text, pending),
        }
    }

    fn over(&mut self, at: usize, text: &[u8], pending: Option<u32>) -> Effect {
        let open = self.open.remove(at);
        // Which pull a message was for is not known, only the sum: what this one had left in truth corrects the others.
        let pending = pending.unwrap_or(open.left);
        let mut more = open.left.saturating_sub(pending);
        let mut less = pending.saturating_sub(open.left);
        for other in &mut self.open {
            let taken = less.min(other.left);
            other.left = other.left.saturating_sub(taken).saturating_add(more);
            less = less.saturating_sub(taken);
            more = 0;
        }
        if open.left == open.batch && text.starts_with(b"Message Size Exceeds") {
            self.oversize = true;
        }
        let effect = if open.wait == Wait::Standing { Effect::Room } else { Effect::Over };
        if self.full() == Effect::Over { Effect::Over } else { effect }
    }

    fn check(&mut self, now: Time) -> Effect {
        if self.checking.is_some() {
            return Effect::Nothing;
        }
        self.checking = Some(now + limits::REQUEST);
        Effect::Check
    }

    /// The group is still there: what was asked for is asked for again.
    pub fn checked(&mut self, now: Time) {
        if self.checking.take().is_some() {
            self.again(now, Millis(0));
            self.pause_until = Some(now);
        }
    }

    /// Nobody could say: try again later.
    pub fn unchecked(&mut self, now: Time) {
        if self.checking.take().is_some() {
            self.backoff(now);
        }
    }

    fn backoff(&mut self, now: Time) {
        self.pauses = self.pauses.saturating_add(1);
        let pause = 250u64.saturating_mul(1u64 << self.pauses.min(4));
        self.again(now, Millis(pause));
    }

    /// Every open pull is dead: ask for the same again after a pause.
    fn again(&mut self, now: Time, pause: Millis) {
        let until = now + pause;
        self.pause_until = Some(self.pause_until.map_or(until, |old| old.max(until)));
        let standing = self.open.iter().any(|open| open.wait == Wait::Standing);
        let end = self.open.iter().map(|open| open.over_at).max();
        let messages = self.open.iter().fold(0u32, |sum, open| sum.saturating_add(open.left));
        self.open.clear();
        self.renew = true;
        if let Some(end) = end {
            let wait = if standing { Wait::Standing } else { Wait::For(end.since(now)) };
            self.defer(now, Ask { messages, bytes: 0, wait });
        }
    }

    /// A subscription was given up, and a sign of life was asked for behind it.
    pub fn given_up(&mut self) {
        self.settling = self.settling.saturating_add(1);
    }

    /// The server knows that a subscription was given up: nothing of its comes any more. What waited for that may be due.
    pub fn settled(&mut self, now: Time) -> Option<Pull> {
        self.settling = self.settling.saturating_sub(1);
        self.resume(now)
    }

    /// A message came by a subscription that was given up. It is one of those that are asked for next.
    pub fn stray(&mut self) -> Effect {
        let Some((ask, _)) = &mut self.deferred else { return Effect::Nothing };
        ask.messages = ask.messages.saturating_sub(1);
        if ask.messages > 0 {
            return Effect::Nothing;
        }
        let ends = ask.wait != Wait::Standing;
        self.deferred = None;
        if ends { Effect::Over } else { Effect::Room }
    }

    /// The connection is gone, and the pulls with it. What was asked for with an end is over; the rest is asked for
    /// anew by whoever wants it.
    pub fn link_lost(&mut self) {
        *self = Pulls { last: self.last, most: self.most, silent: self.silent, ..Pulls::default() };
    }

    /// Everything has been taken back.
    pub fn withdraw(&mut self) {
        let Pulls { last, most, silent, settling, .. } = *self;
        *self = Pulls { last, most, silent, settling, ..Pulls::default() };
    }

    /// When it wants [`Pulls::tick`].
    pub fn deadline(&self) -> Option<Time> {
        if self.checking.is_some() {
            return self.checking;
        }
        let resume = self.deferred.and(self.pause_until).filter(|_| self.settling == 0);
        let ends = self.open.iter().map(|open| self.given_up_at(open)).min();
        earliest(earliest(resume, ends), self.silence())
    }

    /// When nothing is expected any more of a pull that the server said nothing about.
    fn given_up_at(&self, open: &Open) -> Time {
        open.over_at + if self.silent && open.wait != Wait::Standing { limits::SILENT_PULL } else { limits::REQUEST }
    }

    /// When two heartbeats have been missed.
    fn silence(&self) -> Option<Time> {
        let beats = self.open.iter().any(|open| open.wait == Wait::Standing);
        self.heard
            .filter(|_| beats && self.asked() > 0)
            .map(|heard| heard + limits::PULL_HEARTBEAT + limits::PULL_HEARTBEAT)
    }

    /// Time has passed. A pull may be due now, and something may have happened.
    pub fn tick(&mut self, now: Time) -> (Option<Pull>, Effect) {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return (None, Effect::Nothing);
        }
        if self.checking.is_some() {
            self.unchecked(now);
            return (None, Effect::Nothing);
        }
        if let Some(silence) = self.silence().filter(|silence| *silence <= now) {
            if now.since(silence) > limits::ASLEEP {
                // The page was asleep: what the server sent meanwhile is still to be read.
                self.heard = Some(now);
            } else {
                return (None, self.check(now));
            }
        }
        let before = self.open.len();
        let open = std::mem::take(&mut self.open);
        self.open = open.into_iter().filter(|open| self.given_up_at(open) > now).collect();
        let effect = match self.open.len() < before {
            false => Effect::Nothing,
            true if self.silent && self.check(now) == Effect::Check => Effect::Unanswered,
            true => Effect::Over,
        };
        (self.resume(now), effect)
    }

    /// What was held back, if nothing holds it back any more.
    fn resume(&mut self, now: Time) -> Option<Pull> {
        if self.settling > 0 || self.checking.is_some() || self.pause_until.is_none_or(|until| until > now) {
            return None;
        }
        self.pause_until = None;
        let (mut ask, end) = self.deferred.take()?;
        if let Wait::For(_) = ask.wait {
            ask.wait = Wait::For(end.since(now));
        }
        (ask.messages > 0).then(|| self.pull(now, ask))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(messages: u32) -> Ask {
        Ask { messages, bytes: 0, wait: Wait::Standing }
    }

    fn fetch(messages: u32, span: u64) -> Ask {
        Ask { messages, bytes: 0, wait: Wait::For(Millis(span)) }
    }

    #[test]
    fn a_standing_pull_has_heartbeats_and_ends_with_room() {
        let mut pulls = Pulls::default();
        let pull = pulls.ask(Time(0), standing(100)).unwrap();
        assert_eq!((pull.expires, pull.heartbeat), (Some(Millis(30_000)), Some(Millis(5000))));
        pulls.message(Time(1));
        assert_eq!(pulls.asked(), 99);
        assert_eq!(pulls.status(Time(30_000), pull.id, 408, b"Request Timeout", Some(99), 0), Effect::Room);
        assert_eq!(pulls.asked(), 0);
        assert_eq!(pulls.deadline(), None, "nothing is open any more");
    }

    #[test]
    fn a_full_fetch_is_over_without_a_status() {
        let mut pulls = Pulls::default();
        pulls.ask(Time(0), fetch(2, 500)).unwrap();
        assert_eq!(pulls.message(Time(1)), Effect::Nothing);
        assert_eq!(pulls.message(Time(1)), Effect::Over);
    }

    #[test]
    fn a_leader_change_asks_again_for_the_rest() {
        let mut pulls = Pulls::default();
        let pull = pulls.ask(Time(0), standing(10)).unwrap();
        pulls.message(Time(1));
        pulls.status(Time(2), pull.id, 409, b"Leadership Change", None, 40);
        assert_eq!(pulls.asked(), 9);
        assert_eq!(pulls.deadline(), Some(Time(42)));
        assert!(pulls.ask(Time(3), standing(1)).is_none(), "a pause holds everything back");
        let (again, _) = pulls.tick(Time(42));
        assert_eq!(again.map(|pull| pull.batch), Some(10));
        assert_eq!(pulls.status(Time(43), pull.id, 408, b"", Some(9), 0), Effect::Nothing, "a status of the old pull");
    }

    #[test]
    fn what_a_given_up_subscription_still_brings_counts_for_the_next_pull() {
        let mut pulls = Pulls::default();
        pulls.ask(Time(0), standing(10)).unwrap();
        pulls.withdraw();
        pulls.given_up();
        assert!(pulls.ask(Time(1), standing(10)).is_none(), "not before the server knows");
        assert_eq!((pulls.stray(), pulls.stray()), (Effect::Nothing, Effect::Nothing));
        assert_eq!((pulls.asked(), pulls.deadline()), (8, None));
        assert_eq!(pulls.settled(Time(5)).map(|pull| pull.batch), Some(8));
        // All of a fetch came that way.
        let mut pulls = Pulls::default();
        pulls.given_up();
        pulls.given_up();
        assert!(pulls.ask(Time(0), fetch(1, 500)).is_none());
        assert_eq!(pulls.stray(), Effect::Over);
        assert_eq!((pulls.settled(Time(5)), pulls.settled(Time(6)), pulls.asked()), (None, None, 0));
        assert!(pulls.ask(Time(7), fetch(1, 500)).is_some());
        // A pause goes on after the server's word.
        let mut pulls = Pulls::default();
        let pull = pulls.ask(Time(0), standing(10)).unwrap();
        pulls.status(Time(2), pull.id, 409, b"Leadership Change", None, 40);
        pulls.given_up();
        assert_eq!(pulls.settled(Time(5)), None);
        assert_eq!(pulls.deadline(), Some(Time(42)));
        // A lost link owes nothing.
        pulls.given_up();
        pulls.link_lost();
        assert!(pulls.ask(Time(50), standing(1)).is_some());
    }

    #[test]
    fn silence_is_checked_and_sleep_is_not_silence() {
        let mut pulls = Pulls::default();
        pulls.ask(Time(0), standing(10)).unwrap();
        assert_eq!(pulls.tick(Time(9_999)).1, Effect::Nothing);
        assert_eq!(pulls.tick(Time(60_000)).1, Effect::Over, "asleep; the pull is past its end all the same");
        let mut pulls = Pulls::default();
        pulls.ask(Time(0), standing(10)).unwrap();
        assert_eq!(pulls.tick(Time(10_000)).1, Effect::Check);
        assert_eq!(pulls.tick(Time(10_001)).1, Effect::Nothing, "once");
        pulls.checked(Time(10_100));
        assert_eq!(pulls.tick(Time(10_100)).0.map(|pull| pull.batch), Some(10));
    }

    #[test]
    fn no_leader_backs_off_and_the_rest_of_a_fetch_keeps_its_end() {
        let mut pulls = Pulls::default();
        let pull = pulls.ask(Time(0), fetch(5, 5000)).unwrap();
        assert_eq!(pulls.status(Time(10), pull.id, 503, b"", None, 0), Effect::Check);
        pulls.unchecked(Time(20));
        let at = pulls.deadline().unwrap();
        let (again, _) = pulls.tick(at);
        assert_eq!(again.unwrap().expires, Some(Millis(5000 - at.0)));
    }

    #[test]
    fn a_message_above_the_byte_limit_is_asked_for_alone() {
        let mut pulls = Pulls::default();
        let pull = pulls.ask(Time(0), Ask { messages: 5, bytes: 100, wait: Wait::Standing }).unwrap();
        assert_eq!(pulls.status(Time(1), pull.id, 409, b"Message Size Exceeds MaxBytes", Some(5), 0), Effect::Room);
        let pull = pulls.ask(Time(2), Ask { messages: 5, bytes: 100, wait: Wait::Standing }).unwrap();
        assert_eq!((pull.batch, pull.bytes, pulls.asked()), (1, 0, 1));
    }

    #[test]
    fn a_groups_own_batch_limit_is_obeyed() {
        let mut pulls = Pulls::default();
        let pull = pulls.ask(Time(0), standing(50)).unwrap();
        pulls.status(Time(1), pull.id, 409, b"Exceeded MaxRequestBatch of 5", None, 0);
        assert_eq!(pulls.tick(Time(1)).0.map(|pull| pull.batch), Some(5));
        assert_eq!(pulls.asked(), 5);
    }
}
