//! Deleting a subnet. Addresses that nobody asked for (DHCP servers', those that hosts made
//! themselves) go with it; any other address keeps it.

use navigator_model::{ObjectKey, Scope};

use super::Subnet;
use crate::{
    Context, Facts, Network, Port, Refusal, Select, Stop, Writes, dhcp_scheduling, registry::port,
};

pub(super) fn delete(
    current: &Subnet,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Writes, Stop> {
    let network_id = current.network_id;
    let network = facts.lock::<Network>(network_id)?;
    let mut writes = Writes::new();
    let ports: Vec<Port> = facts.list(Select::eq("network_id", network_id.to_string()))?;
    let holders = ports.into_iter().filter(|port| port.has_address_of(current.id));
    for holder in holders.filter(|port| port.device_owner.0 != port::DHCP_OWNER) {
        if !current.is_auto_address() || port::is_router_interface(&holder.device_owner.0) {
            return Err(in_use(current).into());
        }
        writes.append(port::withdraw(&holder, current.id, facts)?);
    }
    if let Some(network) = network {
        let mut subnets = Subnet::of(network_id, facts)?;
        subnets.retain(|subnet| subnet.id != current.id);
        writes.append(dhcp_scheduling::place_network(&network, &subnets, facts, context)?);
    }
    writes.delete::<Subnet>(current.id).bump::<Network>(network_id);
    writes.touch(Scope::Network(network_id), ObjectKey::Network(network_id));
    Ok(writes)
}

fn in_use(subnet: &Subnet) -> Refusal {
    Refusal::SubnetInUse {
        subnet_id: subnet.id.to_string(),
        reason: "One or more ports have an IP allocation from this subnet.".to_owned(),
    }
}
