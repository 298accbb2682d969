//! What `INFO` tells, and the `CONNECT` line that answers it.
//!
//! Source: jetstream.md sections 1.2 to 1.5. Knows nothing of sessions.

use super::nkey::Proof;
use crate::base::bytes::{find, parse_decimal, push_json_string};
use crate::base::error::{Error, Kind};
use crate::base::value::Value;
use crate::link::session::Login;

/// `max_payload` of a server that does not say: the default of the protocol.
const PAYLOAD: u64 = 1_048_576;

/// The API level from which on messages may have a time to live of their own (2.11).
pub const LEVEL_TTL: u32 = 1;
/// The API level from which on messages may be scheduled (2.12).
pub const LEVEL_SCHEDULES: u32 = 2;

/// What is kept of `INFO`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Headers and payload of one message together, in bytes.
    pub max_payload: u64,
    /// Headers are possible; required.
    pub headers: bool,
    /// The server's version.
    pub version: Option<String>,
    /// The server's own name.
    pub name: Option<String>,
    /// WebSocket addresses of all nodes, as `host:port`.
    pub urls: Vec<String>,
    /// Lame duck: this server is about to go.
    pub leaving: bool,
    /// `api_lvl`: the JetStream API's level, from 2.12 on.
    pub api: Option<u64>,
    /// What the signature of a login with a key has to cover.
    pub nonce: Option<String>,
}

impl Default for Info {
    fn default() -> Info {
        Info {
            max_payload: PAYLOAD,
            headers: false,
            version: None,
            name: None,
            urls: Vec::new(),
            leaving: false,
            api: None,
            nonce: None,
        }
    }
}

impl Info {
    /// Take over what a later `INFO` says; what it leaves out stays.
    pub fn merge(&mut self, value: &Value) {
        let text = |key: &str, old: &mut Option<String>| {
            if let Some(text) = value.get(key).text() {
                *old = Some(text.into());
            }
        };
        text("version", &mut self.version);
        text("server_name", &mut self.name);
        text("nonce", &mut self.nonce);
        self.api = value.get("api_lvl").whole().or(self.api);
        if let Some(max) = value.get("max_payload").whole() {
            self.max_payload = max;
        }
        if let Value::Bool(headers) = value.get("headers") {
            self.headers = *headers;
        }
        let urls: Vec<_> =
            value.get("connect_urls").elements().iter().filter_map(|url| url.text().map(String::from)).collect();
        if !urls.is_empty() {
            self.urls = urls;
        }
        self.leaving = value.get("ldm").truth();
    }

    /// The JetStream API's level (jetstream.md section 12). Servers before 2.12 do not tell it in `INFO`: 2.11 has level 1.
    pub fn level(&self) -> u32 {
        let told = self.api.map(|level| u32::try_from(level).unwrap_or(u32::MAX));
        told.unwrap_or_else(|| {
            let mut numbers = self.version.as_deref().unwrap_or_default().as_bytes().split(|byte| *byte == b'.');
            let mut number = || numbers.next().and_then(parse_decimal).unwrap_or(0);
            let version = (number(), number());
            u32::from(version >= (2, 11))
        })
    }
}

/// What the server says of TLS on this port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Nothing.
    None,
    /// The client may have it.
    Possible,
    /// The client must have it.
    Required,
}

/// Read what the first `INFO` says of TLS (jetstream.md section 1.1).
pub fn offers_tls(value: &Value) -> Tls {
    if value.get("tls_required").truth() {
        Tls::Required
    } else if value.get("tls_available").truth() {
        Tls::Possible
    } else {
        Tls::None
    }
}

/// Write `CONNECT`. The `PONG` to a `PING` after it says that the credentials were accepted.
pub fn push_connect(out: &mut Vec<u8>, login: &Login, proof: &Proof) {
    out.extend_from_slice(b"CONNECT {\"verbose\":false,\"pedantic\":false,\"protocol\":1,\"echo\":true,\"headers\":true,\"no_responders\":true,\"lang\":\"stationmaster\",\"version\":\"");
    out.extend_from_slice(env!("CARGO_PKG_VERSION").as_bytes());
    out.push(b'"');
    let fields = [
        ("name", &login.name),
        ("user", &login.username),
        ("pass", &login.password),
        ("auth_token", &login.token),
        ("jwt", &login.jwt),
        ("nkey", &proof.key),
        ("sig", &proof.signature),
    ];
    for (key, value) in fields {
        if let Some(value) = value {
            out.extend_from_slice(b",\"");
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(b"\":");
            push_json_string(out, value);
        }
    }
    out.extend_from_slice(b",\"tls_required\":false}\r\n");
}

