//! Which addresses a port gets, keeps and gives back.

use super::*;

fn ips(port: &Port) -> Vec<String> {
    port.fixed_ips.iter().map(|fixed_ip| fixed_ip.ip_address.to_string()).collect()
}

fn subnet(table: &mut Session, network: &Network, more: Value) -> Subnet {
    let mut wanted = json!({"ip_version": 4, "enable_dhcp": false});
    wanted.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    table.create(body(network, wanted)).unwrap()
}

fn slaac(table: &mut Session, network: &Network) -> Subnet {
    subnet(
        table,
        network,
        json!({
            "cidr": "2001:db8::/64", "ip_version": 6, "enable_dhcp": true,
            "ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac",
        }),
    )
}

#[test]
fn a_port_gets_one_address_of_each_family_and_those_it_makes_itself() {
    let (mut table, network) = table();
    subnet(&mut table, &network, json!({"cidr": "10.0.1.0/24"}));
    subnet(&mut table, &network, json!({"cidr": "2001:db8:1::/64", "ip_version": 6}));
    slaac(&mut table, &network);
    let wanted = json!({"mac_address": "02:00:00:00:00:01"});
    let made = port(table.as_admin(), &network, wanted);
    assert_eq!(made.fixed_ips.len(), 3);
    assert!(ips(&made).contains(&"2001:db8:1::2".to_owned()));
    assert_eq!(ips(&made)[2], "2001:db8::ff:fe00:1");
}

#[test]
fn the_wrong_address_is_refused_by_its_fault() {
    let (mut table, network) = table();
    let other: Network = table.create(json!({})).unwrap();
    let foreign = subnet(&mut table, &other, json!({"cidr": "10.7.0.0/24"})).id.to_string();
    let own = table.list::<Subnet>().into_iter().find(|s| s.network_id == network.id).unwrap();
    let own = own.id.to_string();
    port(&mut table, &network, json!({"fixed_ips": [{"ip_address": "10.0.0.50"}]}));
    for (fixed_ips, status, error) in [
        (json!([{"ip_address": "10.9.0.1"}]), 400, "InvalidIpForNetwork"),
        (json!([{"ip_address": "10.9.0.1", "subnet_id": own}]), 400, "InvalidIpForSubnet"),
        (json!([{"ip_address": "10.0.0.0"}]), 400, "InvalidIpForSubnet"),
        (json!([{"ip_address": "10.0.0.255", "subnet_id": own}]), 400, "InvalidIpForSubnet"),
        (json!([{"subnet_id": foreign}]), 400, "InvalidInput"),
        (json!([{}]), 400, "InvalidInput"),
        (json!([{"ip_address": "10.0.0.50"}]), 409, "IpAddressAlreadyAllocated"),
        (
            json!([{"ip_address": "10.0.0.51"}, {"ip_address": "10.0.0.51"}]),
            400,
            "HTTPBadRequest",
        ),
    ] {
        let wanted = body(&network, json!({ "fixed_ips": fixed_ips }));
        let refusal = table.create::<Port>(wanted).unwrap_err();
        assert_eq!(told(refusal), (status, error.to_owned()), "{fixed_ips}");
    }
}

#[test]
fn an_empty_list_is_no_address() {
    let (mut table, network) = table();
    slaac(&mut table, &network);
    assert_eq!(ips(&port(&mut table, &network, json!({"fixed_ips": []}))), Vec::<String>::new());
}

#[test]
fn several_addresses_of_one_subnet_are_several() {
    let (mut table, network) = table();
    let id = table.list::<Subnet>()[0].id.to_string();
    let items = json!([
        {"subnet_id": id}, {"ip_address": "10.0.0.2"}, {"subnet_id": id}, {"subnet_id": id},
    ]);
    let made = port(&mut table, &network, json!({ "fixed_ips": items }));
    assert_eq!(ips(&made), ["10.0.0.3", "10.0.0.2", "10.0.0.4", "10.0.0.5"]);
    assert_eq!(table.addresses.len(), 4);
}

