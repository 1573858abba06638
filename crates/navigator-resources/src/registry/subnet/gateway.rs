//! What a subnet's gateway address means for routers that stand on the subnet.

use navigator_model::{ObjectKey, RouterId, Scope};

use super::Subnet;
use crate::{Facts, Port, Refusal, Stop, Writes, registry::port};

/// A router interface that holds the gateway's address keeps it: its clients' route leads there.
pub(super) fn check_not_in_use(subnet: &Subnet, facts: &Facts) -> Result<(), Stop> {
    let Some(gateway) = subnet.gateway_ip else { return Ok(()) };
    let holder = router_ports(subnet, facts)?
        .into_iter()
        .find(|port| port.fixed_ips.iter().any(|fixed_ip| fixed_ip.ip_address == gateway));
    match holder {
        Some(port) if port::is_router_interface(&port.device_owner.0) => {
            Err(Refusal::GatewayIpInUse {
                ip_address: gateway.to_string(),
                port_id: port.id.to_string(),
            }
            .into())
        }
        _ => Ok(()),
    }
}

/// Routers take their default route, and whether a client's replies come back to them, from the
/// subnet's gateway.
pub(super) fn touch_routers(
    subnet: &Subnet,
    facts: &Facts,
    writes: &mut Writes,
) -> Result<(), Stop> {
    for port in router_ports(subnet, facts)? {
        if let Ok(id) = port.device_id.0.parse::<RouterId>() {
            writes.touch(Scope::Router(id), ObjectKey::Router(id));
        }
    }
    Ok(())
}

/// Ports of routers that have an address of the subnet.
fn router_ports(subnet: &Subnet, facts: &Facts) -> Result<Vec<Port>, Stop> {
    let mut ports: Vec<Port> = Port::of_owners(subnet.network_id, port::ROUTER_OWNERS, facts)?;
    ports.retain(|port| port.fixed_ips.iter().any(|fixed_ip| fixed_ip.subnet_id == subnet.id));
    Ok(ports)
}
