//! When an agent counts as alive, and what an administrator may do with it.

use serde_json::json;

use super::*;
use crate::{Moment, Settings, world::{NOW, Session}};

pub(crate) fn agent(agent_type: &str, host: &str) -> Agent {
    let name = format!("{agent_type}/{host}");
    Agent {
        id: AgentId(uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_DNS, name.as_bytes())),
        agent_type: AgentType(agent_type.to_owned()),
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
}

#[test]
fn a_list_of_the_living_is_cut_where_alive_ends() {
    let settings = Settings::default();
    let now = "2026-11-20T00:01:00Z";
    let [alive_now] = Agent::momentary() else { panic!("one momentary attribute") };
    let moment = Moment { now: now.to_owned(), settings: &settings };
    let cutoff = alive_now.filter.unwrap()(&moment);
    assert_eq!(cutoff.at_least, "2026-11-19T23:59:45Z");
    for heard in ["2026-11-19T23:59:44Z", "2026-11-19T23:59:45Z", now, "2026-11-20T00:09:00Z"] {
        let listed = heard >= cutoff.at_least.as_str();
        assert_eq!(listed, alive(heard, now, settings.agent_down_time_s), "{heard}");
    }
}

#[test]
fn a_forgotten_agent_s_tunnel_address_is_forgotten_at_its_ports() {
    let mut site = crate::world::Site::new();
    let router: crate::Router = site.world.get(site.router);
    let host = router.l3_host.unwrap();
    let of = Select::eq("host", host.0.as_str()).and("agent_type", L2_AGENT);
    let mut agent: Agent = site.world.all(of).pop().unwrap();
    agent.configurations = Dict([("tunneling_ip".to_owned(), json!("198.51.100.1"))].into_iter().collect());
    let (id, caller) = (agent.id, crate::world::admin());
    site.world
        .decide(&caller, |_, _| {
            let mut writes = Writes::new();
            writes.update(&agent);
            Ok(((), writes))
        })
        .unwrap();
    site.world.delete::<Agent>(&caller, id).unwrap();
    let ports: Vec<Port> = site.world.all(Select::eq("host_id", host.0.as_str()));
    assert!(!ports.is_empty());
    for port in ports {
        let scope = navigator_model::Scope::Network(port.network_id);
        assert!(site.world.touched.contains(&(scope, navigator_model::ObjectKey::Port(port.id))));
    }
}
