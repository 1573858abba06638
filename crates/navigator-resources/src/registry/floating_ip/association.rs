//! Where a floating IP leads: to one fixed IPv4 address of one port, through the router that
//! connects that address's subnet with the floating IP's network.

use std::net::{IpAddr, Ipv4Addr};

use navigator_model::{NetworkId, PortId, RouterId, SubnetId, snapshot::FixedIp};

use super::FloatingIp;
use crate::{
    Context, Facts, GatewayPortForwarding, Network, Port, Query, Refusal, Router, Select, SqlValue,
    Stop, Subnet, registry::port::ROUTER_INTERFACE_OWNER,
};

pub(super) fn bad(msg: String) -> Stop {
    Refusal::BadRequest { resource: "floatingip".to_owned(), msg }.into()
}

/// Leads `floating_ip` to the port. `asked` chooses among the port's addresses.
pub(super) fn associate(
    floating_ip: &mut FloatingIp,
    port_id: PortId,
    asked: Option<Ipv4Addr>,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(), Stop> {
    let port = own_port(floating_ip, port_id, facts, context)?;
    let (address, subnet_id) = chosen(&port, asked)?;
    let external = floating_ip.floating_network_id;
    let router_id = router_for(external, &port, subnet_id, floating_ip.router_id, facts)?
        .ok_or_else(|| Refusal::ExternalGatewayForFloatingIPNotFound {
            external_network_id: floating_ip.floating_network_id.to_string(),
            subnet_id: subnet_id.to_string(),
            port_id: port_id.to_string(),
        })?;
    free(floating_ip, &port, address, facts, context)?;
    floating_ip.disassociate();
    floating_ip.router_id = Some(router_id);
    floating_ip.port_id = Some(port_id);
    floating_ip.fixed_ip_address = Some(address);
    floating_ip.describe(&port);
    Ok(())
}

/// The port, locked: its addresses stay what they are until the transaction ends.
fn own_port(
    floating_ip: &FloatingIp,
    port_id: PortId,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Port, Stop> {
    let not_found = || Stop::from(Refusal::not_found::<Port>(port_id));
    let port = facts.lock::<Port>(port_id)?.ok_or_else(not_found)?;
    if !context.caller.owns(&port.standard.project_id) {
        let network = facts.find::<Network>(port.network_id)?;
        if !network.is_some_and(|n| context.caller.owns(&n.standard.project_id)) {
            return Err(not_found());
        }
    }
    let owner = &port.standard.project_id;
    if !context.caller.is_admin && *owner != floating_ip.standard.project_id {
        return Err(bad(format!(
            "Cannot process floating IP association with Port {port_id}, since that port is owned \
             by a different project"
        )));
    }
    let device_owner = port.device_owner.to_string();
    if device_owner.starts_with("network:") {
        return Err(bad(format!(
            "Cannot process floating IP association with Port {port_id}, since it belongs to the \
             network itself: {device_owner}"
        )));
    }
    Ok(port)
}

fn chosen(port: &Port, asked: Option<Ipv4Addr>) -> Result<(Ipv4Addr, SubnetId), Stop> {
    let ipv4 = |fixed: &FixedIp| match fixed.ip_address {
        IpAddr::V4(address) => Some((address, fixed.subnet_id)),
        IpAddr::V6(_) => None,
    };
    let all: Vec<_> = port.fixed_ips.iter().filter_map(ipv4).collect();
    if let Some(asked) = asked {
        let found = all.iter().find(|(address, _)| *address == asked);
        return found
            .copied()
            .ok_or_else(|| bad(format!("Port {} does not have fixed ip {asked}", port.id)));
    }
    match all[..] {
        [one] => Ok(one),
        [] => Err(bad(format!(
            "Cannot add floating IP to port {} that has no fixed IPv4 addresses",
            port.id
        ))),
        _ => Err(bad(format!(
            "Port {} has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when \
             assigning a floating IP",
            port.id
        ))),
    }
}

/// Floating IPs that lead to the port.
pub(crate) fn of_port(port_id: PortId) -> Select {
    Select::eq("port_id", port_id.to_string())
}

/// The router on the subnet whose gateway is on the external network: of several the one that has
/// the subnet's gateway address, because instances answer through it; else the first. `likely` is what it
/// is if nothing has moved, so that nobody has to look for it before it is held. Along with it is asked for
/// what leads to the port already, which callers look at next.
pub(crate) fn router_for(
    external: NetworkId,
    port: &Port,
    subnet_id: SubnetId,
    likely: Option<RouterId>,
    facts: &Facts,
) -> Result<Option<RouterId>, Stop> {
    // Held, so that its gateway and its interface stay while something comes to need them.
    let held = |ids: Vec<SqlValue>| Select::any("id", ids).held();
    let on_network = Select::eq("network_id", port.network_id.to_string())
        .and("device_owner", ROUTER_INTERFACE_OWNER);
    let ask = |ids: Vec<SqlValue>| {
        let subnet = Query::rows::<Subnet>(Select::eq("id", subnet_id.to_string()));
        facts.ask([
            Query::rows::<Router>(held(ids)),
            Query::rows::<Port>(on_network.clone()),
            subnet,
            Query::rows::<FloatingIp>(of_port(port.id)),
        ])
    };
    if let Some(likely) = likely {
        ask(vec![likely.to_string().into()])?;
    }
    let mut interfaces: Vec<Port> = facts.list(on_network.clone())?;
    interfaces.retain(|i| i.fixed_ips.iter().any(|fixed| fixed.subnet_id == subnet_id));
    if interfaces.is_empty() {
        return Ok(None);
    }
    let ids: Vec<_> = interfaces.iter().map(|i| i.device_id.to_string().into()).collect();
    ask(ids.clone())?;
    let mut routers: Vec<Router> = facts.list(held(ids))?;
    routers.retain(|r| r.external_gateway_info.as_ref().is_some_and(|g| g.network_id == external));
    let gateway_ip = facts.find::<Subnet>(subnet_id)?.and_then(|subnet| subnet.gateway_ip);
    let is_default = |router: &&Router| {
        let own = interfaces.iter().filter(|i| i.device_id.to_string() == router.id.to_string());
        own.flat_map(|i| &i.fixed_ips).any(|fixed| Some(fixed.ip_address) == gateway_ip)
    };
    Ok(routers.iter().find(is_default).or_else(|| routers.first()).map(|router| router.id))
}

/// Nothing else leads from outside to the address, and the floating IP leads nowhere else.
fn free(
    floating_ip: &FloatingIp,
    port: &Port,
    address: Ipv4Addr,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(), Stop> {
    let others: Vec<FloatingIp> = facts.list(of_port(port.id))?;
    let taken = others.iter().any(|other| {
        other.id != floating_ip.id
            && other.fixed_ip_address == Some(address)
            && other.floating_network_id == floating_ip.floating_network_id
    });
    if taken {
        // As Neutron does, names the one that cannot, not the one that already does.
        return Err(floating_ip.already_associated(port.id, address).into());
    }
    if !context.settings.allow_port_forwarding_with_floating_ip {
        let select = Select::eq("internal_port_id", port.id.to_string());
        if !facts.list::<GatewayPortForwarding>(select)?.is_empty() {
            return Err(Refusal::PortHasPortForwarding { port_id: port.id.to_string() }.into());
        }
    }
    Ok(())
}
