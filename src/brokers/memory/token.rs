//! What an arrival carries so that its ack finds the way back: where the message lies and which delivery it was.
//!
//! Knows nothing of what an ack does. Above this broker a token is opaque bytes.

/// A group at one partition, by its places in the store's tables. A place is reused, so the group's own number, which
/// never is, stands beside it: a token of a group that is gone fits nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    /// The station's place.
    pub station: u32,
    /// The group's place within the station.
    pub group: u32,
    /// The partition's index, from 0.
    pub partition: u32,
    /// The group's number.
    pub uid: u32,
}

/// One delivery of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// Whose.
    pub spot: Spot,
    /// The message.
    pub sequence: u64,
    /// Which delivery, from 1.
    pub delivery: u32,
}

impl Token {
    /// Append it.
    pub fn write(&self, into: &mut Vec<u8>) {
        let Spot { station, group, partition, uid } = self.spot;
        for number in [station, group, partition, uid, self.delivery] {
            into.extend_from_slice(&number.to_le_bytes());
        }
        into.extend_from_slice(&self.sequence.to_le_bytes());
    }

    /// Read it; `None` if the bytes are no token.
    pub fn read(bytes: &[u8]) -> Option<Token> {
        let mut rest = bytes;
        let mut number = || {
            let (word, after) = rest.split_first_chunk::<4>()?;
            rest = after;
            Some(u32::from_le_bytes(*word))
        };
        let spot = Spot { station: number()?, group: number()?, partition: number()?, uid: number()? };
        let delivery = number()?;
        let sequence = u64::from_le_bytes(*rest.first_chunk::<8>().filter(|_| rest.len() == 8)?);
        Some(Token { spot, sequence, delivery })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trip(station: u32, group: u32, partition: u32, uid: u32, sequence: u64, delivery: u32) {
            let token = Token { spot: Spot { station, group, partition, uid }, sequence, delivery };
            let mut bytes = Vec::new();
            token.write(&mut bytes);
            prop_assert_eq!(Token::read(&bytes), Some(token));
            for end in 0..bytes.len() {
                prop_assert_eq!(Token::read(&bytes[..end]), None);
            }
            bytes.push(0);
            prop_assert_eq!(Token::read(&bytes), None);
        }
    }
}
