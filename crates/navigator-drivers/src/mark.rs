//! The ownership mark of devices and namespaces: how a freshly started agent knows its own.
//!
//! A device is a scope's when its alias (`IFLA_IFALIAS`) is `navigator:<scope>`. A namespace is a
//! scope's when its loopback device is. The kernel takes no alias while it makes a device, so a
//! device is born with the group number [`NEWBORN`] and gets its alias in the next message: a device
//! with the number and without an alias is one whose maker was killed in between, and may be
//! replaced.

use navigator_model::Scope;

const PREFIX: &str = "navigator:";

/// The device group (`IFLA_GROUP`) that every device of ours is made with: "NAVI".
pub(crate) const NEWBORN: u32 = 0x4e41_5649;

pub(crate) fn of(scope: &Scope) -> String {
    format!("{PREFIX}{scope}")
}

/// The scope that an alias names, if it is one of ours.
pub(crate) fn scope(alias: &str) -> Option<Scope> {
    alias.strip_prefix(PREFIX)?.parse().ok()
}
