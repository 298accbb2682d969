//! The life of a link.
//!
//! ```text
//! Idle -> Asking -> Opening -> Greeting -> Up -> Waiting -> Asking ...
//!              \________\__________\________/
//!                 ends: Closed, Failed
//! ```
//!
//! `Asking` is the application's `credentials()` (passed over without one). `Opening` and `Greeting` share one deadline
//! over socket, handshake and login. Every dial has a generation of its own; what comes from an older one is ignored.
//!
//! Knows no broker and does no I/O: it says what is to be done by [`Machine::poll`].

mod moving;

use super::session::Encryption;
use super::url::Url;
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::time::{Millis, Time, earliest};
use crate::policy::backoff;
use std::collections::VecDeque;

/// How a link is kept.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Addresses, tried in turn; never empty.
    pub urls: Vec<Url>,
    /// Dial again after a loss.
    pub reconnect: bool,
    /// Attempts in a row; `None` for ever.
    pub most_attempts: Option<u32>,
    /// First pause between attempts.
    pub pause: Millis,
    /// Limit over socket, handshake and login.
    pub limit: Millis,
    /// Silence after which the broker is probed.
    pub ping: Millis,
    /// Before every dial credentials have to be asked for, or made ready: [`Act::Ask`].
    pub asks: bool,
    /// An answer to that may be another one the next time: refused credentials of a link that was up are asked for again.
    pub renews: bool,
}

/// Where the link stands.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Not started.
    Idle,
    /// Credentials are being asked for.
    Asking {
        /// Until when.
        deadline: Time,
    },
    /// A socket is being opened.
    Opening {
        /// Until when socket, handshake and login must be done.
        deadline: Time,
    },
    /// The session logs in.
    Greeting {
        /// The same.
        deadline: Time,
    },
    /// It works.
    Up {
        /// Since when.
        since: Time,
    },
    /// A pause before the next attempt.
    Waiting {
        /// Its end.
        until: Time,
    },
    /// Closed by the application.
    Closed,
    /// Given up.
    Failed(Error),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Ask the application for credentials, or make those that it gave ready.
    Ask {
        /// Which attempt since the link was last up, from 1.
        attempt: u32,
        /// What made it necessary.
        reason: Option<Error>,
    },
    /// Open a socket.
    Dial {
        /// Its generation.
        generation: u32,
        /// Where to.
        url: Url,
        /// The broker waits for us: encrypt before the first byte.
        encrypted: bool,
    },
    /// Close the socket of this generation.
    HangUp(u32),
    /// Send a probe.
    Probe,
    /// The link works.
    Up {
        /// Where to.
        url: String,
        /// Which attempt it was.
        attempt: u32,
    },
    /// It worked and is lost.
    Down(Error),
    /// The next attempt is this far away.
    Retry {
        /// Which attempt it will be.
        attempt: u32,
        /// The pause.
        pause: Millis,
    },
    /// It is over for good; `None` after close.
    Over(Option<Error>),
}

/// Unanswered probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pulse {
    /// None is out.
    Quiet,
    /// This many are out; the next step is due then.
    Probed { count: u32, next: Time },
    /// One with a short deadline is out, after waking up.
    Urgent { deadline: Time },
}

/// The machine.
#[derive(Debug)]
pub struct Machine {
    plan: Plan,
    state: State,
    generation: u32,
    /// Numbers up to this one belong to sockets of a successor.
    skip: u32,
    /// When the present socket was dialed, and whether it was to be encrypted before its first byte.
    dialed: (Time, bool),
    /// Addresses the broker told, after the user's own.
    learned: Vec<Url>,
    turn: usize,
    attempt: u32,
    /// The link was up once: connect has resolved.
    connected: bool,
    /// Addresses still to be tried by `connect`.
    first_round: usize,
    last_error: Option<Error>,
    heard: Time,
    pulse: Pulse,
    acts: VecDeque<Act>,
}

impl Machine {
    /// A link that is not started.
    pub fn new(plan: Plan) -> Machine {
        Machine {
            first_round: plan.urls.len(),
            plan,
            state: State::Idle,
            generation: 0,
            skip: 0,
            dialed: (Time(0), false),
            learned: Vec::new(),
            turn: 0,
            attempt: 0,
            connected: false,
            last_error: None,
            heard: Time(0),
            pulse: Pulse::Quiet,
            acts: VecDeque::new(),
        }
    }

