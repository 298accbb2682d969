//! JavaScript values as plain ones.

use crate::base::error::Error;
use crate::base::value::Value;
use crate::runtime::web::plain;
use js_sys::{Array, Date, Object};
use wasm_bindgen::{JsCast, JsValue};

/// Read options. Signals are the shell's business and are passed over; a bigint becomes a
/// number.
pub(super) fn options(value: &JsValue) -> Result<Value, Error> {
    if value.is_undefined() || value.is_null() {
        return Ok(Value::Nothing);
    }
    let Some(object) = value.dyn_ref::<Object>().filter(|_| !Array::is_array(value) && !value.is_function()) else {
        return Err(Error::argument("the options are not an object"));
    };
    map(object, false)
}

/// The members of an object; `every`: those that are undefined, too, which are otherwise not given.
fn map(object: &Object, every: bool) -> Result<Value, Error> {
    let mut map = Vec::new();
    for entry in Object::entries(object).iter() {
        let entry: Array = entry.unchecked_into();
        let name = entry.get(0).as_string().unwrap_or_default();
        let member = entry.get(1);
        if member.is_undefined() && !every {
            continue;
        }
        map.push((name.clone(), self::member(&name, &member)?));
    }
    Ok(Value::Map(map))
}

fn member(name: &str, value: &JsValue) -> Result<Value, Error> {
    if let Some(date) = value.dyn_ref::<Date>() {
        return Ok(Value::Date(date.get_time()));
    }
    if name == "signal" {
        return Ok(Value::Nothing);
    }
    if value.is_function() {
        // No option of Rust's is a function: an empty list is of no type that any of them wants.
        return Ok(Value::List(Vec::new()));
    }
    if matches!(name, "start" | "filter" | "amqp" | "extra" | "headers") && value.is_object() && !Array::is_array(value)
    {
        return map(value.unchecked_ref(), name == "headers");
    }
    if value.is_bigint() {
        let text = value
            .unchecked_ref::<js_sys::BigInt>()
            .to_string(10)
            .ok()
            .and_then(|text| text.as_string())
            .unwrap_or_default();
        return text.parse().map(Value::Whole).map_err(|_| Error::argument(format!("{name} is too large")));
    }
    plain::read(value).ok_or_else(|| Error::argument(format!("{name} has a type that is not understood")))
}
