//! In which order functions stand: those that have much in common side by side, where a compressor finds it again.

use std::collections::{HashMap, VecDeque};

/// Bytes that are compared at a time.
const RUN: usize = 3;
/// How far back it is looked. A compressor remembers more, but what is near costs it less.
const WINDOW: usize = 600;
/// What a function counts beside its own runs: without, the smallest would always come next.
const WEIGHT: usize = 1;

/// From the first one on, always the one of which most has just been there: the order as indexes.
pub fn alike(bodies: &[&[u8]]) -> Vec<usize> {
    let mut users: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (index, body) in bodies.iter().enumerate() {
        for run in body.windows(RUN) {
            let users = users.entry(run).or_default();
            if users.last() != Some(&index) {
                users.push(index);
            }
        }
    }
    // Runs by number, with who has them; each function's runs.
    let users: Vec<Vec<usize>> = {
        let mut all: Vec<_> = users.into_iter().collect();
        all.sort_unstable();
        all.into_iter().map(|(_, users)| users).collect()
    };
    let mut runs = vec![Vec::new(); bodies.len()];
    for (run, users) in users.iter().enumerate() {
        for user in users {
            runs[*user].push(run);
        }
    }
    let (mut seen, mut known) = (vec![0usize; users.len()], vec![0usize; bodies.len()]);
    let (mut order, mut window, mut size) = (Vec::new(), VecDeque::new(), 0);
    let mut left: Vec<usize> = (0..bodies.len()).collect();
    while !left.is_empty() {
        // Compared as fractions, so that the order is the same everywhere; of equals the first one.
        let (mut best, mut at) = ((0, 1), 0);
        for (place, index) in left.iter().enumerate() {
            let share = (known[*index], runs[*index].len() + WEIGHT);
            if share.0 * best.1 > best.0 * share.1 {
                (best, at) = (share, place);
            }
        }
        let next = left.remove(at);
        order.push(next);
        window.push_back(next);
        size += bodies[next].len();
        for run in &runs[next] {
            if seen[*run] == 0 {
                users[*run].iter().for_each(|user| known[*user] += 1);
            }
            seen[*run] += 1;
        }
        while size > WINDOW && window.len() > 1 {
            let Some(gone) = window.pop_front() else { break };
            size -= bodies[gone].len();
            for run in &runs[gone] {
                seen[*run] -= 1;
                if seen[*run] == 0 {
                    users[*run].iter().for_each(|user| known[*user] -= 1);
                }
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::alike;

    #[test]
    fn the_like_stand_side_by_side() {
        let bodies: [&[u8]; 4] = [b"abcdefgh", b"12345678", b"xabcdefg", b"y1234567"];
        let order = alike(&bodies);
        let place = |body: usize| order.iter().position(|index| *index == body).unwrap();
        assert_eq!((place(0).abs_diff(place(2)), place(1).abs_diff(place(3))), (1, 1));
    }
}
