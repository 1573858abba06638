//! `openstack floating ip …` and `openstack floating ip port forwarding …`.

use serde_json::json;

use crate::row::{Row, becomes, lists, quiet, refused, shows};

/// `router` between `outside` and `inside`, and port `web`, 10.0.0.50.
fn site() -> Vec<Row> {
    vec![
        // Addresses are named wherever a later row names one: others are given out at random.
        shows(
            "router create router --external-gateway outside \
             --fixed-ip subnet=outside,ip-address=203.0.113.150",
            json!({"name": "router"}),
        )
        .keep("router", "/id"),
        quiet("router add subnet router inside"),
        shows(
            "port create web --network inside --fixed-ip subnet=inside,ip-address=10.0.0.50 \
             --device web --device-owner compute:nova --host node",
            json!({"name": "web"}),
        )
        .keep("web", "/id"),
    ]
}

pub(crate) fn rows() -> Vec<Row> {
    [site(), made(), found(), changed(), deleted()].into_iter().flatten().collect()
}

fn made() -> Vec<Row> {
    vec![
        shows(
            "floating ip create outside --floating-ip-address 203.0.113.170 --description spare",
            json!({
                "floating_ip_address": "203.0.113.170", "floating_network_id": "{outside}",
                "fixed_ip_address": null, "port_id": null, "router_id": null, "status": "DOWN",
                "description": "spare", "port_forwardings": []}),
        )
        .keep("spare", "/id"),
        shows(
            "floating ip create outside --subnet outside --port web --fixed-ip-address 10.0.0.50 \
             --floating-ip-address 203.0.113.171",
            json!({
                "fixed_ip_address": "10.0.0.50", "port_id": "{web}", "router_id": "{router}",
                "port_details": {"name": "web", "network_id": "{inside}"}}),
        )
        .keep("bound", "/id"),
        refused(
            "floating ip create outside --floating-ip-address 203.0.113.170",
            "ConflictException: 409: Client Error for url: \
             http://127.0.0.1:9696/v2.0/floatingips, IP address 203.0.113.170 already allocated \
             in subnet {outside_subnet}",
        ),
        refused(
            "floating ip create inside",
            "Bad floatingip request: Network {inside} is not a valid external network.",
        ),
        refused("floating ip create green", "No Network found for green"),
    ]
}

fn found() -> Vec<Row> {
    let both = json!(["203.0.113.170", "203.0.113.171"]);
    vec![
        lists("floating ip list", "Floating IP Address", both),
        // The agent reports it.
        becomes("floating ip show {bound}", json!({"status": "ACTIVE"})),
        lists("floating ip list --long", "Status", json!(["DOWN", "ACTIVE"])),
        lists("floating ip list --status DOWN", "ID", json!(["{spare}"])),
        lists("floating ip list --network outside --port web", "ID", json!(["{bound}"])),
        lists("floating ip list --router router", "ID", json!(["{bound}"])),
        lists("floating ip list --fixed-ip-address 10.0.0.50", "ID", json!(["{bound}"])),
        lists("floating ip list --floating-ip-address 203.0.113.170", "ID", json!(["{spare}"])),
        shows("floating ip show 203.0.113.170", json!({"id": "{spare}"})),
        refused("floating ip show 203.0.113.99", "No FloatingIP found for 203.0.113.99"),
    ]
}

fn changed() -> Vec<Row> {
    vec![
        refused(
            "floating ip set 203.0.113.170 --port web --fixed-ip-address 10.0.0.50",
            "Cannot associate floating IP 203.0.113.170 ({spare}) with port {web} using fixed IP \
             10.0.0.50, as that fixed IP already has a floating IP on external network {outside}.",
        ),
        quiet("floating ip unset 203.0.113.171 --port"),
        becomes(
            "floating ip show {bound}",
            json!({"port_id": null, "fixed_ip_address": null, "router_id": null,
                "status": "DOWN"}),
        ),
        quiet(
            "floating ip set {spare} --port web --fixed-ip-address 10.0.0.50 --description taken",
        ),
        becomes(
            "floating ip show {spare}",
            json!({
                "port_id": "{web}", "router_id": "{router}", "description": "taken",
                "status": "ACTIVE"}),
        ),
        refused(
            "router remove subnet router inside",
            "cannot be deleted, as it is required by one or more floating IPs.",
        ),
        refused(
            "router unset router --external-gateway",
            "Gateway cannot be updated for router {router}, since a gateway to external network \
             {outside} is required by one or more floating IPs.",
        ),
    ]
}

