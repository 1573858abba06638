//! Agents: one row per role and host. They register by heartbeat, so nobody creates one by the API;
//! an administrator may switch one off, describe it and forget it.
//!
//! Whether an agent is alive is a matter of the moment it is looked at: [`alive`] says it from the
//! last heartbeat; nothing stores it.

use jiff::{SignedDuration, Timestamp};
use navigator_model::{AgentId, HostName};
use serde_json::{Value, json};

use crate::{
    AttributeValue, Consequence, Context, Cutoff, Facts, Momentary, Port, Refusal, Resource, Rules,
    Select, SqlType, SqlValue, Stop, Write, Writes,
    attribute::{Dict, Text},
    dhcp_scheduling, l3_scheduling,
    registry::port,
};

/// `agent_type` of the agent that routes.
pub const L3_AGENT: &str = "L3 agent";
/// `agent_type` of the agent that serves DHCP.
pub const DHCP_AGENT: &str = "DHCP agent";
/// `agent_type` of the agent that wires ports.
pub const L2_AGENT: &str = "Linux bridge agent";

/// What an agent does. Filters find it in any case, as Neutron's do on MySQL: clients ask for the
/// "DHCP Agent".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentType(pub String);

impl AttributeValue for AgentType {
    const SQL: SqlType = SqlType::Text;

    fn from_json(value: &Value) -> Result<Self, String> {
        String::from_json(value).map(Self)
    }

    fn to_json(&self) -> Value {
        self.0.to_json()
    }

    fn to_sql(&self) -> SqlValue {
        self.0.to_sql()
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        String::from_sql(value).map(Self)
    }

    fn from_filter(text: &str) -> Option<SqlValue> {
        let known = [L3_AGENT, DHCP_AGENT, L2_AGENT];
        let known = known.into_iter().find(|known| known.eq_ignore_ascii_case(text));
        Some(known.unwrap_or(text).into())
    }

    fn schema() -> Value {
        String::schema()
    }
}

/// A role of a host.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "agent",
    collection = "agents",
    class = "Agent",
    extension = "agent",
)]
pub struct Agent {
    #[field(id, filter, sort)]
    pub id: AgentId,
    #[field(filter, sort)]
    pub agent_type: AgentType,
    #[field(filter, sort)]
    pub binary: String,
    #[field(filter, sort)]
    pub topic: String,
    #[field(filter, sort)]
    pub host: HostName,
    #[field(filter)]
    pub availability_zone: Option<String>,
    #[field(update, filter, sort)]
    pub admin_state_up: bool,
    pub configurations: Dict,
    #[field(sort)]
    pub created_at: String,
    #[field(sort)]
    pub started_at: String,
    #[field(sort)]
    pub heartbeat_timestamp: String,
    #[field(update, filter, sort)]
    pub description: Option<Text<255>>,
}

impl Agent {
    /// Whether it may be given work: switched on and heard of lately.
    pub fn is_usable(&self, context: &Context<'_>) -> bool {
        self.admin_state_up
            && alive(&self.heartbeat_timestamp, context.now, context.settings.agent_down_time_s)
    }
}

impl Agent {
    fn is_in(&self, zone: &str) -> bool {
        self.availability_zone.as_deref() == Some(zone)
    }

    /// Its mode, if in that it runs only its own instances' part of distributed routers.
    pub(crate) fn partial_mode(&self) -> Option<&str> {
        let mode = self.configurations.0.get("agent_mode").and_then(|mode| mode.as_str());
        mode.filter(|mode| matches!(*mode, "dvr" | "dvr_no_external"))
    }

    /// Whether it is in one of the zones that were asked for, if any were.
    pub(crate) fn suits(&self, hints: &[String]) -> bool {
        hints.is_empty() || hints.iter().any(|zone| self.is_in(zone))
    }
}