    /// Where it stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// It works.
    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Up { .. })
    }

    /// It is over for good.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Closed | State::Failed(_))
    }

    /// It was up at least once.
    pub fn was_up(&self) -> bool {
        self.connected
    }

    /// The generation of the present dial.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// The address of the present dial.
    pub fn url(&self) -> Option<&Url> {
        let count = self.plan.urls.len();
        self.plan.urls.get(self.turn).or_else(|| self.learned.get(self.turn.wrapping_sub(count)))
    }

    /// The next thing to be done.
    pub fn poll(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    /// Whether [`Machine::poll`] has something.
    pub fn has_acts(&self) -> bool {
        !self.acts.is_empty()
    }

    /// When it wants [`Machine::tick`].
    pub fn deadline(&self) -> Option<Time> {
        match self.state {
            State::Asking { deadline } | State::Opening { deadline } | State::Greeting { deadline } => Some(deadline),
            State::Waiting { until } => Some(until),
            State::Up { .. } => {
                let ping = self.heard + self.plan.ping;
                match self.pulse {
                    Pulse::Quiet => Some(ping),
                    Pulse::Probed { next, .. } => Some(next),
                    Pulse::Urgent { deadline } => earliest(Some(deadline), None),
                }
            }
            State::Idle | State::Closed | State::Failed(_) => None,
        }
    }

    /// Begin.
    pub fn start(&mut self, now: Time) {
        if self.state == State::Idle {
            self.attempt = 1;
            self.begin(now);
        }
    }

    /// The application has given credentials for the present attempt, or failed to.
    pub fn credentials(&mut self, now: Time, given: Result<(), Error>, random: u32, offline: bool) {
        if !matches!(self.state, State::Asking { .. }) {
            return;
        }
        match given {
            Ok(()) => self.dial(now),
            Err(error) => self.attempt_failed(now, error, random, offline),
        }
    }

    /// The socket is open: who encrypts it, and how long the dial took. `None` if it is not the present one.
    pub fn opened(&mut self, now: Time, generation: u32) -> Option<(Encryption, Millis)> {
        match self.state {
            State::Opening { deadline } if generation == self.generation => {
                self.state = State::Greeting { deadline };
                let (dialed, encrypted) = self.dialed;
                self.url().map(|url| (url.encryption(encrypted), now.since(dialed)))
            }
            _ => None,
        }
    }

    /// The same address again, within the same time limit: because the broker waits for us to encrypt, or for another login.
    /// Counts for nothing.
    pub fn dial_again(&mut self, now: Time, encrypts: bool) {
        if let State::Greeting { deadline } = self.state {
            self.drop_socket();
            self.open(now, deadline, encrypts || self.dialed.1);
        }
    }

    /// Bytes came. False if not from the present socket.
    pub fn heard(&mut self, now: Time, generation: u32) -> bool {
        let present = generation == self.generation && matches!(self.state, State::Greeting { .. } | State::Up { .. });
        if present {
            self.heard = now;
            self.pulse = Pulse::Quiet;
        }
        present
    }

    /// The session has logged in.
    pub fn ready(&mut self, now: Time) {
        if matches!(self.state, State::Greeting { .. }) {
            self.state = State::Up { since: now };
            let attempt = self.attempt.max(1);
            if !self.connected {
                // The dials of connect() are none of those that `maxReconnect` counts.
                self.attempt = 0;
            }
            self.connected = true;
            self.heard = now;
            self.pulse = Pulse::Quiet;
            let url = self.url().map(|url| url.text.clone()).unwrap_or_default();
            self.acts.push_back(Act::Up { url, attempt });
        }
    }

    /// The present link is over: the socket closed, the session gave up, a deadline passed.
    pub fn broken(&mut self, now: Time, error: Error, random: u32, offline: bool) {
        match self.state {
            State::Up { since } => {
                self.drop_socket();
                self.acts.push_back(Act::Down(error.clone()));
                let stable = now.since(since) >= limits::STABLE;
                if stable {
                    self.attempt = 0;
                }
                // Credentials that are taken and refused again within seconds are not asked for for ever.
                let refused = error.kind == Kind::AuthFailed && !stable;
                if self.plan.reconnect && (error.kind != Kind::AuthFailed || self.plan.renews) {
                    self.retry(now, error, random, offline && !refused, refused);
                } else {
                    self.fail(error);
                }
            }
            State::Asking { .. } | State::Opening { .. } | State::Greeting { .. } => {
                self.drop_socket();
                let error = if error.kind == Kind::ConnectionLost { never_up(error) } else { error };
                self.attempt_failed(now, error, random, offline);
            }
            State::Idle | State::Waiting { .. } | State::Closed | State::Failed(_) => {}
        }
    }

    /// Whether this generation's socket is the present one.
    pub fn is_present(&self, generation: u32) -> bool {
        generation == self.generation
            && matches!(self.state, State::Opening { .. } | State::Greeting { .. } | State::Up { .. })
    }

    /// Time has passed. `late` means the timer fired long after its moment: the page was asleep, and silence meanwhile
    /// proves nothing.
    pub fn tick(&mut self, now: Time, late: bool, random: u32, offline: bool) {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        match self.state {
            State::Asking { .. } => {
                let error = Error::new(Kind::ConnectFailed, "credentials() did not answer in time");
                self.attempt_failed(now, error, random, offline);
            }
            State::Opening { .. } | State::Greeting { .. } if late => {
                // The broker had no chance to be heard: try again, without counting it as a refusal.
                let error = Error::new(Kind::ConnectFailed, "the page was asleep while it was connecting");
                self.broken(now, error, random, true);
            }
            State::Opening { .. } => {
                let error = Error::new(Kind::ConnectFailed, "no connection within the time limit")
                    .hint("Is the host right, does the broker listen there (a page needs its WebSocket listener), and is timeoutMs long enough?");
                self.broken(now, error, random, offline);
            }
            State::Greeting { .. } => {
                let error = Error::new(
                    Kind::ConnectFailed,
                    "a connection was made, but the broker did not log us in within the time limit",
                )
                .hint("Is this a listener of the broker for that kind of URL? A server that expects TLS first needs tls:. timeoutMs covers socket, handshake and login.");
                self.broken(now, error, random, offline);
            }
            State::Waiting { .. } => self.begin(now),
            State::Up { .. } => match self.pulse {
                _ if late => self.awake(now),
                Pulse::Quiet => self.probe(now, 1),
                Pulse::Probed { count: 1, .. } => self.probe(now, 2),
                Pulse::Probed { .. } => {
                    let error = Error::new(Kind::ConnectionLost, "the broker did not answer two probes");
                    self.broken(now, error, random, offline);
                }
                Pulse::Urgent { .. } => {
                    let error = Error::new(Kind::ConnectionLost, "the broker did not answer after the page woke up");
                    self.lost_asleep(now, error);
                }
            },
            State::Idle | State::Closed | State::Failed(_) => {}
        }
    }

    /// The network is back, or the page woke up: probe what is up, dial at once what waits.
    pub fn awake(&mut self, now: Time) {
        match self.state {
            State::Up { .. } => {
                if !matches!(self.pulse, Pulse::Urgent { .. }) {
                    self.acts.push_back(Act::Probe);
                }
                self.pulse = Pulse::Urgent { deadline: now + limits::PROBE };
            }
            State::Waiting { .. } => self.begin(now),
            _ => {}
        }
    }

    /// The broker named other addresses.
    #[inline(never)]
    pub fn learn(&mut self, hosts: &[String]) {
        let Some(own) = self.url().cloned() else { return };
        if !self.plan.urls.iter().all(|url| url.plain_path) {
            return;
        }
        for host in hosts {
            let url = own.sibling(host);
            if !self.plan.urls.iter().chain(&self.learned).any(|known| known.text.trim_end_matches('/') == url.text) {
                self.learned.push(url);
            }
        }
    }

    /// The application closes it.
    pub fn close(&mut self) {
        if !self.is_over() {
            if !matches!(self.state, State::Idle | State::Waiting { .. }) {
                self.drop_socket();
            }
            self.state = State::Closed;
            self.acts.push_back(Act::Over(None));
        }
    }

    /// It is over for good, for this reason.
    pub fn fail(&mut self, error: Error) {
        if !self.is_over() {
            self.state = State::Failed(error.clone());
            self.acts.push_back(Act::Over(Some(error)));
        }
    }

    fn begin(&mut self, now: Time) {
        if self.plan.asks {
            self.state = State::Asking { deadline: now + limits::CREDENTIALS };
            self.acts.push_back(Act::Ask { attempt: self.attempt, reason: self.last_error.clone() });
        } else {
            self.dial(now);
        }
    }

    fn dial(&mut self, now: Time) {
        self.open(now, now + self.plan.limit, false);
    }

    fn open(&mut self, now: Time, deadline: Time, encrypted: bool) {
        self.generation = self.generation.max(self.skip).wrapping_add(1);
        self.dialed = (now, encrypted);
        self.state = State::Opening { deadline };
        if let Some(url) = self.url().cloned() {
            self.acts.push_back(Act::Dial { generation: self.generation, url, encrypted });
        }
    }

    fn drop_socket(&mut self) {
        self.pulse = Pulse::Quiet;
        self.acts.push_back(Act::HangUp(self.generation));
    }

    fn next_url(&mut self) {
        let count = self.plan.urls.len().saturating_add(self.learned.len());
        self.turn = self.turn.wrapping_add(1).checked_rem(count).unwrap_or(0);
    }

    fn attempt_failed(&mut self, now: Time, error: Error, random: u32, offline: bool) {
        if error.kind == Kind::AuthFailed || !error.retryable && error.kind != Kind::Protocol {
            self.fail(error);
        } else if self.connected {
            // An address that the broker told and that fails once is dropped.
            let count = self.plan.urls.len();
            if self.turn >= count && self.turn.wrapping_sub(count) < self.learned.len() {
                self.learned.remove(self.turn.wrapping_sub(count));
                self.turn = 0;
            }
            self.retry(now, error, random, offline, true);
        } else {
            self.first_round = self.first_round.saturating_sub(1);
            if self.first_round == 0 {
                self.fail(error);
            } else {
                self.last_error = Some(error);
                self.next_url();
                self.begin(now);
            }
        }
    }

    fn retry(&mut self, now: Time, error: Error, random: u32, offline: bool, failed: bool) {
        if failed && !offline && self.plan.most_attempts.is_some_and(|most| self.attempt >= most) {
            self.fail(error);
            return;
        }
        if !(failed && offline) {
            self.attempt = self.attempt.saturating_add(1);
        }
        if self.plan.most_attempts == Some(0) {
            self.fail(error);
            return;
        }
        self.next_url();
        self.last_error = Some(error);
        let pause = backoff::pause(self.plan.pause, self.attempt, random);
        self.state = State::Waiting { until: now + pause };
        self.acts.push_back(Act::Retry { attempt: self.attempt, pause });
    }

    /// Lost without anybody's fault: dial at once.
    fn lost_asleep(&mut self, now: Time, error: Error) {
        self.drop_socket();
        self.acts.push_back(Act::Down(error.clone()));
        if !self.plan.reconnect {
            self.fail(error);
            return;
        }
        self.attempt = 1;
        self.last_error = Some(error);
        self.next_url();
        self.acts.push_back(Act::Retry { attempt: 1, pause: Millis(0) });
        self.begin(now);
    }

    fn probe(&mut self, now: Time, count: u32) {
        self.pulse = Pulse::Probed { count, next: now + self.plan.ping };
        self.acts.push_back(Act::Probe);
    }
}

