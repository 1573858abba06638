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
