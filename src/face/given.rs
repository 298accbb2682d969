//! What was given to `connect`, or by its `credentials`, read in full: it comes with `options`, where something is not of the usual
//! kind.

use super::values;
use crate::base::error::Error;
use crate::brokers::Kind;
use crate::client::options;
use crate::client::usual::Connect;
use crate::link::session::Login;
use crate::runtime::Facts;
use wasm_bindgen::JsValue;

/// `ConnectOptions`. `asks`: there is a `credentials` function; `own`: one that opens sockets.
#[inline(never)]
pub(super) fn connect(given: &JsValue, asks: bool, own: bool, facts: Facts) -> Result<Connect, Error> {
    let mut given = values::options(given)?;
    let options = options::connect(&given, asks, facts.secure_page);
    given.wipe();
    let mut options = options?;
    for url in &mut options.plan.urls {
        url.own_socket = own;
        if options.broker != Kind::Memory {
            url.check_page(facts)?;
        }
    }
    Ok(options)
}

/// What `credentials` answered.
#[inline(never)]
pub(super) fn credentials(given: &JsValue, name: Option<String>, broker: Kind) -> Result<Login, Error> {
    let mut given = values::options(given)?;
    let login = options::answered_credentials(&given, name, broker);
    given.wipe();
    login
}
