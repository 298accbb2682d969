//! The TypeScript face of the package: texts that wasm-bindgen copies into the generated `.d.ts`.
//!
//! Knows nothing of the code beside it: no Rust type stands behind these texts. A test compares their declarations with
//! the published contract, so a change here is a change of the public interface.
//!
//! One file a topic. wasm-bindgen sorts custom sections by their text before it writes them, which would shuffle the
//! topics, and the build cuts off whatever follows the closing line (glue that no user should see), so that line has to
//! come last. That is why all topics are joined here into a single section.
#![allow(dead_code, reason = "the compiler does not see the uses inside the section that wasm-bindgen makes")]

mod amqp;
mod connect;
mod connection;
mod consume;
mod errors;
mod functions;
mod live;
mod message;
mod produce;
mod station;
mod status;

use wasm_bindgen::prelude::*;

/// In the order in which somebody reads them who opens the file.
const TOPICS: &[&str] = &[
    functions::TEXT,
    connection::TEXT,
    connect::TEXT,
    status::TEXT,
    station::TEXT,
    produce::TEXT,
    consume::TEXT,
    message::TEXT,
    amqp::TEXT,
    live::TEXT,
    errors::TEXT,
    CLOSING,
];

/// The build looks for this line.
const CLOSING: &str = "\n// end of the public interface\n";

const LENGTH: usize = {
    let (mut length, mut topic) = (0, 0);
    while topic < TOPICS.len() {
        length += TOPICS[topic].len();
        topic += 1;
    }
    length
};

static JOINED: [u8; LENGTH] = {
    let mut joined = [0; LENGTH];
    let mut rest = joined.as_mut_slice();
    let mut topic = 0;
    while topic < TOPICS.len() {
        let (part, behind) = rest.split_at_mut(TOPICS[topic].len());
        part.copy_from_slice(TOPICS[topic].as_bytes());
        rest = behind;
        topic += 1;
    }
    joined
};

#[wasm_bindgen(typescript_custom_section)]
const INTERFACE: &str = match core::str::from_utf8(&JOINED) {
    Ok(text) => text,
    Err(_) => panic!("texts joined are text"),
};
