//! Ports by their addresses: a filter in, a condition on ports out.

use std::net::IpAddr;

use navigator_resources::SqlType;

use super::{Direction, Key, Listing, taken};
use crate::{
    backend::Backend,
    sql::{Param, Sql},
};

/// Each list holds alternatives; an empty list says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FixedIpFilter {
    pub ip_address: Vec<String>,
    pub subnet_id: Vec<String>,
    pub ip_address_substr: Vec<String>,
}

pub(super) fn push(sql: &mut Sql, listing: &Listing, keys: &[Key], backend: &Backend) {
    let filter = &listing.fixed_ips;
    if *filter == FixedIpFilter::default() {
        return;
    }
    if filter.ip_address_substr.is_empty() || narrows_otherwise(listing) {
        sql.push(" AND EXISTS (SELECT 1 FROM ip_allocations a WHERE a.port_id = ports.id");
        push_address(sql, filter);
        sql.push(")");
        return;
    }
    // No index finds a part of an address: all addresses are looked through, once. PostgreSQL would rather
    // read all ports along with them where it takes many to match.
    let (before, after) = backend.brackets_of_ids();
    sql.push(" AND id").push(before);
    sql.push("SELECT DISTINCT a.port_id FROM ip_allocations a WHERE TRUE");
    push_address(sql, filter);
    push_page(sql, listing, keys);
    sql.push(after);
}

/// Whether ports have to be of something else too, which few may be: then it is better to look at the addresses
/// of those.
fn narrows_otherwise(listing: &Listing) -> bool {
    let Listing { filters, conditions, visible_to, tags, changed_since, bounds, .. } = listing;
    visible_to.is_some()
        || changed_since.is_some()
        || !(filters.is_empty() && conditions.is_empty() && bounds.is_empty())
        || *tags != Default::default()
}

/// In the order of the list where that is by id, and no more than it may show. What a marker leaves out is
/// still among them.
fn push_page(sql: &mut Sql, listing: &Listing, keys: &[Key]) {
    let [(_, direction)] = keys else { return };
    sql.push(match taken(*direction, listing.paging) {
        Direction::Ascending => " ORDER BY a.port_id ASC",
        Direction::Descending => " ORDER BY a.port_id DESC",
    });
    if let (Some(limit), None) = (listing.limit, &listing.marker) {
        sql.push(" LIMIT ").bind(i64::from(limit));
    }
}

/// What has to hold for one address.
fn push_address(sql: &mut Sql, filter: &FixedIpFilter) {
    let text = |value: &String| Param::typed(&value.as_str().into(), SqlType::Text);
    if !filter.subnet_id.is_empty() {
        let params = filter.subnet_id.iter().filter_map(text).collect();
        sql.push(" AND ").bind_in("a.subnet_id", params);
    }
    if !filter.ip_address.is_empty() {
        // Addresses are stored in their canonical form.
        let canonical = |value: &String| match value.parse::<IpAddr>() {
            Ok(address) => Some(Param::Text(address.to_string())),
            Err(_) => text(value),
        };
        let params = filter.ip_address.iter().filter_map(canonical).collect();
        sql.push(" AND ").bind_in("a.ip_address", params);
    }
    if !filter.ip_address_substr.is_empty() {
        // How many addresses have it decides whether to look for it in all of them or port by port.
        sql.plan_for_values = true;
        sql.push(" AND (FALSE");
        for part in filter.ip_address_substr.iter().filter(|part| !part.contains('\0')) {
            let escaped = part.replace('!', "!!").replace('%', "!%").replace('_', "!_");
            sql.push(" OR a.ip_address LIKE ").bind(format!("%{escaped}%")).push(" ESCAPE '!'");
        }
        sql.push(")");
    }
}
