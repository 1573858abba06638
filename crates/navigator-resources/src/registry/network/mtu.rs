//! How large a network's frames may be: what the underlay carries less what the encapsulation
//! takes.

use super::{Network, NetworkType};
use crate::{
    Refusal, Subnet,
    context::Settings,
    registry::subnet::IpVersion,
};

/// RFC 791 and RFC 8200: what every link of the family must carry.
const IPV4_MIN: u32 = 68;
const IPV6_MIN: u32 = 1280;

/// The largest MTU of a type, in bytes. Outer IPv4 headers are assumed.
fn largest(network_type: NetworkType, settings: &Settings) -> u32 {
    let overhead = match network_type {
        NetworkType::Local | NetworkType::Flat | NetworkType::Vlan => 0,
        NetworkType::Gre => 42,
        NetworkType::Vxlan => 50,
        NetworkType::Geneve => 58,
    };
    settings.global_physnet_mtu.saturating_sub(overhead)
}

/// The MTU asked for; 0 asks for the largest.
pub(super) fn choose(
    wanted: u32,
    network_type: NetworkType,
    settings: &Settings,
) -> Result<u32, Refusal> {
    let largest = largest(network_type, settings);
    match wanted {
        0 => Ok(largest),
        // Below this not even IPv4 works.
        1..IPV4_MIN => Err(Refusal::InvalidInput {
            error_message: format!("Requested MTU is too small, minimum is {IPV4_MIN}"),
        }),
        _ if wanted > largest => Err(Refusal::InvalidInput {
            error_message: format!("Requested MTU is too big, maximum is {largest}"),
        }),
        _ => Ok(wanted),
    }
}

impl Network {
    pub fn check_mtu_for(&self, subnet: &Subnet) -> Result<(), Refusal> {
        let min = match subnet.ip_version {
            IpVersion::V4 => IPV4_MIN,
            IpVersion::V6 => IPV6_MIN,
        };
        if self.mtu >= min {
            return Ok(());
        }
        Err(Refusal::NetworkMTUSubnetConflict { mtu: self.mtu.to_string(), min: min.to_string() })
    }
}
