//! What the bodies of member actions and of their answers are: the actions' rules read and write them
//! themselves, so that no declaration says it. A test asks for each.

use serde_json::{Value, json};

use super::fixed::{holding, list, object, text, uuid};

/// Schema of the body of `PUT <member>/<action>`.
pub(super) fn body(action: &str) -> Option<Value> {
    let body = match action {
        "activate" => json!({"type": "object"}),
        "add_router_interface" | "remove_router_interface" => {
            object([("subnet_id", uuid()), ("port_id", uuid())])
        }
        "add_external_gateways" | "remove_external_gateways" | "update_external_gateways" => {
            let address = object([("ip_address", text()), ("subnet_id", uuid())]);
            let gateway = object([
                ("network_id", uuid()),
                ("enable_snat", json!({"type": "boolean"})),
                ("external_fixed_ips", list(address)),
            ]);
            holding("router", holding("external_gateways", list(gateway)))
        }
        "add_extraroutes" | "remove_extraroutes" => {
            let route = object([("destination", text()), ("nexthop", text())]);
            holding("router", holding("routes", list(route)))
        }
        "add_prefixes" | "remove_prefixes" => holding("prefixes", list(text())),
        "onboard_network_subnets" => holding("network_id", uuid()),
        "add_addresses" | "remove_addresses" => holding("addresses", list(text())),
        "add_subports" | "remove_subports" => {
            let port = object([
                ("port_id", uuid()),
                ("segmentation_type", json!({"enum": ["vlan", "inherit"]})),
                ("segmentation_id", json!({"type": "integer"})),
            ]);
            holding("sub_ports", list(port))
        }
        _ => return None,
    };
    Some(body)
}

/// Schema of what it answers: the object, or what was done.
pub(super) fn answer(action: &str) -> Value {
    match action {
        "onboard_network_subnets" => list(object([("id", uuid()), ("cidr", text())])),
        _ => json!({"type": "object"}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_of_every_action_is_described() {
        for described in super::super::resources() {
            for action in described.actions {
                assert!(body(action).is_some(), "{action}");
            }
        }
    }
}
