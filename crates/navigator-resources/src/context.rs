//! What a decision may know besides facts: who asks, when, and the server's settings. Clock and
//! randomness are passed in.

use std::ops::RangeInclusive;

use navigator_model::{L4PortRange, MacAddress, ProjectId};
use uuid::Uuid;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub project_id: ProjectId,
    pub user_id: String,
    pub is_admin: bool,
}

impl Caller {
    /// Whether the caller's project owns it, or the caller is an administrator.
    pub fn owns(&self, project_id: &ProjectId) -> bool {
        self.is_admin || self.project_id == *project_id
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
    pub max_allowed_address_pairs: usize,
    pub dns_domain: String,
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
            max_allowed_address_pairs: 10,
            dns_domain: "openstacklocal".to_owned(),
        }
    }
}
