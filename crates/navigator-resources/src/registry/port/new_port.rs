//! Making a port, for users and for the resources that own ports.

use navigator_model::{HostName, MacAddress, PortId, ProjectId};

use super::{
    FLOATING_IP_OWNER, FixedIpRequest, IpAllocation, Port, UNBOUND, VnicType, binding, mac_in_use,
    removal::touch,
};
use crate::{
    Context, Facts, Network, PortBinding, Standard, Stop, Subnet, Writes,
    attribute::{Dict, DnsDomain, DnsName, Text},
    qos::ResourceRequest,
    registry::trunk::TrunkDetails,
};

/// A port to be made. What is not said here has its default.
pub struct NewPort<'a> {
    pub network: &'a Network,
    pub project_id: ProjectId,
    pub name: String,
    pub device_owner: String,
    pub device_id: String,
    /// `None`: one IPv4 address and what IPv6 adds. `Some` of an empty list: no address.
    pub fixed_ips: Option<Vec<FixedIpRequest>>,
    /// `None`: a random one.
    pub mac_address: Option<MacAddress>,
    pub host_id: Option<HostName>,
}

impl NewPort<'_> {
    /// The port with its addresses taken, and the writes that make it. `label` tells several new
    /// ports of one decision apart.
    pub fn make(
        &self,
        facts: &Facts,
        context: &Context<'_>,
        label: &str,
    ) -> Result<(Port, Writes), Stop> {
        let mut port = self.shape(context, label);
        let writes = self.finish(&mut port, facts, context)?;
        Ok((port, writes))
    }

    /// As [`NewPort::make`] on these subnets of the network, which may not be stored yet.
    pub fn make_on(
        &self,
        subnets: &[Subnet],
        facts: &Facts,
        context: &Context<'_>,
        label: &str,
    ) -> Result<(Port, Writes), Stop> {
        let mut port = self.shape(context, label);
        let writes = self.finish_on(&mut port, subnets, facts, context)?;
        Ok((port, writes))
    }

    /// The port without addresses and binding.
    pub(super) fn shape(&self, context: &Context<'_>, label: &str) -> Port {
        // Nothing ever wires the port that only keeps a floating IP's address.
        let status = if self.device_owner == FLOATING_IP_OWNER { "N/A" } else { "DOWN" };
        let random_mac = || context.mac_address(&format!("{label}/mac"));
        Port {
            id: PortId(context.uuid(label)),
            name: Text(self.name.clone()),
            network_id: self.network.id,
            admin_state_up: true,
            mac_address: self.mac_address.unwrap_or_else(random_mac),
            fixed_ips: Vec::new(),
            device_id: Text(self.device_id.clone()),
            device_owner: Text(self.device_owner.clone()),
            status: status.to_owned(),
            status_reason: None,
            allowed_address_pairs: Vec::new(),
            extra_dhcp_opts: Vec::new(),
            port_security_enabled: self.network.port_security_enabled,
            security_groups: Vec::new(),
            host_id: HostName(String::new()),
            profile: Dict::default(),
            vnic_type: VnicType::Normal,
            vif_type: UNBOUND.to_owned(),
            vif_details: Dict::default(),
            qos_policy_id: None,
            qos_network_policy_id: self.network.qos_policy_id,
            resource_request: ResourceRequest::default(),
            trunk_details: TrunkDetails::default(),
            dns_name: DnsName::default(),
            dns_domain: DnsDomain::default(),
            ip_allocation: IpAllocation::asked(self.fixed_ips.as_deref()),
            data_plane_status: None,
            propagate_uplink_status: true,
            standard: Standard::new(self.project_id.clone(), Text::default(), context.now),
        }
    }

    pub(super) fn finish(
        &self,
        port: &mut Port,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<Writes, Stop> {
        let subnets = Subnet::of(self.network.id, facts)?;
        self.finish_on(port, &subnets, facts, context)
    }

    fn finish_on(
        &self,
        port: &mut Port,
        subnets: &[Subnet],
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<Writes, Stop> {
        binding::assign(port, self.host_id.as_ref(), facts, context)?;
        port.fixed_ips = port.holder(subnets).allocate(self.fixed_ips.as_deref(), facts)?;
        // A random address that is taken is drawn again; a named one is the caller's to change.
        let conflict = self.mac_address.map(|mac| mac_in_use(self.network.id, mac));
        let mut writes = Writes::new();
        writes.insert_or(port, conflict);
        if let Some(binding) = PortBinding::active(port) {
            writes.insert(&binding);
        }
        touch(port, &mut writes);
        if port.host().is_some() {
            writes.push(crate::Write::TouchHosts);
        }
        Ok(writes)
    }
}
