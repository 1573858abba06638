//! Who may forward to what.

use serde_json::json;

use crate::{
    Port, Select, Subnet,
    world::{Site, TENANT, admin, member, network, refusal, refused, subnet},
};

#[test]
fn nobody_forwards_to_what_is_not_theirs() {
    let mut site = Site::new();
    let foreign_network = network(&mut site.world, "stranger");
    subnet(&mut site.world, foreign_network, "10.5.0.0/24", "stranger");
    let foreign = site.instance(foreign_network, "stranger", json!([{"ip_address": "10.5.0.9"}]));
    let body = json!({"internal_port_id": foreign, "internal_ip_address": "10.5.0.9"});
    assert_eq!(refusal(site.forward(body)), refused(404, "PortNotFound"), "invisible");

    let body = json!({"network_id": site.network, "project_id": "stranger"});
    let guest: Port = site.world.create(&admin(), None, body).unwrap();
    let body = json!({"internal_port_id": guest.id});
    assert_eq!(refusal(site.forward(body)), refused(400, "BadRequest"), "on my network, not mine");
}

#[test]
fn nobody_forwards_to_the_networks_own_addresses() {
    let mut site = Site::new();
    site.world.agent("DHCP agent", "neutron-dhcp-agent", "node-1");
    let dhcp = json!({"enable_dhcp": true});
    site.world.update::<Subnet>(&member(TENANT), site.subnet, dhcp).unwrap();
    for owner in ["network:dhcp", "network:router_interface"] {
        let ports: Vec<Port> = site.world.all(Select::eq("device_owner", owner));
        let body = json!({"internal_port_id": ports[0].id});
        assert_eq!(refusal(site.forward(body)), refused(400, "BadRequest"), "{owner}");
    }
    let gateway: Vec<Port> = site.world.all(Select::eq("device_owner", "network:router_gateway"));
    let body = json!({"internal_port_id": gateway[0].id});
    assert_eq!(refusal(site.forward(body)), refused(404, "PortNotFound"), "nobody sees it");
    for address in
        ["127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "10.0.0.1", "10.0.0.255"]
    {
        let body = json!({"internal_ip_address": address});
        assert_eq!(refusal(site.forward(body)), refused(400, "InconsistentPortAndIP"), "{address}");
    }
    for address in ["::1", "::ffff:10.0.0.5", "10.0.0.5/32", "010.0.0.5", ""] {
        let body = json!({"internal_ip_address": address});
        assert_eq!(refusal(site.forward(body)), refused(400, "HTTPBadRequest"), "{address}");
    }
}

#[test]
fn an_allowed_address_pair_is_no_address_of_the_port() {
    let mut site = Site::new();
    let pairs = json!({"allowed_address_pairs": [{"ip_address": "10.0.0.99"}]});
    site.world.update::<Port>(&member(TENANT), site.instance, pairs).unwrap();
    let body = json!({"internal_ip_address": "10.0.0.99"});
    assert_eq!(refusal(site.forward(body)), refused(400, "InconsistentPortAndIP"));
}
