//! Questions to the JetStream API: bodies, answers, and what their errors mean.
//!
//! Source: jetstream.md sections 2.3 and 8.1. Knows nothing of stations and groups beyond their names.

use crate::base::bytes::{lossy, push_decimal, push_json_string};
use crate::base::error::{Error, Kind};
use crate::base::limits;
use crate::base::time::Millis;
use crate::base::value::Value;
use crate::link::exchange::{Answer, Exchange};
use crate::link::session::Request;
use crate::runtime::Part;
use std::pin::Pin;
use std::task::{Context, Poll};

/// An error of the API.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// An answer with this `err_code` and text.
    Api(u32, String),
    /// No answer, or none that can be read.
    Link(Error),
}

/// What to ask of JetStream.
pub struct Api {
    exchange: Exchange,
    prefix: String,
}

impl Clone for Api {
    // Every connection has one, also before the part that these questions are in has been loaded.
    #[inline(always)]
    fn clone(&self) -> Api {
        Api { exchange: self.exchange.clone(), prefix: self.prefix.clone() }
    }
}

impl Api {
    /// `prefix` is that of the API subjects, `$JS.API` by default.
    pub fn new(exchange: Exchange, prefix: &str) -> Api {
        Api { exchange, prefix: prefix.into() }
    }

    /// What it stands on.
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Put a question; it leaves at once.
    pub fn begin(&self, to: &str, body: Vec<u8>) -> Pending<'_> {
        self.send(self.request(to, body))
    }

    /// Where a value of a bucket goes: in another domain the server maps what comes by way of that domain's API, since the
    /// bare subject may be captured by a bucket of its own.
    pub fn in_domain(&self, subject: String) -> String {
        if self.is_own_domain() { subject } else { format!("{}.{subject}", self.prefix) }
    }

    /// No other domain than the server's own was asked for.
    pub fn is_own_domain(&self) -> bool {
        self.prefix == super::API
    }

    /// A question to the API, not put yet.
    pub fn request(&self, to: &str, body: Vec<u8>) -> Request {
        Request { to: format!("{}.{to}", self.prefix), body, head: 0, many: false }
    }

    /// Put a question whose answer looks like the API's, wherever it goes; it leaves at once.
    pub fn send(&self, request: Request) -> Pending<'_> {
        Pending { api: self, answer: self.exchange.ask(request.clone(), limits::REQUEST), request }
    }

    /// Publish to a subject that is not the API's, as a question: `message` begins with a header block of `head` bytes. What
    /// answers is up to the subject; a message larger than the server takes is not sent, and says so.
    pub fn publish(&self, to: &str, message: Vec<u8>, head: u32, limit: Millis) -> Answer {
        self.exchange.ask(Request { to: to.into(), body: message, head, many: false }, limit)
    }

    /// Put a question whose answer is not JSON; the status says what became of it.
    pub fn begin_raw(&self, to: &str, body: Vec<u8>, many: bool) -> Answer {
        let limit = if many { limits::MANY } else { limits::REQUEST };
        self.exchange.ask(Request { to: format!("{}.{to}", self.prefix), body, head: 0, many }, limit)
    }

    /// Put a question and wait for the answer.
    pub fn ask<'a>(&'a self, to: &str, body: Vec<u8>) -> Answering<'a> {
        self.begin(to, body).answer()
    }
}

/// An answer to come. Boxed, as all operations are: one awaited inside the other would be compiled into every caller anew.
pub struct Answering<'a>(Pin<Box<dyn Future<Output = Result<Value, Refusal>> + 'a>>);

impl Future for Answering<'_> {
    type Output = Result<Value, Refusal>;
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

/// A question that is on its way.
pub struct Pending<'a> {
    api: &'a Api,
    answer: Answer,
    request: Request,
}

