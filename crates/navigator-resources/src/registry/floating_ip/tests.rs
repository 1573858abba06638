//! Floating IPs' rules.

use serde_json::{Value, json};

use super::FloatingIp;
use crate::{
    Network, Port, PortForwarding, Refusal, Resource, Router, Select,
    world::{Site, TENANT, admin, member, network, refusal, refused, subnet},
};

impl Site {
    fn put_floating_ip(&mut self, id: impl ToString, body: Value) -> Result<FloatingIp, Refusal> {
        self.world.update(&member(TENANT), id, body)
    }
}

#[test]
fn a_new_floating_ip_holds_its_address_by_a_port_of_nobody() {
    let mut site = Site::new();
    let floating_ip = site.floating_ip(json!({"description": "web"})).unwrap();
    let port: Port = site.world.get(floating_ip.floating_port_id);
    assert_eq!(port.device_owner.0, "network:floatingip");
    assert_eq!((port.device_id.0, port.standard.project_id.0), (floating_ip.id(), String::new()));
    assert_eq!(port.fixed_ips[0].ip_address, floating_ip.floating_ip_address);
    let shown = floating_ip.to_json();
    for key in ["router_id", "port_id", "fixed_ip_address", "port_details"] {
        assert_eq!(shown[key], Value::Null, "{key}");
    }
    assert_eq!((&shown["status"], &shown["port_forwardings"]), (&json!("DOWN"), &json!([])));
    assert!(!shown.contains_key("subnet_id") && !shown.contains_key("port_name"));
}

#[test]
fn an_associated_one_shows_its_router_and_port() {
    let mut site = Site::new();
    let floating_ip = site.floating_ip(json!({"port_id": site.instance})).unwrap();
    let shown = floating_ip.to_json();
    let port: Port = site.world.get(site.instance);
    assert_eq!(shown["router_id"], json!(site.router));
    assert_eq!(shown["fixed_ip_address"], "10.0.0.5");
    assert_eq!(
        shown["port_details"],
        json!({
            "name": "", "network_id": site.network, "mac_address": port.mac_address,
            "admin_state_up": true, "status": port.status, "device_id": "",
            "device_owner": "compute:nova",
        })
    );
    let scope = navigator_model::Scope::Router(site.router);
    assert!(site.world.touched.contains(&(scope, floating_ip.key())));
}

#[test]
fn the_address_comes_from_an_external_network_that_has_some() {
    let mut site = Site::new();
    let nothing = uuid::Uuid::nil();
    let body = json!({"name": "bare", "router:external": true});
    let bare: Network = site.world.create(&admin(), None, body.clone()).unwrap();
    let small: Network = site.world.create(&admin(), None, body).unwrap();
    subnet(&mut site.world, small.id, "198.51.100.0/30", "admin");
    for (network, expected) in [
        (json!(nothing), (404, "NetworkNotFound")),
        (json!(site.network), (400, "BadRequest")),
        (json!(bare.id), (400, "BadRequest")),
    ] {
        let outcome = site.floating_ip(json!({"floating_network_id": network}));
        assert_eq!(refusal(outcome), refused(expected.0, expected.1));
    }
    let body = json!({"floating_network_id": small.id});
    site.floating_ip(body.clone()).unwrap();
    assert_eq!(refusal(site.floating_ip(body.clone())), refused(400, "ExternalIpAddressExhausted"));
    // A second subnet is used when the first is full.
    subnet(&mut site.world, small.id, "198.51.100.8/30", "admin");
    assert_eq!(site.floating_ip(body).unwrap().floating_ip_address.to_string(), "198.51.100.10");
}

#[test]
fn a_named_address_is_free_and_of_the_network() {
    let mut site = Site::new();
    let named = |address: &str| json!({"floating_ip_address": address});
    site.floating_ip(named("203.0.113.40")).unwrap();
    let taken = refused(409, "IpAddressAlreadyAllocated");
    assert_eq!(refusal(site.floating_ip(named("203.0.113.40"))), taken);
    let outside = refused(400, "InvalidIpForNetwork");
    assert_eq!(refusal(site.floating_ip(named("198.51.100.40"))), outside);
    let body = json!({"subnet_id": site.external_subnet});
    site.floating_ip(body).unwrap();
}

