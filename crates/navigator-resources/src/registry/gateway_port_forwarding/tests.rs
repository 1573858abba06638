//! The checks in their order: each row breaks one thing more than the next check sees.

mod events;
mod history;
mod targets;

use serde_json::{Value, json};

use crate::{
    GatewayPortForwarding, Port, Resource, Router, Write,
    world::{Site, TENANT, admin, member, refusal, refused, subnet},
};

#[test]
fn a_forwarding_shows_both_forms_of_its_ports_and_the_gateways_address() {
    let mut site = Site::new();
    let forwarding = site.forward(json!({"protocol": "TCP", "description": "ssh"})).unwrap();
    let mut shown = Value::Object(forwarding.to_json());
    let gateway: Router = site.world.get(site.router);
    let address = gateway.gateway_fixed_ips[0].ip_address;
    let object = shown.as_object_mut().unwrap();
    for key in ["id", "created_at", "updated_at"] {
        assert!(object.remove(key).is_some());
    }
    assert_eq!(
        shown,
        json!({
            "router_id": site.router,
            "external_port": 2222,
            "internal_port": 22,
            "internal_ip_address": "10.0.0.5",
            "internal_port_id": site.instance,
            "protocol": "tcp",
            "gw_ip_address": address,
            "external_port_range": "2222:2222",
            "internal_port_range": "22:22",
            "source_nat": "auto",
            "allowed_cidrs": [],
            "status": "DOWN",
            "status_reason": null,
            "project_id": TENANT,
            "description": "ssh",
            "revision_number": 1,
        })
    );
    assert_eq!(site.world.get::<GatewayPortForwarding>(forwarding.id), forwarding);
}

#[test]
fn creating_one_touches_only_itself_in_its_routers_scope() {
    let mut site = Site::new();
    let forwarding = site.forward(json!({})).unwrap();
    let scope = navigator_model::Scope::Router(site.router);
    assert_eq!(site.world.touched.iter().collect::<Vec<_>>(), [&(scope, forwarding.key())]);
}

#[test]
fn a_real_range_has_no_single_port() {
    let mut site = Site::new();
    let forwarding = site
        .forward(json!({
            "external_port": null, "external_port_range": "80:82",
            "internal_port": null, "internal_port_range": "8080:8082",
        }))
        .unwrap();
    assert_eq!((forwarding.external_port, forwarding.internal_port), (None, None));
    assert_eq!(forwarding.to_json()["external_port_range"], "80:82");
}

/// The site with one thing after the other broken, the last check's first: what fails then is the
/// earliest check whose thing is broken.
#[test]
fn the_first_check_that_fails_is_the_answer() {
    let mut site = Site::new();
    let other = site.forward(json!({})).unwrap();
    // 8: the same external port. Nothing else is wrong.
    assert_eq!(
        refusal(site.forward(json!({}))),
        refused(400, "RouterGatewayPortForwardingAlreadyExists")
    );
    // 7: the port has a floating IP; the conflict is still there.
    site.world.settings.allow_port_forwarding_with_floating_ip = true;
    site.floating_ip(json!({"port_id": site.instance})).unwrap();
    site.world.settings.allow_port_forwarding_with_floating_ip = false;
    assert_eq!(refusal(site.forward(json!({}))), refused(409, "PortHasBindingFloatingIP"));
    // 6: an address of a subnet that is not attached, of a port with a floating IP.
    let aside = subnet(&mut site.world, site.network, "10.9.0.0/24", TENANT);
    let both = json!({"fixed_ips": [{"ip_address": "10.0.0.5"}, {"subnet_id": aside}]});
    let port: Port = site.world.update(&member(TENANT), site.instance, both).unwrap();
    let aside = port.fixed_ips.iter().find(|f| f.subnet_id == aside).unwrap().ip_address;
    assert_eq!(
        refusal(site.forward(json!({"internal_ip_address": aside}))),
        refused(400, "PortNetworkNotBindOnRouter")
    );
    // 5: an address that is not the port's.
    let body = json!({"internal_ip_address": "10.9.0.77"});
    assert_eq!(refusal(site.forward(body.clone())), refused(400, "InconsistentPortAndIP"));
    // 4: a port that nobody sees.
    let mut body = body;
    body["internal_port_id"] = json!(uuid::Uuid::nil());
    assert_eq!(refusal(site.forward(body.clone())), refused(404, "PortNotFound"));
    // 3: no gateway.
    site.world.delete::<GatewayPortForwarding>(&admin(), other.id).unwrap();
    let bare: Router = site.world.create(&member(TENANT), None, json!({})).unwrap();
    site.router = bare.id;
    assert_eq!(refusal(site.forward(body.clone())), refused(400, "RouterDoesNotHaveGateway"));
    // 2: ports outside of what the operator gives away.
    site.world.settings.gateway_port_forwarding_port_range = "1:1000".parse().unwrap();
    assert_eq!(refusal(site.forward(body.clone())), refused(400, "InvalidInput"));
    // 2, the schema: what is no protocol with ports.
    body["protocol"] = json!("icmp");
    assert_eq!(refusal(site.forward(body)), refused(400, "HTTPBadRequest"));
}

