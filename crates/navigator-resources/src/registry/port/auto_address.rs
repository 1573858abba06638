//! Addresses that IPv6 hosts make themselves follow the subnet: a new subnet gives each port of its
//! network one, a deleted subnet takes them back.

use navigator_model::SubnetId;

use super::{
    Change, DHCP_OWNER, FLOATING_IP_OWNER, FixedIp, Port, change_fixed_ips, eui64,
    is_router_interface, touch,
};
use crate::{Facts, Select, Stop, Subnet, Writes, facts::AddressChoice};

/// Gives the ports that are on the network already their address of a new subnet. DHCP servers get
/// theirs where they are placed.
pub fn extend_to(subnet: &Subnet, facts: &Facts) -> Result<Writes, Stop> {
    let mut writes = Writes::new();
    if !subnet.is_auto_address() {
        return Ok(writes);
    }
    let ports: Vec<Port> = facts.list(Select::eq("network_id", subnet.network_id.to_string()))?;
    for mut port in ports {
        let owner = port.device_owner.0.as_str();
        let other = [DHCP_OWNER, FLOATING_IP_OWNER].contains(&owner) || is_router_interface(owner);
        // A port that was asked to have no address gets none.
        if other || port.fixed_ips.is_empty() || !subnet.serves(owner) {
            continue;
        }
        let choice = AddressChoice::Exact(eui64(subnet, port.mac_address));
        let taken = facts.allocate_address(subnet.id, subnet.network_id, port.id, choice)?;
        if let Some(ip_address) = taken {
            port.fixed_ips.push(FixedIp { subnet_id: subnet.id, ip_address });
            writes.update(&port);
            touch(&port, &mut writes);
        }
    }
    Ok(writes)
}

/// Takes the port's addresses of a subnet back.
pub fn withdraw(port: &Port, subnet_id: SubnetId, facts: &Facts) -> Result<Writes, Stop> {
    let (gone, fixed_ips): (Vec<FixedIp>, Vec<FixedIp>) =
        port.fixed_ips.iter().cloned().partition(|fixed_ip| fixed_ip.subnet_id == subnet_id);
    let change = Change { fixed_ips, gone: gone.into_iter().map(|f| f.ip_address).collect() };
    let (mut port, mut writes) = (port.clone(), Writes::new());
    change_fixed_ips(&mut port, change, facts, &mut writes)?;
    writes.update(&port);
    touch(&port, &mut writes);
    Ok(writes)
}
