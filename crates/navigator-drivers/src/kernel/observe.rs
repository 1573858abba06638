//! What of a scope is there.
//!
//! Devices by their mark; routes by our protocol number; sysctls and somebody else's devices only
//! where the desired state names them, as devices, as ports of bridges, or as other ends of pairs.

mod found;
mod host;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use navigator_model::Scope;
use navigator_state::{
    Actual, Desired, DesiredNamespace, FdbEntry, Namespace, NamespaceState, ProcessState,
    desired::FoundLink,
};

use super::{
    Kernel, Look, namespace_of,
    sockets::{Found, Sockets},
};
use crate::{DriverError, file, mark, process, rtnl::Device, sysctl};
use found::{addresses_of, is_newborn, link, listed, names, peer_of, route};
use host::{Extent, HostDevices, wanted_peers};

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
        let inside = self.inside(scope, desired)?;
        let host = self.host_devices(desired, &inside)?;
        let mut view = View {
            kernel: self,
            scope,
            desired,
            look,
            mark: mark::of(scope),
            paired: BTreeMap::new(),
        };
        let mut namespaces = BTreeMap::new();
        for found in inside {
            let state = view.namespace(&found, &host)?;
            namespaces.insert(found.namespace, state);
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

    fn inside(&self, scope: &Scope, desired: &Desired) -> Result<Vec<Inside>, DriverError> {
        let mut inside = Vec::new();
        for namespace in named(scope, desired) {
            if let Found::Marked(sockets) = self.find(&namespace)?
                && sockets.owner() == Some(scope)
            {
                let devices = listed(&namespace, sockets.rtnl().devices())?;
                inside.push(Inside { namespace, sockets, devices });
            }
        }
        Ok(inside)
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

/// A named namespace of the scope.
struct Inside {
    namespace: Namespace,
    sockets: Arc<Sockets>,
    devices: Vec<Device>,
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
        found: &Inside,
        host: &HostDevices,
    ) -> Result<NamespaceState, DriverError> {
        let Inside { namespace, sockets, devices } = found;
        let wanted = self.wanted(namespace);
        let mut links = BTreeMap::new();
        let mut paired = Vec::new();
        for device in devices.iter().filter(|d| self.is_listed(d, wanted)) {
            let peer = peer_of(device, &host.devices);
            paired.extend(peer.map(|p| (p.index, device.name.clone())));
            let peer = peer.map(|p| p.name.clone()).unwrap_or_default();
            let ours = self.is_ours(device);
            links
                .insert(device.name.clone(), FoundLink { link: link(device, devices, peer), ours });
        }
        self.paired.extend(paired);
        let mut state = NamespaceState { links, ..NamespaceState::default() };
        self.complete(namespace, sockets, devices, &mut state)?;
        // Wanted or not: a table that is not wanted any more has to be seen.
        if wanted.is_some_and(|w| w.nft.is_some()) || matches!(self.scope, Scope::Router(_)) {
            state.nft = self.nft(namespace)?;
        }
        Ok(state)
    }

    fn host(&self, host: &HostDevices) -> Result<NamespaceState, DriverError> {
        let namespace = Namespace::Host;
        let wanted = self.wanted(&namespace);
        let mut links = BTreeMap::new();
        let peers = wanted_peers(self.desired);
        let asked = |d: &&Device| {
            self.is_listed(d, wanted) || (!is_newborn(d) && peers.contains(d.name.as_str()))
        };
        for device in host.devices.iter().filter(asked) {
            let peer = self.paired.get(&device.index).cloned().unwrap_or_default();
            let link = link(device, &host.devices, peer);
            let ours = self.is_ours(device);
            links.insert(device.name.clone(), FoundLink { link, ours });
        }
        let mut state = NamespaceState { links, ..NamespaceState::default() };
        if host.extent == Extent::Whole {
            let sockets = self.kernel.open(&namespace)?;
            self.complete(&namespace, &sockets, &host.devices, &mut state)?;
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
        let in_host = *namespace == Namespace::Host;
        if !ours.is_empty() {
            let addresses = listed(namespace, rtnl.addresses())?;
            state.addresses = addresses_of(&ours, addresses);
        }
        let routes =
            if in_host && ours.is_empty() { Vec::new() } else { listed(namespace, rtnl.routes())? };
        for found in routes {
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