#[test]
fn a_gateway_without_ipv4_cannot_be_forwarded_from() {
    let mut site = Site::new();
    let v6 = crate::world::subnet(&mut site.world, site.external, "2001:db8::/64", "admin");
    let body = json!({"external_gateway_info": {
        "network_id": site.external, "external_fixed_ips": [{"subnet_id": v6}],
    }});
    site.world.update::<Router>(&admin(), site.router, body).unwrap();
    assert_eq!(
        refusal(site.forward(json!({}))),
        refused(400, "RouterGatewayPortDoesNotHaveAnyIPAddresses")
    );
}

#[test]
fn conflicts_name_the_values_and_the_other_side_counts_too() {
    let mut site = Site::new();
    site.forward(json!({})).unwrap();
    let text = site.forward(json!({"internal_port": 23})).unwrap_err().to_string();
    let values =
        format!("{{'router_id': '{}', 'protocol': 'tcp', 'external_port': 2222}}", site.router);
    assert!(text.ends_with(&format!("conflicting values are {values}.")), "{text}");
    let text = site.forward(json!({"external_port": 2223})).unwrap_err().to_string();
    assert!(text.contains("'internal_ip_address': '10.0.0.5'"), "{text}");
    site.forward(json!({"protocol": "udp"})).unwrap();
}

#[test]
fn overlapping_ranges_are_refused_by_the_claims() {
    let mut site = Site::new();
    let ports = |external: &str, internal: &str| {
        json!({
            "external_port": null, "external_port_range": external,
            "internal_port": null, "internal_port_range": internal,
        })
    };
    site.forward(ports("100:110", "1100:1110")).unwrap();
    for (external, internal, free) in [
        ("110:120", "2100:2110", false),
        ("105", "3000", false),
        ("111:120", "1110:1119", false),
        ("111:120", "1111:1120", true),
    ] {
        assert_eq!(site.forward(ports(external, internal)).is_ok(), free, "{external} {internal}");
    }
    assert_eq!(site.world.forwards().len(), 2, "what is refused leaves nothing");
}

#[test]
fn two_routers_may_both_lead_to_one_socket() {
    let mut site = Site::new();
    site.forward(json!({})).unwrap();
    let body = json!({"external_gateway_info": {"network_id": site.external}});
    let second: Router = site.world.create(&member(TENANT), None, body).unwrap();
    let port = site.instance(site.network, TENANT, json!([{"ip_address": "10.0.0.2"}]));
    site.world.update::<Port>(&member(TENANT), port, json!({"device_owner": ""})).unwrap();
    let body = json!({"port_id": port});
    site.world.action::<Router>(&member(TENANT), second.id, "add_router_interface", body).unwrap();
    site.router = second.id;
    site.forward(json!({})).unwrap();
}

