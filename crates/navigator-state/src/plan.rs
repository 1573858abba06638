//! `plan(desired, actual)`: the ordered difference.
//!
//! The order is such that each step can succeed when those before it did: namespaces, sysctls,
//! removal of what is in the way, devices, addresses, routes, forwarding entries, rules and their
//! elements in one transaction, *then* the connections of what changed, announcements, files,
//! children, and last of all what is wanted no more. A step never depends on memory of an earlier
//! plan: planning again after any failure leads on from wherever the kernel is.

mod address;
mod child;
mod draft;
mod element;
mod flow;
mod link;
mod route;
pub(crate) mod table;

pub use element::changes as element_changes;
pub use flow::of_changes as flows_of_changes;

use crate::{
    desired::{Actual, Desired},
    step::Plan,
};
use draft::Draft;

/// Steps that lead from `actual` to `desired`, in an order in which each can succeed.
pub fn plan(desired: &Desired, actual: &Actual) -> Plan {
    let mut draft = Draft::new(desired, actual);
    draft.create_namespaces();
    draft.set_namespace_sysctls();
    draft.delete_links();
    draft.create_links();
    draft.adjust_links();
    draft.adjust_peers();
    draft.attach_bridge_ports();
    draft.set_device_sysctls();
    draft.add_addresses();
    draft.delete_routes();
    draft.delete_addresses();
    draft.add_routes();
    draft.adjust_fdb();
    draft.adjust_tables();
    draft.set_conntrack_sysctls();
    draft.flush_flows();
    draft.announce();
    draft.write_files();
    draft.adjust_processes();
    draft.delete_files();
    draft.delete_namespaces();
    draft.into_plan()
}
