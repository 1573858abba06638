//! Where a forwarding may lead: an address that is a fixed IP of a port of the same project right
//! now, and never a port that the network itself uses.

use std::net::{IpAddr, Ipv4Addr};

use navigator_model::{PortId, ProjectId, SubnetId, snapshot::FixedIp};

use crate::{Context, Facts, Network, Port, Refusal, Stop};

/// An address that may be forwarded to, with the port that has it, locked.
#[derive(Clone, Debug)]
pub struct Target {
    pub port: Port,
    pub address: Ipv4Addr,
    pub subnet_id: SubnetId,
}

/// The port, if the caller may see it and forward to it on behalf of `project_id`. `resource` names
/// the forwarding in the answer. The port stays locked, so that its addresses stay what they are
/// until the transaction ends.
pub fn target_port(
    resource: &str,
    port_id: PortId,
    project_id: &ProjectId,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Port, Stop> {
    let not_found = || Stop::from(Refusal::not_found::<Port>(port_id));
    let port = facts.lock::<Port>(port_id)?.ok_or_else(not_found)?;
    if !context.caller.owns(&port.standard.project_id) {
        // Who owns the network sees all ports on it, but forwards only to their own.
        let network = facts.find::<Network>(port.network_id)?;
        if !network.is_some_and(|n| context.caller.owns(&n.standard.project_id)) {
            return Err(not_found());
        }
    }
    let refuse = |msg| Err(Refusal::BadRequest { resource: resource.to_owned(), msg }.into());
    if !context.caller.is_admin && port.standard.project_id != *project_id {
        return refuse(format!("Port {port_id} is owned by a different project"));
    }
    let owner = port.device_owner.to_string();
    if owner.starts_with("network:") {
        return refuse(format!("Port {port_id} belongs to the network itself: {owner}"));
    }
    Ok(port)
}

/// The address that is asked for, or the port's first IPv4 address if none is.
pub fn address_of(port: &Port, asked: Option<Ipv4Addr>) -> Result<(Ipv4Addr, SubnetId), Refusal> {
    let ipv4 = |fixed: &FixedIp| match fixed.ip_address {
        IpAddr::V4(address) => Some((address, fixed.subnet_id)),
        IpAddr::V6(_) => None,
    };
    port.fixed_ips
        .iter()
        .filter_map(ipv4)
        .find(|(address, _)| asked.is_none_or(|asked| asked == *address))
        .ok_or_else(|| Refusal::InconsistentPortAndIP {
            port_id: port.id.to_string(),
            ip_address: asked.map_or_else(|| "None".to_owned(), |address| address.to_string()),
        })
}
