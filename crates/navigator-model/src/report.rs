//! What flows back from an agent: heartbeats, and the outcome per object with the revision reached.
//! Reports are data for people and clients; nothing is ever rendered from them.

use serde::{Deserialize, Serialize};

use crate::{HostName, ObjectKey, Revision, Scope};

/// What became of one object in the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", content = "reason", rename_all = "UPPERCASE")]
pub enum Outcome {
    /// In the kernel as asked.
    Active,
    /// Wanted off, or its device is not there yet.
    Down,
    /// Refused, and why.
    Error(String),
}

/// Outcomes that changed since the agent's last report of this scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub scope: Scope,
    pub revision: Revision,
    pub outcomes: Vec<(ObjectKey, Outcome)>,
}

/// One agent role on one host, as `GET /v2.0/agents` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRole {
    /// Neutron's string, such as `L3 agent`; clients select by it.
    pub agent_type: String,
    /// Neutron's string, such as `neutron-l3-agent`.
    pub binary: String,
    pub topic: String,
    pub configurations: serde_json::Value,
}

/// Sent by every agent at a fixed interval; registers the host's roles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    pub host: HostName,
    pub availability_zone: String,
    pub roles: Vec<AgentRole>,
    /// True in the first heartbeat after the agent's process started.
    pub started: bool,
}
