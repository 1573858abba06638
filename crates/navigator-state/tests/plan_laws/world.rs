//! A small world: few names, so that random states collide in interesting ways.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};

use ipnet::IpNet;
use navigator_model::{L4Port, L4PortRange, ObjectKey, Protocol, RouterId, Scope};
use navigator_state::{
    Desired, DesiredNamespace, FdbEntry, Link, LinkKind, Namespace, Process, Route,
    desired::BridgePort,
    nft::{self, DesiredElements, Element, layout},
    simulate::ModelKernel,
};
use proptest::{collection::vec, prelude::*};
use uuid::Uuid;

const ROUTER: RouterId = RouterId(Uuid::from_u128(1));
const DEVICES: [&str; 3] = ["qr-a", "qr-b", "qg-c"];

pub(crate) fn scope() -> Scope {
    Scope::Router(ROUTER)
}

fn named(n: u8) -> Namespace {
    Namespace::Named(format!("qrouter-{n}"))
}

/// Everything that one namespace may hold, chosen by small numbers.
pub(crate) fn arbitrary_desired() -> impl Strategy<Value = Desired> {
    let namespaces = vec(proptest::option::of(arbitrary_namespace()), 2);
    (namespaces, arbitrary_host(), arbitrary_children()).prop_map(|(namespaces, host, children)| {
        let mut desired = Desired::nothing(scope());
        for (n, namespace) in (0..).zip(namespaces) {
            let Some(mut namespace) = namespace else { continue };
            namespace.links = suffixed(namespace.links, n);
            desired.namespaces.insert(named(n), namespace);
        }
        desired.namespaces.insert(Namespace::Host, host);
        let (content, argument, running) = children;
        let path = PathBuf::from("/state/hosts");
        desired.files.extend(content.map(|content| (path, vec![content])));
        if running && let Some(namespace) = desired.namespaces.keys().last().cloned() {
            let argv = vec!["dnsmasq".into(), format!("--{argument}")];
            let (pid_file, loaded) = (PathBuf::from("/state/pid"), format!("{content:?}"));
            let process = Process { namespace, argv, pid_file, loaded };
            desired.processes.insert("dnsmasq".into(), process);
        }
        desired
    })
}

/// Peers live on the host: their names must differ between namespaces.
fn suffixed(links: BTreeMap<String, Link>, n: u8) -> BTreeMap<String, Link> {
    let rename = |(name, mut link): (String, Link)| {
        if let LinkKind::Veth { peer } = &mut link.kind {
            peer.push_str(&n.to_string());
        }
        (name, link)
    };
    links.into_iter().map(rename).collect()
}

fn arbitrary_children() -> impl Strategy<Value = (Option<u8>, u8, bool)> {
    (proptest::option::of(0..3u8), 0..2u8, any::<bool>())
}

fn arbitrary_link() -> impl Strategy<Value = Link> {
    (0..2u8, 0..2u32, prop::bool::weighted(0.8)).prop_map(|(peer, mtu, up)| Link {
        kind: LinkKind::Veth { peer: format!("tap{peer}") },
        mac_address: None,
        mtu: Some(1400 + mtu),
        up,
        master: None,
    })
}

fn arbitrary_namespace() -> impl Strategy<Value = DesiredNamespace> {
    let links = vec(proptest::option::of(arbitrary_link()), DEVICES.len());
    let addresses = vec(proptest::collection::btree_set(0..4u8, 0..3), DEVICES.len());
    let routes = vec((0..3u8, 0..3usize, 1..5u8), 0..3);
    let table = proptest::option::of(arbitrary_table());
    (links, addresses, routes, table, 0..3u8).prop_map(|(links, addresses, routes, nft, sysctl)| {
        let mut namespace = DesiredNamespace { nft, ..Default::default() };
        for ((device, link), addresses) in DEVICES.iter().zip(links).zip(addresses) {
            let Some(mut link) = link else { continue };
            // One host's end cannot be the end of two pairs.
            if let LinkKind::Veth { peer } = &mut link.kind {
                peer.push_str(device);
            }
            namespace.links.insert((*device).into(), link);
            let addresses = addresses.into_iter().map(address).collect();
            namespace.addresses.insert((*device).into(), addresses);
        }
        namespace.routes = valid_routes(&namespace, routes);
        namespace.sysctls.insert("net/ipv4/ip_forward".into(), sysctl.to_string());
        if namespace.links.contains_key("qr-a") {
            namespace.sysctls.insert("net/ipv4/conf/qr-a/proxy_arp".into(), "1".into());
        }
        namespace
    })
}

