//! The `[nova]` table: where the compute service is told what became of its servers' ports.

use std::{future::Future, sync::Arc, time::Duration};

use navigator_api::{Access, tell_nova};
use navigator_store::Store;
use serde::Deserialize;

#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NovaConfig {
    /// Such as `http://nova.example:8774/v2.1`. Empty: nobody is told.
    endpoint: String,
    /// Sent as `X-Auth-Token`.
    token: String,
    /// Seconds between requests, at least.
    send_events_interval_s: u64,
}

impl Default for NovaConfig {
    fn default() -> Self {
        Self { endpoint: String::new(), token: String::new(), send_events_interval_s: 2 }
    }
}

/// Everything but the token.
impl std::fmt::Debug for NovaConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NovaConfig").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl NovaConfig {
    pub(crate) fn is_told(&self) -> bool {
        !self.endpoint.is_empty()
    }

    /// Tells the compute service, for ever; without one, it only never ends.
    pub(crate) fn tell(&self, store: Store) -> impl Future<Output = ()> + use<> {
        let access = Access { endpoint: self.endpoint.clone(), token: self.token.clone() };
        let interval = Duration::from_secs(self.send_events_interval_s.max(1));
        let told = self.is_told();
        async move {
            if told {
                tell_nova(store, Arc::new(access), interval).await;
            } else {
                std::future::pending::<()>().await;
            }
        }
    }
}
