//! JavaScript values as plain ones: options and JSON. By hand, since a generic reader brings the formatting of every type
//! that it could complain about, of floats above all: 8 KB of a page's download.

use crate::base::value::Value;
use js_sys::{Array, JSON, Object};
use wasm_bindgen::{JsCast, JsValue};

/// Nesting of what is read; the stack is small.
const DEPTH: u32 = 64;

/// Read a text as JSON; `None` if it is not.
pub(crate) fn json(text: &[u8]) -> Option<Value> {
    read(&JSON::parse(std::str::from_utf8(text).ok()?).ok()?)
}

/// A value without functions, symbols and bigints in it; `None` if it has one.
pub(crate) fn read(value: &JsValue) -> Option<Value> {
    nested(value, DEPTH)
}

fn nested(value: &JsValue, depth: u32) -> Option<Value> {
    if value.is_undefined() || value.is_null() {
        return Some(Value::Nothing);
    }
    if let Some(flag) = value.as_bool() {
        return Some(Value::Bool(flag));
    }
    if let Some(number) = value.as_f64() {
        let whole = number as i64;
        // Beyond 2^53 a float is whole but not exact.
        return Some(if whole as f64 == number && whole.unsigned_abs() < 1 << 53 {
            Value::Whole(whole)
        } else {
            Value::Number(number)
        });
    }
    if let Some(text) = value.as_string() {
        return Some(Value::Text(text));
    }
    let depth = depth.checked_sub(1)?;
    if let Some(list) = value.dyn_ref::<Array>() {
        return list.iter().map(|element| nested(&element, depth)).collect::<Option<_>>().map(Value::List);
    }
    if !value.is_object() {
        return None;
    }
    let mut map = Vec::new();
    for entry in Object::entries(value.unchecked_ref()).iter() {
        let entry: Array = entry.unchecked_into();
        map.push((entry.get(0).as_string()?, nested(&entry.get(1), depth)?));
    }
    Some(Value::Map(map))
}
