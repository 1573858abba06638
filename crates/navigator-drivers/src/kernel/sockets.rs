//! Sockets into namespaces, opened once and kept.
//!
//! A socket is bound to the namespace of the thread that opened it, so later work needs no thread
//! and no `setns`. A kept socket also keeps its namespace's inode number from being given to
//! another namespace, so equal numbers mean that the name still leads to the same namespace.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use navigator_model::Scope;
use navigator_state::Namespace;

use super::Kernel;
use crate::{
    DriverError,
    conntrack::{Conntrack, ConntrackError},
    mark,
    nft::{Nft, NftError},
    rtnl::Rtnl,
};

pub(super) struct Sockets {
    inode: u64,
    /// Whose mark the namespace carries; the host's carries none.
    owner: Option<Scope>,
    rtnl: Mutex<Rtnl>,
    nft: Mutex<Option<Nft>>,
    conntrack: Mutex<Option<Conntrack>>,
}

impl std::fmt::Debug for Sockets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sockets").field("inode", &self.inode).finish_non_exhaustive()
    }
}

impl Sockets {
    fn new(inode: u64, owner: Option<Scope>, rtnl: Rtnl) -> Arc<Self> {
        let (nft, conntrack) = (Mutex::default(), Mutex::default());
        Arc::new(Self { inode, owner, rtnl: Mutex::new(rtnl), nft, conntrack })
    }

    pub(super) fn owner(&self) -> Option<&Scope> {
        self.owner.as_ref()
    }

    pub(super) fn rtnl(&self) -> MutexGuard<'_, Rtnl> {
        lock(&self.rtnl)
    }
}

/// What a namespace's name leads to.
pub(super) enum Found {
    Absent,
    /// It carries no mark: somebody else's.
    Unmarked,
    /// The host's own, or one that carries a scope's mark.
    Marked(Arc<Sockets>),
}

#[derive(Debug, Default)]
pub(super) struct SocketCache(Mutex<HashMap<Namespace, Arc<Sockets>>>);

impl SocketCache {
    fn get(&self, namespace: &Namespace) -> Option<Arc<Sockets>> {
        lock(&self.0).get(namespace).cloned()
    }

    fn put(&self, namespace: &Namespace, sockets: &Arc<Sockets>) {
        lock(&self.0).insert(namespace.clone(), sockets.clone());
    }

    /// A namespace that lost its name lives on as long as a socket into it is open.
    pub(super) fn forget(&self, namespace: &Namespace) {
        lock(&self.0).remove(namespace);
    }

    /// Closes the sockets into namespaces that have no name any more.
    pub(super) fn keep_only(&self, names: &[String]) {
        lock(&self.0).retain(|namespace, _| match namespace {
            Namespace::Host => true,
            Namespace::Named(name) => names.contains(name),
        });
    }
}

impl Kernel {
    pub(super) fn find(&self, namespace: &Namespace) -> Result<Found, DriverError> {
        let kept = self.sockets.get(namespace);
        let Namespace::Named(name) = namespace else {
            return kept.map_or_else(|| self.open_host(), |s| Ok(Found::Marked(s)));
        };
        let Some(inode) = self.namespaces.inode(name) else {
            self.sockets.forget(namespace);
            return Ok(Found::Absent);
        };
        if let Some(sockets) = kept.filter(|s| s.inode == inode) {
            return Ok(Found::Marked(sockets));
        }
        self.sockets.forget(namespace);
        let (rtnl, owner) = self.namespaces.run_in(namespace, || open_marked(name))??;
        // The name may have moved on while the socket was being opened.
        match owner {
            Some(owner) if self.namespaces.inode(name) == Some(inode) => {
                let sockets = Sockets::new(inode, Some(owner), rtnl);
                self.sockets.put(namespace, &sockets);
                Ok(Found::Marked(sockets))
            }
            _ => Ok(Found::Unmarked),
        }
    }

    fn open_host(&self) -> Result<Found, DriverError> {
        let rtnl = self
            .namespaces
            .run_in(&Namespace::Host, Rtnl::open)?
            .map_err(|source| failed("host", source))?;
        let sockets = Sockets::new(0, None, rtnl);
        self.sockets.put(&Namespace::Host, &sockets);
        Ok(Found::Marked(sockets))
    }

