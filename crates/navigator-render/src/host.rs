//! What rendering has to know of the host it renders for.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf};

use navigator_model::{HostName, NetworkId, snapshot::Duties};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostConfig {
    pub host: HostName,
    /// Physical network to the device that leads there.
    pub bridge_mappings: BTreeMap<String, String>,
    /// Where this host's end of tunnels is; without it there are no tunnels.
    pub tunnel_ip: Option<IpAddr>,
    /// Files of a scope live in `<state_dir>/<kind>/<id>/`.
    pub state_dir: PathBuf,
    pub dhcp_lease_duration_s: u32,
    /// The domain of instances' names, such as `openstacklocal`.
    pub dns_domain: String,
}

/// What this host does for a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serve {
    /// Nothing (any more).
    Nothing,
    /// Bridge, tunnels, ports.
    Wire,
    WireAndDhcp,
}

impl Serve {
    pub fn of(duties: &Duties, network: NetworkId) -> Self {
        if !duties.networks.contains(&network) {
            Self::Nothing
        } else if duties.dhcp_networks.contains(&network) {
            Self::WireAndDhcp
        } else {
            Self::Wire
        }
    }
}
