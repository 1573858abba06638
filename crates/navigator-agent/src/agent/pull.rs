//! Pulling a scope: what the server has, folded into what is held, and kept on disk afterwards.

use std::sync::{Arc, Mutex};

use navigator_bus::BusError;
use navigator_model::{Fetched, Scope};

use super::{Inner, Link, lock};
use crate::{
    replica::{Changed, FoldError, Folded, fold, journal::Entry},
    scope_state::ScopeState,
};

/// What is known of a scope after asking.
pub(super) enum Pulled {
    /// The server's word, folded in, and what has to go to disk once the kernel has it.
    Fresh {
        changed: Changed,
        entry: Option<Entry>,
    },
    /// The server could not say; what is held still counts.
    Stale,
    /// Neither does the server say nor is anything held.
    Nothing,
    Gone,
}

impl Inner {
    pub(super) async fn pull(&self, scope: &Scope, state: &Arc<Mutex<ScopeState>>) -> Pulled {
        let stale = || match &lock(state).snapshot {
            Some(_) => Pulled::Stale,
            None => Pulled::Nothing,
        };
        if self.link() != Link::Up {
            return stale();
        }
        let mut since = self.held(scope);
        loop {
            let fetched = match self.server.fetch(&self.config.host, scope, since).await {
                Ok(fetched) => fetched,
                Err(error) => {
                    tell_failure(scope, &error);
                    return stale();
                }
            };
            match self.take_in(scope, state, fetched) {
                Ok(pulled) => return pulled,
                Err(error) if since.is_some() => {
                    tracing::warn!(%scope, %error, "asking for all of it");
                    since = None;
                }
                Err(error) => {
                    tracing::error!(%scope, %error, "the server's answer is not usable");
                    return stale();
                }
            }
        }
    }

    fn take_in(
        &self,
        scope: &Scope,
        state: &Arc<Mutex<ScopeState>>,
        fetched: Fetched,
    ) -> Result<Pulled, FoldError> {
        let mut state = lock(state);
        let since = state.snapshot.as_ref().map(|snapshot| snapshot.revision);
        // The changes are needed twice; a complete snapshot is copied after folding.
        let log = match (&fetched, since) {
            (Fetched::Changes { scope, revision, objects }, Some(since)) if *revision != since => {
                let (scope, objects) = (scope.clone(), objects.clone());
                Some(Entry::Changes { scope, since, revision: *revision, objects })
            }
            _ => None,
        };
        let changed = match fold(&mut state.snapshot, scope, fetched)? {
            Folded::Gone => return Ok(Pulled::Gone),
            Folded::Held(changed) => changed,
        };
        let Some(snapshot) = &state.snapshot else { return Ok(Pulled::Nothing) };
        lock(&self.held).insert(scope.clone(), snapshot.revision);
        let complete = || Entry::Complete(Box::new(snapshot.clone()));
        let entry = if changed == Changed::Everything { Some(complete()) } else { log };
        Ok(Pulled::Fresh { changed, entry })
    }

    /// Nothing is held of it any more.
    pub(super) fn forget(&self, scope: &Scope) {
        lock(&self.held).remove(scope);
        lock(&self.states).remove(scope);
        self.outbox.forget(scope);
        self.journal.keep(Entry::Gone(scope.clone()));
    }
}

fn tell_failure(scope: &Scope, error: &BusError) {
    match error {
        BusError::Unreachable(_) => tracing::warn!(%scope, %error, "fetching failed"),
        _ => tracing::error!(%scope, %error, "fetching failed"),
    }
}
