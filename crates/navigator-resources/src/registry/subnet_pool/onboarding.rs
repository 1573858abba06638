//! `onboard_network_subnets`: the subnets that a network has already become a pool's, as if they had
//! been cut from it.
//!
//! A pool takes only what its owner could have cut from it: the network and each subnet must be the
//! caller's own. Otherwise a pool's owner could draw anybody's subnets into the own address scope.

use ipnet::IpNet;
use navigator_model::NetworkId;
use serde_json::{Map, Value, json};

use super::{SubnetPool, prefixes};
use crate::{AttributeValue, Context, Facts, Network, Refusal, Stop, Subnet, Writes};

/// `{"network_id": …}`
pub(super) fn onboard(
    current: &SubnetPool,
    body: &Map<String, Value>,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(Value, Writes), Stop> {
    let network = owned_network(body, facts, context)?;
    let mut subnets = Subnet::of(network.id, facts)?;
    subnets.retain(|subnet| subnet.ip_version == current.ip_version);
    if subnets.iter().any(|subnet| !context.caller.owns(&subnet.standard.project_id)) {
        return Err(denied().into());
    }
    let answer = shown(&subnets);
    // Those that are in the pool already stay there.
    subnets.retain(|subnet| subnet.subnetpool_id != Some(current.id));
    check_free(current, &subnets, facts)?;

    let cidrs = subnets.iter().map(|subnet| subnet.cidr);
    let all: Vec<IpNet> = current.prefixes.iter().copied().chain(cidrs).collect();
    let pool = SubnetPool { prefixes: SubnetPool::read_prefixes(&all)?.0, ..current.clone() };
    let mut writes = pool.change(current, facts, context)?;
    for mut subnet in subnets {
        subnet.subnetpool_id = Some(pool.id);
        writes.update(&subnet);
    }
    Ok((answer, writes))
}

fn denied() -> Refusal {
    Refusal::PolicyNotAuthorized { action: "onboard_network_subnets".to_owned() }
}

fn shown(subnets: &[Subnet]) -> Value {
    subnets.iter().map(|s| json!({"id": s.id.to_string(), "cidr": s.cidr.to_string()})).collect()
}

/// The network, held, so that no subnet comes or goes meanwhile.
fn owned_network(
    body: &Map<String, Value>,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Network, Stop> {
    let value = body.get("network_id").unwrap_or(&Value::Null);
    let id: Option<NetworkId> =
        Option::from_json(value).map_err(|reason| Refusal::invalid("network_id", reason))?;
    let id = id.ok_or_else(|| Refusal::InvalidInput {
        error_message: "network_id must be specified".to_owned(),
    })?;
    let network = facts
        .lock::<Network>(id)?
        .filter(|network| network.is_visible_to(context.caller))
        .ok_or_else(|| Refusal::not_found::<Network>(id))?;
    if !context.caller.owns(&network.standard.project_id) {
        return Err(denied().into());
    }
    Ok(network)
}

/// None of them is another pool's, and nothing of them has been cut from this one.
fn check_free(pool: &SubnetPool, subnets: &[Subnet], facts: &Facts) -> Result<(), Stop> {
    let cut = pool.subnets(facts)?;
    let cut: Vec<IpNet> = cut.iter().map(|subnet| subnet.cidr).collect();
    for subnet in subnets {
        let reason = if let Some(other) = subnet.subnetpool_id {
            format!("Onboarding subnet {}: it is allocated from subnet pool {other}", subnet.id)
        } else if prefixes::overlap(&cut, &[subnet.cidr]) {
            format!(
                "Onboarding subnet {}: {} conflicts with allocated prefixes in subnet pool {}",
                subnet.id, subnet.cidr, pool.id
            )
        } else {
            continue;
        };
        return Err(Refusal::IllegalSubnetPoolUpdate { reason }.into());
    }
    Ok(())
}
