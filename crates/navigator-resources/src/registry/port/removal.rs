//! What a port's changes mean for others: agents hear of them, and what led to an address that is
//! gone (floating IPs, port forwardings) goes in the same writes.

use std::net::IpAddr;

use navigator_model::{ObjectKey, RouterId, Scope};

use super::{Change, FLOATING_IP_OWNER, Port, ROUTER_OWNERS};
use crate::{Facts, Stop, Write, Writes, forwarding::forget_fixed_ips, registry::trunk};

/// Tells the agents of the port's network, and of its router, that it changed.
pub fn touch(port: &Port, writes: &mut Writes) {
    if port.device_owner.0 == FLOATING_IP_OWNER {
        // Keeps an address and is on no wire: what is to be done is the floating IP's router's.
        return;
    }
    writes.touch(Scope::Network(port.network_id), ObjectKey::Port(port.id));
    if ROUTER_OWNERS.contains(&port.device_owner.0.as_str())
        && let Ok(id) = port.device_id.0.parse::<RouterId>()
    {
        writes.touch(Scope::Router(id), ObjectKey::Router(id));
    }
}

/// Deletes the port and all that cannot be without it. A trunk can, and holds its ports; whether the
/// port may be deleted otherwise is the caller's to decide.
pub fn remove(port: &Port, facts: &Facts) -> Result<Writes, Stop> {
    trunk::check_unused(port.id, facts)?;
    let mut writes = Writes::new();
    let gone: Vec<IpAddr> = port.fixed_ips.iter().map(|f| f.ip_address).collect();
    forget_fixed_ips(port, &gone, facts, &mut writes)?;
    writes.push(Write::ReleaseAddress { port_id: port.id, address: None });
    writes.delete::<Port>(port.id);
    touch(port, &mut writes);
    if port.host().is_some() {
        writes.push(Write::TouchHosts);
    }
    Ok(writes)
}

/// Gives the port its changed addresses and gives back those that are gone. Storing the port is
/// the caller's.
pub fn change_fixed_ips(
    port: &mut Port,
    change: Change,
    facts: &Facts,
    writes: &mut Writes,
) -> Result<(), Stop> {
    forget_fixed_ips(port, &change.gone, facts, writes)?;
    for address in change.gone {
        writes.push(Write::ReleaseAddress { port_id: port.id, address: Some(address) });
    }
    port.fixed_ips = change.fixed_ips;
    Ok(())
}
