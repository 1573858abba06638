//! The configuration of the lab's Navigator.

use std::path::Path;

use super::API;

/// The physical network that leads outside, and the node's device there.
pub(super) const PHYSICAL_NETWORK: &str = "external";
pub(super) const EXTERNAL_DEVICE: &str = "ext0";

/// The file's text; everything that Navigator keeps goes below `dir`.
pub(super) fn text(node: &str, dir: &Path) -> String {
    // A literal TOML string: paths hold no quotes, and backslashes stay what they are.
    let dir = dir.display();
    format!(
        "[server]
listen = '{API}'
database = 'sqlite:{dir}/navigator.sqlite'

[agent]
host = '{node}'
state_dir = '{dir}/agent'

[agent.bridge_mappings]
{PHYSICAL_NETWORK} = '{EXTERNAL_DEVICE}'
"
    )
}