#[test]
fn a_full_subnet_leaves_the_other_and_then_none() {
    let mut table = Session::new();
    let network: Network = table.create(json!({})).unwrap();
    for cidr in ["10.0.0.0/30", "10.0.1.0/30"] {
        subnet(&mut table, &network, json!({ "cidr": cidr }));
    }
    let got: Vec<Vec<String>> =
        (0..2).map(|_| ips(&port(&mut table, &network, json!({})))).collect();
    assert_ne!(got[0], got[1]);
    let refusal = table.create::<Port>(body(&network, json!({}))).unwrap_err();
    assert_eq!(refusal.to_string(), format!("No more IP addresses available on network {}.", network.id));
    assert_eq!(told(refusal), (409, "IpAddressGenerationFailure".to_owned()));
}

#[test]
fn an_update_keeps_what_it_names_and_gives_back_the_rest() {
    let (mut table, network) = table();
    let id = table.list::<Subnet>()[0].id.to_string();
    let items = json!([{"ip_address": "10.0.0.10"}, {"ip_address": "10.0.0.11"}]);
    let made = port(&mut table, &network, json!({ "fixed_ips": items }));
    let mut change = |fixed_ips: Value| -> Vec<String> {
        ips(&table.update::<Port>(made.id, json!({ "fixed_ips": fixed_ips })).unwrap())
    };
    assert_eq!(
        change(json!([{"ip_address": "10.0.0.12"}, {"ip_address": "10.0.0.11"}])),
        ["10.0.0.12", "10.0.0.11"]
    );
    // An unnamed one keeps what the port has of the subnet.
    assert_eq!(
        change(json!([{"subnet_id": id}, {"ip_address": "10.0.0.11"}])),
        ["10.0.0.12", "10.0.0.11"]
    );
    assert_eq!(change(json!([{"subnet_id": id}])), ["10.0.0.12"]);
    let held: Vec<String> = table.addresses.keys().map(|(_, ip)| ip.to_string()).collect();
    assert_eq!(held, ["10.0.0.12"]);
    let same = json!({"fixed_ips": [{"ip_address": "10.0.0.12", "subnet_id": id}]});
    table.update::<Port>(made.id, same).unwrap();
    assert!(table.touched.is_empty());
    table.delete::<Port>(made.id).unwrap();
    assert!(table.addresses.is_empty());
}

#[test]
fn addresses_made_of_the_mac_address_change_with_it_and_cannot_be_chosen() {
    let (mut table, network) = table();
    slaac(&mut table, &network);
    table.as_admin();
    let made = port(&mut table, &network, json!({"mac_address": "02:00:00:00:00:01"}));
    assert_eq!(ips(&made), ["10.0.0.2", "2001:db8::ff:fe00:1"]);
    let changed: Port =
        table.update(made.id, json!({"mac_address": "02:00:00:00:00:02"})).unwrap();
    assert_eq!(ips(&changed), ["10.0.0.2", "2001:db8::ff:fe00:2"]);
    assert_eq!(table.addresses.len(), 2);
    let refusal = table
        .update::<Port>(made.id, json!({"fixed_ips": [{"ip_address": "2001:db8::5"}]}))
        .unwrap_err();
    assert_eq!(told(refusal), (400, "AllocationOnAutoAddressSubnet".to_owned()));
    // Not named, it stays: the host makes it anyway.
    let kept: Port =
        table.update(made.id, json!({"fixed_ips": [{"ip_address": "10.0.0.9"}]})).unwrap();
    assert_eq!(ips(&kept), ["10.0.0.9", "2001:db8::ff:fe00:2"]);
}

#[test]
fn an_address_that_is_made_is_made_once_however_often_it_is_asked_for() {
    let (mut table, network) = table();
    let id = slaac(&mut table, &network).id.to_string();
    let twice = json!({"fixed_ips": [{"subnet_id": id}, {"subnet_id": id}]});
    assert_eq!(port(&mut table, &network, twice).fixed_ips.len(), 1);
}
