//! Network devices as values.

use std::net::IpAddr;

use navigator_model::MacAddress;

/// A device, wanted or found. Its name is the key of the map that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub kind: LinkKind,
    /// `None`: the kernel's choice is fine (wanted).
    pub mac_address: Option<MacAddress>,
    pub mtu: Option<u32>,
    pub up: bool,
    /// The bridge that it hangs on, in the same namespace.
    pub master: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// One end of a pair; `peer` is the other end's name, which is always in the host's namespace.
    /// The pair is made by the end that is in a named namespace, with this scope's mark on both
    /// ends. Found peers that no longer exist are reported as an empty name.
    Veth {
        peer: String,
    },
    Bridge,
    Vxlan {
        vni: u32,
        local: Option<IpAddr>,
    },
    /// Any kind that we never make.
    Other(String),
}

/// Where a MAC address is reached through a vxlan device. The all-zero MAC address floods.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FdbEntry {
    pub link: String,
    pub mac_address: MacAddress,
    pub remote: IpAddr,
}
