//! The configuration file. Every key has a default; an unknown key is an error that names it.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
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
use navigator_api::{Identity, KeystoneConfig, Limits, Policy, PolicyInForce};
use navigator_model::{L4PortRange, MacAddress};
use navigator_resources::{Quotas, Settings, quota, service_provider::RouterKind};
use nix::sys::resource::{Resource, getrlimit};
use serde::Deserialize;
use tokio::signal::unix::{SignalKind, signal};
use toml::Table;
use uuid::Uuid;

use crate::{log::LogConfig, neutron_conf, nova::NovaConfig, policy_file::PolicyFile};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Files of Neutron (`neutron.conf`, `ml2_conf.ini`) that are read first; what this file says
    /// wins over them.
    pub(crate) neutron_conf: Vec<PathBuf>,
    pub(crate) log: LogConfig,
    pub(crate) server: ServerConfig,
    pub(crate) identity: IdentityConfig,
    pub(crate) policy: PolicyConfig,
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
    /// Clients' connections at the same time.
    max_connections: usize,
    /// Seconds that a client has to send a request's head.
    header_timeout_s: u64,
    /// Seconds that a client has to send a request's body.
    body_timeout_s: u64,
    /// Seconds that a request waits for a connection to the database while nobody gets one.
    database_wait_s: u64,
    /// Threads that serve requests; by default one for each processor.
    pub(crate) workers: Option<usize>,
}

impl ServerConfig {
    pub(crate) fn limits(&self) -> anyhow::Result<Limits> {
        Ok(Limits {
            connections: self.max_connections.min(room_for_connections()?),
            head: Duration::from_secs(self.header_timeout_s),
            body: Duration::from_secs(self.body_timeout_s),
            grace: Duration::from_secs(self.shutdown_grace_s),
        })
    }

    pub(crate) fn database_wait(&self) -> Duration {
        Duration::from_secs(self.database_wait_s)
    }

    fn check(&self) -> anyhow::Result<()> {
        for (name, value) in [
            ("max_connections", self.max_connections as u64),
            ("header_timeout_s", self.header_timeout_s),
            ("body_timeout_s", self.body_timeout_s),
            ("database_wait_s", self.database_wait_s),
            ("workers", self.workers.map_or(1, |workers| workers as u64)),
        ] {
            if value == 0 {
                bail!("server.{name} has to be at least 1");
            }
        }
        Ok(())
    }
}

/// What the process may open, less what it needs for itself.
fn room_for_connections() -> anyhow::Result<usize> {
    const OWN: u64 = 256;
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(usize::try_from(soft.saturating_sub(OWN).max(1))?)
}

impl Default for ServerConfig {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9696)),
            database: "sqlite:/var/lib/navigator/navigator.sqlite".to_owned(),
            url: "http://127.0.0.1:9696".to_owned(),
            agent_secret: None,
            shutdown_grace_s: limits.grace.as_secs(),
            max_connections: limits.connections,
            header_timeout_s: limits.head.as_secs(),
            body_timeout_s: limits.body.as_secs(),
            database_wait_s: navigator_store::PATIENCE.as_secs(),
            workers: None,
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
    /// Keystone's tokens.
    Keystone,
}

impl fmt::Display for IdentityMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Basic => "basic",
            Self::Keystone => "keystone",
        })
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct IdentityConfig {
    pub(crate) mode: IdentityMode,
    htpasswd: PathBuf,
    /// Users with the admin role.
    admins: Vec<String>,
    /// User to project id; others get an id derived from their name.
    projects: HashMap<String, String>,
    pub(crate) keystone: KeystoneConfig,
    /// User to roles; without any, a user is a member. A role implies those below it: admin,
    /// manager, member, reader.
    roles: HashMap<String, Vec<String>>,
}

/// Who may do what, where it differs from the default rules.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PolicyConfig {
    /// `policy.yaml`: rules in the form of oslo.policy.
    pub(crate) file: Option<PathBuf>,
}

impl PolicyConfig {
    pub(crate) fn policy(&self) -> anyhow::Result<Policy> {
        let Some(file) = &self.file else { return Ok(Policy::new(None)?) };
        PolicyFile::new(file).policy()
    }

