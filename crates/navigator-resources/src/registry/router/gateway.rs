//! Setting, changing and clearing a router's gateway. The gateway is a port on the external
//! network that belongs to no project, so that tenants neither see nor move it.

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use navigator_model::{NetworkId, ProjectId};

use super::{GatewayInfo, GatewayRequest, Router, interface::check_subnets};
use crate::{
    Context, Facts, FloatingIp, Network, Port, Refusal, Select, Stop, Subnet, Writes, qos,
    registry::{
        gateway_port_forwarding::GatewayAddress,
        port::{self, FixedIpRequest, NewPort, ROUTER_GATEWAY_OWNER},
        qos_policy::QosPolicyId,
    },
};

/// What a changed gateway needs before and after the router's own row is written: the row names the
/// port, so the new one comes before and the old one goes after.
#[derive(Default)]
pub(super) struct Change {
    pub(super) before: Writes,
    pub(super) after: Writes,
    /// The gateway port as this change leaves it, if it wrote it.
    pub(super) port: Option<Port>,
}

pub(super) fn change(
    router: &mut Router,
    request: &GatewayRequest,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Change, Stop> {
    match request {
        GatewayRequest::Clear => clear(router, facts),
        GatewayRequest::Set { network_id, enable_snat, external_fixed_ips, qos_policy_id } => {
            let asked = external_fixed_ips.as_deref();
            check_network(*network_id, asked, facts, context)?;
            let current = router.external_gateway_info.clone();
            let mut change = match &current {
                Some(info) if info.network_id == *network_id => readdress(router, asked, facts)?,
                Some(_) => replace(router, *network_id, asked, facts, context)?,
                None => attach(router, *network_id, asked, facts, context)?,
            };
            remember(router, *network_id, *enable_snat, &mut change);
            assign_qos_policy(router, current.as_ref(), *qos_policy_id, facts, context)?;
            Ok(change)
        }
    }
}

/// A gateway on another network starts without a policy.
fn assign_qos_policy(
    router: &mut Router,
    before: Option<&GatewayInfo>,
    asked: Option<Option<QosPolicyId>>,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(), Stop> {
    let Some(info) = &mut router.external_gateway_info else { return Ok(()) };
    let same = before.is_some_and(|before| before.network_id == info.network_id);
    let kept = router.gateway_qos_policy_id.filter(|_| same);
    let wanted = asked.unwrap_or(kept);
    qos::usable(wanted, kept, facts, context.caller)?;
    info.qos_policy_id = wanted;
    router.gateway_qos_policy_id = wanted;
    Ok(())
}

fn bad(msg: String) -> Stop {
    Refusal::BadRequest { resource: "router".to_owned(), msg }.into()
}

fn check_network(
    network_id: NetworkId,
    asked: Option<&[FixedIpRequest]>,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(), Stop> {
    let network = Network::held(network_id, facts, context.caller)?;
    if !network.external {
        return Err(bad(format!("Network {network_id} is not an external network")));
    }
    let addresses: Vec<IpAddr> = asked.into_iter().flatten().filter_map(|a| a.ip_address).collect();
    if addresses.is_empty() {
        return Ok(());
    }
    let subnets = facts.list::<Subnet>(Select::eq("network_id", network_id.to_string()))?;
    for gateway_ip in subnets.iter().filter_map(|subnet| subnet.gateway_ip) {
        if addresses.contains(&gateway_ip) {
            return Err(bad(format!("External IP {gateway_ip} is the same as the gateway IP")));
        }
    }
    Ok(())
}

pub(super) fn clear(router: &mut Router, facts: &Facts) -> Result<Change, Stop> {
    let mut change = Change::default();
    let Some(info) = router.external_gateway_info.clone() else { return Ok(change) };
    unused(router, info.network_id, facts)?;
    change.after = detach(router, facts)?;
    router.external_gateway_info = None;
    router.gateway_qos_policy_id = None;
    router.gateway_fixed_ips = Vec::new();
    Ok(change)
}

/// Nothing that needs the gateway is left.
fn unused(router: &Router, network_id: NetworkId, facts: &Facts) -> Result<(), Stop> {
    let router_id = router.id.to_string();
    if router.has_forwards(facts)? {
        return Err(Refusal::DeletedRouterGatewayWithRGForwarding { router_id }.into());
    }
    if !facts.list::<FloatingIp>(Select::eq("router_id", router_id.as_str()))?.is_empty() {
        let net_id = network_id.to_string();
        return Err(Refusal::RouterExternalGatewayInUseByFloatingIp { router_id, net_id }.into());
    }
    Ok(())
}

/// The writes that remove the gateway port, once the router's row no longer names it.
fn detach(router: &mut Router, facts: &Facts) -> Result<Writes, Stop> {
    match router.gw_port_id.take() {
        Some(gw_port_id) => match facts.lock::<Port>(gw_port_id)? {
            Some(port) => port::remove(&port, facts),
            None => Ok(Writes::new()),
        },
        None => Ok(Writes::new()),
    }
}

fn replace(
    router: &mut Router,
    network_id: NetworkId,
    asked: Option<&[FixedIpRequest]>,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Change, Stop> {
    let cleared = clear(router, facts)?;
    let attached = attach(router, network_id, asked, facts, context)?;
    Ok(Change { after: cleared.after, ..attached })
}

fn attach(
    router: &mut Router,
    network_id: NetworkId,
    asked: Option<&[FixedIpRequest]>,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Change, Stop> {
    let subnets = facts.list::<Subnet>(Select::eq("network_id", network_id.to_string()))?;
    check_subnets(router, &subnets, facts)?;
    let network = facts
        .find::<Network>(network_id)?
        .ok_or_else(|| Refusal::not_found::<Network>(network_id))?;
    let (port, before) = NewPort {
        network: &network,
        project_id: ProjectId(String::new()),
        name: String::new(),
        device_owner: ROUTER_GATEWAY_OWNER.to_owned(),
        device_id: router.id.to_string(),
        fixed_ips: asked.filter(|asked| !asked.is_empty()).map(<[_]>::to_vec),
        mac_address: None,
        host_id: router.l3_host.clone(),
    }
    .make(facts, context, "router gateway port")?;
    Ok(Change { before, after: Writes::new(), port: Some(port) })
}

/// The same network: only the addresses may change.
fn readdress(
    router: &Router,
    asked: Option<&[FixedIpRequest]>,
    facts: &Facts,
) -> Result<Change, Stop> {
    let mut change = Change::default();
    let (Some(asked), Some(gw_port_id)) = (asked, router.gw_port_id) else { return Ok(change) };
    let Some(current) = facts.lock::<Port>(gw_port_id)? else { return Ok(change) };
    let (port, before) = port::set_fixed_ips(&current, asked, facts)?;
    let moved = GatewayAddress::of(&port.fixed_ips) != GatewayAddress::of(&current.fixed_ips);
    if moved && router.has_forwards(facts)? {
        let router_id = router.id.to_string();
        return Err(Refusal::DeletedRouterGatewayWithRGForwarding { router_id }.into());
    }
    change.before = before;
    change.port = Some(port);
    Ok(change)
}

/// Writes the outcome down in the router.
fn remember(
    router: &mut Router,
    network_id: NetworkId,
    enable_snat: Option<bool>,
    change: &mut Change,
) {
    if let Some(port) = &change.port {
        router.gw_port_id = Some(port.id);
        router.gateway_fixed_ips.clone_from(&port.fixed_ips);
    }
    let before = router.external_gateway_info.as_ref();
    // A gateway on another network starts with the default again.
    let stored = before.filter(|info| info.network_id == network_id).map(|info| info.enable_snat);
    router.external_gateway_info = Some(GatewayInfo {
        network_id,
        enable_snat: enable_snat.or(stored).unwrap_or(true),
        external_fixed_ips: router.gateway_fixed_ips.clone(),
        qos_policy_id: None,
    });
}
