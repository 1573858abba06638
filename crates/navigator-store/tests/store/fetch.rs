//! What agents fetch: complete scopes, differences that add up to them, and when a scope is gone.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use navigator_model::{
    Fetched, HostName, Object, ObjectKey, Revision, RouterId, Scope, Snapshot,
    snapshot::{ForwardAddress, Segment, SourceNat},
};
use navigator_resources::{
    Agent, FloatingIp, GatewayPortForwarding, Network, Port, PortForwarding, Resource, Router,
    Settings, Subnet, Write, Writes, facts::AddressChoice,
};
use navigator_store::Store;
use serde_json::json;

use crate::{
    database::Database,
    world::{NOW, caller, commit, id, insertion, overwrite, row, touch},
};

on_both! {
    a_host_is_told_what_it_serves,
    a_router_comes_with_its_devices_floating_ips_and_forwards,
    a_network_comes_with_its_subnets_and_ports,
    a_scope_that_is_not_served_here_is_gone,
    differences_add_up_to_the_whole,
    a_revision_beyond_the_horizon_gets_everything,
    forwards_come_again_only_when_the_router_becomes_or_ceases_to_be_a_gateway,
    one_change_of_very_many_forwards_is_found_quickly,
}

const NETWORK: u32 = 1;
const EXTERNAL: u32 = 2;
const SUBNET: u32 = 3;
const OTHER_SUBNET: u32 = 4;
const EXTERNAL_SUBNET: u32 = 5;
const ROUTER: u32 = 6;
const INTERFACE: u32 = 7;
const GATEWAY: u32 = 8;
const INSTANCE: u32 = 9;
const FLOATING_PORT: u32 = 10;

fn router_scope() -> Scope {
    Scope::Router(id(ROUTER).parse().unwrap())
}

fn network_scope() -> Scope {
    Scope::Network(id(NETWORK).parse().unwrap())
}

fn host() -> HostName {
    "h1".into()
}

fn network(n: u32, name: &str, vni: i64) -> Write {
    insertion::<Network>(&[
        ("id", id(n).into()),
        ("name", name.into()),
        ("network_type", "vxlan".into()),
        ("segmentation_id", vni.into()),
        ("mtu", 1450.into()),
        ("project_id", "p1".into()),
    ])
}

fn subnet(n: u32, network: u32, cidr: &str, gateway: &str) -> Write {
    insertion::<Subnet>(&[
        ("id", id(n).into()),
        ("network_id", id(network).into()),
        ("cidr", cidr.into()),
        ("gateway_ip", gateway.into()),
        ("dns_nameservers", r#"["203.0.113.53"]"#.into()),
        ("host_routes", r#"[{"destination":"10.9.0.0/16","nexthop":"10.0.0.9"}]"#.into()),
    ])
}

struct NewPort<'a> {
    n: u32,
    network: u32,
    owner: &'a str,
    host: &'a str,
    /// Subnet and address.
    fixed_ips: &'a [(u32, &'a str)],
}

/// The port's row and its addresses in one transaction.
async fn port(store: &Store, new: NewPort<'_>) {
    let fixed_ips: Vec<_> = new
        .fixed_ips
        .iter()
        .map(|(subnet, address)| json!({"subnet_id": id(*subnet), "ip_address": address}))
        .collect();
    let device = if new.owner.starts_with("network:router") { id(ROUTER) } else { String::new() };
    let write = insertion::<Port>(&[
        ("id", id(new.n).into()),
        ("network_id", id(new.network).into()),
        ("mac_address", format!("fa:16:3e:00:00:{:02x}", new.n).into()),
        ("fixed_ips", json!(fixed_ips).to_string().into()),
        ("device_owner", new.owner.into()),
        ("device_id", device.into()),
        ("host_id", new.host.into()),
        (
            "extra_dhcp_opts",
            json!([{"opt_name": "mtu", "opt_value": "1400", "ip_version": 4}]).to_string().into(),
        ),
    ]);
    let (port, network) = (id(new.n).parse().unwrap(), id(new.network).parse().unwrap());
    let (caller, settings) = (caller(), Settings::default());
    let decided = store.decide(&caller, &settings, NOW, |facts, _| {
        for (subnet, address) in new.fixed_ips {
            let choice = AddressChoice::Exact(address.parse().unwrap());
            facts.allocate_address(id(*subnet).parse().unwrap(), network, port, choice)?;
        }
        Ok(((), Writes(vec![write.clone()])))
    });
    decided.await.unwrap();
}