#[test]
fn an_update_merges_and_checks_all_again() {
    let mut site = Site::new();
    let id = site.forward(json!({})).unwrap().id;
    site.forward(json!({"external_port": 80, "internal_port": 8080})).unwrap();
    let mut put =
        |body: Value| site.world.update::<GatewayPortForwarding>(&member(TENANT), id, body);
    assert_eq!(
        refusal(put(json!({"external_port": 80}))),
        refused(400, "RouterGatewayPortForwardingAlreadyExists")
    );
    assert_eq!(
        refusal(put(json!({"internal_ip_address": "10.0.0.99"}))),
        refused(400, "InconsistentPortAndIP")
    );
    let changed =
        put(json!({"external_port": 2300, "allowed_cidrs": ["198.51.100.7/24"]})).unwrap();
    assert_eq!(changed.to_json()["external_port_range"], "2300:2300");
    assert_eq!(changed.to_json()["allowed_cidrs"], json!(["198.51.100.0/24"]));
    let changed = put(json!({"internal_port_range": "30:30"})).unwrap();
    assert_eq!(changed.to_json()["internal_port"], 30);
    // What was given up is free again, what was taken is not.
    site.forward(json!({"internal_port": 24})).unwrap();
    let body = json!({"external_port": 2300, "internal_port": 25});
    assert_eq!(refusal(site.forward(body)).0, 400);
}

#[test]
fn an_update_to_a_port_without_the_address_is_inconsistent() {
    let mut site = Site::new();
    let id = site.forward(json!({})).unwrap().id;
    let second = site.instance(site.network, TENANT, json!([{"ip_address": "10.0.0.6"}]));
    let mut put =
        |body: Value| site.world.update::<GatewayPortForwarding>(&member(TENANT), id, body);
    let body = json!({"internal_port_id": second});
    assert_eq!(refusal(put(body)), refused(400, "InconsistentPortAndIP"));
    let body = json!({"internal_port_id": second, "internal_ip_address": "10.0.0.6"});
    assert_eq!(put(body).unwrap().internal_port_id, second);
}

#[test]
fn an_update_that_changes_nothing_writes_nothing() {
    let mut site = Site::new();
    let id = site.forward(json!({})).unwrap().id;
    let same = json!({"external_port": 2222, "protocol": "tcp", "source_nat": "auto"});
    site.world.update::<GatewayPortForwarding>(&member(TENANT), id, same).unwrap();
    assert_eq!(site.world.written, 0);
}

#[test]
fn a_deleted_forwarding_gives_its_ports_back() {
    let mut site = Site::new();
    let id = site.forward(json!({})).unwrap().id;
    site.world.delete::<GatewayPortForwarding>(&member(TENANT), id).unwrap();
    assert!(
        site.world.touched.iter().any(|(_, object)| object.to_string().contains("gateway_port"))
    );
    site.forward(json!({})).unwrap();
}

#[test]
fn allowed_cidrs_are_ipv4_prefixes_and_not_too_many() {
    let mut site = Site::new();
    let many: Vec<String> = (0..51).map(|n| format!("10.{n}.0.0/16")).collect();
    for bad in [json!(["2001:db8::/32"]), json!(["10.0.0.0/33"]), json!("10.0.0.0/8"), json!(many)]
    {
        let body = json!({"allowed_cidrs": bad});
        assert_eq!(refusal(site.forward(body)), refused(400, "HTTPBadRequest"), "{bad}");
    }
    site.forward(json!({"allowed_cidrs": ["198.51.100.7"], "source_nat": "always"})).unwrap();
    let shown = site.world.forwards()[0].to_json();
    assert_eq!(shown["allowed_cidrs"], json!(["198.51.100.7/32"]));
    let body = json!({"external_port": 1, "source_nat": "sometimes"});
    assert_eq!(refusal(site.forward(body)), refused(400, "HTTPBadRequest"));
}

#[test]
fn both_sides_are_claimed() {
    let mut site = Site::new();
    let forwarding = site.forward(json!({})).unwrap();
    let mut writes = crate::Writes::new();
    super::decide::claim(&forwarding, &mut writes);
    let holders: Vec<String> = writes
        .0
        .iter()
        .filter_map(|write| match write {
            Write::ClaimPorts { holder, .. } => Some(holder.clone()),
            _ => None,
        })
        .collect();
    let (router, port) = (site.router, site.instance);
    assert_eq!(holders, [format!("router/{router}"), format!("router/{router}/{port}/10.0.0.5")]);
}
