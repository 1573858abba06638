//! Port forwardings of floating IPs, as Neutron has them: below
//! `/v2.0/floatingips/<id>/port_forwardings`. The first one gives its floating IP to a router, the
//! last one takes it away again.

mod decide;
#[cfg(test)]
mod tests;

use std::net::Ipv4Addr;

use navigator_model::{
    FloatingIpId, L4Port, L4PortRange, ObjectKey, PortForwardingId, PortId, Protocol,
};

pub(crate) use decide::{are_others, last_gone, removal};

use crate::{Context, Facts, FloatingIp, Resource, Rules, Stop, Writes, forwarding::Sockets};

/// One external port, or range, of a floating IP that leads to a port of an instance.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "port_forwarding",
    collection = "port_forwardings",
    class = "PortForwarding",
    extension = "floating-ip-port-forwarding",
    quota = "floatingip_port_forwarding",
    parent = FloatingIp,
    parent_column = "floatingip_id"
)]
pub struct PortForwarding {
    #[field(id, filter, sort)]
    pub id: PortForwardingId,
    #[field(internal)]
    pub floatingip_id: FloatingIpId,
    #[field(create, update, filter, sort, unset)]
    pub external_port: Option<L4Port>,
    #[field(create, update, filter, unset)]
    pub internal_port: Option<L4Port>,
    #[field(create, update, filter, required)]
    pub internal_ip_address: Ipv4Addr,
    #[field(create, update, filter, sort, required)]
    pub internal_port_id: PortId,
    #[field(create, update, filter, sort, required)]
    pub protocol: Protocol,
    #[field(create, update, filter, sort, unset, input = Option<L4PortRange>)]
    pub external_port_range: L4PortRange,
    #[field(create, update, unset, input = Option<L4PortRange>)]
    pub internal_port_range: L4PortRange,
    #[field(filter, sort)]
    pub status: String,
    pub status_reason: Option<String>,
    #[field(standard)]
    pub standard: crate::forwarding::ForwardingStandard,
}

impl PortForwarding {
    /// External and internal ports.
    pub fn sockets(&self) -> Sockets {
        Sockets { external: self.external_port_range, internal: self.internal_port_range }
    }

    /// Its name in change logs, reports and claims.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::PortForwarding(self.id)
    }
}

impl Rules for PortForwarding {
    fn create(
        input: &PortForwardingCreate,
        parent: Option<&str>,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        decide::create(input, parent.unwrap_or_default(), facts, context)
    }

    fn update(
        current: &Self,
        update: &PortForwardingUpdate,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        decide::update(current, update, facts, context)
    }

    fn delete(current: &Self, facts: &Facts, _context: &Context<'_>) -> Result<Writes, Stop> {
        decide::delete(current, facts)
    }
}
