//! Networks' rules, as requests and answers.

use serde_json::{Value, json};

use super::*;
use crate::world::Session;

fn refusal(table: &mut Session, body: Value) -> (u16, String) {
    let refusal = table.create::<Network>(body).unwrap_err();
    (refusal.status(), refusal.type_name())
}

#[test]
fn a_tenants_network_gets_a_tunnel_and_what_the_tunnel_leaves_of_the_mtu() {
    let mut table = Session::new();
    let network: Network = table.as_project("p").create(json!({"name": "n"})).unwrap();
    assert_eq!(network.network_type, NetworkType::Vxlan);
    assert_eq!((network.segmentation_id, network.physical_network.clone()), (Some(1), None));
    assert_eq!((network.mtu, network.status.as_str()), (1450, "ACTIVE"));
    assert_eq!(network.standard.project_id, "p".into());
    let only = (Scope::Network(network.id), ObjectKey::Network(network.id));
    assert!(table.touched.iter().eq([&only]));
    let shown = network.to_json();
    assert_eq!(shown["provider:network_type"], "vxlan");
    assert_eq!(shown["router:external"], false);
    assert_eq!(shown["subnets"], json!([]));
    assert_eq!(shown["status_reason"], Value::Null);
}

#[test]
fn provider_networks_are_checked_by_type() {
    let kind = "provider:network_type";
    let physical = "provider:physical_network";
    let id = "provider:segmentation_id";
    let bad = (400, "InvalidInput".to_owned());
    for body in [
        json!({ kind: "stt" }),
        json!({ kind: "token-ring" }),
        json!({ physical: "external" }),
        json!({ kind: "local", physical: "external" }),
        json!({ kind: "local", id: 5 }),
        json!({ kind: "flat" }),
        json!({ kind: "flat", physical: "unknown" }),
        json!({ kind: "flat", physical: "external", id: 5 }),
        json!({ kind: "vlan" }),
        json!({ kind: "vlan", id: 5 }),
        json!({ kind: "vlan", physical: "external", id: 0 }),
        json!({ kind: "vlan", physical: "external", id: 4095 }),
        json!({ kind: "vxlan", physical: "external" }),
        json!({ kind: "vxlan", id: 0 }),
        json!({ kind: "vxlan", id: 16_777_216 }),
        json!({ kind: "gre", id: 0 }),
        json!({ "mtu": 1451 }),
        json!({ "mtu": 60 }),
        json!({ kind: "flat", physical: "external", "mtu": 1501 }),
    ] {
        assert_eq!(refusal(&mut Session::new(), body.clone()), bad, "{body}");
    }
}

#[test]
fn who_asks_for_vlan_tags_to_pass_is_told_so() {
    for (body, shown) in [
        (json!({}), Value::Null),
        (json!({"vlan_transparent": true}), json!(true)),
        (json!({"vlan_transparent": "0"}), json!(false)),
    ] {
        let network: Network = Session::new().create(body.clone()).unwrap();
        assert_eq!(network.to_json()["vlan_transparent"], shown, "{body}");
    }
    let null = json!({"vlan_transparent": null});
    assert_eq!(refusal(&mut Session::new(), null), (400, "HTTPBadRequest".to_owned()));
}

#[test]
fn a_zone_without_agents_does_not_exist() {
    let mut table = Session::new();
    table.put(&crate::registry::agent::tests::agent("DHCP agent", "h"));
    let refusal = |table: &mut Session, zones: Value| {
        table.create::<Network>(json!({ "availability_zone_hints": zones })).map(|_| ())
    };
    assert_eq!(refusal(&mut table, json!(["nova"])), Ok(()));
    let unknown = refusal(&mut table, json!(["nova", "east"])).unwrap_err();
    assert_eq!((unknown.status(), unknown.to_string()), (
        404, "AvailabilityZone east could not be found.".to_owned(),
    ));
}

#[test]
fn a_segment_is_given_once() {
    let mut table = Session::new();
    for (body, error) in [
        (
            json!({"provider:network_type": "flat", "provider:physical_network": "external"}),
            "FlatNetworkInUse",
        ),
        (
            json!({
                "provider:network_type": "vlan", "provider:physical_network": "external",
                "provider:segmentation_id": 7,
            }),
            "VlanIdInUse",
        ),
        (
            json!({"provider:network_type": "vxlan", "provider:segmentation_id": 7}),
            "TunnelIdInUse",
        ),
        (json!({"provider:network_type": "gre", "provider:segmentation_id": 7}), "TunnelIdInUse"),
    ] {
        table.create::<Network>(body.clone()).unwrap();
        assert_eq!(refusal(&mut table, body), (409, error.to_owned()));
    }
}

