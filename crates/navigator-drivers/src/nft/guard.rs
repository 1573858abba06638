//! A table that keeps established connections alive through a foreign `nft flush ruleset`.
//!
//! The kernel translates packets of a known flow only while the namespace has any NAT chain, and
//! tracks flows only while any rule asks for it. A flush takes both away: until the repair, packets
//! of forwarded connections reach the router itself, which resets them. This table belongs to our
//! netlink socket (`flags owner`, since Linux 5.12), so others' flushes pass it by. It decides
//! nothing, and goes with our process: it protects while there is somebody to repair.

/// For information only; the kernel knows the owner.
const TABLE: &str = "navigator_guard";

/// One NAT chain registers the translation of known flows at all hooks, one `ct` asks for tracking.
pub(super) fn add() -> String {
    format!(
        "table ip {TABLE} {{\n\tflags owner;\n\tchain guard {{\n\t\ttype nat hook prerouting \
         priority dstnat + 5; policy accept;\n\t\tct state invalid continue\n\t}}\n}}\n"
    )
}

pub(super) fn delete() -> String {
    format!("delete table ip {TABLE}\n")
}
