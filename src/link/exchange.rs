//! How an asynchronous operation talks to the broker: put a question, wait for the answer or for time to pass.
//!
//! Knows nothing of what is asked.

use super::session::{Reply, Request, WaitId};
use crate::base::error::Error;
use crate::base::time::{Millis, Now};
use crate::base::value::JsonReader;
use crate::runtime::{Loading, Part};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// What an [`Exchange`] stands on; the connection implements it.
pub trait Port {
    /// Put a question that waits this long for its answer.
    fn ask(&self, request: Request, limit: Millis) -> WaitId;
    /// Begin a pause.
    fn pause(&self, span: Millis) -> WaitId;
    /// The answer, if it is there; otherwise whom to wake.
    fn poll(&self, wait: WaitId, waker: &Waker) -> Option<Result<Reply, Error>>;
    /// Nobody waits for it any more.
    fn drop_wait(&self, wait: WaitId);
    /// Both clocks.
    fn now(&self) -> Now;
    /// The platform's JSON parser.
    fn json(&self) -> JsonReader;
    /// Have a part of the package loaded; `None` if it is there.
    fn part(&self, part: Part) -> Option<Loading>;
}

/// A handle for operations.
#[derive(Clone)]
pub struct Exchange(pub Rc<dyn Port>);

impl Exchange {
    /// Put a question; it is on its way before the answer is awaited, so that several leave in one write.
    pub fn ask(&self, request: Request, limit: Millis) -> Answer {
        Answer { id: self.0.ask(request, limit), port: Some(self.0.clone()) }
    }

    /// A wait that somebody else ends by its number, or this span does, with an error.
    pub fn ticket(&self, span: Millis) -> (WaitId, Answer) {
        let id = self.0.pause(span);
        (id, Answer { id, port: Some(self.0.clone()) })
    }

    /// Have a part of the package loaded.
    pub fn loaded(&self, part: Part) -> Loading {
        self.0.part(part).unwrap_or_else(|| Box::pin(std::future::ready(Ok(()))))
    }

    /// Wait for time to pass.
    pub async fn pause(&self, span: Millis) {
        // A pause ends with the error of its limit, which says nothing new.
        let _ = Answer { id: self.0.pause(span), port: Some(self.0.clone()) }.await;
    }
}

/// An answer to come. Dropping it withdraws the question.
pub struct Answer {
    id: WaitId,
    /// `None` once the answer has been given.
    port: Option<Rc<dyn Port>>,
}

impl Future for Answer {
    type Output = Result<Reply, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(port) = &self.port else { return Poll::Pending };
        match port.poll(self.id, context.waker()) {
            Some(answer) => {
                self.port = None;
                Poll::Ready(answer)
            }
            None => Poll::Pending,
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(port) = self.port.take() {
            port.drop_wait(self.id);
        }
    }
}
