//! Rules of floating IPs' port forwardings.

use navigator_model::FloatingIpId;
use serde_json::{Value, json};

use super::PortForwarding;
use crate::{
    FloatingIp, Port, Refusal, Resource, Router, Select,
    world::{Site, TENANT, member, network, refusal, refused, subnet},
};

fn site() -> (Site, FloatingIpId) {
    let mut site = Site::new();
    let id = site.floating_ip(json!({})).unwrap().id;
    (site, id)
}

impl Site {
    fn forward_floating(
        &mut self,
        id: FloatingIpId,
        change: Value,
    ) -> Result<PortForwarding, Refusal> {
        let mut body = json!({
            "external_port": 80,
            "internal_port": 8080,
            "internal_port_id": self.instance,
            "internal_ip_address": "10.0.0.5",
            "protocol": "tcp",
        });
        for (key, value) in change.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        self.world.create(&member(TENANT), Some(id.to_string()), body)
    }
}

#[test]
fn the_first_gives_the_floating_ip_to_a_router_and_the_last_takes_it_away() {
    let (mut site, id) = site();
    let first = site.forward_floating(id, json!({})).unwrap();
    let scope = navigator_model::Scope::Router(site.router);
    assert!(site.world.touched.contains(&(scope.clone(), first.key())));
    assert!(site.world.touched.contains(&(scope, navigator_model::ObjectKey::FloatingIp(id))));
    let ports = json!({"external_port": 81, "internal_port": 8081});
    let second = site.forward_floating(id, ports).unwrap();
    let router = |site: &Site| site.world.get::<FloatingIp>(id).router_id;
    assert_eq!(router(&site), Some(site.router));
    site.world.delete::<PortForwarding>(&member(TENANT), first.id).unwrap();
    assert_eq!(router(&site), Some(site.router));
    site.world.delete::<PortForwarding>(&member(TENANT), second.id).unwrap();
    assert_eq!(router(&site), None);
}

#[test]
fn a_decision_about_one_of_many_reads_no_more_than_about_one_of_few() {
    let (mut site, id) = site();
    let mut cost = |others: std::ops::Range<u16>| {
        for port in others {
            site.forward_floating(id, json!({"external_port": port, "internal_port": port})).unwrap();
        }
        let new = site.forward_floating(id, json!({})).unwrap();
        let mut read = vec![site.world.read];
        let change = json!({"external_port": 90});
        site.world.update::<PortForwarding>(&member(TENANT), new.id, change).unwrap();
        read.push(site.world.read);
        site.world.delete::<PortForwarding>(&member(TENANT), new.id).unwrap();
        read.push(site.world.read);
        read
    };
    // Two stay, so that the third is neither the first nor the last.
    let few = cost(1000..1002);
    let many = cost(2000..2300);
    for (few, many) in few.iter().zip(&many) {
        assert!(many.abs_diff(*few) < 50, "{few} beside two, {many} beside hundreds");
    }
}

#[test]
fn the_floating_ip_shows_them() {
    let (mut site, id) = site();
    let forwarding = site.forward_floating(id, json!({"protocol": "udp"})).unwrap();
    let shown = site.world.get::<FloatingIp>(id).to_json();
    assert_eq!(
        shown["port_forwardings"],
        json!([{
            "id": forwarding.id, "protocol": "udp", "internal_ip_address": "10.0.0.5",
            "internal_port_id": site.instance, "external_port": 80, "internal_port": 8080,
            "external_port_range": "80:80", "internal_port_range": "8080:8080",
        }])
    );
}

#[test]
fn what_neutron_refuses_is_refused() {
    let (mut site, id) = site();
    let lonely = network(&mut site.world, TENANT);
    subnet(&mut site.world, lonely, "10.3.0.0/24", TENANT);
    let unrouted = site.instance(lonely, TENANT, json!([{"ip_address": "10.3.0.5"}]));
    site.forward_floating(id, json!({})).unwrap();
    let other = site.floating_ip(json!({})).unwrap().id;
    for (floating_ip, body, expected) in [
        (id, json!({"internal_port": 1}), (400, "BadRequest")),
        (id, json!({"external_port": 1}), (400, "BadRequest")),
        // The same socket by another floating IP, too.
        (other, json!({}), (400, "BadRequest")),
        (id, json!({"external_port": 0}), (400, "HTTPBadRequest")),
        (id, json!({"external_port": 65536}), (400, "HTTPBadRequest")),
        (id, json!({"protocol": "icmp"}), (400, "HTTPBadRequest")),
        (id, json!({"internal_ip_address": "10.0.0.99"}), (400, "BadRequest")),
        (id, json!({"internal_ip_address": "::1"}), (400, "HTTPBadRequest")),
        (id, json!({"internal_port_id": uuid::Uuid::nil()}), (404, "PortNotFound")),
        (
            id,
            json!({"internal_port_id": unrouted, "internal_ip_address": "10.3.0.5"}),
            (400, "BadRequest"),
        ),
        (
            id,
            json!({"external_port": null, "external_port_range": "5:7",
            "internal_port": null, "internal_port_range": "5:6"}),
            (400, "InvalidInput"),
        ),
    ] {
        let outcome = site.forward_floating(floating_ip, body.clone());
        assert_eq!(refusal(outcome), refused(expected.0, expected.1), "{body}");
    }
    site.forward_floating(id, json!({"protocol": "udp"})).unwrap();
}

