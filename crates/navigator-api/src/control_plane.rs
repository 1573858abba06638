//! The server's side of the seam: what agents ask for, whether they run in this process or reach us
//! over HTTP.

use std::sync::Arc;

use futures::{
    StreamExt as _,
    future::{self, BoxFuture},
    stream::BoxStream,
};
use navigator_bus::{BusError, ControlPlane, Hub, Wakeup};
use navigator_model::{Fetched, Heartbeat, HostName, Report, Revision, Scope};
use navigator_resources::{Agent, Rules as _, Settings};
use navigator_store::{Store, StoreError};

use crate::{
    consequences::follow,
    metrics::{Metrics, Present},
    state::{ApiState, now},
};

#[derive(Clone)]
pub struct LocalControlPlane {
    store: Store,
    hub: Hub,
    settings: Arc<Settings>,
    metrics: Arc<Metrics>,
}

impl From<&ApiState> for LocalControlPlane {
    fn from(state: &ApiState) -> Self {
        Self {
            store: state.store.clone(),
            hub: state.hub.clone(),
            settings: Arc::clone(&state.settings),
            metrics: Arc::clone(&state.metrics),
        }
    }
}

impl LocalControlPlane {
    /// Until it is dropped, one more agent listens for wake-ups from outside this process.
    pub(crate) fn listening(&self) -> Present {
        self.metrics.stream_begins()
    }
}

fn bus_error(error: StoreError) -> BusError {
    tracing::warn!(%error, "an agent's request failed");
    BusError::Unreachable(error.to_string())
}

fn refused(host: &HostName, scope: &Scope) -> BusError {
    BusError::Refused(format!("{host} does not serve {scope}"))
}

impl ControlPlane for LocalControlPlane {
    fn fetch<'a>(
        &'a self,
        host: &'a HostName,
        scope: &'a Scope,
        since: Option<Revision>,
    ) -> BoxFuture<'a, Result<Fetched, BusError>> {
        if matches!(scope, Scope::Host(name) if name != host) {
            return Box::pin(future::ready(Err(refused(host, scope))));
        }
        Box::pin(async move { self.store.fetch(host, scope, since).await.map_err(bus_error) })
    }

    fn revisions<'a>(
        &'a self,
        host: &'a HostName,
    ) -> BoxFuture<'a, Result<Vec<(Scope, Revision)>, BusError>> {
        Box::pin(async move { self.store.revisions(host).await.map_err(bus_error) })
    }

    /// Of other hosts' duties it hears nothing.
    fn wakeups<'a>(
        &'a self,
        host: &'a HostName,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Wakeup>, BusError>> {
        let own = host.clone();
        let concerns = move |wakeup: &Wakeup| match &wakeup.scope {
            Scope::Host(name) => *name == own,
            Scope::Router(_) | Scope::Network(_) => true,
        };
        let wakeups = self.hub.subscribe();
        Box::pin(async move {
            Ok(wakeups.filter(move |wakeup| future::ready(concerns(wakeup))).boxed())
        })
    }

    fn heartbeat(&self, heartbeat: Heartbeat) -> BoxFuture<'_, Result<(), BusError>> {
        Box::pin(async move {
            let now = now();
            let heard = self.store.heartbeat(&heartbeat, &self.settings, &now);
            let heard = heard.await.map_err(bus_error)?;
            self.hub.publish(heard.moved);
            if heard.news {
                let consequences = Agent::consequences();
                let followed = follow(&self.store, &self.hub, &self.settings, consequences);
                followed.await.map_err(bus_error)?;
            }
            Ok(())
        })
    }

    /// Only of what the host serves: the word of one that it was taken from comes too late.
    fn report<'a>(
        &'a self,
        host: &'a HostName,
        report: Report,
    ) -> BoxFuture<'a, Result<(), BusError>> {
        Box::pin(async move {
            if !self.store.serves(host, &report.scope).await.map_err(bus_error)? {
                return Err(refused(host, &report.scope));
            }
            self.store.report(host, &report, &self.settings, &now()).await.map_err(bus_error)
        })
    }
}
