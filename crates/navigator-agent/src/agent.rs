//! The agent: tasks around one queue of scope names. Wake-ups, monitors and timers put names in;
//! workers pull the scope's snapshot, bring the kernel to it and report. No task passes state to
//! another through the queue.

use std::{
    collections::HashMap,
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use navigator_bus::{BusError, ControlPlane};
use navigator_model::{Revision, Scope};
use navigator_render::HostConfig;
use tokio::{
    sync::{oneshot, watch},
    task::JoinSet,
};

use crate::{
    AgentConfig, AgentMetrics,
    assignment::Assignments,
    backoff::jittered,
    heartbeat,
    host::{Host, HostError},
    host_links::HostLinks,
    machine::Machine,
    outbox::Outbox,
    own_changes::OwnChanges,
    queue::{Cause, Queue},
    replica::journal::{self, Journal},
    scope_state::ScopeState,
};

mod connection;
mod duty;
mod notice;
mod preview;
mod pull;
mod worker;

/// A first sign of life goes out before anything is asked, if that does not take longer.
const FIRST_HEARTBEAT_WAIT: Duration = Duration::from_secs(1);

/// How long stopping waits for what is under way.
const STOP_WAIT: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error("state directory {}", directory.display())]
    StateDirectory {
        directory: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("another agent works with state directory {}", _0.display())]
    AlreadyRunning(PathBuf),
    #[error("nothing is known of {0}: the server does not answer and no replica is on disk")]
    Unknown(Scope),
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error("a worker thread ended early")]
    Worker(#[source] tokio::task::JoinError),
}

/// Whether the server can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Link {
    Starting,
    Up,
    Down,
}

pub struct Agent {
    inner: Arc<Inner>,
}

struct Inner {
    config: Arc<AgentConfig>,
    server: Arc<dyn ControlPlane>,
    machine: Machine,
    queue: Queue,
    outbox: Outbox,
    journal: Journal,
    assignments: Mutex<Assignments>,
    states: Mutex<HashMap<Scope, Arc<Mutex<ScopeState>>>>,
    /// What the held snapshots are at, readable while a worker has the state itself.
    held: Mutex<HashMap<Scope, Revision>>,
    link: AtomicU8,
    /// Whether what the server does not assign has been looked for since the start.
    swept: AtomicBool,
    started: Instant,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Agent {
    /// Reads the replicas on disk; touches neither server nor kernel.
    pub fn new(
        config: AgentConfig,
        server: Arc<dyn ControlPlane>,
        host: Arc<dyn Host>,
    ) -> Result<Self, AgentError> {
        let directory = config.state_dir.join("replica");
        let replicas = journal::load(&directory);
        let journal = Journal::open(directory.clone())
            .map_err(|source| AgentError::StateDirectory { directory, source })?;
        let held = replicas.iter().map(|s| (s.scope.clone(), s.revision)).collect();
        let states = replicas.into_iter().map(|snapshot| {
            let scope = snapshot.scope.clone();
            (scope, Arc::new(Mutex::new(ScopeState::new(Some(snapshot)))))
        });
        let inner = Inner {
            machine: Machine {
                host,
                config: render_config(&config),
                links: HostLinks::default(),
                own_changes: OwnChanges::default(),
                metrics: Arc::new(AgentMetrics::default()),
                watching: AtomicBool::new(false),
            },
            server,
            queue: Queue::default(),
            outbox: Outbox::default(),
            journal,
            assignments: Mutex::default(),
            states: Mutex::new(states.collect()),
            held: Mutex::new(held),
            link: AtomicU8::new(Link::Starting as u8),
            swept: AtomicBool::new(false),
            started: Instant::now(),
            config: Arc::new(config),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Works until `shutdown` is ready. What is being applied then is applied to its end; the data
    /// plane stays as it is.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) -> Result<(), AgentError> {
        let inner = &self.inner;
        let _alone = alone(&inner.config.state_dir)?;
        inner.start_watching();
        let mut tasks = JoinSet::new();
        tasks.spawn(inner.clone().beat_and_connect());
        let (agent, server) = (inner.clone(), inner.server.clone());
        tasks.spawn(async move { agent.outbox.run(server, agent.config.host.clone()).await });
        tasks.spawn(inner.clone().resync());
        let (stop, stopping) = watch::channel(());
        let mut workers = JoinSet::new();
        for _ in 0..inner.config.workers.max(1) {
            workers.spawn(inner.clone().work(stopping.clone()));
        }
        shutdown.await;
        drop(stop);
        let finish = async {
            while let Some(ended) = workers.join_next().await {
                ended.map_err(AgentError::Worker)?;
            }
            Ok(())
        };
        // A worker may be waiting for a server that says nothing.
        tokio::time::timeout(STOP_WAIT, finish).await.unwrap_or(Ok(()))
    }

    pub fn metrics(&self) -> Arc<AgentMetrics> {
        self.inner.machine.metrics.clone()
    }

    /// Writes to kernel and files since the start.
    pub fn kernel_writes(&self) -> u64 {
        self.inner.machine.host.writes()
    }

    /// Has a scope looked at, as the monitors and timers do.
    pub fn wake(&self, scope: Scope, cause: Cause) {
        self.inner.queue.wake(scope, cause);
    }

    /// Nothing waits, runs, or is to be tried again.
    pub fn is_settled(&self) -> bool {
        self.inner.queue.is_idle()
    }
}

impl Inner {
    fn host_scope(&self) -> Scope {
        Scope::Host(self.config.host.clone())
    }

    fn state(&self, scope: &Scope) -> Arc<Mutex<ScopeState>> {
        let mut states = lock(&self.states);
        let fresh = || Arc::new(Mutex::new(ScopeState::new(None)));
        states.entry(scope.clone()).or_insert_with(fresh).clone()
    }

    fn held(&self, scope: &Scope) -> Option<Revision> {
        lock(&self.held).get(scope).copied()
    }

    fn link(&self) -> Link {
        match self.link.load(Relaxed) {
            up if up == Link::Up as u8 => Link::Up,
            down if down == Link::Down as u8 => Link::Down,
            _ => Link::Starting,
        }
    }

    async fn beat_and_connect(self: Arc<Self>) {
        let (on_first, first) = oneshot::channel();
        let beat = heartbeat::run(self.server.clone(), self.config.clone(), on_first);
        let connect = async {
            // The server assigns work to hosts that it knows: let it know this one first.
            let _ = tokio::time::timeout(FIRST_HEARTBEAT_WAIT, first).await;
            self.stay_connected().await;
        };
        tokio::join!(beat, connect);
    }

    async fn resync(self: Arc<Self>) {
        loop {
            tokio::time::sleep(jittered(self.config.resync_interval(), 0.2)).await;
            self.queue.wake(self.host_scope(), Cause::Resync);
            for scope in lock(&self.assignments).served() {
                self.queue.wake(scope.clone(), Cause::Resync);
            }
        }
    }
}

/// Two agents would undo each other's work. The lock ends with the process, however it ends.
fn alone(state_dir: &Path) -> Result<File, AgentError> {
    let failed = |source| AgentError::StateDirectory { directory: state_dir.to_owned(), source };
    let file = File::create(state_dir.join("agent.lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(AgentError::AlreadyRunning(state_dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn render_config(config: &AgentConfig) -> HostConfig {
    HostConfig {
        host: config.host.clone(),
        bridge_mappings: config.bridge_mappings.clone(),
        tunnel_ip: config.tunnel_ip,
        state_dir: config.state_dir.clone(),
        dhcp_lease_duration_s: config.dhcp_lease_duration_s,
        dns_domain: config.dns_domain.clone(),
    }
}
