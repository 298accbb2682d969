//! Which partition a message goes to (semantics.md section 2).

/// Seed of the hash, the one Memphis uses, so that both brokers agree on a key's partition.
pub const SEED: u32 = 31;

/// How a message chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// By number, from 1.
    Number(u32),
    /// By the hash of a key, or of the id the application gave.
    Hash(u32),
    /// The next one in turn.
    Turn,
}

/// MurmurHash3 x86 32 of a key's UTF-8 bytes.
pub fn hash(key: &str) -> u32 {
    // Reading from a slice cannot fail.
    murmur3::murmur3_32(&mut key.as_bytes(), SEED).unwrap_or_default()
}

/// Index into the partition list; `None` if the number is not in it. `turn` is the producer's own counter.
pub fn choose(choice: Choice, numbers: &[u32], turn: &mut u32) -> Option<usize> {
    let count = u32::try_from(numbers.len()).ok().filter(|count| *count > 0)?;
    let index = match choice {
        Choice::Number(number) => return numbers.iter().position(|n| *n == number),
        Choice::Hash(hash) => hash.checked_rem(count)?,
        Choice::Turn => {
            let index = turn.checked_rem(count)?;
            *turn = index.wrapping_add(1);
            index
        }
    };
    Some(index as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_murmur3_with_seed_31() {
        // Computed with an independent implementation of MurmurHash3 x86 32.
        let known = [
            ("", 0x4af6_b95b),
            ("a", 0xc9ed_3207),
            ("key-1", 0xe65a_993b),
            ("straße", 0x573e_1ff7),
            ("orders:12345", 0x7053_2318),
        ];
        for (key, expected) in known {
            assert_eq!(hash(key), expected, "{key}");
        }
        let spread = (0..3000).map(|n| hash(&n.to_string()) % 3).filter(|p| *p == 0).count();
        assert!((800..1200).contains(&spread), "{spread}");
    }

    #[test]
    fn turns_go_round_from_the_first() {
        let mut turn = 0;
        let seen: Vec<_> = (0..5).map(|_| choose(Choice::Turn, &[1, 2, 3], &mut turn).unwrap()).collect();
        assert_eq!(seen, [0, 1, 2, 0, 1]);
        assert_eq!(choose(Choice::Hash(7), &[1, 2, 3], &mut turn), Some(1));
        assert_eq!(choose(Choice::Number(3), &[1, 2, 3], &mut turn), Some(2));
        assert_eq!(choose(Choice::Number(4), &[1, 2, 3], &mut turn), None);
        assert_eq!(choose(Choice::Turn, &[], &mut turn), None);
    }
}
