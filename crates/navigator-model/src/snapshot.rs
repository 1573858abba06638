//! What an agent gets of a scope: its objects, complete, with the revision they belong to.
//!
//! The server answers a fetch with [`Fetched`]: everything, or what changed since a revision. The
//! agent folds it into its [`Snapshot`], which is always complete, and renders that.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

use crate::{
    HostName, L4PortRange, MacAddress, NetworkId, ObjectKey, PortId, ProjectId, Protocol, Revision,
    RouterId, Scope, SubnetId,
};

/// A complete picture of one scope. A cache of the server's truth, never of the kernel's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub scope: Scope,
    pub revision: Revision,
    #[serde(with = "pairs")]
    pub objects: BTreeMap<ObjectKey, Object>,
    /// Only a host scope has duties.
    #[serde(default, skip_serializing_if = "Duties::is_empty")]
    pub duties: Duties,
}

/// The answer to `fetch(scope, since)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fetched {
    /// The whole scope: replaces whatever the agent held.
    Complete(Snapshot),
    /// What changed since the revision asked for; `None` means the object is gone.
    Changes { scope: Scope, revision: Revision, objects: Vec<(ObjectKey, Option<Object>)> },
    /// The server knows of the scope and says that it does not exist (any more) on this host. Only
    /// this, never an empty or failed answer, lets an agent remove what the scope had.
    Gone { scope: Scope, revision: Revision },
}

/// What a host has to serve. The order is that of ids.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duties {
    /// Routers that the `l3` role serves here.
    pub routers: Vec<RouterId>,
    /// Networks that the `l2` role wires here because a port of theirs is here.
    pub networks: Vec<NetworkId>,
    /// Of those, the networks that the `dhcp` role serves here.
    pub dhcp_networks: Vec<NetworkId>,
}

impl Duties {
    pub fn is_empty(&self) -> bool {
        self.routers.is_empty() && self.networks.is_empty() && self.dhcp_networks.is_empty()
    }
}

/// One object of a scope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Object {
    /// The router itself with its devices: present exactly once in a router scope.
    Router(Router),
    /// In a router scope: a floating IP that leads to one fixed IP.
    FloatingIp(FloatingIp),
    /// In a router scope: a port forwarding of the gateway address or of a floating IP.
    Forward(Forward),
    /// The network itself with its subnets: present exactly once in a network scope.
    Network(Network),
    /// In a network scope: a port, wherever in the cloud it is bound.
    Port(Port),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Router {
    pub id: RouterId,
    pub project_id: ProjectId,
    pub admin_state_up: bool,
    pub interfaces: Vec<RouterPort>,
    pub gateway: Option<Gateway>,
    pub routes: Vec<StaticRoute>,
}

/// A port of a router: `qr-` for an interface, `qg-` for the gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouterPort {
    pub port_id: PortId,
    pub network_id: NetworkId,
    pub mac_address: MacAddress,
    pub mtu: u32,
    pub admin_state_up: bool,
    /// The port's addresses with their subnets' prefix lengths, in the order the API shows them.
    pub addresses: Vec<IpNet>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gateway {
    pub port: RouterPort,
    pub enable_snat: bool,
    /// `gateway_ip` of the external subnets that the port has an address of.
    pub next_hops: Vec<IpAddr>,
}

impl Gateway {
    /// The address that forwards hang on and that SNAT uses: the first IPv4 address.
    pub fn primary_ipv4(&self) -> Option<Ipv4Addr> {
        self.port.addresses.iter().find_map(|net| match net.addr() {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticRoute {
    pub destination: IpNet,
    pub nexthop: IpAddr,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloatingIp {
    pub address: Ipv4Addr,
    /// `None` while it is not associated but has port forwardings: the router answers for it.
    pub fixed_ip: Option<Ipv4Addr>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    pub external: ForwardAddress,
    pub protocol: Protocol,
    pub external_ports: L4PortRange,
    pub internal_address: Ipv4Addr,
    /// As long as `external_ports`, or a single port that the whole range leads to.
    pub internal_ports: L4PortRange,
    pub source_nat: SourceNat,
    /// Empty means any source.
    pub allowed_cidrs: Vec<Ipv4Net>,
    /// True when the instance's default gateway is another router, so that with
    /// [`SourceNat::Auto`] its replies only come back here if the flow is masqueraded.
    pub foreign_gateway: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForwardAddress {
    /// The router's own gateway address, whatever it is at the moment.
    Gateway,
    /// A floating IP's address.
    FloatingIp(Ipv4Addr),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceNat {
    #[default]
    Auto,
    Never,
    Always,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Network {
    pub id: NetworkId,
    pub project_id: ProjectId,
    pub admin_state_up: bool,
    pub segment: Segment,
    pub mtu: u32,
    pub subnets: Vec<Subnet>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Segment {
    Local,
    Flat { physical_network: String },
    Vlan { physical_network: String, segmentation_id: u16 },
    Gre { segmentation_id: u32 },
    Vxlan { segmentation_id: u32 },
    Geneve { segmentation_id: u32 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subnet {
    pub id: SubnetId,
    pub cidr: IpNet,
    pub gateway_ip: Option<IpAddr>,
    pub enable_dhcp: bool,
    pub dns_nameservers: Vec<IpAddr>,
    pub host_routes: Vec<StaticRoute>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Port {
    pub id: PortId,
    pub mac_address: MacAddress,
    pub admin_state_up: bool,
    pub fixed_ips: Vec<FixedIp>,
    pub device_owner: String,
    /// Where the port is bound; `None` while it is not.
    pub host: Option<HostName>,
    /// That host's tunnel address, when its agent announced one.
    pub tunnel_ip: Option<IpAddr>,
    /// Hosts that may get it next: its device is wired there too, once it appears.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prepared_on: Vec<HostName>,
    /// What its addresses are called, if its user chose a name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub dns_name: String,
    pub extra_dhcp_opts: Vec<DhcpOption>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedIp {
    pub subnet_id: SubnetId,
    pub ip_address: IpAddr,
}

/// An option that a user set on a port. Only names and values that the API accepted get here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhcpOption {
    pub name: String,
    pub value: String,
    pub ip_version: u8,
}

impl Snapshot {
    /// The router of a router scope.
    pub fn router(&self) -> Option<&Router> {
        self.objects.values().find_map(|object| match object {
            Object::Router(router) => Some(router),
            _ => None,
        })
    }

    /// The network of a network scope.
    pub fn network(&self) -> Option<&Network> {
        self.objects.values().find_map(|object| match object {
            Object::Network(network) => Some(network),
            _ => None,
        })
    }

    /// Folds in what changed. The caller has checked that the changes start at this revision.
    pub fn apply(&mut self, revision: Revision, objects: Vec<(ObjectKey, Option<Object>)>) {
        for (key, object) in objects {
            match object {
                Some(object) => self.objects.insert(key, object),
                None => self.objects.remove(&key),
            };
        }
        self.revision = revision;
    }
}

/// JSON objects cannot be keyed by an enum with data in every format: a list of pairs can.
mod pairs {
    use super::{BTreeMap, Deserialize, Object, ObjectKey};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        objects: &BTreeMap<ObjectKey, Object>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(objects)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<ObjectKey, Object>, D::Error> {
        Ok(Vec::<(ObjectKey, Object)>::deserialize(deserializer)?.into_iter().collect())
    }
}
