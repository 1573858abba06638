//! How long to wait before trying again: doubling, bounded, with jitter so that a thousand agents
//! that lost one server do not come back in the same millisecond. Never sleeps itself.

use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Between half and all of the doubled time.
    pub(crate) fn next(&mut self) -> Duration {
        let doubled = self.first.saturating_mul(1 << self.failures.min(20));
        self.failures = self.failures.saturating_add(1);
        jittered(doubled.min(self.longest), 0.5)
    }
}

/// `time` less a random share of at most `share`.
pub(crate) fn jittered(time: Duration, share: f64) -> Duration {
    time.mul_f64(1.0 - share * rand::random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_grows_to_its_bound_and_starts_again_after_success() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        assert!(backoff.next() <= Duration::from_secs(1));
        let last = (0..40).map(|_| backoff.next()).last().unwrap();
        assert!(last >= Duration::from_secs(30) && last <= Duration::from_secs(60), "{last:?}");
        backoff.reset();
        assert!(backoff.next() <= Duration::from_secs(1));
    }
}
