//! The host's own scope: which others it has to serve, and which it has to let go. Only a complete
//! snapshot decides; the sweep of what nobody assigned also needs the server's own word, because a
//! replica may be older than the kernel.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use navigator_model::Scope;

use super::{AgentError, Inner, lock, pull::Pulled, worker::Ended};
use crate::queue::Cause;

impl Inner {
    pub(super) async fn reconcile_duties(self: &Arc<Self>) -> Result<Ended, AgentError> {
        let scope = self.host_scope();
        let state = self.state(&scope);
        let (entry, confirmed, ended) = match self.pull(&scope, &state).await {
            Pulled::Fresh { entry, .. } => (entry, true, Ended::Settled),
            Pulled::Stale => (None, false, self.unanswered()),
            Pulled::Nothing => return Ok(self.unanswered()),
            // Somebody deleted the agent that we are. What it serves is not thereby unwanted.
            Pulled::Gone => {
                tracing::warn!(%scope, "the server does not know this host; nothing is removed");
                return Ok(Ended::TryAgain);
            }
        };
        let (duties, revision) = match &lock(&state).snapshot {
            Some(snapshot) => (snapshot.duties.clone(), snapshot.revision),
            None => return Ok(Ended::TryAgain),
        };
        let moved = lock(&self.assignments).take_over(&duties, &self.config.roles);
        for scope in moved {
            self.queue.wake(scope, Cause::Duty);
        }
        // Revision 0 without duties: a server that has never given this host anything to do.
        let complete = revision.0 > 0 || !duties.is_empty();
        if confirmed && complete && !self.swept.load(Relaxed) {
            self.sweep().await?;
        }
        if let Some(entry) = entry {
            self.journal.keep(entry);
        }
        Ok(ended)
    }

    async fn sweep(self: &Arc<Self>) -> Result<(), AgentError> {
        let host = self.machine.host.clone();
        let present = tokio::task::spawn_blocking(move || host.scopes_present()).await;
        let mut present = present.map_err(AgentError::Worker)??;
        // Also what is only on disk: a crash came between the last write and forgetting it.
        present.extend(lock(&self.held).keys().filter(|s| !matches!(s, Scope::Host(_))).cloned());
        for orphan in lock(&self.assignments).sweep(present) {
            tracing::warn!(scope = %orphan, "is here though nobody assigned it");
            self.queue.wake(orphan, Cause::Duty);
        }
        self.swept.store(true, Relaxed);
        Ok(())
    }
}
