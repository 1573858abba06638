//! A subnet's prefix, IP version, IPv6 modes and gateway as a POST gives them: what is missing is
//! computed, what does not fit is refused. Messages are Neutron's.

use std::net::IpAddr;

use navigator_model::SubnetId;
use serde_json::Value;

use super::{Subnet, SubnetCreate, origin::Origin, pools};
use crate::{
    AttributeValue, Context, Network, Refusal, SqlType, SqlValue, Standard,
    attribute::quoted,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IpVersion {
    V4,
    V6,
}

impl IpVersion {
    pub fn number(self) -> i64 {
        match self {
            Self::V4 => 4,
            Self::V6 => 6,
        }
    }

    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

impl AttributeValue for IpVersion {
    const SQL: SqlType = SqlType::Int;

    fn from_json(value: &Value) -> Result<Self, String> {
        match i64::from_json(value) {
            Ok(4) => Ok(Self::V4),
            Ok(6) => Ok(Self::V6),
            _ => Err(format!("'{}' is not in [4, 6]", quoted(value))),
        }
    }

    fn to_json(&self) -> Value {
        Value::from(self.number())
    }

    fn to_sql(&self) -> SqlValue {
        SqlValue::Int(self.number())
    }

    fn from_sql(value: &SqlValue) -> Result<Self, String> {
        match value {
            SqlValue::Int(4) => Ok(Self::V4),
            SqlValue::Int(6) => Ok(Self::V6),
            other => Err(format!("unexpected stored value {other:?}")),
        }
    }
}

crate::word_attribute! {
    /// How IPv6 hosts get their addresses.
    pub enum AddressMode {
        DhcpStateful => "dhcpv6-stateful",
        DhcpStateless => "dhcpv6-stateless",
        Slaac => "slaac",
    }
}

pub(super) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::InvalidInput { error_message: message.into() }
}

impl Subnet {
    /// The subnet as asked for, with gateway and pools computed where they were not named.
    pub(super) fn from_input(
        input: &SubnetCreate,
        network: &Network,
        Origin { cidr, subnetpool_id }: Origin,
        context: &Context<'_>,
    ) -> Result<Self, Refusal> {
        let gateway_ip = input.gateway_ip.unwrap_or_else(|| pools::default_gateway(&cidr));
        let allocation_pools = input
            .allocation_pools
            .clone()
            .unwrap_or_else(|| pools::default_pools(&cidr, gateway_ip));
        Ok(Self {
            id: SubnetId(context.uuid("subnet")),
            name: input.name.clone(),
            network_id: network.id,
            ip_version: input.ip_version,
            subnetpool_id,
            use_default_subnetpool: None,
            prefixlen: None,
            cidr,
            gateway_ip,
            allocation_pools,
            dns_nameservers: input.dns_nameservers.clone(),
            host_routes: input.host_routes.clone(),
            enable_dhcp: input.enable_dhcp,
            ipv6_ra_mode: input.ipv6_ra_mode.flatten(),
            ipv6_address_mode: input.ipv6_address_mode.flatten(),
            service_types: input.service_types.clone(),
            dns_publish_fixed_ip: input.dns_publish_fixed_ip,
            segment_id: input.segment_id.flatten(),
            external: network.external,
            shared: network.shared,
            standard: Standard::new(
                input.standard.project_id.clone(),
                input.standard.description.clone(),
                context.now,
            ),
        })
    }

    /// Everything that can be said without looking at other objects.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        self.check_prefix()?;
        self.check_modes()?;
        self.check_gateway()?;
        pools::check(&self.cidr, &self.allocation_pools)?;
        if let Some(gateway) = self.gateway_ip {
            pools::check_gateway(gateway, &self.allocation_pools)?;
        }
        self.check_service_types()?;
        self.check_limits()
    }

    fn check_prefix(&self) -> Result<(), Refusal> {
        let (cidr, address) = (self.cidr, self.cidr.network());
        if IpVersion::of(address) != self.ip_version {
            let version = self.ip_version.number();
            return Err(invalid(format!("cidr '{cidr}' does not match the ip_version '{version}'")));
        }
        if cidr.prefix_len() == 0 {
            return Err(invalid("0 is not allowed as CIDR prefix length"));
        }
        if address.is_multicast() || address.is_loopback() || address.is_unspecified() {
            return Err(invalid(format!("cidr '{cidr}' cannot be used for hosts")));
        }
        // Two addresses and fewer leave none for the DHCP server. Who cuts from a pool has been
        // told by the pool how small a subnet may be.
        if self.subnetpool_id.is_none()
            && self.enable_dhcp
            && cidr.max_prefix_len() - cidr.prefix_len() < 2 {
            return Err(invalid(
                "Subnet has a prefix length that is incompatible with DHCP service enabled",
            ));
        }
        Ok(())
    }

    fn check_modes(&self) -> Result<(), Refusal> {
        let (ra, address) = (self.ipv6_ra_mode, self.ipv6_address_mode);
        if ra.is_none() && address.is_none() {
            return Ok(());
        }
        if self.ip_version == IpVersion::V4 {
            return Err(invalid(
                "ipv6_ra_mode or ipv6_address_mode cannot be set when ip_version is set to 4",
            ));
        }
        if !self.enable_dhcp {
            return Err(invalid(
                "ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False",
            ));
        }
        if let (Some(ra), Some(address)) = (ra, address)
            && ra != address
        {
            return Err(invalid(format!(
                "ipv6_ra_mode set to '{ra}' with ipv6_address_mode set to '{address}' is not \
                 valid. If both attributes are set, they must be the same value"
            )));
        }
        if self.is_auto_address() && self.cidr.prefix_len() != 64 {
            return Err(invalid(format!(
                "Invalid CIDR {} for IPv6 address mode. OpenStack uses the EUI-64 address format, \
                 which requires the prefix to be /64",
                self.cidr
            )));
        }
        Ok(())
    }

    /// An IPv6 gateway may be link-local; other than that a gateway is a host of the subnet.
    fn check_gateway(&self) -> Result<(), Refusal> {
        let Some(gateway) = self.gateway_ip else { return Ok(()) };
        if IpVersion::of(gateway) != self.ip_version {
            let version = self.ip_version.number();
            return Err(invalid(format!(
                "gateway_ip '{gateway}' does not match the ip_version '{version}'"
            )));
        }
        let unusable =
            gateway.is_unspecified() || gateway.is_multicast() || gateway.is_loopback();
        let outside = gateway.is_ipv4() && !self.cidr.contains(&gateway);
        if unusable || outside || pools::is_reserved(&self.cidr, gateway) {
            return Err(invalid("Gateway is not valid on subnet"));
        }
        Ok(())
    }
}

/// What the network's other subnets and its MTU allow.
pub(super) fn check_network(
    network: &Network,
    subnet: &Subnet,
    others: &[Subnet],
) -> Result<(), Refusal> {
    let overlaps = |other: &&Subnet| {
        let (a, b) = (&subnet.cidr, &other.cidr);
        a.contains(&b.network()) || b.contains(&a.network())
    };
    if let Some(other) = others.iter().find(overlaps) {
        return Err(invalid(format!(
            "Requested subnet with cidr: {} for network: {} overlaps with another subnet: {}",
            subnet.cidr, network.id, other.cidr
        )));
    }
    network.check_mtu_for(subnet)
}
