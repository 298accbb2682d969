//! From one server to another while both links live: a second machine dials beside the first, which takes its place.

use super::{Act, Machine, Plan, State};
use crate::base::error::{Error, Kind};
use crate::base::time::Time;

impl Machine {
    /// A machine for the link that shall take this one's place: it tries every other address once. `None` where there is
    /// no other, or the application wants no second link.
    pub fn successor(&self) -> Option<Machine> {
        let here = self.url().filter(|_| self.is_up() && self.plan.reconnect)?;
        let urls: Vec<_> =
            self.plan.urls.iter().chain(&self.learned).filter(|url| url.text != here.text).cloned().collect();
        if urls.is_empty() {
            return None;
        }
        let mut next = Machine::new(Plan { urls, reconnect: false, ..self.plan.clone() });
        next.generation = self.generation;
        next.last_error = Some(Error::new(Kind::ConnectionLost, "the server is about to shut down"));
        Some(next)
    }

    /// Let the old socket go and take over that of the successor, whose session has logged in: [`Machine::ready`] follows.
    pub fn move_to(&mut self, now: Time, next: &Machine) {
        self.drop_socket();
        if let Some(url) = next.url() {
            let known = self.plan.urls.iter().chain(&self.learned).position(|known| known.text == url.text);
            self.turn = known.unwrap_or_else(|| {
                self.learned.push(url.clone());
                self.plan.urls.len().saturating_add(self.learned.len()).saturating_sub(1)
            });
        }
        self.generation = next.generation;
        self.dialed = next.dialed;
        self.attempt = next.attempt;
        self.state = State::Greeting { deadline: now + self.plan.limit };
        // What the old link wanted to be done is of no use to the new one.
        self.acts.retain(|act| matches!(act, Act::HangUp(_)));
    }

    /// The successor came to nothing: its sockets' numbers are not used again.
    pub fn outlive(&mut self, next: &Machine) {
        self.skip = self.skip.max(next.generation);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{acts, up};
    use super::*;

    #[test]
    fn the_successor_tries_every_other_address_and_takes_the_place() {
        let mut machine = up(&["ws://a", "ws://b"]);
        machine.learn(&["c:2".into()]);
        let mut next = machine.successor().unwrap();
        next.start(Time(20));
        assert!(matches!(acts(&mut next)[..], [Act::Dial { generation: 2, .. }]));
        next.broken(Time(21), Error::new(Kind::ConnectFailed, "x"), 0, false);
        assert!(matches!(acts(&mut next).last(), Some(Act::Dial { generation: 3, url, .. }) if url.text == "ws://c:2"));
        next.opened(Time(22), 3);
        next.ready(Time(23));
        assert!(machine.is_up(), "the old one lives meanwhile");
        machine.move_to(Time(30), &next);
        assert_eq!(acts(&mut machine), [Act::HangUp(1)]);
        machine.ready(Time(30));
        assert!(matches!(&acts(&mut machine)[..], [Act::Up { url, attempt: 1 }] if url == "ws://c:2"));
        assert_eq!(machine.generation(), 3);
    }

    #[test]
    fn one_that_fails_leaves_nothing_behind() {
        assert!(up(&["ws://a"]).successor().is_none());
        let mut machine = up(&["ws://a", "ws://b"]);
        let mut next = machine.successor().unwrap();
        next.start(Time(20));
        next.broken(Time(21), Error::new(Kind::ConnectFailed, "x"), 0, false);
        assert!(matches!(acts(&mut next).last(), Some(Act::Over(Some(_)))));
        machine.outlive(&next);
        machine.broken(Time(40), Error::new(Kind::ConnectionLost, "x"), 0, false);
        machine.awake(Time(41));
        assert!(matches!(acts(&mut machine).last(), Some(Act::Dial { generation: 3, .. })));
    }
}
