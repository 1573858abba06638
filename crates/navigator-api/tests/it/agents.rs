//! Agents as administrators see and steer them, and what hosts may say and ask.

use axum::body::Body;
use futures::{FutureExt as _, StreamExt as _};
use navigator_bus::{BusError, ControlPlane as _};
use navigator_model::{Heartbeat, HostName, Report, Revision, Scope, report::AgentRole};
use navigator_resources::Settings;
use serde_json::{Value, json};

use crate::cloud::{Backend, Cloud, HOST, text};

on_both! {
    an_agent_shows_whether_it_is_alive_and_is_found_by_it,
    agents_are_the_administrators_alone,
    work_leaves_an_agent_that_is_switched_off_or_forgotten,
    a_host_speaks_for_itself_only,
}

/// A host with all three agents and this tunnel address.
pub(crate) fn beat(host: &str, tunnel: &str) -> Heartbeat {
    let role = |agent_type: &str| AgentRole {
        agent_type: agent_type.to_owned(),
        binary: "navigator".to_owned(),
        topic: "N/A".to_owned(),
        configurations: json!({
            "bridge_mappings": {"external": "ext0"}, "tunneling_ip": tunnel}),
    };
    Heartbeat {
        host: host.into(),
        availability_zone: "nova".to_owned(),
        roles: ["L3 agent", "DHCP agent", "Linux bridge agent"].map(role).into(),
        started: false,
    }
}

async fn agents(cloud: &Cloud, query: &str) -> Vec<Value> {
    let path = format!("/v2.0/agents{query}");
    let mut listed = cloud.get("admin", &path).await.expect(200);
    listed["agents"].as_array_mut().map(std::mem::take).unwrap_or_default()
}

async fn agent_of(cloud: &Cloud, host: &str, agent_type: &str) -> String {
    let query = format!("?host={host}&agent_type={}", agent_type.replace(' ', "%20"));
    format!("/v2.0/agents/{}", text(&agents(cloud, &query).await[0]["id"]))
}

async fn an_agent_shows_whether_it_is_alive_and_is_found_by_it(on: Backend) {
    let cloud = Cloud::on(on).await;
    let (silent, settings) = (beat("silent", "198.51.100.1"), Settings::default());
    cloud.store.heartbeat(&silent, &settings, "2026-01-02T03:00:00Z").await.unwrap();
    cloud.plane.heartbeat(beat("lively", "198.51.100.2")).await.unwrap();
    for agent in agents(&cloud, "").await {
        assert_eq!(agent["alive"], agent["host"] == "lively");
        let path = format!("/v2.0/agents/{}", text(&agent["id"]));
        assert_eq!(cloud.get("admin", &path).await.expect(200)["agent"]["alive"], agent["alive"]);
    }
    for (query, hosts) in [
        ("alive=true", "lively lively lively"),
        ("alive=False", "silent silent silent"),
        ("alive=true&limit=2&sort_key=host", "lively lively"),
        ("alive=false&limit=2&sort_key=host", "silent silent"),
        ("alive=true&host=silent", ""),
        ("alive=true&alive=false&agent_type=L3%20agent&sort_key=host", "lively silent"),
        ("alive=true&alive=false&agent_type=L3%20Agent&sort_key=host", "lively silent"),
        ("alive=perhaps", ""),
    ] {
        let found = agents(&cloud, &format!("?fields=host&{query}")).await;
        let found: Vec<_> = found.iter().map(|agent| text(&agent["host"])).collect();
        assert_eq!(found.join(" "), hosts, "{query}");
    }
}

async fn agents_are_the_administrators_alone(on: Backend) {
    let cloud = Cloud::on(on).await;
    cloud.agents_appear().await;
    let path = agent_of(&cloud, HOST, "L3 agent").await;
    for query in ["", "?alive=true", "?agent_type=L3%20agent", "?limit=1"] {
        let seen = cloud.get("alice", &format!("/v2.0/agents{query}")).await.expect(200);
        assert_eq!(seen, json!({"agents": []}));
    }
    cloud.get("alice", &path).await.refused(404, "AgentNotFound");
    let body = json!({"agent": {"admin_state_up": false}});
    cloud.put("alice", &path, &body).await.refused(404, "AgentNotFound");
    cloud.delete("alice", &path).await.refused(404, "AgentNotFound");
    let body = json!({"agent": {}});
    cloud.post("alice", "/v2.0/agents", &body).await.refused(403, "PolicyNotAuthorized");
    cloud.get("admin", &path).await.expect(200);
}

