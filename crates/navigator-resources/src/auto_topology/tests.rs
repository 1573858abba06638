//! Topologies, as wishes and what is there afterwards.

use super::*;
use crate::{
    Port,
    world::{Session, refusal, refused},
};

fn project() -> ProjectId {
    ProjectId::from("p")
}

/// An external network and default pools of these prefixes.
fn table(prefixes: &[&str]) -> Session {
    let mut table = Session::new();
    let outside = json!({"name": "outside", "router:external": true, "is_default": true});
    let outside: Network = table.create(outside).unwrap();
    let subnet = json!({"network_id": outside.id.to_string(), "ip_version": 4,
        "cidr": "203.0.113.0/24", "enable_dhcp": false});
    table.create::<Subnet>(subnet).unwrap();
    for prefix in prefixes {
        let length = if prefix.contains(':') { 64 } else { 26 };
        let pool = json!({"name": "pool", "prefixes": [prefix], "is_default": true,
            "shared": true, "default_prefixlen": length});
        table.create::<SubnetPool>(pool).unwrap();
    }
    table.as_project("p");
    table
}

/// As the store does it, but that what a refused step's predecessors made stays.
fn get(table: &mut Session) -> Result<NetworkId, Refusal> {
    let mut topology = Topology::default();
    for step in 0..STEPS {
        table.decide(|facts, context| {
            topology.step(step, &project(), facts, context).map(|writes| ((), writes))
        })?;
    }
    Ok(topology.network().unwrap())
}

fn remove(table: &mut Session) -> Result<(), Refusal> {
    (0..DELETION_STEPS).try_for_each(|step| {
        table.decide(|facts, context| {
            delete(step, &project(), facts, context).map(|writes| ((), writes))
        })
    })
}

#[test]
fn a_topology_has_a_subnet_of_each_default_pool_and_leads_out() {
    let mut table = table(&["10.0.0.0/16", "2001:db8::/48"]);
    let id = get(&mut table).unwrap();
    let network = table.get::<Network>(id).unwrap();
    assert_eq!(network.name.0, "auto_allocated_network");
    assert!(network.admin_state_up && network.auto_allocated);
    let subnets: Vec<Subnet> =
        table.list::<Subnet>().into_iter().filter(|s| s.network_id == id).collect();
    let mut shown: Vec<_> =
        subnets.iter().map(|s| (s.name.0.clone(), s.cidr.to_string())).collect();
    shown.sort();
    let expected = [
        ("auto_allocated_subnet_v4", "10.0.0.0/26"),
        ("auto_allocated_subnet_v6", "2001:db8::/64"),
    ];
    assert_eq!(shown, expected.map(|(name, cidr)| (name.to_owned(), cidr.to_owned())));
    let router = table.list::<Router>().remove(0);
    assert!(router.auto_allocated && router.gw_port_id.is_some());
    let interfaces = table.list::<Port>();
    let interfaces = interfaces.iter().filter(|port| port.device_id.0 == router.id.to_string());
    assert_eq!(interfaces.count(), 3);

    assert_eq!(get(&mut table).unwrap(), id);
    assert_eq!(table.list::<Router>().len(), 1);
}

#[test]
fn without_a_way_out_or_a_pool_there_is_no_topology() {
    let refusal_of = |table: &mut Session| {
        let made = get(table).unwrap_err();
        (made.status(), made.type_name(), made.to_string())
    };
    let failure = |reason: &str| {
        let message = format!("Deployment error: {reason}.");
        (409, "AutoAllocationFailure".to_owned(), message)
    };
    let mut without_pool = table(&[]);
    assert_eq!(refusal_of(&mut without_pool), failure("No default subnetpools defined"));
    let mut without_network = Session::new();
    assert_eq!(refusal_of(&mut without_network), failure("No default router:external network"));
    let mut full = table(&["10.0.0.0/26"]);
    full.as_admin();
    let other: Network = full.create(json!({})).unwrap();
    let taken = json!({"network_id": other.id.to_string(), "ip_version": 4,
        "use_default_subnetpool": true});
    full.create::<Subnet>(taken).unwrap();
    full.as_project("p");
    assert_eq!(refusal_of(&mut full), failure("Unable to provide tenant private network"));
}

#[test]
fn a_topology_goes_as_a_whole_unless_it_is_used() {
    let mut table = table(&["10.0.0.0/16"]);
    remove(&mut table).unwrap();
    let id = get(&mut table).unwrap();
    remove(&mut table).unwrap();
    assert!(table.get::<Network>(id).is_none());
    assert!(table.list::<Router>().is_empty() && table.list::<Subnet>().len() == 1);

    let again = get(&mut table).unwrap();
    table.create::<Port>(json!({"network_id": again.to_string()})).unwrap();
    assert_eq!(refusal(remove(&mut table)), refused(409, "NetworkInUse"));
}

#[test]
fn who_deleted_the_router_gets_a_new_topology_and_keeps_the_network() {
    let mut table = table(&["10.0.0.0/16"]);
    let first = get(&mut table).unwrap();
    (0..2).for_each(|step| {
        table
            .decide(|facts, context| {
                delete(step, &project(), facts, context).map(|writes| ((), writes))
            })
            .unwrap();
    });
    let second = get(&mut table).unwrap();
    assert_ne!(first, second);
    assert!(!table.get::<Network>(first).unwrap().auto_allocated);
}
