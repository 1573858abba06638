//! The netlink addresses of this process's nftables sockets, per network namespace, so that a
//! monitor can tell the agent's own transactions from foreign ones.
//!
//! The kernel also reports a process id with each transaction, but it is the id of the thread, as
//! seen from the initial pid namespace: useless in a container. The socket's address is unique in
//! its namespace.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::MetadataExt,
    sync::{Mutex, PoisonError},
};

/// A network namespace's identity: the inode of its nsfs file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NamespaceInode(u64);

impl NamespaceInode {
    /// Of the calling thread.
    pub(crate) fn current() -> io::Result<Self> {
        Ok(Self(fs::metadata("/proc/thread-self/ns/net")?.ino()))
    }
}

/// How often each address is registered: a reused address may be registered anew before its
/// former holder is dropped.
static OWN: Mutex<BTreeMap<(NamespaceInode, u32), usize>> = Mutex::new(BTreeMap::new());

/// Keeps addresses registered while it lives.
pub(crate) struct OwnPorts {
    namespace: NamespaceInode,
    ports: Vec<u32>,
}

impl OwnPorts {
    pub(crate) fn register(namespace: NamespaceInode, ports: Vec<u32>) -> Self {
        let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
        for port in &ports {
            *own.entry((namespace, *port)).or_default() += 1;
        }
        Self { namespace, ports }
    }
}

impl Drop for OwnPorts {
    fn drop(&mut self) {
        let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
        for port in &self.ports {
            let key = (self.namespace, *port);
            if let Some(count) = own.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    own.remove(&key);
                }
            }
        }
    }
}

/// Whether a socket of this process has that address in that namespace.
pub(crate) fn is_own(namespace: NamespaceInode, port: u32) -> bool {
    OWN.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&(namespace, port))
}
