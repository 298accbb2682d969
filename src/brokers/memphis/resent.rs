//! Dead letters that the broker's own pages send again to the group that gave up on them. They come as live messages, one to
//! any member of the group, without a place in a stream; what acknowledges one is a report of its own.
//!
//! Source: memphis.md sections 2.12 and 5.8. Knows no connection.

use crate::base::bytes::parse_decimal;
use crate::brokers::nats::api::Body;
use crate::brokers::nats::{names, wire};

/// Where their acknowledgements go.
pub const ACKS: &str = "$memphis_pm_acks";

/// Where those for a group come, and the name under which its members share them. Brokers before 1.4.2 know one form only;
/// later ones send each message on both. `version`: what the broker says of itself, which is its own number up to 1.4.2, and
/// later that of the server it was made from.
pub fn subject(station: &str, group: &str, version: &str) -> String {
    let between = if is_old(version) { '_' } else { '.' };
    format!("$memphis_dls_{}{between}{}", names::token(station), names::token(group))
}

fn is_old(version: &str) -> bool {
    let mut numbers = version.split('.').map(|part| parse_decimal(part.as_bytes()));
    let [Some(1), Some(minor), Some(patch)] = [0; 3].map(|_| numbers.next().flatten()) else { return false };
    (minor, patch) < (4, 2)
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
        assert_eq!(subject("or.ders", "bil.ling", "2.10.7"), "$memphis_dls_or#ders.bil#ling");
    }

    #[test]
    fn old_brokers_have_the_old_form() {
        for old in ["1.1.1", "1.3.1", "1.4.0", "1.4.1"] {
            assert_eq!(subject("a", "b", old), "$memphis_dls_a_b", "{old}");
        }
        for new in ["1.4.2", "1.5.0", "2.10.7", "2.9.15", "", "1.4", "1.x.1", "one"] {
            assert_eq!(subject("a", "b", new), "$memphis_dls_a.b", "{new}");
        }
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
