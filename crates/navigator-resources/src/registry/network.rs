//! Networks: layer-2 segments, private or a provider's. Which segment a network is on and how large
//! its frames may be is decided in `network/segment.rs` and `network/mtu.rs`.

use navigator_model::{NetworkId, ObjectKey, ProjectId, Scope, SubnetId};

use crate::{
    Caller, Context, Facts, Port, Refusal, Resource, Rules, Select, Standard, Stop, Subnet, Write,
    Writes, attribute::{DnsDomain, Text}, facts::both, qos, registry::{
        address_scope::AddressScopeId,
        agent::{self, DHCP_AGENT},
        floating_ip, port,
        qos_policy::QosPolicyId,
        rbac_policy::Action,
        segment::{self as segments, Segment, SegmentId, SegmentRequest, ShownSegments},
    },
};

mod mtu;
mod segment;
mod sharing;

pub use segment::NetworkType;
pub(crate) use segment::{ChosenSegment, Taker, Wanted};

/// A layer-2 segment.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "network",
    collection = "networks",
    class = "Network",
    extension = "network",
    tags,
    rbac = "network",
    present = segments::present
)]
pub struct Network {
    #[field(id, filter, sort)]
    pub id: NetworkId,
    #[field(create, update, filter, sort, default = Text::default())]
    pub name: Text<255>,
    #[field(shown, computed = "(SELECT string_agg(s.id, ',') FROM subnets s WHERE s.network_id = networks.id)")]
    pub subnets: Vec<SubnetId>,
    #[field(create, update, filter, sort, default = true)]
    pub admin_state_up: bool,
    #[field(filter, sort)]
    pub status: String,
    /// Why an agent could not build it.
    pub status_reason: Option<String>,
    #[field(create, update, filter, default = false)]
    pub shared: bool,
    /// The caller's project may use it, as a shared or as an external network.
    #[field(
        internal,
        computed = "EXISTS (SELECT 1 FROM rbac_policies r WHERE r.object_id = networks.id AND r.target_project IN ('*', $project))"
    )]
    pub accessible: bool,
    #[field(name = "router:external", create, update, filter, default = false)]
    pub external: bool,
    /// Topologies that are made automatically lead out by it: at most one, and an external one.
    #[field(create, update, filter, default = false)]
    pub is_default: bool,
    #[field(shown, computed = "(SELECT MIN(p.address_scope_id) FROM subnets s JOIN subnetpools p ON p.id = s.subnetpool_id WHERE s.network_id = networks.id AND s.ip_version = 4)")]
    pub ipv4_address_scope: Option<AddressScopeId>,
    #[field(shown, computed = "(SELECT MIN(p.address_scope_id) FROM subnets s JOIN subnetpools p ON p.id = s.subnetpool_id WHERE s.network_id = networks.id AND s.ip_version = 6)")]
    pub ipv6_address_scope: Option<AddressScopeId>,
    #[field(create, update, filter, sort, default = 0)]
    pub mtu: u32,
    #[field(create, update, default = true)]
    pub port_security_enabled: bool,
    #[field(create, sort, default = Vec::new())]
    pub availability_zone_hints: Vec<String>,
    /// Zones of the agents that serve its DHCP.
    #[field(shown, computed = "(SELECT string_agg(z.zone, ',') FROM (SELECT DISTINCT a.availability_zone AS zone FROM ports p JOIN agents a ON a.host = p.host_id AND a.agent_type = 'DHCP agent' WHERE p.network_id = networks.id AND p.device_owner = 'network:dhcp') z)")]
    pub availability_zones: Vec<String>,
    #[field(name = "provider:network_type", create, filter, unset, input = Option<Text<32>>)]
    pub network_type: NetworkType,
    #[field(name = "provider:physical_network", create, filter, unset)]
    pub physical_network: Option<Text<64>>,
    #[field(name = "provider:segmentation_id", create, filter, unset)]
    pub segmentation_id: Option<u32>,
    /// All of them, where there are several; the first one is the provider's.
    #[field(
        create, unset, computed = segments::SEGMENTS, input = Vec<SegmentRequest>
    )]
    pub segments: ShownSegments,
    /// Whether all its ports are on one wire.
    #[field(computed = segments::L2_ADJACENCY)]
    pub l2_adjacency: bool,
    /// What rules its ports have that have no policy of their own.
    #[field(create, update, unset)]
    pub qos_policy_id: Option<QosPolicyId>,
    /// Whether frames with VLAN tags are to pass; they do in any case.
    #[field(create, filter, unset, input = bool)]
    pub vlan_transparent: Option<bool>,
    /// Made with its project's topology.
    #[field(internal)]
    pub auto_allocated: bool,
    /// Where names of its ports belong.
    #[field(create, update, default = DnsDomain::default())]
    pub dns_domain: DnsDomain,
    #[field(standard)]
    pub standard: Standard,
}

