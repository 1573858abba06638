//! Where a packet goes, by the addresses and routes that a namespace wants.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use crate::desired::DesiredNamespace;

pub(super) enum Way {
    Local,
    Device { device: String, next_hop: Ipv4Addr },
    None,
}

pub(super) fn way(namespace: &DesiredNamespace, destination: Ipv4Addr) -> Way {
    let address = IpAddr::V4(destination);
    let mut own = namespace.addresses.values().flatten();
    if own.any(|net| net.addr() == address) {
        return Way::Local;
    }
    let connected = namespace
        .addresses
        .iter()
        .flat_map(|(device, nets)| nets.iter().map(move |net| (*net, Some(device), destination)));
    let routes = namespace.routes.iter().map(|route| {
        let next_hop = match route.via {
            Some(IpAddr::V4(via)) => via,
            _ => destination,
        };
        (route.destination, route.link.as_ref(), next_hop)
    });
    let ways = connected.chain(routes).filter(|(net, ..)| net.contains(&address));
    match ways.max_by_key(|(net, ..)| net.prefix_len()) {
        Some((_, Some(device), next_hop)) => Way::Device { device: device.clone(), next_hop },
        _ => Way::None,
    }
}

/// The address that masquerading takes: the device's on the next hop's subnet.
pub(super) fn own_address(
    namespace: &DesiredNamespace,
    device: &str,
    next_hop: Ipv4Addr,
) -> Option<Ipv4Addr> {
    let nets = || namespace.addresses.get(device).into_iter().flatten();
    let near = |net: &&IpNet| net.contains(&IpAddr::V4(next_hop));
    let net = nets().find(near).or_else(|| nets().find(|net| net.addr().is_ipv4()))?;
    match net.addr() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}
