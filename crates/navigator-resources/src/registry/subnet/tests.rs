//! Subnets' rules, as requests and answers.

use serde_json::{Value, json};

use super::*;
use crate::{Port, Resource, world::Session};

/// A network of project `p`, who asks from now on.
fn table() -> (Session, Network) {
    let mut table = Session::new();
    let network = table.as_project("p").create(json!({})).unwrap();
    (table, network)
}

/// A subnet's body with further attributes.
fn body(network: &Network, more: Value) -> Value {
    let mut body = json!({"network_id": network.id.to_string(), "ip_version": 4});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn subnet(table: &mut Session, network: &Network, more: Value) -> Subnet {
    table.create(body(network, more)).unwrap()
}

#[test]
fn what_is_not_said_is_computed_and_shown_in_canonical_form() {
    let (mut table, network) = table();
    let made = subnet(&mut table, &network, json!({"cidr": "10.0.0.77/24"}));
    let shown = made.to_json();
    assert_eq!(shown["cidr"], "10.0.0.0/24");
    assert_eq!(shown["gateway_ip"], "10.0.0.1");
    assert_eq!(shown["allocation_pools"], json!([{"start": "10.0.0.2", "end": "10.0.0.254"}]));
    assert_eq!(shown["ip_version"], 4);
    assert_eq!(shown["subnetpool_id"], Value::Null);
    assert_eq!(shown["enable_dhcp"], true);
    assert!(!shown.contains_key("prefixlen"));
    let none = subnet(&mut table, &network, json!({"cidr": "10.1.0.0/24", "gateway_ip": null}));
    assert_eq!(none.gateway_ip, None);
    assert_eq!(none.allocation_pools[0].start.to_string(), "10.1.0.1");
    let v6 = json!({"cidr": "2001:DB8::/64", "ip_version": 6, "gateway_ip": "fe80::1"});
    let v6 = subnet(&mut table, &network, v6);
    assert_eq!(v6.allocation_pools[0].start.to_string(), "2001:db8::1");
}

#[test]
fn subnets_that_make_no_sense_are_refused() {
    let pool = |start: &str, end: &str| json!([{"start": start, "end": end}]);
    let many = |n: u8| -> Vec<String> { (0..n).map(|i| format!("198.51.100.{i}")).collect() };
    let routes = |n: u8| -> Vec<Value> {
        (0..n)
            .map(|i| json!({"destination": format!("10.9.{i}.0/24"), "nexthop": "10.0.0.9"}))
            .collect()
    };
    let net = "10.0.0.0/24";
    for (more, status, error) in [
        (json!({}), 400, "BadRequest"),
        (json!({"cidr": null}), 400, "BadRequest"),
        (json!({"cidr": net, "prefixlen": 24}), 400, "BadRequest"),
        (json!({"cidr": net, "subnetpool_id": "prefix_delegation"}), 400, "BadRequest"),
        (json!({"prefixlen": 24}), 400, "BadRequest"),
        (json!({"cidr": "0.0.0.0/0"}), 400, "InvalidInput"),
        (json!({"cidr": "0.0.0.0/8"}), 400, "InvalidInput"),
        (json!({"cidr": "127.0.0.0/8"}), 400, "InvalidInput"),
        (json!({"cidr": "224.0.0.0/8"}), 400, "InvalidInput"),
        (json!({"cidr": "10.0.0.0/31"}), 400, "InvalidInput"),
        (json!({"cidr": "2001:db8::/64"}), 400, "InvalidInput"),
        (json!({"cidr": net, "ip_version": 6}), 400, "InvalidInput"),
        (json!({"cidr": net, "gateway_ip": "10.0.0.0"}), 400, "InvalidInput"),
        (json!({"cidr": net, "gateway_ip": "10.0.0.255"}), 400, "InvalidInput"),
        (json!({"cidr": net, "gateway_ip": "10.0.1.1"}), 400, "InvalidInput"),
        (json!({"cidr": net, "gateway_ip": "2001:db8::1"}), 400, "InvalidInput"),
        (
            json!({"cidr": net, "allocation_pools": pool("10.0.0.1", "10.0.0.9")}),
            409,
            "GatewayConflictWithAllocationPools",
        ),
        (
            json!({"cidr": net, "allocation_pools": pool("10.0.0.9", "10.0.1.9")}),
            400,
            "OutOfBoundsAllocationPool",
        ),
        (
            json!({"cidr": net, "allocation_pools": pool("10.0.0.9", "10.0.0.8")}),
            400,
            "InvalidAllocationPool",
        ),
        (json!({"cidr": net, "dns_nameservers": many(6)}), 400, "DNSNameServersExhausted"),
        (
            json!({"cidr": net, "dns_nameservers": ["198.51.100.1", "198.51.100.1"]}),
            400,
            "HTTPBadRequest",
        ),
        (json!({"cidr": net, "dns_nameservers": ["2001:db8::1"]}), 400, "InvalidInput"),
        (json!({"cidr": net, "host_routes": routes(21)}), 400, "HostRoutesExhausted"),
        (
            json!({"cidr": net, "host_routes": [{"destination": "10.9.0.0/24", "nexthop": "2001:db8::1"}]}),
            400,
            "InvalidInput",
        ),
        (json!({"cidr": net, "ipv6_ra_mode": "slaac"}), 400, "InvalidInput"),
    ] {
        let (mut table, network) = table();
        let refusal = table.create::<Subnet>(body(&network, more.clone())).unwrap_err();
        assert_eq!((refusal.status(), refusal.type_name().as_str()), (status, error), "{more}");
    }
}

#[test]
fn ipv6_modes_go_together() {
    let v6 = |more: Value| {
        let (mut table, network) = table();
        let mut wanted = json!({"ip_version": 6, "cidr": "2001:db8::/64"});
        wanted.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        table.create::<Subnet>(body(&network, wanted)).map_err(|refusal| refusal.type_name())
    };
    for bad in [
        json!({"ipv6_ra_mode": "slaac", "ipv6_address_mode": "dhcpv6-stateful"}),
        json!({"ipv6_address_mode": "slaac", "enable_dhcp": false}),
        json!({"ipv6_address_mode": "slaac", "cidr": "2001:db8::/65"}),
        json!({"ipv6_ra_mode": "dhcpv6-stateless", "cidr": "2001:db8::/63"}),
    ] {
        assert_eq!(v6(bad.clone()), Err("InvalidInput".to_owned()), "{bad}");
    }
    assert!(v6(json!({"ipv6_address_mode": "dhcpv6-stateful", "cidr": "2001:db8::/65"})).is_ok());
    assert!(v6(json!({"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"})).is_ok());
}

#[test]
fn subnets_of_one_network_do_not_overlap() {
    let (mut table, network) = table();
    subnet(&mut table, &network, json!({"cidr": "10.0.0.0/24"}));
    for cidr in ["10.0.0.0/24", "10.0.0.0/25", "10.0.0.0/16", "10.0.0.128/30"] {
        let refusal = table.create::<Subnet>(body(&network, json!({"cidr": cidr}))).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            format!(
                "Invalid input for operation: Requested subnet with cidr: {cidr} for network: {} \
                 overlaps with another subnet: 10.0.0.0/24.",
                network.id
            )
        );
    }
    subnet(&mut table, &network, json!({"cidr": "10.0.1.0/24"}));
    let other: Network = table.create(json!({})).unwrap();
    subnet(&mut table, &other, json!({"cidr": "10.0.0.0/24"}));
}