impl Network {
    /// Tells the agents that it changed.
    pub(crate) fn touch(&self, writes: &mut Writes) {
        writes.touch(Scope::Network(self.id), ObjectKey::Network(self.id));
    }

    pub fn is_visible_to(&self, caller: &Caller) -> bool {
        self.accessible || caller.is_service || caller.owns(&self.standard.project_id)
    }

    /// The network, if the caller may see it, for a decision that depends on what it is: it stays
    /// that until the transaction ends.
    pub fn held(id: NetworkId, facts: &Facts, caller: &Caller) -> Result<Self, Stop> {
        facts
            .hold::<Self>(id)?
            .filter(|network| network.is_visible_to(caller))
            .ok_or_else(|| Refusal::not_found::<Self>(id).into())
    }
}

impl Rules for Network {
    fn create(
        input: &NetworkCreate,
        _parent: Option<&str>,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        agent::check_zones(DHCP_AGENT, &input.availability_zone_hints, facts)?;
        let id = NetworkId(context.uuid("network"));
        let (chosen, qos_policy_id) = both(
            segment::choose(id, input, facts, context),
            qos_policy(input, facts, context),
        )?;
        let segment = chosen.first().cloned().ok_or(Refusal::NoNetworkAvailable {})?;
        let network = Self {
            id,
            name: input.name.clone(),
            subnets: Vec::new(),
            admin_state_up: input.admin_state_up,
            status: "ACTIVE".to_owned(),
            status_reason: None,
            shared: input.shared,
            accessible: input.shared || input.external,
            external: input.external,
            is_default: input.is_default && input.external,
            ipv4_address_scope: None,
            ipv6_address_scope: None,
            mtu: mtu::choose(input.mtu, segment.network_type, context.settings)?,
            port_security_enabled: input.port_security_enabled,
            dns_domain: input.dns_domain.clone(),
            availability_zone_hints: input.availability_zone_hints.clone(),
            availability_zones: Vec::new(),
            network_type: segment.network_type,
            physical_network: segment.physical_network.map(Text),
            segmentation_id: segment.segmentation_id,
            segments: ShownSegments::default(),
            l2_adjacency: true,
            qos_policy_id,
            vlan_transparent: input.vlan_transparent,
            auto_allocated: false,
            standard: Standard::new(
                input.standard.project_id.clone(),
                input.standard.description.clone(),
                context.now,
            ),
        };
        if network.is_default {
            check_only_default(&network, facts)?;
        }
        let mut writes = Writes::new();
        writes.insert(&network).touch(Scope::Network(id), ObjectKey::Network(id));
        for (index, chosen) in chosen.iter().enumerate() {
            let id = SegmentId(context.uuid(&format!("network segment {index}")));
            let mut standard = network.standard.clone();
            standard.description = Text::default();
            writes.insert(&Segment::new(id, network.id, chosen, standard));
        }
        if network.external {
            sharing::open(&network, context, &mut writes)?;
        }
        Ok((network, writes))
    }

