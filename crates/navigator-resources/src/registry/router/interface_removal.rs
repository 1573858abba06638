//! `remove_router_interface`: an interface goes when nothing leads through it any more.

use std::net::IpAddr;

use navigator_model::{PortId, SubnetId};
use serde_json::{Map, Value};

use super::{
    Router,
    interface::{Named, bad, info, touch},
};
use crate::{
    Context, Facts, FloatingIp, GatewayPortForwarding, Port, PortForwarding, Refusal, Select,
    SqlValue, Stop, Subnet, Writes,
    forwarding::{is_attached, router_interfaces},
    registry::port,
};

/// `{"subnet_id": …}`, `{"port_id": …}` or both.
pub(super) fn remove(
    router: &Router,
    body: &Map<String, Value>,
    facts: &Facts,
    _context: &Context<'_>,
) -> Result<(Value, Writes), Stop> {
    let Named { subnet_id, port_id } = Named::read(body)?;
    let interfaces = router_interfaces(router.id, facts)?;
    let port = match port_id {
        Some(port_id) => named_port(router, &interfaces, port_id, subnet_id)?,
        None => on_subnet(router, &interfaces, subnet_id, facts)?,
    };
    for fixed in &port.fixed_ips {
        not_needed(router, fixed.subnet_id, facts)?;
    }
    let mut writes = port::remove(port, facts)?;
    touch(router, port, &mut writes);
    Ok((info(router, port, subnet_id), writes))
}

fn named_port<'a>(
    router: &Router,
    interfaces: &'a [Port],
    port_id: PortId,
    subnet_id: Option<SubnetId>,
) -> Result<&'a Port, Stop> {
    let found = interfaces.iter().find(|port| port.id == port_id);
    let port = found.ok_or_else(|| Refusal::RouterInterfaceNotFound {
        router_id: router.id.to_string(),
        port_id: port_id.to_string(),
    })?;
    match subnet_id {
        Some(subnet_id) if !is_attached(std::slice::from_ref(port), subnet_id) => {
            Err(Refusal::SubnetMismatchForPort {
                port_id: port_id.to_string(),
                subnet_id: subnet_id.to_string(),
            }
            .into())
        }
        _ => Ok(port),
    }
}

fn on_subnet<'a>(
    router: &Router,
    interfaces: &'a [Port],
    subnet_id: Option<SubnetId>,
    facts: &Facts,
) -> Result<&'a Port, Stop> {
    let Some(subnet_id) = subnet_id else { return Err(bad("No subnet is specified".to_owned())) };
    let attached =
        interfaces.iter().find(|port| is_attached(std::slice::from_ref(*port), subnet_id));
    if let Some(port) = attached {
        return Ok(port);
    }
    if facts.find::<Subnet>(subnet_id)?.is_none() {
        return Err(Refusal::not_found::<Subnet>(subnet_id).into());
    }
    Err(Refusal::RouterInterfaceNotFoundForSubnet {
        router_id: router.id.to_string(),
        subnet_id: subnet_id.to_string(),
    }
    .into())
}

/// Neither floating IPs nor forwardings nor routes lead through the interface on this subnet.
fn not_needed(router: &Router, subnet_id: SubnetId, facts: &Facts) -> Result<(), Stop> {
    let Some(subnet) = facts.find::<Subnet>(subnet_id)? else { return Ok(()) };
    let (router_id, subnet_id) = (router.id.to_string(), subnet_id.to_string());
    let inside = |address: IpAddr| subnet.cidr.contains(&address);
    let floating_ips: Vec<FloatingIp> = facts.list(Select::eq("router_id", router_id.as_str()))?;
    let mut fixed = floating_ips.iter().filter_map(|floating_ip| floating_ip.fixed_ip_address);
    if fixed.any(|address| inside(address.into())) || forwarded(&floating_ips, inside, facts)? {
        return Err(Refusal::RouterInterfaceInUseByFloatingIP { router_id, subnet_id }.into());
    }
    let forwardings: Vec<GatewayPortForwarding> =
        facts.list(Select::eq("router_id", router_id.as_str()))?;
    if forwardings.iter().any(|forwarding| inside(forwarding.internal_ip_address.into())) {
        return Err(Refusal::RouterInterfaceInUseByPortForwarding { router_id, subnet_id }.into());
    }
    if router.routes.iter().any(|route| inside(route.nexthop)) {
        return Err(Refusal::RouterInterfaceInUseByRoute { router_id, subnet_id }.into());
    }
    Ok(())
}

/// Whether one of the floating IPs' own port forwardings leads there.
fn forwarded(
    floating_ips: &[FloatingIp],
    inside: impl Fn(IpAddr) -> bool,
    facts: &Facts,
) -> Result<bool, Stop> {
    // An associated floating IP has none.
    let free = floating_ips.iter().filter(|floating_ip| floating_ip.port_id.is_none());
    let ids: Vec<SqlValue> = free.map(|f| SqlValue::from(f.id.to_string())).collect();
    if ids.is_empty() {
        return Ok(false);
    }
    let forwardings: Vec<PortForwarding> = facts.list(Select::any("floatingip_id", ids))?;
    Ok(forwardings.iter().any(|forwarding| inside(forwarding.internal_ip_address.into())))
}
