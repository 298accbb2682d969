//! Dead letters that the broker's own pages send again to the group that gave up on them. They come as live messages, one to
//! any member of the group, without a place in a stream; what acknowledges one is a report of its own.
//!
//! Source: memphis.md sections 2.12 and 5.8. Knows no connection.

use crate::base::bytes::parse_decimal;
use crate::brokers::nats::api::Body;
use crate::brokers::nats::{names, wire};

/// Where their acknowledgements go.
pub const ACKS: &str = "$memphis_pm_acks";

/// Where those for a group come, and the name under which its members share them: the dotted form, which brokers have since
/// 1.4.2. On the older one every message comes once more.
pub fn subject(station: &str, group: &str) -> String {
    format!("$memphis_dls_{}.{}", names::token(station), names::token(group))
}

/// What acknowledges the message with this header block: the whole report. `None` if the message is not one of them. No
/// token of JetStream begins with a brace.
pub fn token(head: &[u8]) -> Option<Vec<u8>> {
    let id = wire::field(head, "$memphis_pm_id").and_then(parse_decimal)?;
    let group = std::str::from_utf8(wire::field(head, "$memphis_pm_cg_name")?).ok()?;
    Some(Body::default().number("id", i64::try_from(id).ok()?).text("cg_name", group).finish())
}

/// Whether a delivery's token is one of these.
pub fn is_token(token: &[u8]) -> bool {
    token.first() == Some(&b'{')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn subjects_have_internal_names() {
        assert_eq!(subject("or.ders", "bil.ling"), "$memphis_dls_or#ders.bil#ling");
    }

    #[test]
    fn the_acknowledgement_of_a_recorded_one() {
        let head = b"NATS/1.0\r\n$memphis_connectionId: 6f0d\r\n$memphis_pm_cg_name: bil.ling\r\n$memphis_pm_id: 12\r\n$memphis_producedBy: $memphis_dls\r\n\r\n";
        let token = token(head).unwrap();
        assert_eq!(token, br#"{"id":12,"cg_name":"bil.ling"}"#);
        assert!(is_token(&token));
        assert!(!is_token(b"$JS.ACK.orders$1.billing.1.1.1.1700000000000000000.0"));
    }

    #[test]
    fn others_have_none() {
        for head in [
            "NATS/1.0\r\n\r\n",
            "NATS/1.0\r\n$memphis_pm_id: 12\r\n\r\n",
            "NATS/1.0\r\n$memphis_pm_cg_name: a\r\n\r\n",
            "NATS/1.0\r\n$memphis_pm_id: -1\r\n$memphis_pm_cg_name: a\r\n\r\n",
            "NATS/1.0\r\n$memphis_pm_id: 99999999999999999999\r\n$memphis_pm_cg_name: a\r\n\r\n",
        ] {
            assert_eq!(token(head.as_bytes()), None, "{head}");
        }
    }

    proptest! {
        #[test]
        fn nothing_breaks_it(head: Vec<u8>) {
            let _ = token(&head);
        }
    }
}
