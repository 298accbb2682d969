//! Messages that a question for them brought: they come under their stream's subject and know the question by their group
//! alone.

use super::super::page;
use super::NatsSession;
use crate::base::bytes::lossy;

/// What the subject of such a question has before stream and group.
const PULL: &str = ".CONSUMER.MSG.NEXT.";

impl NatsSession {
    /// A message on the inbox that wants to be acknowledged at `token`. False if nobody asked for it. It is kept as a page's
    /// are, with the token in the place of the head.
    #[inline(never)]
    pub(super) fn brought(&mut self, token: &[u8], data: &[u8]) -> bool {
        if !token.starts_with(b"$JS.ACK.") {
            return false;
        }
        let token_text = lossy(token);
        for (wait, page) in &mut self.gathered {
            let asked = self.questions.iter().find(|(other, _)| other == wait);
            let group = asked.and_then(|(_, to)| to.split_once(PULL)).map(|(_, group)| format!(".{group}."));
            if group.is_some_and(|group| token_text.contains(&group)) {
                page::gather(page, token, data);
                return true;
            }
        }
        false
    }
}
