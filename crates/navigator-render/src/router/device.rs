//! A router's devices and addresses. A port that is administratively down has no device: its
//! subnet is then unreachable here, as it is for a stock Neutron.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};
use navigator_model::{
    Object, ObjectKey, Snapshot, kernel_name,
    snapshot::{Router, RouterPort},
};
use navigator_state::{DesiredNamespace, Link, LinkKind};

pub(super) fn render(snapshot: &Snapshot, router: &Router, namespace: &mut DesiredNamespace) {
    for (name, port) in devices(router) {
        let kind = LinkKind::Veth { peer: kernel_name::tap(port.port_id) };
        let mac_address = Some(port.mac_address);
        let link = Link { kind, mac_address, mtu: Some(port.mtu), up: true, master: None };
        namespace.links.insert(name.clone(), link);
        namespace.addresses.insert(name, port.addresses.iter().copied().collect());
    }
    let Some(device) = gateway_device(router) else { return };
    let on_gateway = namespace.addresses.entry(device).or_default();
    for (address, object) in floating_addresses(snapshot) {
        on_gateway.insert(address);
        namespace.address_owners.insert(address, object);
    }
}

/// The ports that are up, by device name.
pub(super) fn devices(router: &Router) -> Vec<(String, &RouterPort)> {
    let interfaces =
        router.interfaces.iter().map(|port| (kernel_name::router_interface(port.port_id), port));
    let gateway = router.gateway.as_ref().map(|gateway| &gateway.port);
    let gateway = gateway.map(|port| (kernel_name::router_gateway(port.port_id), port));
    interfaces.chain(gateway).filter(|(_, port)| port.admin_state_up).collect()
}

pub(super) fn gateway_device(router: &Router) -> Option<String> {
    let port = &router.gateway.as_ref()?.port;
    port.admin_state_up.then(|| kernel_name::router_gateway(port.port_id))
}

/// The router answers for floating IPs, also for those that only have port forwardings.
fn floating_addresses(snapshot: &Snapshot) -> impl Iterator<Item = (IpNet, ObjectKey)> {
    snapshot.objects.iter().filter_map(|(key, object)| match object {
        Object::FloatingIp(floating_ip) => Some((host_address(floating_ip.address), *key)),
        _ => None,
    })
}

/// The address alone, without a subnet.
fn host_address(address: Ipv4Addr) -> IpNet {
    IpNet::V4(Ipv4Net::from(address))
}

/// Whether the port's subnets contain the address.
pub(super) fn covers(port: &RouterPort, address: IpAddr) -> bool {
    // Every device has IPv6's link-local addresses.
    let link_local = matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
    link_local || port.addresses.iter().any(|net| net.contains(&address))
}
