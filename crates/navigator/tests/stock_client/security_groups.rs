//! `openstack security group …`, `security group rule …`, `default security group rule …` and
//! `address group …`.

use serde_json::json;

use crate::row::{Row, has, lists, quiet, refused, shows};

/// Wants the networks of `two_networks`.
pub(crate) fn rows() -> Vec<Row> {
    [groups(), rules(), refusals(), on_ports(), gone()].into_iter().flatten().collect()
}

fn groups() -> Vec<Row> {
    vec![
        lists("security group list", "Name", json!(["default"])),
        shows("security group show default", json!({"name": "default", "stateful": true}))
            .keep("default", "/id"),
        shows(
            "security group create web --description 'the web' --stateful",
            json!({
                "name": "web", "description": "the web", "stateful": true, "revision_number": 1}),
        )
        .keep("web", "/id"),
        shows("security group create fast --stateless", json!({"stateful": false}))
            .keep("fast", "/id"),
        lists("security group list", "Name", json!(["default", "fast", "web"])),
        lists("security group list --no-share", "Name", json!(["default", "fast", "web"])),
        lists("security group list --share", "Name", json!([])),
        quiet("security group set web --name www --description ''"),
        shows("security group show www", json!({"id": "{web}", "description": ""})),
        quiet("security group set www --name web"),
        quiet("security group set web --tag a --tag b"),
        quiet("security group unset web --tag a"),
        shows("security group show web", json!({"tags": ["b"]})),
        refused("security group create default", "Default security group already exists"),
        refused("security group set default --name mine", "ConflictException: 409"),
        refused("security group show green", "No SecurityGroup found for green"),
    ]
}

fn rules() -> Vec<Row> {
    vec![
        lists("security group rule list web", "Direction", json!(["egress", "egress"])),
        shows(
            "security group rule create web --protocol tcp --dst-port 22:23 \
             --remote-ip 192.0.2.7/24 --description ssh",
            json!({
                "protocol": "tcp", "port_range_min": 22, "port_range_max": 23,
                "direction": "ingress", "ether_type": "IPv4", "remote_ip_prefix": "192.0.2.7/24",
                "normalized_cidr": "192.0.2.0/24", "security_group_id": "{web}",
                "belongs_to_default_sg": false, "description": "ssh"}),
        )
        .keep("ssh", "/id"),
        shows(
            "security group rule create web --protocol icmp --icmp-type 8 --icmp-code 0",
            json!({"protocol": "icmp", "port_range_min": 8, "port_range_max": 0}),
        ),
        shows(
            "security group rule create web --ethertype IPv6 --protocol ipv6-icmp",
            json!({"protocol": "ipv6-icmp", "ether_type": "IPv6", "remote_ip_prefix": "::/0"}),
        ),
        shows(
            "security group rule create web --protocol 112 --egress",
            json!({"protocol": "112", "direction": "egress"}),
        ),
        shows(
            "security group rule create web --protocol any --remote-group fast",
            json!({"protocol": null, "remote_group_id": "{fast}"}),
        ),
        shows(
            "address group create offices --address 10.0.0.0/24 --address 192.0.2.1",
            json!({"addresses": ["10.0.0.0/24", "192.0.2.1/32"]}),
        )
        .keep("offices", "/id"),
        quiet("address group set offices --address 2001:db8::/32 --description ours"),
        quiet("address group unset offices --address 10.0.0.0/24"),
        shows(
            "address group show offices",
            json!({"addresses": ["192.0.2.1/32", "2001:db8::/32"], "description": "ours"}),
        ),
        lists("address group list --name offices", "ID", json!(["{offices}"])),
        shows(
            "security group rule create web --protocol udp --dst-port 53 \
             --remote-address-group offices",
            json!({"remote_address_group_id": "{offices}", "remote_ip_prefix": null}),
        )
        .keep("dns", "/id"),
        shows("security group rule show {ssh}", json!({"id": "{ssh}", "port_range_max": 23})),
        lists("security group rule list web --protocol tcp", "ID", json!(["{ssh}"])),
        lists("security group rule list web --protocol ipv6-icmp", "IP Range", json!(["::/0"])),
        shows("security group show web", json!({"revision_number": 11})),
    ]
}