impl<'a> Pending<'a> {
    /// Wait for its answer. Questions may be repeated: reads change nothing, creates and deletes are idempotent.
    pub fn answer(self) -> Answering<'a> {
        Answering(Box::pin(async move { self.with_text().await.map(|(value, _)| value) }))
    }

    /// Its answer, and the text of it, for those who write it back changed.
    pub async fn with_text(self) -> Result<(Value, Vec<u8>), Refusal> {
        let exchange = &self.api.exchange;
        // A server without JetStream answers 503 too: that is not waited for as long as a leader is.
        let begun = exchange.0.now().mono;
        let mut answer = self.answer;
        let mut pause = limits::NOT_NOW_FIRST;
        loop {
            let refusal = match read(exchange, answer.await) {
                Ok(answer) => return Ok(answer),
                Err(refusal) => refusal,
            };
            // No responders, no leader at present, temporarily unavailable: ordinary weather in a cluster.
            let weather = matches!(refusal, Refusal::Api(503 | 10008 | 10009 | 10004 | 10007 | 10118 | 10119, _));
            let limit = if refusal.code() == 503 { limits::NO_RESPONDERS } else { limits::REQUEST };
            if !weather || exchange.0.now().mono + pause >= begun + limit {
                return Err(refusal);
            }
            exchange.pause(pause).await;
            pause = Millis(pause.0.saturating_mul(2));
            answer = exchange.ask(self.request.clone(), limits::REQUEST);
        }
    }
}

fn read(exchange: &Exchange, reply: Result<crate::link::session::Reply, Error>) -> Result<(Value, Vec<u8>), Refusal> {
    let reply = reply.map_err(Refusal::Link)?;
    if reply.status != 0 {
        return Err(Refusal::Api(reply.status, "no responders".into()));
    }
    let Some(value @ Value::Map(_)) = exchange.0.json().read(&reply.body) else {
        let error = Error::new(Kind::Protocol, "JetStream answered with something that is not a JSON object")
            .hint("Another program answers on the JetStream API's subjects.");
        return Err(Refusal::Link(error.said(lossy(&reply.body).chars().take(200).collect::<String>())));
    };
    let error = value.get("error");
    match error.get("err_code").whole().or(error.get("code").whole()) {
        None => Ok((value, reply.body)),
        Some(code) => {
            let text = error.get("description").text().unwrap_or_default().to_string();
            Err(Refusal::Api(u32::try_from(code).unwrap_or(0), text))
        }
    }
}

impl Refusal {
    /// The number, if the API answered.
    pub fn code(&self) -> u32 {
        match self {
            Refusal::Api(code, _) => *code,
            Refusal::Link(_) => 0,
        }
    }

    /// As the application sees it, for those who are there before the texts for it are.
    pub async fn explained(self, api: &Api, station: &str) -> Error {
        match self {
            Refusal::Link(error) => error.at(station),
            refusal => match api.exchange.loaded(Part::Making).await {
                Ok(()) => refusal.error(station),
                Err(error) => error.at(station),
            },
        }
    }

    /// The same, where they are (jetstream.md section 8.1).
    #[inline(never)]
    pub fn error(self, station: &str) -> Error {
        let (code, text) = match self {
            Refusal::Link(error) => return error.at(station),
            Refusal::Api(code, text) => (code, text),
        };
        let kind = match code {
            10059 | 10014 => return super::session::gone(station, code),
            503 | 10039 | 10076 => {
                let error = Error::new(Kind::NotSupported, "this server or account has no JetStream")
                    .hint("Stations need JetStream: start nats-server with a jetstream block (or -js), and allow it to the account. With the option domain: nobody answers under that name.");
                return error.at(station).code(code);
            }
            10058 | 10148 | 10013 | 10065 | 10099 | 10100 => Kind::AlreadyExists,
            10185 => Kind::NotSupported,
            10008 | 10009 | 10004 | 10007 | 10118 | 10119 => Kind::Timeout,
            _ => Kind::Rejected,
        };
        let hint = match code {
            10065 => "Another stream captures the station's subjects; choose another name.",
            10074 | 10005 => "The cluster has too few servers for that many replicas.",
            10113 => "The account demands a size limit: use retentionType \"bytes\".",
            10026 | 10027 => "The account's limit of streams or consumers is reached.",
            10025 => "The server does not know one of the fields in extra.",
            10099 | 10100 => "A work queue has one group.",
            10084 | 10098 | 10101 => "A work queue is read with acks, from its first message on.",
            10118 | 10194 | 10195 => "The stream is offline; the server's log says why. Try again when it is back.",
            10109 => "The stream is sealed: nothing can be added to it or taken from it any more.",
            10110 => "The stream's configuration forbids it (deny_purge).",
            10023 | 10028 | 10047 | 10002 => "The server or the account is full.",
            _ => "The broker's own code is in serverCode; its text is the message.",
        };
        Error::new(kind, format!("JetStream refused: {text}"))
            .hint(hint)
            .at(station)
            .code(code)
            .retryable(matches!(kind, Kind::Timeout) || matches!(code, 10194 | 10195))
    }
}

