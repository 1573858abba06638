//! The server's side of the seam: what agents ask for, whether they run in this process or reach us
//! over HTTP.

use std::sync::Arc;

use futures::{future::BoxFuture, stream::BoxStream};
use navigator_bus::{BusError, ControlPlane, Hub, Wakeup};
use navigator_model::{Fetched, Heartbeat, HostName, Report, Revision, Scope};
use navigator_resources::{Caller, Settings, dhcp_scheduling, l3_scheduling};
use navigator_store::{DecideError, Store, StoreError};

use crate::state::{ApiState, now};

#[derive(Clone)]
pub struct LocalControlPlane {
    store: Store,
    hub: Hub,
    settings: Arc<Settings>,
}

impl From<&ApiState> for LocalControlPlane {
    fn from(state: &ApiState) -> Self {
        Self {
            store: state.store.clone(),
            hub: state.hub.clone(),
            settings: Arc::clone(&state.settings),
        }
    }
}

fn bus_error(error: StoreError) -> BusError {
    tracing::warn!(%error, "an agent's request failed");
    BusError::Unreachable(error.to_string())
}

/// The server itself, when it places routers and networks.
fn scheduler() -> Caller {
    Caller { project_id: "".into(), user_id: "scheduler".to_owned(), is_admin: true }
}

impl LocalControlPlane {
    /// Places what waits for an agent.
    async fn schedule(&self) -> Result<(), BusError> {
        let moved = self
            .store
            .decide(&scheduler(), &self.settings, &now(), |facts, context| {
                let mut writes = l3_scheduling::schedule_all(facts, context)?;
                writes.append(dhcp_scheduling::schedule_all(facts, context)?);
                Ok(((), writes))
            })
            .await;
        match moved {
            Ok(((), moved)) => {
                self.hub.publish(
                    moved.into_iter().map(|(scope, revision)| Wakeup { scope, revision }),
                );
                Ok(())
            }
            // Nothing that an agent could do about it; the next appearance tries again.
            Err(DecideError::Refused(refusal)) => {
                tracing::warn!(%refusal, "scheduling was refused");
                Ok(())
            }
            Err(DecideError::Store(error)) => Err(bus_error(error)),
        }
    }
}

impl ControlPlane for LocalControlPlane {
    fn fetch<'a>(
        &'a self,
        host: &'a HostName,
        scope: &'a Scope,
        since: Option<Revision>,
    ) -> BoxFuture<'a, Result<Fetched, BusError>> {
        Box::pin(async move { self.store.fetch(host, scope, since).await.map_err(bus_error) })
    }

    fn revisions<'a>(
        &'a self,
        host: &'a HostName,
    ) -> BoxFuture<'a, Result<Vec<(Scope, Revision)>, BusError>> {
        Box::pin(async move { self.store.revisions(host).await.map_err(bus_error) })
    }

    fn wakeups<'a>(
        &'a self,
        _host: &'a HostName,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Wakeup>, BusError>> {
        Box::pin(async move { Ok(self.hub.subscribe()) })
    }

    fn heartbeat(&self, heartbeat: Heartbeat) -> BoxFuture<'_, Result<(), BusError>> {
        Box::pin(async move {
            if self.store.heartbeat(&heartbeat, &self.settings, &now()).await.map_err(bus_error)? {
                self.schedule().await?;
            }
            Ok(())
        })
    }

    fn report<'a>(
        &'a self,
        _host: &'a HostName,
        report: Report,
    ) -> BoxFuture<'a, Result<(), BusError>> {
        Box::pin(async move { self.store.report(&report).await.map_err(bus_error) })
    }
}