fn address(n: u8) -> IpNet {
    IpNet::new(IpAddr::V4(Ipv4Addr::new(10, 0, n / 2, 1 + n)), 24).unwrap()
}

fn valid_routes(namespace: &DesiredNamespace, picks: Vec<(u8, usize, u8)>) -> BTreeSet<Route> {
    let mut routes = BTreeMap::new();
    for (destination, device, hop) in picks {
        let device = DEVICES[device];
        let up = namespace.links.get(device).is_some_and(|link| link.up);
        let addresses = namespace.addresses.get(device).into_iter().flatten();
        let Some(net) = addresses.into_iter().next().filter(|_| up) else { continue };
        let IpAddr::V4(base) = net.network() else { continue };
        let via = IpAddr::V4(Ipv4Addr::from(u32::from(base) + 100 + u32::from(hop)));
        let destination: IpNet = match destination {
            0 => "0.0.0.0/0".parse().unwrap(),
            n => format!("172.16.{n}.0/24").parse().unwrap(),
        };
        let link = Some(device.to_owned());
        routes.insert(destination, Route { destination, via: Some(via), link, onlink: false });
    }
    routes.into_values().collect()
}

fn arbitrary_table() -> impl Strategy<Value = nft::Desired> {
    let elements = proptest::collection::btree_map(1..6u16, (1..4u8, 0..4u16), 0..4);
    (0..3u8, 4..7usize, elements).prop_map(|(rules, sets, elements)| {
        let object = ObjectKey::Router(ROUTER);
        let outside = Ipv4Addr::new(198, 51, 100, 7);
        let mut forwards = DesiredElements::new();
        let mut allowed = DesiredElements::new();
        let mut next_free = 1;
        for (port, (target, length)) in elements {
            let key = layout::endpoint(Protocol::Tcp, outside, port);
            let to = layout::target(Ipv4Addr::new(10, 0, 0, target), 80);
            forwards.insert(key, (to, object));
            let first = L4Port::new(port.max(next_free)).unwrap();
            let last = L4Port::new(first.get() + length).unwrap();
            let ports = L4PortRange::new(first, last).unwrap();
            next_free = last.get() + 1;
            let source = "203.0.113.0/24".parse().unwrap();
            let (key, element) = layout::allowance(Protocol::Tcp, outside, ports, source);
            allowed.insert(key, (element, object));
        }
        let mut contents = BTreeMap::new();
        for declared in layout::SETS.iter().take(sets) {
            contents.insert(declared.name.to_owned(), DesiredElements::new());
        }
        contents.insert(layout::FORWARDS.into(), forwards);
        if sets > 4 {
            contents.insert(layout::ALLOWED.into(), allowed);
        }
        nft::Desired { skeleton: skeleton(sets, rules), sets: contents }
    })
}

fn skeleton(sets: usize, rules: u8) -> String {
    let sets: Vec<_> = layout::SETS.iter().take(sets).map(ToString::to_string).collect();
    format!("table ip navigator {{\n{}\n\tchain c{rules} {{\n\t}}\n}}\n", sets.join("\n"))
}

fn arbitrary_host() -> impl Strategy<Value = DesiredNamespace> {
    let vnis = proptest::option::of((1..3u32, any::<bool>()));
    let fdb = proptest::collection::btree_set(1..4u8, 0..3);
    (any::<bool>(), vnis, fdb).prop_map(|(bridge, vxlan, remotes)| {
        let mut host = DesiredNamespace::default();
        if bridge {
            host.links.insert("brq1".into(), link(LinkKind::Bridge, None));
            for tap in ["tap0qr-a0", "tap1qr-b1", "tapforeign", "tapabsent"] {
                let port = BridgePort { bridge: "brq1".into(), mtu: None, up: true };
                host.bridge_ports.insert(tap.into(), port);
            }
        }
        if let Some((vni, enslaved)) = vxlan {
            let master = (bridge && enslaved).then(|| "brq1".to_owned());
            let kind = LinkKind::Vxlan { vni, local: None };
            host.links.insert("vxlan".into(), link(kind, master));
            host.fdb = remotes.into_iter().map(fdb_entry).collect();
        }
        host
    })
}