#[test]
fn an_association_that_cannot_be_is_refused() {
    let mut site = Site::new();
    let lonely = network(&mut site.world, TENANT);
    subnet(&mut site.world, lonely, "10.3.0.0/24", TENANT);
    let unrouted = site.instance(lonely, TENANT, json!([{"ip_address": "10.3.0.5"}]));
    let two = json!([{"ip_address": "10.0.0.10"}, {"ip_address": "10.0.0.11"}]);
    let two = site.instance(site.network, TENANT, two);
    let none = site.instance(site.network, TENANT, json!([]));
    let body = json!({"network_id": site.network, "project_id": "stranger"});
    let guest: Port = site.world.create(&admin(), None, body).unwrap();
    let own = site.world.all::<Port>(Select::eq("device_owner", "network:router_interface"))[0].id;
    site.floating_ip(json!({"port_id": site.instance})).unwrap();
    let before = site.world.all::<Port>(Select::all()).len();
    for (body, expected) in [
        (json!({"fixed_ip_address": "10.0.0.5"}), (400, "BadRequest")),
        (json!({"port_id": uuid::Uuid::nil()}), (404, "PortNotFound")),
        (json!({"port_id": guest.id}), (400, "BadRequest")),
        (json!({"port_id": own}), (400, "BadRequest")),
        (json!({"port_id": none}), (400, "BadRequest")),
        (json!({"port_id": two}), (400, "BadRequest")),
        (json!({"port_id": two, "fixed_ip_address": "10.0.0.5"}), (400, "BadRequest")),
        (json!({"port_id": two, "fixed_ip_address": "::1"}), (400, "HTTPBadRequest")),
        (json!({"port_id": unrouted}), (404, "ExternalGatewayForFloatingIPNotFound")),
        (json!({"port_id": site.instance}), (409, "FloatingIPPortAlreadyAssociated")),
    ] {
        let outcome = site.floating_ip(body.clone());
        assert_eq!(refusal(outcome), refused(expected.0, expected.1), "{body}");
    }
    assert_eq!(site.world.all::<Port>(Select::all()).len(), before, "no address is left behind");
    site.floating_ip(json!({"port_id": two, "fixed_ip_address": "10.0.0.11"})).unwrap();
}

#[test]
fn null_disassociates_and_silence_keeps() {
    let mut site = Site::new();
    let id = site.floating_ip(json!({"port_id": site.instance})).unwrap().id;
    let kept = site.put_floating_ip(id, json!({"description": "new"})).unwrap();
    assert_eq!((kept.port_id, site.world.touched.len()), (Some(site.instance), 0));
    let same = site.put_floating_ip(id, json!({"port_id": site.instance})).unwrap();
    assert_eq!((same.router_id, site.world.written), (Some(site.router), 0));
    let free = site.put_floating_ip(id, json!({"port_id": null})).unwrap();
    assert_eq!((free.router_id, free.port_id, free.fixed_ip_address), (None, None, None));
    let scope = navigator_model::Scope::Router(site.router);
    assert!(site.world.touched.contains(&(scope, free.key())), "its router hears of it");
    assert_eq!(site.world.get::<FloatingIp>(id), free);
}

#[test]
fn a_body_that_says_nothing_disassociates_as_in_neutron() {
    let mut site = Site::new();
    let id = site.floating_ip(json!({"port_id": site.instance})).unwrap().id;
    let free = site.put_floating_ip(id, json!({})).unwrap();
    assert_eq!((free.port_id, free.fixed_ip_address), (None, None));
    site.put_floating_ip(id, json!({})).unwrap();
    assert_eq!(site.world.written, 0, "nothing more to end");
}

