//! The requests with which Horizon fills its network panels, as an ordinary user and as an
//! administrator: each is answered with the key that the panel reads.

use serde_json::json;

use crate::cloud::{Backend, Cloud, text};

on_both! {
    every_panel_gets_its_answers,
}

/// Query and the body key that the panel reads; `{network}` and the like are ids of the site.
const PANELS: &[(&str, &str)] = &[
    ("extensions", "extensions"),
    ("networks?tenant_id={project}&shared=False", "networks"),
    ("networks?shared=True", "networks"),
    ("networks?router:external=True", "networks"),
    ("networks?id={network}&id={external}&fields=id&fields=name", "networks"),
    ("networks/{network}", "network"),
    ("subnets?network_id={network}", "subnets"),
    ("subnets?tenant_id={project}", "subnets"),
    ("subnets/{subnet}", "subnet"),
    ("subnetpools", "subnetpools"),
    ("subnetpools?is_default=True", "subnetpools"),
    ("address-scopes", "address_scopes"),
    ("ports?network_id={network}", "ports"),
    ("ports?tenant_id={project}&device_owner=network:router_gateway", "ports"),
    ("ports?device_id={router}", "ports"),
    ("ports?fields=id&tenant_id={project}", "ports"),
    ("ports/{port}", "port"),
    ("routers?tenant_id={project}", "routers"),
    ("routers/{router}", "router"),
    ("floatingips?tenant_id={project}", "floatingips"),
    ("floatingips?port_id={port}", "floatingips"),
    ("floatingips?tenant_id={project}&fields=id", "floatingips"),
    ("security-groups?tenant_id={project}", "security_groups"),
    ("security-groups?tenant_id={project}&shared=False", "security_groups"),
    ("security-groups?fields=id&fields=name", "security_groups"),
    ("security-group-rules?tenant_id={project}", "security_group_rules"),
    ("qos/policies?tenant_id={project}", "policies"),
    ("trunks?tenant_id={project}", "trunks"),
    ("rbac-policies", "rbac_policies"),
    ("quotas/{project}", "quota"),
    ("quotas/{project}/details.json", "quota"),
    ("quotas/{project}/default", "quota"),
    ("availability_zones?resource=network&state=available", "availability_zones"),
    ("availability_zones?resource=router&state=available", "availability_zones"),
    ("flavors", "flavors"),
    ("service-providers", "service_providers"),
];

const ADMIN_PANELS: &[(&str, &str)] = &[
    ("agents", "agents"),
    ("agents?agent_type=DHCP%20agent", "agents"),
    ("agents?agent_type=L3%20agent", "agents"),
    ("networks/{network}/dhcp-agents", "agents"),
    ("routers/{router}/l3-agents", "agents"),
    ("network-ip-availabilities", "network_ip_availabilities"),
    ("network-ip-availabilities/{network}", "network_ip_availability"),
    ("networks?tenant_id={project}", "networks"),
    ("quotas", "quotas"),
    ("metering/metering-labels", "metering_labels"),
    ("network_segment_ranges", "network_segment_ranges"),
    ("segments", "segments"),
];

async fn every_panel_gets_its_answers(on: Backend) {
    let cloud = Cloud::on(on).await;
    cloud.agents_appear().await;
    let site = cloud.site().await;
    let filled = |query: &str| {
        query
            .replace("{project}", text(&site.network["project_id"]))
            .replace("{network}", text(&site.network["id"]))
            .replace("{external}", text(&site.external["id"]))
            .replace("{subnet}", text(&site.subnet["id"]))
            .replace("{router}", text(&site.router["id"]))
            .replace("{port}", text(&site.port["id"]))
    };
    for (user, panels) in [("alice", PANELS), ("admin", PANELS), ("admin", ADMIN_PANELS)] {
        for (query, key) in panels {
            let path = format!("/v2.0/{}", filled(query));
            let answer = cloud.get(user, &path).await;
            assert_eq!(answer.status, 200, "{user} GET {path}: {}", answer.body);
            assert!(answer.body.get(key).is_some(), "{user} GET {path}: {}", answer.body);
        }
    }
    // What the panel of a network's ports sends when an address pair is added.
    let port = format!("/v2.0/ports/{}", text(&site.port["id"]));
    let pairs = json!({"port": {"allowed_address_pairs": [{"ip_address": "10.0.0.77"}]}});
    cloud.put("alice", &port, &pairs).await.expect(200);
}
