//! What a decision may know besides facts: who asks, when, and the server's settings. Clock and
//! randomness are passed in.

use std::{collections::BTreeSet, ops::RangeInclusive};

use navigator_model::{L4PortRange, MacAddress, ProjectId};
use uuid::Uuid;

use crate::{
    quota::{Quotas, ROUTER_ROUTE, UNLIMITED},
    service_provider::RouterKind,
};

/// Who asks, as identity found out. What they may do is decided by the policy's rules; only the
/// outcomes of two of them are kept here, for decisions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    pub user_id: String,
    /// Empty without a project: such a caller owns nothing.
    pub project_id: ProjectId,
    /// As identity expanded them: an administrator's include `reader`.
    pub roles: BTreeSet<String>,
    /// Of the service that passed the request on for the user.
    pub service_roles: BTreeSet<String>,
    pub user_domain_id: String,
    pub project_domain_id: String,
    /// Of a caller that asked for a domain and not for a project.
    pub domain_id: Option<String>,
    /// `all`, of a caller that asked for the whole system.
    pub system_scope: Option<String>,
    /// Whether the rule `context_is_admin` holds.
    pub is_admin: bool,
    /// Whether the rule `service_api` holds: another service of the cloud, such as Nova.
    pub is_service: bool,
}

/// Each role implies those after it, as in Keystone.
const LADDER: &[&str] = &["admin", "manager", "member", "reader"];

impl Caller {
    /// A user in a project, with no role yet.
    pub fn new(project_id: impl Into<ProjectId>, user_id: impl Into<String>) -> Self {
        Self { project_id: project_id.into(), user_id: user_id.into(), ..Self::default() }
    }

    /// With these roles and those that they imply, for identity that does not expand them itself.
    #[must_use]
    pub fn with_roles(mut self, roles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        for role in roles.into_iter().map(Into::into) {
            if let Some(step) = LADDER.iter().position(|known| role.eq_ignore_ascii_case(known)) {
                self.roles.extend(LADDER[step..].iter().map(|implied| (*implied).to_owned()));
            }
            self.roles.insert(role);
        }
        self
    }

    /// The server itself and tests of rules: may do everything.
    pub fn administrator(project_id: impl Into<ProjectId>, user_id: impl Into<String>) -> Self {
        Self { is_admin: true, ..Self::new(project_id, user_id).with_roles(["admin"]) }
    }

    /// What the caller asked for in place of a project.
    pub fn beyond_projects(&self) -> Option<&'static str> {
        let system = self.system_scope.as_ref().map(|_| "system");
        system.or_else(|| self.domain_id.as_ref().map(|_| "domain"))
    }

    /// Whether the caller's project owns it, or the caller is an administrator.
    pub fn owns(&self, project_id: &ProjectId) -> bool {
        self.is_admin || (!project_id.0.is_empty() && self.project_id == *project_id)
    }
}

/// One decision's surroundings. The same context gives the same answers however often the decision
/// is asked again.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    pub caller: &'a Caller,
    pub settings: &'a Settings,
    /// UTC, `YYYY-MM-DDTHH:MM:SSZ`.
    pub now: &'a str,
    /// Random, new for each attempt of a transaction.
    pub seed: Uuid,
}

impl Context<'_> {
    /// A random (version 4) id, the same for the same label within this attempt.
    pub fn uuid(&self, label: &str) -> Uuid {
        let bytes = Uuid::new_v5(&self.seed, label.as_bytes()).into_bytes();
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// A random address below the configured base (`fa:16:3e` by default).
    pub fn mac_address(&self, label: &str) -> MacAddress {
        let random = Uuid::new_v5(&self.seed, label.as_bytes()).into_bytes();
        let MacAddress([a, b, c, ..]) = self.settings.base_mac;
        MacAddress([a, b, c, random[0], random[1], random[2]])
    }
}

/// Settings that rules depend on. Names are Neutron's where Neutron has them.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub base_mac: MacAddress,
    /// Type of a network whose creator names none.
    pub tenant_network_type: String,
    /// Tunnel ids for tenant networks of type vxlan and gre.
    pub tunnel_id_range: RangeInclusive<u32>,
    /// Physical networks that flat and vlan networks may name.
    pub physical_networks: Vec<String>,
    /// VLAN ids per physical network given to tenants.
    pub vlan_range: RangeInclusive<u16>,
    /// MTU of the physical networks in bytes.
    pub global_physnet_mtu: u32,
    /// External ports that gateway port forwardings may use.
    pub gateway_port_forwarding_port_range: L4PortRange,
    pub allow_port_forwarding_with_floating_ip: bool,
    /// An agent is alive if its last heartbeat is younger, in seconds.
    pub agent_down_time_s: u64,
    pub dhcp_agents_per_network: usize,
    pub max_routes: usize,
    /// Of what kind routers are whose creator does not say.
    pub router_kind: RouterKind,
    pub max_allowed_address_pairs: usize,
    pub dns_domain: String,
    pub quotas: Quotas,
    /// Whether a compute service is told what becomes of its servers' ports.
    pub server_events: bool,
    /// The longest page of a list; `None` leaves it to the client.
    pub pagination_max_limit: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        // An expression for 1:65535 that cannot fail without saying why.
        #[allow(clippy::expect_used, reason = "a constant range")]
        let all_ports = "1:65535".parse().expect("1:65535 is a range");
        Self {
            base_mac: MacAddress([0xfa, 0x16, 0x3e, 0, 0, 0]),
            tenant_network_type: "vxlan".to_owned(),
            tunnel_id_range: 1..=16_777_215,
            physical_networks: vec!["external".to_owned(), "public".to_owned()],
            vlan_range: 1..=4094,
            global_physnet_mtu: 1500,
            gateway_port_forwarding_port_range: all_ports,
            allow_port_forwarding_with_floating_ip: false,
            agent_down_time_s: 75,
            dhcp_agents_per_network: 1,
            max_routes: 30,
            router_kind: RouterKind::default(),
            max_allowed_address_pairs: 10,
            dns_domain: "openstacklocal".to_owned(),
            quotas: Quotas::default(),
            server_events: false,
            pagination_max_limit: None,
        }
    }
}

impl Settings {
    /// Of a quota for which a project has no limit of its own; below zero is no limit.
    pub fn limit(&self, quota: &str) -> i64 {
        if quota == ROUTER_ROUTE && !self.quotas.limits.contains_key(quota) {
            return i64::try_from(self.max_routes).unwrap_or(UNLIMITED);
        }
        self.quotas.limit(quota)
    }
}
