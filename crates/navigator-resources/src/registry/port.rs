//! Ports: a place on a network for one device, with its MAC address and its addresses. Rules of
//! each part stand below `port/`; other resources (routers, floating IPs, DHCP) make and remove
//! their ports with [`NewPort`] and [`remove`].

use navigator_model::{HostName, MacAddress, NetworkId, PortId, SecurityGroupId, SubnetId};

use crate::{
    Context, Facts, Momentary, Network, Refusal, Resource, Rules, Select, SqlValue, Standard, Stop, Subnet, Writes,
    attribute::{Dict, DnsDomain, DnsName, Text},
    qos::{self, ResourceRequest},
    registry::{
        qos_policy::QosPolicyId,
        trunk::{self, TrunkDetails},
    },
};

mod access;
mod address_pair;
mod auto_address;
mod binding;
mod change;
mod dhcp_option;
mod dns;
mod fixed_ips;
mod new_port;
mod removal;
mod security_groups;

pub use address_pair::{AddressOrPrefix, AddressPair, AddressPairRequest};
pub use auto_address::{extend_to, withdraw};
pub(crate) use binding::plug;
pub use binding::{BINDING_FAILED, TAP, UNBOUND, VnicType, bind};
pub use change::{set_fixed_ips, set_fixed_ips_on};
pub use dhcp_option::{DhcpOptionRequest, ExtraDhcpOption};
pub use fixed_ips::{Change, FixedIp, FixedIpRequest, Holder, eui64};
pub use new_port::NewPort;
pub use removal::{change_fixed_ips, remove, touch};

/// `device_owner` of the DHCP server's port. It belongs to the network and goes with it.
pub const DHCP_OWNER: &str = "network:dhcp";
pub const ROUTER_INTERFACE_OWNER: &str = "network:router_interface";
pub const ROUTER_GATEWAY_OWNER: &str = "network:router_gateway";
pub const FLOATING_IP_OWNER: &str = "network:floatingip";
/// Ports whose `device_id` is the router that they belong to.
pub const ROUTER_OWNERS: &[&str] = &[
    ROUTER_INTERFACE_OWNER,
    ROUTER_GATEWAY_OWNER,
    "network:router_interface_distributed",
    "network:ha_router_replicated_interface",
    "network:router_ha_interface",
    "network:router_centralized_snat",
];

/// Whether a router stands on the subnet with it: such ports do not make their own addresses.
pub fn is_router_interface(device_owner: &str) -> bool {
    ROUTER_OWNERS.contains(&device_owner) && device_owner != ROUTER_GATEWAY_OWNER
}

/// Of two ports on one network with one MAC address, the second.
fn mac_in_use(network_id: NetworkId, mac: MacAddress) -> Refusal {
    Refusal::MacAddressInUse { net_id: network_id.to_string(), mac: mac.to_string() }
}

crate::word_attribute! {
    /// Whether the port has addresses: what the compute service asks before it takes one without.
    pub enum IpAllocation {
        Immediate => "immediate",
        None => "none",
    }
}

impl IpAllocation {
    /// A port that was asked to have no address has none on purpose.
    fn asked(fixed_ips: Option<&[FixedIpRequest]>) -> Self {
        if fixed_ips.is_some_and(<[_]>::is_empty) { Self::None } else { Self::Immediate }
    }
}

crate::word_attribute! {
    /// The state of the wire below a port.
    pub enum DataPlaneStatus {
        Active => "ACTIVE",
        Down => "DOWN",
    }
}

