//! What of a scope is there.
//!
//! Devices by their mark; routes by our protocol number; sysctls and somebody else's devices only
//! where the desired state names them, as devices, as ports of bridges, or as other ends of pairs.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use ipnet::IpNet;
use navigator_model::Scope;
use navigator_state::{
    Actual, Desired, DesiredNamespace, FdbEntry, Link, LinkKind, Namespace, NamespaceState,
    ProcessState, Route, desired::FoundLink,
};

use super::{
    Kernel, Look, namespace_of,
    sockets::{Found, Sockets},
};
use crate::{
    DriverError, file, mark, process,
    rtnl::{Device, KernelRoute, Rtnl, RtnlError},
    sysctl,
};

impl Kernel {
    /// Everything with this scope's mark. `desired` only tells which sysctls, bridge ports and
    /// namespaces to look at besides. A namespace of a wanted name that somebody else made is not
    /// reported; making it then fails.
    pub fn observe(
        &self,
        scope: &Scope,
        desired: &Desired,
        look: Look,
    ) -> Result<Actual, DriverError> {
        self.children.reap();
        let host = self.rtnl(&Namespace::Host, "listing devices", Rtnl::devices)?;
        let mut view = View {
            kernel: self,
            scope,
            desired,
            look,
            mark: mark::of(scope),
            paired: BTreeMap::new(),
        };
        let mut namespaces = BTreeMap::new();
        for namespace in named(scope, desired) {
            if let Found::Marked(sockets) = self.find(&namespace)?
                && sockets.owner() == Some(scope)
            {
                let state = view.namespace(&namespace, &sockets, &host)?;
                namespaces.insert(namespace, state);
            }
        }
        // Last, when it is known which of its devices are other ends of pairs.
        namespaces.insert(Namespace::Host, view.host(&host)?);
        Ok(Actual {
            scope: scope.clone(),
            namespaces,
            files: file::list(&self.scope_dir(scope))?,
            processes: self.processes(scope, desired)?,
        })
    }

    fn processes(
        &self,
        scope: &Scope,
        desired: &Desired,
    ) -> Result<BTreeMap<String, ProcessState>, DriverError> {
        let mut names: BTreeMap<PathBuf, String> = BTreeMap::new();
        for path in file::pid_files(&self.scope_dir(scope))? {
            let name = path.file_stem().map(|s| s.to_string_lossy().into_owned());
            names.insert(path, name.unwrap_or_default());
        }
        for (name, wanted) in desired.processes.iter().filter(|(_, p)| p.pid_file.exists()) {
            names.insert(wanted.pid_file.clone(), name.clone());
        }
        Ok(names.into_iter().map(|(path, name)| (name, process::observe(&path))).collect())
    }
}

fn named(scope: &Scope, desired: &Desired) -> BTreeSet<Namespace> {
    let own = namespace_of(scope).map(Namespace::Named);
    let wanted = desired.namespaces.keys().filter(|n| **n != Namespace::Host).cloned();
    own.into_iter().chain(wanted).collect()
}

struct View<'a> {
    kernel: &'a Kernel,
    scope: &'a Scope,
    desired: &'a Desired,
    look: Look,
    mark: String,
    /// The host's ends of pairs, by index, with the names of the other ends.
    paired: BTreeMap<u32, String>,
}

impl<'a> View<'a> {
    fn namespace(
        &mut self,
        namespace: &Namespace,
        sockets: &Sockets,
        host: &[Device],
    ) -> Result<NamespaceState, DriverError> {
        let wanted = self.wanted(namespace);
        let devices = listed(namespace, sockets.rtnl().devices())?;
        let mut links = BTreeMap::new();
        let mut paired = Vec::new();
        for device in devices.iter().filter(|d| self.is_listed(d, wanted)) {
            let peer = peer_of(device, host);
            paired.extend(peer.map(|p| (p.index, device.name.clone())));
            let peer = peer.map(|p| p.name.clone()).unwrap_or_default();
            let ours = self.is_ours(device);
            links.insert(
                device.name.clone(),
                FoundLink { link: link(device, &devices, peer), ours },
            );
        }
        self.paired.extend(paired);
        let mut state = NamespaceState { links, ..NamespaceState::default() };
        self.complete(namespace, sockets, &devices, &mut state)?;
        // Wanted or not: a table that is not wanted any more has to be seen.
        if wanted.is_some_and(|w| w.nft.is_some()) || matches!(self.scope, Scope::Router(_)) {
            state.nft = self.nft(namespace)?;
        }
        Ok(state)
    }

