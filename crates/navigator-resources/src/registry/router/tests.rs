//! Routers' rules, from their creation to their end.

use serde_json::{Value, json};

use super::Router;
use crate::{
    FloatingIp, Network, Port, Refusal, Resource, Select,
    world::{Site, TENANT, admin, member, network, subnet},
};

fn refusal<T: std::fmt::Debug>(outcome: Result<T, Refusal>) -> (u16, String) {
    let refusal = outcome.expect_err("it is refused");
    (refusal.status(), refusal.type_name())
}

fn refused(status: u16, name: &str) -> (u16, String) {
    (status, name.to_owned())
}

impl Site {
    fn put(&mut self, body: Value) -> Result<Router, Refusal> {
        self.world.update(&admin(), self.router, body)
    }

    fn act(&mut self, name: &str, body: Value) -> Result<Value, Refusal> {
        self.world.action::<Router>(&member(TENANT), self.router, name, body)
    }
}

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
fn only_administrators_choose_snat_and_addresses_even_with_their_defaults() {
    let mut site = Site::new();
    for (key, value) in [("enable_snat", json!(true)), ("external_fixed_ips", json!([]))] {
        let body = json!({"external_gateway_info": {"network_id": site.external, key: value}});
        let outcome = site.world.update::<Router>(&member(TENANT), site.router, body.clone());
        assert_eq!(refusal(outcome), refused(403, "PolicyNotAuthorized"), "{key}");
        site.put(body).unwrap();
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

#[test]
fn an_interface_by_subnet_has_the_subnets_gateway_address() {
    let mut site = Site::new();
    let other = network(&mut site.world, TENANT);
    let inside = subnet(&mut site.world, other, "10.1.0.0/24", TENANT);
    let info = site.attach(site.router, inside).unwrap();
    let ports: Vec<Port> = site.world.all(Select::eq("network_id", other.to_string()));
    let [port] = &ports[..] else { panic!("one port") };
    assert_eq!(port.fixed_ips[0].ip_address.to_string(), "10.1.0.1");
    assert_eq!(port.host_id.0, "node-1");
    assert_eq!(
        info,
        json!({
            "id": site.router, "tenant_id": TENANT, "project_id": TENANT, "port_id": port.id,
            "network_id": other, "subnet_id": inside, "subnet_ids": [inside],
        })
    );
    let gone = site.act("remove_router_interface", json!({"subnet_id": inside})).unwrap();
    assert_eq!(gone, info);
    assert!(site.world.all::<Port>(Select::eq("network_id", other.to_string())).is_empty());
}

#[test]
fn an_interface_that_makes_no_sense_is_refused() {
    let mut site = Site::new();
    let other = network(&mut site.world, TENANT);
    let overlapping = subnet(&mut site.world, other, "10.0.0.0/16", TENANT);
    let outside = subnet(&mut site.world, other, "203.0.113.128/25", TENANT);
    let foreign = network(&mut site.world, "stranger");
    let foreign = subnet(&mut site.world, foreign, "10.7.0.0/24", "stranger");
    let body = json!({"network_id": other, "cidr": "10.8.0.0/24", "ip_version": 4,
        "gateway_ip": null});
    let headless: crate::Subnet = site.world.create(&member(TENANT), None, body).unwrap();
    let (same, port, nothing) = (site.subnet, site.instance, uuid::Uuid::nil());
    for (body, expected) in [
        (json!({}), (400, "BadRequest")),
        (json!({"subnet_id": same, "port_id": port}), (400, "BadRequest")),
        (json!({"subnet_id": "x"}), (400, "HTTPBadRequest")),
        (json!({"subnet_id": nothing}), (404, "SubnetNotFound")),
        (json!({"subnet_id": foreign}), (404, "SubnetNotFound")),
        (json!({"subnet_id": headless.id}), (400, "BadRequest")),
        (json!({"subnet_id": same}), (400, "BadRequest")),
        (json!({"subnet_id": overlapping}), (400, "BadRequest")),
        (json!({"subnet_id": outside}), (400, "BadRequest")),
        (json!({"port_id": nothing}), (404, "PortNotFound")),
    ] {
        let expected = refused(expected.0, expected.1);
        assert_eq!(refusal(site.act("add_router_interface", body.clone())), expected, "{body}");
    }
}

#[test]
fn a_second_router_on_a_subnet_comes_by_a_port_of_its_own() {
    let mut site = Site::new();
    let second: Router = site.world.create(&member(TENANT), None, json!({})).unwrap();
    let outcome = site.attach(second.id, site.subnet);
    assert_eq!(refusal(outcome), refused(409, "IpAddressAlreadyAllocated"));
    let body = json!({"network_id": site.network});
    let port: Port = site.world.create(&member(TENANT), None, body).unwrap();
    site.router = second.id;
    let by_port = json!({"port_id": port.id});
    site.act("add_router_interface", by_port.clone()).unwrap();
    let port: Port = site.world.get(port.id);
    assert_eq!(port.device_id.0, second.id.to_string());
    assert_eq!(
        (port.device_owner.0.as_str(), port.host_id.0.as_str()),
        ("network:router_interface", "node-1")
    );
    assert_eq!(refusal(site.act("add_router_interface", by_port)), refused(409, "PortInUse"));
    let body = json!({"network_id": site.network, "fixed_ips": []});
    let bare: Port = site.world.create(&member(TENANT), None, body).unwrap();
    let outcome = site.act("add_router_interface", json!({"port_id": bare.id}));
    assert_eq!(refusal(outcome), refused(400, "BadRequest"));
}

#[test]
fn a_port_that_is_reached_from_outside_becomes_no_interface() {
    let mut site = Site::new();
    let free = json!({"device_owner": ""});
    site.world.update::<Port>(&member(TENANT), site.instance, free).unwrap();
    site.forward(json!({})).unwrap();
    site.router = site.world.create::<Router>(&member(TENANT), None, json!({})).unwrap().id;
    let body = json!({"port_id": site.instance});
    let refusal = site.act("add_router_interface", body).unwrap_err();
    assert!(refusal.to_string().contains("has a floating IP or port forwardings"), "{refusal}");
}

#[test]
fn what_is_not_attached_cannot_be_removed() {
    let mut site = Site::new();
    let other = network(&mut site.world, TENANT);
    let loose = subnet(&mut site.world, other, "10.1.0.0/24", TENANT);
    let owner = "network:router_interface";
    let own = site.world.all::<Port>(Select::eq("device_owner", owner))[0].id;
    for (body, expected) in [
        (json!({"subnet_id": loose}), (404, "RouterInterfaceNotFoundForSubnet")),
        (json!({"port_id": site.instance}), (404, "RouterInterfaceNotFound")),
        (json!({"port_id": own, "subnet_id": loose}), (400, "SubnetMismatchForPort")),
        (json!({}), (400, "BadRequest")),
    ] {
        let expected = refused(expected.0, expected.1);
        assert_eq!(refusal(site.act("remove_router_interface", body)), expected);
    }
}

#[test]
fn an_interface_that_something_needs_stays() {
    let mut site = Site::new();
    let subnet = json!({"subnet_id": site.subnet});
    let body = json!({"port_id": site.instance});
    let floating_ip = site.floating_ip(body).unwrap();
    let remove = "remove_router_interface";
    let in_use = refused(409, "RouterInterfaceInUseByFloatingIP");
    assert_eq!(refusal(site.act(remove, subnet.clone())), in_use);
    site.world.delete::<FloatingIp>(&member(TENANT), floating_ip.id).unwrap();
    let route = json!([{"destination": "10.99.0.0/16", "nexthop": "10.0.0.5"}]);
    site.put(json!({"routes": route})).unwrap();
    let in_use = refused(409, "RouterInterfaceInUseByRoute");
    assert_eq!(refusal(site.act(remove, subnet.clone())), in_use);
    site.put(json!({"routes": []})).unwrap();
    site.act(remove, subnet).unwrap();
}

#[test]
fn routes_lead_to_neighbours() {
    let mut site = Site::new();
    let route =
        |destination: &str, nexthop: &str| json!({"destination": destination, "nexthop": nexthop});
    for (routes, expected) in [
        (json!([route("10.99.0.0/16", "10.50.0.5")]), "InvalidRoutes"),
        (json!([route("10.99.0.0/16", "10.0.0.1")]), "InvalidRoutes"),
        (json!([route("2001:db8::/32", "10.0.0.5")]), "InvalidRoutes"),
        (
            json!([route("10.99.0.0/16", "10.0.0.5"), route("10.99.0.0/16", "10.0.0.5")]),
            "InvalidRoutes",
        ),
        (json!([route("10.99.0.1/16", "10.0.0.5")]), "HTTPBadRequest"),
        (json!([{"destination": "10.99.0.0/16"}]), "HTTPBadRequest"),
        (json!(vec![route("10.99.0.0/16", "10.0.0.5"); 31]), "RoutesExhausted"),
    ] {
        let outcome = site.put(json!({"routes": routes}));
        assert_eq!(refusal(outcome), refused(400, expected), "{routes}");
    }
    let good = json!([route("10.99.0.0/16", "10.0.0.5"), route("10.98.0.0/16", "203.0.113.200")]);
    let router = site.put(json!({"routes": good})).unwrap();
    assert_eq!(router.to_json()["routes"], good);
}

#[test]
fn extra_routes_are_added_and_removed_one_by_one_and_again() {
    let mut site = Site::new();
    let body = |n: u8| {
        json!({"router": {"routes": [
            {"destination": format!("10.{n}.0.0/16"), "nexthop": "10.0.0.5"}
        ]}})
    };
    for _ in 0..2 {
        let shown = site.act("add_extraroutes", body(98)).unwrap();
        assert_eq!(shown["router"]["routes"].as_array().unwrap().len(), 1);
        assert_eq!(shown["router"]["tenant_id"], TENANT);
        assert!(shown["router"].get("configurations").is_none(), "for administrators only");
    }
    assert_eq!(site.world.written, 0, "the second time changes nothing");
    site.act("add_extraroutes", body(99)).unwrap();
    let shown = site.act("remove_extraroutes", body(98)).unwrap();
    assert_eq!(shown["router"]["routes"][0]["destination"], "10.99.0.0/16");
    site.act("remove_extraroutes", body(98)).unwrap();
    assert_eq!(site.world.written, 0);
    assert_eq!(refusal(site.act("add_extraroutes", json!({}))), refused(400, "HTTPBadRequest"));
}

#[test]
fn a_router_with_interfaces_is_in_use_and_without_it_takes_its_gateway_along() {
    let mut site = Site::new();
    let caller = member(TENANT);
    assert_eq!(
        refusal(site.world.delete::<Router>(&caller, site.router)),
        refused(409, "RouterInUse")
    );
    site.act("remove_router_interface", json!({"subnet_id": site.subnet})).unwrap();
    site.world.delete::<Router>(&caller, site.router).unwrap();
    assert!(site.world.all::<Router>(Select::all()).is_empty());
    assert!(site.world.all::<Port>(Select::eq("network_id", site.external.to_string())).is_empty());
}

#[test]
fn what_one_node_cannot_do_is_refused() {
    let mut site = Site::new();
    for key in ["ha", "distributed"] {
        let outcome = site.put(json!({key: true}));
        assert_eq!(refusal(outcome), refused(400, "BadRequest"), "{key}");
        site.put(json!({key: false})).unwrap();
        site.put(json!({key: null})).unwrap();
    }
}

#[test]
fn an_update_that_changes_nothing_writes_nothing_and_a_name_wakes_no_agent() {
    let mut site = Site::new();
    let same = json!({"admin_state_up": true, "external_gateway_info": {"network_id": site.external},
        "configurations": {}});
    site.put(same).unwrap();
    assert_eq!(site.world.written, 0);
    site.put(json!({"name": "new"})).unwrap();
    assert_eq!((site.world.written, site.world.touched.len()), (1, 0));
    site.put(json!({"admin_state_up": false})).unwrap();
    assert_eq!(site.world.touched.len(), 1);
}

#[test]
fn configurations_are_merged_per_key() {
    let mut site = Site::new();
    let all = json!({"preferred_agent": "node-1", "master_agent": "node-1", "slave_agents": ["b"]});
    for (said, stored) in [
        (all.clone(), all.clone()),
        (
            json!({"slave_agents": null}),
            json!({"preferred_agent": "node-1", "master_agent": "node-1"}),
        ),
        (
            json!({"slave_agents": ["c", "d"]}),
            json!({"preferred_agent": "node-1", "master_agent": "node-1", "slave_agents": ["c", "d"]}),
        ),
        (json!(null), json!({})),
        (
            all,
            json!({"preferred_agent": "node-1", "master_agent": "node-1", "slave_agents": ["b"]}),
        ),
        (json!({}), json!({})),
    ] {
        let router = site.put(json!({"configurations": said})).unwrap();
        assert_eq!(router.to_json()["configurations"], stored, "{said}");
    }
}

#[test]
fn configurations_name_agents_that_can_host_the_router() {
    let mut site = Site::new();
    for (said, expected) in [
        (json!({"preferred_agent": "nowhere"}), (404, "AgentNotFound")),
        (json!({"master_agent": "a", "slave_agents": ["a"]}), (409, "RouterAgentConflict")),
        (json!({"slave_agents": ["a", "a"]}), (400, "HTTPBadRequest")),
        (json!({"prefrred_agent": "node-1"}), (400, "HTTPBadRequest")),
        (json!({"preferred_agent": 7}), (400, "HTTPBadRequest")),
        (json!({"preferred_agent": ""}), (400, "HTTPBadRequest")),
    ] {
        let outcome = site.put(json!({"configurations": said}));
        assert_eq!(refusal(outcome), refused(expected.0, expected.1), "{said}");
    }
    let text = site.put(json!({"configurations": {"preferred_agent": "nowhere"}})).unwrap_err();
    assert_eq!(text.to_string(), "Agent nowhere could not be found.");
    // The keys of highly available routers are not looked up for one that is not.
    site.put(json!({"configurations": {"master_agent": "a", "slave_agents": ["b"]}})).unwrap();
}
