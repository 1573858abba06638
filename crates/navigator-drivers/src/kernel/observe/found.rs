//! From what the kernel lists to the values that plans compare.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use navigator_state::{DesiredNamespace, Link, LinkKind, Namespace, Route};

use crate::{
    DriverError, mark,
    rtnl::{Device, KernelRoute, RtnlError},
};

pub(super) fn listed<T>(
    namespace: &Namespace,
    result: Result<T, RtnlError>,
) -> Result<T, DriverError> {
    result.map_err(|source| DriverError::Rtnl {
        namespace: namespace.clone(),
        doing: "listing".to_owned(),
        source,
    })
}

pub(super) fn is_newborn(device: &Device) -> bool {
    device.alias.is_none() && device.group == mark::NEWBORN
}

pub(super) fn names(wanted: &DesiredNamespace, device: &str) -> bool {
    wanted.links.contains_key(device) || wanted.bridge_ports.contains_key(device)
}

/// Each end knows the other's index only, and indexes repeat from namespace to namespace: both must
/// agree, and the host's end must be one of ours.
pub(super) fn peer_of<'a>(device: &Device, host: &'a [Device]) -> Option<&'a Device> {
    host.iter().find(|other| {
        device.kind == "veth"
            && other.kind == "veth"
            && device.peer == Some(other.index)
            && other.peer == Some(device.index)
            && (other.alias == device.alias || other.group == mark::NEWBORN)
    })
}

pub(super) fn link(device: &Device, beside: &[Device], peer: String) -> Link {
    let kind = match (device.kind.as_str(), device.vni) {
        ("veth", _) => LinkKind::Veth { peer },
        ("bridge", _) => LinkKind::Bridge,
        ("vxlan", Some(vni)) => LinkKind::Vxlan { vni, local: device.local },
        (other, _) => LinkKind::Other(other.to_owned()),
    };
    let master = device.master.and_then(|index| name_of(index, beside));
    Link { kind, mac_address: device.mac_address, mtu: device.mtu, up: device.up, master }
}

fn name_of(index: u32, devices: &[Device]) -> Option<String> {
    devices.iter().find(|d| d.index == index).map(|d| d.name.clone())
}

pub(super) fn addresses_of(
    ours: &BTreeMap<u32, &Device>,
    addresses: Vec<(u32, IpNet)>,
) -> BTreeMap<String, BTreeSet<IpNet>> {
    let mut by_name: BTreeMap<String, BTreeSet<IpNet>> = BTreeMap::new();
    for (index, address) in addresses {
        if let Some(device) = ours.get(&index) {
            by_name.entry(device.name.clone()).or_default().insert(address);
        }
    }
    by_name
}

/// Where the desired state leaves the device to the kernel, so does the report: otherwise the two
/// would never be equal.
pub(super) fn route(
    found: &KernelRoute,
    devices: &[Device],
    wanted: Option<&DesiredNamespace>,
) -> Route {
    let exact = Route {
        destination: found.destination,
        via: found.via,
        link: found.link.and_then(|index| name_of(index, devices)),
        onlink: found.onlink,
    };
    let anywhere = Route { link: None, ..exact.clone() };
    match wanted {
        Some(wanted) if wanted.routes.contains(&anywhere) => anywhere,
        _ => exact,
    }
}
