//! When an address leaves its port, everything that led to it goes in the same transaction: the
//! address may belong to somebody else's instance a moment later.

use std::net::IpAddr;

use navigator_model::PortForwardingId;

use crate::{
    Facts, FloatingIp, GatewayPortForwarding, Port, PortForwarding, Router, Select, Stop, Writes,
    registry::{gateway_port_forwarding, port_forwarding},
};

/// Removes the forwardings of both kinds to these addresses of the port and disassociates the
/// floating IPs that lead there. Comes before the writes that change or delete the port, whose row
/// is locked.
pub fn forget_fixed_ips(
    port: &Port,
    gone: &[IpAddr],
    facts: &Facts,
    writes: &mut Writes,
) -> Result<(), Stop> {
    // Ports of the network itself are never led to, and there are many of them.
    if gone.is_empty() || port.device_owner.0.starts_with("network:") {
        return Ok(());
    }
    let of_port = || Select::eq("internal_port_id", port.id.to_string());
    let mut forwardings: Vec<GatewayPortForwarding> = facts.list(of_port())?;
    forwardings.retain(|forwarding| gone.contains(&forwarding.internal_ip_address.into()));
    for forwarding in &forwardings {
        // A router that changes at the same time must not miss that one of its forwardings went.
        facts.lock::<Router>(forwarding.router_id)?;
        writes.append(gateway_port_forwarding::removal(forwarding));
    }
    forget_port_forwardings(facts.list(of_port())?, gone, facts, writes)?;
    let floating_ips: Vec<FloatingIp> =
        facts.list(Select::eq("port_id", port.id.to_string()).locked())?;
    for mut floating_ip in floating_ips {
        if floating_ip.fixed_ip_address.is_some_and(|address| gone.contains(&address.into())) {
            floating_ip.touch(writes);
            floating_ip.disassociate();
            writes.update(&floating_ip);
        }
    }
    Ok(())
}

/// A floating IP whose last forwarding goes leaves its router.
fn forget_port_forwardings(
    mut forwardings: Vec<PortForwarding>,
    gone: &[IpAddr],
    facts: &Facts,
    writes: &mut Writes,
) -> Result<(), Stop> {
    forwardings.retain(|forwarding| gone.contains(&forwarding.internal_ip_address.into()));
    forwardings.sort_unstable_by_key(|forwarding| forwarding.floatingip_id);
    for of_one in forwardings.chunk_by(|a, b| a.floatingip_id == b.floatingip_id) {
        let Some(first) = of_one.first() else { continue };
        let Some(floating_ip) = facts.lock::<FloatingIp>(first.floatingip_id)? else { continue };
        for forwarding in of_one {
            writes.append(port_forwarding::removal(forwarding, floating_ip.router_id));
        }
        let ids: Vec<PortForwardingId> = of_one.iter().map(|forwarding| forwarding.id).collect();
        writes.append(port_forwarding::last_gone(&floating_ip, &ids, facts)?);
    }
    Ok(())
}
