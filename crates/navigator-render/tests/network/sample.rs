//! A vxlan network with two subnets, a DHCP port and an instance here, another elsewhere.

use std::path::PathBuf;

use navigator_model::{
    HostName, MacAddress, NetworkId, Object, ObjectKey, PortId, ProjectId, Revision, Scope,
    Snapshot, SubnetId,
    snapshot::{DhcpOption, FixedIp, Network, Port, Segment, StaticRoute, Subnet},
};
use navigator_render::{HostConfig, Serve, render};
use navigator_state::Desired;
use uuid::Uuid;

pub(crate) const NETWORK: NetworkId = NetworkId(Uuid::from_u128(0x11111111 << 96));
pub(crate) const SUBNET: SubnetId = SubnetId(Uuid::from_u128(0xa));
pub(crate) const SUBNET_2: SubnetId = SubnetId(Uuid::from_u128(0xb));
pub(crate) const BRIDGE: &str = "brq11111111-00";

pub(crate) fn port_id(n: u128) -> PortId {
    PortId(Uuid::from_u128(n << 96))
}

pub(crate) fn host() -> HostConfig {
    HostConfig {
        host: "network-1".into(),
        bridge_mappings: [("external".to_owned(), "eth1".to_owned())].into(),
        tunnel_ip: Some("192.168.0.1".parse().unwrap()),
        state_dir: PathBuf::from("/var/lib/navigator"),
        dhcp_lease_duration_s: 86_400,
        dns_domain: "openstacklocal".into(),
    }
}

fn subnet(id: SubnetId, cidr: &str, gateway: &str) -> Subnet {
    Subnet {
        id,
        cidr: cidr.parse().unwrap(),
        gateway_ip: Some(gateway.parse().unwrap()),
        enable_dhcp: true,
        dns_nameservers: Vec::new(),
        host_routes: Vec::new(),
    }
}

pub(crate) fn network() -> Network {
    let mut first = subnet(SUBNET, "10.0.0.0/24", "10.0.0.1");
    first.dns_nameservers = vec!["192.0.2.53".parse().unwrap()];
    let (destination, nexthop) = ("172.16.0.0/16".parse().unwrap(), "10.0.0.9".parse().unwrap());
    first.host_routes = vec![StaticRoute { destination, nexthop }];
    let mut second = subnet(SUBNET_2, "10.0.1.0/24", "10.0.1.1");
    second.enable_dhcp = false;
    Network {
        id: NETWORK,
        project_id: ProjectId::from("p"),
        admin_state_up: true,
        segment: Segment::Vxlan { segmentation_id: 77 },
        mtu: 1450,
        subnets: vec![first, second],
    }
}

pub(crate) fn port(n: u128, device_owner: &str, host: &str, address: &str) -> Port {
    let tunnel_ip = match host {
        "network-1" => "192.168.0.1",
        _ => "192.168.0.2",
    };
    Port {
        id: port_id(n),
        mac_address: MacAddress([0xfa, 0x16, 0x3e, 0, 0, (n & 0xff) as u8]),
        admin_state_up: true,
        fixed_ips: vec![FixedIp { subnet_id: SUBNET, ip_address: address.parse().unwrap() }],
        device_owner: device_owner.into(),
        host: Some(HostName::from(host)),
        tunnel_ip: Some(tunnel_ip.parse().unwrap()),
        prepared_on: Vec::new(),
        dns_name: String::new(),
        extra_dhcp_opts: Vec::new(),
    }
}

pub(crate) fn ports() -> Vec<Port> {
    vec![
        port(0xd0d0d0d0, "network:dhcp", "network-1", "10.0.0.2"),
        port(0xe0e0e0e0, "compute:nova", "network-1", "10.0.0.5"),
        port(0xf0f0f0f0, "compute:nova", "compute-2", "10.0.0.6"),
    ]
}

pub(crate) fn dhcp_option(name: &str, value: &str) -> DhcpOption {
    DhcpOption { name: name.into(), value: value.into(), ip_version: 4 }
}

pub(crate) fn snapshot(network: Network, ports: Vec<Port>) -> Snapshot {
    let key = ObjectKey::Network(network.id);
    let scope = Scope::Network(network.id);
    let ports = ports.into_iter().map(|port| (ObjectKey::Port(port.id), Object::Port(port)));
    let objects = ports.chain([(key, Object::Network(network))]).collect();
    Snapshot { scope, revision: Revision(1), objects, duties: Default::default() }
}

pub(crate) fn sample() -> Snapshot {
    snapshot(network(), ports())
}

pub(crate) fn rendered(snapshot: &Snapshot) -> Desired {
    render(snapshot, &host(), Serve::WireAndDhcp)
}

/// A file of the network, as text.
pub(crate) fn file(desired: &Desired, name: &str) -> String {
    let path = format!("/var/lib/navigator/network/{NETWORK}/{name}");
    String::from_utf8(desired.files[&PathBuf::from(path)].clone()).unwrap()
}