/// A JSON object being written. Later members of the same name replace earlier ones.
#[derive(Clone, Debug, Default)]
pub struct Body {
    members: Vec<(String, Vec<u8>)>,
}

impl Body {
    fn set(&mut self, key: &str, value: Vec<u8>) {
        match self.members.iter_mut().find(|(known, _)| known == key) {
            Some(member) => member.1 = value,
            None => self.members.push((key.into(), value)),
        }
    }

    /// A text.
    pub fn text(mut self, key: &str, value: &str) -> Body {
        let mut text = Vec::new();
        push_json_string(&mut text, value);
        self.set(key, text);
        self
    }

    /// A whole number.
    pub fn number(mut self, key: &str, value: i64) -> Body {
        let mut text = Vec::new();
        if value < 0 {
            text.push(b'-');
        }
        push_decimal(&mut text, value.unsigned_abs());
        self.set(key, text);
        self
    }

    /// A boolean.
    pub fn flag(mut self, key: &str, value: bool) -> Body {
        self.set(key, if value { b"true".to_vec() } else { b"false".to_vec() });
        self
    }

    /// An array of texts.
    pub fn texts(mut self, key: &str, values: &[&str]) -> Body {
        let mut text = vec![b'['];
        for (at, value) in values.iter().enumerate() {
            if at > 0 {
                text.push(b',');
            }
            push_json_string(&mut text, value);
        }
        text.push(b']');
        self.set(key, text);
        self
    }

    /// An array of objects.
    pub fn objects(mut self, key: &str, values: Vec<Body>) -> Body {
        let mut text = vec![b'['];
        for (at, value) in values.into_iter().enumerate() {
            if at > 0 {
                text.push(b',');
            }
            text.extend_from_slice(&value.finish());
        }
        text.push(b']');
        self.set(key, text);
        self
    }

    /// An object.
    pub fn object(mut self, key: &str, value: Body) -> Body {
        self.set(key, value.finish());
        self
    }

    /// The text.
    pub fn finish(self) -> Vec<u8> {
        let mut text = vec![b'{'];
        for (at, (key, value)) in self.members.into_iter().enumerate() {
            if at > 0 {
                text.push(b',');
            }
            push_json_string(&mut text, &key);
            text.push(b':');
            text.extend_from_slice(&value);
        }
        text.push(b'}');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_json_and_the_last_word_counts() {
        let body =
            Body::default().text("a", "x\"y").number("n", -1).flag("f", true).texts("l", &["p", "q"]).number("n", 7);
        let body = body.object("o", Body::default().text("k", "v")).finish();
        assert_eq!(String::from_utf8(body).unwrap(), r#"{"a":"x\"y","n":7,"f":true,"l":["p","q"],"o":{"k":"v"}}"#);
    }

    #[test]
    fn codes_become_kinds() {
        let kind = |code| Refusal::Api(code, "text".into()).error("s").kind;
        assert_eq!(kind(10059), Kind::NoSuchStation);
        assert_eq!(kind(503), Kind::NotSupported);
        assert_eq!(kind(10065), Kind::AlreadyExists);
        assert_eq!(kind(10052), Kind::Rejected);
        assert_eq!(kind(10008), Kind::Timeout);
    }
}
