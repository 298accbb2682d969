//! Bodies of fuzz targets: what stands in messages, in the server's answers and in the registry, as anybody may have written it,
//! and what an application may give as its key.

// What is looked for here are panics.
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::super::dead::{Kept, Letter};
use super::{
    adopt, head, info, live_head, nkey, notices, page, patch, receipt, registry, station, tap, time, token, wire,
};
use crate::base::bytes::{find, lossy};
use crate::base::headers;
use crate::base::secret::Secret;
use crate::base::time::{Wall, parse_rfc3339, rfc3339};
use crate::base::value::{JsonReader, Value};
use crate::link::session::{Draft, Login, Slot};
use crate::link::tap::{Direction, Piece};

/// Header blocks, and whatever has one: nothing panics, the broker's own fields stay hidden, and what an application may write
/// comes back as it was.
pub fn heads(bytes: &[u8]) {
    let block = &bytes[..bytes.len().min(8192)];
    let visible = head::visible(block);
    assert!(!visible.iter().any(|(name, _)| name.to_ascii_lowercase().starts_with("nats-")), "a field of the broker's");
    let allowed = |(name, value): &&(String, String)| headers::check(name, value).is_ok();
    let own: Vec<_> = visible.iter().filter(allowed).map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let draft = Draft { producer: "", headers: &own, msg_id: None, data: b"x", times: Default::default() };
    let mut whole = Vec::new();
    if let Ok(length) = head::encode(&draft, u64::MAX, &mut whole) {
        let again = head::visible(&whole[..length as usize]);
        assert!(again.iter().map(|(name, value)| (name.as_str(), value.as_str())).eq(own.iter().copied()));
    }
    let letter = Letter::read(Kept { number: 1, stamp: Wall(0), headers: visible, data: Vec::new() }, "st");
    let _ = (letter.revival("st", "st$dls"), head::msg_id(block), live_head::beside(block), wire::status_text(block));
    if let Some(span) = time::expires(block) {
        assert!(span.0 % 1000 == 0 || span.0 == u64::MAX, "the server counts whole seconds");
    }
    let _ = (time::aimed("stations.a.1", block), token::parse(block), info::complaint(&lossy(block)));
    let (one, other) = block.split_at(block.len() / 2);
    let mut gathered = Vec::new();
    page::gather(&mut gathered, one, other);
    let messages = page::messages(1, &gathered);
    assert!(messages.iter().all(|(message, _)| message.data == other), "what is gathered is there again");
    let size: usize = page::messages(1, block).iter().map(|(message, _)| message.data.len()).sum();
    assert!(size <= block.len(), "no message reaches beyond its page");
    let _ = page::direct(1, block, b"");
    if let Some(moment) = std::str::from_utf8(block).ok().and_then(parse_rfc3339) {
        assert_eq!(parse_rfc3339(&rfc3339(moment)), Some(moment));
    }
}

/// Answers in JSON, entries of the registry and configurations that are changed: nothing panics, and a changed configuration is one.
pub fn answers(json: JsonReader, bytes: &[u8]) {
    let _ = (receipt::stored(Slot(0), bytes), receipt::odd(Slot(0), bytes, json));
    registry::fuzz(json, bytes);
    let value = json.read(bytes);
    for key in ["metadata", "a", "\"\\", ""] {
        let Some(changed) = patch::set(bytes, key, b"[7]") else { continue };
        if key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            let at = patch::member(&changed, key).and_then(|at| changed.get(at));
            assert_eq!(at, Some(&b"[7]"[..]), "{key} in {}", lossy(&changed));
        }
        if matches!(value, Some(Value::Map(_))) {
            assert!(matches!(json.read(&changed), Some(Value::Map(_))), "{key} in {}", lossy(&changed));
        }
    }
    let Some(value) = value else { return };
    let facts = station::facts("st", &value, true);
    let _ =
        (station::summary(&facts, std::slice::from_ref(&value)), station::read_spec(&value), adopt::address(&value));
    let _ = (page::leader(1, &value), info::offers_tls(&value));
    notices::fuzz(&value);
    let mut known = info::Info::default();
    known.merge(&value);
}

