//! `configurations`: on which network nodes a router shall run. One that is highly available uses
//! `master_agent` and `slave_agents`, any other `preferred_agent`; what it does not use is kept.

#[cfg(test)]
mod tests;

use navigator_model::HostName;
use serde_json::{Map, Value};

use crate::{
    AttributeValue, Facts, Refusal, Select, SqlType, SqlValue, Stop,
    registry::agent::{Agent, L3_AGENT},
    route_attribute::{member, object},
};

const KEYS: [&str; 3] = ["preferred_agent", "master_agent", "slave_agents"];

/// As stored: only the keys that were given. Values are host names, the agents' `host`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configurations {
    pub preferred_agent: Option<HostName>,
    pub master_agent: Option<HostName>,
    pub slave_agents: Option<Vec<HostName>>,
}

impl AttributeValue for Configurations {
    const SQL: SqlType = SqlType::Text;

    fn from_json(value: &Value) -> Result<Self, String> {
        if value.is_null() {
            return Ok(Self::default());
        }
        let map = object(value, &KEYS)?;
        let slave_agents = map.get("slave_agents").filter(|hosts| !hosts.is_null());
        Ok(Self {
            preferred_agent: host(map, "preferred_agent")?,
            master_agent: host(map, "master_agent")?,
            slave_agents: slave_agents.map(slaves).transpose()?,
        })
    }

    fn to_json(&self) -> Value {
        let mut map = Map::new();
        let names =
            [("preferred_agent", &self.preferred_agent), ("master_agent", &self.master_agent)];
        for (key, name) in names {
            if let Some(name) = name {
                map.insert(key.to_owned(), Value::from(name.0.as_str()));
            }
        }
        if let Some(hosts) = &self.slave_agents {
            map.insert("slave_agents".to_owned(), hosts.to_json());
        }
        Value::Object(map)
    }

    fn to_sql(&self) -> SqlValue {
        SqlValue::Text(self.to_json().to_string())
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        match value {
            SqlValue::Text(text) => {
                let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
                Self::from_json(&value)
            }
            other => Err(format!("unexpected stored value {other:?}")),
        }
    }
}

fn host(map: &Map<String, Value>, key: &str) -> Result<Option<HostName>, String> {
    match member::<HostName>(map, key)? {
        Some(name) if name.0.trim().is_empty() => Err(format!("'{key}' is empty")),
        name => Ok(name),
    }
}

fn slaves(value: &Value) -> Result<Vec<HostName>, String> {
    let hosts = Vec::<HostName>::from_json(value)?;
    for (position, name) in hosts.iter().enumerate() {
        if name.0.trim().is_empty() {
            return Err("'slave_agents' has an empty name".to_owned());
        }
        if hosts.iter().take(position).any(|earlier| earlier == name) {
            return Err(format!("'slave_agents' names '{name}' twice"));
        }
    }
    Ok(hosts)
}

/// What a request says: each key that it names replaces the stored one, `null` removes it; `null`
/// or `{}` for the whole removes all.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigurationsChange {
    said: Map<String, Value>,
    values: Configurations,
}

impl ConfigurationsChange {
    /// The stored configurations as they will be.
    pub fn merged(&self, stored: &Configurations) -> Configurations {
        if self.said.is_empty() {
            return Configurations::default();
        }
        let says = |key: &str| self.said.contains_key(key);
        let mut merged = stored.clone();
        if says("preferred_agent") {
            merged.preferred_agent.clone_from(&self.values.preferred_agent);
        }
        if says("master_agent") {
            merged.master_agent.clone_from(&self.values.master_agent);
        }
        if says("slave_agents") {
            merged.slave_agents.clone_from(&self.values.slave_agents);
        }
        merged
    }
}

impl AttributeValue for ConfigurationsChange {
    const SQL: SqlType = SqlType::Text;

    fn from_json(value: &Value) -> Result<Self, String> {
        let values = Configurations::from_json(value)?;
        Ok(Self { said: value.as_object().cloned().unwrap_or_default(), values })
    }

    fn to_json(&self) -> Value {
        Value::Object(self.said.clone())
    }

    fn to_sql(&self) -> SqlValue {
        SqlValue::Text(self.to_json().to_string())
    }

    /// Requests are not stored.
    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        Err(format!("a request is not stored: {value:?}"))
    }
}

impl Configurations {
    /// The hosts that the router wants, best first: its master and then its slaves if it is highly
    /// available, else the preferred one.
    pub(crate) fn wanted(&self, ha: bool) -> impl Iterator<Item = &HostName> {
        let (first, others) = if ha {
            (&self.master_agent, self.slave_agents.as_deref().unwrap_or_default())
        } else {
            (&self.preferred_agent, <&[_]>::default())
        };
        first.iter().chain(others)
    }

    /// Whether a router can be placed by them.
    pub(super) fn check(&self, ha: bool, facts: &Facts) -> Result<(), Stop> {
        let slaves = self.slave_agents.as_deref().unwrap_or_default();
        if let Some(master) = self.master_agent.as_ref().filter(|host| slaves.contains(host)) {
            return Err(Refusal::RouterAgentConflict {
                reason: format!(
                    "Agent {master} cannot be both the master and a slave of a router."
                ),
            }
            .into());
        }
        if ha && self.master_agent.is_some() == slaves.is_empty() {
            return Err(Refusal::RouterAgentNotGiven {
                reason: "A highly available router needs both 'master_agent' and 'slave_agents'."
                    .to_owned(),
            }
            .into());
        }
        self.wanted(ha).try_for_each(|host| can_host(host, facts))
    }
}

/// Whether there is an agent that may serve a whole router.
fn can_host(host: &HostName, facts: &Facts) -> Result<(), Stop> {
    let select = Select::eq("host", host.0.as_str()).and("agent_type", L3_AGENT);
    let Some(agent) = facts.list::<Agent>(select)?.pop() else {
        return Err(Refusal::not_found::<Agent>(host).into());
    };
    let Some(mode) = agent.partial_mode() else { return Ok(()) };
    let reason = format!("its agent_mode is {mode}");
    Err(Refusal::RouterAgentIncompatible { host: host.to_string(), reason }.into())
}
