//! The way to the other hosts that have ports of a vxlan network. No learning and no multicast: the
//! server knows where every port is, so every host has exactly the entries it needs.

use std::net::IpAddr;

use navigator_model::{MacAddress, kernel_name, snapshot::Port};
use navigator_state::{DesiredNamespace, FdbEntry, Link, LinkKind};

use super::Site;

/// Broadcasts and unknown addresses go to every peer with this entry.
const FLOOD: MacAddress = MacAddress([0; 6]);

pub(super) fn render(
    site: &Site<'_>,
    vni: u32,
    bridge: String,
    wired: &mut DesiredNamespace,
) -> Result<(), String> {
    let Some(local) = site.host.tunnel_ip else {
        // A host that is alone, as when one tries things, needs no way to others.
        let alone = !site.ports().any(|port| is_elsewhere(site, port));
        return if alone { Ok(()) } else { Err("this host has no tunnel address".to_owned()) };
    };
    let name = kernel_name::vxlan(vni);
    let link = Link {
        kind: LinkKind::Vxlan { vni, local: Some(local) },
        mac_address: None,
        mtu: Some(site.network.mtu),
        up: true,
        master: Some(bridge),
    };
    wired.links.insert(name.clone(), link);
    for port in site.ports() {
        let Some(remote) = remote(site, port, local) else { continue };
        for mac_address in [FLOOD, port.mac_address] {
            wired.fdb.insert(FdbEntry { link: name.clone(), mac_address, remote });
        }
    }
    Ok(())
}

/// The tunnel end of the other host that a port is on. A tunnel has one address family.
fn remote(site: &Site<'_>, port: &Port, local: IpAddr) -> Option<IpAddr> {
    port.tunnel_ip.filter(|remote| {
        is_elsewhere(site, port) && *remote != local && remote.is_ipv4() == local.is_ipv4()
    })
}

fn is_elsewhere(site: &Site<'_>, port: &Port) -> bool {
    port.host.is_some() && !site.is_here(port)
}
