//! Track ids: random, above 0, and no two alike in a run.

const RANGE: u64 = 1 << 31;

/// Counts from a random number and multiplies by a random odd one, modulo 2^31: a permutation, so nothing comes twice.
pub(super) struct Ids {
    next: u64,
    factor: u64,
}

impl Ids {
    /// `seed` makes the ids repeatable; `None`: random.
    pub(super) fn new(seed: Option<u64>) -> Self {
        let seed = seed.or_else(|| getrandom::u64().ok()).unwrap_or_else(|| {
            // No random source: the clock will do, for ids are unguessable only as far as nobody is harmed by a guess.
            std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(1, |t| u64::from(t.subsec_nanos()) << 16 ^ t.as_secs())
        });
        // SplitMix64's finaliser, so that seeds 1 and 2 give unlike ids.
        let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        Self { next: mixed % RANGE, factor: ((mixed >> 32) % RANGE) | 1 }
    }

    pub(super) fn next(&mut self) -> i32 {
        loop {
            self.next = (self.next + 1) % RANGE;
            let id = self.next.wrapping_mul(self.factor) % RANGE;
            match i32::try_from(id) {
                Ok(id) if id > 0 => return id,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_are_positive_never_repeat_and_repeat_only_with_the_seed() {
        let mut ids = Ids::new(Some(1));
        let first: Vec<i32> = (0..10_000).map(|_| ids.next()).collect();
        assert!(first.iter().all(|id| *id > 0));
        assert_eq!(first.iter().collect::<HashSet<_>>().len(), first.len());
        let mut again = Ids::new(Some(1));
        assert_eq!(again.next(), first[0]);
        assert_ne!(Ids::new(None).next(), Ids::new(None).next());
    }
}
