//! Floating IPs: addresses of an external network that lead to one fixed IP, or, by port
//! forwardings, to several.
//!
//! The address is held by a port of its own (`network:floatingip`) on the external network, so
//! that nobody else gets it. Which router answers for it follows from where it leads.

mod association;
mod lifecycle;
mod shown;
#[cfg(test)]
mod tests;

use std::net::Ipv4Addr;

use navigator_model::{FloatingIpId, NetworkId, ObjectKey, PortId, RouterId, Scope, SubnetId};

pub use shown::{Details, ForwardingItems};

pub(crate) use association::{of_port, router_for};
pub(crate) use lifecycle::{delete, idle_on};

use crate::{
    Context, Facts, Refusal, Resource, Rules, Standard, Stop, Writes,
    attribute::{DnsDomain, DnsName},
    registry::qos_policy::QosPolicyId,
};

#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "floatingip",
    collection = "floatingips",
    class = "FloatingIP",
    extension = "router",
    tags,
    present = shown::present,
    notices = crate::server_event::of_floating_ip
)]
pub struct FloatingIp {
    #[field(id, filter, sort)]
    pub id: FloatingIpId,
    #[field(create, filter, sort, default = None, input = Option<Ipv4Addr>)]
    pub floating_ip_address: Ipv4Addr,
    /// From which subnet the address shall be.
    #[field(create, hidden, default = None, computed = "NULL")]
    pub subnet_id: Option<SubnetId>,
    #[field(create, required, filter, sort)]
    pub floating_network_id: NetworkId,
    /// The port that holds the address.
    #[field(internal)]
    pub floating_port_id: PortId,
    #[field(filter, sort)]
    pub router_id: Option<RouterId>,
    #[field(create, update, filter, default = None)]
    pub port_id: Option<PortId>,
    #[field(create, update, filter, sort, default = None)]
    pub fixed_ip_address: Option<Ipv4Addr>,
    #[field(filter, sort)]
    pub status: String,
    pub status_reason: Option<String>,
    #[field(
        shown,
        computed = "(SELECT string_agg(f.id || ' ' || f.protocol || ' ' || f.internal_ip_address || ' ' || f.internal_port_id || ' ' || f.external_port_range || ' ' || f.internal_port_range, ',') FROM port_forwardings f WHERE f.floatingip_id = floatingips.id)"
    )]
    pub port_forwardings: ForwardingItems,
    #[field(
        name = "port_details",
        shown,
        computed = "(SELECT p.id || ' ' || p.network_id || ' ' || p.mac_address || ' ' || CASE WHEN p.admin_state_up THEN 'true' ELSE 'false' END || ' ' || p.status FROM ports p WHERE p.id = floatingips.port_id)"
    )]
    pub port_details: Details,
    // Text that users choose: kept apart from what can be split at spaces.
    #[field(hidden, shown, computed = "(SELECT p.name FROM ports p WHERE p.id = floatingips.port_id)")]
    pub port_name: Option<String>,
    #[field(
        hidden,
        shown,
        computed = "(SELECT p.device_id FROM ports p WHERE p.id = floatingips.port_id)"
    )]
    pub port_device_id: Option<String>,
    #[field(
        hidden,
        shown,
        computed = "(SELECT p.device_owner FROM ports p WHERE p.id = floatingips.port_id)"
    )]
    pub port_device_owner: Option<String>,
    #[field(create, update, unset)]
    pub qos_policy_id: Option<QosPolicyId>,
    #[field(
        shown,
        computed = "(SELECT n.qos_policy_id FROM networks n WHERE n.id = floatingips.floating_network_id)"
    )]
    pub qos_network_policy_id: Option<QosPolicyId>,
    /// With `dns_domain`, the record that leads to it.
    #[field(create, default = DnsName::default())]
    pub dns_name: DnsName,
    #[field(create, default = DnsDomain::default())]
    pub dns_domain: DnsDomain,
    #[field(standard)]
    pub standard: Standard,
}

impl FloatingIp {
    /// Its name in change logs and reports.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::FloatingIp(self.id)
    }

    /// Says that the router that answers for it, if any, has to look at it.
    pub(crate) fn touch(&self, writes: &mut Writes) {
        if let Some(router_id) = self.router_id {
            writes.touch(Scope::Router(router_id), self.key());
        }
    }

    /// Leads nowhere and is answered for by no router.
    pub(crate) fn disassociate(&mut self) {
        self.router_id = None;
        self.port_id = None;
        self.fixed_ip_address = None;
        self.status = "DOWN".to_owned();
        self.status_reason = None;
        self.port_details = Details::default();
        self.port_name = None;
        self.port_device_id = None;
        self.port_device_owner = None;
    }

    /// Why the port cannot be forwarded to: this floating IP leads to it.
    pub(crate) fn bound_to(&self, port_id: PortId) -> Refusal {
        Refusal::PortHasBindingFloatingIP {
            floating_ip_address: self.floating_ip_address.to_string(),
            fip_id: self.id.to_string(),
            port_id: port_id.to_string(),
            fixed_ip: self.fixed_ip_address.map_or_else(String::new, |ip| ip.to_string()),
        }
    }

    /// Why it cannot lead to this address: it, or another one, leads somewhere already.
    pub(crate) fn already_associated(&self, port_id: PortId, fixed_ip: Ipv4Addr) -> Refusal {
        Refusal::FloatingIPPortAlreadyAssociated {
            floating_ip_address: self.floating_ip_address.to_string(),
            fip_id: self.id.to_string(),
            port_id: port_id.to_string(),
            fixed_ip: fixed_ip.to_string(),
            net_id: self.floating_network_id.to_string(),
        }
    }
}

impl Rules for FloatingIp {
    fn create(
        input: &FloatingIpCreate,
        _parent: Option<&str>,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        lifecycle::create(input, facts, context)
    }

    fn update(
        current: &Self,
        update: &FloatingIpUpdate,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        lifecycle::update(current, update, facts, context)
    }

    fn delete(current: &Self, facts: &Facts, _context: &Context<'_>) -> Result<Writes, Stop> {
        lifecycle::delete(current, facts)
    }
}