    fn host(&mut self, host: &[Device]) -> Result<NamespaceState, DriverError> {
        let namespace = Namespace::Host;
        let wanted = self.wanted(&namespace);
        let mut links = BTreeMap::new();
        let peers = self.wanted_peers();
        let asked = |d: &&Device| self.is_listed(d, wanted) || self.is_wanted_peer(d, &peers);
        for device in host.iter().filter(asked) {
            let peer = self.paired.get(&device.index).cloned().unwrap_or_default();
            let found = FoundLink { link: link(device, host, peer), ours: self.is_ours(device) };
            links.insert(device.name.clone(), found);
        }
        let mut state = NamespaceState { links, ..NamespaceState::default() };
        let sockets = self.kernel.open(&namespace)?;
        if state.links.values().any(|l| l.ours) || wanted.is_some_and(|w| !w.sysctls.is_empty()) {
            self.complete(&namespace, &sockets, host, &mut state)?;
        }
        if wanted.is_some_and(|w| w.nft.is_some()) {
            state.nft = self.nft(&namespace)?;
        }
        Ok(state)
    }

    fn wanted(&self, namespace: &Namespace) -> Option<&'a DesiredNamespace> {
        self.desired.namespaces.get(namespace)
    }

    /// The loopback device carries the namespace's mark, and is the kernel's.
    fn is_ours(&self, device: &Device) -> bool {
        device.alias.as_deref() == Some(&self.mark) && device.name != "lo"
    }

    /// A device whose maker was killed before it was marked counts as absent: it is made anew.
    fn is_listed(&self, device: &Device, wanted: Option<&DesiredNamespace>) -> bool {
        self.is_ours(device)
            || (!is_newborn(device) && wanted.is_some_and(|w| names(w, &device.name)))
    }

    fn is_wanted_peer(&self, device: &Device, peers: &BTreeSet<&str>) -> bool {
        !is_newborn(device) && peers.contains(device.name.as_str())
    }

    /// Names that pairs want in the host's namespace: somebody else may have taken them.
    fn wanted_peers(&self) -> BTreeSet<&'a str> {
        let links = self.desired.namespaces.values().flat_map(|wanted| wanted.links.values());
        let peers = links.filter_map(|link| match &link.kind {
            LinkKind::Veth { peer } => Some(peer.as_str()),
            _ => None,
        });
        peers.collect()
    }

    /// Addresses, routes, forwarding entries and sysctls.
    fn complete(
        &self,
        namespace: &Namespace,
        sockets: &Sockets,
        devices: &[Device],
        state: &mut NamespaceState,
    ) -> Result<(), DriverError> {
        let ours: BTreeMap<u32, &Device> =
            devices.iter().filter(|d| self.is_ours(d)).map(|d| (d.index, d)).collect();
        let wanted = self.desired.namespaces.get(namespace);
        let mut rtnl = sockets.rtnl();
        if !ours.is_empty() {
            let addresses = listed(namespace, rtnl.addresses())?;
            state.addresses = addresses_of(&ours, addresses);
        }
        let in_host = *namespace == Namespace::Host;
        for found in listed(namespace, rtnl.routes())? {
            // The host's routing table is shared by all scopes: only what leaves by our devices.
            if !in_host || found.link.is_some_and(|index| ours.contains_key(&index)) {
                state.routes.insert(route(&found, devices, wanted));
            }
        }
        for device in ours.values().filter(|d| d.kind == "vxlan") {
            let entries = listed(namespace, rtnl.fdb(device.index))?;
            state.fdb.extend(entries.into_iter().map(|(mac_address, remote)| FdbEntry {
                link: device.name.clone(),
                mac_address,
                remote,
            }));
        }
        drop(rtnl);
        if let Some(wanted) = wanted.filter(|w| !w.sysctls.is_empty()) {
            state.sysctls = self.sysctls(namespace, wanted)?;
        }
        Ok(())
    }

    /// A key that cannot be read is left out; setting it then says why.
    fn sysctls(
        &self,
        namespace: &Namespace,
        wanted: &DesiredNamespace,
    ) -> Result<BTreeMap<String, String>, DriverError> {
        self.kernel.namespaces.run_in(namespace, || {
            let keys = wanted.sysctls.keys();
            keys.filter_map(|key| Some((key.clone(), sysctl::read(key).ok()?))).collect()
        })
    }

    fn nft(
        &self,
        namespace: &Namespace,
    ) -> Result<Option<navigator_state::nft::Actual>, DriverError> {
        let known = match self.look {
            Look::Everything => None,
            Look::ElementsUnlessGeneration(generation) => Some(generation),
        };
        self.kernel.nft(namespace, |nft| nft.observe(known))
    }
}

