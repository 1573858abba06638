//! Tells when something in a network namespace changed that this process may not have changed:
//! devices, addresses, routes, policy rules, sysctls, nftables, and the namespaces' names; and, beside
//! them, the files and the lives of children.
//!
//! Out come hints ([`Foreign`]), never state: who gets one observes anew. One thread waits for all
//! namespaces. What belongs together arrives together: after the first event it collects for some
//! milliseconds. If the kernel had to drop events, one [`Foreign::Everything`] stands for them.
//!
//! nftables transactions of this process's own [`crate::nft::Nft`] are left out. Devices, addresses
//! and routes of its own are reported like all others: the reconciler looks and finds nothing.
//! Connection tracking is not watched: flows come and go by themselves.

mod event;
mod file_watch;
mod filter;
mod process_watch;
mod watcher;

use std::{io, path::Path};

use navigator_state::Namespace;

use self::{
    event::{Directory, Sockets},
    watcher::Registration,
};

pub use file_watch::FileWatch;
pub use process_watch::ProcessWatch;

/// What may have changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Foreign {
    /// Events were lost: look at everything in this namespace.
    Everything,
    Link {
        name: String,
    },
    Address,
    Route,
    /// A policy routing rule.
    Rule,
    /// One of the sysctls that the kernel tells about: forwarding, rp_filter and a few more.
    Sysctl,
    /// Any nftables transaction, in whatever table.
    Nft,
    /// A namespace's name appeared or went.
    Namespace {
        name: String,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    #[error("cannot start the watcher thread")]
    Thread(#[source] io::Error),
    #[error("cannot watch the kernel's {what}")]
    Socket {
        what: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("cannot watch directory {path}")]
    Directory {
        path: String,
        #[source]
        source: io::Error,
    },
}

/// Watches one network namespace until dropped. It keeps the namespace alive: drop it when the
/// namespace's name is gone. A call of `notify` that is under way may outlive the drop.
#[must_use]
pub struct Monitor {
    _registration: Registration,
}

impl Monitor {
    /// Watches the calling thread's network namespace, which the caller knows as `namespace`.
    /// `notify` runs on the watcher's thread, for all namespaces: it must only hand over.
    pub fn watch(
        namespace: Namespace,
        notify: impl Fn(&Namespace, Foreign) + Send + 'static,
    ) -> Result<Self, MonitorError> {
        let sockets = Sockets::open(namespace, Box::new(notify))?;
        Ok(Self { _registration: watcher::register(Box::new(sockets))? })
    }
}

/// Watches a directory of named network namespaces (`/run/netns`) until dropped.
#[must_use]
pub struct NetnsWatch {
    _registration: Registration,
}

impl NetnsWatch {
    /// `directory` must exist. `notify` gets [`Foreign::Namespace`] and the namespace of that name,
    /// for created and removed names alike; [`Namespace::Host`] and [`Foreign::Everything`] if
    /// events were lost.
    pub fn watch(
        directory: &Path,
        notify: impl Fn(&Namespace, Foreign) + Send + 'static,
    ) -> Result<Self, MonitorError> {
        let directory = Directory::open(directory, Box::new(notify))?;
        Ok(Self { _registration: watcher::register(Box::new(directory))? })
    }
}
