//! The ack subject of a delivered message: the token that a settle gives back, and what it tells of the delivery.
//!
//! ```text
//! v1   $JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<time ns>.<pending>
//! v2   $JS.ACK.<domain>.<account>.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<time>.<pending>[.more]
//! ```
//!
//! Source: jetstream.md section 4.6. Knows nothing of sessions.

use crate::base::bytes::parse_decimal;

/// What an ack subject tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// 1 on the first delivery.
    pub deliveries: u32,
    /// Sequence in the stream.
    pub sequence: u64,
    /// Sequence among all deliveries of the group: of two deliveries by one leader the later has the higher one.
    pub order: u64,
    /// When it was stored, in nanoseconds since 1970.
    pub stamp: u64,
}

/// Read an ack subject; `None` if it is none.
pub fn parse(subject: &[u8]) -> Option<Token> {
    let rest = subject.strip_prefix(b"$JS.ACK.")?;
    // Nine tokens in all are v1, eleven or more are v2; ten are neither.
    // One pass, since every delivery comes through here: where the first tokens end.
    let mut ends = [0usize; 9];
    let mut dots = 0usize;
    for (at, byte) in rest.iter().enumerate() {
        if *byte == b'.' {
            if let Some(end) = ends.get_mut(dots) {
                *end = at;
            }
            dots = dots.saturating_add(1);
        }
    }
    let [_, b, c, d, e, f, g, h, _] = ends;
    let bounds = match dots {
        6 => [b, c, d, e, f],
        8.. => [d, e, f, g, h],
        _ => return None,
    };
    let number = |from: usize, to: usize| parse_decimal(rest.get(from.saturating_add(1)..to)?);
    let [start, deliveries, sequence, delivered, stamp] = bounds;
    Some(Token {
        deliveries: u32::try_from(number(start, deliveries)?).ok()?,
        sequence: number(deliveries, sequence)?,
        order: number(sequence, delivered)?,
        stamp: number(delivered, stamp)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_forms() {
        let v1 = parse(b"$JS.ACK.orders.billing.2.17.20.1795243580360822863.3").unwrap();
        assert_eq!(v1, Token { deliveries: 2, sequence: 17, order: 20, stamp: 1_795_243_580_360_822_863 });
        let v2 = b"$JS.ACK._.szMpdrwD.a.d.1.5.1.1795243785720042873.0";
        assert_eq!(parse(v2).unwrap().sequence, 5);
        assert_eq!(parse(&[&v2[..], b".more.to.come"].concat()), parse(v2));
    }

    #[test]
    fn refuses_the_rest() {
        for subject in
            [&b"$JS.ACK.a.b.1.2.3.4"[..], b"$JS.ACK.a.b.c.1.2.3.4.5", b"$JS.ACK.a.b.x.1.2.3.4", b"_INBOX.a", b""]
        {
            assert_eq!(parse(subject), None, "{}", String::from_utf8_lossy(subject));
        }
    }
}
