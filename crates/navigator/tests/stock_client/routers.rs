//! `openstack router …`, between `outside` and `inside`.

use serde_json::json;

use crate::row::{Row, lists, quiet, refused, shows};

pub(crate) fn rows() -> Vec<Row> {
    [made(), kinds(), found(), interfaces(), routes(), gateway(), deleted()]
        .into_iter()
        .flatten()
        .collect()
}

fn made() -> Vec<Row> {
    vec![
        shows(
            "router create r1 --description 'the first' --disable",
            json!({
                "name": "r1", "description": "the first", "admin_state_up": false,
                "external_gateway_info": null, "routes": [], "distributed": false, "ha": false}),
        )
        .keep("r1", "/id"),
        shows(
            "router create r2 --external-gateway outside --disable-snat \
             --fixed-ip subnet=outside,ip-address=203.0.113.150",
            json!({"external_gateway_info": {
                "network_id": "{outside}", "enable_snat": false, "external_fixed_ips": [
                    {"subnet_id": "{outside_subnet}", "ip_address": "203.0.113.150"}]}}),
        )
        .keep("r2", "/id"),
        // The client makes the router first and then asks for its gateway.
        refused(
            "router create r3 --external-gateway inside",
            "Bad router request: Network {inside} is not an external network.",
        ),
        quiet("router delete r3"),
        refused(
            "router create r3 --external-gateway outside \
             --fixed-ip subnet=outside,ip-address=203.0.113.150",
            "IP address 203.0.113.150 already allocated in subnet {outside_subnet}",
        ),
        quiet("router delete r3"),
        refused("router create r3 --external-gateway green", "No Network found for green"),
    ]
}

/// Recorded: one node serves each.
fn kinds() -> Vec<Row> {
    vec![
        shows("router create r3 --ha", json!({"ha": true, "distributed": false})),
        quiet("router delete r3"),
        shows("router create r3 --distributed --no-ha", json!({"ha": false, "distributed": true})),
        refused("router set r3 --centralized", "of active routers"),
        quiet("router set r3 --disable"),
        quiet("router set r3 --centralized"),
        quiet("router set r3 --ha"),
        shows("router show r3", json!({"ha": true, "distributed": false})),
        quiet("router set r3 --no-ha --distributed"),
        shows("router show r3", json!({"ha": false, "distributed": true})),
        quiet("router delete r3"),
    ]
}

fn found() -> Vec<Row> {
    vec![
        lists("router list", "Name", json!(["r1", "r2"])),
        lists("router list --long", "Routes", json!([[], []])),
        lists("router list --disable", "Name", json!(["r1"])),
        lists("router list --enable --name r2", "ID", json!(["{r2}"])),
        lists("router list --name r3", "Name", json!([])),
        shows("router show r2", json!({"id": "{r2}", "interfaces_info": []})),
        refused("router show r3", "No Router found for r3"),
    ]
}

fn interfaces() -> Vec<Row> {
    vec![
        shows("network create far", json!({"name": "far"})),
        shows("subnet create far --network far --subnet-range 10.8.0.0/24", json!({"name": "far"}))
            .keep("far_subnet", "/id"),
        shows(
            "subnet create overlap --network far --subnet-range 10.0.0.128/25",
            json!({"name": "overlap"}),
        )
        .keep("overlap", "/id"),
        shows(
            "port create leg --network far --fixed-ip subnet=far,ip-address=10.8.0.9",
            json!({"name": "leg"}),
        )
        .keep("leg", "/id"),
        quiet("router add subnet r1 inside"),
        quiet("router add port r1 leg"),
        lists(
            "port list --router r1",
            "Fixed IP Addresses",
            json!([
            [{"subnet_id": "{inside_subnet}", "ip_address": "10.0.0.1"}],
            [{"subnet_id": "{far_subnet}", "ip_address": "10.8.0.9"}]]),
        ),
        shows(
            "port show leg",
            json!({"device_id": "{r1}", "device_owner": "network:router_interface"}),
        ),
        refused(
            "router add subnet r1 inside",
            "Bad router request: Router already has a port on subnet {inside_subnet}.",
        ),
        refused(
            "router add subnet r1 overlap",
            "Bad router request: Cidr 10.0.0.128/25 of subnet {overlap} overlaps with cidr \
             10.0.0.0/24 of subnet {inside_subnet}.",
        ),
        refused("router add port r2 leg", "ConflictException: 409"),
        refused("router add subnet r1 green", "No Subnet found for green"),
        refused("router delete r1", "Router {r1} still has ports"),
        refused("port delete leg", "{leg} cannot be deleted directly via the port API"),
    ]
}

