//! Which of the host's devices to look at.
//!
//! A host with a thousand routers has thousands of devices. A router has nothing in the host's
//! namespace but the other ends of its pairs, so it is observed by asking for these alone, and the
//! time that takes does not grow with the number of other routers.

use std::collections::BTreeSet;

use navigator_model::Scope;
use navigator_state::{Desired, LinkKind, Namespace};

use super::{Inside, found::listed};
use crate::{
    DriverError,
    kernel::Kernel,
    rtnl::{Device, Rtnl, RtnlError},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    /// Other ends of pairs, and what they hang on.
    Pairs,
}

#[derive(Debug)]
pub(super) struct HostDevices {
    pub(super) devices: Vec<Device>,
    pub(super) extent: Extent,
}

impl Kernel {
    pub(super) fn host_devices(
        &self,
        desired: &Desired,
        inside: &[Inside],
    ) -> Result<HostDevices, DriverError> {
        let wants_host = desired.namespaces.contains_key(&Namespace::Host);
        // Networks leave devices here that they may not want any more; and of a scope that goes,
        // everything has to be found, wherever it is.
        let pairs_only = matches!(desired.scope, Scope::Router(_))
            && !wants_host
            && !desired.namespaces.is_empty();
        let extent = if pairs_only { Extent::Pairs } else { Extent::Whole };
        let sockets = self.open(&Namespace::Host)?;
        let mut rtnl = sockets.rtnl();
        let devices = match extent {
            Extent::Whole => rtnl.devices(),
            Extent::Pairs => pairs(&mut rtnl, desired, inside),
        };
        Ok(HostDevices { devices: listed(&Namespace::Host, devices)?, extent })
    }
}

fn pairs(rtnl: &mut Rtnl, desired: &Desired, inside: &[Inside]) -> Result<Vec<Device>, RtnlError> {
    let mut devices = Vec::new();
    let ends = inside.iter().flat_map(|i| &i.devices).filter(|d| d.kind == "veth");
    for index in ends.filter_map(|end| end.peer) {
        devices.extend(rtnl.device_at(index)?);
    }
    for name in wanted_peers(desired) {
        if !devices.iter().any(|d| d.name == name) {
            devices.extend(rtnl.device(name)?);
        }
    }
    let masters: BTreeSet<u32> = devices.iter().filter_map(|d| d.master).collect();
    for index in masters {
        devices.extend(rtnl.device_at(index)?);
    }
    Ok(devices)
}

/// Names that pairs want in the host's namespace: somebody else may have taken them.
pub(super) fn wanted_peers(desired: &Desired) -> BTreeSet<&str> {
    let links = desired.namespaces.values().flat_map(|wanted| wanted.links.values());
    let peers = links.filter_map(|link| match &link.kind {
        LinkKind::Veth { peer } => Some(peer.as_str()),
        _ => None,
    });
    peers.collect()
}
