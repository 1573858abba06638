//! One router with a gateway, two subnets and whatever a test hangs on it.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};

use ipnet::{IpNet, Ipv4Net};
use navigator_model::{
    FloatingIpId, GatewayPortForwardingId, MacAddress, NetworkId, Object, ObjectKey, PortId,
    ProjectId, Protocol, Revision, RouterId, Scope, Snapshot,
    snapshot::{FloatingIp, Forward, ForwardAddress, Gateway, Router, RouterPort, SourceNat},
};
use navigator_render::{HostConfig, Serve, render};
use navigator_state::{Desired, DesiredNamespace, Namespace};
use uuid::Uuid;

pub(crate) const ROUTER: RouterId =
    RouterId(Uuid::from_u128(0xaaaaaaaa_0000_0000_0000_000000000001));
pub(crate) const GATEWAY: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
pub(crate) const FLOATING: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 20);
pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);
pub(crate) const WEB: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
/// On the second subnet.
pub(crate) const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 5);
pub(crate) const QG: &str = "qg-cccccccc-00";
pub(crate) const QR_A: &str = "qr-aaaaaaaa-00";
pub(crate) const QR_B: &str = "qr-bbbbbbbb-00";

fn router_port(first: u128, address: &str) -> RouterPort {
    RouterPort {
        port_id: PortId(Uuid::from_u128(first << 96)),
        network_id: NetworkId(Uuid::from_u128(first)),
        mac_address: MacAddress([0xfa, 0x16, 0x3e, 0, 0, (first & 0xff) as u8]),
        mtu: 1450,
        admin_state_up: true,
        addresses: vec![address.parse::<IpNet>().unwrap()],
    }
}

pub(crate) fn router() -> Router {
    Router {
        id: ROUTER,
        project_id: ProjectId::from("p"),
        admin_state_up: true,
        interfaces: vec![
            router_port(0xaaaaaaaa, "10.0.0.1/24"),
            router_port(0xbbbbbbbb, "10.0.1.1/24"),
        ],
        gateway: Some(Gateway {
            port: router_port(0xcccccccc, "198.51.100.7/24"),
            enable_snat: true,
            next_hops: vec![IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1))],
        }),
        routes: Vec::new(),
    }
}

pub(crate) fn snapshot(router: Router) -> Snapshot {
    Snapshot {
        scope: Scope::Router(router.id),
        revision: Revision(1),
        objects: BTreeMap::from([(ObjectKey::Router(router.id), Object::Router(router))]),
        duties: Default::default(),
    }
}

pub(crate) fn forward_key(n: u128) -> ObjectKey {
    ObjectKey::GatewayPortForwarding(GatewayPortForwardingId(Uuid::from_u128(n)))
}

pub(crate) fn forward(external: &str, internal: &str) -> Forward {
    Forward {
        external: ForwardAddress::Gateway,
        protocol: Protocol::Tcp,
        external_ports: external.parse().unwrap(),
        internal_address: WEB,
        internal_ports: internal.parse().unwrap(),
        source_nat: SourceNat::Auto,
        allowed_cidrs: Vec::new(),
        foreign_gateway: false,
    }
}

pub(crate) fn allowing(cidrs: &[&str], forward: Forward) -> Forward {
    let allowed_cidrs = cidrs.iter().map(|cidr| cidr.parse::<Ipv4Net>().unwrap()).collect();
    Forward { allowed_cidrs, ..forward }
}

/// The sample router with these forwards.
pub(crate) fn with_forwards(forwards: impl IntoIterator<Item = Forward>) -> Snapshot {
    let mut snapshot = snapshot(router());
    for (n, forward) in (1..).zip(forwards) {
        snapshot.objects.insert(forward_key(n), Object::Forward(forward));
    }
    snapshot
}

pub(crate) fn add_floating_ip(snapshot: &mut Snapshot, fixed_ip: Option<Ipv4Addr>) {
    let key = ObjectKey::FloatingIp(FloatingIpId(Uuid::from_u128(1)));
    let floating_ip = FloatingIp { address: FLOATING, fixed_ip };
    snapshot.objects.insert(key, Object::FloatingIp(floating_ip));
}

pub(crate) fn host() -> HostConfig {
    HostConfig {
        host: "network-1".into(),
        bridge_mappings: BTreeMap::new(),
        tunnel_ip: None,
        state_dir: PathBuf::from("/var/lib/navigator"),
        dhcp_lease_duration_s: 86_400,
        dns_domain: "openstacklocal".into(),
    }
}

pub(crate) fn rendered(snapshot: &Snapshot) -> Desired {
    render(snapshot, &host(), Serve::Nothing)
}

pub(crate) fn namespace(snapshot: &Snapshot) -> DesiredNamespace {
    let name = Namespace::Named(format!("qrouter-{ROUTER}"));
    rendered(snapshot).namespaces.remove(&name).unwrap()
}
