//! What the items of `fixed_ips` mean: each names a subnet, an address, or both. Items in, subnets
//! and addresses or a refusal out; nothing is taken here.

use std::{collections::HashSet, net::IpAddr};

use navigator_model::SubnetId;
use serde::{Deserialize, Serialize};

use super::{FixedIp, Holder};
use crate::{Refusal, Subnet};

crate::json_attribute!(FixedIpRequest);

/// One item of `fixed_ips` as asked for: an address, a subnet to take one from, or both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixedIpRequest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet_id: Option<SubnetId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<IpAddr>,
}

impl From<FixedIp> for FixedIpRequest {
    fn from(fixed_ip: FixedIp) -> Self {
        Self { subnet_id: Some(fixed_ip.subnet_id), ip_address: Some(fixed_ip.ip_address) }
    }
}

/// A request item with its subnet found.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) subnet: &'a Subnet,
    pub(super) address: Option<IpAddr>,
}

impl<'a> Holder<'a> {
    pub(super) fn resolve(&self, request: &[FixedIpRequest]) -> Result<Vec<Wanted<'a>>, Refusal> {
        let mut seen = HashSet::new();
        for address in request.iter().filter_map(|item| item.ip_address) {
            if !seen.insert(address) {
                return Err(Refusal::invalid("fixed_ips", format!("Duplicate IP address '{address}'")));
            }
        }
        let mut wanted: Vec<Wanted<'a>> = Vec::new();
        for item in request {
            let item = self.resolve_one(item)?;
            // There is only one address to be made of a subnet and a MAC address.
            let again = |known: &Wanted<'_>| known.subnet.id == item.subnet.id;
            if !self.makes_its_own(item.subnet) || !wanted.iter().any(again) {
                wanted.push(item);
            }
        }
        Ok(wanted)
    }

    fn resolve_one(&self, item: &FixedIpRequest) -> Result<Wanted<'a>, Refusal> {
        let subnet = match (item.subnet_id, item.ip_address) {
            (Some(id), _) => self.subnets.iter().find(|s| s.id == id).ok_or_else(|| {
                invalid(format!(
                    "Failed to create port on network {}, because fixed_ips included invalid \
                     subnet {id}",
                    self.network_id
                ))
            })?,
            (None, Some(address)) => {
                self.subnets.iter().find(|s| s.cidr.contains(&address)).ok_or_else(|| {
                    Refusal::InvalidIpForNetwork { ip_address: address.to_string() }
                })?
            }
            (None, None) => {
                return Err(invalid("IP allocation requires subnet_id or ip_address".to_owned()));
            }
        };
        if let Some(address) = item.ip_address {
            self.check_address(subnet, address)?;
        }
        Ok(Wanted { subnet, address: item.ip_address })
    }

    fn check_address(&self, subnet: &Subnet, address: IpAddr) -> Result<(), Refusal> {
        if !subnet.has_host(address) {
            return Err(Refusal::InvalidIpForSubnet { ip_address: address.to_string() });
        }
        if !self.still_fits(subnet, address) {
            return Err(Refusal::AllocationOnAutoAddressSubnet {
                ip: address.to_string(),
                subnet_id: subnet.id.to_string(),
            });
        }
        Ok(())
    }
}

fn invalid(error_message: String) -> Refusal {
    Refusal::InvalidInput { error_message }
}
