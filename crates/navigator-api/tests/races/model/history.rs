//! What clients did to one object and what they were told, and whether one after the other could
//! have been told the same. The object is a value that exists or does not.

use std::collections::HashSet;

/// What a client saw happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Create(u32),
    Write(u32),
    /// `None`: it does not exist.
    Read(Option<u32>),
    Delete,
}

/// Between two moments of one clock that all clients share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) invoked: u64,
    /// [`NEVER`] if nobody can say until when it may still happen.
    pub(super) returned: u64,
    /// It did happen; otherwise it happened or did not.
    pub(super) certain: bool,
    pub(super) action: Action,
}

pub(super) const NEVER: u64 = u64::MAX;

impl Action {
    /// The object afterwards; `None` if this cannot happen to it.
    fn step(self, state: Option<u32>) -> Option<Option<u32>> {
        match (self, state) {
            (Self::Create(value), None) | (Self::Write(value), Some(_)) => Some(Some(value)),
            (Self::Read(seen), state) if seen == state => Some(state),
            (Self::Delete, Some(_)) => Some(None),
            _ => None,
        }
    }
}

/// Whether the events have an order that keeps the order of those that did not overlap, and in which
/// each is told the truth. Wing and Gong's search.
pub(super) fn linearizable(events: &[Event]) -> bool {
    let seen: HashSet<Option<u32>> = events
        .iter()
        .filter_map(|event| match event.action {
            Action::Read(value) => Some(value),
            _ => None,
        })
        .collect();
    // What may not have happened and nobody saw need not have happened.
    let matters = |event: &&Event| match event.action {
        Action::Write(value) => event.certain || seen.contains(&Some(value)),
        _ => true,
    };
    let mut events: Vec<Event> = events.iter().filter(matters).copied().collect();
    events.sort_by_key(|event| event.invoked);
    let mut search = Search { events: &events, tried: HashSet::new() };
    search.from(&mut vec![false; events.len()], None, 0)
}

struct Search<'a> {
    events: &'a [Event],
    /// Which events were done with which outcome, without success.
    tried: HashSet<(Vec<bool>, Option<u32>)>,
}

impl Search<'_> {
    /// `latest`: when the last of the done ones began.
    fn from(&mut self, done: &mut Vec<bool>, state: Option<u32>, latest: u64) -> bool {
        let open = |index: &usize| !done[*index] && self.events[*index].certain;
        let Some(until) =
            (0..done.len()).filter(open).map(|index| self.events[index].returned).min()
        else {
            return true;
        };
        if !self.tried.insert((done.clone(), state)) {
            return false;
        }
        for index in 0..done.len() {
            let event = self.events[index];
            if event.invoked > until {
                break;
            }
            if done[index] || event.returned < latest {
                continue;
            }
            if let Some(after) = event.action.step(state) {
                done[index] = true;
                if self.from(done, after, latest.max(event.invoked)) {
                    return true;
                }
                done[index] = false;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::{Action::*, *};

    fn event(invoked: u64, returned: u64, action: Action) -> Event {
        Event { invoked, returned, certain: true, action }
    }

    fn maybe(invoked: u64, returned: u64, action: Action) -> Event {
        Event { certain: false, ..event(invoked, returned, action) }
    }

    #[test]
    fn what_one_thread_could_have_told_is_accepted() {
        for history in [
            vec![event(1, 2, Create(1)), event(3, 4, Read(Some(1))), event(5, 6, Delete)],
            // Both orders of two that overlap.
            vec![event(1, 2, Create(1)), event(3, 6, Write(2)), event(4, 5, Read(Some(1)))],
            vec![event(1, 2, Create(1)), event(3, 6, Write(2)), event(4, 5, Read(Some(2)))],
            // Nobody knows whether it was written: it was, and it was not.
            vec![event(1, 2, Create(1)), maybe(3, NEVER, Write(2)), event(8, 9, Read(Some(2)))],
            vec![event(1, 2, Create(1)), maybe(3, NEVER, Write(2)), event(8, 9, Read(Some(1)))],
            vec![event(1, 2, Create(1)), maybe(3, 5, Delete), event(6, 7, Read(None))],
        ] {
            assert!(linearizable(&history), "{history:?}");
        }
    }

    #[test]
    fn what_no_order_explains_is_not() {
        for history in [
            // Lost, stale, from the future, back from the dead.
            vec![event(1, 2, Create(1)), event(3, 4, Write(2)), event(5, 6, Read(Some(1)))],
            vec![event(1, 2, Create(1)), event(3, 4, Read(None))],
            vec![event(1, 2, Create(1)), event(3, 4, Read(Some(2))), event(5, 6, Write(2))],
            vec![event(1, 2, Create(1)), event(3, 4, Delete), event(5, 6, Read(Some(1)))],
            vec![event(1, 2, Create(1)), event(3, 4, Delete), event(5, 6, Delete)],
            vec![
                event(1, 2, Create(1)),
                event(3, 8, Write(2)),
                event(4, 5, Read(Some(2))),
                event(6, 7, Read(Some(1))),
            ],
            // It could have gone, but not that late.
            vec![
                event(1, 2, Create(1)),
                maybe(3, 5, Delete),
                event(6, 7, Read(Some(1))),
                event(8, 9, Read(None)),
            ],
        ] {
            assert!(!linearizable(&history), "{history:?}");
        }
    }
}