/// The hosts of the router's ports and of the network's DHCP port.
async fn hosts(cloud: &Cloud, router: &Value, network: &Value) -> Vec<String> {
    let mut hosts = Vec::new();
    for query in [
        format!("device_id={}", text(&router["id"])),
        format!("network_id={}&device_owner=network:dhcp", text(&network["id"])),
    ] {
        let ports = cloud.get("admin", &format!("/v2.0/ports?{query}")).await.expect(200);
        let ports = ports["ports"].as_array().unwrap();
        hosts.extend(ports.iter().map(|port| text(&port["binding:host_id"]).to_owned()));
    }
    hosts.dedup();
    hosts
}

async fn work_leaves_an_agent_that_is_switched_off_or_forgotten(on: Backend) {
    let cloud = Cloud::on(on).await;
    cloud.agents_appear().await;
    let site = cloud.site().await;
    cloud.plane.heartbeat(beat("network-2", "198.51.100.2")).await.unwrap();
    assert_eq!(hosts(&cloud, &site.router, &site.network).await, [HOST]);

    let first: HostName = HOST.into();
    let mut wakeups = cloud.plane.wakeups(&first).await.unwrap();
    let off = json!({"agent": {"admin_state_up": false}});
    for agent_type in ["L3 agent", "DHCP agent"] {
        let path = agent_of(&cloud, HOST, agent_type).await;
        cloud.put("admin", &path, &off).await.expect(200);
    }
    assert_eq!(hosts(&cloud, &site.router, &site.network).await, ["network-2"]);
    let mut woken = Vec::new();
    while let Some(Some(wakeup)) = wakeups.next().now_or_never() {
        woken.push(wakeup.scope);
    }
    assert!(woken.contains(&Scope::Host(first)), "{woken:?}");
    assert!(!woken.contains(&Scope::Host("network-2".into())), "that is the other's: {woken:?}");

    let on_again = json!({"agent": {"admin_state_up": true}});
    for agent_type in ["L3 agent", "DHCP agent"] {
        let path = agent_of(&cloud, HOST, agent_type).await;
        cloud.put("admin", &path, &on_again).await.expect(200);
    }
    assert_eq!(
        hosts(&cloud, &site.router, &site.network).await,
        ["network-2"],
        "who is served stays"
    );
    for agent_type in ["L3 agent", "DHCP agent"] {
        let path = agent_of(&cloud, "network-2", agent_type).await;
        assert_eq!(cloud.delete("admin", &path).await.status, 204);
    }
    assert_eq!(hosts(&cloud, &site.router, &site.network).await, [HOST]);
}

async fn a_host_speaks_for_itself_only(on: Backend) {
    let cloud = Cloud::on(on).await;
    cloud.agents_appear().await;
    let site = cloud.site().await;
    let router = Scope::Router(text(&site.router["id"]).parse().unwrap());
    let report = |scope: &Scope| Report {
        scope: scope.clone(),
        revision: Revision(1),
        outcomes: Vec::new(),
    };
    let own: HostName = HOST.into();
    let other: HostName = "elsewhere".into();
    cloud.plane.report(&own, report(&router)).await.unwrap();
    let refused = cloud.plane.report(&other, report(&router)).await;
    assert!(matches!(refused, Err(BusError::Refused(_))), "{refused:?}");
    cloud.plane.fetch(&own, &Scope::Host(own.clone()), None).await.unwrap();
    let refused = cloud.plane.fetch(&other, &Scope::Host(own), None).await;
    assert!(matches!(refused, Err(BusError::Refused(_))), "{refused:?}");

    let request = axum::http::Request::builder()
        .uri(format!("/agent/v1/snapshot?host=elsewhere&scope=host/{HOST}"))
        .header("authorization", "Bearer secret");
    assert_eq!(cloud.send(request.body(Body::empty()).unwrap()).await.status, 409);
}
