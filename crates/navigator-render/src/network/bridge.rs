//! The bridge and what hangs on it.

use navigator_model::{ObjectKey, kernel_name, snapshot::Segment};
use navigator_state::{DesiredNamespace, Link, LinkKind, desired::BridgePort};

use super::{BridgePorts, Site, tunnel};

/// The bridge is there in any case, so that ports of this host reach each other; `Err` says why the
/// network ends at this host.
pub(super) fn render(site: &Site<'_>, wired: &mut DesiredNamespace) -> Result<(), String> {
    let network = site.network;
    let bridge = kernel_name::bridge(network.id);
    let link = Link {
        kind: LinkKind::Bridge,
        mac_address: None,
        mtu: Some(network.mtu),
        // A network that is administratively down carries nothing.
        up: network.admin_state_up,
        master: None,
    };
    wired.links.insert(bridge.clone(), link);
    for port in site.ports().filter(|port| site.is_wired_here(port)) {
        let tap = kernel_name::tap(port.id);
        wired.owners.insert(tap.clone(), ObjectKey::Port(port.id));
        let mtu = Some(network.mtu);
        let here = BridgePort { bridge: bridge.clone(), mtu, up: port.admin_state_up };
        wired.bridge_ports.insert(tap, here);
    }
    match &network.segment {
        Segment::Local => Ok(()),
        Segment::Flat { physical_network } => {
            uplink(site, physical_network, bridge, &mut wired.bridge_ports)
        }
        Segment::Vxlan { segmentation_id } => tunnel::render(site, *segmentation_id, bridge, wired),
        Segment::Vlan { .. } => Err(unsupported("vlan")),
        Segment::Gre { .. } => Err(unsupported("gre")),
        Segment::Geneve { .. } => Err(unsupported("geneve")),
    }
}

fn unsupported(kind: &str) -> String {
    format!("networks of type {kind} are not supported by mechanism linux here")
}

/// The device itself, whatever addresses it has: those stop working, so a host's own address does
/// not belong on an uplink.
fn uplink(
    site: &Site<'_>,
    physical_network: &str,
    bridge: String,
    ports: &mut BridgePorts,
) -> Result<(), String> {
    let device = site.host.bridge_mappings.get(physical_network).ok_or_else(|| {
        format!("physical network {physical_network} has no bridge mapping on this host")
    })?;
    ports.insert(device.clone(), BridgePort { bridge, mtu: None, up: true });
    Ok(())
}
