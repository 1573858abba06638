//! Where routers and networks are, for administrators.

use navigator_bus::ControlPlane as _;
use serde_json::{Value, json};

use crate::{
    agents::beat,
    cloud::{Backend, Cloud, HOST, text},
};

on_both! {
    a_router_is_taken_from_one_agent_and_given_to_another,
    a_network_is_served_by_the_agents_that_it_was_given_to,
    zones_are_those_of_agents_and_routers_and_networks_run_in_theirs,
}

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

    let ha = json!({"router": {"ha": true, "admin_state_up": false}});
    cloud.put("admin", &format!("/v2.0/routers/{router}"), &ha).await.expect(200);
    let path = format!("/v2.0/routers/{router}/l3_agents");
    let answer = cloud.get("admin", &path).await.expect(200);
    assert_eq!(answer["agents"][0]["ha_state"], "active");

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

async fn agent(cloud: &Cloud, host: &str, agent_type: &str) -> String {
    let path = format!("/v2.0/agents?host={host}&agent_type={}", agent_type.replace(' ', "%20"));
    ids(&cloud.get("admin", &path).await.expect(200), "agents").remove(0)
}

/// The hosts of the router's and of the network's agents.
async fn hosts(cloud: &Cloud, path: &str) -> Vec<String> {
    let answer = cloud.get("admin", path).await.expect(200);
    let items = answer["agents"].as_array().unwrap();
    let mut hosts: Vec<_> = items.iter().map(|item| text(&item["host"]).to_owned()).collect();
    hosts.sort();
    hosts
}

async fn a_router_is_taken_from_one_agent_and_given_to_another(on: Backend) {
    let cloud = Cloud::on(on).await;
    cloud.agents_appear().await;
    let site = cloud.site().await;
    cloud.plane.heartbeat(beat("network-2", "198.51.100.2")).await.unwrap();
    let router = text(&site.router["id"]);
    let first = agent(&cloud, HOST, "L3 agent").await;
    let second = agent(&cloud, "network-2", "L3 agent").await;
    let dhcp = agent(&cloud, HOST, "DHCP agent").await;
    let unknown = text(&site.network["id"]);
    let add = |agent: &str, router: &str| {
        let path = format!("/v2.0/agents/{agent}/l3-routers");
        let body = json!({ "router_id": router });
        let cloud = &cloud;
        async move { cloud.post("admin", &path, &body).await }
    };
    let at = |agent: &str| format!("/v2.0/agents/{agent}/l3-routers/{router}");
    let agents = format!("/v2.0/routers/{router}/l3-agents");

    add(&second, router).await.refused(409, "RouterHostedByL3Agent");
    add(&dhcp, router).await.refused(404, "InvalidL3Agent");
    add(&second, unknown).await.refused(404, "RouterNotFound");
    add(unknown, router).await.refused(404, "AgentNotFound");
    add("no-id", router).await.refused(404, "AgentNotFound");
    let empty = cloud.post("admin", &format!("/v2.0/agents/{second}/l3-routers"), &json!({})).await;
    empty.refused(400, "HTTPBadRequest");
    assert_eq!(add(&first, router).await.expect(201), Value::Null, "it has it already");
    cloud.delete("admin", &at(&second)).await.refused(409, "RouterNotHostedByL3Agent");

    assert_eq!(cloud.delete("admin", &at(&first)).await.status, 204);
    assert!(hosts(&cloud, &agents).await.is_empty());
    cloud.delete("admin", &at(&first)).await.refused(409, "RouterNotHostedByL3Agent");
    let ports = format!("/v2.0/ports?device_id={router}");
    let bound = async || -> Vec<String> {
        let ports = cloud.get("admin", &ports).await.expect(200);
        let hosts = ports["ports"].as_array().unwrap().iter();
        hosts.map(|port| text(&port["binding:host_id"]).to_owned()).collect()
    };
    assert_eq!(bound().await, ["", ""]);
    assert_eq!(add(&second, router).await.expect(201), Value::Null);
    assert_eq!(hosts(&cloud, &agents).await, ["network-2"]);
    assert_eq!(bound().await, ["network-2", "network-2"]);

    // It stays where it was put, whoever comes and whatever else changes.
    cloud.plane.heartbeat(beat("network-0", "198.51.100.3")).await.unwrap();
    let path = format!("/v2.0/routers/{router}");
    cloud.put("alice", &path, &json!({"router": {"name": "new"}})).await.expect(200);
    let off = json!({"router": {"external_gateway_info": null}});
    cloud.put("alice", &path, &off).await.expect(200);
    assert_eq!(hosts(&cloud, &agents).await, ["network-2"]);
    // Until that agent is gone.
    let path = format!("/v2.0/agents/{second}");
    assert_eq!(cloud.delete("admin", &path).await.status, 204);
    assert_eq!(hosts(&cloud, &agents).await, ["network-0"]);

    let off = json!({"agent": {"admin_state_up": false}});
    cloud.put("admin", &format!("/v2.0/agents/{first}"), &off).await.expect(200);
    add(&first, router).await.refused(404, "InvalidL3Agent");
    let path = format!("/v2.0/agents/{first}/l3-routers");
    let body = json!({ "router_id": router });
    cloud.post("alice", &path, &body).await.refused(403, "PolicyNotAuthorized");
    cloud.delete("alice", &at(&first)).await.refused(403, "PolicyNotAuthorized");
}

