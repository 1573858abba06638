//! A router's interfaces.

use serde_json::json;

use crate::{
    FloatingIp, Port, Router, Select,
    world::{Site, TENANT, member, network, refusal, refused, subnet},
};

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
