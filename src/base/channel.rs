//! Channels of live messages: names in parts, and the wildcards that stand for parts.
//!
//! ```text
//! orders.eu.created     a name                 orders.*.created   one part, whatever it is
//! orders.>              all parts that follow, at least one
//! ```

use super::error::Error;
use super::id::shown;

/// Longest channel in bytes: a line of the NATS protocol has 4096, and a reply and numbers stand on it too.
pub const CHANNEL_MAX: usize = 2048;

/// Check a channel; wildcards are allowed where somebody listens, not where something is sent.
pub fn check(channel: &str, wildcards: bool) -> Result<(), Error> {
    let wrong = |what: &str| Err(Error::argument(format!("the channel \"{}\" {what}", shown(channel))).hint(RULE));
    if channel.is_empty() {
        return Err(Error::argument("the channel is empty").hint(RULE));
    }
    if channel.len() > CHANNEL_MAX {
        return Err(
            Error::argument(format!("the channel has {} bytes, {CHANNEL_MAX} are allowed", channel.len())).hint(RULE)
        );
    }
    if channel.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return wrong("has a blank or a control character");
    }
    let mut parts = channel.split('.').peekable();
    while let Some(part) = parts.next() {
        match part {
            "" => return wrong("has an empty part"),
            "*" | ">" if !wildcards => {
                return Err(Error::argument(format!("the channel \"{}\" has a wildcard", shown(channel)))
                    .hint("Wildcards are for those who listen; send to one channel by its full name."));
            }
            ">" if parts.peek().is_some() => return wrong("goes on after \">\""),
            "*" | ">" => {}
            _ if part.bytes().any(|byte| matches!(byte, b'*' | b'>')) => {
                return wrong("has a wildcard that is only a piece of a part");
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a name belongs to a pattern. Both have been checked.
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut names = name.split('.');
    for part in pattern.split('.') {
        match (part, names.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (part, Some(name)) if part == name => {}
            _ => return false,
        }
    }
    names.next().is_none()
}

const RULE: &str = "A channel is one or more parts between dots, without blanks; \"*\" stands for one whole part, \">\" for all that follow.";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_channel_is_made_of() {
        for good in ["a", "orders.eu", "ORDERS.größe", "$SYS.x", "a-b_c.1"] {
            assert!(check(good, false).is_ok(), "{good}");
        }
        for good in ["*", ">", "a.*.b", "a.*.>"] {
            assert!(check(good, true).is_ok(), "{good}");
            assert!(check(good, false).is_err(), "{good}");
        }
        for bad in ["", ".", "a.", ".a", "a..b", "a b", "a\tb", "a\r\n", "\0", ">.a", "a*", "a.b>", "**"] {
            for wildcards in [false, true] {
                let error = check(bad, wildcards).unwrap_err();
                assert!(error.hint.is_some(), "{bad:?}");
            }
        }
        assert!(check(&"a".repeat(CHANNEL_MAX), false).is_ok());
        assert!(check(&"a".repeat(CHANNEL_MAX + 1), false).is_err());
    }

    #[test]
    fn wildcards_stand_for_parts() {
        for (pattern, name, expected) in [
            ("a", "a", true),
            ("a", "b", false),
            ("a", "a.b", false),
            ("a.*", "a.b", true),
            ("a.*", "a", false),
            ("a.*", "a.b.c", false),
            ("*.b", "a.b", true),
            ("a.>", "a.b.c", true),
            ("a.>", "a", false),
            (">", "a", true),
            ("*", "a.b", false),
            ("a.*.>", "a.b", false),
            ("a.*.>", "a.b.c", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    /// The same by another way: part by part from the list of both.
    fn slowly(pattern: &[String], name: &[String]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((first, _)), Some(_)) if first == ">" => true,
            (Some((first, pattern)), Some((part, name))) if first == "*" || first == part => slowly(pattern, name),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_its_definition(
            pattern in proptest::collection::vec("[ab*]", 1..5),
            rest: bool,
            name in proptest::collection::vec("[ab]", 1..6),
        ) {
            let mut pattern = pattern;
            if rest {
                pattern.push(">".into());
            }
            let (p, n) = (pattern.join("."), name.join("."));
            prop_assert!(check(&p, true).is_ok() && check(&n, false).is_ok());
            prop_assert_eq!(matches(&p, &n), slowly(&pattern, &name));
            prop_assert!(matches(&n, &n));
        }

        #[test]
        fn any_text_is_judged_without_a_panic(channel: String, name: String) {
            let _ = (check(&channel, true), check(&channel, false), matches(&channel, &name));
        }
    }
}
