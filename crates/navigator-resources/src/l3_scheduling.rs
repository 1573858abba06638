//! On which network node a router runs: the first alive of those that it wants, else where it is,
//! else the one with the fewest routers. The router's ports follow it.

#[cfg(test)]
mod tests;

mod assignment;

pub use assignment::{assign, unassign};

use std::collections::HashMap;

use navigator_model::HostName;

use crate::{
    Context, Facts, Port, Router, Select, Stop, Write, Writes,
    forwarding::router_interfaces,
    registry::{
        agent::{self, Agent, L3_AGENT},
        port,
    },
};

/// Where the router belongs now. Without any usable agent it stays where it is: the data plane of
/// a node whose agent is silent may well be alive.
pub fn choose_host(
    router: &Router,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Option<HostName>, Stop> {
    let agents = candidates(facts, context)?;
    if let Some(host) = settled(router, &agents) {
        return Ok(Some(host));
    }
    let agents = in_zones(router, &agents);
    let mut loads = HashMap::new();
    // Nobody to choose from needs no counting.
    if agents.len() > 1 {
        for agent in &agents {
            let routers = facts.list::<Router>(Select::eq("l3_host", agent.host.0.as_str()))?;
            loads.insert(agent.host.clone(), routers.len());
        }
    }
    Ok(least_loaded(&agents, &loads).or_else(|| router.l3_host.clone()))
}

/// Agents that can run a whole router.
fn candidates(facts: &Facts, context: &Context<'_>) -> Result<Vec<Agent>, Stop> {
    let mut agents = agent::usable(L3_AGENT, facts, context)?;
    agents.retain(|agent| agent.partial_mode().is_none());
    Ok(agents)
}

/// Those in the zones that the router's owner asked for.
fn in_zones(router: &Router, agents: &[Agent]) -> Vec<Agent> {
    let suits = |agent: &&Agent| agent.suits(&router.availability_zone_hints);
    agents.iter().filter(suits).cloned().collect()
}

/// The host that needs no choice: the best of those that it wants, else the present one.
fn settled(router: &Router, agents: &[Agent]) -> Option<HostName> {
    let usable = |host: &&HostName| agents.iter().any(|agent| agent.host == **host);
    router.configurations.wanted(router.ha).chain(&router.l3_host).find(usable).cloned()
}

/// Of several, the first by name, so that the choice is the same when it is made again.
fn least_loaded(agents: &[Agent], loads: &HashMap<HostName, usize>) -> Option<HostName> {
    let load = |agent: &&Agent| loads.get(&agent.host).copied().unwrap_or_default();
    agents.iter().min_by_key(load).map(|agent| agent.host.clone())
}

/// Gives the routers that nobody serves to the agents that are there now, also those whose agent an
/// administrator switched off or forgot. Routers that are served stay: moving one back when its
/// preferred agent returns is an administrator's decision, and so is moving one away from an agent
/// that is merely silent.
pub fn schedule_all(facts: &Facts, context: &Context<'_>) -> Result<Writes, Stop> {
    let mut writes = Writes::new();
    let agents = candidates(facts, context)?;
    if agents.is_empty() {
        return Ok(writes);
    }
    let known: Vec<Agent> = facts.list(Select::eq("agent_type", L3_AGENT))?;
    let serves = |host: &HostName| known.iter().any(|a| a.admin_state_up && a.host == *host);
    let routers = facts.list::<Router>(Select::all())?;
    let mut loads = HashMap::new();
    for host in routers.iter().filter_map(|router| router.l3_host.clone()) {
        *loads.entry(host).or_insert(0) += 1;
    }
    for mut router in routers {
        if router.l3_host.as_ref().is_some_and(serves) {
            continue;
        }
        let host =
            settled(&router, &agents).or_else(|| least_loaded(&in_zones(&router, &agents), &loads));
        let Some(host) = host else { continue };
        *loads.entry(host.clone()).or_insert(0) += 1;
        router.l3_host = Some(host);
        writes.update(&router);
        writes.append(move_ports(&router, None, facts, context)?);
        router.touch(&mut writes);
    }
    Ok(writes)
}

/// Puts one router where it belongs now; no writes if it is there already.
pub fn place_router(router: &Router, facts: &Facts, context: &Context<'_>) -> Result<Writes, Stop> {
    let host = choose_host(router, facts, context)?;
    let mut writes = Writes::new();
    if host == router.l3_host {
        return Ok(writes);
    }
    let moved = Router { l3_host: host, ..router.clone() };
    writes.update(&moved);
    writes.append(move_ports(&moved, None, facts, context)?);
    moved.touch(&mut writes);
    Ok(writes)
}

/// Binds the router's ports to its host. `gateway` is the gateway port as earlier writes of the
/// same decision leave it.
pub(crate) fn move_ports(
    router: &Router,
    gateway: Option<Port>,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Writes, Stop> {
    let mut ports = router_interfaces(router.id, facts)?;
    match (gateway, router.gw_port_id) {
        (Some(port), _) => ports.push(port),
        (None, Some(gw_port_id)) => ports.extend(facts.find::<Port>(gw_port_id)?),
        (None, None) => {}
    }
    let mut writes = Writes::new();
    for mut port in ports.into_iter().filter(|port| port.host() != router.l3_host.as_ref()) {
        writes.append(port::bind(&mut port, router.l3_host.clone(), facts, context)?);
    }
    writes.push(Write::TouchHosts);
    Ok(writes)
}
