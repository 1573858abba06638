//! Names of scopes that want work. In: wakes with their causes, now or later. Out: one scope at a
//! time per caller, never the same scope to two callers; a scope that is woken while it is worked on
//! comes once more. Holds no state of any scope.
//!
//! Resyncs and the like stand behind everything else: a user's change does not wait for 500 routers that are
//! probably fine.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use navigator_model::Scope;
use tokio::{sync::Notify, time::Instant};

/// Why a scope was woken. Decides how closely to look, never what to render.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Cause {
    /// The server said that it moved.
    Revision = 1,
    /// It entered or left this host's duties, or the agent started.
    Duty = 2,
    /// Somebody else changed something that it owns.
    Foreign = 4,
    /// A device that it waits for has appeared.
    Arrival = 8,
    /// The timer.
    Resync = 16,
    /// Something was refused before.
    Retry = 32,
    /// Something was noticed while we changed things ourselves.
    Echo = 64,
}

/// A set of [`Cause`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Causes(u8);

impl Causes {
    pub fn contains(self, cause: Cause) -> bool {
        self.0 & cause as u8 != 0
    }

    /// The server's word is all there is: the kernel need not be suspected.
    pub fn only_revision(self) -> bool {
        self.0 == Cause::Revision as u8
    }

    /// The kernel moved, not the server: what is held of the server's word is as good as ever.
    pub fn only_kernel(self) -> bool {
        self.0 & !(Cause::Foreign as u8 | Cause::Arrival as u8 | Cause::Echo as u8) == 0
    }

    fn urgent(self) -> bool {
        self.0 & !(Cause::Resync as u8 | Cause::Echo as u8) != 0
    }
}

impl From<Cause> for Causes {
    fn from(cause: Cause) -> Self {
        Self(cause as u8)
    }
}

#[derive(Default)]
struct Inner {
    urgent: VecDeque<Scope>,
    background: VecDeque<Scope>,
    /// Waiting for a worker, with the causes so far. A name in a line but not here is stale.
    waiting: HashMap<Scope, Causes>,
    running: HashSet<Scope>,
    later: HashMap<Scope, (Instant, Causes)>,
}

#[derive(Default)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    changed: Notify,
}

impl Inner {
    fn add(&mut self, scope: Scope, causes: Causes) {
        let known = self.waiting.get(&scope).copied();
        let all = Causes(known.unwrap_or_default().0 | causes.0);
        self.waiting.insert(scope.clone(), all);
        let moved_up = all.urgent() && !known.is_some_and(Causes::urgent);
        match (&scope, known) {
            // What the host has to serve comes first: it decides about all others.
            (Scope::Host(_), _) if moved_up => self.urgent.push_front(scope),
            _ if moved_up => self.urgent.push_back(scope),
            (_, None) => self.background.push_back(scope),
            _ => {}
        }
    }

    fn promote_due(&mut self, now: Instant) {
        let due = |(_, (at, _)): &(&Scope, &(Instant, Causes))| *at <= now;
        let names: Vec<Scope> = self.later.iter().filter(due).map(|(s, _)| s.clone()).collect();
        for scope in names {
            if let Some((_, causes)) = self.later.remove(&scope) {
                self.add(scope, causes);
            }
        }
    }

    /// The first in line that nobody works on; running ones keep their place.
    fn take(&mut self) -> Option<(Scope, Causes)> {
        let Self { urgent, background, waiting, running, .. } = self;
        for line in [urgent, background] {
            line.retain(|scope| waiting.contains_key(scope));
            let free = line.iter().position(|scope| !running.contains(scope));
            let Some(scope) = free.and_then(|n| line.remove(n)) else { continue };
            let causes = waiting.remove(&scope).unwrap_or_default();
            running.insert(scope.clone());
            return Some((scope, causes));
        }
        None
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change under this lock is complete before anything in it could panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn wake(&self, scope: Scope, cause: Cause) {
        self.lock().add(scope, cause.into());
        self.changed.notify_one();
    }

    /// Wakes it after a while, if nothing does so before. An earlier time wins.
    pub(crate) fn wake_after(&self, scope: Scope, cause: Cause, delay: Duration) {
        let at = Instant::now() + delay;
        let mut inner = self.lock();
        let entry = inner.later.entry(scope).or_insert((at, cause.into()));
        entry.0 = entry.0.min(at);
        entry.1 = Causes(entry.1.0 | cause as u8);
        drop(inner);
        self.changed.notify_one();
    }

    /// The next scope to work on. The caller must say [`Queue::done`] of it.
    pub(crate) async fn next(&self) -> (Scope, Causes) {
        loop {
            let earliest = {
                let mut inner = self.lock();
                inner.promote_due(Instant::now());
                if let Some(next) = inner.take() {
                    if !inner.waiting.is_empty() {
                        self.changed.notify_one();
                    }
                    return next;
                }
                inner.later.values().map(|(at, _)| *at).min()
            };
            let changed = self.changed.notified();
            match earliest {
                None => changed.await,
                Some(at) => {
                    let _ = tokio::time::timeout_at(at, changed).await;
                }
            }
        }
    }

    pub(crate) fn done(&self, scope: &Scope) {
        self.lock().running.remove(scope);
        self.changed.notify_one();
    }

    /// Nothing waits, runs, or is due again.
    pub(crate) fn is_idle(&self) -> bool {
        let inner = self.lock();
        inner.waiting.is_empty() && inner.running.is_empty() && inner.later.is_empty()
    }

    /// Forgets that a scope was to be tried again; other reasons to come back to it stay.
    pub(crate) fn forget_retry(&self, scope: &Scope) {
        let mut inner = self.lock();
        if let Some((_, causes)) = inner.later.get_mut(scope) {
            causes.0 &= !(Cause::Retry as u8);
            if causes.0 == 0 {
                inner.later.remove(scope);
            }
        }
    }
}

#[cfg(test)]
mod tests;
