//! Whatever is asked for, in whatever order: the addresses that are taken are exactly those that
//! ports show.

use std::collections::BTreeSet;

use navigator_model::SubnetId;
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::registry::agent::tests::agent;

/// A request; numbers choose among what there is at the moment.
#[derive(Clone, Debug)]
enum Ask {
    Port { fixed_ips: Option<Vec<Item>> },
    Addresses { port: usize, fixed_ips: Vec<Item> },
    Mac { port: usize },
    DeletePort { port: usize },
    Subnet { third: u8, dhcp: bool },
    AutoSubnet { fourth: u8 },
    Dhcp { subnet: usize, on: bool },
    DeleteSubnet { subnet: usize },
}

#[derive(Clone, Debug)]
enum Item {
    Of(usize),
    Exactly { third: u8, last: u8 },
}

fn item() -> impl Strategy<Value = Item> {
    prop_oneof![
        (0usize..4).prop_map(Item::Of),
        (0u8..3, 0u8..8).prop_map(|(third, last)| Item::Exactly { third, last }),
    ]
}

fn ask() -> impl Strategy<Value = Ask> {
    let index = 0usize..6;
    prop_oneof![
        4 => proptest::option::of(vec(item(), 0..4)).prop_map(|fixed_ips| Ask::Port { fixed_ips }),
        4 => (index.clone(), vec(item(), 0..4))
            .prop_map(|(port, fixed_ips)| Ask::Addresses { port, fixed_ips }),
        1 => index.clone().prop_map(|port| Ask::Mac { port }),
        2 => index.clone().prop_map(|port| Ask::DeletePort { port }),
        2 => (0u8..3, any::<bool>()).prop_map(|(third, dhcp)| Ask::Subnet { third, dhcp }),
        1 => (0u8..2).prop_map(|fourth| Ask::AutoSubnet { fourth }),
        2 => (index.clone(), any::<bool>()).prop_map(|(subnet, on)| Ask::Dhcp { subnet, on }),
        1 => index.prop_map(|subnet| Ask::DeleteSubnet { subnet }),
    ]
}

fn pick<T: Clone>(all: &[T], index: usize) -> Option<T> {
    (!all.is_empty()).then(|| all[index % all.len()].clone())
}

fn items(table: &Session, items: &[Item]) -> Value {
    let subnets = table.list::<Subnet>();
    let shown = items.iter().map(|item| match item {
        Item::Of(index) => match pick(&subnets, *index) {
            Some(subnet) => json!({"subnet_id": subnet.id.to_string()}),
            None => json!({}),
        },
        Item::Exactly { third, last } => json!({"ip_address": format!("10.0.{third}.{last}")}),
    });
    shown.collect()
}

/// Does what is asked; a refusal is an answer like any other.
fn run(table: &mut Session, network: &Network, ask: &Ask) {
    let (mut ports, subnets) = (table.list::<Port>(), table.list::<Subnet>());
    // The owner may give a server other addresses; then it is not where DHCP is on.
    ports.retain(|port| port.device_owner.0 != DHCP_OWNER);
    let update = |table: &mut Session, port: &usize, change: Value| {
        if let Some(port) = pick(&ports, *port) {
            drop(table.update::<Port>(port.id, change));
        }
    };
    match ask {
        Ask::Port { fixed_ips: None } => drop(table.create::<Port>(body(network, json!({})))),
        Ask::Port { fixed_ips: Some(wanted) } => {
            let wanted = items(table, wanted);
            drop(table.create::<Port>(body(network, json!({ "fixed_ips": wanted }))));
        }
        Ask::Addresses { port, fixed_ips } => {
            let wanted = items(table, fixed_ips);
            update(table, port, json!({ "fixed_ips": wanted }));
        }
        Ask::Mac { port } => update(table, port, json!({ "mac_address": null })),
        Ask::DeletePort { port } => {
            if let Some(port) = pick(&ports, *port) {
                drop(table.delete::<Port>(port.id));
            }
        }
        Ask::Subnet { third, dhcp } => {
            let cidr = format!("10.0.{third}.0/29");
            let more = json!({"ip_version": 4, "cidr": cidr, "enable_dhcp": dhcp});
            drop(table.create::<Subnet>(body(network, more)));
        }
        Ask::AutoSubnet { fourth } => {
            let more = json!({
                "ip_version": 6, "cidr": format!("2001:db8:0:{fourth}::/64"),
                "ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac",
            });
            drop(table.create::<Subnet>(body(network, more)));
        }
        Ask::Dhcp { subnet, on } => {
            if let Some(subnet) = pick(&subnets, *subnet) {
                drop(table.update::<Subnet>(subnet.id, json!({ "enable_dhcp": on })));
            }
        }
        Ask::DeleteSubnet { subnet } => {
            if let Some(subnet) = pick(&subnets, *subnet) {
                drop(table.delete::<Subnet>(subnet.id));
            }
        }
    }
}

fn check(table: &Session) -> Result<(), TestCaseError> {
    let subnets = table.list::<Subnet>();
    let mut shown = BTreeSet::new();
    for port in table.list::<Port>() {
        for fixed_ip in &port.fixed_ips {
            let subnet = subnets.iter().find(|subnet| subnet.id == fixed_ip.subnet_id);
            prop_assert!(subnet.is_some_and(|subnet| subnet.has_host(fixed_ip.ip_address)));
            let key = (fixed_ip.subnet_id.to_string(), fixed_ip.ip_address);
            prop_assert!(shown.insert((key, port.id.to_string())), "shown twice");
        }
    }
    let taken: BTreeSet<_> =
        table.addresses.iter().map(|(key, holder)| (key.clone(), holder.clone())).collect();
    prop_assert_eq!(taken, shown);
    check_dhcp(table, &subnets)
}

/// One server, exactly where DHCP is on.
fn check_dhcp(table: &Session, subnets: &[Subnet]) -> Result<(), TestCaseError> {
    let servers: Vec<Port> =
        table.list::<Port>().into_iter().filter(|p| p.device_owner.0 == DHCP_OWNER).collect();
    let on: BTreeSet<SubnetId> =
        subnets.iter().filter(|subnet| subnet.enable_dhcp).map(|subnet| subnet.id).collect();
    prop_assert!(servers.len() <= 1);
    for server in servers {
        let served: BTreeSet<SubnetId> = server.fixed_ips.iter().map(|f| f.subnet_id).collect();
        prop_assert!(served.is_subset(&on));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_addresses_taken_are_those_that_ports_show(asks in vec(ask(), 1..30)) {
        let mut table = Session::new();
        table.put(&agent("DHCP agent", "h"));
        let network: Network = table.create(json!({})).unwrap();
        for ask in &asks {
            run(&mut table, &network, ask);
            check(&table)?;
        }
        for port in table.list::<Port>() {
            table.delete::<Port>(port.id).unwrap();
        }
        prop_assert!(table.addresses.is_empty());
        prop_assert!(table.delete::<Network>(network.id).is_ok());
    }
}
