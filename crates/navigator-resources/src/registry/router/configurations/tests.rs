//! Where a router shall run.

use navigator_model::HostName;
use serde_json::json;

use crate::{
    Resource,
    world::{Site, refusal, refused},
};

#[test]
fn configurations_are_merged_per_key() {
    let mut site = Site::new();
    let all = json!({"preferred_agent": "node-1", "master_agent": "node-1", "slave_agents": ["b"]});
    for (said, stored) in [
        (all.clone(), all.clone()),
        (
            json!({"slave_agents": null}),
            json!({"preferred_agent": "node-1", "master_agent": "node-1"}),
        ),
        (
            json!({"slave_agents": ["c", "d"]}),
            json!({"preferred_agent": "node-1", "master_agent": "node-1", "slave_agents": ["c", "d"]}),
        ),
        (json!(null), json!({})),
        (
            all,
            json!({"preferred_agent": "node-1", "master_agent": "node-1", "slave_agents": ["b"]}),
        ),
        (json!({}), json!({})),
    ] {
        let router = site.put(json!({"configurations": said})).unwrap();
        assert_eq!(router.to_json()["configurations"], stored, "{said}");
    }
}

#[test]
fn configurations_name_agents_that_can_host_the_router() {
    let mut site = Site::new();
    for (said, expected) in [
        (json!({"preferred_agent": "nowhere"}), (404, "AgentNotFound")),
        (json!({"master_agent": "a", "slave_agents": ["a"]}), (409, "RouterAgentConflict")),
        (json!({"slave_agents": ["a", "a"]}), (400, "HTTPBadRequest")),
        (json!({"prefrred_agent": "node-1"}), (400, "HTTPBadRequest")),
        (json!({"preferred_agent": 7}), (400, "HTTPBadRequest")),
        (json!({"preferred_agent": ""}), (400, "HTTPBadRequest")),
    ] {
        let outcome = site.put(json!({"configurations": said}));
        assert_eq!(refusal(outcome), refused(expected.0, expected.1), "{said}");
    }
    let text = site.put(json!({"configurations": {"preferred_agent": "nowhere"}})).unwrap_err();
    assert_eq!(text.to_string(), "Agent nowhere could not be found.");
    // The keys of highly available routers are not looked up for one that is not.
    site.put(json!({"configurations": {"master_agent": "a", "slave_agents": ["b"]}})).unwrap();
}

#[test]
fn highly_available_routers_name_a_master_and_slaves() {
    let mut site = Site::new();
    site.world.agent("L3 agent", "neutron-l3-agent", "node-2");
    site.put(json!({"ha": true, "admin_state_up": false})).unwrap();
    for (said, expected) in [
        (json!({"master_agent": "node-1"}), (400, "RouterAgentNotGiven")),
        (json!({"slave_agents": ["node-1"]}), (400, "RouterAgentNotGiven")),
        (json!({"master_agent": "node-1", "slave_agents": []}), (400, "RouterAgentNotGiven")),
        (
            json!({"master_agent": "node-1", "slave_agents": ["node-1"]}),
            (409, "RouterAgentConflict"),
        ),
        (json!({"master_agent": "a", "slave_agents": ["node-1"]}), (404, "AgentNotFound")),
        (json!({"master_agent": "node-1", "slave_agents": ["b"]}), (404, "AgentNotFound")),
    ] {
        let outcome = site.put(json!({"configurations": said}));
        assert_eq!(refusal(outcome), refused(expected.0, expected.1), "{said}");
    }
    let all = json!({
        "preferred_agent": "nowhere", "master_agent": "node-2", "slave_agents": ["node-1"]});
    let router = site.put(json!({"configurations": all})).unwrap();
    assert_eq!(router.l3_host, Some(HostName("node-2".to_owned())));
    // One that is so no more has to find what it uses then.
    assert_eq!(refusal(site.put(json!({"ha": false}))), refused(404, "AgentNotFound"));
    site.put(json!({"ha": false, "configurations": {"preferred_agent": null}})).unwrap();
}
