//! What application headers and message ids may be made of, the same on every broker, so that programs port.

use super::error::Error;
use super::id::shown;

/// Check one header. Names: printable ASCII without colon, and not of the `Nats-` family, which changes what a server
/// does (jetstream.md section 3.1). Values: one line of
/// printable ASCII, since brokers and their clients do not agree on anything else.
pub fn check(name: &str, value: &str) -> Result<(), Error> {
    let text = shown(name);
    if name.is_empty() || name.bytes().any(|byte| !(0x21..=0x7e).contains(&byte) || byte == b':') {
        return Err(Error::argument(format!("the header name \"{text}\" is not allowed"))
            .hint("Header names are ASCII letters, digits and punctuation without blank and colon."));
    }
    if name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("nats-")) {
        return Err(Error::argument(format!("the header name \"{text}\" belongs to the broker")).hint(
            "Headers that begin with Nats- change what a NATS server does; use msgId, expirationMs or another name.",
        ));
    }
    if value.bytes().any(|byte| !(0x20..=0x7e).contains(&byte) && byte != b'\t') {
        return Err(Error::argument(format!(
            "the value of the header \"{text}\" has a line break, a control character or a character that is not ASCII"
        ))
        .hint(
            "Header values are one line of ASCII; encode other text, for example with encodeURIComponent or base64.",
        ));
    }
    Ok(())
}

/// Check a message id: as a header value, not empty, and without blanks around it, which brokers do not compare alike.
pub fn check_id(id: &str) -> Result<(), Error> {
    // The first and the last character, in one direction.
    let (first, last) = id.chars().fold((None, ' '), |(first, _), c| (first.or(Some(c)), c));
    let blank = first.is_none_or(char::is_whitespace) || last.is_whitespace();
    if blank || id.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
        return Err(Error::argument(format!("the msgId \"{}\" is not allowed", shown(id)))
            .hint("An id is at least one character, without control characters and without blanks around it."));
    }
    Ok(())
}

/// Longest error text in an answer, in bytes; the block of headers has to take it.
const ERROR_MAX: usize = 8 * 1024;

/// An error's text as an answer can carry it: on one line, not too long, and not empty, which would look like none.
pub fn one_line(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars() {
        if line.len() >= ERROR_MAX {
            break;
        }
        line.push(if c < ' ' || c == '\x7f' { ' ' } else { c });
    }
    if line.is_empty() { "the question was not carried out".into() } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_values_and_ids() {
        assert!(check("x-trace", "bigger: yes").is_ok());
        for (name, value) in [
            ("", "x"),
            ("a b", "x"),
            ("a:b", "x"),
            ("ä", "x"),
            ("nats-Msg-Id", "x"),
            ("a", "x\r\ny"),
            ("a", "\0"),
            ("a", "größer"),
        ] {
            assert!(check(name, value).is_err(), "{name:?} {value:?}");
        }
        assert!(check_id("order-1").is_ok());
        for id in ["", " a", "a ", "a\nb"] {
            assert!(check_id(id).is_err(), "{id:?}");
        }
    }
}
