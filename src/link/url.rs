//! Where a broker is: the little of a URL that has to be known before the platform parses it.

use crate::base::bytes::find;
use crate::base::error::{Error, Kind};
use crate::runtime::Facts;

/// A broker's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// As it is dialed.
    pub text: String,
    /// The socket itself is encrypted.
    pub secure: bool,
    /// The path is `/` or missing: other nodes of a cluster may be reached the same way (jetstream.md section 1.2).
    pub plain_path: bool,
}

/// What a URL's scheme means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `ws:`
    Ws,
    /// `wss:`
    Wss,
    /// `tcp:` or `tls:`
    Tcp,
    /// `memory:`
    Memory,
}

impl Url {
    /// Read a URL; `port` is used where the text names none.
    pub fn parse(text: &str, port: u16) -> Result<(Scheme, Url), Error> {
        let wrong = |what: &str| {
            Error::argument(format!("the url \"{}\" {what}", masked(text)))
                .hint("Give a URL such as ws://localhost:8080 or wss://broker.example.com/nats.")
        };
        if let Some(name) = text.strip_prefix("memory:") {
            let name = name.trim_start_matches('/');
            let url = Url { text: name.into(), secure: false, plain_path: false };
            return Ok((Scheme::Memory, url));
        }
        let at = find(text, "://").ok_or_else(|| wrong("has no scheme"))?;
        let (scheme, rest) = (text.get(..at).unwrap_or_default(), text.get(at.saturating_add(3)..).unwrap_or_default());
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "ws" => Scheme::Ws,
            "wss" => Scheme::Wss,
            "tcp" | "tls" => Scheme::Tcp,
            "http" | "https" => return Err(wrong("is an HTTP address; this broker is reached by ws: or wss:")),
            _ => return Err(wrong("has a scheme that is not known")),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = (rest.get(..end).unwrap_or_default(), rest.get(end..).unwrap_or_default());
        if authority.contains('@') {
            return Err(wrong("has a user in it").hint("Give username and password (or connectionToken) as options."));
        }
        if path.contains('#') {
            return Err(wrong("has a fragment"));
        }
        let (host, digits) = split_port(authority);
        if host.is_empty()
            || host.contains(|c: char| {
                c.is_whitespace() || c.is_control() || matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')
            })
        {
            return Err(wrong("has no host, or one that is not allowed"));
        }
        let port = match digits {
            None => port,
            Some(digits) => match digits.parse::<u16>() {
                Ok(port) if port > 0 => port,
                _ => return Err(wrong("has a port that is not a number from 1 to 65535")),
            },
        };
        let secure = scheme == Scheme::Wss;
        let word = if secure { "wss" } else { "ws" };
        // A URL that names no port means the scheme's own (80, 443); a bare host option gets the broker's.
        let text = match digits {
            None if scheme != Scheme::Tcp => format!("{word}://{host}{path}"),
            _ => format!("{word}://{host}:{port}{path}"),
        };
        Ok((scheme, Url { text, secure, plain_path: matches!(path, "" | "/") }))
    }

    /// Another node of the same cluster, reached the same way.
    pub fn sibling(&self, host_port: &str) -> Url {
        let word = if self.secure { "wss" } else { "ws" };
        Url { text: format!("{word}://{host_port}"), secure: self.secure, plain_path: true }
    }

    /// A page loaded over TLS may not open plain sockets, but for loopback hosts.
    pub fn check_page(&self, facts: Facts) -> Result<(), Error> {
        let host =
            self.text.strip_prefix("ws://").map(|rest| split_port(rest.split(['/', '?']).next().unwrap_or_default()).0);
        match host {
            Some(host) if facts.secure_page && !is_loopback(host) => {
                Err(Error::new(Kind::InvalidArgument, format!("a page loaded over TLS may not open {}", self.text))
                    .hint("Use a wss: URL; the broker's WebSocket listener needs TLS, or a proxy in front of it."))
            }
            _ => Ok(()),
        }
    }
}

/// Host and port of an authority; the host keeps the brackets of an IPv6 address.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost") || host.starts_with("127.") || host == "[::1]"
}

/// A URL for an error message: without the password somebody may have put into it.
fn masked(text: &str) -> String {
    match (find(text, "://"), text.find('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            let head = text.get(..scheme.saturating_add(3)).unwrap_or_default();
            format!("{head}***{}", text.get(at..).unwrap_or_default())
        }
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(Scheme, Url), Error> {
        Url::parse(text, 8080)
    }

    #[test]
    fn reads_what_is_right() {
        let (scheme, url) = parse("ws://localhost:9222").unwrap();
        assert_eq!((scheme, url.text.as_str(), url.plain_path), (Scheme::Ws, "ws://localhost:9222", true));
        let (scheme, url) = parse("WSS://broker.example.com/nats?x=1").unwrap();
        assert_eq!((scheme, url.text.as_str()), (Scheme::Wss, "wss://broker.example.com/nats?x=1"));
        assert!(url.secure && !url.plain_path);
        assert_eq!(parse("ws://[::1]:80/").unwrap().1.text, "ws://[::1]:80/");
        assert_eq!(
            parse("memory:tests").unwrap(),
            (Scheme::Memory, Url { text: "tests".into(), secure: false, plain_path: false })
        );
    }

    #[test]
    fn refuses_what_is_wrong() {
        for text in [
            "",
            "localhost",
            "ftp://x",
            "http://x",
            "ws://",
            "ws://:80",
            "ws://a b",
            "ws://a:0",
            "ws://a:70000",
            "ws://a:x",
            "ws://a/#f",
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.kind, Kind::InvalidArgument, "{text}");
            assert!(error.hint.is_some());
        }
        let error = parse("ws://me:secret@host").unwrap_err();
        assert!(!error.text.contains("secret"), "{error}");
    }

    #[test]
    fn a_tls_page_needs_wss() {
        let page = Facts { secure_page: true, ..Facts::default() };
        assert!(parse("ws://example.com").unwrap().1.check_page(page).is_err());
        assert!(parse("wss://example.com").unwrap().1.check_page(page).is_ok());
        assert!(parse("ws://127.0.0.1:8080").unwrap().1.check_page(page).is_ok());
        assert!(parse("ws://example.com").unwrap().1.check_page(Facts::default()).is_ok());
    }
}
