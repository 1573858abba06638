//! Creating, associating and deleting a floating IP.

use std::net::IpAddr;

use ipnet::IpNet;
use navigator_model::{FloatingIpId, ProjectId, SubnetId};

use super::{
    FloatingIp, FloatingIpCreate, FloatingIpUpdate,
    association::{associate, bad},
    shown::{Details, ForwardingItems},
};
use crate::{
    Context, Facts, Network, Port, Refusal, Select, Standard, Stop, Subnet, Writes, qos,
    registry::{
        port::{self, FLOATING_IP_OWNER, FixedIpRequest, NewPort},
        port_forwarding,
    },
};

pub(super) fn create(
    input: &FloatingIpCreate,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(FloatingIp, Writes), Stop> {
    named_alone(input.port_id.is_some(), input.fixed_ip_address.is_some())?;
    let id = FloatingIpId(context.uuid("floatingip"));
    let network = external_network(input, facts, context)?;
    let (port, mut writes) = holding_port(id, input, &network, facts, context)?;
    let address = port.fixed_ips.iter().find_map(|fixed| match fixed.ip_address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    });
    let net_id = network.id.to_string();
    let standard = &input.standard;
    let mut floating_ip = FloatingIp {
        id,
        floating_ip_address: address.ok_or(Refusal::ExternalIpAddressExhausted { net_id })?,
        subnet_id: None,
        floating_network_id: network.id,
        floating_port_id: port.id,
        router_id: None,
        port_id: None,
        fixed_ip_address: None,
        status: "DOWN".to_owned(),
        status_reason: None,
        port_forwardings: ForwardingItems::default(),
        port_details: Details::default(),
        port_name: None,
        port_device_id: None,
        port_device_owner: None,
        qos_policy_id: input.qos_policy_id.flatten(),
        qos_network_policy_id: network.qos_policy_id,
        dns_name: input.dns_name.clone(),
        dns_domain: input.dns_domain.clone(),
        standard: Standard::new(
            standard.project_id.clone(),
            standard.description.clone(),
            context.now,
        ),
    };
    qos::usable(floating_ip.qos_policy_id, None, facts, context.caller)?;
    if let Some(port_id) = input.port_id {
        associate(&mut floating_ip, port_id, input.fixed_ip_address, facts, context)?;
    }
    writes.insert(&floating_ip);
    floating_ip.touch(&mut writes);
    Ok((floating_ip, writes))
}

/// `fixed_ip_address` means one of the port's addresses, so it needs the port.
fn named_alone(has_port: bool, has_address: bool) -> Result<(), Stop> {
    if has_address && !has_port {
        return Err(bad("fixed_ip_address cannot be specified without a port_id".to_owned()));
    }
    Ok(())
}