#[test]
fn no_segment_left_is_the_services_fault() {
    let mut table = Session::new();
    table.settings.tunnel_id_range = 9..=9;
    table.create::<Network>(json!({})).unwrap();
    assert_eq!(refusal(&mut table, json!({})), (503, "NoNetworkAvailable".to_owned()));
    table.settings.tenant_network_type = "vlan".to_owned();
    table.settings.vlan_range = 5..=5;
    let names: Vec<_> = (0..2)
        .map(|_| table.create::<Network>(json!({})).unwrap().physical_network.unwrap().0)
        .collect();
    assert_eq!(names, ["external", "public"]);
    assert_eq!(refusal(&mut table, json!({})).0, 503);
}

#[test]
fn an_update_that_changes_nothing_writes_nothing() {
    let mut table = Session::new();
    let network: Network = table.create(json!({"name": "n"})).unwrap();
    table.update::<Network>(network.id, json!({"name": "n", "mtu": 0})).unwrap();
    assert!(table.touched.is_empty());
    let network: Network = table.update(network.id, json!({"mtu": 1400})).unwrap();
    assert_eq!(network.mtu, 1400);
    assert_eq!(table.touched.len(), 1);
}

#[test]
fn the_mtu_stays_large_enough_for_the_subnets() {
    let mut table = Session::new();
    let network: Network = table.create(json!({})).unwrap();
    table
        .create::<Subnet>(
            json!({"network_id": network.id.to_string(), "ip_version": 6, "cidr": "2001:db8::/64"}),
        )
        .unwrap();
    let refusal = table.update::<Network>(network.id, json!({"mtu": 1279})).unwrap_err();
    assert_eq!((refusal.status(), refusal.type_name().as_str()), (409, "NetworkMTUSubnetConflict"));
    assert!(table.update::<Network>(network.id, json!({"mtu": 1280})).is_ok());
}

#[test]
fn a_network_that_others_use_stays_shared() {
    let mut table = Session::new();
    let network: Network = table.create(json!({"shared": true, "name": "s"})).unwrap();
    let id = network.id.to_string();
    let port: Port = table.as_project("other").create(json!({"network_id": id})).unwrap();
    let unshare = |table: &mut Session| table.update::<Network>(network.id, json!({"shared": false}));
    assert_eq!(unshare(table.as_admin()).unwrap_err().type_name(), "InvalidSharedSetting");
    table.delete::<Port>(port.id).unwrap();
    assert!(!unshare(&mut table).unwrap().shared);
}

#[test]
fn a_network_with_gateways_stays_external() {
    let mut table = Session::new();
    let network: Network = table.create(json!({"router:external": true})).unwrap();
    table
        .decide(|facts, context| {
            port::NewPort {
                network: &network,
                project_id: "".into(),
                name: String::new(),
                device_owner: port::ROUTER_GATEWAY_OWNER.to_owned(),
                device_id: String::new(),
                fixed_ips: Some(Vec::new()),
                mac_address: None,
                host_id: None,
            }
            .make(facts, context, "gateway")
        })
        .unwrap();
    let refusal =
        table.update::<Network>(network.id, json!({"router:external": false})).unwrap_err();
    assert_eq!((refusal.status(), refusal.type_name().as_str()), (409, "ExternalNetworkInUse"));
}

#[test]
fn a_network_with_ports_is_kept_and_without_takes_its_subnets_and_dhcp_along() {
    let mut table = Session::new();
    table.put(&crate::registry::agent::tests::agent("DHCP agent", "h"));
    let network: Network = table.create(json!({})).unwrap();
    let id = network.id.to_string();
    table
        .create::<Subnet>(json!({"network_id": id, "ip_version": 4, "cidr": "10.0.0.0/24"}))
        .unwrap();
    let port: Port = table.create(json!({"network_id": id})).unwrap();
    assert_eq!(table.list::<Port>().len(), 2);
    let refusal = table.delete::<Network>(network.id).unwrap_err();
    assert_eq!(
        (refusal.status(), refusal.to_string()),
        (
            409,
            format!(
                "Unable to complete operation on network {id}. There are one or more ports still \
                 in use on the network."
            )
        )
    );
    table.delete::<Port>(port.id).unwrap();
    table.delete::<Network>(network.id).unwrap();
    assert!(table.list::<Port>().is_empty() && table.list::<Subnet>().is_empty());
    assert!(table.addresses.is_empty() && table.touched_hosts);
}
