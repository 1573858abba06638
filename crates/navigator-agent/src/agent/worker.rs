//! One worker: takes a scope's name, asks the server, brings the kernel to it, reports.

use std::sync::{Arc, Mutex};

use navigator_model::Scope;
use tokio::sync::watch;

use super::{AgentError, Inner, Link, lock, pull::Pulled};
use crate::{
    assignment::{Assignment, Services},
    machine::{Converged, Task},
    queue::{Cause, Causes},
    replica::Changed,
    scope_state::ScopeState,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Settled,
    TryAgain,
}

impl Inner {
    pub(super) async fn work(self: Arc<Self>, mut stopping: watch::Receiver<()>) {
        loop {
            let (scope, causes) = tokio::select! {
                // Ready with an error as soon as the sender is gone.
                _ = stopping.changed() => return,
                next = self.queue.next() => next,
            };
            let ended = self.reconcile(&scope, causes).await.unwrap_or_else(|error| {
                tracing::error!(%scope, error = %chain(&error), "reconciling failed");
                Ended::TryAgain
            });
            self.settle(&scope, ended);
            self.queue.done(&scope);
            if self.queue.is_idle() {
                self.note_in_sync();
            }
        }
    }

    /// The first time is worth a line: until then this host was catching up.
    fn note_in_sync(&self) {
        if self.machine.metrics.in_sync() == 0 {
            let elapsed_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
            let scopes = lock(&self.states).len();
            tracing::info!(
                elapsed_ms,
                scopes,
                writes = self.machine.host.writes(),
                "first in sync"
            );
        }
    }

    fn settle(&self, scope: &Scope, ended: Ended) {
        let Some(state) = lock(&self.states).get(scope).cloned() else {
            return if ended == Ended::Settled {
                self.queue.forget_retry(scope)
            };
        };
        let mut state = lock(&state);
        match ended {
            Ended::Settled => {
                state.backoff.reset();
                self.queue.forget_retry(scope);
            }
            Ended::TryAgain => {
                let delay = state.backoff.next();
                self.queue.wake_after(scope.clone(), Cause::Retry, delay);
            }
        }
    }

    async fn reconcile(
        self: &Arc<Self>,
        scope: &Scope,
        causes: Causes,
    ) -> Result<Ended, AgentError> {
        if matches!(scope, Scope::Host(_)) {
            return if *scope == self.host_scope() {
                self.reconcile_duties().await
            } else {
                Ok(Ended::Settled)
            };
        }
        let assignment = lock(&self.assignments).of(scope);
        match assignment {
            Assignment::Unknown => Ok(Ended::Settled),
            Assignment::LetGo => self.let_go(scope).await,
            Assignment::Serve(services) => self.serve(scope, services, causes).await,
        }
    }

    async fn serve(
        self: &Arc<Self>,
        scope: &Scope,
        services: Services,
        causes: Causes,
    ) -> Result<Ended, AgentError> {
        let state = self.state(scope);
        // A repair does not wait for a server, and 500 of them do not fall upon it.
        let pulled = if causes.only_kernel() && self.held(scope).is_some() {
            Pulled::Fresh { changed: Changed::Nothing, entry: None }
        } else {
            self.pull(scope, &state).await
        };
        let (changed, entry, answered) = match pulled {
            Pulled::Fresh { changed, entry } => (changed, entry, Ended::Settled),
            Pulled::Stale => (Changed::Nothing, None, self.unanswered()),
            Pulled::Nothing => return Ok(self.unanswered()),
            Pulled::Gone => return self.let_go(scope).await,
        };
        let converged = self.converge(scope, state, services, changed, causes).await;
        if let Some(entry) = entry {
            self.journal.keep(entry);
        }
        let converged = converged?;
        for name in &converged.arrived {
            for waiting in self.machine.links.concerned(name) {
                if waiting != *scope {
                    self.queue.wake(waiting, Cause::Arrival);
                }
            }
        }
        if let Some(report) = converged.report {
            self.outbox.add(report);
        }
        Ok(if converged.refused > 0 { Ended::TryAgain } else { answered })
    }

    async fn converge(
        self: &Arc<Self>,
        scope: &Scope,
        state: Arc<Mutex<ScopeState>>,
        services: Services,
        changed: Changed,
        causes: Causes,
    ) -> Result<Converged, AgentError> {
        let (inner, scope) = (self.clone(), scope.clone());
        let work = move || {
            let mut state = state.lock().unwrap_or_else(|poisoned| {
                // The last reconcile of this scope panicked somewhere in the middle.
                let mut state = poisoned.into_inner();
                state.suspect_kernel();
                state
            });
            let task = Task { scope: &scope, services: &services, changed, causes };
            inner.machine.converge(&mut state, &task)
        };
        tokio::task::spawn_blocking(work).await.map_err(AgentError::Worker)
    }

    async fn let_go(self: &Arc<Self>, scope: &Scope) -> Result<Ended, AgentError> {
        let (inner, name) = (self.clone(), scope.clone());
        let removed = tokio::task::spawn_blocking(move || inner.machine.remove(&name)).await;
        let converged = removed.map_err(AgentError::Worker)??;
        if converged.refused > 0 {
            return Ok(Ended::TryAgain);
        }
        self.forget(scope);
        lock(&self.assignments).has_left(scope);
        Ok(Ended::Settled)
    }

    /// A server that is away wakes us when it is back; one that is there and fails is asked again.
    pub(super) fn unanswered(&self) -> Ended {
        if self.link() == Link::Up { Ended::TryAgain } else { Ended::Settled }
    }
}

fn chain(error: &AgentError) -> String {
    let first: &dyn std::error::Error = error;
    let causes = std::iter::successors(Some(first), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