/// A link that is lost before it was up has failed to connect.
fn never_up(mut error: Error) -> Error {
    error.kind = Kind::ConnectFailed;
    error.hint = Some(
        "Something answers at that address, but closes the connection before the login: is it the broker's listener?"
            .into(),
    );
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text, 4222).unwrap()
    }

    fn plan(urls: &[&str]) -> Plan {
        Plan {
            urls: urls.iter().map(|text| url(text)).collect(),
            reconnect: true,
            most_attempts: Some(3),
            pause: Millis(1500),
            limit: Millis(2000),
            ping: Millis(20_000),
            asks: false,
            renews: false,
        }
    }

    pub(super) fn acts(machine: &mut Machine) -> Vec<Act> {
        std::iter::from_fn(|| machine.poll()).collect()
    }

    pub(super) fn up(urls: &[&str]) -> Machine {
        let mut machine = Machine::new(plan(urls));
        machine.start(Time(0));
        assert!(machine.opened(Time(5), 1).is_some());
        machine.ready(Time(10));
        acts(&mut machine);
        assert!(machine.is_up());
        machine
    }

    fn lost() -> Error {
        Error::new(Kind::ConnectionLost, "gone")
    }

    #[test]
    fn connect_tries_each_url_once() {
        let mut machine = Machine::new(plan(&["ws://a", "ws://b"]));
        machine.start(Time(0));
        machine.broken(Time(5), Error::new(Kind::ConnectFailed, "a"), 0, false);
        machine.broken(Time(9), Error::new(Kind::ConnectFailed, "b"), 0, false);
        let seen = acts(&mut machine);
        assert!(matches!(&seen[0], Act::Dial { generation: 1, url, .. } if url.text == "ws://a"));
        assert!(matches!(&seen[2], Act::Dial { generation: 2, url, .. } if url.text == "ws://b"));
        assert!(matches!(seen.last(), Some(Act::Over(Some(error))) if error.text == "b"));
    }

    #[test]
    fn one_deadline_over_socket_and_login() {
        let mut machine = Machine::new(plan(&["ws://a"]));
        machine.start(Time(0));
        machine.opened(Time(0), 1);
        assert_eq!(machine.deadline(), Some(Time(2000)));
        machine.tick(Time(2000), false, 0, false);
        assert!(matches!(machine.state(), State::Failed(error) if error.kind == Kind::ConnectFailed));
    }

    #[test]
    fn two_unanswered_probes_end_the_link() {
        let mut machine = up(&["ws://a"]);
        machine.tick(Time(20_010), false, 0, false);
        machine.tick(Time(40_010), false, 0, false);
        assert_eq!(acts(&mut machine), [Act::Probe, Act::Probe]);
        assert!(machine.is_up());
        machine.tick(Time(60_010), false, 0, false);
        assert!(matches!(acts(&mut machine)[..], [Act::HangUp(_), Act::Down(_), Act::Retry { attempt: 1, .. }]));
    }

    #[test]
    fn whatever_arrives_is_a_sign_of_life() {
        let mut machine = up(&["ws://a"]);
        machine.tick(Time(20_010), false, 0, false);
        assert!(machine.heard(Time(20_500), 1));
        assert_eq!(machine.deadline(), Some(Time(40_500)));
        assert!(!machine.heard(Time(20_600), 7), "an older socket says nothing");
    }

    #[test]
    fn a_late_timer_probes_instead_of_judging() {
        let mut machine = up(&["ws://a"]);
        machine.tick(Time(500_000), true, 0, false);
        assert_eq!(acts(&mut machine), [Act::Probe]);
        assert!(machine.is_up());
        machine.tick(Time(502_000), false, 0, false);
        let seen = acts(&mut machine);
        assert!(
            matches!(seen[..], [Act::HangUp(_), Act::Down(_), Act::Retry { pause: Millis(0), .. }, Act::Dial { .. }]),
            "{seen:?}"
        );
    }

    #[test]
    fn waking_up_dials_at_once() {
        let mut machine = up(&["ws://a"]);
        machine.broken(Time(100), lost(), u32::MAX, false);
        assert!(matches!(machine.state(), State::Waiting { .. }));
        machine.awake(Time(101));
        assert!(matches!(machine.state(), State::Opening { .. }));
    }

    #[test]
    fn attempts_are_limited_and_offline_ones_do_not_count() {
        let mut machine = up(&["ws://a"]);
        let mut now = Time(10_000);
        machine.broken(now, lost(), 0, false);
        for _ in 0..20 {
            machine.tick(now, false, 0, true);
            machine.broken(now, Error::new(Kind::ConnectFailed, "x"), 0, true);
            now = now + Millis(60_000);
        }
        assert!(matches!(machine.state(), State::Waiting { .. }));
        let mut failures = 0;
        while !machine.is_over() {
            machine.tick(now, false, 0, false);
            machine.broken(now, Error::new(Kind::ConnectFailed, "x"), 0, false);
            now = now + Millis(60_000);
            failures += 1;
        }
        assert_eq!(failures, 3);
    }

    #[test]
    fn five_seconds_up_reset_the_count() {
        let mut machine = up(&["ws://a"]);
        machine.broken(Time(20), lost(), 0, false);
        assert!(
            matches!(acts(&mut machine).last(), Some(Act::Retry { attempt: 1, .. })),
            "connect() itself does not count"
        );
        machine.tick(Time(20), false, 0, false);
        machine.opened(Time(20), 2);
        machine.ready(Time(30));
        machine.broken(Time(40), lost(), 0, false);
        assert!(matches!(acts(&mut machine).last(), Some(Act::Retry { attempt: 2, .. })));
        machine.tick(Time(40), false, 0, false);
        machine.opened(Time(40), 3);
        machine.ready(Time(50));
        machine.broken(Time(6000), lost(), 0, false);
        assert!(matches!(acts(&mut machine).last(), Some(Act::Retry { attempt: 1, .. })));
    }

    #[test]
    fn bad_credentials_do_not_retry() {
        let mut machine = up(&["ws://a"]);
        machine.broken(Time(6000), lost(), 0, false);
        machine.tick(Time(6000), false, 0, false);
        machine.broken(Time(6100), Error::new(Kind::AuthFailed, "no"), 0, false);
        assert!(matches!(machine.state(), State::Failed(error) if error.kind == Kind::AuthFailed));
    }

    #[test]
    fn credentials_are_asked_before_every_dial() {
        let mut machine = Machine::new(Plan { asks: true, renews: true, ..plan(&["ws://a"]) });
        machine.start(Time(0));
        assert_eq!(acts(&mut machine), [Act::Ask { attempt: 1, reason: None }]);
        machine.credentials(Time(40), Ok(()), 0, false);
        assert_eq!(machine.deadline(), Some(Time(2040)), "the dial has its own time");
        machine.opened(Time(0), 1);
        machine.ready(Time(50));
        machine.broken(Time(60), lost(), 0, false);
        machine.tick(Time(60), false, 0, false);
        assert!(matches!(acts(&mut machine).last(), Some(Act::Ask { attempt: 1, reason: Some(_) })));
        machine.close();
        machine.credentials(Time(70), Ok(()), 0, false);
        assert_eq!(machine.state(), &State::Closed);
    }

    #[test]
    fn learned_addresses_come_after_the_users_own_and_go_when_they_fail() {
        let mut machine = up(&["ws://a:1"]);
        machine.learn(&["b:2".into(), "a:1".into()]);
        machine.broken(Time(20), lost(), 0, false);
        machine.awake(Time(21));
        assert!(matches!(acts(&mut machine).last(), Some(Act::Dial { url, .. }) if url.text == "ws://b:2"));
        machine.broken(Time(30), Error::new(Kind::ConnectFailed, "x"), 0, false);
        machine.tick(Time(5000), false, 0, false);
        assert!(matches!(acts(&mut machine).last(), Some(Act::Dial { url, .. }) if url.text == "ws://a:1"));
        assert!(machine.learned.is_empty());
    }

    #[test]
    fn a_broker_that_waits_for_tls_is_dialed_again_within_the_same_limit() {
        let mut machine = Machine::new(plan(&["tls://a"]));
        machine.start(Time(0));
        assert_eq!(machine.opened(Time(30), 1), Some((Encryption::Required, Millis(30))));
        acts(&mut machine);
        machine.dial_again(Time(160), true);
        assert!(matches!(acts(&mut machine)[..], [Act::HangUp(1), Act::Dial { generation: 2, encrypted: true, .. }]));
        assert_eq!(machine.deadline(), Some(Time(2000)));
        assert_eq!(machine.opened(Time(190), 2), Some((Encryption::Settled, Millis(30))));
        machine.ready(Time(200));
        machine.broken(Time(300), lost(), 0, false);
        machine.tick(Time(300), false, 0, false);
        assert!(
            matches!(acts(&mut machine).last(), Some(Act::Dial { encrypted: false, .. })),
            "the next may be another"
        );
    }
}
