//! Ports' rules, as requests and answers.

use serde_json::{Value, json};

use super::*;
use crate::{
    Refusal, Router,
    world::Session,
    registry::agent::tests::agent,
};

mod addresses;
mod books;

/// A network of project `p` with 10.0.0.0/24, without DHCP; `p` asks from now on.
fn table() -> (Session, Network) {
    let mut table = Session::new();
    let network: Network = table.as_project("p").create(json!({})).unwrap();
    let subnet = json!({
        "network_id": network.id.to_string(), "ip_version": 4, "cidr": "10.0.0.0/24",
        "enable_dhcp": false,
    });
    table.create::<Subnet>(subnet).unwrap();
    (table, network)
}

fn body(network: &Network, more: Value) -> Value {
    let mut body = json!({"network_id": network.id.to_string()});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn port(table: &mut Session, network: &Network, more: Value) -> Port {
    table.create(body(network, more)).unwrap()
}

fn told(refusal: Refusal) -> (u16, String) {
    (refusal.status(), refusal.type_name())
}

#[test]
fn a_port_is_down_and_unbound_until_somebody_wires_it() {
    let (mut table, network) = table();
    let port = port(&mut table, &network, json!({"name": "a"}));
    let shown = port.to_json();
    assert_eq!(shown["status"], "DOWN");
    assert_eq!(shown["binding:host_id"], "");
    assert_eq!(shown["binding:vif_type"], "unbound");
    assert_eq!(shown["binding:vif_details"], json!({}));
    assert_eq!(shown["binding:vnic_type"], "normal");
    assert_eq!(shown["port_security_enabled"], true);
    assert_eq!(shown["security_groups"].as_array().unwrap().len(), 1, "the default group");
    assert_eq!(shown["extra_dhcp_opts"], json!([]));
    assert_eq!(shown["device_owner"], "");
    assert!(port.mac_address.to_string().starts_with("fa:16:3e:"));
    let fixed_ip = &port.fixed_ips[0];
    assert_eq!(
        shown["fixed_ips"],
        json!([{"subnet_id": fixed_ip.subnet_id.to_string(), "ip_address": "10.0.0.2"}])
    );
}

#[test]
fn binding_follows_the_agents_that_are_alive() {
    let (mut table, network) = table();
    table.put(&agent("Linux bridge agent", "up"));
    let mut silent = agent("Linux bridge agent", "silent");
    silent.heartbeat_timestamp = "2026-01-02T02:00:00Z".to_owned();
    table.put(&silent);
    table.put(&agent("L3 agent", "router-only"));
    table.as_admin();
    for (host, vif_type) in
        [("up", TAP), ("silent", BINDING_FAILED), ("router-only", BINDING_FAILED), ("", UNBOUND)]
    {
        let port = port(&mut table, &network, json!({"binding:host_id": host}));
        assert_eq!(port.vif_type, vif_type, "{host}");
        assert_eq!(table.touched_hosts, !host.is_empty(), "{host}");
    }
    let made = port(&mut table, &network, json!({"binding:vnic_type": "direct", "binding:host_id": "up"}));
    assert_eq!(made.vif_type, BINDING_FAILED);
}

#[test]
fn moving_a_port_puts_it_down_and_tells_the_hosts() {
    let (mut table, network) = table();
    table.put(&agent("Linux bridge agent", "a"));
    table.put(&agent("Linux bridge agent", "b"));
    table.as_admin();
    let mut made = port(&mut table, &network, json!({"binding:host_id": "a"}));
    let details = json!({
        "port_filter": false, "connectivity": "l2", "bound_drivers": {"0": "navigator"},
    });
    assert_eq!(made.to_json()["binding:vif_details"], details);
    made.status = "ACTIVE".to_owned();
    table.put(&made);
    let same: Port = table.update(made.id, json!({"binding:host_id": "a"})).unwrap();
    assert_eq!((same.status.as_str(), table.touched_hosts), ("ACTIVE", false));
    let moved: Port = table.update(made.id, json!({"binding:host_id": "b"})).unwrap();
    assert_eq!((moved.status.as_str(), moved.vif_type.as_str()), ("DOWN", TAP));
    assert!(table.touched_hosts);
    let off: Port = table.update(made.id, json!({"binding:host_id": null})).unwrap();
    assert_eq!((off.host(), off.vif_type.as_str()), (None, UNBOUND));
}

#[test]
fn a_mac_address_is_unique_and_changes_only_unplugged() {
    let (mut table, network) = table();
    table.put(&agent("Linux bridge agent", "a"));
    table.as_admin();
    let made = port(&mut table, &network, json!({"mac_address": "02:00:00:00:00:01"}));
    let changed: Port =
        table.update(made.id, json!({"mac_address": "02:00:00:00:00:02"})).unwrap();
    assert_eq!(changed.mac_address.to_string(), "02:00:00:00:00:02");
    for unusable in ["00:00:00:00:00:00", "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff"] {
        let refusal =
            table.update::<Port>(made.id, json!({ "mac_address": unusable })).unwrap_err();
        assert_eq!(told(refusal), (400, "HTTPBadRequest".to_owned()), "{unusable}");
    }
    let other = port(&mut table, &network, json!({}));
    let taken = json!({"mac_address": other.mac_address.to_string()});
    let refusal = table.update::<Port>(made.id, taken).unwrap_err();
    assert_eq!(told(refusal), (409, "MacAddressInUse".to_owned()));
    let random: Port = table.update(made.id, json!({"mac_address": null})).unwrap();
    assert!(random.mac_address.to_string().starts_with("fa:16:3e:"));
    table.update::<Port>(made.id, json!({"binding:host_id": "a"})).unwrap();
    let refusal =
        table.update::<Port>(made.id, json!({"mac_address": "02:00:00:00:00:03"})).unwrap_err();
    assert_eq!(told(refusal), (409, "PortBound".to_owned()));
}

#[test]
fn others_networks_are_used_only_where_they_are_seen() {
    let (mut table, network) = table();
    let asks = |table: &mut Session, more: Value| {
        table.as_project("q").create::<Port>(body(&network, more)).map_err(told)
    };
    let not_found = (404, "NetworkNotFound".to_owned());
    assert_eq!(asks(&mut table, json!({})).unwrap_err(), not_found);
    table.as_admin().update::<Network>(network.id, json!({"shared": true})).unwrap();
    assert!(asks(&mut table, json!({})).is_ok());
}

#[test]
fn nobody_makes_a_routers_port_or_names_anothers_router() {
    let (mut table, network) = table();
    let router: Router = table.as_project("q").create(json!({"name": "r"})).unwrap();
    table.as_project("p");
    for owner in ["network:router_interface", "network:router_gateway", "network:floatingip"] {
        let made = table.create::<Port>(body(&network, json!({"device_owner": owner})));
        assert_eq!(told(made.unwrap_err()), (400, "BadRequest".to_owned()), "{owner}");
    }
    let device = json!({"device_id": router.id.to_string()});
    let refusal = table.create::<Port>(body(&network, device.clone())).unwrap_err();
    assert_eq!(told(refusal), (409, "DeviceIDNotOwnedByTenant".to_owned()));
    let made = port(&mut table, &network, json!({"device_id": "any text"}));
    let refusal = table.update::<Port>(made.id, device.clone()).unwrap_err();
    assert_eq!(told(refusal), (409, "DeviceIDNotOwnedByTenant".to_owned()));
    assert!(table.as_admin().update::<Port>(made.id, device).is_ok());
}

#[test]
fn a_routers_port_is_kept_for_the_router() {
    let (mut table, network) = table();
    let mut made = port(&mut table, &network, json!({}));
    made.device_owner = ROUTER_INTERFACE_OWNER.into();
    made.device_id = "01234567-89ab-4def-8123-456789abcdef".into();
    table.put(&made);
    let refusal = table.delete::<Port>(made.id).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        format!(
            "Port {} cannot be deleted directly via the port API: has device owner \
             network:router_interface.",
            made.id
        )
    );
    assert_eq!(told(refusal), (409, "ServicePortInUse".to_owned()));
    for (change, error) in [
        (json!({"device_owner": ""}), (409, "PortInUse")),
        (json!({"device_id": ""}), (409, "PortInUse")),
        (json!({"fixed_ips": []}), (400, "BadRequest")),
    ] {
        let refusal = table.update::<Port>(made.id, change.clone()).unwrap_err();
        assert_eq!(told(refusal), (error.0, error.1.to_owned()), "{change}");
    }
    table.update::<Port>(made.id, json!({"admin_state_up": false})).unwrap();
    assert_eq!(table.touched.len(), 2, "the network's and the router's agents hear of it");
    // Who asks for what is there changes nothing.
    let subnet = made.fixed_ips[0].subnet_id;
    let same = json!({"fixed_ips": [{"subnet_id": subnet}]});
    let kept = table.update::<Port>(made.id, same).unwrap();
    assert_eq!(kept.fixed_ips, made.fixed_ips);
}

