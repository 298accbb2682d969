//! Reading options: names, types and ranges, with errors that say which option is wrong and what would be right.
//!
//! Knows no single option; `options` lists them.

use crate::base::error::{Error, Kind};
use crate::base::id::shown;
use crate::base::value::Value;

/// Largest whole number that JavaScript holds exactly.
pub const SAFE: u64 = 9_007_199_254_740_991;

/// The options of one call.
pub struct Reader<'a> {
    options: &'a Value,
}

impl<'a> Reader<'a> {
    /// Read options of the kind `what`; `known` are its names.
    pub fn new(what: &str, options: &'a Value, known: &[&[&str]]) -> Result<Reader<'a>, Error> {
        match options {
            Value::Nothing | Value::Map(_) => {}
            _ => return Err(Error::argument(format!("the {what} options are not an object"))),
        }
        for (name, _) in options.entries() {
            if !known.iter().any(|names| names.contains(&name.as_str())) {
                let all = known.iter().flat_map(|names| names.iter().copied());
                let nearest = all.min_by_key(|known| distance(known, name)).unwrap_or_default();
                return Err(Error::argument(format!("there is no {what} option \"{}\"", shown(name)))
                    .hint(format!("Did you mean {nearest}?")));
            }
        }
        Ok(Reader { options })
    }

    /// The raw value.
    pub fn value(&self, name: &str) -> &'a Value {
        self.options.get(name)
    }

    /// It was given.
    pub fn has(&self, name: &str) -> bool {
        self.value(name) != &Value::Nothing
    }

    /// A whole number from `least` to `most`.
    pub fn whole(&self, name: &str, default: u64, least: u64, most: u64) -> Result<u64, Error> {
        if !self.has(name) {
            return Ok(default);
        }
        whole(name, self.value(name), least, most)
    }

    /// A text.
    pub fn text(&self, name: &str) -> Result<Option<String>, Error> {
        match self.value(name) {
            Value::Nothing => Ok(None),
            Value::Text(text) => Ok(Some(text.clone())),
            _ => Err(Error::argument(format!("{name} is not a string"))),
        }
    }

    /// A boolean.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, Error> {
        match self.value(name) {
            Value::Nothing => Ok(default),
            Value::Bool(flag) => Ok(*flag),
            _ => Err(Error::argument(format!("{name} is neither true nor false"))),
        }
    }

    /// One of some words; its index.
    pub fn word(&self, name: &str, words: &[&str], default: usize) -> Result<usize, Error> {
        match self.text(name)? {
            None => Ok(default),
            Some(text) => words.iter().position(|word| *word == text).ok_or_else(|| {
                Error::argument(format!("{name} is \"{}\"", shown(&text)))
                    .hint(format!("It is one of: {}.", words.join(", ")))
            }),
        }
    }

    /// An option that this broker does not have: only its default is accepted. What is of another type than that is wrong on every
    /// broker.
    pub fn only_default(&self, name: &str, default: &Value, why: &'static str) -> Result<(), Error> {
        let value = self.value(name);
        if value == &Value::Nothing || value == default || value.whole().is_some() && value.whole() == default.whole() {
            return Ok(());
        }
        match (default, value) {
            (Value::Bool(_), Value::Bool(_))
            | (Value::Text(_), Value::Text(_))
            | (Value::Whole(_), Value::Whole(_)) => {}
            (Value::Bool(_), _) => return Err(Error::argument(format!("{name} is not a boolean"))),
            (Value::Text(_), _) => return Err(Error::argument(format!("{name} is not a string"))),
            (Value::Whole(_), _) => return Err(Error::argument(format!("{name} is not a whole number"))),
            _ => {}
        }
        Err(Error::new(Kind::NotSupported, format!("{name} cannot be honoured here")).hint(why))
    }
}

/// A whole number from `least` to `most`.
pub fn whole(name: &str, value: &Value, least: u64, most: u64) -> Result<u64, Error> {
    let range = || {
        let upper = if most == SAFE { "2^53 - 1".to_string() } else { most.to_string() };
        format!("It is a whole number from {least} to {upper}.")
    };
    let wrong = |how: &str| Err(Error::argument(format!("{name} is {how}")).hint(range()));
    match value {
        Value::Number(number) if number.is_nan() => wrong("not a number"),
        Value::Number(_) | Value::Whole(_) => match value.whole() {
            // As a number, what is above 2^53 has been rounded already; a bigint is exact.
            Some(whole) if matches!(value, Value::Number(_)) && whole > SAFE => wrong("too large"),
            Some(whole) if whole >= least && whole <= most => Ok(whole),
            Some(whole) if whole < least => wrong("too small"),
            Some(_) => wrong("too large"),
            None if matches!(value, Value::Number(number) if *number > 0.0 && number.fract() != 0.0) => {
                wrong("not a whole number")
            }
            None if matches!(value, Value::Number(number) if *number > 0.0) => wrong("too large"),
            None => wrong("negative"),
        },
        _ => wrong("not a number"),
    }
}

/// How many letters have to be changed, added or removed to get from one name to the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<u8>, Vec<u8>) = (a.to_ascii_lowercase().into(), b.to_ascii_lowercase().into());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, y) in b.iter().enumerate() {
            let up = row.get(j + 1).copied().unwrap_or(usize::MAX);
            let left = row.get(j).copied().unwrap_or(usize::MAX);
            let best = (corner + usize::from(x != y)).min(up + 1).min(left + 1);
            corner = up;
            if let Some(place) = row.get_mut(j + 1) {
                *place = best;
            }
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn an_unknown_option_names_the_nearest() {
        let options = json(r#"{"timoutMs":1}"#);
        let error = Reader::new("connect", &options, &[&["url", "timeoutMs"], &["name"]]).err().unwrap();
        assert_eq!(error.hint.as_deref(), Some("Did you mean timeoutMs?"));
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn numbers_have_ranges() {
        let read = |text: &str| whole("x", &json(text), 1, 10);
        assert_eq!(read("10"), Ok(10));
        for text in ["0", "11", "-1", "1.5", "\"1\"", "null", "true", "1e300"] {
            let error = read(text).unwrap_err();
            assert!(error.text.starts_with("x is ") && error.hint.is_some(), "{text}");
        }
        assert!(whole("x", &Value::Number(f64::NAN), 1, 10).is_err());
        assert!(whole("x", &Value::Number(f64::INFINITY), 1, SAFE).is_err());
        assert!(whole("x", &Value::Number(9_007_199_254_740_992.0), 1, SAFE).is_err());
    }
}