fn floating_ip(n: u32, address: &str, fixed: Option<&str>) -> Write {
    let mut values = vec![
        ("id", id(n).into()),
        ("floating_ip_address", address.into()),
        ("floating_network_id", id(EXTERNAL).into()),
        ("floating_port_id", id(FLOATING_PORT).into()),
        ("router_id", id(ROUTER).into()),
        ("fixed_ip_address", fixed.map_or(navigator_resources::SqlValue::Null, Into::into)),
    ];
    if fixed.is_some() {
        values.push(("port_id", id(INSTANCE).into()));
    }
    insertion::<FloatingIp>(&values)
}

fn gateway_forward(n: u32, port: u32, internal: &str) -> navigator_resources::Row {
    row(
        GatewayPortForwarding::declaration(),
        &[
            ("id", id(n).into()),
            ("router_id", id(ROUTER).into()),
            ("external_port_range", format!("{port}:{port}").into()),
            ("internal_port_range", "80:80".into()),
            ("internal_ip_address", internal.into()),
            ("internal_port_id", id(INSTANCE).into()),
            ("protocol", "tcp".into()),
            ("source_nat", "never".into()),
            ("allowed_cidrs", r#"["203.0.113.0/24"]"#.into()),
        ],
    )
}

fn insert_forward(row: navigator_resources::Row) -> Write {
    Write::Insert { declaration: GatewayPortForwarding::declaration(), row, conflict: None }
}

fn forward_key(n: u32) -> ObjectKey {
    ObjectKey::GatewayPortForwarding(id(n).parse().unwrap())
}

/// A tenant network of two subnets behind a router with a gateway on host h1. The second subnet's
/// own gateway is somebody else.
async fn cloud(database: &Database) -> Store {
    let store = database.migrated().await;
    commit(
        &store,
        vec![
            network(NETWORK, "tenant", 100),
            network(EXTERNAL, "external", 200),
            subnet(SUBNET, NETWORK, "10.0.0.0/24", "10.0.0.1"),
            subnet(OTHER_SUBNET, NETWORK, "10.0.1.0/24", "10.0.1.254"),
            subnet(EXTERNAL_SUBNET, EXTERNAL, "198.51.100.0/24", "198.51.100.1"),
            insertion::<Agent>(&[
                ("id", id(90).into()),
                ("host", "h1".into()),
                ("agent_type", "Linux bridge agent".into()),
                ("configurations", r#"{"tunneling_ip":"192.0.2.1"}"#.into()),
            ]),
        ],
    )
    .await;
    let ports = [
        NewPort {
            n: INTERFACE,
            network: NETWORK,
            owner: "network:router_interface",
            host: "h1",
            fixed_ips: &[(SUBNET, "10.0.0.1"), (OTHER_SUBNET, "10.0.1.1")],
        },
        NewPort {
            n: GATEWAY,
            network: EXTERNAL,
            owner: "network:router_gateway",
            host: "h1",
            fixed_ips: &[(EXTERNAL_SUBNET, "198.51.100.2")],
        },
        NewPort {
            n: INSTANCE,
            network: NETWORK,
            owner: "compute:nova",
            host: "h2",
            fixed_ips: &[(SUBNET, "10.0.0.10"), (OTHER_SUBNET, "10.0.1.10")],
        },
        NewPort {
            n: FLOATING_PORT,
            network: EXTERNAL,
            owner: "network:floatingip",
            host: "",
            fixed_ips: &[(EXTERNAL_SUBNET, "198.51.100.3")],
        },
    ];
    for new in ports {
        port(&store, new).await;
    }
    commit(
        &store,
        vec![
            insertion::<Router>(&router_values(Some("h1"))),
            floating_ip(20, "198.51.100.3", Some("10.0.0.10")),
            floating_ip(21, "198.51.100.4", None),
            insert_forward(gateway_forward(30, 8080, "10.0.0.10")),
            insert_forward(gateway_forward(31, 8081, "10.0.1.10")),
            insertion::<PortForwarding>(&[
                ("id", id(40).into()),
                ("floatingip_id", id(21).into()),
                ("external_port_range", "1000:1010".into()),
                ("internal_port_range", "2000:2010".into()),
                ("internal_ip_address", "10.0.0.10".into()),
                ("internal_port_id", id(INSTANCE).into()),
                ("protocol", "udp".into()),
            ]),
            touch(router_scope(), ObjectKey::Router(id(ROUTER).parse().unwrap())),
            Write::TouchHosts,
        ],
    )
    .await;
    store
}

fn router_values(host: Option<&str>) -> Vec<(&'static str, navigator_resources::SqlValue)> {
    let host = host.map_or(navigator_resources::SqlValue::Null, Into::into);
    let info = json!({"network_id": id(EXTERNAL), "enable_snat": false, "external_fixed_ips": []});
    vec![
        ("id", id(ROUTER).into()),
        ("project_id", "p1".into()),
        ("l3_host", host),
        ("gw_port_id", id(GATEWAY).into()),
        ("external_gateway_info", info.to_string().into()),
        ("routes", r#"[{"destination":"10.7.0.0/16","nexthop":"10.0.0.7"}]"#.into()),
    ]
}

async fn snapshot(store: &Store, scope: &Scope) -> Snapshot {
    match store.fetch(&host(), scope, None).await.unwrap() {
        Fetched::Complete(snapshot) => snapshot,
        other => panic!("{other:?}"),
    }
}

async fn a_host_is_told_what_it_serves(database: &Database) {
    let store = cloud(database).await;
    let scope = Scope::Host(host());
    let told = snapshot(&store, &scope).await;
    let router: RouterId = id(ROUTER).parse().unwrap();
    assert_eq!(told.duties.routers, [router]);
    assert_eq!(told.duties.networks, [id(NETWORK).parse().unwrap(), id(EXTERNAL).parse().unwrap()]);
    assert!(told.duties.dhcp_networks.is_empty());
    let external = Scope::Network(id(EXTERNAL).parse().unwrap());
    let revisions = [
        (scope, Revision(1)),
        (Scope::Router(router), Revision(1)),
        (network_scope(), Revision(0)),
        (external, Revision(0)),
    ];
    assert_eq!(store.revisions(&host()).await.unwrap(), revisions);
}

async fn a_router_comes_with_its_devices_floating_ips_and_forwards(database: &Database) {
    let store = cloud(database).await;
    let told = snapshot(&store, &router_scope()).await;
    assert_eq!(told.objects.len(), 6);
    let router = told.router().unwrap();
    assert_eq!(router.interfaces.len(), 1);
    let interface = &router.interfaces[0];
    assert_eq!(interface.mtu, 1450);
    assert_eq!(
        interface.addresses,
        ["10.0.0.1/24".parse().unwrap(), "10.0.1.1/24".parse().unwrap()]
    );
    let gateway = router.gateway.as_ref().unwrap();
    assert_eq!(gateway.port.addresses, ["198.51.100.2/24".parse().unwrap()]);
    assert_eq!(gateway.next_hops, ["198.51.100.1".parse::<IpAddr>().unwrap()]);
    assert!(!gateway.enable_snat);
    assert_eq!(router.routes.len(), 1);
    let floating = |n: u32| match &told.objects[&ObjectKey::FloatingIp(id(n).parse().unwrap())] {
        Object::FloatingIp(floating_ip) => floating_ip.fixed_ip,
        other => panic!("{other:?}"),
    };
    assert_eq!(floating(20), Some("10.0.0.10".parse().unwrap()));
    assert_eq!(floating(21), None);
    let forward = |key| match &told.objects[&key] {
        Object::Forward(forward) => forward.clone(),
        other => panic!("{other:?}"),
    };
    let first = forward(forward_key(30));
    assert_eq!(first.external, ForwardAddress::Gateway);
    assert_eq!(first.source_nat, SourceNat::Never);
    assert_eq!(first.allowed_cidrs, ["203.0.113.0/24".parse().unwrap()]);
    assert!(!first.foreign_gateway);
    assert!(forward(forward_key(31)).foreign_gateway, "its subnet's gateway is another router");
    let floating = forward(ObjectKey::PortForwarding(id(40).parse().unwrap()));
    assert_eq!(floating.external, ForwardAddress::FloatingIp("198.51.100.4".parse().unwrap()));
    assert_eq!(floating.internal_ports, "2000:2010".parse().unwrap());
}

async fn a_network_comes_with_its_subnets_and_ports(database: &Database) {
    let store = cloud(database).await;
    let told = snapshot(&store, &network_scope()).await;
    assert_eq!(told.objects.len(), 3);
    let network = told.network().unwrap();
    assert_eq!(network.segment, Segment::Vxlan { segmentation_id: 100 });
    assert_eq!(network.subnets.len(), 2);
    assert_eq!(network.subnets[0].host_routes.len(), 1);
    let port = |n: u32| match &told.objects[&ObjectKey::Port(id(n).parse().unwrap())] {
        Object::Port(port) => port.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(port(INTERFACE).host, Some(host()));
    assert_eq!(port(INTERFACE).tunnel_ip, Some("192.0.2.1".parse().unwrap()));
    assert_eq!(port(INSTANCE).tunnel_ip, None, "its host has no agent");
    assert_eq!(port(INSTANCE).fixed_ips.len(), 2);
    assert_eq!(port(INSTANCE).extra_dhcp_opts[0].value, "1400");
}

async fn a_scope_that_is_not_served_here_is_gone(database: &Database) {
    let store = cloud(database).await;
    let answer = store.fetch(&"h2".into(), &router_scope(), None).await.unwrap();
    assert_eq!(answer, Fetched::Gone { scope: router_scope(), revision: Revision(1) });
    let answer = store.fetch(&"h3".into(), &network_scope(), Some(Revision(0))).await.unwrap();
    assert_eq!(answer, Fetched::Gone { scope: network_scope(), revision: Revision(0) });
    let nowhere = Scope::Router(id(99).parse().unwrap());
    let answer = store.fetch(&host(), &nowhere, None).await.unwrap();
    assert_eq!(answer, Fetched::Gone { scope: nowhere, revision: Revision(0) });
    let declaration = Router::declaration();
    let row = row(declaration, &router_values(None));
    commit(&store, vec![Write::Update { declaration, id: id(ROUTER), row }]).await;
    let answer = store.fetch(&host(), &router_scope(), Some(Revision(1))).await.unwrap();
    assert!(matches!(answer, Fetched::Gone { .. }), "unscheduled: {answer:?}");
}

/// A small generator: the same steps in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        u32::try_from(self.0 >> 33).unwrap() % sides
    }
}

async fn differences_add_up_to_the_whole(database: &Database) {
    let store = cloud(database).await;
    let mut held =
        [snapshot(&store, &router_scope()).await, snapshot(&store, &network_scope()).await];
    let mut dice = Dice(7);
    let mut live: Vec<u32> = vec![30, 31];
    for step in 0..80_u32 {
        let writes = random_change(&mut dice, &mut live, step);
        commit(&store, writes).await;
        // Sometimes several changes go by before the agent looks.
        if dice.roll(3) == 0 {
            continue;
        }
        for held in &mut held {
            let answer = store.fetch(&host(), &held.scope, Some(held.revision)).await.unwrap();
            let Fetched::Changes { revision, objects, .. } = answer else { panic!("{answer:?}") };
            held.apply(revision, objects);
            assert_eq!(*held, snapshot(&store, &held.scope).await, "step {step}");
        }
    }
}

fn random_change(dice: &mut Dice, live: &mut Vec<u32>, step: u32) -> Vec<Write> {
    let declaration = GatewayPortForwarding::declaration();
    let address = if dice.roll(2) == 0 { "10.0.0.10" } else { "10.0.1.10" };
    let chosen = dice.roll(6);
    let network = ObjectKey::Network(id(NETWORK).parse().unwrap());
    match chosen {
        0 | 1 => {
            let n = 1000 + step;
            live.push(n);
            let row = gateway_forward(n, 9000 + step, address);
            vec![insert_forward(row), touch(router_scope(), forward_key(n))]
        }
        2 if !live.is_empty() => {
            let n = live.swap_remove(dice.roll(u32::try_from(live.len()).unwrap()) as usize);
            let delete = Write::Delete { declaration, id: id(n) };
            vec![delete, touch(router_scope(), forward_key(n))]
        }
        3 if !live.is_empty() => {
            let n = live[dice.roll(u32::try_from(live.len()).unwrap()) as usize];
            let row = gateway_forward(n, 20_000 + step, address);
            vec![overwrite(declaration, row), touch(router_scope(), forward_key(n))]
        }
        // The gateway of a subnet changes, and with it what its forwards' gateway is.
        4 => {
            let gateway = if dice.roll(2) == 0 { "10.0.1.1" } else { "10.0.1.254" };
            let update = other_subnet_with_gateway(gateway);
            vec![update, touch(network_scope(), network), touch(router_scope(), router_key())]
        }
        _ => {
            let n = 5000 + step;
            let new = insertion::<Port>(&[
                ("id", id(n).into()),
                ("network_id", id(NETWORK).into()),
                ("mac_address", format!("fa:16:3e:01:00:{step:02x}").into()),
                ("host_id", if dice.roll(2) == 0 { "h1" } else { "" }.into()),
            ]);
            vec![new, touch(network_scope(), ObjectKey::Port(id(n).parse().unwrap()))]
        }
    }
}

fn router_key() -> ObjectKey {
    ObjectKey::Router(id(ROUTER).parse().unwrap())
}

fn other_subnet_with_gateway(gateway: &str) -> Write {
    let write = subnet(OTHER_SUBNET, NETWORK, "10.0.1.0/24", gateway);
    let Write::Insert { row, declaration, .. } = write else { panic!() };
    overwrite(declaration, row)
}

async fn forwards_come_again_only_when_the_router_becomes_or_ceases_to_be_a_gateway(
    database: &Database,
) {
    let store = cloud(database).await;
    let steps = [("10.0.1.254", 1), ("10.0.1.1", 4), ("10.0.1.1", 1), ("10.0.1.253", 4)];
    let mut since = Revision(1);
    for (gateway, expected) in steps {
        let change = other_subnet_with_gateway(gateway);
        commit(&store, vec![change, touch(router_scope(), router_key())]).await;
        let answer = store.fetch(&host(), &router_scope(), Some(since)).await.unwrap();
        let Fetched::Changes { revision, objects, .. } = answer else { panic!("{answer:?}") };
        assert_eq!(objects.len(), expected, "gateway {gateway}");
        since = revision;
    }
}

async fn one_change_of_very_many_forwards_is_found_quickly(database: &Database) {
    const COUNT: u32 = 50_000;
    let store = cloud(database).await;
    for start in (0..COUNT).step_by(10_000) {
        let writes = (start..start + 10_000)
            .map(|n| insert_forward(gateway_forward(100_000 + n, 1 + n, "10.0.0.10")));
        commit(&store, writes.collect()).await;
    }
    let touched = vec![touch(router_scope(), forward_key(100_000 + COUNT / 2))];
    let reached = commit(&store, touched).await;
    let since = Some(Revision(reached[0].1.0 - 1));
    let mut shortest = Duration::MAX;
    for _ in 0..20 {
        let start = Instant::now();
        let answer = store.fetch(&host(), &router_scope(), since).await.unwrap();
        shortest = shortest.min(start.elapsed());
        let Fetched::Changes { objects, .. } = answer else { panic!("{answer:?}") };
        assert_eq!(objects.len(), 1);
    }
    // All of them would take a second.
    assert!(shortest < Duration::from_millis(100), "{shortest:?}");
}

async fn a_revision_beyond_the_horizon_gets_everything(database: &Database) {
    let store = cloud(database).await;
    let jump = "UPDATE scopes SET revision = 10999 WHERE name LIKE 'router/%'";
    database.execute(jump).await;
    let reached = commit(&store, vec![touch(router_scope(), forward_key(30))]).await;
    assert_eq!(reached, [(router_scope(), Revision(11_000))]);
    let fetch =
        async |since| store.fetch(&host(), &router_scope(), Some(Revision(since))).await.unwrap();
    // What changed at revision 1 is no longer known apart.
    assert!(matches!(fetch(999).await, Fetched::Complete(_)));
    let Fetched::Changes { objects, .. } = fetch(1000).await else { panic!() };
    assert_eq!(objects.len(), 1);
    let Fetched::Changes { objects, .. } = fetch(11_000).await else { panic!() };
    assert!(objects.is_empty());
    // From a database that has been restored since.
    assert!(matches!(fetch(11_001).await, Fetched::Complete(_)));
}