    /// The sockets of a namespace that may be worked in.
    pub(super) fn open(&self, namespace: &Namespace) -> Result<Arc<Sockets>, DriverError> {
        match self.find(namespace)? {
            Found::Marked(sockets) => Ok(sockets),
            Found::Unmarked => {
                Err(DriverError::ForeignNamespace { namespace: namespace.to_string() })
            }
            Found::Absent => Err(DriverError::NoNamespace { namespace: namespace.clone() }),
        }
    }

    /// The sockets of a namespace that this scope may work in.
    pub(super) fn open_for(
        &self,
        scope: &Scope,
        namespace: &Namespace,
    ) -> Result<Arc<Sockets>, DriverError> {
        let sockets = self.open(namespace)?;
        match sockets.owner() {
            Some(owner) if owner != scope => {
                Err(DriverError::ForeignNamespace { namespace: namespace.to_string() })
            }
            _ => Ok(sockets),
        }
    }

    /// Makes a namespace with its mark, its loopback device up.
    pub(super) fn create_namespace(&self, scope: &Scope, name: &str) -> Result<(), DriverError> {
        let namespace = Namespace::Named(name.to_owned());
        if !matches!(self.find(&namespace)?, Found::Absent) {
            return self.open_for(scope, &namespace).map(drop);
        }
        let rtnl = self.namespaces.create(name, || prepare(scope, name))?;
        if let Some(inode) = self.namespaces.inode(name) {
            self.sockets.put(&namespace, &Sockets::new(inode, Some(scope.clone()), rtnl));
        }
        Ok(())
    }

    pub(super) fn nft<T>(
        &self,
        namespace: &Namespace,
        work: impl FnOnce(&mut Nft) -> Result<T, NftError>,
    ) -> Result<T, DriverError> {
        let sockets = self.open(namespace)?;
        let mut kept = lock(&sockets.nft);
        let failed = |source| DriverError::Nft { namespace: namespace.clone(), source };
        let nft = match &mut *kept {
            Some(nft) => nft,
            None => {
                let opened = self.namespaces.run_in(namespace, Nft::open)?;
                kept.insert(opened.map_err(failed)?)
            }
        };
        work(nft).map_err(failed)
    }

    pub(super) fn conntrack<T>(
        &self,
        namespace: &Namespace,
        work: impl FnOnce(&mut Conntrack) -> Result<T, ConntrackError>,
    ) -> Result<T, DriverError> {
        let sockets = self.open(namespace)?;
        let mut kept = lock(&sockets.conntrack);
        let failed = |source| DriverError::Conntrack { namespace: namespace.clone(), source };
        let conntrack = match &mut *kept {
            Some(conntrack) => conntrack,
            None => {
                let opened = self.namespaces.run_in(namespace, Conntrack::open)?;
                kept.insert(opened.map_err(failed)?)
            }
        };
        work(conntrack).map_err(failed)
    }
}

/// A thread that panicked left a socket behind, not a broken value: answers to requests that were
/// given up are told apart by their sequence number.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(namespace: &str, source: std::io::Error) -> DriverError {
    DriverError::Netns { namespace: namespace.to_owned(), doing: "opening a socket", source }
}

fn open_marked(name: &str) -> Result<(Rtnl, Option<Scope>), DriverError> {
    let mut rtnl = Rtnl::open().map_err(|source| failed(name, source))?;
    let loopback = rtnl.device("lo").map_err(|e| preparing(name, e))?;
    let owner = loopback.and_then(|lo| mark::scope(&lo.alias?));
    Ok((rtnl, owner))
}

fn prepare(scope: &Scope, name: &str) -> Result<Rtnl, DriverError> {
    let mut rtnl = Rtnl::open().map_err(|source| failed(name, source))?;
    rtnl.set_alias_and_raise("lo", &mark::of(scope)).map_err(|e| preparing(name, e))?;
    // Otherwise deleting an address takes the others of its subnet with it.
    let key = "net/ipv4/conf/all/promote_secondaries";
    crate::sysctl::write(key, "1").map_err(|source| DriverError::Sysctl {
        namespace: Namespace::Named(name.to_owned()),
        key: key.to_owned(),
        source,
    })?;
    Ok(rtnl)
}

fn preparing(name: &str, source: crate::RtnlError) -> DriverError {
    let namespace = Namespace::Named(name.to_owned());
    DriverError::Rtnl { namespace, doing: "looking at the mark on lo".to_owned(), source }
}