async fn a_network_is_served_by_the_agents_that_it_was_given_to(on: Backend) {
    let cloud = Cloud::on(on).await;
    cloud.agents_appear().await;
    let site = cloud.site().await;
    cloud.plane.heartbeat(beat("network-2", "198.51.100.2")).await.unwrap();
    let network = text(&site.network["id"]);
    let first = agent(&cloud, HOST, "DHCP agent").await;
    let second = agent(&cloud, "network-2", "DHCP agent").await;
    let l3 = agent(&cloud, HOST, "L3 agent").await;
    let add = |agent: &str, network: &str| {
        let path = format!("/v2.0/agents/{agent}/dhcp-networks");
        let body = json!({ "network_id": network });
        let cloud = &cloud;
        async move { cloud.post("admin", &path, &body).await }
    };
    let at = |agent: &str| format!("/v2.0/agents/{agent}/dhcp-networks/{network}");
    let agents = format!("/v2.0/networks/{network}/dhcp-agents");

    add(&first, network).await.refused(409, "NetworkHostedByDHCPAgent");
    add(&l3, network).await.refused(404, "InvalidDHCPAgent");
    add(&second, text(&site.router["id"])).await.refused(404, "NetworkNotFound");
    cloud.delete("admin", &at(&second)).await.refused(409, "NetworkNotHostedByDhcpAgent");
    cloud.delete("admin", &at(&l3)).await.refused(409, "NetworkNotHostedByDhcpAgent");
    // Nothing to serve yet, but whose it will be is known.
    let external = text(&site.external["id"]);
    assert_eq!(add(&second, external).await.expect(201), Value::Null);
    let agents_of_external = format!("/v2.0/networks/{external}/dhcp-agents");
    assert_eq!(hosts(&cloud, &agents_of_external).await, ["network-2"]);
    let given = format!("/v2.0/agents/{second}/dhcp-networks/{external}");
    assert_eq!(cloud.delete("admin", &given).await.status, 204);
    assert_eq!(hosts(&cloud, &agents_of_external).await, Vec::<String>::new());
    // One without subnets is served as soon as it has one.
    let bare = cloud.create("alice", "networks", "network", json!({})).await;
    let bare = text(&bare["id"]);
    add(&second, bare).await.expect(201);
    let of_bare = format!("/v2.0/networks/{bare}/dhcp-agents");
    assert_eq!(hosts(&cloud, &of_bare).await, ["network-2"]);
    let subnet = json!({"network_id": bare, "ip_version": 4, "cidr": "10.9.0.0/24"});
    cloud.create("alice", "subnets", "subnet", subnet).await;
    assert_eq!(hosts(&cloud, &of_bare).await, ["network-2"]);
    let served = format!("/v2.0/ports?network_id={bare}&device_owner=network:dhcp");
    let served = cloud.get("admin", &served).await.expect(200);
    assert_eq!(served["ports"][0]["fixed_ips"].as_array().map(Vec::len), Some(1));

    assert_eq!(add(&second, network).await.expect(201), Value::Null);
    assert_eq!(hosts(&cloud, &agents).await, [HOST, "network-2"]);
    // Two are more than are needed, and stay.
    cloud.plane.heartbeat(beat("network-3", "198.51.100.3")).await.unwrap();
    let subnet = json!({"network_id": network, "ip_version": 4, "cidr": "10.0.1.0/24"});
    cloud.create("alice", "subnets", "subnet", subnet).await;
    assert_eq!(hosts(&cloud, &agents).await, [HOST, "network-2"]);
    assert_eq!(cloud.delete("admin", &at(&first)).await.status, 204);
    assert_eq!(hosts(&cloud, &agents).await, ["network-2"]);
    let ports = format!("/v2.0/ports?network_id={network}&device_owner=network:dhcp");
    let ports = cloud.get("admin", &ports).await.expect(200);
    assert_eq!(ports["ports"].as_array().unwrap().len(), 1);
    assert_eq!(ports["ports"][0]["fixed_ips"].as_array().unwrap().len(), 2);
    let path = format!("/v2.0/agents/{second}/dhcp-networks");
    let body = json!({ "network_id": network });
    cloud.post("alice", &path, &body).await.refused(403, "PolicyNotAuthorized");
    cloud.delete("alice", &at(&second)).await.refused(403, "PolicyNotAuthorized");
}