/// A place on a network for one device.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "port",
    collection = "ports",
    class = "Port",
    extension = "port",
    tags(create),
    notices = crate::server_event::of_port,
    visible_through(
        column = "network_id",
        ids = "SELECT n.id FROM networks n WHERE n.project_id = $project"
    )
)]
pub struct Port {
    #[field(id, filter, sort)]
    pub id: PortId,
    #[field(create, update, filter, sort, default = Text::default())]
    pub name: Text<255>,
    #[field(create, required, filter, sort)]
    pub network_id: NetworkId,
    #[field(create, update, filter, sort, default = true)]
    pub admin_state_up: bool,
    /// Null in a PUT makes a new one.
    #[field(create, update, unset, filter, sort, input = Option<MacAddress>)]
    pub mac_address: MacAddress,
    /// In order; `ip_allocations` keeps them unique.
    #[field(create, update, unset, filter, input = Vec<FixedIpRequest>)]
    pub fixed_ips: Vec<FixedIp>,
    #[field(create, update, filter, sort, default = Text::default())]
    pub device_id: Text<255>,
    #[field(create, update, filter, sort, default = Text::default())]
    pub device_owner: Text<255>,
    #[field(filter, sort)]
    pub status: String,
    /// Why an agent could not wire it.
    pub status_reason: Option<String>,
    #[field(create, update, unset, input = Vec<AddressPairRequest>)]
    pub allowed_address_pairs: Vec<AddressPair>,
    #[field(create, update, unset, input = Vec<DhcpOptionRequest>)]
    pub extra_dhcp_opts: Vec<ExtraDhcpOption>,
    /// The network's setting when not named.
    #[field(create, update, unset)]
    pub port_security_enabled: bool,
    /// The project's default group when not named.
    #[field(
        create, update, unset, filter, input = Vec<SecurityGroupId>,
        link(table = "port_security_groups", owner = "port_id", item = "security_group_id")
    )]
    pub security_groups: Vec<SecurityGroupId>,
    /// Empty while the port is not bound.
    #[field(
        name = "binding:host_id", create, update, unset, filter, input = Option<HostName>
    )]
    pub host_id: HostName,
    #[field(
        name = "binding:profile", create, update, default = Dict::default()
    )]
    pub profile: Dict,
    #[field(name = "binding:vnic_type", create, update, default = VnicType::Normal)]
    pub vnic_type: VnicType,
    #[field(name = "binding:vif_type")]
    pub vif_type: String,
    #[field(name = "binding:vif_details")]
    pub vif_details: Dict,
    #[field(create, update, unset)]
    pub qos_policy_id: Option<QosPolicyId>,
    #[field(shown, computed = qos::NETWORK_POLICY)]
    pub qos_network_policy_id: Option<QosPolicyId>,
    #[field(shown, computed = qos::GUARANTEES)]
    pub resource_request: ResourceRequest,
    #[field(shown, computed = trunk::DETAILS)]
    pub trunk_details: TrunkDetails,
    /// What its addresses are called; `dns_assignment` shows the names.
    #[field(create, update, default = DnsName::default())]
    pub dns_name: DnsName,
    #[field(create, update, default = DnsDomain::default())]
    pub dns_domain: DnsDomain,
    #[field(filter, sort)]
    pub ip_allocation: IpAllocation,
    /// What another service says of the wire below the port.
    #[field(update)]
    pub data_plane_status: Option<DataPlaneStatus>,
    #[field(create, default = true)]
    pub propagate_uplink_status: bool,
    #[field(standard)]
    pub standard: Standard,
}

impl Port {
    /// Ports of a network with one of these `device_owner`s, by id.
    pub fn of_owners(
        network_id: NetworkId,
        owners: &[&str],
        facts: &Facts,
    ) -> Result<Vec<Self>, Stop> {
        let owners = owners.iter().map(|owner| SqlValue::from(*owner));
        facts.list(Select::any("device_owner", owners).and("network_id", network_id.to_string()))
    }

    pub fn has_address_of(&self, subnet_id: SubnetId) -> bool {
        self.fixed_ips.iter().any(|fixed_ip| fixed_ip.subnet_id == subnet_id)
    }

    /// Where it is bound.
    pub fn host(&self) -> Option<&HostName> {
        Some(&self.host_id).filter(|host| !host.0.is_empty())
    }

    /// As the one that addresses are for.
    pub fn holder<'a>(&'a self, subnets: &'a [Subnet]) -> Holder<'a> {
        Holder {
            port_id: self.id,
            network_id: self.network_id,
            mac_address: self.mac_address,
            device_owner: &self.device_owner.0,
            subnets,
        }
    }
}

impl Rules for Port {
    fn create(
        input: &PortCreate,
        _parent: Option<&str>,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let network = Network::held(input.network_id, facts, context.caller)?;
        access::check_create(input, facts, context)?;
        let new = NewPort {
            network: &network,
            project_id: input.standard.project_id.clone(),
            name: input.name.0.clone(),
            device_owner: input.device_owner.0.clone(),
            device_id: input.device_id.0.clone(),
            fixed_ips: input.fixed_ips.clone(),
            mac_address: input.mac_address.flatten(),
            host_id: input.host_id.clone().flatten(),
        };
        let mut port = new.shape(context, "port");
        port.admin_state_up = input.admin_state_up;
        port.standard.description = input.standard.description.clone();
        port.profile = input.profile.clone();
        port.vnic_type = input.vnic_type;
        port.set_dns_name(&input.dns_name, context)?;
        port.dns_domain = input.dns_domain.clone();
        port.propagate_uplink_status = input.propagate_uplink_status;
        if let Some(enabled) = input.port_security_enabled {
            port.port_security_enabled = enabled;
        }
        port.qos_policy_id = input.qos_policy_id.flatten();
        qos::usable(port.qos_policy_id, None, facts, context.caller)?;
        qos::check_port(&port, &network, facts)?;
        port.set_address_pairs(input.allowed_address_pairs.as_deref(), context)?;
        port.set_dhcp_options(input.extra_dhcp_opts.as_deref())?;
        let groups = input.security_groups.as_deref();
        let mut writes = port.join_security_groups(groups, facts, context)?;
        writes.append(new.finish(&mut port, facts, context)?);
        Ok((port, writes))
    }

    fn update(
        current: &Self,
        update: &PortUpdate,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        change::change(current, update, facts, context)
    }

    fn momentary() -> &'static [Momentary] {
        const { &[dns::ASSIGNMENT] }
    }

    fn delete(current: &Self, facts: &Facts, _context: &Context<'_>) -> Result<Writes, Stop> {
        access::check_delete(current)?;
        removal::remove(current, facts)
    }
}

#[cfg(test)]
mod tests;
