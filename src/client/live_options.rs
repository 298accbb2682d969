//! Options of live messages, questions and answers: names, defaults and ranges.

use super::live::{Listen, Overflow};
use super::reader::{Reader, SAFE};
use crate::base::channel;
use crate::base::error::Error;
use crate::base::id::{check_name, shown};
use crate::base::limits;
use crate::base::time::Millis;
use crate::base::value::Value;
use crate::brokers::Kind as Broker;

/// Names of `PublishOptions`.
pub const PUBLISH: &[&str] = &["headers", "metadata", "id", "signal"];
/// Names that `RequestOptions` adds.
pub const REQUEST: &[&str] = &["timeoutMs", "kind", "cacheKey", "cacheTtlMs"];
/// Names of `SubscribeOptions`.
pub const SUBSCRIBE: &[&str] = &["group", "prefetchMessages", "overflow", "signal"];
/// Names of `RespondOptions`.
pub const RESPOND: &[&str] = &["group", "kind", "concurrency", "signal"];

const OTHER: &str = "This option belongs to another broker.";

/// Read `PublishOptions`, or with `asks` `RequestOptions`, as the application wrote them: the cold path, for errors. Gives
/// how long an answer is waited for.
pub fn publish(options: &Value, asks: bool) -> Result<Millis, Error> {
    let what = if asks { "request" } else { "publish" };
    let read = Reader::new(what, options, &[PUBLISH, if asks { REQUEST } else { &[] }])?;
    for name in ["cacheKey", "cacheTtlMs"] {
        read.only_default(name, &Value::Nothing, OTHER)?;
    }
    read.only_default("kind", &Value::Text("query".into()), OTHER)?;
    for name in ["metadata", "id"] {
        read.text(name)?;
    }
    match read.value("headers") {
        Value::Nothing => {}
        Value::Map(headers) => {
            if let Some((name, _)) = headers.iter().find(|(_, value)| value.text().is_none()) {
                return Err(Error::argument(format!("the header \"{}\" is not a string", shown(name))));
            }
        }
        _ => return Err(Error::argument("headers is not an object of strings")),
    }
    Ok(Millis(read.whole("timeoutMs", limits::ANSWER.0, 1, SAFE)?))
}

/// Read `SubscribeOptions`.
pub fn subscribe(channel: &str, options: &Value, broker: Broker) -> Result<Listen, Error> {
    channel::check(channel, true)?;
    let read = Reader::new("subscribe", options, &[SUBSCRIBE])?;
    let words = ["drop_oldest", "drop_newest", "error"];
    let overflow = match read.word("overflow", &words, 0)? {
        0 => Overflow::DropOldest,
        1 => Overflow::DropNewest,
        _ => Overflow::Error,
    };
    Ok(Listen {
        channel: channel.into(),
        group: group(&read, broker)?,
        held: read.whole("prefetchMessages", u64::from(limits::LIVE_HELD), 1, 1_000_000)? as u32,
        overflow,
        workers: None,
    })
}

/// Read `RespondOptions`.
pub fn respond(channel: &str, options: &Value, broker: Broker) -> Result<Listen, Error> {
    channel::check(channel, true)?;
    let read = Reader::new("respond", options, &[RESPOND])?;
    read.only_default("kind", &Value::Text("query".into()), OTHER)?;
    Ok(Listen {
        channel: channel.into(),
        group: group(&read, broker)?,
        held: limits::LIVE_HELD,
        overflow: Overflow::DropOldest,
        workers: Some(read.whole("concurrency", 1, 1, 1_000_000)? as u32),
    })
}

fn group(read: &Reader<'_>, broker: Broker) -> Result<String, Error> {
    let group = read.text("group")?.unwrap_or_default();
    if !group.is_empty() {
        check_name("group", &group, broker.capitals())?;
    }
    Ok(group)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::Kind;

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn defaults_are_accepted_when_written_out() {
        assert_eq!(publish(&json(r#"{"kind":"query","timeoutMs":7}"#), true), Ok(Millis(7)));
        assert_eq!(publish(&Value::Nothing, true), Ok(Millis(5000)));
        let listen = subscribe("a.*", &json(r#"{"group":"","overflow":"drop_oldest"}"#), Broker::Nats).unwrap();
        assert_eq!((listen.group.as_str(), listen.overflow, listen.workers), ("", Overflow::DropOldest, None));
        let answer = respond("a.>", &json(r#"{"kind":"query","group":"G"}"#), Broker::Nats).unwrap();
        assert_eq!((answer.group.as_str(), answer.workers), ("G", Some(1)));
    }

    #[test]
    fn what_is_refused() {
        let kind = |result: Result<Listen, Error>| result.unwrap_err().kind;
        for text in [
            r#"{"headers":{"a":1}}"#,
            r#"{"headers":"x"}"#,
            r#"{"id":1}"#,
            r#"{"timeoutMs":0}"#,
            r#"{"timeoutMs":1.5}"#,
            r#"{"header":{}}"#,
        ] {
            assert_eq!(publish(&json(text), true).unwrap_err().kind, Kind::InvalidArgument, "{text}");
        }
        assert!(publish(&json(r#"{"timeoutMs":5}"#), false).is_err());
        for text in [r#"{"kind":"command"}"#, r#"{"cacheKey":"a"}"#, r#"{"cacheTtlMs":1}"#] {
            assert_eq!(publish(&json(text), true).unwrap_err().kind, Kind::NotSupported, "{text}");
        }
        for text in
            [r#"{"group":"a b"}"#, r#"{"prefetchMessages":0}"#, r#"{"overflow":"block"}"#, r#"{"concurrency":1}"#]
        {
            assert_eq!(kind(subscribe("a", &json(text), Broker::Nats)), Kind::InvalidArgument, "{text}");
        }
        assert_eq!(kind(respond("a", &json(r#"{"concurrency":0}"#), Broker::Nats)), Kind::InvalidArgument);
        assert_eq!(kind(respond("a", &json(r#"{"kind":"command"}"#), Broker::Nats)), Kind::NotSupported);
        assert_eq!(kind(respond("a b", &Value::Nothing, Broker::Nats)), Kind::InvalidArgument);
    }
}