async fn zones_are_those_of_agents_and_routers_and_networks_run_in_theirs(on: Backend) {
    let cloud = Cloud::on(on).await;
    cloud.agents_appear().await;
    let mut east = beat("a-host", "198.51.100.2");
    east.availability_zone = "east".to_owned();
    cloud.plane.heartbeat(east).await.unwrap();
    let zones = async |query: &str| {
        let path = format!("/v2.0/availability_zones{query}");
        cloud.get("alice", &path).await.expect(200)["availability_zones"].take()
    };
    let zone = |name: &str, resource: &str, state: &str| json!({"name": name, "resource": resource, "state": state});
    assert_eq!(
        zones("").await,
        json!([
            zone("east", "network", "available"),
            zone("east", "router", "available"),
            zone("nova", "network", "available"),
            zone("nova", "router", "available"),
        ])
    );
    let path = format!("/v2.0/agents/{}", agent(&cloud, "a-host", "L3 agent").await);
    cloud.put("admin", &path, &json!({"agent": {"admin_state_up": false}})).await.expect(200);
    let query = "?name=east&resource=router&fields=state";
    assert_eq!(zones(query).await, json!([{"state": "unavailable"}]));
    cloud.get("alice", "/v2.0/availability_zones?color=red").await.refused(400, "HTTPBadRequest");
    cloud.put("admin", &path, &json!({"agent": {"admin_state_up": true}})).await.expect(200);

    for (hints, host) in [(json!(["nova"]), HOST), (json!(["east"]), "a-host")] {
        let made = json!({"name": "r", "availability_zone_hints": hints});
        let router = cloud.create("alice", "routers", "router", made).await;
        assert_eq!(
            (&router["availability_zone_hints"], &router["availability_zones"]),
            (&hints, &hints)
        );
        let agents = format!("/v2.0/routers/{}/l3-agents", text(&router["id"]));
        assert_eq!(hosts(&cloud, &agents).await, [host]);
        let made = json!({"name": "n", "availability_zone_hints": hints});
        let network = cloud.create("alice", "networks", "network", made).await;
        let subnet = json!({"network_id": network["id"], "ip_version": 4, "cidr": "10.9.0.0/24"});
        cloud.create("alice", "subnets", "subnet", subnet).await;
        let agents = format!("/v2.0/networks/{}/dhcp-agents", text(&network["id"]));
        assert_eq!(hosts(&cloud, &agents).await, [host]);
    }
    for (collection, name) in [("routers", "router"), ("networks", "network")] {
        let made = json!({ name: {"availability_zone_hints": ["nowhere"]} });
        let answer = cloud.post("alice", &format!("/v2.0/{collection}"), &made).await;
        answer.refused(404, "AvailabilityZoneNotFound");
    }
}