/// Agents of a type that may be given work now, by host.
pub fn usable(
    agent_type: &str,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Vec<Agent>, Stop> {
    let mut agents: Vec<Agent> = facts.list(Select::eq("agent_type", agent_type))?;
    agents.retain(|agent| agent.is_usable(context));
    agents.sort_by(|a, b| a.host.cmp(&b.host));
    Ok(agents)
}

/// A zone is where some agent of the type is.
pub(crate) fn check_zones(agent_type: &str, hints: &[String], facts: &Facts) -> Result<(), Stop> {
    if hints.is_empty() {
        return Ok(());
    }
    let agents: Vec<Agent> = facts.list(Select::eq("agent_type", agent_type))?;
    match hints.iter().find(|zone| !agents.iter().any(|agent| agent.is_in(zone))) {
        None => Ok(()),
        Some(zone) => {
            Err(Refusal::NotFound { class: "AvailabilityZone", id: zone.clone() }.into())
        }
    }
}

/// Whether the last heartbeat is at most `down_s` seconds old. A time that cannot be read is not
/// alive; one in the future is (the agent's server has a faster clock).
pub fn alive(heartbeat_timestamp: &str, now: &str, down_s: u64) -> bool {
    let (Some(heard), Some(now)) = (instant(heartbeat_timestamp), instant(now)) else {
        return false;
    };
    let age_s = now.as_second().saturating_sub(heard.as_second());
    age_s <= i64::try_from(down_s).unwrap_or(i64::MAX)
}

/// The oldest heartbeat that is [`alive`] now, as heartbeats are stored: such times sort as text.
pub fn oldest_alive(now: &str, down_s: u64) -> Option<String> {
    let age = SignedDuration::from_secs(i64::try_from(down_s).ok()?);
    let oldest = instant(now)?.checked_sub(age).ok()?;
    Some(oldest.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// `2026-01-02T03:04:05Z`, and the form in which Neutron shows agents' times, without `T` and `Z`.
fn instant(text: &str) -> Option<Timestamp> {
    let zoned = if text.ends_with('Z') { text.to_owned() } else { format!("{text}Z") };
    zoned.parse().ok()
}

impl Rules for Agent {
    fn create(
        _input: &AgentCreate,
        _parent: Option<&str>,
        _facts: &Facts,
        _context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        Err(Refusal::HTTPNotFound {}.into())
    }

    fn update(
        current: &Self,
        update: &AgentUpdate,
        _facts: &Facts,
        _context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let mut agent = current.clone();
        update.apply_to(&mut agent);
        let mut writes = Writes::new();
        if agent != *current {
            writes.update(&agent);
        }
        Ok((agent, writes))
    }

    /// Also of one that is alive: it comes back with its next heartbeat.
    fn delete(current: &Self, facts: &Facts, _context: &Context<'_>) -> Result<Writes, Stop> {
        let mut writes = Writes::new();
        writes.delete::<Self>(current.id);
        // Its tunnel address goes with it, and other hosts show that at each port of this one.
        if current.configurations.0.contains_key("tunneling_ip") {
            for port in facts.list::<Port>(Select::eq("host_id", current.host.0.as_str()))? {
                port::touch(&port, &mut writes);
            }
        }
        writes.push(Write::TouchHosts);
        Ok(writes)
    }

    /// There is one agent more or less to give work to. Each stores ports, so each is a decision of
    /// its own that sees what the one before it stored.
    fn consequences() -> &'static [Consequence] {
        &[l3_scheduling::schedule_all, dhcp_scheduling::schedule_all]
    }

    fn momentary() -> &'static [Momentary] {
        const { &[ALIVE] }
    }
}

const ALIVE: Momentary = Momentary {
    name: "alive",
    docs: "It was heard of lately.",
    schema: || json!({"type": "boolean"}),
    show: |row, moment, out| {
        let heard = row.text("heartbeat_timestamp");
        let alive = alive(heard, &moment.now, moment.settings.agent_down_time_s);
        out.extend_from_slice(if alive { b"true" } else { b"false" });
        Ok(())
    },
    filter: Some(|moment| Cutoff {
        column: "heartbeat_timestamp",
        at_least: oldest_alive(&moment.now, moment.settings.agent_down_time_s).unwrap_or_default(),
    }),
};

#[cfg(test)]
pub(crate) mod tests;
