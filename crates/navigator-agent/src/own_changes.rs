//! Which scopes we are changing at this moment. Monitors tell of our own changes like of anybody's;
//! what they tell of a scope that we are changing is looked into once, a little later, instead of
//! at every event.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use navigator_model::Scope;

/// Monitors gather events for some milliseconds before they tell.
const ECHO: Duration = Duration::from_millis(30);
/// No apply takes this long.
const APPLY: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(crate) struct OwnChanges(Mutex<HashMap<Scope, Instant>>);

impl OwnChanges {
    fn expect_until(&self, scope: &Scope, end: Instant) {
        let mut scopes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        scopes.insert(scope.clone(), end);
    }

    /// Runs `change`, whose events are ours.
    pub(crate) fn during<T>(&self, scope: &Scope, change: impl FnOnce() -> T) -> T {
        self.expect_until(scope, Instant::now() + APPLY);
        let result = change();
        self.expect_until(scope, Instant::now() + ECHO);
        result
    }

    /// Whether an event of this scope is probably an echo of ours.
    pub(crate) fn is_echo(&self, scope: &Scope) -> bool {
        let mut scopes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let echo = scopes.get(scope).is_some_and(|end| Instant::now() < *end);
        if !echo {
            scopes.remove(scope);
        }
        echo
    }
}
