//! A network on this host: its bridge, the way to other hosts, the ports that hang on it, and, where
//! asked for, its DHCP server.
//!
//! Every port that is bound to this host has a `tap` device: an instance's is made by the compute
//! service, a router's and the DHCP server's are the host's ends of their pairs. Whoever made it,
//! this scope puts it into the bridge.

mod bridge;
mod tunnel;

use std::collections::{BTreeMap, BTreeSet};

use navigator_model::{
    Object, ObjectKey, Snapshot,
    snapshot::{Network, Port},
};
use navigator_state::{Desired, DesiredNamespace, Namespace, Problem};

use crate::{
    dhcp,
    host::{HostConfig, Serve},
};

/// The network as this host has it; nothing when the host does not serve it.
pub fn render(snapshot: &Snapshot, host: &HostConfig, serve: Serve) -> Desired {
    let mut desired = Desired::nothing(snapshot.scope.clone());
    let Some(network) = snapshot.network().filter(|_| serve != Serve::Nothing) else {
        return desired;
    };
    let site = Site { snapshot, network, host };
    let mut wired = DesiredNamespace::default();
    let problem = bridge::render(&site, &mut wired).err();
    desired.problems.extend(problem.map(|reason| site.problem(reason)));
    desired.namespaces.insert(Namespace::Host, wired);
    if serve == Serve::WireAndDhcp && network.admin_state_up {
        dhcp::render(&site, &mut desired);
    }
    desired
}

/// A network on a host.
pub(crate) struct Site<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) network: &'a Network,
    pub(crate) host: &'a HostConfig,
}

impl<'a> Site<'a> {
    pub(crate) fn problem(&self, reason: String) -> Problem {
        Problem { object: ObjectKey::Network(self.network.id), reason }
    }

    /// In the order of ids.
    pub(crate) fn ports(&self) -> impl Iterator<Item = &'a Port> {
        self.snapshot.objects.values().filter_map(|object| match object {
            Object::Port(port) => Some(port),
            _ => None,
        })
    }

    pub(crate) fn is_here(&self, port: &Port) -> bool {
        port.host.as_ref() == Some(&self.host.host)
    }

    /// Whether its device belongs on this host's bridge: it is here, or may come here while it runs
    /// and then has its device here before it arrives.
    pub(crate) fn is_wired_here(&self, port: &Port) -> bool {
        self.is_here(port) || port.prepared_on.contains(&self.host.host)
    }
}

/// The names that a render gives to devices, for the outcome of ports: taps that this scope makes
/// itself need not have been observed.
pub(crate) fn own_taps(desired: &Desired) -> BTreeSet<&str> {
    let links = desired.namespaces.values().flat_map(|wanted| wanted.links.values());
    let peers = links.filter_map(|link| match &link.kind {
        navigator_state::LinkKind::Veth { peer } => Some(peer.as_str()),
        _ => None,
    });
    peers.collect()
}

/// Devices to put into a bridge, by name.
type BridgePorts = BTreeMap<String, navigator_state::desired::BridgePort>;
