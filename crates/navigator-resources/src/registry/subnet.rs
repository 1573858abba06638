//! Subnets: a prefix of a network with the addresses that are given to its ports.
//!
//! Every decision holds the network's row, so that two subnets cannot be made to overlap and the
//! ports seen are all there are.

use std::net::IpAddr;

use ipnet::IpNet;
use navigator_model::{NetworkId, ObjectKey, Scope, SubnetId, snapshot::StaticRoute};

use crate::{
    Context, Facts, Network, Refusal, Resource, Rules, Select, Standard, Stop, Writes,
    attribute::Text,
    dhcp_scheduling,
    registry::{
        segment::{self, SegmentId},
        port,
        subnet_pool::{SubnetPoolId, check_affinity},
    },
};

mod addressing;
mod deletion;
mod gateway;
mod limits;
mod origin;
pub mod pools;
mod service_types;

pub use addressing::{AddressMode, IpVersion};
pub use pools::AllocationPool;

/// A prefix of a network.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "subnet",
    collection = "subnets",
    class = "Subnet",
    extension = "subnet",
    tags,
    visible_through(
        column = "network_id",
        ids = "SELECT n.id FROM networks n WHERE n.project_id = $project \
            UNION ALL SELECT r.object_id FROM rbac_policies r WHERE r.object_type = 'network' \
            AND r.action IN ('access_as_shared', 'access_as_external') \
            AND r.target_project IN ('*', $project)"
    )
)]
pub struct Subnet {
    #[field(id, filter, sort)]
    pub id: SubnetId,
    #[field(create, update, filter, sort, default = Text::default())]
    pub name: Text<255>,
    #[field(create, required, filter, sort)]
    pub network_id: NetworkId,
    #[field(create, required, filter, sort)]
    pub ip_version: IpVersion,
    /// The pool that its prefix was cut from.
    #[field(create, unset, filter, sort, input = Option<Text<64>>)]
    pub subnetpool_id: Option<SubnetPoolId>,
    /// Asks for the default pool; nothing keeps it.
    #[field(create, default = false, hidden, computed = "CAST(NULL AS BOOLEAN)", input = bool)]
    pub use_default_subnetpool: Option<bool>,
    /// Asks for a prefix of this length from a pool; nothing keeps it.
    #[field(create, unset, hidden, computed = "CAST(NULL AS BIGINT)")]
    pub prefixlen: Option<u32>,
    #[field(create, unset, filter, sort, input = Option<IpNet>)]
    pub cidr: IpNet,
    #[field(create, update, unset, filter, sort)]
    pub gateway_ip: Option<IpAddr>,
    #[field(create, update, unset)]
    pub allocation_pools: Vec<AllocationPool>,
    #[field(create, update, default = Vec::new())]
    pub dns_nameservers: Vec<IpAddr>,
    #[field(create, update, default = Vec::new())]
    pub host_routes: Vec<StaticRoute>,
    #[field(create, update, filter, sort, default = true)]
    pub enable_dhcp: bool,
    #[field(create, unset, filter, sort)]
    pub ipv6_ra_mode: Option<AddressMode>,
    #[field(create, unset, filter, sort)]
    pub ipv6_address_mode: Option<AddressMode>,
    /// `device_owner`s whose ports get addresses here; everybody's if empty.
    #[field(create, update, default = Vec::new())]
    pub service_types: Vec<String>,
    #[field(create, update, default = false)]
    pub dns_publish_fixed_ip: bool,
    /// The network's.
    #[field(
        name = "router:external",
        filter,
        computed = "(SELECT n.external FROM networks n WHERE n.id = subnets.network_id)"
    )]
    pub external: bool,
    /// The network's.
    #[field(
        hidden,
        filter,
        computed = "EXISTS (SELECT 1 FROM rbac_policies r WHERE r.object_id = subnets.network_id AND r.action = 'access_as_shared' AND r.target_project IN ('*', $project))"
    )]
    pub shared: bool,
    /// Of a network whose subnets are each on one wire.
    #[field(create, update, unset, filter, sort)]
    pub segment_id: Option<SegmentId>,
    #[field(standard)]
    pub standard: Standard,
}

