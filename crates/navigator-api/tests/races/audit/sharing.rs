//! Only what is a project's own, or shared with it, is used by its objects.

use std::{collections::HashMap, fmt::Display};

use navigator_model::ProjectId;
use navigator_resources::registry::port::{FLOATING_IP_OWNER, ROUTER_GATEWAY_OWNER};

use super::Rows;

pub(super) fn check(rows: &Rows, wrong: &mut Vec<String>) {
    let owners = owners(rows);
    for (object, user, by) in uses(rows) {
        // What does not exist is another check's, and nobody's ports are the routers'.
        let Some(owner) = owners.get(&object).filter(|_| !user.0.is_empty()) else { continue };
        let mut grants = rows.grants.values().filter(|grant| grant.object_id.to_string() == object);
        if *owner != user && !grants.any(|grant| grant.covers(user)) {
            wrong.push(format!("{object} of {owner} is not shared with {user}, which has {by}"));
        }
    }
}

fn owners(rows: &Rows) -> HashMap<String, &ProjectId> {
    let networks = rows.networks.values().map(|it| (it.id.to_string(), &it.standard.project_id));
    let policies = rows.policies.values().map(|it| (it.id.to_string(), &it.standard.project_id));
    let pools = rows.pools.values().map(|it| (it.id.to_string(), &it.standard.project_id));
    let groups = rows.groups.values().map(|it| (it.id.to_string(), &it.standard.project_id));
    let addresses = &rows.address_groups;
    let addresses = addresses.values().map(|it| (it.id.to_string(), &it.standard.project_id));
    networks.chain(policies).chain(pools).chain(groups).chain(addresses).collect()
}

/// An object, whose object uses it, and which.
type Use<'a> = (String, &'a ProjectId, String);

fn used<'a>(object: impl Display, user: &'a ProjectId, by: &str, id: impl Display) -> Use<'a> {
    (object.to_string(), user, format!("{by} {id}"))
}

fn uses(rows: &Rows) -> Vec<Use<'_>> {
    let mut uses = Vec::new();
    for port in rows.ports.values() {
        let user = &port.standard.project_id;
        let owner = port.device_owner.0.as_str();
        if ![ROUTER_GATEWAY_OWNER, FLOATING_IP_OWNER].contains(&owner) {
            uses.push(used(port.network_id, user, "port", port.id));
        }
        uses.extend(port.qos_policy_id.map(|id| used(id, user, "port", port.id)));
        uses.extend(port.security_groups.iter().map(|id| used(id, user, "port", port.id)));
    }
    for network in rows.networks.values() {
        let user = &network.standard.project_id;
        uses.extend(network.qos_policy_id.map(|id| used(id, user, "network", network.id)));
    }
    for subnet in rows.subnets.values() {
        let user = &subnet.standard.project_id;
        uses.extend(subnet.subnetpool_id.map(|id| used(id, user, "subnet", subnet.id)));
    }
    for rule in rows.group_rules.values() {
        let user = &rule.standard.project_id;
        uses.extend(rule.remote_group_id.map(|id| used(id, user, "rule", rule.id)));
        uses.extend(rule.remote_address_group_id.map(|id| used(id, user, "rule", rule.id)));
    }
    uses
}
