//! The options that most calls have, read without a word about what is wrong with them: what this does not take, right or wrong,
//! goes to `options`, which reads everything and is loaded for it. A test compares the two.
//!
//! Knows no option that is rare, and no broker but the one that pages connect to.

use crate::base::error::Error;
use crate::base::limits;
use crate::base::time::Millis;
use crate::base::value::Value;
use crate::brokers::{Kind as Broker, Setting};
use crate::link::machine::Plan;
use crate::link::session::Login;
use crate::link::url::Url;
use crate::runtime::Facts;

/// What `connect` was given.
#[derive(Debug)]
pub struct Connect {
    /// The broker.
    pub broker: Broker,
    /// How the link is kept.
    pub plan: Plan,
    /// Fixed credentials.
    pub login: Login,
    /// `maxPendingMessages`
    pub pending_messages: u32,
    /// `maxPendingBytes`
    pub pending_bytes: u64,
    /// What the broker's own side is made with.
    pub setting: Setting,
}

/// Read `ConnectOptions` whose members are all among the usual ones, and right.
pub fn connect(options: &Value, facts: Facts) -> Option<Connect> {
    let mut login = Login { account: 1, ..Login::default() };
    let (mut nats, mut url) = (false, None);
    let [mut pause, mut limit, mut ping] = SPANS.map(|(_, default)| default);
    let (mut reconnect, mut most_attempts) = (true, Some(ATTEMPTS));
    for (name, value) in options.entries() {
        match (name.as_str(), value) {
            ("broker", Value::Text(name)) => nats = name == "nats",
            ("url", Value::Text(text)) => url = Some(Url::usual(text, facts)?),
            ("username", Value::Text(text)) => login.username = Some(text.clone()),
            ("password", Value::Text(text)) => login.password = Some(text.clone()),
            ("connectionToken", Value::Text(text)) => login.token = Some(text.clone()),
            ("name", Value::Text(text)) => login.name = Some(text.clone()),
            ("reconnect", Value::Bool(flag)) => reconnect = *flag,
            ("maxReconnect", Value::Whole(-1)) => most_attempts = None,
            ("maxReconnect", Value::Whole(number)) => most_attempts = Some(u32::try_from(*number).ok()?),
            (name, Value::Whole(number)) => {
                let at = SPANS.iter().position(|(known, _)| *known == name)?;
                let span = u64::try_from(*number).ok().filter(|span| *span > 0)?;
                *[&mut pause, &mut limit, &mut ping].into_iter().nth(at)? = span;
            }
            _ => return None,
        }
    }
    let whole = login.username.is_some() == login.password.is_some();
    if !nats || !whole || login.token.is_some() && login.username.is_some() {
        return None;
    }
    Some(Connect {
        broker: Broker::Nats,
        plan: Plan {
            urls: vec![url?],
            reconnect,
            most_attempts,
            pause: Millis(pause),
            limit: Millis(limit),
            ping: Millis(ping),
            asks: false,
            renews: false,
        },
        login,
        pending_messages: limits::PENDING_MESSAGES,
        pending_bytes: limits::PENDING_BYTES,
        setting: Setting { memory: String::new(), domain: String::new(), inbox: String::new() },
    })
}

/// Names of spans of time, and their defaults in milliseconds: pause between attempts, limit of one, silence before a probe.
pub const SPANS: [(&str, u64); 3] = [("reconnectIntervalMs", 1500), ("timeoutMs", 2000), ("pingIntervalMs", 20_000)];
/// The default of `maxReconnect`.
pub const ATTEMPTS: u32 = 10;

/// Options of produce that the shell passes on as they are, line by line: a name with its type, or with the least and the most of a
/// whole number; a name alone is the shell's own business, and one behind `+` is a producer's. Whatever is not among them, or is
/// something else, is read by `options` first.
pub const PRODUCE: &str = "headers:object,msgId:string,partitionKey:string,waitForAck:boolean,signal,\
    partitionNumber:1:4294967295,ackWaitMs:1:9007199254740991,limitConcurrentTasks:1:4294967295,\
    +producerName:string,+autoMsgId:boolean";