impl Subnet {
    /// Whether hosts make their own addresses here, from their MAC addresses.
    pub fn is_auto_address(&self) -> bool {
        [self.ipv6_address_mode, self.ipv6_ra_mode]
            .into_iter()
            .flatten()
            .any(|mode| mode != AddressMode::DhcpStateful)
    }

    /// Whether a port may have this address: inside, and not the network's or broadcast address.
    pub fn has_host(&self, address: IpAddr) -> bool {
        self.cidr.contains(&address) && !pools::is_reserved(&self.cidr, address)
    }

    /// What agents make something of.
    fn rendered(&self) -> (Option<IpAddr>, bool, &[IpAddr], &[StaticRoute]) {
        (self.gateway_ip, self.enable_dhcp, &self.dns_nameservers, &self.host_routes)
    }

    /// Subnets of a network, by id.
    pub fn of(network_id: NetworkId, facts: &Facts) -> Result<Vec<Self>, Stop> {
        facts.list(Select::eq("network_id", network_id.to_string()))
    }
}

impl Rules for Subnet {
    fn create(
        input: &SubnetCreate,
        _parent: Option<&str>,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let network = seen_network(input.network_id, facts, context)?;
        let origin = origin::settle(input, facts, context)?;
        let subnet = Self::from_input(input, &network, origin, context)?;
        subnet.check()?;
        let mut subnets = Self::of(network.id, facts)?;
        addressing::check_network(&network, &subnet, &subnets)?;
        check_affinity(&subnet, &subnets, facts)?;
        segment::check_new_subnet(&subnet, &subnets, facts)?;
        subnets.push(subnet.clone());

        let mut writes = Writes::new();
        writes.insert(&subnet).bump::<Network>(network.id);
        writes.touch(Scope::Network(network.id), ObjectKey::Network(network.id));
        writes.append(port::extend_to(&subnet, facts)?);
        writes.append(dhcp_scheduling::place_network(&network, &subnets, facts, context)?);
        Ok((subnet, writes))
    }

    fn update(
        current: &Self,
        update: &SubnetUpdate,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let mut subnet = current.clone();
        update.apply_to(&mut subnet);
        if subnet == *current {
            return Ok((subnet, Writes::new()));
        }
        let network = facts.lock::<Network>(subnet.network_id)?;
        subnet.check()?;
        segment::check_changed_subnet(current, &subnet, facts)?;
        let mut writes = Writes::new();
        writes.update(&subnet);
        if subnet.rendered() != current.rendered() {
            writes.touch(Scope::Network(subnet.network_id), ObjectKey::Network(subnet.network_id));
        }
        if subnet.gateway_ip != current.gateway_ip {
            gateway::check_not_in_use(current, facts)?;
            gateway::touch_routers(&subnet, facts, &mut writes)?;
        }
        if let Some(network) = network
            && subnet.enable_dhcp != current.enable_dhcp
        {
            writes.append(place_again(&network, &subnet, facts, context)?);
        }
        Ok((subnet, writes))
    }

    fn delete(current: &Self, facts: &Facts, context: &Context<'_>) -> Result<Writes, Stop> {
        deletion::delete(current, facts, context)
    }
}

/// The network, held; one that the caller may not see does not exist.
fn seen_network(
    id: NetworkId,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Network, Stop> {
    let network = facts.lock::<Network>(id)?.filter(|network| network.is_visible_to(context.caller));
    network.ok_or_else(|| Refusal::not_found::<Network>(id).into())
}

/// The network's DHCP ports, after this subnet changed.
fn place_again(
    network: &Network,
    subnet: &Subnet,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Writes, Stop> {
    let mut subnets = Subnet::of(network.id, facts)?;
    for known in &mut subnets {
        if known.id == subnet.id {
            *known = subnet.clone();
        }
    }
    dhcp_scheduling::place_network(network, &subnets, facts, context)
}

#[cfg(test)]
mod tests;
