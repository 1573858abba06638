//! Foreign changes: which scope does it hit?

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use navigator_model::Scope;
use navigator_state::Namespace;

use super::{Inner, lock};
use crate::{host::Noticed, queue::Cause};

/// When to look whether an echo hid somebody else's change.
const ECHO_CHECK: Duration = Duration::from_millis(150);

impl Inner {
    /// Without monitors the agent still works, by its timer, and trusts nothing that it remembers.
    pub(super) fn start_watching(self: &Arc<Self>) {
        // Weak: the host keeps the closure, and the agent keeps the host.
        let agent = Arc::downgrade(self);
        let notify = Arc::new(move |noticed| {
            if let Some(agent) = agent.upgrade() {
                agent.notice(&noticed);
            }
        });
        match self.machine.host.start_watching(notify) {
            Ok(()) => self.machine.watching.store(true, Relaxed),
            Err(error) => tracing::error!(%error, "foreign changes are only found by the timer"),
        }
    }

    fn notice(&self, noticed: &Noticed) {
        match noticed {
            Noticed::Link { namespace: Namespace::Host, name } => {
                for scope in self.machine.links.concerned(name) {
                    self.wake_foreign(scope);
                }
            }
            Noticed::Link { namespace, .. } | Noticed::Namespace(namespace) => {
                self.notice_namespace(namespace);
            }
            Noticed::Scope(scope) => self.wake_foreign(scope.clone()),
        }
    }

    fn notice_namespace(&self, namespace: &Namespace) {
        match namespace {
            Namespace::Named(name) => {
                if let Some(scope) = scope_of(name) {
                    self.wake_foreign(scope);
                }
            }
            Namespace::Host => {
                for scope in lock(&self.assignments).served() {
                    self.queue.wake(scope.clone(), Cause::Foreign);
                }
            }
        }
    }

    /// Behind everything else and only once if it is probably ourselves that we hear.
    fn wake_foreign(&self, scope: Scope) {
        if self.machine.own_changes.is_echo(&scope) {
            self.queue.wake_after(scope, Cause::Echo, ECHO_CHECK);
        } else {
            self.queue.wake(scope, Cause::Foreign);
        }
    }
}

fn scope_of(namespace: &str) -> Option<Scope> {
    let router = namespace.strip_prefix("qrouter-").and_then(|id| id.parse().ok());
    let network = || namespace.strip_prefix("qdhcp-").and_then(|id| id.parse().ok());
    router.map(Scope::Router).or_else(|| network().map(Scope::Network))
}