#[test]
fn a_network_that_is_not_seen_is_not_divided() {
    let (mut table, network) = table();
    let wanted = body(&network, json!({"cidr": "10.0.0.0/24"}));
    let refusal = table.as_project("q").create::<Subnet>(wanted.clone()).unwrap_err();
    assert_eq!((refusal.status(), refusal.type_name().as_str()), (404, "NetworkNotFound"));
    assert!(table.as_admin().create::<Subnet>(wanted).is_ok());
}

#[test]
fn a_gateway_changes_only_to_what_fits_and_while_no_router_holds_it() {
    let (mut table, network) = table();
    let made = subnet(&mut table, &network, json!({"cidr": "10.0.0.0/24"}));
    let change = |table: &mut Session, gateway: Value| {
        table
            .update::<Subnet>(made.id, json!({"gateway_ip": gateway}))
            .map_err(|refusal| refusal.type_name())
    };
    let conflict = "GatewayConflictWithAllocationPools".to_owned();
    assert_eq!(change(&mut table, json!("10.0.0.9")), Err(conflict));
    assert_eq!(change(&mut table, json!("10.0.1.9")), Err("InvalidInput".to_owned()));
    let pools = json!([{"start": "10.0.0.100", "end": "10.0.0.200"}]);
    let update = json!({"gateway_ip": "10.0.0.9", "allocation_pools": pools});
    table.update::<Subnet>(made.id, update).unwrap();

    let router = navigator_model::RouterId(uuid::Uuid::from_u128(7));
    let mut holder: Port = table
        .create(json!({
            "network_id": network.id.to_string(),
            "fixed_ips": [{"ip_address": "10.0.0.9"}],
        }))
        .unwrap();
    holder.device_owner = port::ROUTER_INTERFACE_OWNER.into();
    holder.device_id = router.to_string().as_str().into();
    table.put(&holder);
    assert_eq!(change(&mut table, Value::Null), Err("GatewayIpInUse".to_owned()));
    // A router that only has its way out here takes another one.
    holder.device_owner = port::ROUTER_GATEWAY_OWNER.into();
    table.put(&holder);
    assert!(change(&mut table, json!("10.0.0.10")).is_ok());
    assert!(table.touched.contains(&(Scope::Router(router), ObjectKey::Router(router))));
}

