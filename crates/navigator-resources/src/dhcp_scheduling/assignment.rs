//! An administrator's word on which agents serve a network's DHCP. A server that was put somewhere
//! stays, beside those that are there anyway, until it is taken away or its agent is gone.

use navigator_model::{AgentId, NetworkId};

use super::add_server;
use crate::{
    Context, Facts, Network, Port, Refusal, Stop, Subnet, Writes,
    registry::{
        agent::{Agent, DHCP_AGENT},
        port::{self, DHCP_OWNER},
    },
};

struct Pair {
    agent: Agent,
    network: Network,
    /// The network's DHCP ports on the agent's host.
    servers: Vec<Port>,
}

impl Pair {
    fn load(agent_id: &str, network_id: &str, facts: &Facts) -> Result<Self, Stop> {
        let agent = match agent_id.parse::<AgentId>() {
            Ok(id) => facts.find::<Agent>(id)?,
            Err(_) => None,
        };
        let agent = agent.ok_or_else(|| Refusal::not_found::<Agent>(agent_id))?;
        let network = match network_id.parse::<NetworkId>() {
            Ok(id) => facts.lock::<Network>(id)?,
            Err(_) => None,
        };
        let network = network.ok_or_else(|| Refusal::not_found::<Network>(network_id))?;
        let mut servers = Port::of_owners(network.id, &[DHCP_OWNER], facts)?;
        servers.retain(|port| port.host_id == agent.host);
        Ok(Self { agent, network, servers })
    }

    fn is_server(&self) -> bool {
        self.agent.agent_type.0 == DHCP_AGENT
    }
}

/// Has the agent serve the network too.
pub fn assign(
    agent_id: &str,
    network_id: &str,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Writes, Stop> {
    let pair = Pair::load(agent_id, network_id, facts)?;
    if !pair.is_server() || !pair.agent.admin_state_up {
        return Err(Refusal::InvalidDHCPAgent { id: agent_id.to_owned() }.into());
    }
    if !pair.servers.is_empty() {
        return Err(Refusal::NetworkHostedByDHCPAgent {
            network_id: network_id.to_owned(),
            agent_id: agent_id.to_owned(),
        }
        .into());
    }
    let mut served = Subnet::of(pair.network.id, facts)?;
    // Without any, the port has no address yet: it says who will serve the network.
    served.retain(|subnet| subnet.enable_dhcp);
    add_server(&pair.network, &pair.agent.host, &served, facts, context)
}

/// Takes the network from the agent.
pub fn unassign(
    agent_id: &str,
    network_id: &str,
    facts: &Facts,
    _context: &Context<'_>,
) -> Result<Writes, Stop> {
    let pair = Pair::load(agent_id, network_id, facts)?;
    if !pair.is_server() || pair.servers.is_empty() {
        return Err(Refusal::NetworkNotHostedByDhcpAgent {
            network_id: network_id.to_owned(),
            agent_id: agent_id.to_owned(),
        }
        .into());
    }
    let mut writes = Writes::new();
    for port in &pair.servers {
        writes.append(port::remove(port, facts)?);
    }
    Ok(writes)
}
