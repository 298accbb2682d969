//! Where a broker is: the little of a URL that has to be known before the platform parses it.

use crate::base::bytes::{find, parse_decimal};
use crate::base::error::{Error, Kind};
use crate::link::session::Encryption;
use crate::runtime::Facts;

/// A broker's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// As it is dialed.
    pub text: String,
    /// What kind of socket.
    pub scheme: Scheme,
    /// The name that the certificate has to bear where it is not the host of the address; else empty.
    pub name: String,
    /// The application opens the socket itself: `tls:` comes encrypted.
    pub own_socket: bool,
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
    /// `tcp:`
    Tcp,
    /// `tls:`
    Tls,
    /// `memory:`
    Memory,
}

impl Url {
    /// Read a URL of a WebSocket as most are written, which is dialed as it is. Any other, right or wrong, is for [`Url::parse`].
    pub fn usual(text: &str, facts: Facts) -> Option<Url> {
        let (scheme, rest) = match text.strip_prefix("wss://") {
            Some(rest) => (Scheme::Wss, rest),
            None if facts.secure_page => return None,
            None => (Scheme::Ws, text.strip_prefix("ws://")?),
        };
        let rest = rest.as_bytes();
        let host = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        let end = rest.iter().position(|byte| !host(byte)).unwrap_or(rest.len());
        let mut path = rest.get(end..)?;
        if let [b':', port @ ..] = path {
            let end = port.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(port.len());
            let digits = port.get(..end).filter(|digits| digits.first() != Some(&b'0'))?;
            parse_decimal(digits).filter(|port| *port <= u64::from(u16::MAX))?;
            path = port.get(end..)?;
        }
        if end == 0 || memchr::memchr(b'#', path).is_some() || !matches!(path.first(), None | Some(b'/' | b'?')) {
            return None;
        }
        Some(Url { plain_path: matches!(path, b"" | b"/"), ..Url::new(text.into(), scheme) })
    }

    /// Read a URL; `port` is used for `tcp:` and `tls:` where the text names none.
    pub fn parse(text: &str, port: u16) -> Result<Url, Error> {
        let wrong = |what: &str| {
            Error::argument(format!("the url \"{}\" {what}", masked(text)))
                .hint("Give a URL such as ws://localhost:8080 or wss://broker.example.com/nats.")
        };
        if let Some(name) = text.strip_prefix("memory:") {
            let name = name.trim_start_matches('/');
            return Ok(Url { plain_path: false, ..Url::new(name.into(), Scheme::Memory) });
        }
        let at = find(text, "://").ok_or_else(|| wrong("has no scheme"))?;
        let (scheme, rest) = (text.get(..at).unwrap_or_default(), text.get(at.saturating_add(3)..).unwrap_or_default());
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "ws" => Scheme::Ws,
            "wss" => Scheme::Wss,
            "tcp" => Scheme::Tcp,
            "tls" => Scheme::Tls,
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
        let raw = matches!(scheme, Scheme::Tcp | Scheme::Tls);
        let plain_path = matches!(path, "" | "/");
        if raw && !plain_path {
            return Err(wrong("has a path, which raw TCP knows nothing of"));
        }
        let port = match digits {
            None => port,
            Some(digits) => match digits.parse::<u16>() {
                Ok(port) if port > 0 => port,
                _ => return Err(wrong("has a port that is not a number from 1 to 65535")),
            },
        };
        let word = scheme.word();
        // A WebSocket URL that names no port means the scheme's own (80, 443); a bare host option gets the broker's.
        let text = match digits {
            _ if raw => format!("{word}://{host}:{port}"),
            None => format!("{word}://{host}{path}"),
            Some(_) => format!("{word}://{host}:{port}{path}"),
        };
        Ok(Url { plain_path, ..Url::new(text, scheme) })
    }

    fn new(text: String, scheme: Scheme) -> Url {
        Url { text, scheme, name: String::new(), own_socket: false, plain_path: true }
    }

    /// Who encrypts, and when. `first`: the socket was opened to be encrypted before its first byte.
    pub fn encryption(&self, first: bool) -> Encryption {
        match self.scheme {
            Scheme::Tcp => Encryption::OnDemand,
            Scheme::Tls if !first && !self.own_socket => Encryption::Required,
            _ => Encryption::Settled,
        }
    }

    /// Its host.
    fn host(&self) -> &str {
        let rest = find(&self.text, "://").and_then(|at| self.text.get(at.saturating_add(3)..)).unwrap_or_default();
        split_port(rest.split(['/', '?']).next().unwrap_or_default()).0
    }

    /// Another node of the same cluster, reached the same way.
    pub fn sibling(&self, host_port: &str) -> Url {
        let mut url = Url::new(format!("{}://{host_port}", self.scheme.word()), self.scheme);
        url.own_socket = self.own_socket;
        // Servers tell addresses; their certificates bear the name that the user knows them by.
        if is_address(url.host()) {
            url.name = if !self.name.is_empty() {
                self.name.clone()
            } else if is_address(self.host()) {
                String::new()
            } else {
                self.host().into()
            };
        }
        url
    }

    /// A page loaded over TLS may not open plain sockets, but for loopback hosts.
    pub fn check_page(&self, facts: Facts) -> Result<(), Error> {
        match self.scheme {
            Scheme::Ws if facts.secure_page && !is_loopback(self.host()) => {
                Err(Error::new(Kind::InvalidArgument, format!("a page loaded over TLS may not open {}", self.text))
                    .hint("Use a wss: URL; the broker's WebSocket listener needs TLS, or a proxy in front of it."))
            }
            _ => Ok(()),
        }
    }
}

