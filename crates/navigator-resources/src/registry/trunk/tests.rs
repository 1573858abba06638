//! Trunks' rules, as requests and answers.

use serde_json::{Value, json};

use super::*;
use crate::{
    Network, Router,
    world::{Site, TENANT, member, refusal, refused},
};

/// A port that nothing uses.
fn port(site: &mut Site) -> PortId {
    let body = json!({"network_id": site.network, "fixed_ips": []});
    site.world.create::<Port>(&member(TENANT), None, body).unwrap().id
}

fn tagged(port_id: PortId, tag: u32) -> Value {
    json!({"port_id": port_id, "segmentation_type": "vlan", "segmentation_id": tag})
}

fn trunk(site: &mut Site, port_id: PortId, sub_ports: Value) -> Result<Trunk, Refusal> {
    let body = json!({"port_id": port_id, "sub_ports": sub_ports});
    site.world.create(&member(TENANT), None, body)
}

fn act(site: &mut Site, trunk: &Trunk, action: &str, sub_ports: Value) -> Result<Value, Refusal> {
    let body = json!({ "sub_ports": sub_ports });
    site.world.action::<Trunk>(&member(TENANT), trunk.id, action, body)
}

#[test]
fn a_port_has_one_role_in_one_trunk() {
    let mut site = Site::new();
    let [parent, sub, other] = [(); 3].map(|()| port(&mut site));
    let first = trunk(&mut site, parent, json!([tagged(sub, 10)])).unwrap();
    let second = trunk(&mut site, other, json!([])).unwrap();
    let as_parent = refused(409, "PortInUseAsTrunkParent");
    let as_sub = refused(409, "PortInUseAsSubPort");
    assert_eq!(refusal(trunk(&mut site, parent, json!([]))), as_parent);
    assert_eq!(refusal(trunk(&mut site, sub, json!([]))), as_sub);
    for (trunk, sub_port, outcome) in [
        (&first, tagged(sub, 11), &as_sub),
        (&second, tagged(sub, 11), &as_sub),
        (&second, tagged(parent, 11), &as_parent),
        (&second, tagged(other, 11), &refused(409, "ParentPortInUse")),
    ] {
        assert_eq!(refusal(act(&mut site, trunk, "add_subports", json!([sub_port]))), *outcome);
    }
}

#[test]
fn a_tag_is_a_vlan_id_that_the_trunk_has_once() {
    let mut site = Site::new();
    let [parent, a, b] = [(); 3].map(|()| port(&mut site));
    let trunk = trunk(&mut site, parent, json!([tagged(a, 10)])).unwrap();
    let invalid = refused(400, "InvalidInput");
    for (sub_port, outcome) in [
        (tagged(b, 10), &refused(409, "DuplicateSubPort")),
        (tagged(b, 0), &invalid),
        (tagged(b, 4095), &invalid),
        (json!({"port_id": b}), &invalid),
        (json!({"port_id": b, "segmentation_type": "vlan"}), &invalid),
        (json!({"port_id": b, "segmentation_type": "vxlan", "segmentation_id": 1}), &invalid),
        // The port's network is a tunnel.
        (json!({"port_id": b, "segmentation_type": "inherit"}), &invalid),
        (json!({"segmentation_type": "vlan"}), &refused(400, "HTTPBadRequest")),
        (json!({"port_id": b, "tag": 1}), &refused(400, "HTTPBadRequest")),
    ] {
        let answer = act(&mut site, &trunk, "add_subports", json!([sub_port]));
        assert_eq!(refusal(answer), *outcome, "{sub_port}");
    }
    act(&mut site, &trunk, "add_subports", json!([tagged(b, 4094)])).unwrap();
}

#[test]
fn a_tag_can_be_the_networks_own() {
    let mut site = Site::new();
    let body = json!({"provider:network_type": "vlan", "provider:physical_network": "external",
        "provider:segmentation_id": 77, "mtu": 1400});
    let vlan: Network = site.world.create(&member(TENANT), None, body).unwrap();
    let body = json!({"network_id": vlan.id});
    let sub: Port = site.world.create(&member(TENANT), None, body).unwrap();
    let parent = port(&mut site);
    let inherit = json!([{"port_id": sub.id, "segmentation_type": "inherit"}]);
    let trunk = trunk(&mut site, parent, inherit).unwrap();
    assert_eq!(trunk.sub_ports[0].segmentation_id, 77);
}

