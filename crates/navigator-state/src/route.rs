//! Routes with our protocol number, in the main table.

use std::net::IpAddr;

use ipnet::IpNet;

/// The `protocol` that marks a route as Navigator's. Any number that no routing daemon uses will do
/// (`/etc/iproute2/rt_protos`).
pub const PROTOCOL: u8 = 78;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// `0.0.0.0/0` or `::/0` for the default route.
    pub destination: IpNet,
    pub via: Option<IpAddr>,
    pub link: Option<String>,
    /// The next hop is on the link although no address covers it.
    pub onlink: bool,
}
