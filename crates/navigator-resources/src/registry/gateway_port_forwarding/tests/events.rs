//! What happens around a forwarding: to its port, its router, its gateway.

use serde_json::{Value, json};

use crate::{
    GatewayPortForwarding, Port, Router,
    world::{Site, TENANT, admin, member, refusal, refused, subnet},
};

#[test]
fn an_address_that_leaves_its_port_takes_its_forwardings_along() {
    let mut site = Site::new();
    let two = json!({"fixed_ips": [{"ip_address": "10.0.0.5"}, {"ip_address": "10.0.0.6"}]});
    site.world.update::<Port>(&member(TENANT), site.instance, two).unwrap();
    site.forward(json!({"internal_ip_address": "10.0.0.5"})).unwrap();
    let kept =
        site.forward(json!({"external_port": 80, "internal_ip_address": "10.0.0.6"})).unwrap();
    let one = json!({"fixed_ips": [{"ip_address": "10.0.0.6"}]});
    site.world.update::<Port>(&member(TENANT), site.instance, one).unwrap();
    assert_eq!(site.world.forwards(), [kept]);
    site.world.delete::<Port>(&member(TENANT), site.instance).unwrap();
    assert_eq!(site.world.forwards(), []);
    // Its ports are free for another instance.
    site.instance = site.instance(site.network, TENANT, json!([{"ip_address": "10.0.0.5"}]));
    site.forward(json!({})).unwrap();
}

#[test]
fn forwardings_keep_their_router_gateway_and_interface() {
    let mut site = Site::new();
    let id = site.forward(json!({})).unwrap().id;
    let (router, caller) = (site.router, member(TENANT));
    assert_eq!(
        refusal(site.world.delete::<Router>(&caller, router)),
        refused(409, "DeletedRouterWithRGForwarding")
    );
    let clear = json!({"external_gateway_info": {}});
    assert_eq!(
        refusal(site.world.update::<Router>(&caller, router, clear.clone())),
        refused(409, "DeletedRouterGatewayWithRGForwarding")
    );
    let body = json!({"subnet_id": site.subnet});
    assert_eq!(
        refusal(site.world.action::<Router>(&caller, router, "remove_router_interface", body)),
        refused(409, "RouterInterfaceInUseByPortForwarding")
    );
    site.world.delete::<GatewayPortForwarding>(&caller, id).unwrap();
    site.world.update::<Router>(&caller, router, clear).unwrap();
}

#[test]
fn the_gateways_primary_address_stays_while_there_are_forwardings() {
    let mut site = Site::new();
    let id = site.forward(json!({})).unwrap().id;
    let before: GatewayPortForwarding = site.world.get(id);
    let v6 = subnet(&mut site.world, site.external, "2001:db8::/64", "admin");
    let gateway = |ips: Value| json!({"external_gateway_info": {"network_id": site.external, "external_fixed_ips": ips}});
    let same = before.gw_ip_address.0.unwrap();
    let grown = gateway(json!([{"ip_address": same}, {"subnet_id": v6}]));
    let moved = gateway(json!([{"ip_address": "203.0.113.77"}]));
    site.world.update::<Router>(&admin(), site.router, grown).unwrap();
    assert_eq!(
        refusal(site.world.update::<Router>(&admin(), site.router, moved.clone())),
        refused(409, "DeletedRouterGatewayWithRGForwarding")
    );
    assert_eq!(site.world.get::<GatewayPortForwarding>(id).gw_ip_address.0, Some(same));
    site.world.delete::<GatewayPortForwarding>(&admin(), id).unwrap();
    site.world.update::<Router>(&admin(), site.router, moved).unwrap();
}

#[test]
fn a_port_with_forwardings_gets_a_floating_ip_only_where_that_is_allowed() {
    let mut site = Site::new();
    site.forward(json!({})).unwrap();
    let body = json!({"port_id": site.instance});
    assert_eq!(refusal(site.floating_ip(body.clone())), refused(409, "PortHasPortForwarding"));
    site.world.settings.allow_port_forwarding_with_floating_ip = true;
    site.floating_ip(body).unwrap();
}
