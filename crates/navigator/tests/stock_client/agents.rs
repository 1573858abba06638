//! `openstack network agent …` and `openstack extension …`.

use serde_json::json;

use crate::row::{Row, has, lists, quiet, refused, shows};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        lists(
            "network agent list",
            "Binary",
            json!(["neutron-l3-agent", "neutron-dhcp-agent", "neutron-linuxbridge-agent"]),
        ),
        lists("network agent list --long", "Host", json!(["node", "node", "node"])),
        lists("network agent list --host elsewhere", "Host", json!([])),
        lists("network agent list --agent-type dhcp", "Agent Type", json!(["DHCP agent"])),
        lists("network agent list --agent-type l3 --host node", "Alive", json!([true]))
            .keep("l3", "/0/ID"),
        shows(
            "network agent show {l3}",
            json!({
                "agent_type": "L3 agent", "binary": "neutron-l3-agent", "host": "node",
                "alive": true, "admin_state_up": true, "availability_zone": "nova",
                "configuration": {"agent_mode": "legacy"}}),
        ),
        quiet("network agent set {l3} --disable --description 'to be repaired'"),
        shows(
            "network agent show {l3}",
            json!({"admin_state_up": false, "alive": true, "description": "to be repaired"}),
        ),
        quiet("network agent set {l3} --enable"),
        shows("network agent show {l3}", json!({"admin_state_up": true})),
        refused("network agent show green", "No Agent found for green"),
        refused("network agent delete green", "1 of 1 network agents failed to delete."),
        // One that lives is there again at its next sign of life.
        quiet("network agent delete {l3}"),
        has(
            "extension list --network",
            "Alias",
            json!([
                "agent",
                "router",
                "floating-ip-port-forwarding",
                "router-gateway-port-forwarding"
            ]),
        ),
        shows("extension show router", json!({"alias": "router", "name": "Neutron L3 Router"})),
        shows(
            "extension show router-gateway-port-forwarding",
            json!({"alias": "router-gateway-port-forwarding"}),
        ),
        refused("extension show green", "No Extension found for green"),
    ]
}

/// Where a router and a network are.
pub(crate) fn hosting() -> Vec<Row> {
    vec![
        shows("router create router --external-gateway outside", json!({"name": "router"})),
        quiet("router add subnet router inside"),
        lists("network agent list --router router", "Agent Type", json!(["L3 agent"]))
            .keep("l3", "/0/ID"),
        lists("network agent list --router router --long", "HA State", json!([null])),
        lists("router list --agent {l3}", "Name", json!(["router"])),
        lists("network agent list --network inside", "Agent Type", json!(["DHCP agent"]))
            .keep("dhcp", "/0/ID"),
        lists("network list --agent {dhcp}", "Name", json!(["inside"])),
        lists("router list --agent {dhcp}", "Name", json!([])),
        // Nothing serves addresses outside.
        lists("network agent list --network outside", "Agent Type", json!([])),
        has(
            "availability zone list --network --long",
            "Zone Resource",
            json!(["network", "router"]),
        ),
        quiet("network agent remove router --l3 {l3} router"),
        lists("network agent list --router router", "ID", json!([])),
        // The client does not look at the answer, which is a 409; likewise below.
        quiet("network agent remove router --l3 {l3} router"),
        quiet("network agent add router --l3 {l3} router"),
        lists("network agent list --router router", "ID", json!(["{l3}"])),
        quiet("network agent add router --l3 {dhcp} router"),
        lists("network agent list --router router", "ID", json!(["{l3}"])),
        quiet("network agent remove network --dhcp {dhcp} inside"),
        lists("network agent list --network inside", "ID", json!([])),
        quiet("network agent add network --dhcp {dhcp} inside"),
        lists("network agent list --network inside", "ID", json!(["{dhcp}"])),
        quiet("network agent router set {l3} router --ha-chassis-priority 1"),
        refused("network agent list --router green", "No Router found for green"),
        refused("router list --agent green", "No Agent found for green"),
    ]
}