/// Numbers and flags of `ProduceOptions`; texts travel beside the payload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Produce {
    /// `partitionNumber`
    pub partition: Option<u32>,
    /// `ackWaitMs`
    pub ack_wait: Millis,
    /// `limitConcurrentTasks`
    pub limit: u32,
    /// `waitForAck`
    pub wants_receipt: bool,
}

/// The defaults of `ProduceOptions`.
pub const PRODUCE_DEFAULTS: Produce =
    Produce { partition: None, ack_wait: Millis(15_000), limit: 500, wants_receipt: true };

/// Two ways of choosing a partition at once.
pub fn both() -> Error {
    Error::argument("partitionKey and partitionNumber exclude each other")
        .hint("Give a key, or the number of a partition.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::options;

    const PAGE: Facts = Facts { secure_page: true, offline: false };

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_is_usual_reads_as_everything_does() {
        for text in [
            r#"{"broker":"nats","url":"ws://localhost:8080"}"#,
            r#"{"broker":"nats","url":"wss://Broker.example.com/nats?x=@1","username":"u","password":"p","name":"n"}"#,
            r#"{"broker":"nats","url":"wss://127.0.0.1:443/","connectionToken":"t","timeoutMs":5,"maxReconnect":-1}"#,
            r#"{"url":"ws://a","broker":"nats","reconnect":false,"maxReconnect":0,"reconnectIntervalMs":1}"#,
            r#"{"broker":"nats","url":"ws://a?b","pingIntervalMs":9007199254740991}"#,
        ] {
            let all = options::connect(&json(text), false, false).unwrap();
            assert_eq!(format!("{:?}", connect(&json(text), Facts::default()).unwrap()), format!("{all:?}"), "{text}");
        }
        let secure = r#"{"broker":"nats","url":"wss://a"}"#;
        assert!(connect(&json(secure), PAGE).is_some());
    }

    #[test]
    fn what_is_wrong_or_rare_is_left_to_others() {
        for text in [
            r#"{}"#,
            r#""x""#,
            r#"{"broker":"nats"}"#,
            r#"{"broker":"memory"}"#,
            r#"{"broker":"nats","url":["ws://a"]}"#,
            r#"{"broker":"nats","url":"tcp://a"}"#,
            r#"{"broker":"nats","url":"WS://a"}"#,
            r#"{"broker":"nats","url":"ws://"}"#,
            r#"{"broker":"nats","url":"ws://a b"}"#,
            r#"{"broker":"nats","url":"ws://u@a"}"#,
            r#"{"broker":"nats","url":"ws://a/#f"}"#,
            r#"{"broker":"nats","url":"ws://a:0"}"#,
            r#"{"broker":"nats","url":"ws://a:080"}"#,
            r#"{"broker":"nats","url":"ws://a:65536"}"#,
            r#"{"broker":"nats","url":"ws://a:"}"#,
            r#"{"broker":"nats","url":"ws://a:1:2"}"#,
            r#"{"broker":"nats","url":"ws://[::1]"}"#,
            r#"{"broker":"nats","url":"ws://a","username":"u"}"#,
            r#"{"broker":"nats","url":"ws://a","username":"u","password":"p","connectionToken":"t"}"#,
            r#"{"broker":"nats","url":"ws://a","timeoutMs":0}"#,
            r#"{"broker":"nats","url":"ws://a","timeoutMs":1.5}"#,
            r#"{"broker":"nats","url":"ws://a","maxReconnect":-2}"#,
            r#"{"broker":"nats","url":"ws://a","maxReconnect":4294967296}"#,
            r#"{"broker":"nats","url":"ws://a","name":7}"#,
            r#"{"broker":"nats","url":"ws://a","creds":"x"}"#,
            r#"{"broker":"nats","url":"ws://a","timeoutms":1}"#,
            r#"{"broker":"nats","url":"ws://a","vhost":null}"#,
        ] {
            assert!(connect(&json(text), Facts::default()).is_none(), "{text}");
        }
        assert!(connect(&json(r#"{"broker":"nats","url":"ws://a"}"#), PAGE).is_none(), "a page over TLS");
    }
}