/// Frames for inspectors: however the bytes are cut they are the same, none is lost, and no secret is shown.
pub fn frames(bytes: &[u8]) {
    let Some((seed, bytes)) = bytes.split_first() else { return };
    // What has begun is read again with every piece.
    let bytes = &bytes[..bytes.len().min(600)];
    let seen = |direction, pieces: &mut dyn Iterator<Item = &[u8]>| {
        let (mut carry, mut all) = (Vec::new(), Vec::new());
        for bytes in pieces {
            tap::frames(
                &Piece { direction, generation: 1, at: Wall(0), summary: None, bytes: bytes.to_vec() },
                &mut carry,
                &mut all,
            );
        }
        (all, carry)
    };
    let (whole, carry) = seen(Direction::In, &mut std::iter::once(bytes).filter(|bytes| !bytes.is_empty()));
    let length: usize = whole.iter().map(|frame| frame.length).sum();
    assert_eq!(length + carry.len(), bytes.len(), "all of it is somewhere");
    assert_eq!(
        (whole, carry),
        seen(Direction::In, &mut bytes.chunks(usize::from(*seed) + 1)),
        "cut into pieces of {seed}"
    );
    let secret: String =
        bytes.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(|byte| char::from(*byte)).collect();
    if secret.len() >= 16 {
        let login = Login {
            password: Some(secret.clone()),
            token: Some(secret.clone()),
            jwt: Some(secret.clone()),
            ..Login::default()
        };
        let mut line = Vec::new();
        info::push_connect(
            &mut line,
            &login,
            &nkey::Proof { key: Some(secret.clone()), signature: Some(secret.clone()) },
        );
        for frame in seen(Direction::Out, &mut std::iter::once(&line[..])).0 {
            assert!(
                find(&frame.summary, &secret).is_none() && find(&lossy(&frame.data), &secret).is_none(),
                "a secret"
            );
        }
    }
}

/// Seeds, JWTs and `.creds` files: no error shows anything of what was given.
pub fn keys(json: JsonReader, bytes: &[u8]) {
    let text = lossy(bytes);
    let (first, last) = text.split_once('\0').unwrap_or((&text, &text));
    let secret = |text: &str| Some(Secret::new(text.into()));
    for login in [
        Login { creds: secret(&text), ..Login::default() },
        Login { seed: secret(&text), ..Login::default() },
        Login { jwt: Some(first.into()), seed: secret(last), ..Login::default() },
    ] {
        match nkey::ready(login, json) {
            Ok(login) => assert!(nkey::prove(&login, Some("nonce")).is_ok(), "what is ready can be proved"),
            Err(error) => {
                let shown = format!("{} {}", error.text, error.hint.as_deref().unwrap_or_default());
                // None of our own words look like a part of a key.
                let kept = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
                assert!(!shown.as_bytes().windows(8).any(|part| part.iter().all(kept)), "{shown}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const JSON: JsonReader = JsonReader(|text| serde_json::from_slice(text).ok());

    proptest! {
        #[test]
        fn made_up_bytes_harm_nothing(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            heads(&bytes);
            answers(JSON, &bytes);
            frames(&bytes);
            keys(JSON, &bytes);
        }

        #[test]
        fn made_up_lines_harm_nothing(lines in prop::collection::vec("(NATS/1.0|Nats-TTL: [0-9]{1,22}[hms]{0,3}|[A-Za-z-]{1,12}: [ -~]{0,20}|X-Dead-Reason: [%0-9A-F]{0,9})\r\n", 0..6)) {
            heads(lines.concat().as_bytes());
        }

        #[test]
        fn made_up_objects_harm_nothing(members in prop::collection::vec("\"[a-z\\\\\"]{0,9}\" ?: ?(-?[0-9]{1,19}|\"[ -!#-~]{0,9}\"|\\[\\]|\\{\"a\":\\{\\}\\}|null)", 0..5)) {
            answers(JSON, format!("{{{}}}", members.join(",")).as_bytes());
        }
    }
}