#[test]
fn only_what_an_agent_renders_wakes_it() {
    let (mut table, network) = table();
    let made = subnet(&mut table, &network, json!({"cidr": "10.0.0.0/24"}));
    let pools = json!([{"start": "10.0.0.100", "end": "10.0.0.200"}]);
    for quiet in [json!({"name": "b"}), json!({ "allocation_pools": pools })] {
        table.update::<Subnet>(made.id, quiet.clone()).unwrap();
        assert!(table.touched.is_empty(), "{quiet}");
    }
    let route = json!({"destination": "10.9.0.0/24", "nexthop": "10.0.0.9"});
    for loud in [
        json!({"dns_nameservers": ["198.51.100.1"]}),
        json!({ "host_routes": [route] }),
        json!({"enable_dhcp": false}),
        json!({"gateway_ip": null}),
    ] {
        table.update::<Subnet>(made.id, loud.clone()).unwrap();
        assert_eq!(table.touched.len(), 1, "{loud}");
    }
}

#[test]
fn a_subnet_goes_when_only_the_service_itself_has_addresses() {
    let (mut table, network) = table();
    table.put(&crate::registry::agent::tests::agent("DHCP agent", "h"));
    let made = subnet(&mut table, &network, json!({"cidr": "10.0.0.0/24"}));
    let port: Port = table.create(json!({"network_id": network.id.to_string()})).unwrap();
    let refusal = table.delete::<Subnet>(made.id).unwrap_err();
    assert_eq!(
        (refusal.status(), refusal.to_string()),
        (
            409,
            format!(
                "Unable to complete operation on subnet {}: One or more ports have an IP \
                 allocation from this subnet.",
                made.id
            )
        )
    );
    table.delete::<Port>(port.id).unwrap();
    table.delete::<Subnet>(made.id).unwrap();
    assert!(table.addresses.is_empty() && table.list::<Port>().is_empty());
}

#[test]
fn addresses_that_hosts_make_themselves_come_and_go_with_the_subnet() {
    let (mut table, network) = table();
    subnet(&mut table, &network, json!({"cidr": "10.0.0.0/24"}));
    let port: Port = table
        .as_admin()
        .create(json!({
            "network_id": network.id.to_string(), "mac_address": "fa:16:3e:00:00:01",
        }))
        .unwrap();
    let v6 = json!({
        "cidr": "2001:db8::/64", "ip_version": 6,
        "ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac",
    });
    let made = subnet(&mut table, &network, v6);
    let addresses = |table: &Session| -> Vec<String> {
        let port = table.get::<Port>(port.id).unwrap();
        port.fixed_ips.iter().map(|f| f.ip_address.to_string()).collect()
    };
    assert_eq!(addresses(&table), ["10.0.0.2", "2001:db8::f816:3eff:fe00:1"]);
    table.delete::<Subnet>(made.id).unwrap();
    assert_eq!(addresses(&table), ["10.0.0.2"]);
    assert_eq!(table.addresses.len(), 1);
}
