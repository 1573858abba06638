//! The checks in Neutron's order, and the writes.

use navigator_model::{FloatingIpId, L4PortRange, PortForwardingId, RouterId, Scope};

use super::{PortForwarding, PortForwardingCreate, PortForwardingUpdate};
use crate::{
    Context, Facts, FloatingIp, Port, Query, Refusal, Select, Stop, Write, Writes,
    forwarding::{ForwardingStandard, PortsRequest, Sockets, address_of, target_port},
    registry::floating_ip::{of_port, router_for},
};

const RESOURCE: &str = "port_forwarding";

fn bad(msg: String) -> Refusal {
    Refusal::BadRequest { resource: RESOURCE.to_owned(), msg }
}

pub(super) fn create(
    input: &PortForwardingCreate,
    parent: &str,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(PortForwarding, Writes), Stop> {
    facts.ask([
        Query::rows::<FloatingIp>(Select::eq("id", parent).locked()),
        Query::rows::<Port>(Select::eq("id", input.internal_port_id.to_string()).locked()),
    ])?;
    let floating_ip = locked(parent, facts)?;
    let sockets = PortsRequest {
        external_port: input.external_port,
        external_port_range: input.external_port_range,
        internal_port: input.internal_port,
        internal_port_range: input.internal_port_range,
    }
    .resolve(None)?;
    let project_id = floating_ip.standard.project_id.clone();
    let description = input.standard.description.clone();
    let forwarding = PortForwarding {
        id: PortForwardingId(context.uuid(RESOURCE)),
        floatingip_id: floating_ip.id,
        external_port: sockets.external.as_single(),
        internal_port: sockets.internal.as_single(),
        internal_ip_address: input.internal_ip_address,
        internal_port_id: input.internal_port_id,
        protocol: input.protocol,
        external_port_range: sockets.external,
        internal_port_range: sockets.internal,
        status: "DOWN".to_owned(),
        status_reason: None,
        standard: ForwardingStandard::new(project_id, description, context.now),
    };
    let router_id = check(&forwarding, &floating_ip, facts, context)?;
    let mut writes = Writes::new();
    writes.insert(&forwarding);
    claim(&forwarding, &mut writes);
    settle(&floating_ip, router_id, &mut writes);
    touch(&forwarding, Some(router_id), &mut writes);
    Ok((forwarding, writes))
}

pub(super) fn update(
    current: &PortForwarding,
    update: &PortForwardingUpdate,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(PortForwarding, Writes), Stop> {
    let floating_ip = locked(&current.floatingip_id.to_string(), facts)?;
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
    let router_id = check(&merged, &floating_ip, facts, context)?;
    let mut writes = Writes::new();
    writes.push(Write::ReleasePorts { owner: merged.key().to_string() }).update(&merged);
    claim(&merged, &mut writes);
    settle(&floating_ip, router_id, &mut writes);
    if let Some(former) = floating_ip.router_id.filter(|former| *former != router_id) {
        writes.touch(Scope::Router(former), merged.key());
    }
    touch(&merged, Some(router_id), &mut writes);
    Ok((merged, writes))
}

pub(super) fn delete(current: &PortForwarding, facts: &Facts) -> Result<Writes, Stop> {
    let floating_ip = locked(&current.floatingip_id.to_string(), facts)?;
    let mut writes = removal(current, floating_ip.router_id);
    writes.append(last_gone(&floating_ip, &[current.id], facts)?);
    Ok(writes)
}

/// The writes that remove one forwarding, whatever becomes of its floating IP.
pub(crate) fn removal(forwarding: &PortForwarding, router_id: Option<RouterId>) -> Writes {
    let mut writes = Writes::new();
    writes
        .push(Write::ReleasePorts { owner: forwarding.key().to_string() })
        .delete::<PortForwarding>(forwarding.id);
    touch(forwarding, router_id, &mut writes);
    writes
}

/// Takes a locked floating IP from its router if no forwarding but these is left.
pub(crate) fn last_gone(
    floating_ip: &FloatingIp,
    gone: &[PortForwardingId],
    facts: &Facts,
) -> Result<Writes, Stop> {
    let mut writes = Writes::new();
    if are_others(floating_ip.id, gone, facts)? {
        return Ok(writes);
    }
    floating_ip.touch(&mut writes);
    let mut free = floating_ip.clone();
    free.disassociate();
    writes.update(&free);
    Ok(writes)
}

/// Whether a floating IP has forwardings besides these. It can have thousands: no more of them are read
/// than it takes to know. To be asked under the floating IP's lock, so that none comes or goes after.
pub(crate) fn are_others(
    floatingip_id: FloatingIpId,
    known: &[PortForwardingId],
    facts: &Facts,
) -> Result<bool, Stop> {
    let enough = u32::try_from(known.len()).unwrap_or(u32::MAX).saturating_add(1);
    let some = Select::eq("floatingip_id", floatingip_id.to_string()).at_most(enough);
    let some = facts.list::<PortForwarding>(some)?;
    Ok(some.iter().any(|forwarding| !known.contains(&forwarding.id)))
}

/// Forwardings of a floating IP change only under its lock.
fn locked(floatingip_id: &str, facts: &Facts) -> Result<FloatingIp, Stop> {
    let not_found = || Refusal::not_found::<FloatingIp>(floatingip_id);
    Ok(facts.lock::<FloatingIp>(floatingip_id)?.ok_or_else(not_found)?)
}

/// The router that can do it.
fn check(
    forwarding: &PortForwarding,
    floating_ip: &FloatingIp,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<RouterId, Stop> {
    if let (Some(port_id), Some(fixed_ip)) = (floating_ip.port_id, floating_ip.fixed_ip_address) {
        return Err(floating_ip.already_associated(port_id, fixed_ip).into());
    }
    let project_id = &floating_ip.standard.project_id;
    let port = target_port(RESOURCE, forwarding.internal_port_id, project_id, facts, context)?;
    let (_, subnet_id) = address_of(&port, Some(forwarding.internal_ip_address)).map_err(|_| {
        bad(format!("Port {} does not have ip address {}", port.id, forwarding.internal_ip_address))
    })?;
    let external = floating_ip.floating_network_id;
    let router_id = router_for(external, &port, subnet_id, floating_ip.router_id, facts)?;
    let router_id = router_id.ok_or_else(|| {
        bad(format!("External network {external} is not reachable from subnet {subnet_id}"))
    })?;
    only_router(forwarding, floating_ip, router_id, facts)?;
    if let Some(bound) = facts.list::<FloatingIp>(of_port(port.id))?.first() {
        return Err(bound.bound_to(port.id).into());
    }
    Ok(router_id)
}

/// All forwardings of one floating IP are done by one router: it answers for the address.
fn only_router(
    forwarding: &PortForwarding,
    floating_ip: &FloatingIp,
    router_id: RouterId,
    facts: &Facts,
) -> Result<(), Stop> {
    let Some(present) = floating_ip.router_id.filter(|present| *present != router_id) else {
        return Ok(());
    };
    // Alone, it may take the floating IP with it.
    if !are_others(floating_ip.id, &[forwarding.id], facts)? {
        return Ok(());
    }
    Err(bad(format!("FloatingIP {} had been set on router {present}", floating_ip.id)).into())
}

/// Takes both sides. The internal one is taken for all floating IPs together, as in Neutron.
fn claim(forwarding: &PortForwarding, writes: &mut Writes) {
    let Sockets { external, internal } = forwarding.sockets();
    let owner = forwarding.key().to_string();
    let (port_id, address) = (forwarding.internal_port_id, forwarding.internal_ip_address);
    writes
        .push(Write::ClaimPorts {
            holder: format!("floatingip/{}", forwarding.floatingip_id),
            protocol: forwarding.protocol,
            ports: external,
            owner: owner.clone(),
            conflict: external_conflict(forwarding),
        })
        .push(Write::ClaimPorts {
            holder: format!("floatingip/{port_id}/{address}"),
            protocol: forwarding.protocol,
            ports: internal,
            owner,
            conflict: internal_conflict(forwarding),
        });
}

/// Gives the floating IP to the router.
fn settle(floating_ip: &FloatingIp, router_id: RouterId, writes: &mut Writes) {
    if floating_ip.router_id == Some(router_id) {
        return;
    }
    // The router that had it, if any.
    floating_ip.touch(writes);
    let settled = FloatingIp { router_id: Some(router_id), ..floating_ip.clone() };
    writes.update(&settled);
    settled.touch(writes);
}

fn touch(forwarding: &PortForwarding, router_id: Option<RouterId>, writes: &mut Writes) {
    if let Some(router_id) = router_id {
        writes.touch(Scope::Router(router_id), forwarding.key());
    }
    writes.bump::<FloatingIp>(forwarding.floatingip_id).bump::<Port>(forwarding.internal_port_id);
}

fn external_conflict(forwarding: &PortForwarding) -> Refusal {
    duplicate(format!(
        "{{'floatingip_id': '{}', 'protocol': '{}', {}}}",
        forwarding.floatingip_id,
        forwarding.protocol,
        port_text("external_port", forwarding.external_port_range)
    ))
}

fn internal_conflict(forwarding: &PortForwarding) -> Refusal {
    duplicate(format!(
        "{{'internal_port_id': '{}', 'internal_ip_address': '{}', 'protocol': '{}', {}}}",
        forwarding.internal_port_id,
        forwarding.internal_ip_address,
        forwarding.protocol,
        port_text("internal_port", forwarding.internal_port_range)
    ))
}

fn duplicate(conflict: String) -> Refusal {
    bad(format!(
        "A duplicate port forwarding entry with same attributes already exists, conflicting values \
         are {conflict}"
    ))
}

fn port_text(name: &str, range: L4PortRange) -> String {
    match range.as_single() {
        Some(port) => format!("'{name}': {port}"),
        None => format!("'{name}_range': '{range}'"),
    }
}
