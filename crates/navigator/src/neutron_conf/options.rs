//! The options of Neutron that operators have set, and what each means here. A table of data; what is
//! not in it is told as ignored too.

use super::values::{self, Converted};

pub(super) struct Known {
    pub(super) section: &'static str,
    pub(super) key: &'static str,
    pub(super) meaning: Meaning,
}

type Convert = fn(&str) -> Result<Converted, String>;

pub(super) enum Meaning {
    /// The value of this key of Navigator's own configuration.
    Becomes(&'static str, Convert),
    /// A part of `server.listen`.
    Address,
    /// What Navigator always does; another value is told.
    Always(&'static str),
    /// Why it means nothing here.
    Ignored(&'static str),
}

use Meaning::{Address, Always, Becomes, Ignored};

const fn known(section: &'static str, key: &'static str, meaning: Meaning) -> Known {
    Known { section, key, meaning }
}

const PROCESS: &str = "one process has server.workers threads";
const MESSAGES: &str = "agents are reached over HTTP, not by a message queue";
const IN_PROCESS_CACHE: &str = "tokens are remembered in the process, never outside of it";
const POOL: &str = "the pool of connections has a fixed size";
const NOVA: &str = "Nova is told if nova.endpoint is set in Navigator's own configuration";

pub(super) const OPTIONS: &[Known] = &[
    known("DEFAULT", "bind_host", Address),
    known("DEFAULT", "bind_port", Address),
    known("DEFAULT", "api_workers", Ignored(PROCESS)),
    known("DEFAULT", "rpc_workers", Ignored(PROCESS)),
    known("DEFAULT", "rpc_state_report_workers", Ignored(PROCESS)),
    known("DEFAULT", "metadata_workers", Ignored(PROCESS)),
    known("DEFAULT", "auth_strategy", Becomes("identity.mode", values::auth_strategy)),
    known("DEFAULT", "http_basic_auth_user_file", Becomes("identity.htpasswd", values::text)),
    known("DEFAULT", "base_mac", Becomes("network.base_mac", values::text)),
    known(
        "DEFAULT",
        "dhcp_agents_per_network",
        Becomes("network.dhcp_agents_per_network", values::number),
    ),
    known("DEFAULT", "agent_down_time", Becomes("network.agent_down_time_s", values::number)),
    known("DEFAULT", "max_routes", Becomes("network.max_routes", values::number)),
    known(
        "DEFAULT",
        "router_distributed",
        Becomes("network.router_distributed", values::truth_value),
    ),
    known("DEFAULT", "l3_ha", Becomes("network.l3_ha", values::truth_value)),
    known(
        "DEFAULT",
        "max_allowed_address_pair",
        Becomes("network.max_allowed_address_pairs", values::number),
    ),
    known("DEFAULT", "global_physnet_mtu", Becomes("network.global_physnet_mtu", values::number)),
    known("DEFAULT", "dns_domain", Becomes("network.dns_domain", values::domain)),
    known("DEFAULT", "dhcp_lease_duration", Becomes("agent.dhcp_lease_duration_s", values::lease)),
    known("DEFAULT", "pagination_max_limit", Becomes("network.pagination_max_limit", values::most)),
    known("DEFAULT", "host", Becomes("agent.host", values::text)),
    known("DEFAULT", "debug", Becomes("log.filter", values::debug)),
    known("DEFAULT", "use_json", Becomes("log.format", values::json)),
    known("DEFAULT", "allow_overlapping_ips", Always("true")),
    known("DEFAULT", "allow_sorting", Always("true")),
    known("DEFAULT", "allow_pagination", Always("true")),
    known("DEFAULT", "allow_bulk", Always("true")),
    known("DEFAULT", "filter_validation", Always("true")),
    known("DEFAULT", "advertise_mtu", Always("true")),
    known("DEFAULT", "core_plugin", Always("ml2")),
    known("DEFAULT", "service_plugins", Ignored("what is advertised is what is built in")),
    known("DEFAULT", "api_extensions_path", Ignored("what is advertised is what is built in")),
    known("DEFAULT", "api_paste_config", Ignored("there is no middleware to arrange")),
    known("DEFAULT", "transport_url", Ignored(MESSAGES)),
    known("DEFAULT", "rpc_response_timeout", Ignored(MESSAGES)),
    known("DEFAULT", "control_exchange", Ignored(MESSAGES)),
    known("DEFAULT", "state_path", Ignored("see agent.state_dir")),
    known("DEFAULT", "log_file", Ignored("the log is standard error")),
    known("DEFAULT", "log_dir", Ignored("the log is standard error")),
    known("DEFAULT", "use_syslog", Ignored("the log is standard error")),
    known("DEFAULT", "use_journal", Ignored("the log is standard error")),
    known("database", "connection", Becomes("server.database", values::database)),
    known("database", "max_pool_size", Ignored(POOL)),
    known("database", "max_overflow", Ignored(POOL)),
    known(
        "database",
        "max_retries",
        Ignored("connections are tried again for as long as a request waits"),
    ),
    known("database", "connection_recycle_time", Ignored(POOL)),
    known("keystone_authtoken", "auth_url", Becomes("identity.keystone.auth_url", values::text)),
    known(
        "keystone_authtoken",
        "www_authenticate_uri",
        Becomes("identity.keystone.www_authenticate_uri", values::text),
    ),
    known("keystone_authtoken", "username", Becomes("identity.keystone.username", values::text)),
    known("keystone_authtoken", "password", Becomes("identity.keystone.password", values::text)),
    known(
        "keystone_authtoken",
        "user_domain_name",
        Becomes("identity.keystone.user_domain_name", values::text),
    ),
    known(
        "keystone_authtoken",
        "user_domain_id",
        Becomes("identity.keystone.user_domain_id", values::text),
    ),
    known(
        "keystone_authtoken",
        "project_name",
        Becomes("identity.keystone.project_name", values::text),
    ),
    known(
        "keystone_authtoken",
        "project_domain_name",
        Becomes("identity.keystone.project_domain_name", values::text),
    ),
    known(
        "keystone_authtoken",
        "project_domain_id",
        Becomes("identity.keystone.project_domain_id", values::text),
    ),
    known(
        "keystone_authtoken",
        "token_cache_time",
        Becomes("identity.keystone.cache_s", values::cache_time),
    ),
    known(
        "keystone_authtoken",
        "http_connect_timeout",
        Becomes("identity.keystone.timeout_s", values::number),
    ),
    known(
        "keystone_authtoken",
        "service_token_roles",
        Becomes("identity.keystone.service_token_roles", values::list),
    ),
    known("keystone_authtoken", "service_token_roles_required", Always("true")),
    known("keystone_authtoken", "auth_type", Always("password")),
    known("keystone_authtoken", "service_type", Always("network")),
    known("keystone_authtoken", "delay_auth_decision", Always("false")),
    known("keystone_authtoken", "memcached_servers", Ignored(IN_PROCESS_CACHE)),
    known("keystone_authtoken", "memcache_security_strategy", Ignored(IN_PROCESS_CACHE)),
    known("keystone_authtoken", "memcache_secret_key", Ignored(IN_PROCESS_CACHE)),
    known("keystone_authtoken", "cache", Ignored(IN_PROCESS_CACHE)),
    known(
        "keystone_authtoken",
        "insecure",
        Becomes("identity.keystone.insecure", values::insecure),
    ),
    known("keystone_authtoken", "cafile", Becomes("identity.keystone.cafile", values::text)),
    known("keystone_authtoken", "certfile", Becomes("identity.keystone.certfile", values::text)),
    known("keystone_authtoken", "keyfile", Becomes("identity.keystone.keyfile", values::text)),
    known("keystone_authtoken", "region_name", Ignored("auth_url says where Keystone is")),
    known("keystone_authtoken", "interface", Ignored("auth_url says where Keystone is")),
    known("ml2", "tenant_network_types", Becomes("network.tenant_network_type", values::first)),
    known("ml2", "type_drivers", Ignored("all types are built in")),
    known("ml2", "mechanism_drivers", Ignored("there is one way to bind ports")),
    known("ml2", "extension_drivers", Ignored("what is advertised is what is built in")),
    known("ml2_type_flat", "flat_networks", Becomes("network.physical_networks", values::flat)),
    known(
        "ml2_type_vlan",
        "network_vlan_ranges",
        Becomes("network.physical_networks", values::vlan_networks),
    ),
    known("ml2_type_vxlan", "vni_ranges", Becomes("network.vni_range", values::range)),
    known("ml2_type_vxlan", "vxlan_group", Ignored("tunnels are unicast")),
    known("ml2_type_geneve", "max_header_size", Ignored("the MTU follows from the type")),
    known(
        "linux_bridge",
        "physical_interface_mappings",
        Becomes("agent.bridge_mappings", values::mappings),
    ),
    known("ovs", "bridge_mappings", Becomes("agent.bridge_mappings", values::mappings)),
    known("ovs", "local_ip", Becomes("agent.tunnel_ip", values::text)),
    known("vxlan", "local_ip", Becomes("agent.tunnel_ip", values::text)),
    known("agent", "report_interval", Becomes("agent.heartbeat_interval_s", values::seconds)),
    known("agent", "availability_zone", Becomes("agent.availability_zone", values::text)),
    known("agent", "root_helper", Ignored("the agent starts no privileged commands")),
    known("agent", "root_helper_daemon", Ignored("the agent starts no privileged commands")),
    known("oslo_messaging_rabbit", "rabbit_ha_queues", Ignored(MESSAGES)),
    known("oslo_messaging_rabbit", "ssl", Ignored(MESSAGES)),
    known("oslo_messaging_notifications", "driver", Ignored(MESSAGES)),
    known("oslo_messaging_notifications", "transport_url", Ignored(MESSAGES)),
    known("oslo_concurrency", "lock_path", Ignored("there are no lock files")),
    known(
        "DEFAULT",
        "send_events_interval",
        Becomes("nova.send_events_interval_s", values::seconds),
    ),
    known("DEFAULT", "notify_nova_on_port_status_changes", Ignored(NOVA)),
    known("DEFAULT", "notify_nova_on_port_data_changes", Ignored(NOVA)),
    known("nova", "auth_url", Becomes("nova.keystone.auth_url", values::nova_auth_url)),
    known("nova", "username", Becomes("nova.keystone.username", values::text)),
    known("nova", "password", Becomes("nova.keystone.password", values::text)),
    known("nova", "user_domain_name", Becomes("nova.keystone.user_domain_name", values::text)),
    known("nova", "user_domain_id", Becomes("nova.keystone.user_domain_id", values::text)),
    known("nova", "project_name", Becomes("nova.keystone.project_name", values::text)),
    known(
        "nova",
        "project_domain_name",
        Becomes("nova.keystone.project_domain_name", values::text),
    ),
    known("nova", "project_domain_id", Becomes("nova.keystone.project_domain_id", values::text)),
    known("nova", "auth_type", Always("password")),
    known("nova", "region_name", Ignored("nova.endpoint says where Nova is")),
    known("nova", "endpoint_type", Ignored("nova.endpoint says where Nova is")),
    // Neutron's are for Nova and for the Keystone that lets it in.
    known("nova", "insecure", Becomes("nova.insecure", values::insecure)),
    known("nova", "insecure", Becomes("nova.keystone.insecure", values::truth_value)),
    known("nova", "cafile", Becomes("nova.cafile", values::text)),
    known("nova", "cafile", Becomes("nova.keystone.cafile", values::text)),
    known("nova", "certfile", Becomes("nova.certfile", values::text)),
    known("nova", "certfile", Becomes("nova.keystone.certfile", values::text)),
    known("nova", "keyfile", Becomes("nova.keyfile", values::text)),
    known("nova", "keyfile", Becomes("nova.keystone.keyfile", values::text)),
    known("quotas", "quota_driver", Ignored("limits are kept in the database")),
    known("quotas", "track_quota_usage", Always("true")),
    known("oslo_policy", "enforce_scope", Always("true")),
    known("oslo_policy", "enforce_new_defaults", Always("true")),
];
