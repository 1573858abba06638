//! How many addresses networks and subnets have and how many of them are in use: other looks at the
//! tables of networks, subnets and addresses. They are only read.

use std::net::IpAddr;

use ipnet::IpNet;
use navigator_model::{NetworkId, ProjectId, SubnetId};

use crate::{
    Resource,
    attribute::Text,
    registry::{
        subnet::{AllocationPool, IpVersion},
        subnet_pool::prefixes,
    },
};

/// A network whose addresses are counted.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "network_ip_availability",
    collection = "network_ip_availabilities",
    class = "Network",
    table = "networks",
    extension = "network-ip-availability",
    without(create, update, delete)
)]
pub struct NetworkUsage {
    #[field(id, name = "network_id", filter, sort)]
    pub id: NetworkId,
    #[field(name = "network_name", filter)]
    pub name: Text<255>,
    #[field(filter)]
    pub project_id: ProjectId,
    #[field(
        internal,
        computed = "EXISTS (SELECT 1 FROM subnets s WHERE s.network_id = networks.id AND s.ip_version = 4)"
    )]
    pub has_ipv4: bool,
    #[field(
        internal,
        computed = "EXISTS (SELECT 1 FROM subnets s WHERE s.network_id = networks.id AND s.ip_version = 6)"
    )]
    pub has_ipv6: bool,
    #[field(
        internal,
        computed = "EXISTS (SELECT 1 FROM subnets s WHERE s.network_id = networks.id)"
    )]
    pub has_subnets: bool,
}

/// A subnet whose addresses are counted.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "subnet_ip_availability",
    collection = "subnet_ip_availabilities",
    class = "Subnet",
    table = "subnets",
    extension = "network-ip-availability",
    without(create, update, delete)
)]
pub struct SubnetUsage {
    #[field(id, name = "subnet_id")]
    pub id: SubnetId,
    #[field(name = "subnet_name")]
    pub name: Text<255>,
    #[field(filter)]
    pub network_id: NetworkId,
    #[field(filter)]
    pub ip_version: IpVersion,
    pub cidr: IpNet,
    #[field(internal)]
    pub allocation_pools: Vec<AllocationPool>,
    /// Those in use, with spaces between them.
    #[field(
        internal,
        computed = "(SELECT string_agg(a.ip_address, ' ') FROM ip_allocations a WHERE a.subnet_id = subnets.id)"
    )]
    pub used: Option<String>,
}

/// Addresses of a subnet, or of all subnets of a network: in the whole prefix, and in the pools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddressCounts {
    pub total_in_subnet: u128,
    pub total_in_pools: u128,
    pub used_in_subnet: u128,
    pub used_in_pools: u128,
}

impl std::iter::Sum for AddressCounts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |sum, one| Self {
            total_in_subnet: sum.total_in_subnet.saturating_add(one.total_in_subnet),
            total_in_pools: sum.total_in_pools.saturating_add(one.total_in_pools),
            used_in_subnet: sum.used_in_subnet + one.used_in_subnet,
            used_in_pools: sum.used_in_pools + one.used_in_pools,
        })
    }
}

impl SubnetUsage {
    /// How many addresses are given to ports: those of the pools, or all where there are none.
    pub fn total_ips(&self) -> u128 {
        if self.allocation_pools.is_empty() {
            return prefixes::size(&self.cidr);
        }
        self.pooled()
    }

    /// With what no port can have: a prefix of IPv4 has two addresses of its own, unless it is too
    /// small for that.
    pub fn counts(&self) -> AddressCounts {
        let own =
            if self.ip_version == IpVersion::V4 && self.cidr.prefix_len() < 31 { 2 } else { 0 };
        let in_pool = |address: &&str| -> bool {
            let address = address.parse::<IpAddr>();
            address.is_ok_and(|at| self.allocation_pools.iter().any(|pool| pool.contains(at)))
        };
        AddressCounts {
            total_in_subnet: prefixes::size(&self.cidr) - own,
            total_in_pools: self.pooled(),
            used_in_subnet: self.addresses().count() as u128,
            used_in_pools: self.addresses().filter(in_pool).count() as u128,
        }
    }

    fn pooled(&self) -> u128 {
        self.allocation_pools.iter().fold(0, |sum, pool| sum.saturating_add(pool.size()))
    }

    fn addresses(&self) -> impl Iterator<Item = &str> {
        self.used.iter().flat_map(|used| used.split(' '))
    }
}

/// A subnet of an external network that floating IPs come from.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "floatingip_pool",
    collection = "floatingip_pools",
    class = "FloatingIPPool",
    table = "subnets",
    extension = "floatingip-pools",
    without(create, update, delete)
)]
pub struct FloatingIpPool {
    #[field(id, name = "subnet_id", filter, sort)]
    pub id: SubnetId,
    #[field(name = "subnet_name", filter, sort)]
    pub name: Text<255>,
    #[field(filter, sort)]
    pub network_id: NetworkId,
    #[field(filter, sort)]
    pub cidr: IpNet,
    #[field(filter, sort)]
    pub project_id: ProjectId,
    #[field(internal)]
    pub ip_version: IpVersion,
    #[field(
        internal,
        computed = "(SELECT n.external FROM networks n WHERE n.id = subnets.network_id)"
    )]
    pub external: bool,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::AttributeValue;

    #[test]
    fn totals_are_those_of_the_pools_and_exceed_64_bits() {
        let usage = |cidr: &str, pools: serde_json::Value| SubnetUsage {
            id: SubnetId(uuid::Uuid::nil()),
            name: Text::default(),
            network_id: NetworkId(uuid::Uuid::nil()),
            ip_version: IpVersion::V6,
            cidr: cidr.parse().unwrap(),
            allocation_pools: Vec::from_json(&pools).unwrap(),
            used: None,
        };
        let pools = json!([{"start": "10.0.0.2", "end": "10.0.0.10"},
                           {"start": "10.0.0.20", "end": "10.0.0.20"}]);
        assert_eq!(usage("10.0.0.0/24", pools).total_ips(), 10);
        assert_eq!(usage("10.0.0.0/24", json!([])).total_ips(), 256);
        let large = json!([{"start": "2001:db8::1", "end": "2001:db8::ffff:ffff:ffff:ffff:ffff"}]);
        assert_eq!(usage("2001:db8::/48", large).total_ips(), (1 << 80) - 1);
    }

    #[test]
    fn what_is_used_is_counted_in_the_prefix_and_in_its_pools() {
        let subnet = |cidr: &str, used: &str| SubnetUsage {
            id: SubnetId(uuid::Uuid::nil()),
            name: Text::default(),
            network_id: NetworkId(uuid::Uuid::nil()),
            ip_version: if cidr.contains(':') { IpVersion::V6 } else { IpVersion::V4 },
            cidr: cidr.parse().unwrap(),
            allocation_pools: Vec::from_json(&json!([{"start": "10.0.0.2", "end": "10.0.0.9"}]))
                .unwrap(),
            used: Some(used.to_owned()),
        };
        let counts = |total_in_subnet, used_in_subnet, used_in_pools| AddressCounts {
            total_in_subnet,
            total_in_pools: 8,
            used_in_subnet,
            used_in_pools,
        };
        let of = |cidr, used| subnet(cidr, used).counts();
        assert_eq!(of("10.0.0.0/24", "10.0.0.1 10.0.0.2 10.0.0.9"), counts(254, 3, 2));
        assert_eq!(of("10.0.0.0/31", "10.0.0.1"), counts(2, 1, 0));
        assert_eq!(of("2001:db8::/64", "2001:db8::1"), counts(1 << 64, 1, 0));
    }
}