/// What an `-ERR` means for the link.
#[derive(Clone, Debug, PartialEq)]
pub enum Complaint<'a> {
    /// The link is over.
    Fatal(Error),
    /// One subject may not be published to.
    Publish(&'a str),
    /// One subject may not be subscribed to.
    Subscribe(&'a str),
    /// One command was refused; the link lives.
    Minor,
}

/// Read the text of an `-ERR`.
pub fn complaint(text: &str) -> Complaint<'_> {
    let quoted = |start: &str| {
        let rest = text.strip_prefix(start)?;
        rest.get(..find(rest, "\"").unwrap_or(rest.len()))
    };
    if let Some(subject) = quoted("Permissions Violation for Publish to \"") {
        return Complaint::Publish(subject);
    }
    if let Some(subject) = quoted("Permissions Violation for Subscription to \"") {
        return Complaint::Subscribe(subject);
    }
    let has = |part: &str| find(text, part).is_some();
    // Memphis does not say what was refused (memphis.md section 1.7).
    if has("Permissions Violation") {
        return Complaint::Publish("");
    }
    if has("Invalid Subject") || has("Invalid Publish Subject") || has("maximum subscriptions exceeded") {
        return Complaint::Minor;
    }
    let error = if has("Authorization Violation") {
        Error::new(Kind::AuthFailed, "the broker refused the credentials")
            .hint("Check username and password, connectionToken, or key and JWT (which may have expired); the server does not say which is wrong.")
    } else if has("Expired") || has("Revoked") {
        Error::new(Kind::AuthFailed, "the broker ended the session: the credentials are no longer good")
            .hint("Give credentials as a function, so that fresh ones are asked for before every dial.")
    } else if has("Authentication Timeout") {
        Error::new(Kind::ConnectFailed, "the broker waited too long for the credentials")
    } else if has("exceeded") && has("connections") {
        Error::new(Kind::ConnectFailed, "the broker has no room for another connection")
    } else {
        Error::new(Kind::ConnectionLost, "the broker ended the connection")
    };
    Complaint::Fatal(error.said(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connect_is_json_and_escapes() {
        let login = Login {
            username: Some("a\"b".into()),
            password: Some("p\\".into()),
            name: Some("ui".into()),
            seed: Some(crate::base::secret::Secret::new("SUAM".into())),
            ..Login::default()
        };
        let mut out = Vec::new();
        push_connect(&mut out, &login, &Proof { key: None, signature: Some("s-_".into()) });
        let text = String::from_utf8(out).unwrap();
        let json = text.strip_prefix("CONNECT ").unwrap().strip_suffix("\r\n").unwrap();
        let value: Value = serde_json::from_str(json).unwrap();
        assert_eq!((value.get("user").text(), value.get("pass").text()), (Some("a\"b"), Some("p\\")));
        assert_eq!((value.get("auth_token"), value.get("nkey")), (&Value::Nothing, &Value::Nothing));
        assert_eq!(value.get("sig").text(), Some("s-_"));
        assert!(!text.contains("SUAM"), "the seed stays here");
        assert!(value.get("no_responders").truth());
    }

    #[test]
    fn later_infos_are_merged() {
        let mut info = Info::default();
        info.merge(
            &serde_json::from_str(r#"{"max_payload":64,"headers":true,"version":"2.15.1","connect_urls":["a:1"]}"#)
                .unwrap(),
        );
        info.merge(&serde_json::from_str(r#"{"ldm":true}"#).unwrap());
        assert_eq!((info.max_payload, info.headers, info.leaving, info.urls.len()), (64, true, true, 1));
    }

    #[test]
    fn the_level_is_told_or_follows_from_the_version() {
        let level = |text: &str| {
            let mut info = Info::default();
            info.merge(&serde_json::from_str(text).unwrap());
            info.level()
        };
        assert_eq!(level(r#"{"version":"2.15.1","api_lvl":5}"#), 5);
        assert_eq!(level(r#"{"version":"2.11.11"}"#), LEVEL_TTL);
        assert_eq!(level(r#"{"version":"2.10.26"}"#), 0);
        assert_eq!(level(r#"{"version":"2.11.0-RC.1"}"#), LEVEL_TTL);
        assert_eq!((level("{}"), level(r#"{"version":"dev"}"#)), (0, 0));
    }

    #[test]
    fn complaints() {
        let fatal = |text| match complaint(text) {
            Complaint::Fatal(error) => error.kind,
            other => panic!("{other:?}"),
        };
        assert_eq!(fatal("Authorization Violation"), Kind::AuthFailed);
        assert_eq!(fatal("User Authentication Expired"), Kind::AuthFailed);
        assert_eq!(fatal("maximum connections exceeded"), Kind::ConnectFailed);
        assert_eq!(fatal("Stale Connection"), Kind::ConnectionLost);
        assert_eq!(complaint("Permissions Violation for Publish to \"a.b\""), Complaint::Publish("a.b"));
        assert_eq!(
            complaint("Permissions Violation for Subscription to \"_INBOX.x.*\" using queue \"g\""),
            Complaint::Subscribe("_INBOX.x.*")
        );
    }
}
