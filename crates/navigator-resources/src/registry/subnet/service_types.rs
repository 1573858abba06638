//! Subnets that are for the ports of certain services only.

use super::Subnet;
use crate::{Refusal, registry::port::DHCP_OWNER};

/// What a service type begins with: the kinds of `device_owner`.
const KINDS: &[&str] = &["network:", "compute:", "baremetal:"];

/// More service types than this of one subnet are refused.
const MOST_SERVICE_TYPES: usize = 100;

impl Subnet {
    /// Whether a port of this owner gets an address here without asking for it. DHCP servers are
    /// where their clients are.
    pub fn serves(&self, device_owner: &str) -> bool {
        self.service_types.is_empty()
            || device_owner == DHCP_OWNER
            || self.service_types.iter().any(|known| known == device_owner)
    }

    pub(super) fn check_service_types(&self) -> Result<(), Refusal> {
        if self.service_types.len() > MOST_SERVICE_TYPES {
            let reason = format!("more than {MOST_SERVICE_TYPES} service types");
            return Err(Refusal::invalid("service_types", reason));
        }
        let unknown = |known: &&String| !KINDS.iter().any(|kind| known.starts_with(kind));
        match self.service_types.iter().find(unknown) {
            None => Ok(()),
            Some(service_type) => {
                Err(Refusal::InvalidSubnetServiceType { service_type: service_type.clone() })
            }
        }
    }
}
