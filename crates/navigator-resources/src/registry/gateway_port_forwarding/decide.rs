//! The checks, in the order in which clients see them fail, and the writes.
//!
//! Overlaps are refused by the database's port claims, so that of two requests at the same time
//! one loses; what can be seen before is refused before, with the same answer.

use std::net::Ipv4Addr;

use navigator_model::{L4Port, L4PortRange, Protocol, RouterId, Scope};

use super::{
    GatewayAddress, GatewayPortForwarding, GatewayPortForwardingCreate, GatewayPortForwardingUpdate,
};
use crate::{
    Context, Facts, FloatingIp, Port, Query, Refusal, Router, Select, Stop, Write, Writes,
    forwarding::{
        ForwardingStandard, PortsRequest, Sockets, address_of, is_attached, router_interfaces,
        target_port,
    },
};

const RESOURCE: &str = "gateway_port_forwarding";

pub(super) fn create(
    input: &GatewayPortForwardingCreate,
    parent: &str,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(GatewayPortForwarding, Writes), Stop> {
    facts.ask([
        Query::rows::<Router>(Select::eq("id", parent).locked()),
        Query::rows::<Port>(Select::eq("id", input.internal_port_id.to_string()).locked()),
    ])?;
    let router = locked_router(parent, facts)?;
    let sockets = PortsRequest {
        external_port: input.external_port,
        external_port_range: input.external_port_range,
        internal_port: input.internal_port,
        internal_port_range: input.internal_port_range,
    }
    .resolve(None)?;
    let project_id = router.standard.project_id.clone();
    let description = input.standard.description.clone();
    let mut forwarding = GatewayPortForwarding {
        id: navigator_model::GatewayPortForwardingId(context.uuid(RESOURCE)),
        router_id: router.id,
        external_port: sockets.external.as_single(),
        internal_port: sockets.internal.as_single(),
        internal_ip_address: Ipv4Addr::UNSPECIFIED,
        internal_port_id: input.internal_port_id,
        protocol: input.protocol,
        gw_ip_address: GatewayAddress::default(),
        external_port_range: sockets.external,
        internal_port_range: sockets.internal,
        source_nat: input.source_nat,
        allowed_cidrs: input.allowed_cidrs.clone(),
        status: "DOWN".to_owned(),
        status_reason: None,
        standard: ForwardingStandard::new(project_id, description, context.now),
    };
    check(&mut forwarding, input.internal_ip_address, &router, facts, context)?;
    let mut writes = Writes::new();
    writes.insert(&forwarding);
    claim(&forwarding, &mut writes);
    touch(&forwarding, &mut writes);
    Ok((forwarding, writes))
}

pub(super) fn update(
    current: &GatewayPortForwarding,
    update: &GatewayPortForwardingUpdate,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(GatewayPortForwarding, Writes), Stop> {
    let router = locked_router(&current.router_id.to_string(), facts)?;
    let sockets = PortsRequest {
        external_port: update.external_port,
        external_port_range: update.external_port_range,
        internal_port: update.internal_port,
        internal_port_range: update.internal_port_range,
    }
    .resolve(Some(current.sockets()))?;
    let mut merged = current.clone();
    update.apply_to(&mut merged);
    merged.external_port = sockets.external.as_single();
    merged.external_port_range = sockets.external;
    merged.internal_port = sockets.internal.as_single();
    merged.internal_port_range = sockets.internal;
    if merged == *current {
        return Ok((merged, Writes::new()));
    }
    let address = merged.internal_ip_address;
    check(&mut merged, Some(address), &router, facts, context)?;
    let mut writes = Writes::new();
    writes.push(Write::ReleasePorts { owner: merged.key().to_string() }).update(&merged);
    claim(&merged, &mut writes);
    touch(&merged, &mut writes);
    Ok((merged, writes))
}

/// Everything that goes with a forwarding.
pub(crate) fn removal(forwarding: &GatewayPortForwarding) -> Writes {
    let mut writes = Writes::new();
    writes
        .push(Write::ReleasePorts { owner: forwarding.key().to_string() })
        .delete::<GatewayPortForwarding>(forwarding.id);
    touch(forwarding, &mut writes);
    writes
}

/// Its gateway, interfaces and forwardings change only under its lock.
fn locked_router(router_id: &str, facts: &Facts) -> Result<Router, Stop> {
    let not_found = || Refusal::not_found::<Router>(router_id);
    Ok(facts.lock::<Router>(router_id)?.ok_or_else(not_found)?)
}

/// `address` is what the request asks for; the forwarding gets the address that it will lead to.
fn check(
    forwarding: &mut GatewayPortForwarding,
    address: Option<Ipv4Addr>,
    router: &Router,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(), Stop> {
    allowed_ports(forwarding.sockets(), context)?;
    forwarding.gw_ip_address = gateway_address(router, facts)?;
    let project_id = &router.standard.project_id;
    let port = target_port(RESOURCE, forwarding.internal_port_id, project_id, facts, context)?;
    let (address, subnet_id) = address_of(&port, address)?;
    forwarding.internal_ip_address = address;
    if !is_attached(&router_interfaces(router.id, facts)?, subnet_id) {
        return Err(Refusal::PortNetworkNotBindOnRouter {
            network_id: port.network_id.to_string(),
            port_id: port.id.to_string(),
            router_id: router.id.to_string(),
        }
        .into());
    }
    without_floating_ip(&port, facts, context)?;
    without_conflict(forwarding, facts)
}

fn allowed_ports(sockets: Sockets, context: &Context<'_>) -> Result<(), Refusal> {
    let allowed = context.settings.gateway_port_forwarding_port_range;
    let external = sockets.external;
    if allowed.first() <= external.first() && external.last() <= allowed.last() {
        return Ok(());
    }
    Err(Refusal::InvalidInput {
        error_message: format!(
            "External ports {external} are outside of the allowed range {allowed}"
        ),
    })
}

fn gateway_address(router: &Router, facts: &Facts) -> Result<GatewayAddress, Stop> {
    let router_id = router.id.to_string();
    let no_gateway = Refusal::RouterDoesNotHaveGateway { router_id: router_id.clone() };
    let gw_port_id = router.gw_port_id.ok_or_else(|| no_gateway.clone())?;
    let port = facts.find::<Port>(gw_port_id)?.ok_or(no_gateway)?;
    let address = GatewayAddress::of(&port.fixed_ips);
    if address.0.is_none() {
        return Err(Refusal::RouterGatewayPortDoesNotHaveAnyIPAddresses { router_id }.into());
    }
    Ok(address)
}

/// A port with a floating IP sends its replies by that address where routers are distributed.
fn without_floating_ip(port: &Port, facts: &Facts, context: &Context<'_>) -> Result<(), Stop> {
    if context.settings.allow_port_forwarding_with_floating_ip {
        return Ok(());
    }
    match facts.list::<FloatingIp>(Select::eq("port_id", port.id.to_string()))?.first() {
        Some(floating_ip) => Err(floating_ip.bound_to(port.id).into()),
        None => Ok(()),
    }
}

/// What two single ports show. Ranges that overlap are left to the claims, which see every port.
fn without_conflict(forwarding: &GatewayPortForwarding, facts: &Facts) -> Result<(), Stop> {
    let on_router = |column, port: Option<L4Port>| {
        port.map(|port| {
            Select::eq("router_id", forwarding.router_id.to_string())
                .and("protocol", forwarding.protocol.name())
                .and(column, i64::from(port.get()))
        })
    };
    let outside = on_router("external_port", forwarding.external_port);
    let inside = on_router("internal_port", forwarding.internal_port).map(|select| {
        select
            .and("internal_port_id", forwarding.internal_port_id.to_string())
            .and("internal_ip_address", forwarding.internal_ip_address.to_string())
    });
    for (select, conflict) in
        [(outside, external_conflict(forwarding)), (inside, internal_conflict(forwarding))]
    {
        let Some(select) = select else { continue };
        let rivals = facts.list::<GatewayPortForwarding>(select)?;
        if rivals.iter().any(|rival| rival.id != forwarding.id) {
            return Err(conflict.into());
        }
    }
    Ok(())
}

/// Takes both sides: the database lets nobody else have any of these ports.
pub(super) fn claim(forwarding: &GatewayPortForwarding, writes: &mut Writes) {
    let GatewayPortForwarding { router_id, protocol, .. } = *forwarding;
    let Sockets { external, internal } = forwarding.sockets();
    let owner = forwarding.key().to_string();
    let (port_id, address) = (forwarding.internal_port_id, forwarding.internal_ip_address);
    writes
        .push(Write::ClaimPorts {
            holder: format!("router/{router_id}"),
            protocol,
            ports: external,
            owner: owner.clone(),
            conflict: external_conflict(forwarding),
        })
        .push(Write::ClaimPorts {
            holder: format!("router/{router_id}/{port_id}/{address}"),
            protocol,
            ports: internal,
            owner,
            conflict: internal_conflict(forwarding),
        });
}

fn touch(forwarding: &GatewayPortForwarding, writes: &mut Writes) {
    let router_id: RouterId = forwarding.router_id;
    writes.touch(Scope::Router(router_id), forwarding.key()).bump::<Router>(router_id);
}

fn external_conflict(forwarding: &GatewayPortForwarding) -> Refusal {
    let GatewayPortForwarding { router_id, protocol, .. } = forwarding;
    let port = port_text("external_port", forwarding.external_port_range);
    Refusal::RouterGatewayPortForwardingAlreadyExists {
        conflict: format!("{{'router_id': '{router_id}', {}, {port}}}", protocol_text(*protocol)),
    }
}

fn internal_conflict(forwarding: &GatewayPortForwarding) -> Refusal {
    let GatewayPortForwarding { router_id, internal_port_id, internal_ip_address, .. } = forwarding;
    let protocol = protocol_text(forwarding.protocol);
    let port = port_text("internal_port", forwarding.internal_port_range);
    Refusal::RouterGatewayPortForwardingAlreadyExists {
        conflict: format!(
            "{{'router_id': '{router_id}', 'internal_port_id': '{internal_port_id}', \
             'internal_ip_address': '{internal_ip_address}', {protocol}, {port}}}"
        ),
    }
}

fn protocol_text(protocol: Protocol) -> String {
    format!("'protocol': '{protocol}'")
}

fn port_text(name: &str, range: L4PortRange) -> String {
    match range.as_single() {
        Some(port) => format!("'{name}': {port}"),
        None => format!("'{name}_range': '{range}'"),
    }
}