#[test]
fn address_pairs_are_checked_and_take_the_ports_mac_address() {
    let (mut table, network) = table();
    table.as_admin();
    let pairs = |items: Value| json!({"allowed_address_pairs": items});
    let made = port(
        &mut table,
        &network,
        json!({
            "mac_address": "02:00:00:00:00:01",
            "allowed_address_pairs": [
                {"ip_address": "10.0.0.9"},
                {"ip_address": "10.0.1.7/24", "mac_address": "02:00:00:00:00:02"},
            ],
        }),
    );
    assert_eq!(
        made.to_json()["allowed_address_pairs"],
        json!([
            {"ip_address": "10.0.0.9", "mac_address": "02:00:00:00:00:01"},
            {"ip_address": "10.0.1.0/24", "mac_address": "02:00:00:00:00:02"},
        ])
    );
    let many: Vec<Value> =
        (0..11).map(|i| json!({"ip_address": format!("10.0.2.{i}")})).collect();
    for (more, status, error) in [
        (pairs(json!(many)), 400, "AllowedAddressPairExhausted"),
        (
            pairs(json!([{"ip_address": "10.0.0.9"}, {"ip_address": "10.0.0.9"}])),
            400,
            "DuplicateAddressPairInRequest",
        ),
        (json!({"port_security_enabled": false}), 409, "AddressPairAndPortSecurityRequired"),
    ] {
        let refusal = table.update::<Port>(made.id, more.clone()).unwrap_err();
        assert_eq!(told(refusal), (status, error.to_owned()), "{more}");
    }
    let off = json!({
        "port_security_enabled": false, "allowed_address_pairs": [], "security_groups": []});
    assert!(!table.update::<Port>(made.id, off).unwrap().port_security_enabled);
    let name = Port::declaration().attribute("allowed_address_pairs").unwrap();
    assert!((name.check)(&json!([{"ip_address": "10.0.0.9;x"}])).is_err());
    assert!((name.check)(&json!([{"mac_address": "02:00:00:00:00:01"}])).is_err());
}

