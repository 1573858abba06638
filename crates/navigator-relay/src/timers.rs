//! When to look at something again. Entries are never taken back: what is due is looked at, and says
//! itself whether it is time. Without entries there is no wake-up at all.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::token::Token;

/// Milliseconds: what is due within the same tick is looked at together.
const TICK: u64 = 10;

pub(crate) struct Timers {
    start: Instant,
    ticks: BTreeMap<Tick, Vec<Token>>,
}

/// A moment, rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(u64);

impl Timers {
    pub(crate) fn new(now: Instant) -> Self {
        Self { start: now, ticks: BTreeMap::new() }
    }

    pub(crate) fn tick(&self, at: Instant) -> Tick {
        Tick(at.saturating_duration_since(self.start).as_millis() as u64 / TICK + 1)
    }

    pub(crate) fn add(&mut self, tick: Tick, token: Token) {
        self.ticks.entry(tick).or_default().push(token);
    }

    /// Until the next entry is due; `None` is for ever.
    pub(crate) fn wait(&self, now: Instant) -> Option<Duration> {
        let (Tick(next), _) = self.ticks.first_key_value()?;
        let due = self.start + Duration::from_millis(next * TICK);
        Some(due.saturating_duration_since(now))
    }

    /// Takes what is due, tick by tick.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<(Tick, Vec<Token>)> {
        let entry = self.ticks.first_entry()?;
        let due = self.start + Duration::from_millis(entry.key().0 * TICK);
        (due <= now).then(|| entry.remove_entry())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_in_order_and_never_early() {
        let start = Instant::now();
        let mut timers = Timers::new(start);
        assert_eq!(timers.wait(start), None);
        let at = |ms| start + Duration::from_millis(ms);
        for ms in [500, 15, 3_600_000] {
            let tick = timers.tick(at(ms));
            timers.add(tick, Token::from_bits(ms));
        }
        assert!(timers.pop(at(14)).is_none());
        assert_eq!(timers.wait(at(0)), Some(Duration::from_millis(20)));
        assert_eq!(timers.pop(at(20)).unwrap().1, [Token::from_bits(15)]);
        assert!(timers.pop(at(20)).is_none());
        assert_eq!(timers.pop(at(600)).unwrap().1, [Token::from_bits(500)]);
        assert!(timers.wait(at(600)).unwrap() > Duration::from_secs(3590));
    }
}
