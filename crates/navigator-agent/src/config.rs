//! What an operator tells an agent, as it stands in the `[agent]` table of the configuration file.
//! Values only; nothing here is looked up except the machine's own name.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::PathBuf,
    time::Duration,
};

use navigator_model::HostName;
use serde::Deserialize;

/// A kind of work that a host does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Bridges and tunnels.
    L2,
    /// Routers.
    L3,
    /// dnsmasq per network.
    Dhcp,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::L2, Self::L3, Self::Dhcp];
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentConfig {
    /// The name under which this host registers; what `binding:host_id` has to say.
    pub host: HostName,
    pub availability_zone: String,
    pub roles: BTreeSet<Role>,
    /// Physical network to the device that leads there.
    pub bridge_mappings: BTreeMap<String, String>,
    /// Where other hosts send this host's tunnelled packets.
    pub tunnel_ip: Option<IpAddr>,
    pub dns_domain: String,
    pub dhcp_lease_duration_s: u32,
    /// PEM file: the authorities that may vouch for the server, if its URL is `https://`; without
    /// one, those of the system.
    pub cafile: PathBuf,
    /// PEM files: what the server is shown, if it wants a certificate.
    pub certfile: PathBuf,
    pub keyfile: PathBuf,
    /// Whoever answers at the server's URL is believed, whatever its certificate says.
    pub insecure: bool,
    pub state_dir: PathBuf,
    pub netns_dir: PathBuf,
    pub heartbeat_interval_s: u64,
    /// How often every scope is compared with the kernel though nothing said that it changed.
    pub resync_interval_s: u64,
    /// Scopes that are worked on at the same time.
    pub workers: usize,
}

impl Default for AgentConfig {
    fn default() -> Self {
        Self {
            host: HostName(machine_name()),
            availability_zone: "nova".to_owned(),
            roles: Role::ALL.into(),
            bridge_mappings: BTreeMap::new(),
            tunnel_ip: None,
            dns_domain: "openstacklocal".to_owned(),
            dhcp_lease_duration_s: 86_400,
            cafile: PathBuf::new(),
            certfile: PathBuf::new(),
            keyfile: PathBuf::new(),
            insecure: false,
            state_dir: PathBuf::from("/var/lib/navigator"),
            netns_dir: PathBuf::from("/run/netns"),
            heartbeat_interval_s: 30,
            resync_interval_s: 60,
            workers: 3,
        }
    }
}

impl AgentConfig {
    pub(crate) fn heartbeat_interval(&self) -> Duration {
        Duration::from_secs(self.heartbeat_interval_s.max(1))
    }

    pub(crate) fn resync_interval(&self) -> Duration {
        Duration::from_secs(self.resync_interval_s.max(1))
    }
}

/// As `gethostname` gives it, which is what Neutron's agents use when no host is configured.
fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_table_is_a_complete_configuration() {
        let config: AgentConfig = toml::from_str("").unwrap();
        assert_eq!(config, AgentConfig::default());
    }

    #[test]
    fn a_misspelt_key_is_refused() {
        assert!(toml::from_str::<AgentConfig>("brige_mappings = {}").is_err());
    }

    #[test]
    fn roles_and_mappings_are_read() {
        let text = "host = 'n1'\nroles = ['l3']\ntunnel_ip = '198.51.100.1'\n[bridge_mappings]\nexternal = 'ext0'";
        let config: AgentConfig = toml::from_str(text).unwrap();
        assert_eq!(config.roles, BTreeSet::from([Role::L3]));
        assert_eq!(config.bridge_mappings["external"], "ext0");
        assert_eq!(config.tunnel_ip, Some([198, 51, 100, 1].into()));
    }
}
