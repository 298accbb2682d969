//! Changing one member in a JSON text, with every other byte left as it came: a configuration that is read, changed and
//! written back must not lose what this client does not know, nor a number that JavaScript would round.
//!
//! Expects text that a JSON parser has accepted; on anything else it finds nothing. Knows no stream.

use crate::base::bytes::push_json_string;
use std::ops::Range;

/// Where the value of a member stands in the text of an object.
pub fn member(object: &[u8], key: &str) -> Option<Range<usize>> {
    let mut at = skip(object, 0);
    if object.get(at) != Some(&b'{') {
        return None;
    }
    loop {
        at = skip(object, at.checked_add(1)?);
        let name = at..string_end(object, at)?;
        at = skip(object, name.end);
        if object.get(at) != Some(&b':') {
            return None;
        }
        let from = skip(object, at.checked_add(1)?);
        let value = from..value_end(object, from)?;
        let inner = name.start.checked_add(1)?..name.end.checked_sub(1)?;
        if object.get(inner) == Some(key.as_bytes()) {
            return Some(value);
        }
        at = skip(object, value.end);
        if object.get(at) != Some(&b',') {
            return None;
        }
    }
}

/// The object with another value of this member, which is added where it is not there.
pub fn set(object: &[u8], key: &str, value: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(object.len().saturating_add(key.len()).saturating_add(value.len()));
    if let Some(old) = member(object, key) {
        text.extend_from_slice(object.get(..old.start)?);
        text.extend_from_slice(value);
        text.extend_from_slice(object.get(old.end..)?);
        return Some(text);
    }
    let at = skip(object, 0);
    if object.get(at) != Some(&b'{') {
        return None;
    }
    text.push(b'{');
    push_json_string(&mut text, key);
    text.push(b':');
    text.extend_from_slice(value);
    let rest = object.get(skip(object, at.checked_add(1)?)..)?;
    if rest.first() != Some(&b'}') {
        text.push(b',');
    }
    text.extend_from_slice(rest);
    Some(text)
}

fn skip(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
        at = at.saturating_add(1);
    }
    at
}

/// Behind the string that begins at `at`.
fn string_end(text: &[u8], mut at: usize) -> Option<usize> {
    if text.get(at) != Some(&b'"') {
        return None;
    }
    loop {
        at = at.checked_add(1)?;
        match text.get(at)? {
            b'"' => return at.checked_add(1),
            b'\\' => at = at.checked_add(1)?,
            _ => {}
        }
    }
}

/// Behind the value that begins at `at`.
fn value_end(text: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0usize;
    loop {
        match text.get(at)? {
            b'"' => at = string_end(text, at)?,
            b'{' | b'[' => {
                depth = depth.checked_add(1)?;
                at = at.checked_add(1)?;
                continue;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                at = at.checked_add(1)?;
            }
            // A number or a word, or what stands between the values of a list or an object.
            _ => {
                while !matches!(text.get(at), None | Some(b',' | b':' | b'"' | b'{' | b'[' | b'}' | b']')) {
                    at = at.checked_add(1)?;
                }
                if depth > 0 && matches!(text.get(at), Some(b',' | b':')) {
                    at = at.checked_add(1)?;
                    continue;
                }
            }
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn text(bytes: Option<Vec<u8>>) -> String {
        String::from_utf8(bytes.unwrap()).unwrap()
    }

    #[test]
    fn one_member_changes_and_nothing_else() {
        let object = br#"{ "a" : 1.50e3, "big":9223372036854775807,"m":{"x":"}\"","y":[1,{"z":null}]} , "t":true}"#;
        assert_eq!(text(set(object, "m", b"{}")), r#"{ "a" : 1.50e3, "big":9223372036854775807,"m":{} , "t":true}"#);
        assert_eq!(text(set(b"{}", "k", b"1")), r#"{"k":1}"#);
        assert_eq!(text(set(br#" {"a":1}"#, "k", b"[]")), r#"{"k":[],"a":1}"#);
        assert_eq!(member(object, "y"), None, "only the object's own members count");
        assert_eq!(object.get(member(object, "a").unwrap()).unwrap(), b"1.50e3");
    }

    #[test]
    fn what_is_no_object_has_no_members() {
        for broken in ["", "{", "[]", "1", "{\"a\"", "{\"a\":", "{\"a\":{", "{\"a\":\"", "{\"a\\", "{,}"] {
            assert_eq!(member(broken.as_bytes(), "a"), None, "{broken}");
        }
        assert_eq!(set(b"[]", "a", b"1"), None);
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-z{}\\[\\],:\" \\\\\u{e9}]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-d]", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_with_a_parser(before in values(), key in "[a-d]", value in values(), spaced: bool) {
            prop_assume!(before.is_object());
            let object = if spaced { serde_json::to_vec_pretty(&before) } else { serde_json::to_vec(&before) }.unwrap();
            let changed = set(&object, &key, &serde_json::to_vec(&value).unwrap()).unwrap();
            let mut expected = before.clone();
            expected[&key] = value;
            prop_assert_eq!(serde_json::from_slice::<Value>(&changed).unwrap(), expected);
            let found = member(&object, &key).map(|at| serde_json::from_slice::<Value>(&object[at]).unwrap());
            prop_assert_eq!(found.as_ref(), before.get(&key));
        }

        #[test]
        fn any_bytes_end(bytes: Vec<u8>) {
            let _ = (member(&bytes, "a"), set(&bytes, "a", b"1"));
        }
    }
}
