//! One host with a simulated kernel, one scripted server, and the agent between them.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use navigator_agent::{Agent, AgentConfig, Cause, MetricsReading};
use navigator_model::{GatewayPortForwardingId, NetworkId, ObjectKey, PortId, RouterId, Scope};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{kernel::SimKernel, server::FakeServer};

pub(crate) fn uuid(kind: u16, n: u32) -> String {
    // Devices are named by the first eleven characters.
    format!("{kind:02x}{n:06x}-0000-4000-8000-000000000000")
}

pub(crate) fn router_id(n: u32) -> RouterId {
    uuid(1, n).parse().unwrap()
}

pub(crate) fn router_scope(n: u32) -> Scope {
    Scope::Router(router_id(n))
}

pub(crate) fn network_id(n: u32) -> NetworkId {
    uuid(2, n).parse().unwrap()
}

pub(crate) fn network_scope(n: u32) -> Scope {
    Scope::Network(network_id(n))
}

/// The router's port on its network.
pub(crate) fn port_id(n: u32) -> PortId {
    uuid(3, n).parse().unwrap()
}

pub(crate) fn gateway_id(n: u32) -> PortId {
    uuid(4, n).parse().unwrap()
}

pub(crate) fn forward_key(router: u32, n: u32) -> ObjectKey {
    let id: GatewayPortForwardingId = uuid(5, router * 10_000 + n).parse().unwrap();
    ObjectKey::GatewayPortForwarding(id)
}

pub(crate) fn host_scope() -> Scope {
    Scope::Host("node-1".into())
}

pub(crate) struct Fleet {
    pub(crate) server: Arc<FakeServer>,
    pub(crate) kernel: Arc<SimKernel>,
    directory: TempDir,
}

impl Fleet {
    pub(crate) fn new() -> Self {
        Self {
            server: Arc::default(),
            kernel: Arc::default(),
            directory: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn state_dir(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn agent(&self) -> Agent {
        let config = AgentConfig {
            host: "node-1".into(),
            state_dir: self.directory.path().to_owned(),
            resync_interval_s: 36_000,
            heartbeat_interval_s: 36_000,
            ..AgentConfig::default()
        };
        Agent::new(config, self.server.clone(), self.kernel.clone()).unwrap()
    }

    pub(crate) fn start(&self) -> Run<'_> {
        let agent = Arc::new(self.agent());
        let (stop, stopping) = oneshot::channel::<()>();
        let running = agent.clone();
        let task = tokio::spawn(async move {
            running.run(async { drop(stopping.await) }).await.unwrap();
        });
        Run { fleet: self, agent, stop, task }
    }
}

/// An agent at work.
pub(crate) struct Run<'a> {
    fleet: &'a Fleet,
    agent: Arc<Agent>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Run<'_> {
    #[track_caller]
    pub(crate) fn until(&self, condition: impl Fn(&Fleet) -> bool) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let begin = Instant::now();
            let clock = tokio::time::Instant::now();
            while !condition(self.fleet) {
                let late = begin.elapsed().as_secs() >= 15 || clock.elapsed().as_secs() >= 300;
                assert!(!late, "not within 15 s: {caller}");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }

    #[track_caller]
    pub(crate) fn settled(&self) -> impl Future<Output = ()> {
        let agent = self.agent.clone();
        self.until(move |_| agent.is_settled())
    }

    pub(crate) fn metrics(&self) -> MetricsReading {
        self.agent.metrics().read()
    }

    pub(crate) fn wake_all(&self, cause: Cause) {
        self.agent.wake(host_scope(), cause);
        for scope in self.fleet.server.scopes() {
            self.agent.wake(scope, cause);
        }
    }

    pub(crate) async fn stop(self) {
        drop(self.stop);
        self.task.await.unwrap();
    }
}
