//! `allowed_address_pairs`: further addresses that a port may send from.

use std::{collections::HashSet, fmt, net::IpAddr};

use ipnet::IpNet;
use navigator_model::MacAddress;
use serde::{Deserialize, Serialize};

use super::Port;
use crate::{Context, Refusal};

crate::json_attribute!(AddressPair, AddressPairRequest);

/// An address or a prefix, as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected an IP address or prefix")]
pub enum AddressOrPrefix {
    Address(IpAddr),
    Prefix(IpNet),
}

impl fmt::Display for AddressOrPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Prefix(prefix) => prefix.fmt(f),
        }
    }
}

impl AddressOrPrefix {
    fn canonical(self) -> Self {
        match self {
            Self::Prefix(prefix) => Self::Prefix(prefix.trunc()),
            address @ Self::Address(_) => address,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressPair {
    pub ip_address: AddressOrPrefix,
    pub mac_address: MacAddress,
}

/// Without a MAC address the port's own is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressPairRequest {
    pub ip_address: AddressOrPrefix,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac_address: Option<MacAddress>,
}

impl Port {
    /// Sets the pairs asked for, if any were; checks those that it then has.
    pub(super) fn set_address_pairs(
        &mut self,
        request: Option<&[AddressPairRequest]>,
        context: &Context<'_>,
    ) -> Result<(), Refusal> {
        if let Some(request) = request {
            let most = context.settings.max_allowed_address_pairs;
            if request.len() > most {
                return Err(Refusal::AllowedAddressPairExhausted { quota: most.to_string() });
            }
            self.allowed_address_pairs = self.resolve_pairs(request)?;
        }
        if !self.port_security_enabled && !self.allowed_address_pairs.is_empty() {
            return Err(Refusal::AddressPairAndPortSecurityRequired {});
        }
        Ok(())
    }

    fn resolve_pairs(&self, request: &[AddressPairRequest]) -> Result<Vec<AddressPair>, Refusal> {
        let mut seen = HashSet::new();
        let resolve = |item: &AddressPairRequest| {
            let pair = AddressPair {
                ip_address: item.ip_address.canonical(),
                mac_address: item.mac_address.unwrap_or(self.mac_address),
            };
            if seen.insert(pair) {
                return Ok(pair);
            }
            Err(Refusal::DuplicateAddressPairInRequest {
                mac_address: pair.mac_address.to_string(),
                ip_address: pair.ip_address.to_string(),
            })
        };
        request.iter().map(resolve).collect()
    }
}
