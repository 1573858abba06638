//! Random numbers that come again with their seed.

use std::{env, str::FromStr, time::SystemTime};

/// SplitMix64.
#[derive(Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another sequence for each `lane` of one seed.
    pub(crate) fn lane(seed: u64, lane: u64) -> Self {
        Self(Self(seed ^ lane.wrapping_mul(0xd134_2543_de82_ef95)).next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    pub(crate) fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        (!items.is_empty()).then(|| &items[self.below(items.len())])
    }
}

/// A number from the environment.
pub(crate) fn setting<T: FromStr>(name: &str) -> Option<T> {
    let text = env::var(format!("NAVIGATOR_RACES_{name}")).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("NAVIGATOR_RACES_{name} is a number: {text}")))
}

/// This run's; printed, so that a failure can be had again.
pub(crate) fn seed() -> u64 {
    let random = || {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        since.as_micros() as u64
    };
    let seed = setting("SEED").unwrap_or_else(random);
    println!("NAVIGATOR_RACES_SEED={seed}");
    seed
}
