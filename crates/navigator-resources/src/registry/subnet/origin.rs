//! Where a new subnet's prefix comes from: the request names it, or a pool gives it.

use ipnet::IpNet;

use super::{SubnetCreate, addressing::IpVersion};
use crate::{
    AttributeValue, Context, Facts, Refusal, Stop,
    attribute::Text,
    registry::subnet_pool::{SubnetPool, SubnetPoolId, Wish},
};

pub(super) struct Origin {
    pub(super) cidr: IpNet,
    pub(super) subnetpool_id: Option<SubnetPoolId>,
}

fn bad(msg: impl Into<String>) -> Refusal {
    Refusal::BadRequest { resource: "subnets".to_owned(), msg: msg.into() }
}

/// The prefix of a POST. If it is a pool's, the pool stays locked.
pub(super) fn settle(
    input: &SubnetCreate,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Origin, Stop> {
    let (cidr, length) = (input.cidr.flatten(), input.prefixlen.flatten());
    if cidr.is_some() && length.is_some() {
        return Err(bad("cidr and prefixlen must not be supplied together").into());
    }
    let Some(id) = pool(input, cidr, facts, context)? else {
        let cidr =
            cidr.ok_or_else(|| bad("a subnetpool must be specified in the absence of a cidr"))?;
        return Ok(Origin { cidr, subnetpool_id: None });
    };
    if cidr.is_none() && input.allocation_pools.is_some() {
        return Err(bad("allocation_pools allowed only for specific subnet requests.").into());
    }
    let wish = cidr.map_or(Wish::Length(length), Wish::Prefix);
    let project_id = &input.standard.project_id;
    let cidr = SubnetPool::cut(id, wish, input.ip_version, project_id, facts, context)?;
    Ok(Origin { cidr, subnetpool_id: Some(id) })
}

/// The pool that is named or meant.
fn pool(
    input: &SubnetCreate,
    cidr: Option<IpNet>,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Option<SubnetPoolId>, Stop> {
    match (input.subnetpool_id.iter().flatten().next(), input.use_default_subnetpool) {
        (Some(_), true) => {
            Err(bad("subnetpool_id and use_default_subnetpool cannot both be specified").into())
        }
        (Some(id), false) => Ok(Some(named(id)?)),
        (None, false) => Ok(None),
        (None, true) => {
            let version = cidr.map_or(input.ip_version, |cidr| IpVersion::of(cidr.addr()));
            let pool = SubnetPool::default_of(version, facts, context.caller)?;
            let missing =
                || bad(format!("No default subnetpool found for IPv{}", version.number()));
            Ok(Some(pool.ok_or_else(missing)?.id))
        }
    }
}

fn named(id: &Text<64>) -> Result<SubnetPoolId, Refusal> {
    // Neutron's word for prefixes that an upstream router delegates.
    if id.0 == "prefix_delegation" {
        return Err(bad("IPv6 prefix delegation is not supported"));
    }
    SubnetPoolId::from_json(&id.to_json())
        .map_err(|reason| Refusal::invalid("subnetpool_id", reason))
}
