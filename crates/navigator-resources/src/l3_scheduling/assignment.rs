//! An administrator's word on which agent serves a router. It holds until it is taken back, the
//! router's configurations say otherwise, or the agent is gone.

use navigator_model::{AgentId, HostName, RouterId};

use super::move_ports;
use crate::{
    Context, Facts, Refusal, Router, Select, Stop, Writes,
    registry::agent::{Agent, L3_AGENT},
};

/// Any agent that has this id, or the answer that there is none.
fn known(agent_id: &str, facts: &Facts) -> Result<Agent, Stop> {
    let found = match agent_id.parse::<AgentId>() {
        Ok(id) => facts.find::<Agent>(id)?,
        Err(_) => None,
    };
    found.ok_or_else(|| Refusal::not_found::<Agent>(agent_id).into())
}

fn locked(router_id: &str, facts: &Facts) -> Result<Router, Stop> {
    let found = match router_id.parse::<RouterId>() {
        Ok(id) => facts.lock::<Router>(id)?,
        Err(_) => None,
    };
    found.ok_or_else(|| Refusal::not_found::<Router>(router_id).into())
}

fn moved(
    router: Router,
    host: Option<HostName>,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Writes, Stop> {
    let router = Router { l3_host: host, ..router };
    let mut writes = Writes::new();
    writes.update(&router);
    writes.append(move_ports(&router, None, facts, context)?);
    router.touch(&mut writes);
    Ok(writes)
}

/// Gives a router that nobody serves to the agent. To the one that has it already, it changes
/// nothing.
pub fn assign(
    agent_id: &str,
    router_id: &str,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Writes, Stop> {
    let agent = known(agent_id, facts)?;
    if agent.agent_type.0 != L3_AGENT || !agent.admin_state_up {
        return Err(Refusal::InvalidL3Agent { id: agent_id.to_owned() }.into());
    }
    let router = locked(router_id, facts)?;
    if agent.partial_mode().is_some() {
        return Err(Refusal::DVRL3CannotAssignToDvrAgent {}.into());
    }
    match &router.l3_host {
        Some(host) if *host == agent.host => return Ok(Writes::new()),
        Some(host) => {
            let on_host = Select::eq("agent_type", L3_AGENT).and("host", host.0.as_str());
            // Where its agent was forgotten, nobody serves it.
            if let Some(other) = facts.list::<Agent>(on_host)?.first() {
                return Err(Refusal::RouterHostedByL3Agent {
                    router_id: router_id.to_owned(),
                    agent_id: other.id.to_string(),
                }
                .into());
            }
        }
        None => {}
    }
    moved(router, Some(agent.host), facts, context)
}

/// Takes the router from the agent: nobody serves it until somebody is told to, or an agent comes
/// that looks for work.
pub fn unassign(
    agent_id: &str,
    router_id: &str,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Writes, Stop> {
    let agent = known(agent_id, facts)?;
    let router = locked(router_id, facts)?;
    if agent.agent_type.0 != L3_AGENT || router.l3_host.as_ref() != Some(&agent.host) {
        return Err(Refusal::RouterNotHostedByL3Agent {
            router_id: router_id.to_owned(),
            agent_id: agent_id.to_owned(),
        }
        .into());
    }
    moved(router, None, facts, context)
}
