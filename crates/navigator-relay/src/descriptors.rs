//! How many descriptors this process may have, and who has them: a listening port is one, a connection
//! two, a UDP session one, a pipe two.
//!
//! Nobody may have more than a multiple of what is free. So one forward's clients never take them all: the
//! more of them there are, the less is free, and somebody who has few may still have some. Nothing is set
//! apart for forwards that are idle, and nobody has to know how many are not.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the limit as far as the system allows, at most to `enough`, and gives what it is then. The
/// usual soft limit of 1024 is for programs that use `select`.
///
/// # Errors
/// The system's.
pub fn raise_descriptor_limit(enough: u64) -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let wanted = hard.min(enough);
    if soft < wanted {
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard)?;
    }
    Ok(wanted.max(soft))
}

/// What a client and its target take.
pub(crate) const PER_CONNECTION: usize = 2;

/// What is left for clients, targets and pipes, as all workers see it.
#[derive(Debug, Default)]
pub(crate) struct Descriptors {
    all: AtomicUsize,
    held: AtomicUsize,
}

/// What one forward's connections hold, or all pipes.
#[derive(Debug)]
pub(crate) struct Part {
    held: AtomicUsize,
    /// The most it may hold, in multiples of what is free.
    times_free: usize,
    of: Arc<Descriptors>,
}

/// Descriptors that there are, or soon will be. Given back when it goes.
#[derive(Debug)]
pub(crate) struct Held {
    part: Arc<Part>,
    count: usize,
}

impl Descriptors {
    /// `others` are those of this process that are nobody's here.
    pub(crate) fn look_at_limit(&self, others: usize) {
        let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.all.store(limit.saturating_sub(others), Relaxed);
    }

    /// A forward's: alone, its connections may take seven eighths.
    pub(crate) fn part(self: &Arc<Self>) -> Arc<Part> {
        self.part_of(7)
    }

    /// Pipes make bulk cheaper and nothing possible: half at most.
    pub(crate) fn pipes(self: &Arc<Self>) -> Arc<Part> {
        self.part_of(1)
    }

    fn part_of(self: &Arc<Self>, times_free: usize) -> Arc<Part> {
        Arc::new(Part { held: AtomicUsize::new(0), times_free, of: Arc::clone(self) })
    }
}

impl Part {
    /// `None` where so many would be more than its part.
    pub(crate) fn take(self: &Arc<Self>, count: usize) -> Option<Held> {
        // Taken first and given back, so that two workers cannot both take the last one.
        let own = self.held.fetch_add(count, Relaxed) + count;
        let all = self.of.held.fetch_add(count, Relaxed) + count;
        let held = Held { part: Arc::clone(self), count };
        self.allows(own, all).then_some(held)
    }

    /// Whether so many could be taken now.
    pub(crate) fn has_room(&self, count: usize) -> bool {
        self.allows(self.held.load(Relaxed) + count, self.of.held.load(Relaxed) + count)
    }

    fn allows(&self, own: usize, all: usize) -> bool {
        let free = self.of.all.load(Relaxed).saturating_sub(all);
        own <= free.saturating_mul(self.times_free)
    }
}

impl Held {
    /// The same for another forward, if its part allows it.
    pub(crate) fn pass_to(self, part: &Arc<Part>) -> Option<Self> {
        if Arc::ptr_eq(&self.part, part) {
            return Some(self);
        }
        let count = self.count;
        drop(self);
        part.take(count)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.part.held.fetch_sub(self.count, Relaxed);
        self.part.of.held.fetch_sub(self.count, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eight_hundred() -> Arc<Descriptors> {
        Arc::new(Descriptors { all: AtomicUsize::new(800), held: AtomicUsize::new(0) })
    }

    fn as_many_as_there_are(part: &Arc<Part>) -> Vec<Held> {
        std::iter::from_fn(|| part.take(PER_CONNECTION)).collect()
    }

    #[test]
    fn nobody_takes_what_the_others_need() {
        let descriptors = eight_hundred();
        let (greedy, second, modest) = (descriptors.part(), descriptors.part(), descriptors.part());
        let first = as_many_as_there_are(&greedy);
        assert_eq!(first.len(), 350);
        assert!(!greedy.has_room(PER_CONNECTION));
        let _second = as_many_as_there_are(&second);
        assert!(!second.has_room(PER_CONNECTION));
        let third = modest.take(PER_CONNECTION);
        assert!(third.is_some(), "what two leave is still enough for a third");
        drop(first);
        assert!(greedy.has_room(PER_CONNECTION) && second.has_room(PER_CONNECTION));
    }

    #[test]
    fn pipes_never_take_more_than_is_left() {
        let descriptors = eight_hundred();
        let (forward, pipes) = (descriptors.part(), descriptors.pipes());
        assert_eq!(as_many_as_there_are(&pipes).len(), 200);
        let _clients = as_many_as_there_are(&forward);
        let few = as_many_as_there_are(&pipes).len();
        assert!(few <= 25, "{few} pipes of the hundred descriptors that are left");
    }

    #[test]
    fn what_changes_hands_is_held_once() {
        let descriptors = eight_hundred();
        let (a, b) = (descriptors.part(), descriptors.part());
        let held = a.take(2).and_then(|held| held.pass_to(&b)).unwrap();
        let counts = || [&a.held, &b.held, &descriptors.held].map(|count| count.load(Relaxed));
        assert_eq!(counts(), [0, 2, 2]);
        drop(held);
        assert_eq!(counts(), [0, 0, 0]);
    }
}