fn fdb_entry(n: u8) -> FdbEntry {
    let remote = IpAddr::V4(Ipv4Addr::new(192, 168, 0, n));
    let mac_address = navigator_model::MacAddress([0; 6]);
    FdbEntry { link: "vxlan".into(), mac_address, remote }
}

fn link(kind: LinkKind, master: Option<String>) -> Link {
    Link { kind, mac_address: None, mtu: Some(1400), up: true, master }
}

/// What somebody may do behind our back.
#[derive(Clone, Debug)]
pub(crate) enum Vandalism {
    DeleteNamespace(u8),
    DeleteLink(usize),
    DeleteAddresses(usize),
    DeleteTable,
    DeleteElement,
    AddElement,
    ChangeRules,
    ChangeSysctl,
    KillProcess,
    TruncateFile,
}

pub(crate) fn arbitrary_vandalism() -> impl Strategy<Value = Vec<Vandalism>> {
    let one = prop_oneof![
        (0..2u8).prop_map(Vandalism::DeleteNamespace),
        (0..3usize).prop_map(Vandalism::DeleteLink),
        (0..3usize).prop_map(Vandalism::DeleteAddresses),
        Just(Vandalism::DeleteTable),
        Just(Vandalism::DeleteElement),
        Just(Vandalism::AddElement),
        Just(Vandalism::ChangeRules),
        Just(Vandalism::ChangeSysctl),
        Just(Vandalism::KillProcess),
        Just(Vandalism::TruncateFile),
    ];
    vec(one, 0..4)
}

pub(crate) fn vandalise(kernel: &mut ModelKernel, vandalism: &[Vandalism]) {
    for act in vandalism {
        vandalise_once(kernel, act);
    }
}

fn vandalise_once(kernel: &mut ModelKernel, act: &Vandalism) {
    use navigator_state::{Action, Step};
    let mut act_on = |action| {
        let _ = kernel.apply_step(&Step { object: None, action });
    };
    let namespace = named(0);
    match act {
        Vandalism::DeleteNamespace(n) => act_on(Action::DeleteNamespace(named(*n))),
        Vandalism::DeleteLink(n) => {
            act_on(Action::DeleteLink { namespace, name: DEVICES[*n].into() });
        }
        Vandalism::DeleteTable => act_on(Action::DeleteTable { namespace }),
        Vandalism::ChangeSysctl => {
            let (key, value) = ("net/ipv4/ip_forward".into(), "9".into());
            act_on(Action::SetSysctl { namespace, key, value });
        }
        _ => vandalise_state(kernel, act),
    }
}

fn vandalise_state(kernel: &mut ModelKernel, act: &Vandalism) {
    if matches!(act, Vandalism::KillProcess) {
        kernel.state.processes.values_mut().for_each(|process| process.argv = None);
    }
    if matches!(act, Vandalism::TruncateFile) {
        kernel.state.files.values_mut().for_each(Vec::clear);
    }
    let Some(found) = kernel.state.namespaces.get_mut(&named(0)) else { return };
    if let Vandalism::DeleteAddresses(n) = act {
        found.addresses.remove(DEVICES[*n]);
        found.routes.retain(|route| route.link.as_deref() != Some(DEVICES[*n]));
    }
    let Some(table) = &mut found.nft else { return };
    let forwards = table.sets.entry(layout::FORWARDS.into()).or_default();
    match act {
        Vandalism::DeleteElement => {
            forwards.pop_first();
        }
        Vandalism::AddElement => {
            let key = layout::endpoint(Protocol::Udp, Ipv4Addr::LOCALHOST, 9);
            forwards.insert(key, Element::default());
        }
        Vandalism::ChangeRules => {
            table.skeleton = table.skeleton.replace("\tchain c0", "\tchain c9");
        }
        _ => {}
    }
}
