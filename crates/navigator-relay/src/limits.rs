//! What a forward allows: who may come, how many, how often, how fast. Decided from atomics that all
//! workers share; no locks.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use ipnet::IpNet;

/// An allowance that fills up at a steady rate: the moment until which it is used up, in nanoseconds
/// since `start`. What lies behind that moment, up to the burst, can be had at once.
#[derive(Debug)]
pub(crate) struct Allowance {
    start: Instant,
    used_until_ns: AtomicU64,
}

/// Units per second, and how many may come at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) per_second: u64,
    pub(crate) burst: u64,
}

impl Pace {
    fn ns(self, units: u64) -> u64 {
        let ns = u128::from(units) * 1_000_000_000 / u128::from(self.per_second.max(1));
        u64::try_from(ns).unwrap_or(u64::MAX)
    }
}

impl Allowance {
    pub(crate) fn new(start: Instant) -> Self {
        Self { start, used_until_ns: AtomicU64::new(0) }
    }

    /// Counted from a while before the start, so that there is a full burst from the first moment.
    fn now_ns(&self, now: Instant) -> u64 {
        const BEFORE: Duration = Duration::from_secs(3600);
        let since = now.saturating_duration_since(self.start) + BEFORE;
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Takes one unit, if there is one.
    pub(crate) fn take(&self, pace: Pace, now: Instant) -> bool {
        let now = self.now_ns(now);
        let floor = now.saturating_sub(pace.ns(pace.burst));
        let take = |used: u64| {
            let next = used.max(floor).saturating_add(pace.ns(1));
            (next <= now).then_some(next)
        };
        self.used_until_ns.fetch_update(Relaxed, Relaxed, take).is_ok()
    }

    /// How long until something can be had; nothing, if it can be had now.
    pub(crate) fn wait(&self, now: Instant) -> Option<Duration> {
        let ahead = self.used_until_ns.load(Relaxed).saturating_sub(self.now_ns(now));
        (ahead > 0).then(|| Duration::from_nanos(ahead))
    }

    /// Notes what was used, also beyond what there was: the next ones wait for it.
    pub(crate) fn spend(&self, pace: Pace, units: u64, now: Instant) {
        let floor = self.now_ns(now).saturating_sub(pace.ns(pace.burst));
        let spend = |used: u64| Some(used.max(floor).saturating_add(pace.ns(units)));
        let _ = self.used_until_ns.fetch_update(Relaxed, Relaxed, spend);
    }
}

/// Whether one of the prefixes holds the address. No prefix at all lets everybody in.
pub(crate) fn allows(sources: &[IpNet], address: IpAddr) -> bool {
    sources.is_empty() || sources.iter().any(|prefix| prefix.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { per_second: 10, burst: 5 };

    #[test]
    fn a_burst_then_the_rate() {
        let now = Instant::now();
        let allowance = Allowance::new(now);
        let taken = (0..100).filter(|_| allowance.take(PACE, now)).count();
        assert_eq!(taken, 5);
        let later = |ms| now + Duration::from_millis(ms);
        assert!(!allowance.take(PACE, later(99)));
        assert!(allowance.take(PACE, later(100)));
        assert!(!allowance.take(PACE, later(101)));
        assert_eq!((0..100).filter(|_| allowance.take(PACE, later(60_000))).count(), 5);
    }

    #[test]
    fn what_was_overdrawn_is_waited_for() {
        let start = Instant::now();
        let now = start + Duration::from_secs(100);
        let allowance = Allowance::new(start);
        assert_eq!(allowance.wait(now), None);
        allowance.spend(PACE, 5, now);
        assert_eq!(allowance.wait(now), None);
        allowance.spend(PACE, 20, now);
        assert_eq!(allowance.wait(now), Some(Duration::from_secs(2)));
        assert_eq!(allowance.wait(now + Duration::from_secs(3)), None);
    }

    #[test]
    fn prefixes_decide_who_may_come() {
        let sources = ["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        for (address, allowed) in
            [("192.0.2.9", true), ("192.0.3.9", false), ("2001:db8::1", true), ("::1", false)]
        {
            assert_eq!(allows(&sources, address.parse().unwrap()), allowed, "{address}");
        }
        assert!(allows(&[], "::1".parse().unwrap()));
    }
}
