//! The configuration file. Every key has a default; an unknown key is an error that names it.

use std::{
    collections::{BTreeMap, HashMap},
    fs::OpenOptions,
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use navigator_agent::AgentConfig;
use navigator_api::Identity;
use navigator_model::{L4PortRange, MacAddress};
use navigator_resources::{Quotas, Settings, quota::counted};
use serde::Deserialize;
use uuid::Uuid;

use crate::nova::NovaConfig;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) server: ServerConfig,
    pub(crate) identity: IdentityConfig,
    pub(crate) network: NetworkConfig,
    pub(crate) quotas: QuotasConfig,
    pub(crate) nova: NovaConfig,
    pub(crate) agent: AgentConfig,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ServerConfig {
    pub(crate) listen: SocketAddr,
    /// `sqlite:<file>` or `postgres://…`.
    pub(crate) database: String,
    /// Where an agent in another process finds the server.
    pub(crate) url: String,
    /// Shared by server and agents; without it the server takes no agents from outside.
    pub(crate) agent_secret: Option<String>,
    /// Seconds that open requests have to end after the process was asked to.
    shutdown_grace_s: u64,
}

impl ServerConfig {
    pub(crate) fn shutdown_grace(&self) -> Duration {
        Duration::from_secs(self.shutdown_grace_s)
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9696)),
            database: "sqlite:/var/lib/navigator/navigator.sqlite".to_owned(),
            url: "http://127.0.0.1:9696".to_owned(),
            agent_secret: None,
            shutdown_grace_s: 10,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum IdentityMode {
    /// Everybody is the administrator: only on loopback.
    #[default]
    None,
    /// HTTP basic against an htpasswd file with bcrypt hashes.
    Basic,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct IdentityConfig {
    mode: IdentityMode,
    htpasswd: PathBuf,
    /// Users with the admin role.
    admins: Vec<String>,
    /// User to project id; others get an id derived from their name.
    projects: HashMap<String, String>,
}

impl IdentityConfig {
    pub(crate) fn identity(&self) -> anyhow::Result<Identity> {
        match self.mode {
            IdentityMode::None => Ok(Identity::None),
            IdentityMode::Basic => {
                Ok(Identity::basic(&self.htpasswd, &self.admins, &self.projects)?)
            }
        }
    }
}

/// What the rules go by; Neutron's names where it has them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NetworkConfig {
    base_mac: Option<MacAddress>,
    tenant_network_type: Option<String>,
    /// First and last.
    vni_range: Option<(u32, u32)>,
    vlan_range: Option<(u16, u16)>,
    /// Physical networks that flat and vlan networks may name.
    physical_networks: Option<Vec<String>>,
    global_physnet_mtu: Option<u32>,
    gateway_port_forwarding_port_range: Option<L4PortRange>,
    allow_port_forwarding_with_floating_ip: bool,
    /// Seconds without a heartbeat after which an agent counts as dead.
    agent_down_time_s: Option<u64>,
    dns_domain: Option<String>,
}

impl NetworkConfig {
    fn settings(&self, agent: &AgentConfig) -> Settings {
        let defaults = Settings::default();
        let mapped = agent.bridge_mappings.keys().cloned();
        Settings {
            base_mac: self.base_mac.unwrap_or(defaults.base_mac),
            tenant_network_type: self
                .tenant_network_type
                .clone()
                .unwrap_or(defaults.tenant_network_type),
            tunnel_id_range: self.vni_range.map_or(defaults.tunnel_id_range, |(a, b)| a..=b),
            vlan_range: self.vlan_range.map_or(defaults.vlan_range, |(a, b)| a..=b),
            physical_networks: self
                .physical_networks
                .clone()
                .unwrap_or_else(|| defaults.physical_networks.into_iter().chain(mapped).collect()),
            global_physnet_mtu: self.global_physnet_mtu.unwrap_or(defaults.global_physnet_mtu),
            gateway_port_forwarding_port_range: self
                .gateway_port_forwarding_port_range
                .unwrap_or(defaults.gateway_port_forwarding_port_range),
            allow_port_forwarding_with_floating_ip: self.allow_port_forwarding_with_floating_ip,
            agent_down_time_s: self.agent_down_time_s.unwrap_or(defaults.agent_down_time_s),
            dns_domain: self.dns_domain.clone().unwrap_or(defaults.dns_domain),
            ..defaults
        }
    }
}

/// How many objects of each kind a project may have for which no administrator set a limit. -1 is
/// no limit.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct QuotasConfig {
    /// Of kinds that are not named.
    default_quota: Option<i64>,
    /// By name as in the API, such as `port`.
    #[serde(flatten)]
    limits: BTreeMap<String, i64>,
}

impl QuotasConfig {
    /// The first name that no quota has.
    fn unknown(&self) -> Option<&String> {
        let counted = counted();
        let known = |name: &String| counted.iter().any(|declaration| declaration.quota == *name);
        self.limits.keys().find(|name| !known(name))
    }

    fn quotas(&self) -> Quotas {
        let mut quotas = Quotas::default();
        quotas.default = self.default_quota.unwrap_or(quotas.default);
        quotas.limits.extend(self.limits.clone());
        quotas
    }
}

impl Config {
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            quotas: self.quotas.quotas(),
            server_events: self.nova.is_told(),
            ..self.network.settings(&self.agent)
        }
    }

    pub(crate) fn load(path: Option<PathBuf>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::default()) };
        Self::read(&path).with_context(|| format!("configuration {}", path.display()))
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let config: Self = toml::from_str(&std::fs::read_to_string(path)?)?;
        if config.identity.mode == IdentityMode::None && !config.server.listen.ip().is_loopback() {
            bail!(
                "identity.mode \"none\" makes everybody the administrator: server.listen has to be \
                 a loopback address, or use identity.mode = \"basic\""
            );
        }
        if let Some(name) = config.quotas.unknown() {
            bail!("quotas.{name}: there is no such quota");
        }
        Ok(config)
    }

    /// As configured, or as the process that holds server and agent made it for its own host.
    pub(crate) fn agent_secret(&self) -> Option<Arc<str>> {
        let kept = || std::fs::read_to_string(self.secret_file()).ok();
        self.server.agent_secret.clone().or_else(kept).map(Arc::from)
    }

    fn secret_file(&self) -> PathBuf {
        self.agent.state_dir.join("agent-secret")
    }

    /// Makes a secret that only root of this host can read, so that `navigator agent plan` works
    /// beside a server and agent in one process without anything being configured.
    pub(crate) fn keep_agent_secret(&self) -> anyhow::Result<()> {
        if self.agent_secret().is_some() {
            return Ok(());
        }
        std::fs::create_dir_all(&self.agent.state_dir)
            .with_context(|| format!("cannot make {}", self.agent.state_dir.display()))?;
        let secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.secret_file())
            .and_then(|mut file| file.write_all(secret.as_bytes()))
            .with_context(|| format!("cannot write {}", self.secret_file().display()))
    }
}
