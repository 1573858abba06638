//! `add_router_interface`, and what a router's devices are: a subnet is attached by a port of its own,
//! which either takes the subnet's gateway address (by subnet) or is brought along (by port; the
//! way for a second router on one subnet).

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use ipnet::IpNet;
use navigator_model::{ObjectKey, PortId, Scope, SubnetId};
use serde_json::{Map, Value, json};

use super::Router;
use crate::{
    AttributeValue, Context, Facts, FloatingIp, GatewayPortForwarding, Network, Port,
    PortForwarding, Refusal, Select, SqlValue, Stop, Subnet, Write, Writes,
    attribute::Text,
    registry::port::{self, FixedIpRequest, NewPort, ROUTER_INTERFACE_OWNER},
};

pub(super) fn bad(msg: String) -> Stop {
    Refusal::BadRequest { resource: "router".to_owned(), msg }.into()
}

/// The `subnet_id` and `port_id` of a body.
pub(super) struct Named {
    pub(super) subnet_id: Option<SubnetId>,
    pub(super) port_id: Option<PortId>,
}

impl Named {
    pub(super) fn read(body: &Map<String, Value>) -> Result<Self, Stop> {
        let subnet_id = id(body, "subnet_id")?;
        let port_id = id(body, "port_id")?;
        if subnet_id.is_none() && port_id.is_none() {
            return Err(bad("Either subnet_id or port_id must be specified".to_owned()));
        }
        Ok(Self { subnet_id, port_id })
    }
}

fn id<T: AttributeValue>(body: &Map<String, Value>, key: &str) -> Result<Option<T>, Refusal> {
    let value = body.get(key).unwrap_or(&Value::Null);
    Option::from_json(value).map_err(|reason| Refusal::invalid(key, reason))
}