#[test]
fn an_associated_floating_ip_has_no_forwardings_and_a_bound_port_gets_none() {
    let mut site = Site::new();
    let bound = site.floating_ip(json!({"port_id": site.instance})).unwrap();
    let outcome = site.forward_floating(bound.id, json!({}));
    assert_eq!(refusal(outcome), refused(409, "FloatingIPPortAlreadyAssociated"));
    let free = site.floating_ip(json!({})).unwrap().id;
    let outcome = site.forward_floating(free, json!({}));
    assert_eq!(refusal(outcome), refused(409, "PortHasBindingFloatingIP"));
}

#[test]
fn all_of_one_floating_ip_are_served_by_one_router() {
    let (mut site, id) = site();
    site.forward_floating(id, json!({})).unwrap();
    let other = network(&mut site.world, TENANT);
    let inside = subnet(&mut site.world, other, "10.4.0.0/24", TENANT);
    let gateway = json!({"external_gateway_info": {"network_id": site.external}});
    let router: Router = site.world.create(&member(TENANT), None, gateway).unwrap();
    site.attach(router.id, inside).unwrap();
    let port = site.instance(other, TENANT, json!([{"ip_address": "10.4.0.5"}]));
    let body =
        json!({"external_port": 81, "internal_port_id": port, "internal_ip_address": "10.4.0.5"});
    let refusal = site.forward_floating(id, body).unwrap_err();
    assert!(refusal.to_string().contains("had been set on router"), "{refusal}");
}

#[test]
fn the_only_one_may_move_the_floating_ip_to_another_router() {
    let (mut site, id) = site();
    let forwarding = site.forward_floating(id, json!({})).unwrap();
    let other = network(&mut site.world, TENANT);
    let inside = subnet(&mut site.world, other, "10.4.0.0/24", TENANT);
    let gateway = json!({"external_gateway_info": {"network_id": site.external}});
    let router: Router = site.world.create(&member(TENANT), None, gateway).unwrap();
    site.attach(router.id, inside).unwrap();
    let port = site.instance(other, TENANT, json!([{"ip_address": "10.4.0.5"}]));
    let body = json!({"internal_port_id": port, "internal_ip_address": "10.4.0.5"});
    site.world.update::<PortForwarding>(&member(TENANT), forwarding.id, body).unwrap();
    assert_eq!(site.world.get::<FloatingIp>(id).router_id, Some(router.id));
    let old = (navigator_model::Scope::Router(site.router), forwarding.key());
    assert!(site.world.touched.contains(&old), "the old router forgets it");
}

#[test]
fn a_deleted_port_takes_its_forwardings_and_the_router_along() {
    let (mut site, id) = site();
    site.forward_floating(id, json!({})).unwrap();
    let ports = json!({"external_port": 81, "internal_port": 8081});
    site.forward_floating(id, ports).unwrap();
    site.world.delete::<Port>(&member(TENANT), site.instance).unwrap();
    assert!(site.world.all::<PortForwarding>(Select::all()).is_empty());
    assert_eq!(site.world.get::<FloatingIp>(id).router_id, None);
}

#[test]
fn an_interface_and_a_gateway_that_forwardings_need_stay() {
    let (mut site, id) = site();
    site.forward_floating(id, json!({})).unwrap();
    let (caller, body) = (member(TENANT), json!({"subnet_id": site.subnet}));
    let outcome =
        site.world.action::<Router>(&caller, site.router, "remove_router_interface", body);
    assert_eq!(refusal(outcome), refused(409, "RouterInterfaceInUseByFloatingIP"));
    let clear = json!({"external_gateway_info": null});
    let outcome = site.world.update::<Router>(&caller, site.router, clear);
    assert_eq!(refusal(outcome), refused(409, "RouterExternalGatewayInUseByFloatingIp"));
}

#[test]
fn ranges_are_shown_in_neutrons_form() {
    let (mut site, id) = site();
    let forwarding = site
        .forward_floating(
            id,
            json!({"external_port": null, "external_port_range": "20:22",
                "internal_port": null, "internal_port_range": "22"}),
        )
        .unwrap();
    let shown = forwarding.to_json();
    assert_eq!(shown["external_port"], Value::Null);
    assert_eq!(shown["external_port_range"], "20:22");
    assert_eq!(
        (&shown["internal_port"], &shown["internal_port_range"]),
        (&json!(22), &json!("22:22"))
    );
    assert!(!shown.contains_key("floatingip_id"));
}
