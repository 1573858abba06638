//! The real machine: the drivers' kernel, and monitors in the host's namespace and in those that
//! scopes keep their devices in.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, OnceLock, PoisonError},
};

use navigator_drivers::{
    DriverError, Kernel, KernelConfig, Look, Namespaces,
    monitor::{Foreign, Monitor, MonitorError, NetnsWatch},
};
use navigator_model::Scope;
use navigator_state::{Actual, Desired, Namespace, Plan};

use super::{Applied, Host, HostError, Noticed, Notify};
use crate::AgentConfig;

/// The namespace's number, and the monitor that keeps the number from being given away.
type Watched = HashMap<Namespace, (u64, Monitor)>;

pub struct KernelHost {
    kernel: Kernel,
    namespaces: Namespaces,
    config: KernelConfig,
    notify: OnceLock<Notify>,
    /// The host's own, for as long as we live.
    constant: Mutex<Option<(Monitor, NetnsWatch)>>,
    scopes: Mutex<HashMap<Scope, Watched>>,
}

impl KernelHost {
    /// The calling thread's network namespace is the host's from now on.
    pub fn new(config: &AgentConfig) -> Result<Self, DriverError> {
        let (netns_dir, state_dir) = (config.netns_dir.clone(), config.state_dir.clone());
        let config = KernelConfig { netns_dir, state_dir };
        Ok(Self {
            kernel: Kernel::new(config.clone())?,
            namespaces: Namespaces::new(config.netns_dir.clone())?,
            config,
            notify: OnceLock::new(),
            constant: Mutex::default(),
            scopes: Mutex::default(),
        })
    }

    fn watch_one(&self, namespace: &Namespace) -> Result<Option<Monitor>, HostError> {
        let Some(notify) = self.notify.get().cloned() else { return Ok(None) };
        let work = || {
            Monitor::watch(namespace.clone(), move |namespace, foreign| {
                if let Some(noticed) = noticed(namespace, foreign) {
                    notify(noticed);
                }
            })
        };
        let monitor = self.namespaces.run_in(namespace, work).map_err(failed)?;
        monitor.map(Some).map_err(|error| HostError::of(&error))
    }

    fn watch_names(&self, notify: Notify) -> Result<NetnsWatch, MonitorError> {
        NetnsWatch::watch(&self.config.netns_dir, move |namespace, _| {
            notify(Noticed::Namespace(namespace.clone()));
        })
    }
}

impl Host for KernelHost {
    fn observe(&self, scope: &Scope, desired: &Desired) -> Result<Actual, HostError> {
        self.kernel.observe(scope, desired, Look::Everything).map_err(failed)
    }

    fn generation(&self, scope: &Scope) -> Result<Option<u32>, HostError> {
        self.kernel.generation(scope).map_err(failed)
    }

    fn apply(&self, plan: &Plan) -> Vec<Applied> {
        let outcomes = self.kernel.apply(plan).into_iter();
        outcomes
            .map(|one| Applied { object: one.object, result: one.result.map_err(failed) })
            .collect()
    }

    fn scopes_present(&self) -> Result<BTreeSet<Scope>, HostError> {
        self.kernel.scopes_present().map_err(failed)
    }

    fn writes(&self) -> u64 {
        self.kernel.writes()
    }

    fn start_watching(&self, notify: Notify) -> Result<(), HostError> {
        std::fs::create_dir_all(&self.config.netns_dir).map_err(|error| HostError::of(&error))?;
        let names = self.watch_names(notify.clone()).map_err(|error| HostError::of(&error))?;
        let _ = self.notify.set(notify);
        let host = self.watch_one(&Namespace::Host)?;
        let mut constant = self.constant.lock().unwrap_or_else(PoisonError::into_inner);
        *constant = host.map(|host| (host, names));
        Ok(())
    }

    fn watch(&self, scope: &Scope, namespaces: &BTreeSet<Namespace>) {
        let mut scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = scopes.remove(scope).unwrap_or_default();
        let mut now = Watched::new();
        for namespace in namespaces {
            let Namespace::Named(name) = namespace else { continue };
            let Some(inode) = self.namespaces.inode(name) else { continue };
            let kept = before.remove(namespace).filter(|(of, _)| *of == inode);
            let watched = match kept {
                Some((_, monitor)) => Some(monitor),
                None => self.watch_one(namespace).unwrap_or_else(|error| {
                    tracing::error!(%namespace, %error, "foreign changes are found by the timer");
                    None
                }),
            };
            now.extend(watched.map(|monitor| (namespace.clone(), (inode, monitor))));
        }
        if !now.is_empty() {
            scopes.insert(scope.clone(), now);
        }
    }
}

/// In the host's namespace only devices are ours; in ours, everything is.
fn noticed(namespace: &Namespace, foreign: Foreign) -> Option<Noticed> {
    match (namespace, foreign) {
        (_, Foreign::Link { name }) => Some(Noticed::Link { namespace: namespace.clone(), name }),
        (_, Foreign::Everything) | (Namespace::Named(_), _) => {
            Some(Noticed::Namespace(namespace.clone()))
        }
        (Namespace::Host, _) => None,
    }
}

fn failed(error: DriverError) -> HostError {
    HostError::of(&error)
}
