//! Who may depend on whom: the direction of the architecture as a table. A crate that is not in it
//! has to be entered here first, with a thought about its place.

use super::{Finding, Text};

/// The Navigator crates that each crate may depend on. Tests (`dev-dependencies`) may use more.
const ALLOWED: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("derive", &[]),
    ("policy", &[]),
    ("relay", &["model"]),
    ("state", &["model"]),
    ("resources", &["model", "derive", "policy"]),
    ("store", &["model", "resources"]),
    ("tls", &[]),
    ("bus", &["model", "tls"]),
    ("render", &["model", "state"]),
    ("drivers", &["model", "state"]),
    ("api", &["model", "resources", "policy", "store", "bus", "tls"]),
    ("agent", &["model", "state", "render", "drivers", "bus", "relay"]),
    ("cli", &["model", "state", "render"]),
    ("lab", &["model"]),
    ("testkit", &["model", "lab"]),
];

/// Libraries that only some crates may use, so that each kind of I/O has one home.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("sqlx", &["store"]),
    ("rusqlite", &["store"]),
    ("axum", &["api"]),
    ("netlink-", &["drivers"]),
    ("rtnetlink", &["drivers"]),
    ("nftables", &["drivers"]),
    ("libc", &["drivers", "relay"]),
    ("nix", &["drivers", "relay", "lab", "testkit"]),
];

/// Never anywhere: a second TLS or crypto library, or a replaced choice.
const BANNED: &[&str] = &["openssl", "native-tls", "aws-lc-rs", "chrono", "lazy_static"];

/// Crates without I/O, async, clock and randomness.
pub(super) const PURE: &[&str] = &["model", "policy", "resources", "render", "state"];

const NOT_IN_PURE: &[&str] = &["tokio", "rand", "futures", "hyper", "reqwest", "tracing"];

pub(super) fn check(text: &Text) -> Vec<Finding> {
    let own = text.crate_name().strip_prefix("navigator-");
    let mut findings = Vec::new();
    let mut section = "";
    for (number, line) in text.content.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            section = line;
        }
        let (Some(name), true) = (dependency_name(line), section.ends_with("dependencies]")) else {
            continue;
        };
        let mut complain = |message: String| findings.push(text.finding(number + 1, message));
        if BANNED.contains(&name) {
            complain(format!("'{name}' is not used in this project (see deny.toml)"));
        }
        if section.contains("workspace") || section.contains("dev-") {
            continue;
        }
        // The binary and xtask wire everything together and are not in the table.
        if let Some(own) = own {
            check_dependency(own, name, &mut complain);
        }
    }
    if let Some(own) = own
        && !ALLOWED.iter().any(|(name, _)| *name == own)
    {
        findings
            .push(text.finding(1, "new crate: give it a line in xtask/src/tidy/dependencies.rs"));
    }
    findings
}

fn check_dependency(own: &str, name: &str, complain: &mut impl FnMut(String)) {
    if let Some(other) = name.strip_prefix("navigator-") {
        let allowed = ALLOWED.iter().find(|(crate_name, _)| *crate_name == own);
        if !allowed.is_some_and(|(_, names)| names.contains(&other)) {
            complain(format!("navigator-{own} must not depend on navigator-{other}"));
        }
    }
    for (library, users) in LIBRARIES {
        let uses = name == *library || (library.ends_with('-') && name.starts_with(library));
        if uses && !users.contains(&own) {
            complain(format!("only {users:?} may use '{name}'"));
        }
    }
    if PURE.contains(&own) && NOT_IN_PURE.contains(&name) {
        complain(format!("navigator-{own} is pure and must not use '{name}'"));
    }
}

/// `axum = …`, `axum.workspace = true` and `[dependencies.axum]`-less forms.
fn dependency_name(line: &str) -> Option<&str> {
    if line.starts_with('#') {
        return None;
    }
    let (name, _) = line.split_once('=')?;
    Some(name.trim().trim_end_matches(".workspace"))
}
