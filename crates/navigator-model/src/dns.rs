//! Names that addresses have when nobody chose one.

use std::net::IpAddr;

/// `host-10-0-0-5`. IPv6 in full, because a name must not end in a dash.
pub fn default_host_name(address: IpAddr) -> String {
    let dashed = match address {
        IpAddr::V4(address) => address.to_string().replace('.', "-"),
        IpAddr::V6(address) => {
            let groups = address.segments().map(|group| format!("{group:04x}"));
            groups.join("-")
        }
    };
    format!("host-{dashed}")
}
