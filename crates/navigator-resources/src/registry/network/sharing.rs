//! Who uses a network of somebody else's, and who may.

use navigator_model::{ProjectId, RouterId};

use super::Network;
use crate::{
    Context, Facts, FloatingIp, Port, RbacPolicy, Refusal, Resource as _, Router, Select, SqlValue,
    Stop, Subnet, Writes,
    registry::{
        port,
        rbac_policy::{Action, EVERYBODY, check_covered},
    },
};

/// Everybody may use the external network.
pub(super) fn open(
    network: &Network,
    context: &Context<'_>,
    writes: &mut Writes,
) -> Result<(), Stop> {
    let owner = network.standard.project_id.clone();
    let policy = RbacPolicy::for_everybody(network, Action::External, owner, context)?;
    writes.insert(&policy);
    Ok(())
}

/// What was an external network is so for nobody.
pub(super) fn close(network: &Network, facts: &Facts, writes: &mut Writes) -> Result<(), Stop> {
    for policy in RbacPolicy::of(&network.id(), Action::External, facts)? {
        writes.delete::<RbacPolicy>(policy.id);
    }
    Ok(())
}

pub(super) fn users(
    network: &Network,
    action: Action,
    facts: &Facts,
) -> Result<Vec<ProjectId>, Stop> {
    match action {
        Action::Shared => sharers(network, facts),
        Action::External => outward(network, facts),
    }
}

/// Gateways and floating IPs stand on external networks by right, DHCP servers belong to the
/// network.
fn sharers(network: &Network, facts: &Facts) -> Result<Vec<ProjectId>, Stop> {
    let by_right = [port::DHCP_OWNER, port::ROUTER_GATEWAY_OWNER, port::FLOATING_IP_OWNER];
    let ports: Vec<Port> = facts.list(Select::eq("network_id", network.id()))?;
    let ports = ports.into_iter().filter(|port| !by_right.contains(&port.device_owner.0.as_str()));
    let subnets = Subnet::of(network.id, facts)?.into_iter();
    let ports = ports.map(|port| port.standard.project_id);
    Ok(ports.chain(subnets.map(|subnet| subnet.standard.project_id)).collect())
}

/// Who has a gateway or a floating IP there.
fn outward(network: &Network, facts: &Facts) -> Result<Vec<ProjectId>, Stop> {
    let gateways = Port::of_owners(network.id, &[port::ROUTER_GATEWAY_OWNER], facts)?;
    let ids = gateways.iter().filter_map(|port| port.device_id.0.parse::<RouterId>().ok());
    let routers = Select::any("id", ids.map(|id| SqlValue::from(id.to_string())));
    let routers = facts.list::<Router>(routers)?.into_iter();
    let floating_ips = Select::eq("floating_network_id", network.id());
    let floating_ips = facts.list::<FloatingIp>(floating_ips)?.into_iter();
    let routers = routers.map(|router| router.standard.project_id);
    Ok(routers.chain(floating_ips.map(|floating_ip| floating_ip.standard.project_id)).collect())
}

/// Nobody else may be left on a network that is no longer everybody's, but those with whom it is
/// shared by name.
pub(super) fn check_unshared(network: &Network, facts: &Facts) -> Result<(), Stop> {
    let mut users = sharers(network, facts)?;
    users.retain(|user| !user.0.is_empty() && *user != network.standard.project_id);
    let mut policies = RbacPolicy::of(&network.id(), Action::Shared, facts)?;
    policies.retain(|policy| policy.target_project.0 != EVERYBODY);
    check_covered(&network.id(), &users, &policies).map_err(|_| {
        Refusal::InvalidSharedSetting { network: network.name.0.clone() }.into()
    })
}