/// `{"subnet_id": …}` or `{"port_id": …}`.
pub(super) fn add(
    router: &Router,
    body: &Map<String, Value>,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(Value, Writes), Stop> {
    let (port, mut writes) = match Named::read(body)? {
        Named { subnet_id: Some(_), port_id: Some(_) } => {
            return Err(bad("Cannot specify both subnet-id and port-id".to_owned()));
        }
        Named { subnet_id: Some(subnet_id), .. } => by_subnet(router, subnet_id, facts, context)?,
        Named { port_id: Some(port_id), .. } => by_port(router, port_id, facts, context)?,
        Named { .. } => return Err(bad("No interface is specified".to_owned())),
    };
    touch(router, &port, &mut writes);
    Ok((info(router, &port, None), writes))
}

fn by_subnet(
    router: &Router,
    subnet_id: SubnetId,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(Port, Writes), Stop> {
    let (subnet, network) = visible_subnet(subnet_id, facts, context)?;
    let Some(gateway_ip) = subnet.gateway_ip else {
        return Err(bad("Subnet for router interface must have a gateway IP".to_owned()));
    };
    if !network.shared && !context.caller.owns(&subnet.standard.project_id) {
        return Err(bad(format!(
            "Cannot add interface to router because subnet {subnet_id} is not owned by project \
             making the request"
        )));
    }
    check_subnets(router, std::slice::from_ref(&subnet), facts)?;
    let asked = FixedIpRequest { subnet_id: Some(subnet_id), ip_address: Some(gateway_ip) };
    NewPort {
        network: &network,
        project_id: router.standard.project_id.clone(),
        name: String::new(),
        device_owner: ROUTER_INTERFACE_OWNER.to_owned(),
        device_id: router.id.to_string(),
        fixed_ips: Some(vec![asked]),
        mac_address: None,
        host_id: router.l3_host.clone(),
    }
    .make(facts, context, "router interface port")
}

/// A subnet that the caller may see, with its network.
fn visible_subnet(
    subnet_id: SubnetId,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(Subnet, Network), Stop> {
    let not_found = || Stop::from(Refusal::not_found::<Subnet>(subnet_id));
    let subnet = facts.find::<Subnet>(subnet_id)?.ok_or_else(not_found)?;
    let network = facts.find::<Network>(subnet.network_id)?.ok_or_else(not_found)?;
    let owned = context.caller.owns(&subnet.standard.project_id);
    if owned || network.is_visible_to(context.caller) {
        Ok((subnet, network))
    } else {
        Err(not_found())
    }
}

fn by_port(
    router: &Router,
    port_id: PortId,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(Port, Writes), Stop> {
    let mut port = facts
        .lock::<Port>(port_id)?
        .filter(|port| context.caller.owns(&port.standard.project_id))
        .ok_or_else(|| Refusal::not_found::<Port>(port_id))?;
    if !port.device_id.0.is_empty() {
        return Err(Refusal::PortInUse {
            port_id: port_id.to_string(),
            net_id: port.network_id.to_string(),
            device_id: port.device_id.to_string(),
        }
        .into());
    }
    if port.fixed_ips.is_empty() {
        return Err(bad("Router port must have at least one fixed IP".to_owned()));
    }
    let subnets = subnets_of(std::slice::from_ref(&port), facts)?;
    if subnets.iter().filter(|subnet| matches!(subnet.cidr, IpNet::V4(_))).count() > 1 {
        return Err(bad("Cannot have multiple IPv4 subnets on router port".to_owned()));
    }
    check_subnets(router, &subnets, facts)?;
    nothing_leads_to(&port, facts)?;
    port.device_id = Text(router.id.to_string());
    port.device_owner = Text(ROUTER_INTERFACE_OWNER.to_owned());
    let mut writes = port::bind(&mut port, router.l3_host.clone(), facts, context)?;
    // Binding stores the port only if it changes the host.
    if writes.0.is_empty() {
        writes.update(&port);
    }
    Ok((port, writes))
}

/// A forwarding to a router's own interface would open what the router serves to its tenants only.
fn nothing_leads_to(port: &Port, facts: &Facts) -> Result<(), Stop> {
    let inside = || Select::eq("internal_port_id", port.id.to_string());
    let outside = Select::eq("port_id", port.id.to_string());
    if facts.list::<GatewayPortForwarding>(inside())?.is_empty()
        && facts.list::<PortForwarding>(inside())?.is_empty()
        && facts.list::<FloatingIp>(outside)?.is_empty()
    {
        return Ok(());
    }
    Err(bad(format!("Port {} has a floating IP or port forwardings", port.id)))
}

/// The subnets that ports have addresses of, by id.
fn subnets_of(ports: &[Port], facts: &Facts) -> Result<Vec<Subnet>, Stop> {
    let mut ids: Vec<String> =
        ports.iter().flat_map(|p| &p.fixed_ips).map(|ip| ip.subnet_id.to_string()).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    facts.list(Select::any("id", ids.into_iter().map(SqlValue::from)))
}

/// Every port of the router, the gateway's too.
fn devices(router: &Router, facts: &Facts) -> Result<Vec<Port>, Stop> {
    let mut ports: Vec<Port> = facts.list(Select::eq("device_id", router.id.to_string()))?;
    ports.retain(|port| port.device_owner.to_string().starts_with("network:router_"));
    Ok(ports)
}

/// What routes may lead to: the subnets around the router, and its own addresses on them.
pub(super) fn surroundings(
    router: &Router,
    facts: &Facts,
) -> Result<(Vec<Subnet>, Vec<IpAddr>), Stop> {
    let ports = devices(router, facts)?;
    let own = ports.iter().flat_map(|port| &port.fixed_ips).map(|ip| ip.ip_address).collect();
    Ok((subnets_of(&ports, facts)?, own))
}

/// A router reaches each address by one device only: no subnet twice, no overlap.
pub(super) fn check_subnets(router: &Router, new: &[Subnet], facts: &Facts) -> Result<(), Stop> {
    let (present, _) = surroundings(router, facts)?;
    for (present, new) in present.iter().flat_map(|p| new.iter().map(move |new| (p, new))) {
        if present.id == new.id {
            return Err(bad(format!("Router already has a port on subnet {}", new.id)));
        }
        let (a, b) = (present.cidr, new.cidr);
        if a.contains(&b) || b.contains(&a) {
            return Err(bad(format!(
                "Cidr {b} of subnet {} overlaps with cidr {a} of subnet {}",
                new.id, present.id
            )));
        }
    }
    Ok(())
}

pub(super) fn touch(router: &Router, port: &Port, writes: &mut Writes) {
    router.touch(writes);
    writes
        .bump::<Router>(router.id)
        .touch(Scope::Network(port.network_id), ObjectKey::Port(port.id))
        .push(Write::TouchHosts);
}

pub(super) fn info(router: &Router, port: &Port, subnet_id: Option<SubnetId>) -> Value {
    let subnet_ids: Vec<SubnetId> = port.fixed_ips.iter().map(|fixed| fixed.subnet_id).collect();
    let project_id = &port.standard.project_id;
    json!({
        "id": router.id,
        "tenant_id": project_id,
        "project_id": project_id,
        "port_id": port.id,
        "network_id": port.network_id,
        "subnet_id": subnet_id.or(subnet_ids.last().copied()),
        "subnet_ids": subnet_ids,
    })
}
