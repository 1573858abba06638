//! A port's addresses: which ones a request means, and which a port keeps, gets and gives back.
//! Taking an address is a fact ([`Facts::allocate_address`]): the database sees to it that nobody
//! else has it.

mod wanted;

use std::net::{IpAddr, Ipv6Addr};

use navigator_model::{MacAddress, NetworkId, PortId};

pub use navigator_model::snapshot::FixedIp;
pub use wanted::FixedIpRequest;
use wanted::Wanted;

use super::{DHCP_OWNER, FLOATING_IP_OWNER, is_router_interface};
use crate::{
    Facts, Refusal, Stop, Subnet,
    facts::AddressChoice,
    registry::subnet::{AllocationPool, IpVersion},
};

crate::json_attribute!(FixedIp);

/// The port that addresses are for, and the subnets of its network.
pub struct Holder<'a> {
    pub port_id: PortId,
    pub network_id: NetworkId,
    pub mac_address: MacAddress,
    pub device_owner: &'a str,
    pub subnets: &'a [Subnet],
}

/// What a change of `fixed_ips` comes to.
pub struct Change {
    pub fixed_ips: Vec<FixedIp>,
    /// Addresses to give back.
    pub gone: Vec<IpAddr>,
}

impl<'a> Holder<'a> {
    /// Addresses of a new port. Without a request: one IPv4 address, one of DHCPv6, and those that
    /// IPv6 hosts make themselves.
    pub fn allocate(
        &self,
        request: Option<&[FixedIpRequest]>,
        facts: &Facts,
    ) -> Result<Vec<FixedIp>, Stop> {
        let Some(request) = request else { return self.allocate_automatic(facts) };
        let mut wanted = self.resolve(request)?;
        if !wanted.is_empty() {
            self.add_self_made(&mut wanted);
        }
        self.take(&wanted, &[], facts)
    }