#[test]
fn dhcp_options_are_set_one_by_one_and_null_takes_one_away() {
    let (mut table, network) = table();
    let option = |name: &str, value: Value| json!({"opt_name": name, "opt_value": value});
    let made = port(
        &mut table,
        &network,
        json!({"extra_dhcp_opts": [option("mtu", json!("1400")), option("67", json!("a"))]}),
    );
    let names = |port: &Port| -> Vec<(String, String)> {
        port.extra_dhcp_opts.iter().map(|o| (o.opt_name.clone(), o.opt_value.clone())).collect()
    };
    assert_eq!(names(&made), [("mtu".into(), "1400".into()), ("67".into(), "a".into())]);
    let change = json!({"extra_dhcp_opts": [option("67", Value::Null), option("mtu", json!("9"))]});
    let changed: Port = table.update(made.id, change).unwrap();
    assert_eq!(names(&changed), [("mtu".into(), "9".into())]);
    let refusal = table
        .create::<Port>(body(&network, json!({"extra_dhcp_opts": [option("x", json!("y"))]})))
        .unwrap_err();
    assert_eq!(told(refusal), (400, "InvalidExtraDhcpOpt".to_owned()));
}

#[test]
fn only_what_an_agent_renders_wakes_it() {
    let (mut table, network) = table();
    let made = port(&mut table, &network, json!({}));
    for quiet in [json!({"name": "b"}), json!({"description": "c"}), json!({"device_id": "d"})] {
        table.update::<Port>(made.id, quiet.clone()).unwrap();
        assert!(table.touched.is_empty(), "{quiet}");
    }
    for loud in [json!({"admin_state_up": false}), json!({"device_owner": "compute:nova"})] {
        table.update::<Port>(made.id, loud.clone()).unwrap();
        assert_eq!(table.touched.len(), 1, "{loud}");
    }
}

/// A port has few pairs, however many a request names.
#[test]
fn sec_cve_2014_3555() {
    let (mut table, network) = table();
    let made = port(&mut table, &network, json!({}));
    let flood: Vec<Value> = (0..10_000)
        .map(|i| json!({"ip_address": format!("10.{}.{}.1", i / 250, i % 250)}))
        .collect();
    for pairs in [json!(flood), json!(flood[..11])] {
        let body = json!({ "allowed_address_pairs": pairs });
        let refusal = table.update::<Port>(made.id, body.clone()).unwrap_err();
        assert_eq!(told(refusal), (400, "AllowedAddressPairExhausted".to_owned()));
        let mut new = body;
        new["network_id"] = json!(network.id);
        let refusal = table.create::<Port>(new).unwrap_err();
        assert_eq!(told(refusal), (400, "AllowedAddressPairExhausted".to_owned()));
    }
    assert_eq!(table.list::<Port>().len(), 1);
}