fn routes() -> Vec<Row> {
    let [a, b, c] = [
        ("192.0.2.0/24", "10.0.0.9"),
        ("198.51.100.0/25", "10.8.0.7"),
        ("198.51.100.128/25", "10.8.0.7"),
    ]
    .map(|(destination, nexthop)| json!({"destination": destination, "nexthop": nexthop}));
    vec![
        quiet("router set r1 --route destination=192.0.2.0/24,gateway=10.0.0.9"),
        shows(
            "router add route r1 --route destination=198.51.100.0/25,gateway=10.8.0.7 \
             --route destination=198.51.100.128/25,gateway=10.8.0.7",
            json!({"routes": [a, b, c]}),
        ),
        shows(
            "router add route r1 --route destination=192.0.2.0/24,gateway=10.0.0.9",
            json!({"routes": [a, b, c]}),
        ),
        refused(
            "router add route r1 --route destination=198.51.101.0/24,gateway=172.16.0.1",
            "the nexthop is not connected with router",
        ),
        shows(
            "router remove route r1 --route destination=198.51.100.128/25,gateway=10.8.0.7",
            json!({"routes": [a, b]}),
        ),
        refused(
            "router remove port r1 leg",
            "Router interface for subnet {far_subnet} on router {r1} cannot be deleted, as it is \
             required by one or more routes.",
        ),
        quiet("router unset r1 --route destination=198.51.100.0/25,gateway=10.8.0.7"),
        shows("router show r1", json!({"routes": [a]})),
        quiet("router set r1 --no-route"),
        shows("router show r1", json!({"routes": []})),
        quiet("router remove port r1 leg"),
        refused("router remove subnet r1 far", "Router {r1} has no interface on subnet"),
    ]
}

fn gateway() -> Vec<Row> {
    vec![
        quiet(
            "router set r1 --name first --enable --description '' --external-gateway outside \
             --fixed-ip subnet=outside,ip-address=203.0.113.151 --disable-snat",
        ),
        shows(
            "router show first",
            json!({
                "id": "{r1}", "admin_state_up": true, "description": "",
                "external_gateway_info": {
                    "network_id": "{outside}", "enable_snat": false, "external_fixed_ips": [
                        {"subnet_id": "{outside_subnet}", "ip_address": "203.0.113.151"}]}}),
        ),
        quiet("router set first --external-gateway outside --enable-snat"),
        shows("router show first", json!({"external_gateway_info": {"enable_snat": true}})),
        quiet("router unset first --external-gateway"),
        shows("router show first", json!({"external_gateway_info": null})),
        shows("router add gateway first outside", json!({"id": "{r1}"})),
        shows("router show first", json!({"external_gateway_info": {"network_id": "{outside}"}})),
        refused("router add gateway first outside", "a router has at most one external gateway"),
        shows("router remove gateway first outside", json!({"id": "{r1}"})),
        shows("router show first", json!({"external_gateway_info": null})),
        refused(
            "router remove gateway first outside",
            "the router has no external gateway on network {outside}",
        ),
    ]
}

fn deleted() -> Vec<Row> {
    vec![
        refused("network delete outside", "ConflictException: 409"),
        quiet("router remove subnet first inside"),
        refused("router delete r3 first", "1 of 2 routers failed to delete."),
        quiet("router delete r2"),
        lists("router list", "Name", json!([])),
        quiet("network delete outside inside far"),
    ]
}
