//! Filters: messages that do not fit are acked away, and the application never sees them.
//!
//! The value that a message was produced with travels as a header, so the client checks it on arrival; what it lets pass is
//! judged by the application's own predicate, outside, before it counts for a fetch or is handed over. What does not fit
//! counts for nothing but the position of its group.

use super::consumer::Consumers;
use super::context::Context;
use super::options;
use super::reader::Reader;
use super::turn::{ConsumerId, MsgId};
use crate::base::error::Error;
use crate::base::value::Value;
use crate::link::session::{FeedId, Verdict};

/// The header that a value travels as.
pub const HEADER: &str = "X-Filter";

/// Which messages a consumer wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those with one of these values.
    pub values: Vec<String>,
    /// Those without any value too.
    pub unfiltered: bool,
    /// The application looks at each that passes.
    pub judged: bool,
}

impl Filter {
    /// Whether a message with this value passes.
    pub fn passes(&self, value: Option<&[u8]>) -> bool {
        match value {
            Some(value) => self.values.iter().any(|wanted| wanted.as_bytes() == value),
            None => self.unfiltered,
        }
    }
}

/// Read the `filter` of a consumer. A function arrives as an empty list.
pub fn read(given: &Value) -> Result<Option<Filter>, Error> {
    if given == &Value::Nothing {
        return Ok(None);
    }
    if !matches!(given, Value::Map(_)) {
        return Err(Error::argument("filter is not an object").hint(FILTER_FORM));
    }
    let read = Reader::new("filter", given, &[options::FILTER])?;
    let texts = |list: &[Value]| list.iter().map(|value| value.text().map(String::from)).collect::<Option<Vec<_>>>();
    let values = match read.value("values") {
        Value::List(list) => texts(list),
        _ => None,
    };
    let values = values.ok_or_else(|| Error::argument("filter.values is not a list of strings").hint(FILTER_FORM))?;
    let unfiltered = read.flag("matchUnfiltered", false)?;
    if values.is_empty() && !unfiltered {
        return Err(Error::argument("filter.values is empty: no message would fit").hint(FILTER_FORM));
    }
    let judged = match read.value("predicate") {
        Value::Nothing => false,
        Value::List(list) if list.is_empty() => true,
        _ => return Err(Error::argument("filter.predicate is not a function").hint(FILTER_FORM)),
    };
    Ok(Some(Filter { values, unfiltered, judged }))
}

const FILTER_FORM: &str = "It is { values: [\"...\"], matchUnfiltered, predicate }: the values that messages were produced with as filterValue.";

impl Consumers {
    /// A message that does not fit has come: done, unseen.
    pub(super) fn pass_over(
        &mut self,
        ctx: &mut Context<'_>,
        id: ConsumerId,
        index: usize,
        feed: FeedId,
        token: &[u8],
        sequence: u64,
    ) {
        if let Some(consumer) = self.get(id) {
            if !consumer.spec.group.auto_ack {
                ctx.session.settle(ctx.now, ctx.out, feed, token, &Verdict::Ack, None);
            }
            if let Some(feed) = consumer.feeds.get_mut(index) {
                feed.acked = feed.acked.max(sequence);
                feed.passed = true;
            }
        }
        // It was asked for and is not held: there may be room for more.
        self.touch(id);
    }

    /// What the application says of a message that waits for it. True if it was there and is gone now.
    pub fn judge(&mut self, ctx: &mut Context<'_>, id: ConsumerId, msg: MsgId, fits: bool) -> bool {
        let Some(consumer) = self.get(id) else { return false };
        let Some(at) = consumer.held.iter().position(|held| held.id == msg && !held.judged) else { return false };
        if fits {
            if let Some(held) = consumer.held.get_mut(at) {
                held.judged = true;
            }
        } else if let Some(held) = consumer.held.remove(at) {
            consumer.held_bytes = consumer.held_bytes.saturating_sub(held.bytes);
            if let Some(feed) = consumer.feeds.get_mut(held.feed) {
                feed.held = feed.held.saturating_sub(1);
                feed.passed = true;
                if !consumer.spec.group.auto_ack && ctx.up {
                    ctx.session.settle(ctx.now, ctx.out, feed.id, &held.token, &Verdict::Ack, None);
                    feed.acked = feed.acked.max(held.sequence);
                }
            }
        }
        self.serve(ctx, id);
        !fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_none() {
        let filter = Filter { values: vec!["a".into(), "b".into()], unfiltered: false, judged: false };
        assert!(filter.passes(Some(b"a")) && filter.passes(Some(b"b")));
        assert!(!filter.passes(Some(b"A")) && !filter.passes(Some(b"")) && !filter.passes(None));
        assert!(Filter { unfiltered: true, ..filter }.passes(None));
    }
}
