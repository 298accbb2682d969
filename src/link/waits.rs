//! Questions that wait for their answers, and tasks that wait for time to pass.
//!
//! A question asked while the link is down waits for it; one whose answer the lost link took with it is put again.
//! Every one has a limit. Knows nothing of what is asked.

use super::session::{Reply, Request, WaitId};
use crate::base::error::{Error, Kind};
use crate::base::time::{Time, earliest};
use std::task::Waker;

/// What waits.
#[derive(Debug)]
struct Wait {
    id: WaitId,
    /// `None` for a pause.
    request: Option<Request>,
    /// It is on the wire.
    sent: bool,
    deadline: Time,
    answer: Option<Result<Reply, Error>>,
    waker: Option<Waker>,
}

/// The table of everything that waits.
#[derive(Debug, Default)]
pub struct Waits {
    // Few at a time (a partitioned station asks 64 questions at most): a list beats an index.
    waits: Vec<Wait>,
    last: u32,
}

impl Waits {
    /// A question; it goes out with the next [`Waits::to_send`].
    pub fn ask(&mut self, request: Request, deadline: Time) -> WaitId {
        self.insert(Some(request), deadline)
    }

    /// A number that no question has had; for confirmations, which are watched elsewhere.
    pub fn next_id(&mut self) -> WaitId {
        self.last = self.last.wrapping_add(1);
        WaitId(self.last)
    }

    /// A pause: its answer is an error of kind timeout, which the waiting task ignores.
    pub fn pause(&mut self, until: Time) -> WaitId {
        self.insert(None, until)
    }

    fn insert(&mut self, request: Option<Request>, deadline: Time) -> WaitId {
        let id = self.next_id();
        self.waits.push(Wait { id, request, sent: false, deadline, answer: None, waker: None });
        id
    }

    /// The next question that is not on the wire, which counts as sent from now on.
    pub fn to_send(&mut self) -> Option<(WaitId, &Request)> {
        let wait = self.waits.iter_mut().find(|wait| !wait.sent && wait.request.is_some() && wait.answer.is_none())?;
        wait.sent = true;
        Some((wait.id, wait.request.as_ref()?))
    }

    /// A question waits for its answer from the broker.
    pub fn on_the_wire(&self) -> bool {
        self.waits.iter().any(|wait| wait.sent && wait.answer.is_none())
    }

    /// The link is gone: questions are put again on the next one.
    pub fn link_lost(&mut self) {
        for wait in &mut self.waits {
            wait.sent = false;
        }
    }

    /// Give an answer.
    pub fn answer(&mut self, id: WaitId, answer: Result<Reply, Error>) {
        if let Some(wait) = self.waits.iter_mut().find(|wait| wait.id == id && wait.answer.is_none()) {
            wait.answer = Some(answer);
            wake(wait);
        }
    }

    /// Everything that waits gets this error.
    pub fn fail_all(&mut self, error: &Error) {
        for wait in &mut self.waits {
            if wait.answer.is_none() {
                wait.answer = Some(Err(error.clone()));
                wake(wait);
            }
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Time) {
        for wait in &mut self.waits {
            if wait.answer.is_none() && wait.deadline <= now {
                let late = Error::new(Kind::Timeout, "the broker did not answer in time").hint(
                    "The broker may be overloaded, without a leader, or the user may not receive answers; try again.",
                );
                wait.answer = Some(Err(late));
                wake(wait);
            }
        }
    }

    /// When the next limit is over.
    pub fn deadline(&self) -> Option<Time> {
        self.waits.iter().filter(|wait| wait.answer.is_none()).fold(None, |at, wait| earliest(at, Some(wait.deadline)))
    }

    /// The answer, if it is there; otherwise whom to wake.
    pub fn poll(&mut self, id: WaitId, waker: &Waker) -> Option<Result<Reply, Error>> {
        let at = self.waits.iter().position(|wait| wait.id == id)?;
        let wait = self.waits.get_mut(at)?;
        if wait.answer.is_none() {
            wait.waker = Some(waker.clone());
            return None;
        }
        self.waits.swap_remove(at).answer
    }

    /// Nobody waits for it any more.
    pub fn drop_wait(&mut self, id: WaitId) {
        self.waits.retain(|wait| wait.id != id);
    }
}

fn wake(wait: &mut Wait) {
    if let Some(waker) = wait.waker.take() {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request { to: "x".into(), body: Vec::new(), head: 0, many: false }
    }

    #[test]
    fn questions_outlive_the_link() {
        let mut waits = Waits::default();
        let question = waits.ask(request(), Time(100));
        assert_ne!(waits.next_id(), question);
        assert_eq!(waits.to_send().map(|(id, _)| id), Some(question));
        assert!(waits.to_send().is_none());
        waits.link_lost();
        assert_eq!(waits.to_send().map(|(id, _)| id), Some(question), "asked again");
        assert!(waits.poll(question, Waker::noop()).is_none());
        waits.tick(Time(100));
        assert_eq!(waits.poll(question, Waker::noop()).unwrap().unwrap_err().kind, Kind::Timeout);
        assert_eq!(waits.deadline(), None);
    }

    #[test]
    fn only_the_first_answer_counts() {
        let mut waits = Waits::default();
        let id = waits.ask(request(), Time(100));
        let reply = Reply { status: 0, head: Vec::new(), body: b"a".to_vec() };
        waits.answer(id, Ok(reply.clone()));
        waits.answer(id, Err(Error::argument("late")));
        assert_eq!(waits.poll(id, Waker::noop()), Some(Ok(reply)));
        assert_eq!(waits.poll(id, Waker::noop()), None);
    }
}
