//! When an agent counts as alive, and what an administrator may do with it.

use serde_json::json;

use super::*;
use crate::world::{Session, NOW};

pub(crate) fn agent(agent_type: &str, host: &str) -> Agent {
    let name = format!("{agent_type}/{host}");
    Agent {
        id: AgentId(uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_DNS, name.as_bytes())),
        agent_type: agent_type.to_owned(),
        binary: "navigator".to_owned(),
        topic: "N/A".to_owned(),
        host: host.into(),
        availability_zone: Some("nova".to_owned()),
        admin_state_up: true,
        configurations: Dict::default(),
        created_at: NOW.to_owned(),
        started_at: NOW.to_owned(),
        heartbeat_timestamp: NOW.to_owned(),
        description: None,
    }
}

#[test]
fn an_agent_is_alive_as_long_as_its_last_heartbeat_is_young() {
    for (heard, now, expected) in [
        ("2026-11-20T12:00:00Z", "2026-11-20T12:01:15Z", true),
        ("2026-11-20T12:00:00Z", "2026-11-20T12:01:16Z", false),
        ("2026-11-20 12:00:00", "2026-11-20T12:00:10Z", true),
        ("2026-11-20 12:00:00", "2026-11-21T12:00:10Z", false),
        ("2026-11-20T12:00:09Z", "2026-11-20T12:00:00Z", true),
        ("", "2026-11-20T12:00:00Z", false),
        ("soon", "2026-11-20T12:00:00Z", false),
    ] {
        assert_eq!(alive(heard, now, 75), expected, "{heard} at {now}");
    }
}

#[test]
fn an_agent_that_is_off_or_silent_gets_no_work() {
    let mut table = Session::new();
    let (a, mut b, mut c) = (agent(L3_AGENT, "a"), agent(L3_AGENT, "b"), agent(L3_AGENT, "c"));
    b.admin_state_up = false;
    c.heartbeat_timestamp = "2026-01-02T02:00:00Z".to_owned();
    for one in [&a, &b, &c, &agent(DHCP_AGENT, "d")] {
        table.put(one);
    }
    let found = table
        .decide(|facts, context| Ok((usable(L3_AGENT, facts, context)?, Writes::new())))
        .unwrap();
    assert_eq!(found, [a]);
}

#[test]
fn an_administrator_switches_an_agent_off_and_forgets_it() {
    let mut table = Session::new();
    let agent = agent(L3_AGENT, "a");
    table.put(&agent);
    let changed: Agent =
        table.update(agent.id, json!({"admin_state_up": false, "description": "old"})).unwrap();
    assert!(!changed.admin_state_up);
    assert_eq!(changed.description, Some("old".into()));
    table.delete::<Agent>(agent.id).unwrap();
    assert_eq!(table.get::<Agent>(agent.id), None);
    assert!(Agent::declaration().admin_only);
}
