//! Cutting a subnet's prefix from a pool.

use ipnet::IpNet;
use navigator_model::ProjectId;

use super::{PrefixLength, SubnetPool, SubnetPoolId, prefixes};
use crate::{Context, Facts, Refusal, Stop, registry::subnet::IpVersion};

/// What a subnet wants of a pool.
#[derive(Clone, Copy, Debug)]
pub enum Wish {
    Prefix(IpNet),
    /// Any prefix of this length, or of the pool's default length.
    Length(Option<u32>),
}

impl SubnetPool {
    /// A prefix for a project's subnet that no other subnet of the pool has. The pool stays locked
    /// until the subnet is written.
    pub fn cut(
        id: SubnetPoolId,
        wish: Wish,
        version: IpVersion,
        project_id: &ProjectId,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<IpNet, Stop> {
        let pool = facts
            .lock::<Self>(id)?
            .filter(|pool| pool.is_visible_to(context.caller))
            .ok_or_else(|| Refusal::not_found::<Self>(id))?;
        if pool.ip_version != version {
            let (wanted, has) = (version.number(), pool.ip_version.number());
            return Err(Refusal::BadRequest {
                resource: "subnets".to_owned(),
                msg: format!("Cannot allocate IPv{wanted} subnet from IPv{has} subnet pool"),
            }
            .into());
        }
        let length = match wish {
            Wish::Prefix(prefix) => u32::from(prefix.prefix_len()),
            Wish::Length(length) => length.unwrap_or(pool.default_prefixlen.0),
        };
        let length = pool.check_length(length)?;
        let subnets = pool.subnets(facts)?;
        let taken: Vec<IpNet> = subnets.iter().map(|subnet| subnet.cidr).collect();
        let of_project = subnets.iter().filter(|s| s.standard.project_id == *project_id);
        pool.check_quota(length, of_project.map(|subnet| subnet.cidr))?;
        pool.choose(wish, length, &taken).map_err(Stop::from)
    }

    fn check_length(&self, length: u32) -> Result<u8, Refusal> {
        let prefixlen = length.to_string();
        if PrefixLength(length) < self.min_prefixlen {
            let min_prefixlen = self.min_prefixlen.0.to_string();
            return Err(Refusal::MinPrefixSubnetAllocationError { prefixlen, min_prefixlen });
        }
        let too_long = || Refusal::MaxPrefixSubnetAllocationError {
            prefixlen: prefixlen.clone(),
            max_prefixlen: self.max_prefixlen.0.to_string(),
        };
        if PrefixLength(length) > self.max_prefixlen {
            return Err(too_long());
        }
        u8::try_from(length).map_err(|_| too_long())
    }

    fn check_quota(
        &self,
        length: u8,
        taken: impl Iterator<Item = IpNet>,
    ) -> Result<(), Refusal> {
        let Some(quota) = self.default_quota else { return Ok(()) };
        let unit_bits = match self.ip_version {
            IpVersion::V4 => 0,
            IpVersion::V6 => 64,
        };
        let bits = PrefixLength::max(self.ip_version).0 - u32::from(length);
        let wanted = 1_u128.checked_shl(bits).unwrap_or(u128::MAX);
        let used = taken
            .fold(0_u128, |sum, prefix| sum.saturating_add(prefixes::size(&prefix)))
            .saturating_add(wanted);
        if used > u128::from(quota) << unit_bits {
            return Err(Refusal::SubnetPoolQuotaExceeded {});
        }
        Ok(())
    }

    fn choose(&self, wish: Wish, length: u8, taken: &[IpNet]) -> Result<IpNet, Refusal> {
        let refused = |reason: String| Refusal::SubnetAllocationError { reason };
        match wish {
            Wish::Prefix(prefix) => {
                let free = prefixes::cover(&self.prefixes, &[prefix])
                    && !prefixes::overlap(taken, &[prefix]);
                let reason = "Cannot allocate requested subnet from the available set of prefixes";
                free.then_some(prefix).ok_or_else(|| refused(reason.to_owned()))
            }
            Wish::Length(_) => prefixes::take(&self.prefixes, taken, length).ok_or_else(|| {
                refused(format!("Insufficient prefix space to allocate subnet size /{length}"))
            }),
        }
    }
}
