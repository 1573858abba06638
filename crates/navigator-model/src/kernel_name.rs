//! The names of namespaces and devices that operators of Neutron know.
//!
//! Devices carry a prefix and the first 11 characters of the port's id: 14 or 15 characters, within
//! the kernel's limit of 15.

use crate::{NetworkId, PortId, RouterId};

fn truncated(id: impl std::fmt::Display) -> String {
    id.to_string().chars().take(11).collect()
}

/// `qrouter-<id>`.
pub fn router_namespace(id: RouterId) -> String {
    format!("qrouter-{id}")
}

/// `qdhcp-<id>`.
pub fn dhcp_namespace(id: NetworkId) -> String {
    format!("qdhcp-{id}")
}

/// A router's interface, inside its namespace: `qr-…`.
pub fn router_interface(id: PortId) -> String {
    format!("qr-{}", truncated(id))
}

/// A router's gateway device, inside its namespace: `qg-…`.
pub fn router_gateway(id: PortId) -> String {
    format!("qg-{}", truncated(id))
}

/// dnsmasq's device, inside the DHCP namespace: `ns-…`.
pub fn dhcp_interface(id: PortId) -> String {
    format!("ns-{}", truncated(id))
}

/// The end of any port that hangs on the host's bridge: `tap…`.
pub fn tap(id: PortId) -> String {
    format!("tap{}", truncated(id))
}

/// A network's bridge on a host: `brq…`.
pub fn bridge(id: NetworkId) -> String {
    format!("brq{}", truncated(id))
}

/// A network's tunnel device on a host: `vxlan-<vni>`.
pub fn vxlan(segmentation_id: u32) -> String {
    format!("vxlan-{segmentation_id}")
}
