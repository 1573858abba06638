//! Where routers and networks are, for administrators.

use serde_json::Value;

use crate::cloud::{Cloud, HOST, text};

fn ids(answer: &Value, collection: &str) -> Vec<String> {
    let items = answer[collection].as_array().unwrap();
    items.iter().map(|item| text(&item["id"]).to_owned()).collect()
}

#[tokio::test]
async fn administrators_see_which_agent_serves_what() {
    let cloud = Cloud::new().await;
    cloud.agents_appear().await;
    let site = cloud.site().await;
    let (router, network) = (text(&site.router["id"]), text(&site.network["id"]));

    let path = format!("/v2.0/routers/{router}/l3_agents");
    let answer = cloud.get("admin", &path).await.expect(200);
    let agent = &answer["agents"][0];
    assert_eq!((text(&agent["host"]), text(&agent["agent_type"])), (HOST, "L3 agent"));
    assert_eq!((&agent["alive"], &agent["ha_state"]), (&Value::Bool(true), &Value::Null));
    let l3 = text(&agent["id"]).to_owned();
    let path = format!("/v2.0/agents/{l3}/l3_routers");
    assert_eq!(ids(&cloud.get("admin", &path).await.expect(200), "routers"), [router]);
    let path = format!("/v2.0/agents/{l3}/dhcp_networks");
    assert!(ids(&cloud.get("admin", &path).await.expect(200), "networks").is_empty());

    let path = format!("/v2.0/networks/{network}/dhcp_agents?fields=id");
    let answer = cloud.get("admin", &path).await.expect(200);
    let dhcp = ids(&answer, "agents");
    assert_eq!(answer["agents"][0].as_object().unwrap().len(), 1);
    let path = format!("/v2.0/agents/{}/dhcp_networks", dhcp[0]);
    assert_eq!(ids(&cloud.get("admin", &path).await.expect(200), "networks"), [network]);

    for path in [
        format!("/v2.0/routers/{router}/l3_agents"),
        format!("/v2.0/networks/{network}/dhcp_agents"),
        format!("/v2.0/agents/{l3}/l3_routers"),
        format!("/v2.0/agents/{l3}/dhcp_networks"),
    ] {
        cloud.get("alice", &path).await.refused(403, "PolicyNotAuthorized");
    }
    let path = format!("/v2.0/routers/{network}/l3_agents");
    cloud.get("admin", &path).await.refused(404, "RouterNotFound");
    let path = format!("/v2.0/agents/{router}/l3_routers");
    cloud.get("admin", &path).await.refused(404, "AgentNotFound");
}