fn deleted() -> Vec<Row> {
    vec![
        quiet("floating ip delete 203.0.113.170"),
        refused("floating ip delete 203.0.113.99 {bound}", "1 of 2 floating IPs failed to delete."),
        lists("floating ip list", "ID", json!([])),
    ]
}

/// A forwarding of `203.0.113.170` to `web`, by its own description.
pub(crate) fn forwardings() -> Vec<Row> {
    [site(), forwardings_made(), forwardings_changed()].into_iter().flatten().collect()
}

fn forwardings_made() -> Vec<Row> {
    vec![
        shows(
            "floating ip create outside --floating-ip-address 203.0.113.170",
            json!({"port_forwardings": []}),
        )
        .keep("fip", "/id"),
        shows(
            "floating ip port forwarding create 203.0.113.170 --port web \
             --internal-ip-address 10.0.0.50 --internal-protocol-port 22 \
             --external-protocol-port 2222 --protocol tcp --description ssh",
            json!({
                "internal_port_id": "{web}", "internal_ip_address": "10.0.0.50",
                "internal_port": 22, "internal_port_range": "22:22", "external_port": 2222,
                "external_port_range": "2222:2222", "protocol": "tcp", "description": "ssh"}),
        )
        .keep("ssh", "/id"),
        shows(
            "floating ip port forwarding create 203.0.113.170 --port web \
             --internal-ip-address 10.0.0.50 --internal-protocol-port 100:110 \
             --external-protocol-port 1100:1110 --protocol udp",
            json!({
                "internal_port": null, "internal_port_range": "100:110", "external_port": null,
                "external_port_range": "1100:1110", "protocol": "udp"}),
        )
        .keep("range", "/id"),
        refused(
            "floating ip port forwarding create 203.0.113.170 --port web \
             --internal-ip-address 10.0.0.50 --internal-protocol-port 23 \
             --external-protocol-port 2222 --protocol tcp",
            "A duplicate port forwarding entry with same attributes already exists",
        ),
        refused(
            "floating ip port forwarding create 203.0.113.170 --port web \
             --internal-ip-address 10.0.0.51 --internal-protocol-port 23 \
             --external-protocol-port 23 --protocol tcp",
            "Port {web} does not have ip address 10.0.0.51.",
        ),
        refused(
            "floating ip port forwarding create 203.0.113.170 --port web \
             --internal-ip-address 10.0.0.50 --internal-protocol-port 1:9 \
             --external-protocol-port 1:10 --protocol tcp",
            "does not match the pattern 1:N and N:N",
        ),
    ]
}

fn forwardings_changed() -> Vec<Row> {
    vec![
        lists("floating ip port forwarding list {fip}", "ID", json!(["{ssh}", "{range}"])),
        lists("floating ip port forwarding list {fip} --protocol udp", "ID", json!(["{range}"])),
        lists(
            "floating ip port forwarding list {fip} --port web",
            "Protocol",
            json!(["tcp", "udp"]),
        ),
        lists(
            "floating ip port forwarding list {fip} --external-protocol-port 2222",
            "Description",
            json!(["ssh"]),
        ),
        shows("floating ip show {fip}", json!({"router_id": "{router}"})),
        becomes("floating ip show {fip}", json!({"status": "ACTIVE"})),
        quiet(
            "floating ip port forwarding set {fip} {ssh} --internal-protocol-port 2022 \
             --external-protocol-port 2223 --description ''",
        ),
        becomes(
            "floating ip port forwarding show {fip} {ssh}",
            json!({
                "internal_port": 2022, "external_port": 2223, "description": "",
                "status": "ACTIVE"}),
        ),
        refused(
            "floating ip port forwarding set {fip} {ssh} --protocol udp \
             --external-protocol-port 1105",
            "BadRequestException: 400",
        ),
        refused(
            "floating ip set {fip} --port web",
            "ConflictException: 409: Client Error for url: \
             http://127.0.0.1:9696/v2.0/floatingips/{fip}, Floating IP {fip} in use by Port \
             Forwarding resources.",
        ),
        refused("floating ip delete {fip}", "in use by Port Forwarding resources."),
        refused("router remove subnet router inside", "ConflictException: 409"),
        quiet("floating ip port forwarding delete {fip} {ssh}"),
        refused(
            "floating ip port forwarding show {fip} {ssh}",
            "No PortForwarding found for {ssh}",
        ),
        refused(
            "floating ip port forwarding delete {fip} {ssh} {range}",
            "1 of 2 Port forwarding failed to delete.",
        ),
        becomes(
            "floating ip show {fip}",
            json!({"port_forwardings": [], "router_id": null, "status": "DOWN"}),
        ),
        quiet("floating ip delete {fip}"),
    ]
}
