//! The arithmetic of a subnet's addresses: which of them hosts may have, and the ranges they are
//! given from. Addresses and prefixes in, ranges or a refusal out.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::Refusal;

/// Addresses `start` to `end`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllocationPool {
    pub start: IpAddr,
    pub end: IpAddr,
}

crate::json_attribute!(AllocationPool);

impl fmt::Display for AllocationPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.start, self.end)
    }
}

impl AllocationPool {
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.start.is_ipv4()
            && (number(self.start)..=number(self.end)).contains(&number(address))
    }

    /// How many addresses it has; nothing if it is upside down.
    pub fn size(&self) -> u128 {
        match number(self.end).checked_sub(number(self.start)) {
            Some(more) => more.saturating_add(1),
            None => 0,
        }
    }

    /// From first to last.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<> {
        let end = self.end;
        let next = move |address: &IpAddr| (*address != end).then(|| shifted(*address, 1));
        std::iter::successors(Some(self.start), next)
    }

    fn overlaps(&self, other: &Self) -> bool {
        number(self.start) <= number(other.end) && number(other.start) <= number(self.end)
    }

    /// What is left on both sides of an address.
    pub fn without(self, address: IpAddr) -> Vec<Self> {
        if !self.contains(address) {
            return vec![self];
        }
        let mut left = Vec::new();
        if address != self.start {
            left.push(Self { start: self.start, end: shifted(address, -1) });
        }
        if address != self.end {
            left.push(Self { start: shifted(address, 1), end: self.end });
        }
        left
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The address `by` further on; the family's ends wrap, which no caller reaches.
pub fn shifted(address: IpAddr, by: i32) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits().wrapping_add_signed(by)))
        }
        IpAddr::V6(v6) => {
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits().wrapping_add_signed(i128::from(by))))
        }
    }
}

/// Prefixes of one or two addresses have neither a network nor a broadcast address.
fn has_reserved(cidr: &IpNet) -> bool {
    cidr.max_prefix_len() - cidr.prefix_len() > 1
}

/// The network's own address, and in IPv4 the broadcast address.
pub fn is_reserved(cidr: &IpNet, address: IpAddr) -> bool {
    has_reserved(cidr)
        && (address == cidr.network() || (address.is_ipv4() && address == cidr.broadcast()))
}

/// Every address that a host may have.
pub fn hosts(cidr: &IpNet) -> AllocationPool {
    let (first, last) = (cidr.network(), cidr.broadcast());
    if !has_reserved(cidr) {
        return AllocationPool { start: first, end: last };
    }
    let end = if first.is_ipv4() { shifted(last, -1) } else { last };
    AllocationPool { start: shifted(first, 1), end }
}

/// The gateway when nobody names one. A single address is too few to give one away.
pub fn default_gateway(cidr: &IpNet) -> Option<IpAddr> {
    (cidr.prefix_len() < cidr.max_prefix_len()).then(|| shifted(cidr.network(), 1))
}

/// The pools when nobody names any: all hosts but the gateway.
pub fn default_pools(cidr: &IpNet, gateway: Option<IpAddr>) -> Vec<AllocationPool> {
    let all = hosts(cidr);
    gateway.map_or_else(|| vec![all], |address| all.without(address))
}

/// Pools lie inside the subnet, are not upside down, and do not overlap.
pub fn check(cidr: &IpNet, pools: &[AllocationPool]) -> Result<(), Refusal> {
    let all = hosts(cidr);
    for pool in pools {
        let one_family = pool.start.is_ipv4() == pool.end.is_ipv4();
        if !one_family || number(pool.start) > number(pool.end) {
            return Err(Refusal::InvalidAllocationPool { pool: pool.to_string() });
        }
        if !all.contains(pool.start) || !all.contains(pool.end) {
            return Err(Refusal::OutOfBoundsAllocationPool {
                pool: pool.to_string(),
                subnet_cidr: cidr.to_string(),
            });
        }
    }
    // Sorted, so that many pools do not cost their square.
    let mut sorted = pools.to_vec();
    sorted.sort_by_key(|pool| number(pool.start));
    match sorted.windows(2).find(|pair| pair[0].overlaps(&pair[1])) {
        None => Ok(()),
        Some(pair) => Err(Refusal::OverlappingAllocationPools {
            pool_1: pair[0].to_string(),
            pool_2: pair[1].to_string(),
            subnet_cidr: cidr.to_string(),
        }),
    }
}

/// The gateway's address is never given to a port.
pub fn check_gateway(gateway: IpAddr, pools: &[AllocationPool]) -> Result<(), Refusal> {
    match pools.iter().find(|pool| pool.contains(gateway)) {
        None => Ok(()),
        Some(pool) => Err(Refusal::GatewayConflictWithAllocationPools {
            pool: pool.to_string(),
            ip_address: gateway.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests;
