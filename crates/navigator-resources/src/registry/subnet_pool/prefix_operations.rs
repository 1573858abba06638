//! `add_prefixes` and `remove_prefixes`: a pool grows and shrinks without naming all that it has.

use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::{SubnetPool, prefixes};
use crate::{AttributeValue, Context, Facts, Refusal, Stop, Writes};

/// The `prefixes` of a body.
fn named(body: &Map<String, Value>) -> Result<Vec<IpNet>, Refusal> {
    let missing = || Refusal::HTTPBadRequest {
        reason: "Failed to parse request. Required attribute 'prefixes' not specified".to_owned(),
    };
    let value = body.get("prefixes").ok_or_else(missing)?;
    Vec::from_json(value).map_err(|reason| Refusal::invalid("prefixes", reason))
}

fn shown(pool: &SubnetPool) -> Value {
    json!({ "prefixes": pool.prefixes.to_json() })
}

pub(super) fn add(
    current: &SubnetPool,
    body: &Map<String, Value>,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(Value, Writes), Stop> {
    let all: Vec<IpNet> = current.prefixes.iter().copied().chain(named(body)?).collect();
    let pool =
        SubnetPool { prefixes: SubnetPool::read_prefixes(&all)?.0, ..current.clone() };
    let writes = pool.change(current, facts, context)?;
    Ok((shown(&pool), writes))
}

/// What is not in the pool is no hindrance; what a subnet has stays.
pub(super) fn remove(
    current: &SubnetPool,
    body: &Map<String, Value>,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(Value, Writes), Stop> {
    let removed = named(body)?;
    let subnets = current.subnets(facts)?;
    let taken: Vec<IpNet> = subnets.iter().map(|subnet| subnet.cidr).collect();
    if prefixes::overlap(&taken, &removed) {
        let msg = "One or more the prefixes to be removed is in use by a subnet".to_owned();
        return Err(Refusal::IllegalSubnetPoolPrefixUpdate { msg }.into());
    }
    let left = prefixes::without(&current.prefixes, &removed);
    let pool = SubnetPool { prefixes: SubnetPool::read_prefixes(&left)?.0, ..current.clone() };
    let writes = pool.change(current, facts, context)?;
    Ok((shown(&pool), writes))
}
