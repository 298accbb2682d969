//! Names and ids: what a name may be made of, and how random ids and base-36 numbers are written.

use super::error::Error;

/// Longest name of a station, group, producer or consumer.
pub const NAME_MAX: usize = 128;

/// Check a name by the rule that is right on every broker: `a-z 0-9 . _ -`, first and last a letter or digit, at
/// most 128 characters; `capitals` allows `A-Z` too, where the broker does (semantics.md section 1).
pub fn check_name(what: &str, name: &str, capitals: bool) -> Result<(), Error> {
    if name.is_empty() {
        return Err(Error::argument(format!("the {what} name is empty")).hint(RULE));
    }
    let length = name.chars().count();
    if length > NAME_MAX {
        return Err(
            Error::argument(format!("the {what} name has {length} characters, {NAME_MAX} are allowed")).hint(RULE)
        );
    }
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || capitals && c.is_ascii_uppercase();
    for (at, c) in name.chars().enumerate() {
        let edge = at == 0 || at + 1 == length;
        let line = matches!(c, '_' | '-') && (capitals || !edge);
        if !(word(c) || line || !edge && c == '.') {
            let place = if edge && matches!(c, '.' | '_' | '-') { " at its beginning or end" } else { "" };
            return Err(Error::argument(format!(
                "the {what} name \"{}\" has the character '{}' (number {}){place}, which is not allowed",
                shown(name),
                shown(&String::from(c)),
                at + 1
            ))
            .hint(RULE));
        }
    }
    Ok(())
}

/// A text for an error message: control characters as escapes, and not more of it than fits on a line. (The standard
/// library's own escape carries Unicode tables of several KB.)
pub fn shown(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(80) {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\0' => out.push_str("\\0"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => out.push('?'),
            c => out.push(c),
        }
    }
    out
}

const RULE: &str = "Use 1 to 128 characters of a-z, 0-9, '.', '_' and '-', with a letter or digit first and last.";

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// Append a number in base 36.
pub fn push_base36(into: &mut Vec<u8>, mut value: u64) {
    let mut text = [0u8; 13];
    let mut at = text.len();
    loop {
        at = at.saturating_sub(1);
        if let (Some(place), Some(digit)) = (text.get_mut(at), DIGITS.get((value % 36) as usize)) {
            *place = *digit;
        }
        value /= 36;
        if value == 0 {
            break;
        }
    }
    into.extend_from_slice(text.get(at..).unwrap_or_default());
}

/// Read a number in base 36; `None` if it is not one or too large.
pub fn parse_base36(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let mut value = 0u64;
    for byte in text {
        let digit = match byte {
            b'0'..=b'9' => byte.wrapping_sub(b'0'),
            b'a'..=b'z' => byte.wrapping_sub(b'a').wrapping_add(10),
            _ => return None,
        };
        value = value.checked_mul(36)?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

/// Twelve random characters of base 36 (62 bits) from eight random bytes.
pub fn random_id(random: [u8; 8]) -> String {
    let mut text = Vec::with_capacity(13);
    push_base36(&mut text, u64::from_le_bytes(random) | 1 << 62);
    text.truncate(12);
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_say_which_character_is_wrong() {
        assert!(check_name("station", "orders.eu-1_a", false).is_ok());
        for (name, wrong) in
            [("Orders", "'O'"), ("a b", "' '"), ("a#", "'#'"), (".a", "'.'"), ("a-", "'-'"), ("a\n", "\\n")]
        {
            let error = check_name("station", name, false).unwrap_err();
            assert!(error.text.contains(wrong), "{name}: {error}");
            assert!(error.hint.is_some());
        }
        assert!(check_name("station", "ORDERS", true).is_ok() && check_name("station", "_a-", true).is_ok());
        assert!(check_name("station", "a.", true).is_err());
        assert!(check_name("station", "", true).is_err());
        assert!(check_name("station", &"a".repeat(128), true).is_ok());
        assert!(check_name("station", &"a".repeat(129), true).is_err());
    }

    proptest! {
        #[test]
        fn base36_round_trip(value: u64) {
            let mut text = Vec::new();
            push_base36(&mut text, value);
            prop_assert_eq!(parse_base36(&text), Some(value));
        }

        #[test]
        fn random_ids_are_names(random: [u8; 8]) {
            prop_assert!(check_name("group", &random_id(random), false).is_ok());
            prop_assert_eq!(random_id(random).len(), 12);
        }
    }
}