fn external_network(
    input: &FloatingIpCreate,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Network, Stop> {
    let network_id = input.floating_network_id;
    let network = Network::held(network_id, facts, context.caller)?;
    if !network.external {
        return Err(bad(format!("Network {network_id} is not a valid external network")));
    }
    Ok(network)
}

/// Takes the address: the one asked for, or any of the subnet asked for, or any.
fn holding_port(
    id: FloatingIpId,
    input: &FloatingIpCreate,
    network: &Network,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(Port, Writes), Stop> {
    let mut subnets: Vec<Subnet> = facts.list(Select::eq("network_id", network.id.to_string()))?;
    subnets.retain(|subnet| matches!(subnet.cidr, IpNet::V4(_)));
    if subnets.is_empty() {
        return Err(bad(format!("Network {} does not contain any IPv4 subnet", network.id)));
    }
    let make = |subnet_id: Option<SubnetId>| {
        let ip_address = input.floating_ip_address.map(IpAddr::V4);
        let fixed_ips = Some(vec![FixedIpRequest { subnet_id, ip_address }]);
        NewPort {
            network,
            project_id: ProjectId(String::new()),
            name: String::new(),
            device_owner: FLOATING_IP_OWNER.to_owned(),
            device_id: id.to_string(),
            fixed_ips,
            mac_address: None,
            host_id: None,
        }
        .make(facts, context, "floating IP port")
    };
    let wanted: Vec<Option<SubnetId>> = match (input.subnet_id, input.floating_ip_address) {
        (Some(subnet_id), _) => vec![Some(subnet_id)],
        (None, Some(_)) => vec![None],
        (None, None) => subnets.iter().map(|subnet| Some(subnet.id)).collect(),
    };
    for subnet_id in wanted {
        match make(subnet_id) {
            // The next subnet may have one.
            Err(Stop::Refuse(Refusal::IpAddressGenerationFailure { .. })) => {}
            outcome => return outcome,
        }
    }
    Err(Refusal::ExternalIpAddressExhausted { net_id: network.id.to_string() }.into())
}

pub(super) fn update(
    current: &FloatingIp,
    update: &FloatingIpUpdate,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(FloatingIp, Writes), Stop> {
    let asked = update.fixed_ip_address.flatten();
    named_alone(update.port_id.flatten().is_some(), asked.is_some())?;
    let mut floating_ip = current.clone();
    update.standard.apply_to(&mut floating_ip.standard);
    if let Some(wanted) = update.qos_policy_id {
        qos::usable(wanted, current.qos_policy_id, facts, context.caller)?;
        floating_ip.qos_policy_id = wanted;
    }
    // A body that says nothing ends the association: once there was nothing else to say.
    let port_id = if *update == FloatingIpUpdate::default() { Some(None) } else { update.port_id };
    match port_id {
        None => {}
        Some(None) if current.port_id.is_some() => floating_ip.disassociate(),
        Some(None) => {}
        Some(Some(port_id)) => {
            without_forwardings(current, facts)?;
            let mut associated = floating_ip.clone();
            associate(&mut associated, port_id, asked, facts, context)?;
            // Where it leads already it stays, with its status.
            if leads(&associated) != leads(current) {
                floating_ip = associated;
            }
        }
    }
    let mut writes = Writes::new();
    if floating_ip == *current {
        return Ok((floating_ip, writes));
    }
    writes.update(&floating_ip);
    if leads(current) != leads(&floating_ip) {
        current.touch(&mut writes);
        floating_ip.touch(&mut writes);
    }
    Ok((floating_ip, writes))
}

/// What agents see of it.
fn leads(floating_ip: &FloatingIp) -> impl PartialEq {
    (floating_ip.router_id, floating_ip.port_id, floating_ip.fixed_ip_address)
}

fn without_forwardings(current: &FloatingIp, facts: &Facts) -> Result<(), Stop> {
    if port_forwarding::are_others(current.id, &[], facts)? {
        return Err(Refusal::FipInUseByPortForwarding { id: current.id.to_string() }.into());
    }
    Ok(())
}

pub(crate) fn delete(current: &FloatingIp, facts: &Facts) -> Result<Writes, Stop> {
    without_forwardings(current, facts)?;
    let mut writes = Writes::new();
    writes.delete::<FloatingIp>(current.id);
    current.touch(&mut writes);
    if let Some(port) = facts.lock::<Port>(current.floating_port_id)? {
        writes.append(port::remove(&port, facts)?);
    }
    Ok(writes)
}

/// Those of a network that lead nowhere, which go with it. Nobody else makes them lead somewhere
/// meanwhile.
pub(crate) fn idle_on(network: &Network, facts: &Facts) -> Result<Vec<FloatingIp>, Stop> {
    let of_network = Select::eq("floating_network_id", network.id.to_string());
    let mut idle = Vec::new();
    for floating_ip in facts.list::<FloatingIp>(of_network.locked())? {
        let leads = floating_ip.port_id.is_some() || floating_ip.router_id.is_some();
        if !leads && !port_forwarding::are_others(floating_ip.id, &[], facts)? {
            idle.push(floating_ip);
        }
    }
    Ok(idle)
}