fn listed<T>(namespace: &Namespace, result: Result<T, RtnlError>) -> Result<T, DriverError> {
    result.map_err(|source| DriverError::Rtnl {
        namespace: namespace.clone(),
        doing: "listing".to_owned(),
        source,
    })
}

fn is_newborn(device: &Device) -> bool {
    device.alias.is_none() && device.group == mark::NEWBORN
}

fn names(wanted: &DesiredNamespace, device: &str) -> bool {
    wanted.links.contains_key(device) || wanted.bridge_ports.contains_key(device)
}

/// Each end knows the other's index only, and indexes repeat from namespace to namespace: both must
/// agree, and the host's end must be one of ours.
fn peer_of<'a>(device: &Device, host: &'a [Device]) -> Option<&'a Device> {
    host.iter().find(|other| {
        device.kind == "veth"
            && other.kind == "veth"
            && device.peer == Some(other.index)
            && other.peer == Some(device.index)
            && (other.alias == device.alias || other.group == mark::NEWBORN)
    })
}

fn link(device: &Device, beside: &[Device], peer: String) -> Link {
    let kind = match (device.kind.as_str(), device.vni) {
        ("veth", _) => LinkKind::Veth { peer },
        ("bridge", _) => LinkKind::Bridge,
        ("vxlan", Some(vni)) => LinkKind::Vxlan { vni, local: device.local },
        (other, _) => LinkKind::Other(other.to_owned()),
    };
    let master = device.master.and_then(|index| name_of(index, beside));
    Link { kind, mac_address: device.mac_address, mtu: device.mtu, up: device.up, master }
}

fn name_of(index: u32, devices: &[Device]) -> Option<String> {
    devices.iter().find(|d| d.index == index).map(|d| d.name.clone())
}

fn addresses_of(
    ours: &BTreeMap<u32, &Device>,
    addresses: Vec<(u32, IpNet)>,
) -> BTreeMap<String, BTreeSet<IpNet>> {
    let mut by_name: BTreeMap<String, BTreeSet<IpNet>> = BTreeMap::new();
    for (index, address) in addresses {
        if let Some(device) = ours.get(&index) {
            by_name.entry(device.name.clone()).or_default().insert(address);
        }
    }
    by_name
}

/// Where the desired state leaves the device to the kernel, so does the report: otherwise the two
/// would never be equal.
fn route(found: &KernelRoute, devices: &[Device], wanted: Option<&DesiredNamespace>) -> Route {
    let exact = Route {
        destination: found.destination,
        via: found.via,
        link: found.link.and_then(|index| name_of(index, devices)),
        onlink: found.onlink,
    };
    let anywhere = Route { link: None, ..exact.clone() };
    match wanted {
        Some(wanted) if wanted.routes.contains(&anywhere) => anywhere,
        _ => exact,
    }
}
