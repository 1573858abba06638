//! `openstack network …`

use serde_json::json;

use crate::row::{Row, lists, quiet, refused, shows, sorted};

pub(crate) fn rows() -> Vec<Row> {
    [made(), found(), changed(), deleted()].into_iter().flatten().collect()
}

fn made() -> Vec<Row> {
    vec![
        shows(
            "network create blue --description 'the blue one'",
            json!({
                "name": "blue", "description": "the blue one", "admin_state_up": true,
                "mtu": 1450, "port_security_enabled": true, "provider:network_type": "vxlan",
                "router:external": false, "shared": false, "status": "ACTIVE", "subnets": [],
                "revision_number": 1, "tags": []}),
        )
        .keep("blue", "/id")
        .keep("project", "/project_id"),
        shows(
            "network create red --mtu 1400 --disable-port-security --disable --share \
             --transparent-vlan",
            json!({
                "admin_state_up": false, "mtu": 1400, "port_security_enabled": false,
                "shared": true, "is_vlan_transparent": true}),
        ),
        shows(
            "network create tagged --provider-network-type vlan \
             --provider-physical-network external --provider-segment 77",
            json!({
                "mtu": 1500, "provider:network_type": "vlan",
                "provider:physical_network": "external", "provider:segmentation_id": 77}),
        ),
        shows(
            "network create public --external --provider-network-type flat \
             --provider-physical-network public",
            json!({"router:external": true, "provider:segmentation_id": null}),
        ),
        refused(
            "network create other --provider-network-type vlan \
             --provider-physical-network external --provider-segment 77",
            "ConflictException: 409: Client Error for url: http://127.0.0.1:9696/v2.0/networks, \
             Unable to create the network. The VLAN 77 on physical network external is in use.",
        ),
        refused(
            "network create other --provider-network-type vlan --provider-physical-network nowhere",
            "BadRequestException: 400: Client Error for url: \
             http://127.0.0.1:9696/v2.0/networks, Invalid input for operation: physical_network \
             'nowhere' unknown for VLAN provider network.",
        ),
        refused("network create other --mtu -1", "Invalid input for mtu. Reason:"),
    ]
}

fn found() -> Vec<Row> {
    let all = json!(["blue", "public", "red", "tagged"]);
    vec![
        lists("network list", "Name", all.clone()),
        sorted("network list --sort-column Name", "Name", all.clone()),
        lists("network list --long", "Network Type", json!(["flat", "vlan", "vxlan", "vxlan"])),
        lists("network list --name blue", "ID", json!(["{blue}"])),
        lists("network list --external", "Name", json!(["public"])),
        lists("network list --internal", "Name", json!(["blue", "red", "tagged"])),
        lists("network list --enable", "Name", json!(["blue", "public", "tagged"])),
        lists("network list --disable", "Name", json!(["red"])),
        lists("network list --share", "Name", json!(["red"])),
        lists("network list --no-share", "Name", json!(["blue", "public", "tagged"])),
        lists("network list --status DOWN", "Name", json!([])),
        lists("network list --provider-network-type vlan", "Name", json!(["tagged"])),
        lists("network list --provider-physical-network external", "Name", json!(["tagged"])),
        lists("network list --provider-segment 77", "Name", json!(["tagged"])),
        shows("network show {blue}", json!({"name": "blue"})),
        shows("network show blue", json!({"id": "{blue}", "project_id": "{project}"})),
        refused("network show green", "No Network found for green"),
    ]
}

fn changed() -> Vec<Row> {
    vec![
        quiet("network set blue --name azure --description '' --mtu 1300 --disable --share"),
        shows(
            "network show azure",
            json!({
                "id": "{blue}", "description": "", "mtu": 1300, "admin_state_up": false,
                "shared": true, "revision_number": 2}),
        ),
        quiet("network set azure --no-share --enable --external --disable-port-security"),
        shows(
            "network show azure",
            json!({
                "shared": false, "admin_state_up": true, "router:external": true,
                "port_security_enabled": false}),
        ),
        quiet("network set azure --internal --enable-port-security"),
        quiet("network unset azure --all-tag"),
        shows("network show azure", json!({"router:external": false, "tags": []})),
        refused(
            "network set azure --provider-network-type local",
            "Cannot update read-only attribute provider:network_type",
        ),
        refused("network set green --name greener", "No Network found for green"),
    ]
}

fn deleted() -> Vec<Row> {
    vec![
        shows("port create --network azure held", json!({"name": "held"})),
        refused(
            "network delete azure",
            "ConflictException: 409: Client Error for url: \
             http://127.0.0.1:9696/v2.0/networks/{blue}, Unable to complete operation on network \
             {blue}. There are one or more ports still in use on the network",
        ),
        quiet("port delete held"),
        quiet("network delete red tagged"),
        refused("network delete green azure", "1 of 2 networks failed to delete."),
        lists("network list", "Name", json!(["public"])),
    ]
}
