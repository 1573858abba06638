//! Columns that the database computes and that rules depend on, computed from the same rows.

use std::collections::BTreeMap;

use super::World;
use crate::{
    Row, Rules, SqlValue,
    registry::{Visitor, visit_all},
};

impl World {
    /// Adds the columns that the database computes and that rules depend on.
    pub(super) fn computed(&self, table: &str, mut row: Row) -> Row {
        let id = row.text("id").to_owned();
        let cell = |table: &str, id: &SqlValue, column: &str| -> SqlValue {
            let SqlValue::Text(id) = id else { return SqlValue::Null };
            let found = self.rows.get(table).and_then(|rows| rows.get(id));
            found.map_or(SqlValue::Null, |row| row.get(column).clone())
        };
        let object = if table == "subnets" { row.text("network_id") } else { id.as_str() };
        let policies = self.load_raw("rbac_policies", "object_id", object);
        let meant = |policy: &&Row| ["*", &self.asking].contains(&policy.text("target_project"));
        let shared = |policy: &Row| policy.text("action") == "access_as_shared";
        let policies: Vec<&Row> = policies.iter().filter(meant).collect();
        // Some keep it as a column.
        let by_policies = policies.iter().any(|policy| shared(policy));
        if row.find("shared").is_none() {
            row.push("shared", by_policies.into());
        }
        row.set("accessible", (!policies.is_empty()).into());
        row.set("default", SqlValue::Bool(false));
        match table {
            "routers" => {
                let rows = self.load_raw("gateway_port_forwardings", "router_id", &id);
                row.set("forwards", SqlValue::Int(i64::from(!rows.is_empty())));
                let gateway = cell("ports", row.get("gw_port_id"), "fixed_ips");
                row.set("gateway_fixed_ips", gateway);
                let info = row.text("external_gateway_info");
                let snat = !info.contains("\"enable_snat\":false");
                row.set("enable_snat", snat.into());
            }
            "gateway_port_forwardings" => {
                let port = cell("routers", row.get("router_id"), "gw_port_id");
                row.set("gw_ip_address", cell("ports", &port, "fixed_ips"));
            }
            "security_groups" => {
                let ports = self.rows.get("ports").into_iter().flat_map(BTreeMap::values);
                let named = ports.filter(|port| port.text("security_groups").contains(&id)).count();
                row.set("in_use", SqlValue::Int(i64::from(named > 0)));
            }
            "security_group_rules" => {
                let is_default =
                    cell("security_groups", row.get("security_group_id"), "is_default");
                row.set("belongs_to_default_sg", is_default);
            }
            "qos_policies" => {
                let users = [
                    ("network", "networks", "qos_policy_id"),
                    ("port", "ports", "qos_policy_id"),
                    ("floatingip", "floatingips", "qos_policy_id"),
                    ("router", "routers", "gateway_qos_policy_id"),
                ];
                let users: Vec<(&str, Row)> = users
                    .iter()
                    .flat_map(|(name, table, column)| {
                        let rows = self.load_raw(table, column, &id);
                        rows.into_iter().map(|row| (*name, row))
                    })
                    .collect();
                let owner = row.text("project_id").to_owned();
                let foreign = users.iter().any(|(_, row)| row.text("project_id") != owner);
                row.set("foreign_users", SqlValue::Int(i64::from(foreign)));
                if let Some((name, user)) = users.first() {
                    row.set("user", format!("{name} {}", user.text("id")).into());
                }
            }
            "floatingips" => {
                let items = self.load_raw("port_forwardings", "floatingip_id", &id);
                let columns = [
                    "id",
                    "protocol",
                    "internal_ip_address",
                    "internal_port_id",
                    "external_port_range",
                    "internal_port_range",
                ];
                let words = |row: &Row| columns.map(|column| row.text(column).to_owned()).join(" ");
                let items: Vec<String> = items.iter().map(words).collect();
                row.set("port_forwardings", items.join(",").into());
            }
            "networks" => {
                let subnets = self.load_raw("subnets", "network_id", &id);
                let on_segments =
                    subnets.iter().any(|subnet| !subnet.text("segment_id").is_empty());
                row.set("l2_adjacency", (!on_segments).into());
            }
            "subnets" => {
                row.set("external", cell("networks", row.get("network_id"), "external"));
            }
            _ => {}
        }
        row
    }

    fn load_raw(&self, table: &str, column: &str, value: &str) -> Vec<Row> {
        let rows = self.rows.get(table).into_iter().flat_map(BTreeMap::values);
        rows.filter(|row| row.text(column) == value).cloned().collect()
    }
}

/// Takes away what the database computes for answers alone.
pub(super) fn hide_what_rules_do_not_see(table: &str, row: &mut Row) {
    struct Hide<'a>(&'a str, &'a mut Row);
    impl Visitor for Hide<'_> {
        fn visit<R: Rules>(&mut self) {
            let unseen = R::declaration().columns().filter(|attribute| !attribute.fact);
            if R::declaration().table == self.0 {
                unseen.for_each(|attribute| self.1.remove(attribute.column));
            }
        }
    }
    visit_all(&mut Hide(table, row));
}