    fn update(
        current: &Self,
        update: &NetworkUpdate,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let mut network = current.clone();
        update.apply_to(&mut network);
        if update.mtu.is_some() {
            network.mtu = mtu::choose(network.mtu, network.network_type, context.settings)?;
        }
        network.is_default &= network.external;
        if update.shared == Some(false) {
            sharing::check_unshared(current, facts)?;
        }
        if network == *current {
            return Ok((network, Writes::new()));
        }
        if network.is_default && !current.is_default {
            check_only_default(&network, facts)?;
        }
        qos::removable(current.qos_policy_id, network.qos_policy_id, facts, context.caller)?;
        qos::usable(network.qos_policy_id, current.qos_policy_id, facts, context.caller)?;
        let mut writes = Writes::new();
        writes.update(&network);
        if current.external && !network.external {
            check_not_external(current, facts)?;
            sharing::close(current, facts, &mut writes)?;
        }
        if network.external && !current.external {
            sharing::open(&network, context, &mut writes)?;
        }
        // No agent knows a network's name.
        if (network.mtu, network.admin_state_up) != (current.mtu, current.admin_state_up) {
            writes.touch(Scope::Network(network.id), ObjectKey::Network(network.id));
        }
        if network.mtu != current.mtu {
            for subnet in Subnet::of(network.id, facts)? {
                network.check_mtu_for(&subnet)?;
            }
            for port in Port::of_owners(network.id, port::ROUTER_OWNERS, facts)? {
                port::touch(&port, &mut writes);
            }
        }
        Ok((network, writes))
    }

    fn used_by(&self, action: Action, facts: &Facts) -> Result<Vec<ProjectId>, Stop> {
        sharing::users(self, action, facts)
    }

    /// Takes its subnets, its floating IPs that lead nowhere and the ports that nobody asked for with
    /// it.
    fn delete(current: &Self, facts: &Facts, _context: &Context<'_>) -> Result<Writes, Stop> {
        let floating_ips = floating_ip::idle_on(current, facts)?;
        let mut ports: Vec<Port> = facts.list(Select::eq("network_id", current.id.to_string()))?;
        ports.retain(|port| floating_ips.iter().all(|ip| ip.floating_port_id != port.id));
        if ports.iter().any(|port| port.device_owner.0 != port::DHCP_OWNER) {
            return Err(Refusal::NetworkInUse {
                net_id: current.id.to_string(),
                reason: "There are one or more ports still in use on the network.".to_owned(),
            }
            .into());
        }
        let mut writes = Writes::new();
        for floating_ip in &floating_ips {
            writes.append(floating_ip::delete(floating_ip, facts)?);
        }
        for port in &ports {
            writes.append(port::remove(port, facts)?);
        }
        for subnet in Subnet::of(current.id, facts)? {
            writes.delete::<Subnet>(subnet.id);
        }
        for segment in Segment::of(current.id, facts)? {
            writes.delete::<Segment>(segment.id);
        }
        writes.push(Write::ReleaseSegments { network_id: current.id });
        writes.delete::<Self>(current.id);
        writes.touch(Scope::Network(current.id), ObjectKey::Network(current.id));
        Ok(writes)
    }
}

/// The policy that is named, else the project's default.
fn qos_policy(
    input: &NetworkCreate,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Option<QosPolicyId>, Stop> {
    let Some(named) = input.qos_policy_id else {
        return qos::default_of(&input.standard.project_id, facts);
    };
    qos::usable(named, None, facts, context.caller)?;
    Ok(named)
}

/// Two requests at once are told apart by the table's index.
fn check_only_default(network: &Network, facts: &Facts) -> Result<(), Stop> {
    let known: Vec<Network> = facts.list(Select::eq("is_default", true))?;
    match known.iter().find(|known| known.id != network.id) {
        None => Ok(()),
        Some(known) => {
            Err(Refusal::DefaultExternalNetworkExists { net_id: known.id.to_string() }.into())
        }
    }
}

/// No gateway and no floating IP is left on a network that is to be no external one.
pub(crate) fn check_not_external(network: &Network, facts: &Facts) -> Result<(), Stop> {
    let owners = &[port::ROUTER_GATEWAY_OWNER, port::FLOATING_IP_OWNER];
    if Port::of_owners(network.id, owners, facts)?.is_empty() {
        return Ok(());
    }
    Err(Refusal::ExternalNetworkInUse { net_id: network.id.to_string() }.into())
}

#[cfg(test)]
mod tests;
