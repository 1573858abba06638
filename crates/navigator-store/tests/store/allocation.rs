//! Addresses, segmentation ids and external ports: the database decides who gets which.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv6Addr},
};

use futures::future::join_all;
use navigator_model::{L4Port, L4PortRange, NetworkId, PortId, Protocol, SubnetId};
use navigator_resources::{
    Context, Facts, Network, Port, Settings, Stop, Subnet, Write, Writes,
    facts::{AddressChoice, SegmentChoice},
};
use navigator_store::{DecideError, Store};

use crate::{
    database::Database,
    world::{NOW, caller, commit, id, insertion, refusal, try_commit},
};

on_both! {
    racing_ports_get_each_address_once_and_then_none,
    an_address_in_use_is_not_given_again_until_it_is_released,
    a_large_pool_needs_no_search,
    a_subnet_in_use_cannot_go,
    segmentation_ids_are_given_once_and_then_none,
    racing_claims_never_overlap,
}

fn network() -> NetworkId {
    id(1).parse().unwrap()
}

fn subnet() -> SubnetId {
    id(2).parse().unwrap()
}

async fn one_subnet(database: &Database) -> Store {
    let store = database.migrated().await;
    let network = insertion::<Network>(&[("id", id(1).into())]);
    let subnet = insertion::<Subnet>(&[("id", id(2).into()), ("network_id", id(1).into())]);
    commit(&store, vec![network, subnet]).await;
    store
}

/// A port with one address, if there is one.
fn port(
    facts: &Facts,
    context: &Context<'_>,
    choice: &AddressChoice,
) -> Result<(Option<(PortId, IpAddr)>, Writes), Stop> {
    let port = PortId(context.uuid("port"));
    let address = facts.allocate_address(subnet(), network(), port, choice.clone())?;
    let Some(address) = address else { return Ok((None, Writes::new())) };
    let write = insertion::<Port>(&[
        ("id", port.to_string().into()),
        ("network_id", id(1).into()),
        ("mac_address", port.to_string().into()),
    ]);
    Ok((Some((port, address)), Writes(vec![write])))
}

async fn make_port(store: &Store, choice: &AddressChoice) -> Option<(PortId, IpAddr)> {
    let decide = |facts: &Facts, context: &Context<'_>| port(facts, context, choice);
    store.decide(&caller(), &Settings::default(), NOW, decide).await.unwrap().0
}

fn any(first: &str, last: &str) -> AddressChoice {
    AddressChoice::Any(vec![(first.parse().unwrap(), last.parse().unwrap())])
}

async fn racing_ports_get_each_address_once_and_then_none(database: &Database) {
    let store = one_subnet(database).await;
    let other = database.connect().await;
    // A /24 without its gateway, in two pools.
    let (low, high) =
        (any("198.51.100.2", "198.51.100.99"), any("198.51.100.100", "198.51.100.254"));
    let (AddressChoice::Any(mut pools), AddressChoice::Any(more)) = (low, high) else { panic!() };
    pools.extend(more);
    let tasks = (0..270).map(|n| {
        let store = if n % 2 == 0 { store.clone() } else { other.clone() };
        let choice = AddressChoice::Any(pools.clone());
        tokio::spawn(async move { make_port(&store, &choice).await })
    });
    let made: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
    let given = made.iter().flatten().count();
    let different: BTreeSet<IpAddr> = made.iter().flatten().map(|made| made.1).collect();
    assert_eq!((given, different.len()), (253, 253));
}

async fn an_address_in_use_is_not_given_again_until_it_is_released(database: &Database) {
    let store = one_subnet(database).await;
    let address: IpAddr = "198.51.100.7".parse().unwrap();
    let exact = AddressChoice::Exact(address);
    let (port, given) = make_port(&store, &exact).await.unwrap();
    assert_eq!(given, address);
    assert_eq!(make_port(&store, &exact).await, None);
    commit(&store, vec![Write::ReleaseAddress { port_id: port, address: Some(address) }]).await;
    assert!(make_port(&store, &exact).await.is_some());
}

async fn a_large_pool_needs_no_search(database: &Database) {
    let store = one_subnet(database).await;
    let pool = any("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff");
    let (_, given) = make_port(&store, &pool).await.unwrap();
    let IpAddr::V6(given) = given else { panic!("{given}") };
    let prefix: Ipv6Addr = "2001:db8::".parse().unwrap();
    assert_eq!(given.segments()[..4], prefix.segments()[..4]);
}

async fn a_subnet_in_use_cannot_go(database: &Database) {
    let store = one_subnet(database).await;
    make_port(&store, &any("198.51.100.2", "198.51.100.254")).await.unwrap();
    let declaration = <Subnet as navigator_resources::Resource>::declaration();
    let answer = try_commit(&store, vec![Write::Delete { declaration, id: id(2) }]).await;
    assert!(matches!(answer, Err(DecideError::Store(_))), "{answer:?}");
}

async fn segmentation_ids_are_given_once_and_then_none(database: &Database) {
    let store = database.migrated().await;
    let tasks = (0..30).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            let decide = |facts: &Facts, context: &Context<'_>| {
                let network = NetworkId(context.uuid("network"));
                let choice = if n == 0 {
                    SegmentChoice::Exact(105)
                } else {
                    SegmentChoice::Any(vec![(101, 110), (111, 120)])
                };
                Ok((facts.allocate_segment(network, "vxlan", None, choice)?, Writes::new()))
            };
            store.decide(&caller(), &Settings::default(), NOW, decide).await.unwrap().0
        })
    });
    let given: Vec<_> = join_all(tasks).await.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(given.len(), 20);
    assert_eq!(given.iter().copied().collect::<BTreeSet<u32>>(), (101..=120).collect());
}

fn range(first: u16, last: u16) -> L4PortRange {
    L4PortRange::new(L4Port::new(first).unwrap(), L4Port::new(last).unwrap()).unwrap()
}

fn claim(ports: L4PortRange, owner: &str) -> Write {
    Write::ClaimPorts {
        holder: "router/1".to_owned(),
        protocol: Protocol::Tcp,
        ports,
        owner: owner.to_owned(),
        conflict: refusal(),
    }
}

async fn racing_claims_never_overlap(database: &Database) {
    let store = database.migrated().await;
    let other = database.connect().await;
    let tasks = (0..120_u16).map(|n| {
        let store = if n % 2 == 0 { store.clone() } else { other.clone() };
        let first = 1000 + n * 7 % 100;
        let ports = range(first, first + n % 9);
        tokio::spawn(async move {
            match try_commit(&store, vec![claim(ports, &n.to_string())]).await {
                Ok(_) => Some((n, ports)),
                Err(DecideError::Refused(refused)) if refused == refusal() => None,
                Err(error) => panic!("{error}"),
            }
        })
    });
    let won: Vec<_> = join_all(tasks).await.into_iter().filter_map(Result::unwrap).collect();
    assert!(won.len() > 10);
    for (index, (_, ports)) in won.iter().enumerate() {
        assert!(won[index + 1..].iter().all(|(_, other)| !ports.overlaps(*other)));
    }
    // The whole span is taken until each owner lets go, and free then.
    assert!(try_commit(&store, vec![claim(range(1000, 1110), "all")]).await.is_err());
    let releases = won.iter().map(|(n, _)| Write::ReleasePorts { owner: n.to_string() });
    commit(&store, releases.collect()).await;
    commit(&store, vec![claim(range(1, 65535), "all")]).await;
}
