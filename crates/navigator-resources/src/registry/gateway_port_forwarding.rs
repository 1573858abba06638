//! Port forwardings of a router's own gateway address: one external port, or range, leads to a port
//! of an instance behind the router. Below `/v2.0/routers/<id>/gateway_port_forwardings`.

mod attribute;
mod decide;
#[cfg(test)]
mod tests;

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use navigator_model::{
    GatewayPortForwardingId, L4Port, L4PortRange, ObjectKey, PortId, Protocol, RouterId,
    snapshot::SourceNat,
};

pub use attribute::{AllowedCidrs, GatewayAddress};

pub(crate) use decide::removal;

use crate::{Context, Facts, Resource, Router, Rules, Stop, Writes, forwarding::Sockets};

/// One external port, or range, of a router's gateway address that leads to a port of an instance.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "gateway_port_forwarding",
    collection = "gateway_port_forwardings",
    class = "RouterGatewayPortForwarding",
    extension = "router-gateway-port-forwarding",
    quota = "router_gateway_port_forwarding",
    parent = Router,
    parent_column = "router_id"
)]
pub struct GatewayPortForwarding {
    #[field(id, filter, sort)]
    pub id: GatewayPortForwardingId,
    #[field()]
    pub router_id: RouterId,
    #[field(create, update, filter, sort, unset)]
    pub external_port: Option<L4Port>,
    #[field(create, update, filter, unset)]
    pub internal_port: Option<L4Port>,
    #[field(create, update, filter, unset)]
    pub internal_ip_address: Ipv4Addr,
    #[field(create, update, filter, sort, required)]
    pub internal_port_id: PortId,
    #[field(create, update, filter, sort, required)]
    pub protocol: Protocol,
    /// Always what the gateway port has now, so that it cannot go stale.
    #[field(
        computed = "(SELECT p.fixed_ips FROM routers r JOIN ports p ON p.id = r.gw_port_id WHERE r.id = gateway_port_forwardings.router_id)"
    )]
    pub gw_ip_address: GatewayAddress,
    #[field(create, update, unset, input = Option<L4PortRange>)]
    pub external_port_range: L4PortRange,
    #[field(create, update, unset, input = Option<L4PortRange>)]
    pub internal_port_range: L4PortRange,
    #[field(create, update, default = SourceNat::Auto)]
    pub source_nat: SourceNat,
    #[field(create, update, default = AllowedCidrs::default())]
    pub allowed_cidrs: AllowedCidrs,
    #[field(filter, sort)]
    pub status: String,
    #[field()]
    pub status_reason: Option<String>,
    #[field(standard)]
    pub standard: crate::forwarding::ForwardingStandard,
}

impl GatewayPortForwarding {
    /// External and internal ports.
    pub fn sockets(&self) -> Sockets {
        Sockets { external: self.external_port_range, internal: self.internal_port_range }
    }

    /// Its name in change logs, reports and claims.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::GatewayPortForwarding(self.id)
    }

    /// Sources that may use it; empty means any.
    pub fn sources(&self) -> &[Ipv4Net] {
        &self.allowed_cidrs.0
    }
}

impl Rules for GatewayPortForwarding {
    fn create(
        input: &GatewayPortForwardingCreate,
        parent: Option<&str>,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        decide::create(input, parent.unwrap_or_default(), facts, context)
    }

    fn update(
        current: &Self,
        update: &GatewayPortForwardingUpdate,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        decide::update(current, update, facts, context)
    }

    fn delete(current: &Self, _facts: &Facts, _context: &Context<'_>) -> Result<Writes, Stop> {
        Ok(decide::removal(current))
    }
}
