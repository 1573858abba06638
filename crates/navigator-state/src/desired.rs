//! The whole state of one scope, wanted and found, namespace by namespace.
//!
//! Ownership: everything that a driver observes for a scope carries that scope's mark
//! (`docs/design/ownership.md`), so what is in [`Actual`] and not in [`Desired`] may be removed.

use std::{collections::BTreeMap, collections::BTreeSet, fmt, path::PathBuf};

use ipnet::IpNet;
use navigator_model::{ObjectKey, Scope};

use crate::{
    link::{FdbEntry, Link},
    nft,
    process::{Process, ProcessState},
    route::Route,
};

/// Where kernel objects live: the agent's own network namespace, or one that it made, by name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Namespace {
    Host,
    Named(String),
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("host"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a scope wants. Rendered from a snapshot; a namespace that is not in the map is not wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    pub scope: Scope,
    pub namespaces: BTreeMap<Namespace, DesiredNamespace>,
    /// Files under the scope's own state directory, by absolute path.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
    /// Children, by name (`dnsmasq`).
    pub processes: BTreeMap<String, Process>,
    /// What could not be rendered: becomes an error of that object, beside everything else.
    pub problems: Vec<Problem>,
}

impl Desired {
    /// Nothing at all: what a scope wants that this host no longer serves.
    pub fn nothing(scope: Scope) -> Self {
        Self {
            scope,
            namespaces: BTreeMap::new(),
            files: BTreeMap::new(),
            processes: BTreeMap::new(),
            problems: Vec::new(),
        }
    }
}

/// Something in a snapshot that has no rendering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub object: ObjectKey,
    pub reason: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct DesiredNamespace {
    /// Devices that this scope makes here, by name.
    pub links: BTreeMap<String, Link>,
    /// Devices made by others (instances' taps, uplinks) that belong into a bridge of ours once
    /// they exist: device to bridge. A device that is absent is not an error.
    pub bridge_ports: BTreeMap<String, BridgePort>,
    /// Addresses on `links`, by device.
    pub addresses: BTreeMap<String, BTreeSet<IpNet>>,
    pub routes: BTreeSet<Route>,
    /// Static forwarding entries of our vxlan devices.
    pub fdb: BTreeSet<FdbEntry>,
    /// Keys as under `/proc/sys`, with slashes: `net/ipv4/ip_forward`.
    pub sysctls: BTreeMap<String, String>,
    pub nft: Option<nft::Desired>,
    /// Which object a device belongs to, for the report. Devices not listed belong to the scope.
    pub owners: BTreeMap<String, ObjectKey>,
    /// Addresses that belong to another object than their device does (a floating IP's).
    pub address_owners: BTreeMap<IpNet, ObjectKey>,
}

impl DesiredNamespace {
    /// The object that a device is for.
    pub fn owner(&self, device: &str) -> Option<ObjectKey> {
        self.owners.get(device).copied()
    }

    /// The object that an address on a device is for.
    pub fn address_owner(&self, device: &str, address: &IpNet) -> Option<ObjectKey> {
        self.address_owners.get(address).copied().or_else(|| self.owner(device))
    }
}

/// A device that shall hang on a bridge of this scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgePort {
    pub bridge: String,
    pub mtu: Option<u32>,
    /// A port that is administratively down has its device set down.
    pub up: bool,
}

/// What a driver found of a scope.
#[derive(Clone, Debug, PartialEq)]
pub struct Actual {
    pub scope: Scope,
    /// `Host` is always present; a `Named` namespace only if it exists.
    pub namespaces: BTreeMap<Namespace, NamespaceState>,
    pub files: BTreeMap<PathBuf, Vec<u8>>,
    pub processes: BTreeMap<String, ProcessState>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamespaceState {
    /// Devices with this scope's mark, and, for plans, foreign devices asked for by name.
    pub links: BTreeMap<String, FoundLink>,
    /// On links with our mark only; link-local IPv6 addresses are the kernel's and left out.
    pub addresses: BTreeMap<String, BTreeSet<IpNet>>,
    /// With our route protocol number only.
    pub routes: BTreeSet<Route>,
    pub fdb: BTreeSet<FdbEntry>,
    /// Only the keys that the desired state names.
    pub sysctls: BTreeMap<String, String>,
    pub nft: Option<nft::Actual>,
}

/// A device as found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundLink {
    pub link: Link,
    /// Carries this scope's mark. A device of a wanted name without it is somebody else's: the
    /// object that wants it goes to ERROR, the device is left alone.
    pub ours: bool,
}
