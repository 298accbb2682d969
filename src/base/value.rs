//! A plain value: what options and control messages look like before anybody knows what they mean.
//!
//! The package fills it from JavaScript values by hand (`runtime::web::plain`), native tests and fuzzers from JSON through
//! serde_json, by the small `Deserialize` below.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;
use zeroize::Zeroize;

/// A value of any shape.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `undefined`, `null`.
    Nothing,
    /// A boolean.
    Bool(bool),
    /// A number that is not known to be whole, or too large for it.
    Number(f64),
    /// A whole number.
    Whole(i64),
    /// A text.
    Text(String),
    /// A moment, in milliseconds since 1970; JSON has none.
    Date(f64),
    /// An array.
    List(Vec<Value>),
    /// An object, in the order of its keys.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// The member of an object; `Nothing` if there is none.
    pub fn get(&self, key: &str) -> &Value {
        match self {
            Value::Map(entries) => entries.iter().find(|(k, _)| k == key).map_or(&Value::Nothing, |(_, v)| v),
            _ => &Value::Nothing,
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number as a whole one that is not negative, if it is one.
    pub fn whole(&self) -> Option<u64> {
        match self {
            Value::Whole(value) => u64::try_from(*value).ok(),
            Value::Number(value) if *value >= 0.0 && value.fract() == 0.0 && *value < 18_446_744_073_709_551_616.0 => {
                Some(*value as u64)
            }
            _ => None,
        }
    }

    /// True only for the boolean `true`.
    pub fn truth(&self) -> bool {
        matches!(self, Value::Bool(true))
    }

    /// The entries of an object; empty for anything else.
    pub fn entries(&self) -> &[(String, Value)] {
        match self {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Overwrite every text in it: options may have secrets among them.
    pub fn wipe(&mut self) {
        match self {
            Value::Text(text) => text.zeroize(),
            Value::List(elements) => elements.iter_mut().for_each(Value::wipe),
            Value::Map(entries) => entries.iter_mut().for_each(|(_, value)| value.wipe()),
            _ => {}
        }
    }

    /// The elements of an array; empty for anything else.
    pub fn elements(&self) -> &[Value] {
        match self {
            Value::List(elements) => elements,
            _ => &[],
        }
    }
}

/// The platform's reader of JSON, as a plain function: the package's is the platform's own parser, that of native
/// tests serde_json. `None` means the text is not JSON.
#[derive(Clone, Copy)]
pub struct JsonReader(pub fn(&[u8]) -> Option<Value>);

impl JsonReader {
    /// Read a text.
    pub fn read(self, text: &[u8]) -> Option<Value> {
        (self.0)(text)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plain value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Whole(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Number(value as f64), Value::Whole))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.into()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = from.next_element()? {
            list.push(element);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = from.next_entry()? {
            map.push(entry);
        }
        Ok(Value::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_json() {
        let value: Value = serde_json::from_str(r#"{"a":[1,2.5,true,null,"x"],"b":{"c":-3}}"#).unwrap();
        assert_eq!(value.get("a").elements().len(), 5);
        assert_eq!(value.get("a").elements()[0].whole(), Some(1));
        assert_eq!(value.get("a").elements()[1], Value::Number(2.5));
        assert_eq!(value.get("a").elements()[4].text(), Some("x"));
        assert_eq!(value.get("b").get("c").whole(), None);
        assert_eq!(value.get("x"), &Value::Nothing);
        assert!(value.get("a").elements()[2].truth());
    }
}
