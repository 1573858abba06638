//! Which hosts serve a network's DHCP. A network with a subnet that has DHCP on gets a port for each
//! of its servers, bound to the server's host; that port is all there is: a host serves the networks
//! that have such a port on it.
//!
//! A server whose agent is gone moves to another host with its port, so that clients keep asking the
//! same address.

mod assignment;

pub use assignment::{assign, unassign};

use std::collections::BTreeMap;

use navigator_model::{HostName, NetworkId};
use uuid::Uuid;

use crate::{
    Context, Facts, Network, Port, Select, Stop, Subnet, Writes,
    attribute::Text,
    registry::{
        agent::{self, Agent, DHCP_AGENT},
        port::{self, BINDING_FAILED, DHCP_OWNER, FixedIpRequest, NewPort},
    },
};

/// Makes, extends, moves and removes the network's DHCP ports. `subnets` are the network's as they
/// will be.
pub fn place_network(
    network: &Network,
    subnets: &[Subnet],
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Writes, Stop> {
    let existing = Port::of_owners(network.id, &[DHCP_OWNER], facts)?;
    let mut servers = Servers::load(facts, context)?;
    place(network, subnets, existing, &mut servers, facts, context)
}

/// Places every network that has too few servers: after an agent appeared or came back. It reads
/// every network, so it is for that moment and not for every heartbeat; and it stores ports, so it is
/// a decision of its own.
pub fn schedule_all(facts: &Facts, context: &Context<'_>) -> Result<Writes, Stop> {
    let mut subnets: BTreeMap<NetworkId, Vec<Subnet>> = BTreeMap::new();
    for subnet in facts.list::<Subnet>(Select::all())? {
        subnets.entry(subnet.network_id).or_default().push(subnet);
    }
    let mut existing: BTreeMap<NetworkId, Vec<Port>> = BTreeMap::new();
    for port in facts.list::<Port>(Select::eq("device_owner", DHCP_OWNER))? {
        existing.entry(port.network_id).or_default().push(port);
    }
    let mut servers = Servers::load(facts, context)?;
    let mut writes = Writes::new();
    for network in facts.list::<Network>(Select::all())? {
        let Some(subnets) = subnets.get(&network.id) else { continue };
        let existing = existing.remove(&network.id).unwrap_or_default();
        writes.append(place(&network, subnets, existing, &mut servers, facts, context)?);
    }
    writes.append(bind_again(facts, context)?);
    Ok(writes)
}

fn place(
    network: &Network,
    subnets: &[Subnet],
    existing: Vec<Port>,
    servers: &mut Servers,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Writes, Stop> {
    let served: Vec<Subnet> = subnets.iter().filter(|s| s.enable_dhcp).cloned().collect();
    let mut writes = Writes::new();
    if served.is_empty() {
        // One that never served anything was put there by an administrator, and waits.
        for port in existing.iter().filter(|port| !port.fixed_ips.is_empty()) {
            writes.append(port::remove(port, facts)?);
        }
        return Ok(writes);
    }
    let wanted = context.settings.dhcp_agents_per_network;
    let mut hosts: Vec<HostName> = existing.iter().map(|port| port.host_id.clone()).collect();
    let mut alive = hosts.iter().filter(|host| servers.has(host)).count();
    for port in existing {
        let (mut port, extended) = serve(&port, &served, subnets, facts)?;
        writes.append(extended);
        if servers.has(&port.host_id) {
            writes.append(bind_failed(port, facts, context)?);
            continue;
        }
        if alive >= wanted {
            continue;
        }
        // Its agent is gone: the server moves to another host, if there is one.
        if let Some(host) = servers.pick(network, &mut hosts) {
            alive += 1;
            port.device_id = Text(device_id(&host, network.id));
            writes.append(port::bind(&mut port, Some(host), facts, context)?);
        }
    }
    while alive < wanted
        && let Some(host) = servers.pick(network, &mut hosts)
    {
        alive += 1;
        writes.append(add_server(network, &host, &served, facts, context)?);
    }
    Ok(writes)
}

/// Agents that may serve networks, and how many each serves.
struct Servers {
    agents: Vec<Agent>,
    load: BTreeMap<HostName, usize>,
}

impl Servers {
    fn load(facts: &Facts, context: &Context<'_>) -> Result<Self, Stop> {
        let agents = agent::usable(DHCP_AGENT, facts, context)?;
        let mut load = BTreeMap::new();
        // One candidate needs no comparison, and counting reads every DHCP port there is.
        if agents.len() > 1 {
            for port in facts.list::<Port>(Select::eq("device_owner", DHCP_OWNER))? {
                *load.entry(port.host_id).or_default() += 1;
            }
        }
        Ok(Self { agents, load })
    }

    fn has(&self, host: &HostName) -> bool {
        self.agents.iter().any(|agent| agent.host == *host)
    }

    /// The host with the fewest networks of those that may serve this one and do not yet.
    fn pick(&mut self, network: &Network, taken: &mut Vec<HostName>) -> Option<HostName> {
        let hints = &network.availability_zone_hints;
        let free = self.agents.iter().filter(|agent| agent.suits(hints)).map(|agent| &agent.host);
        let host = free
            .filter(|host| !taken.contains(host))
            .min_by_key(|host| self.load.get(host).copied().unwrap_or_default())?
            .clone();
        *self.load.entry(host.clone()).or_default() += 1;
        taken.push(host.clone());
        Some(host)
    }
}

/// Other ports that could not be wired because their host's agent was not there yet.
fn bind_again(facts: &Facts, context: &Context<'_>) -> Result<Writes, Stop> {
    let mut writes = Writes::new();
    for port in facts.list::<Port>(Select::eq("vif_type", BINDING_FAILED))? {
        if port.device_owner.0 != DHCP_OWNER {
            writes.append(bind_failed(port, facts, context)?);
        }
    }
    Ok(writes)
}

fn bind_failed(mut port: Port, facts: &Facts, context: &Context<'_>) -> Result<Writes, Stop> {
    if port.vif_type != BINDING_FAILED {
        return Ok(Writes::new());
    }
    let host = port.host().cloned();
    port::bind(&mut port, host, facts, context)
}

/// The server's port with exactly one address of each served subnet.
fn serve(
    port: &Port,
    served: &[Subnet],
    subnets: &[Subnet],
    facts: &Facts,
) -> Result<(Port, Writes), Stop> {
    let held = |subnet: &Subnet| port.fixed_ips.iter().find(|f| f.subnet_id == subnet.id);
    let request: Vec<FixedIpRequest> = served
        .iter()
        .map(|subnet| held(subnet).cloned().map_or_else(|| any_of(subnet), FixedIpRequest::from))
        .collect();
    port::set_fixed_ips_on(port, &request, subnets, facts)
}

fn add_server(
    network: &Network,
    host: &HostName,
    served: &[Subnet],
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Writes, Stop> {
    let new = NewPort {
        network,
        project_id: network.standard.project_id.clone(),
        name: String::new(),
        device_owner: DHCP_OWNER.to_owned(),
        device_id: device_id(host, network.id),
        fixed_ips: Some(served.iter().map(any_of).collect()),
        mac_address: None,
        host_id: Some(host.clone()),
    };
    let label = format!("dhcp/{}/{host}", network.id);
    Ok(new.make_on(served, facts, context, &label)?.1)
}

fn any_of(subnet: &Subnet) -> FixedIpRequest {
    FixedIpRequest { subnet_id: Some(subnet.id), ip_address: None }
}

/// As Neutron writes it, so that tools find the port: `dhcp<id of the host>-<network>`. Only the
/// host's first label counts, full names and short ones are the same host.
fn device_id(host: &HostName, network_id: NetworkId) -> String {
    let short = host.0.split('.').next().unwrap_or_default();
    format!("dhcp{}-{network_id}", Uuid::new_v5(&Uuid::NAMESPACE_DNS, short.as_bytes()))
}

#[cfg(test)]
mod tests;