fn refusals() -> Vec<Row> {
    vec![
        refused(
            "security group rule create web --protocol tcp --dst-port 22:23 \
             --remote-ip 192.0.2.0/24",
            "Security group rule already exists. Rule id is {ssh}.",
        ),
        refused("security group rule create web --protocol nonsense", "BadRequestException: 400"),
        refused("security group rule create web --protocol vrrp --dst-port 80", "has no ports"),
        refused("security group rule create web --remote-ip 10.0.0.0/99", "Invalid CIDR"),
        refused("address group delete offices", "ConflictException: 409"),
        refused("address group unset offices --address 10.0.0.0/24", "not found in address group"),
    ]
}

fn on_ports() -> Vec<Row> {
    vec![
        shows("port create --network inside plain", json!({"security_group_ids": ["{default}"]})),
        shows(
            "port create --network inside filtered --security-group web",
            json!({"security_group_ids": ["{web}"]}),
        ),
        shows(
            "port create --network inside bare --no-security-group",
            json!({"security_group_ids": []}),
        ),
        lists("port list --security-group {web}", "Name", json!(["filtered"])),
        quiet("port set plain --security-group web"),
        lists("port list --security-group {web}", "Name", json!(["filtered", "plain"])),
        quiet("port unset plain --security-group {default}"),
        shows("port show plain", json!({"security_group_ids": ["{web}"]})),
        refused("port set plain --security-group fast", "ConflictException: 409"),
        refused("port set plain --disable-port-security", "Port has security group associated"),
        quiet("port set plain --no-security-group --disable-port-security"),
        shows("port show plain", json!({"security_group_ids": [], "port_security_enabled": false})),
        refused("security group delete web", "1 of 1 groups failed to delete"),
        refused("security group set web --stateless", "ConflictException: 409"),
    ]
}

fn gone() -> Vec<Row> {
    vec![
        quiet("security group rule delete {ssh} {dns}"),
        quiet("address group delete offices"),
        quiet("port delete plain filtered bare"),
        quiet("security group delete web fast"),
        lists("security group list", "Name", json!(["default"])),
    ]
}

/// Templates of the rules that groups start with.
pub(crate) fn templates() -> Vec<Row> {
    vec![
        lists(
            "default security group rule list",
            "Direction",
            json!(["egress", "egress", "ingress", "ingress"]),
        ),
        shows(
            "default security group rule create --protocol tcp --dst-port 22 --for-default-sg \
             --description ssh",
            json!({
                "protocol": "tcp", "port_range_min": 22, "direction": "ingress",
                "used_in_default_sg": true, "used_in_non_default_sg": false}),
        )
        .keep("ssh", "/id"),
        shows(
            "default security group rule create --protocol icmp --for-custom-sg",
            json!({"used_in_default_sg": false, "used_in_non_default_sg": true}),
        )
        .keep("ping", "/id"),
        shows("default security group rule show {ssh}", json!({"id": "{ssh}"})),
        refused(
            "default security group rule create --protocol icmp --for-custom-sg",
            "Rule id is {ping}.",
        ),
        lists("security group rule list default --protocol tcp", "Port Range", json!(["22:22"])),
        shows("security group create web", json!({"name": "web"})),
        lists("security group rule list web --protocol icmp", "Direction", json!(["ingress"])),
        quiet("default security group rule delete {ssh} {ping}"),
        has("default security group rule list", "Direction", json!(["egress", "ingress"])),
        refused("default security group rule show {ssh}", "No DefaultSecurityGroupRule found"),
    ]
}
