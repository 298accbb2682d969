//! Writing numbers and JSON text as bytes, and reading decimal numbers out of bytes, checked.

/// Append a number in decimal.
pub fn push_decimal(into: &mut Vec<u8>, mut value: u64) {
    let mut text = [0u8; 20];
    let mut at = text.len();
    loop {
        at = at.saturating_sub(1);
        if let Some(place) = text.get_mut(at) {
            *place = b'0'.wrapping_add((value % 10) as u8);
        }
        value /= 10;
        if value == 0 {
            break;
        }
    }
    into.extend_from_slice(text.get(at..).unwrap_or_default());
}

/// Read a decimal number that fills the whole text; `None` if it does not or overflows.
pub fn parse_decimal(text: &[u8]) -> Option<u64> {
    let digit = |byte: &u8| Some(byte.wrapping_sub(b'0')).filter(|digit| *digit <= 9).map(u64::from);
    // Nineteen digits always fit; a checked product of 64 bits is a call in wasm, and times have nineteen.
    let (fits, rest) = text.split_at(text.len().min(19));
    let mut value = 0u64;
    for byte in fits {
        value = value.wrapping_mul(10).wrapping_add(digit(byte)?);
    }
    for byte in rest {
        value = value.checked_mul(10)?.checked_add(digit(byte)?)?;
    }
    (!text.is_empty()).then_some(value)
}

/// The bytes behind standard base64, with or without padding; `None` if it is not that.
pub fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut held) = (0u32, 0u32);
    for byte in text {
        let digit = match byte {
            b'A'..=b'Z' => byte.wrapping_sub(b'A'),
            b'a'..=b'z' => byte.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => byte.wrapping_sub(b'0').wrapping_add(52),
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(digit);
        held = held.wrapping_add(6);
        if held >= 8 {
            held = held.wrapping_sub(8);
            bytes.push((bits >> held) as u8);
        }
    }
    (held < 6).then_some(bytes)
}

/// Where a short text stands in another. (The standard library's search is made for long ones, and its panics carry
/// Unicode tables: 5 KB.)
pub fn find(text: &str, part: &str) -> Option<usize> {
    text.as_bytes().windows(part.len().max(1)).position(|window| window == part.as_bytes())
}

/// Bytes of a broker as a text; where they are none, the ASCII of it. (The standard library's keeps what is well-formed between: 1 KB.)
#[inline(never)]
pub fn lossy(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => {
            let mut text = String::new();
            for byte in bytes {
                text.push_str(if byte.is_ascii() {
                    std::str::from_utf8(std::slice::from_ref(byte)).unwrap_or_default()
                } else {
                    "\u{fffd}"
                });
            }
            text
        }
    }
}

/// Append a text as a JSON string.
pub fn push_json_string(into: &mut Vec<u8>, text: &str) {
    into.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => into.extend_from_slice(&[b'\\', byte]),
            0..=0x1f => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                into.extend_from_slice(b"\\u00");
                for nibble in [byte >> 4, byte & 15] {
                    into.push(HEX.get(usize::from(nibble)).copied().unwrap_or(b'0'));
                }
            }
            _ => into.push(byte),
        }
    }
    into.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn decimal_round_trip(value: u64) {
            let mut text = Vec::new();
            push_decimal(&mut text, value);
            prop_assert_eq!(parse_decimal(&text), Some(value));
            text.push(b' ');
            prop_assert_eq!(parse_decimal(&text), None);
        }

        #[test]
        fn json_strings_are_json(text: String) {
            let mut bytes = Vec::new();
            push_json_string(&mut bytes, &text);
            prop_assert_eq!(serde_json::from_slice::<String>(&bytes).unwrap(), text);
        }
    }

    #[test]
    fn bytes_become_a_text_whatever_they_are() {
        assert_eq!(lossy("a\u{e4}b".as_bytes()), "a\u{e4}b");
        assert_eq!(lossy(b"a\xffb"), "a\u{fffd}b");
    }

    #[test]
    fn finds_what_the_standard_library_finds() {
        for (text, part) in
            [("a://b", "://"), ("://", "://"), ("a:/b", "://"), ("", "x"), ("\u{e4}b", "b"), ("abab", "ab")]
        {
            assert_eq!(find(text, part), text.find(part), "{text} {part}");
        }
    }

    #[test]
    fn base64_is_read_with_and_without_padding() {
        for (text, bytes) in
            [("", ""), ("Zg==", "f"), ("Zg", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("TkFUUy8xLjA=", "NATS/1.0")]
        {
            assert_eq!(decode_base64(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        for text in ["Z", "Zm9vZ", "Z g=", "Zm9-", "=Zg"] {
            assert_eq!(decode_base64(text), None, "{text}");
        }
    }

    #[test]
    fn decimal_refuses_overflow() {
        assert_eq!(parse_decimal(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_decimal(b"18446744073709551616"), None);
        assert_eq!(parse_decimal(b""), None);
        assert_eq!(parse_decimal(b"-1"), None);
    }
}
