//! Bodies of fuzz targets: whatever a broker says after the login, on the link and in its updates.

// What is looked for here are panics.
#![allow(clippy::indexing_slicing)]

use super::session::MemphisSession;
use super::shared::{About, Shared};
use super::{control, head, names, producer, resent, schemas};
use crate::base::bytes::lossy;
use crate::base::time::{Millis, Now, Time, Wall};
use crate::base::value::JsonReader;
use crate::link::outbox::Outbox;
use crate::link::session::{Ask, Encryption, FeedSpec, Input, Login, Session, Wait, hand_in};
use std::rc::Rc;

/// Nothing panics, and every arrival lies inside the bytes it came with.
pub fn session(json: JsonReader, bytes: &[u8]) {
    let now = Now { mono: Time(0), wall: Wall(0) };
    let shared = Rc::new(Shared::new("6f0d", "app"));
    let mut session = MemphisSession::new(json, shared.clone());
    let mut out = Outbox::default();
    let login = Login { username: Some("root".into()), password: Some("x".into()), ..Login::default() };
    let opened = Input::Opened { login: &login, encryption: Encryption::Settled, took: Millis(0), random: [7; 8] };
    session.handle(now, opened, &mut out);
    session.handle(now, Input::Chunk(b"INFO {\"headers\":true,\"max_payload\":1000}\r\nPONG\r\n"), &mut out);
    // These have the numbers that fuzz/nats.dict knows.
    shared.listen(names::schema_updates("a"), About::Schema("a".into()));
    shared.listen(resent::subject("a", "g", "1.4.4"), About::Dead { station: "a".into(), group: "g".into() });
    session.handle(now, Input::Tick, &mut out);
    for auto_ack in [false, true] {
        let spec = FeedSpec { place: names::place("a", 1, None), group: "g".into(), auto_ack, ack_time: Millis(1000) };
        let feed = session.open_feed(now, &mut out, &spec);
        session.ask(now, &mut out, feed, Ask { messages: 10, bytes: 0, wait: Wait::Standing });
    }
    hand_in(&mut session, now, &mut out, bytes);
}

/// Updates, answers and refusals: a schema that is told of has a name and a version.
pub fn updates(json: JsonReader, bytes: &[u8]) {
    let shared = Shared::new("6f0d", "app");
    if let Some(Some(schema)) = schemas::update(json, bytes) {
        assert!(!schema.name.is_empty() && schema.version > 0);
    }
    let _ = (schemas::heard(&shared, json, "a", bytes), control::refused(&lossy(bytes), "a"));
    if let Some(value) = json.read(bytes) {
        schemas::learn(&shared, "a", &value);
        assert!(producer::partitions("a", &value).iter().all(|place| place.station == "a"));
    }
    let visible = head::visible(bytes);
    assert!(!visible.iter().any(|(name, _)| name.starts_with("$memphis") || name == "msg-id"));
    if let Some(token) = resent::token(bytes) {
        assert!(resent::is_token(&token) && json.read(&token).is_some(), "{}", lossy(&token));
    }
    let _ = (head::msg_id(bytes), names::external(&names::internal(&lossy(&bytes[..bytes.len().min(128)]))));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const JSON: JsonReader = JsonReader(|text| serde_json::from_slice(text).ok());

    fn told(sid: u32, body: &str) -> String {
        format!("MSG $memphis_sdk_clients_updates {sid}  {}\r\n{body}\r\n", body.len())
    }

    proptest! {
        #[test]
        fn made_up_bytes_harm_nothing(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            session(JSON, &bytes);
            updates(JSON, &bytes);
        }

        #[test]
        fn made_up_updates_harm_nothing(
            sid in 0u32..3,
            members in prop::collection::vec("\"(station_name|type|update|init|UpdateType|schema_name|active_version|partitions_update)\":(-?[0-9]{1,19}|\"(a|remove_station|schemaverse_to_dls|send_notification)\"|\\[\\]|\\{\"schema_name\":\"s\",\"partitions_list\":\\[1,-1,99999999999\\]\\}|null|true)", 0..5),
            seed in any::<u8>(),
        ) {
            let body = format!("{{{}}}", members.join(","));
            updates(JSON, body.as_bytes());
            let mut bytes = vec![seed];
            bytes.extend_from_slice(told(4_294_901_760 + 2 * sid, &body).as_bytes());
            session(JSON, &bytes[1..]);
        }
    }
}