#[test]
fn an_address_that_goes_frees_its_floating_ip() {
    let mut site = Site::new();
    let id = site.floating_ip(json!({"port_id": site.instance})).unwrap().id;
    site.world.delete::<Port>(&member(TENANT), site.instance).unwrap();
    let free: FloatingIp = site.world.get(id);
    assert_eq!((free.port_id, free.router_id, free.status.as_str()), (None, None, "DOWN"));
}

#[test]
fn of_two_routers_the_one_with_the_subnets_gateway_address_serves() {
    let mut site = Site::new();
    let gateway = json!({"external_gateway_info": {"network_id": site.external}});
    for n in 0..3 {
        let other: Router = site.world.create(&member(TENANT), None, gateway.clone()).unwrap();
        let ips = json!([{"ip_address": format!("10.0.0.{}", 200 + n)}]);
        let body = json!({"network_id": site.network, "fixed_ips": ips});
        let port: Port = site.world.create(&member(TENANT), None, body).unwrap();
        let body = json!({"port_id": port.id});
        site.world
            .action::<Router>(&member(TENANT), other.id, "add_router_interface", body)
            .unwrap();
    }
    let floating_ip = site.floating_ip(json!({"port_id": site.instance})).unwrap();
    assert_eq!(floating_ip.router_id, Some(site.router));
}

#[test]
fn one_with_forwardings_is_neither_associated_nor_deleted() {
    let mut site = Site::new();
    let id = site.floating_ip(json!({})).unwrap().id;
    let body = json!({"external_port": 80, "internal_port": 8080, "protocol": "tcp",
        "internal_port_id": site.instance, "internal_ip_address": "10.0.0.5"});
    let caller = member(TENANT);
    let forwarding: PortForwarding =
        site.world.create(&caller, Some(id.to_string()), body).unwrap();
    let other = site.instance(site.network, TENANT, json!([{"ip_address": "10.0.0.9"}]));
    let in_use = refused(409, "FipInUseByPortForwarding");
    assert_eq!(refusal(site.put_floating_ip(id, json!({"port_id": other}))), in_use);
    assert_eq!(refusal(site.world.delete::<FloatingIp>(&caller, id)), in_use);
    site.world.delete::<PortForwarding>(&caller, forwarding.id).unwrap();
    let holder = site.world.get::<FloatingIp>(id).floating_port_id;
    site.world.delete::<FloatingIp>(&caller, id).unwrap();
    assert!(site.world.all::<Port>(Select::eq("id", holder.to_string())).is_empty());
}

#[test]
fn a_network_takes_along_those_that_lead_nowhere_and_is_kept_by_the_others() {
    let mut site = Site::new();
    let gone = site.floating_ip(json!({})).unwrap();
    let kept = site.floating_ip(json!({})).unwrap();
    let body = json!({"external_port": 80, "internal_port": 8080, "protocol": "tcp",
        "internal_port_id": site.instance, "internal_ip_address": "10.0.0.5"});
    let parent = Some(kept.id.to_string());
    let forwarding: PortForwarding = site.world.create(&member(TENANT), parent, body).unwrap();
    let in_use = refused(409, "NetworkInUse");
    assert_eq!(refusal(site.world.delete::<Network>(&admin(), site.external)), in_use);
    site.world.delete::<PortForwarding>(&member(TENANT), forwarding.id).unwrap();
    // The router's gateway.
    assert_eq!(refusal(site.world.delete::<Network>(&admin(), site.external)), in_use);
    assert_eq!(site.world.get::<FloatingIp>(gone.id), gone, "nothing goes where the network stays");
    let bare = json!({"external_gateway_info": {}});
    site.world.update::<Router>(&member(TENANT), site.router, bare).unwrap();
    site.world.delete::<Network>(&admin(), site.external).unwrap();
    assert!(site.world.all::<FloatingIp>(Select::default()).is_empty());
    let holder = Select::eq("id", gone.floating_port_id.to_string());
    assert!(site.world.all::<Port>(holder).is_empty());
}
