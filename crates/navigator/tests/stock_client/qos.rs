//! `openstack network qos policy|rule|rule type …`, and who has a policy.

use serde_json::json;

use crate::row::{Row, has, lists, quiet, refused, shows};

pub(crate) fn rows() -> Vec<Row> {
    [policies(), rules(), users(), gone()].into_iter().flatten().collect()
}

fn policies() -> Vec<Row> {
    vec![
        has("extension list --network", "Alias", json!(["qos", "qos-fip", "qos-gateway-ip"])),
        shows(
            "network qos policy create gold --description best",
            json!({"name": "gold", "description": "best", "shared": false, "is_default": false,
                "rules": []}),
        )
        .keep("gold", "/id"),
        shows("network qos policy create usual --share --default", json!({"shared": true}))
            .keep("usual", "/id"),
        refused("network qos policy create second --default", "A default QoS policy exists"),
        lists("network qos policy list", "Name", json!(["gold", "usual"])),
        lists("network qos policy list --share", "ID", json!(["{usual}"])),
        quiet("network qos policy set usual --no-default --no-share --description plain"),
        shows(
            "network qos policy show usual",
            json!({"is_default": false, "shared": false, "description": "plain"}),
        ),
        refused("network qos policy show green", "No QoSPolicy found for green"),
    ]
}

fn rules() -> Vec<Row> {
    vec![
        lists(
            "network qos rule type list",
            "Type",
            json!([
                "bandwidth_limit",
                "dscp_marking",
                "minimum_bandwidth",
                "minimum_packet_rate",
                "packet_rate_limit"
            ]),
        ),
        lists(
            "network qos rule type list --all-supported --limit 5 --max-items 1",
            "Type",
            json!(["bandwidth_limit"]),
        ),
        shows("network qos rule type show dscp_marking", json!({"rule_type_name": "dscp_marking"})),
        shows(
            "network qos rule create gold --type bandwidth-limit --max-kbps 1000 \
             --max-burst-kbits 800 --ingress",
            json!({"max_kbps": 1000, "max_burst_kbps": 800, "direction": "ingress"}),
        )
        .keep("limit", "/id"),
        shows(
            "network qos rule create gold --type dscp-marking --dscp-mark 26",
            json!({"dscp_mark": 26}),
        )
        .keep("mark", "/id"),
        shows(
            "network qos rule create gold --type minimum-bandwidth --min-kbps 10 --egress",
            json!({"min_kbps": 10, "direction": "egress"}),
        )
        .keep("floor", "/id"),
        shows(
            "network qos rule create gold --type minimum-packet-rate --min-kpps 1 --any",
            json!({"min_kpps": 1, "direction": "any"}),
        )
        .keep("rate", "/id"),
        refused(
            "network qos rule create gold --type dscp-marking --dscp-mark 28",
            "Rule dscp_marking conflicts with rule {mark}",
        ),
        refused(
            "network qos rule create gold --type minimum-bandwidth --min-kbps 1001 --ingress",
            "existing rule of type bandwidth_limit has value 1000",
        ),
        lists(
            "network qos rule list gold",
            "ID",
            json!(["{limit}", "{mark}", "{floor}", "{rate}"]),
        ),
        quiet("network qos rule set gold {limit} --max-kbps 2000"),
        shows("network qos rule show gold {limit}", json!({"max_kbps": 2000})),
        refused("network qos rule show usual {limit}", "not found"),
        quiet("network qos rule delete gold {rate}"),
        refused("network qos rule delete gold {rate}", "not found"),
    ]
}

fn users() -> Vec<Row> {
    vec![
        quiet("network set inside --qos-policy gold"),
        shows("network show inside", json!({"qos_policy_id": "{gold}"})),
        shows(
            "port create bare --network inside",
            json!({"qos_policy_id": null, "qos_network_policy_id": "{gold}",
                "resource_request": {"request_groups": [
                    {"resources": {"NET_BW_EGR_KILOBIT_PER_SEC": 10}}]}}),
        ),
        shows(
            "port create own --network inside --qos-policy usual",
            json!({"qos_policy_id": "{usual}", "resource_request": null}),
        ),
        refused("network qos policy delete usual", "1 of 1 QoS policies failed to delete."),
        quiet("port unset own --qos-policy"),
        quiet("network set inside --no-qos-policy"),
        shows(
            "router create edge --external-gateway outside --qos-policy usual",
            json!({"external_gateway_info": {"qos_policy_id": "{usual}"}}),
        ),
        quiet("router set edge --external-gateway outside --no-qos-policy"),
        shows("router show edge", json!({"external_gateway_info": {"qos_policy_id": null}})),
        shows("floating ip create outside --qos-policy usual", json!({"qos_policy_id": "{usual}"}))
            .keep("fip", "/id"),
        quiet("floating ip unset {fip} --qos-policy"),
        shows("floating ip show {fip}", json!({"qos_policy_id": null})),
    ]
}

fn gone() -> Vec<Row> {
    vec![
        quiet("network qos policy delete gold usual"),
        lists("network qos policy list", "Name", json!([])),
    ]
}
