//! Messages that a question for one brought: they come under their stream's subject and know the question by their group alone.

use super::NatsSession;
use crate::base::bytes::lossy;
use crate::base::limits;
use crate::base::time::Now;
use crate::link::session::{Output, Reply};

/// What the subject of such a question has before stream and group.
const PULL: &str = ".CONSUMER.MSG.NEXT.";

impl NatsSession {
    /// A message on the inbox that wants to be acknowledged at `token`, which is the head of the answer. False if nobody asked
    /// for it.
    #[inline(never)]
    pub(super) fn brought(&mut self, now: Now, token: &[u8], data: &[u8]) -> bool {
        if !token.starts_with(b"$JS.ACK.") {
            return false;
        }
        let text = lossy(token);
        // Of several that ask the same the oldest: the server serves them in turn, and tells the others that there is nothing.
        // One that was never answered is not waited for any more.
        let asked = self.questions.iter().position(|(wait, to)| {
            let group = to.split_once(PULL).map(|(_, group)| format!(".{group}."));
            let waits = self.gathered.iter().any(|(other, at, _)| other == wait && now.mono.since(*at) < limits::MANY);
            waits && group.is_some_and(|group| text.contains(&group))
        });
        let Some(asked) = asked else { return false };
        let (wait, _) = self.questions.remove(asked);
        self.gathered.retain(|(other, ..)| *other != wait);
        let reply = Reply { status: 0, head: token.to_vec(), body: data.to_vec() };
        self.outputs.push_back(Output::Replied(wait, Ok(reply)));
        true
    }
}
