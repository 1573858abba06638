//! The kernel of one host as a whole: what of a scope is there, and make it so.
//!
//! Goes in: scopes, desired states, plans. Comes out: actual states, outcomes. Never changes what
//! does not carry the scope's mark, except devices that a plan names as ports of a bridge.

mod apply;
mod create_link;
mod observe;
mod sockets;
mod step;

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use navigator_model::{ObjectKey, Scope, kernel_name};
use navigator_state::Namespace;

use crate::{
    DriverError, file, mark,
    netns::Namespaces,
    nft::Nft,
    process::Children,
    rtnl::{Rtnl, RtnlError},
};
use sockets::{Found, SocketCache};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelConfig {
    /// Where named namespaces are mounted: `/run/netns`, unless several hosts share a machine.
    pub netns_dir: PathBuf,
    /// Holds `<kind>/<id>/` for every scope that has files.
    pub state_dir: PathBuf,
}

/// How closely to look at what is large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    Everything,
    /// A namespace whose nftables generation is this one is not read: its `nft` is `None`, meaning
    /// "as you know it".
    ElementsUnlessGeneration(u32),
}

/// What became of one step, or of one element of a step.
#[derive(Debug)]
pub struct StepOutcome {
    /// The step's place in the plan.
    pub step: usize,
    pub object: Option<ObjectKey>,
    pub result: Result<(), DriverError>,
}

#[derive(Debug)]
pub struct Kernel {
    namespaces: Namespaces,
    state_dir: PathBuf,
    sockets: SocketCache,
    children: Children,
    writes: AtomicU64,
}

impl Kernel {
    /// The calling thread's network namespace is the host's from now on.
    pub fn new(config: KernelConfig) -> Result<Self, DriverError> {
        Ok(Self {
            namespaces: Namespaces::new(config.netns_dir)?,
            state_dir: config.state_dir,
            sockets: SocketCache::default(),
            children: Children::default(),
            writes: AtomicU64::new(0),
        })
    }

    /// How many changes to the kernel, to files and to processes were tried since [`Kernel::new`].
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    fn count_write(&self) {
        self.writes.fetch_add(1, Ordering::Relaxed);
    }

    /// Where a scope's files are.
    pub fn scope_dir(&self, scope: &Scope) -> PathBuf {
        self.state_dir.join(scope.to_string())
    }

    /// Scopes that have something in the kernel or on disk, wanted or not.
    pub fn scopes_present(&self) -> Result<BTreeSet<Scope>, DriverError> {
        let mut scopes = BTreeSet::new();
        let names = self.namespaces.list()?;
        self.sockets.keep_only(&names);
        for name in names.into_iter().filter(|n| is_ours_by_name(n)) {
            if let Found::Marked(sockets) = self.find(&Namespace::Named(name))? {
                scopes.extend(sockets.owner().cloned());
            }
        }
        let devices = self.rtnl(&Namespace::Host, "listing devices", Rtnl::devices)?;
        scopes.extend(devices.iter().filter_map(|d| mark::scope(d.alias.as_deref()?)));
        scopes.extend(self.scopes_on_disk());
        Ok(scopes)
    }

    /// The generation of the ruleset in the scope's namespace: unchanged means that nobody, we
    /// included, changed a rule or an element. `None` if the scope has no namespace.
    pub fn generation(&self, scope: &Scope) -> Result<Option<u32>, DriverError> {
        let Some(namespace) = namespace_of(scope).map(Namespace::Named) else { return Ok(None) };
        match self.find(&namespace)? {
            Found::Marked(sockets) if sockets.owner() == Some(scope) => {
                self.nft(&namespace, Nft::generation).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn scopes_on_disk(&self) -> BTreeSet<Scope> {
        let mut scopes = BTreeSet::new();
        for kind in ["host", "network", "router"] {
            let entries = fs::read_dir(self.state_dir.join(kind)).into_iter().flatten().flatten();
            for entry in entries {
                let name = entry.file_name().into_string().ok();
                let scope = name.and_then(|n| format!("{kind}/{n}").parse::<Scope>().ok());
                scopes.extend(scope.filter(|_| !file::is_abandoned(&entry.path())));
            }
        }
        scopes
    }

    /// Runs `work` with the namespace's route netlink socket.
    fn rtnl<T>(
        &self,
        namespace: &Namespace,
        doing: impl Into<String>,
        work: impl FnOnce(&mut Rtnl) -> Result<T, RtnlError>,
    ) -> Result<T, DriverError> {
        let sockets = self.open(namespace)?;
        let result = work(&mut sockets.rtnl());
        result.map_err(|source| {
            let namespace = namespace.clone();
            DriverError::Rtnl { namespace, doing: doing.into(), source }
        })
    }
}

/// The namespace that a scope keeps its devices in.
fn namespace_of(scope: &Scope) -> Option<String> {
    match scope {
        Scope::Host(_) => None,
        Scope::Router(id) => Some(kernel_name::router_namespace(*id)),
        Scope::Network(id) => Some(kernel_name::dhcp_namespace(*id)),
    }
}

fn is_ours_by_name(name: &str) -> bool {
    name.starts_with("qrouter-") || name.starts_with("qdhcp-")
}