#[test]
fn what_is_plugged_in_or_too_large_is_refused() {
    let mut site = Site::new();
    let [parent, plain] = [(); 2].map(|()| port(&mut site));
    let instance = site.instance;
    let trunk = trunk(&mut site, parent, json!([])).unwrap();
    let owned = json!({"device_id": "instance"});
    site.world.update::<Port>(&member(TENANT), instance, owned.clone()).unwrap();
    let sub = act(&mut site, &trunk, "add_subports", json!([tagged(instance, 1)]));
    assert_eq!(refusal(sub), refused(409, "PortInUse"));

    let large = json!({"provider:network_type": "vlan", "provider:physical_network": "external"});
    let large: Network = site.world.create(&member(TENANT), None, large).unwrap();
    let body = json!({"network_id": large.id});
    let sub: Port = site.world.create(&member(TENANT), None, body).unwrap();
    let sub = act(&mut site, &trunk, "add_subports", json!([tagged(sub.id, 1)]));
    assert_eq!(refusal(sub), refused(409, "SubPortMtuGreaterThanTrunkPortMtu"));

    // An instance boots on the parent, which keeps its trunk from now on.
    let boot = json!({"device_id": "i", "device_owner": "compute:nova", "binding:host_id": "node-1"});
    site.world.update::<Port>(&member(TENANT), parent, boot.clone()).unwrap();
    let gone = site.world.delete::<Trunk>(&member(TENANT), trunk.id);
    assert_eq!(refusal(gone), refused(409, "TrunkInUse"));
    site.world.update::<Port>(&member(TENANT), plain, boot).unwrap();
    let late = self::trunk(&mut site, plain, json!([]));
    assert_eq!(refusal(late), refused(409, "ParentPortInUse"));
}

#[test]
fn a_disabled_trunk_stays_as_it_is() {
    let mut site = Site::new();
    let [parent, sub] = [(); 2].map(|()| port(&mut site));
    let trunk = trunk(&mut site, parent, json!([tagged(sub, 10)])).unwrap();
    let off = json!({"admin_state_up": false});
    site.world.update::<Trunk>(&member(TENANT), trunk.id, off).unwrap();
    let disabled = refused(409, "TrunkDisabled");
    let named = json!([{"port_id": sub}]);
    assert_eq!(refusal(act(&mut site, &trunk, "remove_subports", named.clone())), disabled);
    assert_eq!(refusal(act(&mut site, &trunk, "add_subports", json!([]))), disabled);
    assert_eq!(refusal(site.world.delete::<Trunk>(&member(TENANT), trunk.id)), disabled);
    let on = json!({"admin_state_up": true});
    site.world.update::<Trunk>(&member(TENANT), trunk.id, on).unwrap();
    act(&mut site, &trunk, "remove_subports", named).unwrap();
    site.world.delete::<Trunk>(&member(TENANT), trunk.id).unwrap();
    site.world.delete::<Port>(&member(TENANT), sub).unwrap();
}

#[test]
fn a_trunk_holds_its_ports_whoever_deletes_them() {
    let mut site = Site::new();
    let inside = |address: &str| json!([{"ip_address": address}]);
    let [parent, sub] = ["10.0.0.66", "10.0.0.67"].map(|address| {
        let body = json!({"network_id": site.network, "fixed_ips": inside(address)});
        site.world.create::<Port>(&member(TENANT), None, body).unwrap().id
    });
    trunk(&mut site, parent, json!([tagged(sub, 10)])).unwrap();
    for (port, held) in [(parent, "PortInUseAsTrunkParent"), (sub, "PortInUseAsSubPort")] {
        let held = refused(409, held);
        assert_eq!(refusal(site.world.delete::<Port>(&member(TENANT), port)), held);
        // Two routers, since both ports are of one subnet.
        let router = site.world.create::<Router>(&member(TENANT), None, json!({})).unwrap().id;
        let mut act = |action: &str| {
            let body = json!({ "port_id": port });
            site.world.action::<Router>(&member(TENANT), router, action, body)
        };
        act("add_router_interface").unwrap();
        assert_eq!(refusal(act("remove_router_interface")), held);
    }
}

#[test]
fn what_a_request_says_twice_or_by_half_is_refused_before_any_port_is_looked_at() {
    let mut site = Site::new();
    let [parent, a, b] = [(); 3].map(|()| port(&mut site));
    let nowhere = PortId(uuid::Uuid::nil());
    let invalid = refused(400, "InvalidInput");
    for sub_ports in [
        json!([{"port_id": nowhere, "segmentation_id": 3}]),
        json!([{"port_id": nowhere, "segmentation_type": "vlan"}]),
        json!([{"port_id": nowhere}]),
        json!([tagged(a, 10), tagged(b, 10)]),
        json!([tagged(a, 10), tagged(a, 11)]),
    ] {
        assert_eq!(refusal(trunk(&mut site, nowhere, sub_ports.clone())), invalid, "{sub_ports}");
    }
    let made = trunk(&mut site, parent, json!([])).unwrap();
    let twice = json!([tagged(a, 10), tagged(b, 10)]);
    assert_eq!(refusal(act(&mut site, &made, "add_subports", twice)), invalid);
}
