//! The real machine: the drivers' kernel, and monitors in the host's namespace, in those that scopes
//! keep their devices in, and of their files and children.

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use navigator_drivers::{
    DriverError, Kernel, KernelConfig, Look, Namespaces,
    monitor::{FileWatch, Foreign, Monitor, MonitorError, NetnsWatch, ProcessWatch},
};
use navigator_model::Scope;
use navigator_state::{Actual, Desired, Namespace, Plan};

use super::{Applied, Host, HostError, Noticed, Notify};
use crate::AgentConfig;

/// What is watched of one scope.
#[derive(Default)]
struct Watched {
    /// The namespace's number, and the monitor that keeps the number from being given away.
    namespaces: HashMap<Namespace, (u64, Monitor)>,
    children: HashMap<PathBuf, ProcessWatch>,
}

/// Whose file it is.
type Owners = Arc<Mutex<HashMap<PathBuf, Scope>>>;

pub struct KernelHost {
    kernel: Kernel,
    namespaces: Namespaces,
    config: KernelConfig,
    notify: OnceLock<Notify>,
    /// The host's own, for as long as we live.
    constant: Mutex<Option<(Monitor, NetnsWatch)>>,
    files: OnceLock<FileWatch>,
    owners: Owners,
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
            files: OnceLock::new(),
            owners: Owners::default(),
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

    fn watch_files(&self, notify: Notify) -> Result<FileWatch, MonitorError> {
        let owners = self.owners.clone();
        FileWatch::start(move |path| {
            let owner = lock(&owners).get(path).cloned();
            owner.into_iter().for_each(|scope| notify(Noticed::Scope(scope)));
        })
    }

    fn watch_namespaces(&self, desired: &Desired, watched: &mut Watched) {
        let mut before = std::mem::take(&mut watched.namespaces);
        for namespace in desired.namespaces.keys() {
            let Namespace::Named(name) = namespace else { continue };
            let Some(inode) = self.namespaces.inode(name) else { continue };
            let kept = before.remove(namespace).filter(|(of, _)| *of == inode);
            let monitor = match kept {
                Some((_, monitor)) => Some(monitor),
                None => self.watch_one(namespace).unwrap_or_else(|error| {
                    tracing::error!(%namespace, %error, "foreign changes are found by the timer");
                    None
                }),
            };
            let monitor = monitor.map(|monitor| (namespace.clone(), (inode, monitor)));
            watched.namespaces.extend(monitor);
        }
    }

    fn watch_children(&self, desired: &Desired, watched: &mut Watched) {
        let Some(notify) = self.notify.get() else { return };
        let mut before = std::mem::take(&mut watched.children);
        for pid_file in desired.processes.values().map(|process| &process.pid_file) {
            let kept = before.remove(pid_file).filter(|watch| !watch.has_ended());
            let begin = || {
                let (notify, scope) = (notify.clone(), desired.scope.clone());
                ProcessWatch::watch(pid_file, move || notify(Noticed::Scope(scope.clone())))
            };
            let watch = kept.map_or_else(begin, |watch| Ok(Some(watch)));
            match watch {
                Ok(watch) => watched.children.extend(watch.map(|w| (pid_file.clone(), w))),
                Err(error) => tracing::error!(%error, "a child's end is found by the timer"),
            }
        }
    }

    fn own_files(&self, desired: &Desired) {
        let Some(watch) = self.files.get() else { return };
        let wanted = || desired.files.keys().map(|path| (path.clone(), desired.scope.clone()));
        let mut owners = lock(&self.owners);
        owners.retain(|path, scope| *scope != desired.scope || desired.files.contains_key(path));
        owners.extend(wanted());
        drop(owners);
        let directories: BTreeSet<&Path> =
            desired.files.keys().filter_map(|path| path.parent()).collect();
        for directory in directories {
            if let Err(error) = watch.add(directory) {
                tracing::error!(%error, "changed files are found by the timer");
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
        let files = self.watch_files(notify.clone()).map_err(|error| HostError::of(&error))?;
        let _ = (self.notify.set(notify), self.files.set(files));
        let host = self.watch_one(&Namespace::Host)?;
        *lock(&self.constant) = host.map(|host| (host, names));
        Ok(())
    }

    fn watch(&self, desired: &Desired) {
        self.own_files(desired);
        let mut scopes = lock(&self.scopes);
        let mut watched = scopes.remove(&desired.scope).unwrap_or_default();
        self.watch_namespaces(desired, &mut watched);
        self.watch_children(desired, &mut watched);
        if !watched.namespaces.is_empty() || !watched.children.is_empty() {
            scopes.insert(desired.scope.clone(), watched);
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
