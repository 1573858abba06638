//! Which subnets a router serves, from its interface ports.

use navigator_model::{RouterId, SubnetId};

use crate::{Facts, Port, Select, Stop, registry::port::ROUTER_INTERFACE_OWNER};

/// The interface ports of a router.
pub(crate) fn router_interfaces(router_id: RouterId, facts: &Facts) -> Result<Vec<Port>, Stop> {
    // By the device alone: a router has few ports, the cloud has many with this owner.
    let mut ports: Vec<Port> = facts.list(Select::eq("device_id", router_id.to_string()))?;
    ports.retain(|port| port.device_owner.0 == ROUTER_INTERFACE_OWNER);
    Ok(ports)
}

/// Whether one of the ports has an address of the subnet.
pub(crate) fn is_attached(interfaces: &[Port], subnet_id: SubnetId) -> bool {
    interfaces.iter().flat_map(|port| &port.fixed_ips).any(|fixed| fixed.subnet_id == subnet_id)
}