impl Scheme {
    fn word(self) -> &'static str {
        match self {
            Scheme::Ws => "ws",
            Scheme::Wss => "wss",
            Scheme::Tcp => "tcp",
            Scheme::Tls => "tls",
            Scheme::Memory => "memory",
        }
    }
}

/// A number, no name.
fn is_address(host: &str) -> bool {
    host.starts_with('[') || host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Host and port of an authority; the host keeps the brackets of an IPv6 address.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    // What stands last: a colon, or the end of an IPv6 address.
    let last = authority.bytes().rposition(|byte| matches!(byte, b':' | b']'));
    match last.and_then(|at| authority.split_at_checked(at)) {
        Some((host, port)) if port.starts_with(':') => (host, port.get(1..)),
        _ => (authority, None),
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost") || host.starts_with("127.") || host == "[::1]"
}

/// A URL for an error message: without the password somebody may have put into it.
fn masked(text: &str) -> String {
    let Some((before, host)) = text.rfind('@').and_then(|at| text.split_at_checked(at)) else { return text.into() };
    // There may be a user even where there is no scheme, and what stands there may be none.
    let scheme = find(before, "://").and_then(|at| before.get(..at));
    match scheme.filter(|scheme| scheme.bytes().all(|byte| byte.is_ascii_alphabetic())) {
        Some(scheme) => format!("{scheme}://***{host}"),
        None => format!("***{host}"),
    }
}

/// The body of the fuzz target: whatever is given is a URL or an error that shows no password, and what is read as most are
/// written is read the same way otherwise.
pub fn fuzz(bytes: &[u8]) {
    let text = crate::base::bytes::lossy(bytes);
    let facts = Facts { secure_page: bytes.len().is_multiple_of(2), offline: false };
    let parsed = Url::parse(&text, 4222);
    if let Some(usual) = Url::usual(&text, facts) {
        assert_eq!(parsed.as_ref().ok(), Some(&usual));
    }
    match parsed {
        Ok(url) => {
            let _ = (url.check_page(facts), url.encryption(false), url.sibling(&text));
            assert!(
                url.scheme == Scheme::Memory || Url::parse(&url.text, 4222).is_ok_and(|again| again.text == url.text)
            );
        }
        Err(_) => {
            let shown = masked(&text);
            let head = shown.rsplit_once('@').map_or("***", |(head, _)| head);
            let scheme = head.strip_suffix("***").map(|scheme| scheme.strip_suffix("://").unwrap_or(scheme));
            assert!(scheme.is_some_and(|scheme| scheme.bytes().all(|byte| byte.is_ascii_alphabetic())), "{shown}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Url, Error> {
        Url::parse(text, 4222)
    }

    #[test]
    fn no_error_shows_a_password() {
        for text in [
            "ws://anna:s3cret@host",
            "ws://anna:s3@s3cret@host",
            "anna:s3cret@host:4222",
            "http://anna:s3cret@host",
            "ws://anna:x/s3cret@host",
            "anna:s3cret://x@host",
        ] {
            let error = parse(text).unwrap_err();
            assert!(!error.text.contains("s3cret") && error.text.contains("***@host"), "{}", error.text);
        }
    }

    #[test]
    fn reads_what_is_right() {
        let url = parse("ws://localhost:9222").unwrap();
        assert_eq!((url.scheme, url.text.as_str(), url.plain_path), (Scheme::Ws, "ws://localhost:9222", true));
        let url = parse("WSS://broker.example.com/nats?x=1").unwrap();
        assert_eq!((url.scheme, url.text.as_str()), (Scheme::Wss, "wss://broker.example.com/nats?x=1"));
        assert!(!url.plain_path);
        assert_eq!(parse("ws://[::1]:80/").unwrap().text, "ws://[::1]:80/");
        let url = parse("memory:tests").unwrap();
        assert_eq!((url.scheme, url.text.as_str()), (Scheme::Memory, "tests"));
        let url = parse("tcp://broker.example.com/").unwrap();
        assert_eq!((url.scheme, url.text.as_str()), (Scheme::Tcp, "tcp://broker.example.com:4222"));
        assert_eq!(parse("TLS://[::1]:7").unwrap().text, "tls://[::1]:7");
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
            "tcp://a/nats",
            "tls://a:0",
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
        assert!(parse("ws://example.com").unwrap().check_page(page).is_err());
        assert!(parse("wss://example.com").unwrap().check_page(page).is_ok());
        assert!(parse("ws://127.0.0.1:8080").unwrap().check_page(page).is_ok());
        assert!(parse("ws://example.com").unwrap().check_page(Facts::default()).is_ok());
    }

    #[test]
    fn who_encrypts() {
        let encryption = |text: &str, first| parse(text).unwrap().encryption(first);
        assert_eq!(encryption("ws://a", false), Encryption::Settled);
        assert_eq!(encryption("wss://a", false), Encryption::Settled);
        assert_eq!(encryption("tcp://a", false), Encryption::OnDemand);
        assert_eq!(encryption("tls://a", false), Encryption::Required);
        assert_eq!(encryption("tls://a", true), Encryption::Settled);
        let own = Url { own_socket: true, ..parse("tls://a").unwrap() };
        assert_eq!(own.encryption(false), Encryption::Settled);
    }

    #[test]
    fn an_address_is_checked_against_the_name_that_the_user_knows() {
        let own = parse("tls://broker.example.com:4222").unwrap();
        let sibling = own.sibling("10.0.0.2:4222");
        assert_eq!((sibling.text.as_str(), sibling.name.as_str()), ("tls://10.0.0.2:4222", "broker.example.com"));
        assert_eq!(sibling.sibling("[fe80::1]:4222").name, "broker.example.com");
        assert_eq!(own.sibling("two.example.com:4222").name, "");
        assert_eq!(parse("tls://10.0.0.1").unwrap().sibling("10.0.0.2:4222").name, "");
    }
}