    /// Addresses of a port after an update: kept where the request allows, taken and given back only
    /// where it differs.
    pub fn change(
        &self,
        current: &[FixedIp],
        request: &[FixedIpRequest],
        facts: &Facts,
    ) -> Result<Change, Stop> {
        let wanted = self.resolve(request)?;
        let mut left = current.to_vec();
        let mut fixed_ips: Vec<Option<FixedIp>> = vec![None; wanted.len()];
        // Addresses that are named are kept before any is kept for an unnamed one.
        for (slot, item) in fixed_ips.iter_mut().zip(&wanted) {
            *slot = item.address.and_then(|a| extract(&mut left, |f| f.ip_address == a));
        }
        for (slot, item) in fixed_ips.iter_mut().zip(&wanted).filter(|(_, i)| i.address.is_none()) {
            *slot = extract(&mut left, |f| {
                f.subnet_id == item.subnet.id && self.still_fits(item.subnet, f.ip_address)
            });
        }
        let missing: Vec<Wanted<'_>> = wanted
            .iter()
            .zip(&fixed_ips)
            .filter(|(_, kept)| kept.is_none())
            .map(|(item, _)| *item)
            .collect();
        let mut taken = self.take(&missing, current, facts)?.into_iter();
        let mut fixed_ips: Vec<FixedIp> =
            fixed_ips.into_iter().filter_map(|kept| kept.or_else(|| taken.next())).collect();
        // What hosts make themselves stays, unless the port is to have no address at all.
        let (kept, gone): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|f| !request.is_empty() && self.is_self_made(f));
        fixed_ips.extend(kept);
        Ok(Change { fixed_ips, gone: gone.into_iter().map(|f| f.ip_address).collect() })
    }

    /// The addresses after the port's MAC address changed: those made from it change with it.
    pub fn follow_mac(&self, current: &[FixedIp], facts: &Facts) -> Result<Change, Stop> {
        let mut change = Change { fixed_ips: Vec::new(), gone: Vec::new() };
        for fixed_ip in current {
            match self.subnets.iter().find(|s| s.id == fixed_ip.subnet_id) {
                Some(subnet) if !self.still_fits(subnet, fixed_ip.ip_address) => {
                    let made = self.take_one(&Wanted { subnet, address: None }, &[], facts)?;
                    change.gone.push(fixed_ip.ip_address);
                    change.fixed_ips.push(made);
                }
                _ => change.fixed_ips.push(fixed_ip.clone()),
            }
        }
        Ok(change)
    }

    fn makes_its_own(&self, subnet: &Subnet) -> bool {
        subnet.is_auto_address() && !is_router_interface(self.device_owner)
    }

    fn still_fits(&self, subnet: &Subnet, address: IpAddr) -> bool {
        !self.makes_its_own(subnet) || address == eui64(subnet, self.mac_address)
    }

    fn is_self_made(&self, fixed_ip: &FixedIp) -> bool {
        self.subnets.iter().any(|s| {
            s.id == fixed_ip.subnet_id
                && self.makes_its_own(s)
                && fixed_ip.ip_address == eui64(s, self.mac_address)
        })
    }

    /// Subnets that are there for the port, those that are for its kind alone first.
    fn candidates(&self) -> Result<Vec<&Subnet>, Refusal> {
        let mut candidates: Vec<&Subnet> =
            self.subnets.iter().filter(|subnet| subnet.serves(self.device_owner)).collect();
        if candidates.is_empty() && !self.subnets.is_empty() {
            return Err(Refusal::IpAddressGenerationFailureNoMatchingSubnet {
                network_id: self.network_id.to_string(),
                service_type: self.device_owner.to_owned(),
            });
        }
        candidates.sort_by_key(|subnet| subnet.service_types.is_empty());
        Ok(candidates)
    }

    fn allocate_automatic(&self, facts: &Facts) -> Result<Vec<FixedIp>, Stop> {
        let mut fixed_ips = Vec::new();
        let usable = self.candidates()?;
        for version in [IpVersion::V4, IpVersion::V6] {
            let mut candidates = usable
                .iter()
                .filter(|s| s.ip_version == version && !s.is_auto_address())
                .peekable();
            if candidates.peek().is_none() {
                continue;
            }
            let mut found = None;
            for subnet in candidates {
                found = self.take_any(subnet, &[], facts)?;
                if found.is_some() {
                    break;
                }
            }
            fixed_ips.push(found.ok_or_else(|| self.exhausted())?);
        }
        let mut own = Vec::new();
        self.add_self_made(&mut own);
        fixed_ips.extend(self.take(&own, &[], facts)?);
        Ok(fixed_ips)
    }

    /// Adds the subnets on which the port makes its own address.
    fn add_self_made<'s>(&'s self, wanted: &mut Vec<Wanted<'s>>) {
        if self.device_owner == FLOATING_IP_OWNER {
            return;
        }
        let own = |s: &&Subnet| self.makes_its_own(s) && s.serves(self.device_owner);
        for subnet in self.subnets.iter().filter(own) {
            if !wanted.iter().any(|item| item.subnet.id == subnet.id) {
                wanted.push(Wanted { subnet, address: None });
            }
        }
    }

    /// Takes what is wanted, in its order; addresses that are named first, so that none of them is
    /// given away as any address.
    fn take(
        &self,
        wanted: &[Wanted<'_>],
        held: &[FixedIp],
        facts: &Facts,
    ) -> Result<Vec<FixedIp>, Stop> {
        let mut slots: Vec<Option<FixedIp>> = vec![None; wanted.len()];
        for named in [true, false] {
            for index in 0..wanted.len() {
                let item = &wanted[index];
                let exact = item.address.is_some() || self.makes_its_own(item.subnet);
                if exact == named {
                    let avoid: Vec<FixedIp> =
                        slots.iter().flatten().chain(held).cloned().collect();
                    slots[index] = match self.take_one(item, &avoid, facts) {
                        // A full subnet is no reason to leave the others without DHCP.
                        Err(Stop::Refuse(_)) if self.device_owner == DHCP_OWNER => None,
                        taken => Some(taken?),
                    };
                }
            }
        }
        Ok(slots.into_iter().flatten().collect())
    }

    fn take_one(
        &self,
        item: &Wanted<'_>,
        avoid: &[FixedIp],
        facts: &Facts,
    ) -> Result<FixedIp, Stop> {
        let own = || self.makes_its_own(item.subnet).then(|| eui64(item.subnet, self.mac_address));
        let Some(address) = item.address.or_else(own) else {
            return self.take_any(item.subnet, avoid, facts)?.ok_or_else(|| self.exhausted().into());
        };
        self.take_exact(item.subnet, address, facts)?.ok_or_else(|| {
            Refusal::IpAddressAlreadyAllocated {
                ip: address.to_string(),
                subnet_id: item.subnet.id.to_string(),
            }
            .into()
        })
    }

    fn take_exact(
        &self,
        subnet: &Subnet,
        address: IpAddr,
        facts: &Facts,
    ) -> Result<Option<FixedIp>, Stop> {
        let choice = AddressChoice::Exact(address);
        let taken = facts.allocate_address(subnet.id, self.network_id, self.port_id, choice)?;
        Ok(taken.map(|ip_address| FixedIp { subnet_id: subnet.id, ip_address }))
    }

    /// Any address of the pools. Those taken a moment ago are cut out of the ranges, so that this is
    /// a question of its own and not answered with the same address again.
    fn take_any(
        &self,
        subnet: &Subnet,
        avoid: &[FixedIp],
        facts: &Facts,
    ) -> Result<Option<FixedIp>, Stop> {
        let mut pools = subnet.allocation_pools.clone();
        for fixed_ip in avoid.iter().filter(|f| f.subnet_id == subnet.id) {
            pools = pools.into_iter().flat_map(|pool| pool.without(fixed_ip.ip_address)).collect();
        }
        if self.device_owner == DHCP_OWNER
            && let Some(first) = self.take_early(subnet, &pools, facts)?
        {
            return Ok(Some(first));
        }
        let ranges: Vec<_> = pools.iter().map(|pool| (pool.start, pool.end)).collect();
        if ranges.is_empty() {
            return Ok(None);
        }
        let choice = AddressChoice::Any(ranges);
        let taken = facts.allocate_address(subnet.id, self.network_id, self.port_id, choice)?;
        Ok(taken.map(|ip_address| FixedIp { subnet_id: subnet.id, ip_address }))
    }

    /// DHCP servers take the first free address, as in Neutron: whoever then asks for a certain one
    /// does not find it taken by chance.
    fn take_early(
        &self,
        subnet: &Subnet,
        pools: &[AllocationPool],
        facts: &Facts,
    ) -> Result<Option<FixedIp>, Stop> {
        const TRIES: usize = 8;
        for address in pools.iter().flat_map(AllocationPool::addresses).take(TRIES) {
            if let Some(taken) = self.take_exact(subnet, address, facts)? {
                return Ok(Some(taken));
            }
        }
        Ok(None)
    }

    fn exhausted(&self) -> Refusal {
        Refusal::IpAddressGenerationFailure { net_id: self.network_id.to_string() }
    }
}

fn extract(left: &mut Vec<FixedIp>, matches: impl Fn(&FixedIp) -> bool) -> Option<FixedIp> {
    let index = left.iter().position(matches)?;
    Some(left.remove(index))
}

/// The address that a host makes of the subnet's prefix and its MAC address (RFC 4291, appendix A).
pub fn eui64(subnet: &Subnet, mac_address: MacAddress) -> IpAddr {
    let MacAddress([a, b, c, d, e, f]) = mac_address;
    let interface = u64::from_be_bytes([a ^ 0x02, b, c, 0xff, 0xfe, d, e, f]);
    match subnet.cidr.network() {
        IpAddr::V6(prefix) => {
            let prefix = prefix.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(prefix | u128::from(interface)))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}
