//! Whatever another row refers to is deleted, by an administrator, while that row is there: it goes with what
//! hangs on it, or it stays. Which column refers to what is the database's own catalogue's to say.

use std::collections::BTreeSet;

use navigator_resources::{Declaration, Rules, Visitor, visit_all};

use crate::{audit, cloud::Backend, servers::Servers};

use super::stage::Stage;

/// Which objects of `table.rs`, made one after the other, fill a column that refers to another table.
const REFERRING: &[(&str, &str)] = &[
    ("conntrack_helpers.router_id", "helper"),
    ("default_security_group_rules.remote_address_group_id", "template"),
    ("flavor_service_profiles.flavor_id", "profiled"),
    ("flavor_service_profiles.service_profile_id", "profiled"),
    ("floatingips.floating_network_id", "fip"),
    ("floatingips.floating_port_id", "fip"),
    ("floatingips.port_id", "attached associated"),
    ("floatingips.qos_policy_id", "shaped_fip"),
    ("floatingips.router_id", "attached associated"),
    ("gateway_port_forwardings.internal_port_id", "attached gateway_forwarded"),
    ("gateway_port_forwardings.router_id", "attached gateway_forwarded"),
    ("ip_allocations.port_id", "port"),
    ("ip_allocations.subnet_id", "port"),
    ("metering_label_rules.metering_label_id", "metering_rule"),
    ("networks.qos_policy_id", "shaped_network"),
    ("port_bindings.port_id", "bound"),
    ("port_forwardings.floatingip_id", "attached forwarded"),
    ("port_forwardings.internal_port_id", "attached forwarded"),
    ("port_security_groups.port_id", "grouped"),
    ("port_security_groups.security_group_id", "grouped"),
    ("ports.network_id", "port"),
    ("ports.qos_policy_id", "shaped_port"),
    ("qos_bandwidth_limit_rules.qos_policy_id", "limit"),
    ("qos_dscp_marking_rules.qos_policy_id", "mark"),
    ("qos_minimum_bandwidth_rules.qos_policy_id", "floor"),
    ("qos_minimum_packet_rate_rules.qos_policy_id", "packet_floor"),
    ("qos_packet_rate_limit_rules.qos_policy_id", "packet_limit"),
    ("routers.flavor_id", "flavored"),
    ("routers.gateway_qos_policy_id", "shaped_router"),
    ("routers.gw_port_id", "router"),
    ("security_group_rules.remote_address_group_id", "from_addresses"),
    ("security_group_rules.remote_group_id", "from_group"),
    ("security_group_rules.security_group_id", "group"),
    ("segments.network_id", "network"),
    ("subnetpools.address_scope_id", "scoped"),
    ("subnets.network_id", "subnet"),
    ("subnets.segment_id", "on_segment"),
    ("subnets.subnetpool_id", "cut"),
    ("trunk_sub_ports.port_id", "trunk"),
    ("trunk_sub_ports.trunk_id", "trunk"),
    ("trunks.port_id", "trunk"),
];

/// No request fills it: what DHCP servers have told, which goes with their network.
const TOLD_BY_AGENTS: &str = "dhcp_progress.network_id networks";

/// `child.column parent` of each foreign key.
const ON_POSTGRES: &str = "SELECT conrelid::regclass || '.' || attname || ' ' || confrelid::regclass \
    FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1] \
    WHERE contype = 'f'";
const ON_SQLITE: &str = "SELECT child.name || '.' || key.\"from\" || ' ' || key.\"table\" \
    FROM sqlite_master child, pragma_foreign_key_list(child.name) key WHERE child.type = 'table'";

/// The resource of a table.
struct Find<'a> {
    table: &'a str,
    found: Option<&'static Declaration>,
}

impl Visitor for Find<'_> {
    fn visit<R: Rules>(&mut self) {
        let declaration = R::declaration();
        if declaration.table == self.table && declaration.verbs.delete {
            self.found = Some(declaration);
        }
    }
}

fn collection(table: &str) -> String {
    let mut find = Find { table, found: None };
    visit_all(&mut find);
    find.found.unwrap_or_else(|| panic!("no resource of table {table}")).url("")
}

async fn what_is_referred_to_goes_or_stays(backend: Backend) {
    let servers = Servers::start(backend, Vec::new()).await;
    servers.direct.agents_appear().await;
    let catalogue = if servers.is_postgres() { ON_POSTGRES } else { ON_SQLITE };
    let mut keys: BTreeSet<String> =
        servers.database().query(catalogue).await.into_iter().collect();
    assert!(keys.remove(TOLD_BY_AGENTS), "{keys:?}");
    assert_eq!(keys.len(), REFERRING.len(), "{keys:?}");
    for key in keys {
        let (column, parent) = key.split_once(' ').unwrap();
        let (child, name) = column.split_once('.').unwrap();
        let made_by = REFERRING.iter().find(|(known, _)| *known == column);
        let (_, objects) = made_by.unwrap_or_else(|| panic!("{column}: which object fills it?"));
        let referred = format!("SELECT DISTINCT {name} FROM {child} WHERE {name} IS NOT NULL");
        let before = servers.database().query(&referred).await;
        Stage::new(&servers.direct).prepare(objects).await;
        let mut after = servers.database().query(&referred).await;
        after.retain(|id| !before.contains(id));
        assert!(!after.is_empty(), "{objects} fills no {column}");
        for id in after {
            let path = format!("{}/{id}", collection(parent));
            let answer = servers.direct.delete("admin", &path).await;
            println!("{key}: {} {}", answer.status, answer.error_type());
            assert!([204, 400, 409].contains(&answer.status), "{key}: {}", answer.body);
        }
    }
    audit::check(&servers).await;
}

#[tokio::test]
async fn what_is_referred_to_goes_or_stays_on_postgres() {
    what_is_referred_to_goes_or_stays(Backend::Postgres).await;
}

#[tokio::test]
async fn what_is_referred_to_goes_or_stays_on_sqlite() {
    what_is_referred_to_goes_or_stays(Backend::Sqlite).await;
}
