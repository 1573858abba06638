//! A router's gateway.

use serde_json::{Value, json};

use crate::{
    FloatingIp, Network, Port, Resource, Router, Select,
    world::{Site, TENANT, admin, member, refusal, refused, subnet},
};

#[test]
fn a_router_with_a_gateway_has_a_port_that_no_project_owns() {
    let site = Site::new();
    let router: Router = site.world.get(site.router);
    let port: Port = site.world.get(router.gw_port_id.unwrap());
    assert_eq!(port.standard.project_id.0, "");
    assert_eq!(port.device_owner.0, "network:router_gateway");
    assert_eq!((port.host_id.0.as_str(), port.vif_type.as_str()), ("node-1", "tap"));
    let shown = router.to_json();
    assert_eq!(
        shown["external_gateway_info"],
        json!({
            "network_id": site.external,
            "enable_snat": true,
            "external_fixed_ips": [{
                "subnet_id": site.external_subnet,
                "ip_address": port.fixed_ips[0].ip_address,
            }],
            "qos_policy_id": null,
        })
    );
    assert_eq!((&shown["status"], &shown["configurations"]), (&json!("ACTIVE"), &json!({})));
    for hidden in ["gw_port_id", "l3_host", "forwards", "gateway_fixed_ips"] {
        assert!(!shown.contains_key(hidden), "{hidden}");
    }
}

#[test]
fn a_gateway_is_on_an_external_network_that_exists() {
    let mut site = Site::new();
    let gateway = |network: Value| json!({"external_gateway_info": {"network_id": network}});
    let mut post = |body| site.world.create::<Router>(&member(TENANT), None, body);
    assert_eq!(refusal(post(gateway(json!(site.network)))), refused(400, "BadRequest"));
    let nothing = json!(uuid::Uuid::nil());
    assert_eq!(refusal(post(gateway(nothing))), refused(404, "NetworkNotFound"));
    for bad in
        [json!({"enable_snat": true}), json!({"network_id": site.external, "x": 1}), json!(7)]
    {
        let body = json!({"external_gateway_info": bad});
        assert_eq!(refusal(post(body)), refused(400, "HTTPBadRequest"));
    }
}

#[test]
fn a_gateway_address_is_neither_the_providers_nor_taken() {
    let mut site = Site::new();
    let at = |address: &str| {
        let ips = json!([{"ip_address": address}]);
        json!({"external_gateway_info": {"network_id": site.external, "external_fixed_ips": ips}})
    };
    let bodies = [at("203.0.113.1"), at("198.51.100.1"), at("203.0.113.50")];
    let expected = [Some((400, "BadRequest")), Some((400, "InvalidIpForNetwork")), None];
    for (body, expected) in bodies.into_iter().zip(expected) {
        let outcome = site.put(body);
        assert_eq!(
            outcome.err().map(|r| (r.status(), r.type_name())),
            expected.map(|(status, name)| refused(status, name))
        );
    }
    let router: Router = site.world.get(site.router);
    assert_eq!(router.gateway_fixed_ips[0].ip_address.to_string(), "203.0.113.50");
}

#[test]
fn null_and_an_empty_object_clear_the_gateway_and_its_port_goes() {
    for clear in [json!(null), json!({})] {
        let mut site = Site::new();
        let port = site.world.get::<Router>(site.router).gw_port_id.unwrap();
        let router = site.put(json!({"external_gateway_info": clear})).unwrap();
        assert_eq!(router.to_json()["external_gateway_info"], Value::Null);
        assert!(site.world.all::<Port>(Select::eq("id", port.to_string())).is_empty());
        assert_eq!(site.world.get::<Router>(site.router), router);
    }
}

#[test]
fn a_gateway_moves_to_another_network_by_a_new_port_with_snat_on() {
    let mut site = Site::new();
    let body = json!({"name": "other", "router:external": true});
    let other: Network = site.world.create(&admin(), None, body).unwrap();
    subnet(&mut site.world, other.id, "198.51.100.0/24", "admin");
    let off = json!({"network_id": site.external, "enable_snat": false});
    let before = site.put(json!({"external_gateway_info": off})).unwrap();
    let kept = json!({"external_gateway_info": {"network_id": site.external}});
    assert!(!site.put(kept).unwrap().external_gateway_info.unwrap().enable_snat);
    let moved = site.put(json!({"external_gateway_info": {"network_id": other.id}})).unwrap();
    assert!(moved.external_gateway_info.as_ref().unwrap().enable_snat);
    assert_ne!(moved.gw_port_id, before.gw_port_id);
    let ports: Vec<Port> = site.world.all(Select::eq("device_owner", "network:router_gateway"));
    assert_eq!(ports.len(), 1);
    assert_eq!(ports[0].fixed_ips[0].ip_address.to_string().split('.').next(), Some("198"));
}

#[test]
fn a_gateway_that_floating_ips_need_stays() {
    let mut site = Site::new();
    let body = json!({"port_id": site.instance});
    let floating_ip = site.floating_ip(body).unwrap();
    let clear = json!({"external_gateway_info": null});
    assert_eq!(
        refusal(site.put(clear.clone())),
        refused(409, "RouterExternalGatewayInUseByFloatingIp")
    );
    site.world.delete::<FloatingIp>(&member(TENANT), floating_ip.id).unwrap();
    site.put(clear).unwrap();
}