    /// Keeps the rules what the file says, for as long as it is polled.
    pub(crate) fn watch(
        &self,
        policy: Arc<PolicyInForce>,
    ) -> anyhow::Result<impl Future<Output = ()> + use<>> {
        let file = self.file.as_deref().map(PolicyFile::new);
        if let Some(file) = &file {
            // What it says by now, should it have changed since `policy` was read.
            policy.replace(file.policy()?);
        }
        let hangup = signal(SignalKind::hangup())?;
        Ok(async move {
            match file {
                Some(file) => file.keep(policy, hangup).await,
                None => std::future::pending().await,
            }
        })
    }
}

impl IdentityConfig {
    pub(crate) fn identity(&self) -> anyhow::Result<Identity> {
        match self.mode {
            IdentityMode::None => Ok(Identity::none()),
            IdentityMode::Basic => {
                Ok(Identity::basic(&self.htpasswd, &self.admins, &self.projects, &self.roles)?)
            }
            IdentityMode::Keystone => Ok(Identity::keystone(&self.keystone)?),
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
    dhcp_agents_per_network: Option<usize>,
    /// Extra routes of a router.
    max_routes: Option<usize>,
    /// Of routers whose creator does not say.
    router_distributed: bool,
    l3_ha: bool,
    /// Address pairs of a port.
    max_allowed_address_pairs: Option<usize>,
    /// Objects on one page of a list; without it, a list is as long as was asked for.
    pagination_max_limit: Option<u32>,
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
            dhcp_agents_per_network: self
                .dhcp_agents_per_network
                .unwrap_or(defaults.dhcp_agents_per_network),
            max_routes: self.max_routes.unwrap_or(defaults.max_routes),
            router_kind: RouterKind { distributed: self.router_distributed, ha: self.l3_ha },
            max_allowed_address_pairs: self
                .max_allowed_address_pairs
                .unwrap_or(defaults.max_allowed_address_pairs),
            pagination_max_limit: self.pagination_max_limit.filter(|most| *most > 0),
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
        self.limits.keys().find(|name| !quota::names().any(|quota| quota == *name))
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

    /// What the files say together, and what the operator should know about Neutron's.
    pub(crate) fn load(
        path: Option<&Path>,
        neutron_conf: &[PathBuf],
    ) -> anyhow::Result<(Self, Vec<String>)> {
        let own = match path {
            None => Table::new(),
            Some(path) => std::fs::read_to_string(path)
                .map_err(anyhow::Error::from)
                .and_then(|text| {
                    // For its messages, which show the line.
                    toml::from_str::<Self>(&text)?;
                    Ok(text.parse()?)
                })
                .with_context(|| format!("configuration {}", path.display()))?,
        };
        let named = own.get("neutron_conf").and_then(toml::Value::as_array);
        let named = named.into_iter().flatten().filter_map(|file| file.as_str().map(PathBuf::from));
        let files: Vec<PathBuf> = named.chain(neutron_conf.iter().cloned()).collect();
        let translated = neutron_conf::read(&files)?;
        let mut table = translated.table;
        overlay(&mut table, own);
        let config: Self = table.try_into().context("configuration")?;
        config.check()?;
        Ok((config, translated.notes))
    }

    #[cfg(test)]
    pub(crate) fn parsed(text: &str) -> anyhow::Result<Self> {
        let config: Self = toml::from_str(text)?;
        config.check()?;
        Ok(config)
    }

    /// What no single value shows.
    fn check(&self) -> anyhow::Result<()> {
        if self.identity.mode == IdentityMode::None && !self.server.listen.ip().is_loopback() {
            bail!(
                "identity.mode \"none\" makes everybody the administrator: server.listen has to be \
                 a loopback address, or use identity.mode = \"keystone\" or \"basic\""
            );
        }
        if let Some(name) = self.quotas.unknown() {
            bail!("quotas.{name}: there is no such quota");
        }
        self.server.check()?;
        self.log.check()
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

/// Puts `above` on top of `below`: tables are joined, everything else is replaced.
fn overlay(below: &mut Table, above: Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) => overlay(below, above),
            (_, value) => _ = below.insert(key, value),
        }
    }
}
