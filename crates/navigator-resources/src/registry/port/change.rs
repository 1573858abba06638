//! An update of a port: only what differs is allocated, bound and told to agents.

use super::{
    BINDING_FAILED, Change, FixedIpRequest, Holder, IpAllocation, Port, PortUpdate, UNBOUND, access, binding,
    change_fixed_ips, mac_in_use, touch,
};
use crate::{
    Context, Facts, Network, PortBinding, Refusal, Select, Stop, Subnet, Write, Writes,
    qos, registry::port_binding,
};

pub(super) fn change(
    current: &Port,
    update: &PortUpdate,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(Port, Writes), Stop> {
    let network = facts
        .find::<Network>(current.network_id)?
        .ok_or_else(|| Refusal::not_found::<Network>(current.network_id))?;
    access::check_update(current, update, facts, context)?;
    let kept = access::belongs_to_another(current)
        && update.fixed_ips.as_ref().is_some_and(|asked| access::keeps(current, asked));
    let update = &PortUpdate {
        fixed_ips: update.fixed_ips.clone().filter(|_| !kept),
        ..update.clone()
    };

    let (mut port, mut writes) = (current.clone(), Writes::new());
    update.apply_to(&mut port);
    if (port.qos_policy_id, port.vnic_type) != (current.qos_policy_id, current.vnic_type) {
        qos::removable(current.qos_policy_id, port.qos_policy_id, facts, context.caller)?;
        qos::usable(port.qos_policy_id, current.qos_policy_id, facts, context.caller)?;
        qos::check_port(&port, &network, facts)?;
    }
    if let Some(name) = &update.dns_name {
        port.set_dns_name(name, context)?;
    }
    if let Some(request) = &update.fixed_ips {
        port.ip_allocation = IpAllocation::asked(Some(request));
    }
    change_mac(current, update, &mut port, facts, context)?;
    change_addresses(current, update, &mut port, facts, &mut writes)?;
    port.set_address_pairs(update.allowed_address_pairs.as_deref(), context)?;
    port.change_security_groups(update.security_groups.as_deref(), facts, context)?;
    port.set_dhcp_options(update.extra_dhcp_opts.as_deref())?;
    change_binding(current, update, &mut port, facts, context)?;
    if port == *current {
        return Ok((port, Writes::new()));
    }
    writes.update(&port);
    if PortBinding::active(current) != PortBinding::active(&port) {
        port_binding::follow(&port, facts, &mut writes)?;
    }
    if is_rendered_differently(current, &port) {
        touch(&port, &mut writes);
    }
    if port.host_id != current.host_id {
        writes.push(Write::TouchHosts);
    }
    Ok((port, writes))
}

/// Gives a port other addresses: those that stay are not touched, what led to those that go goes
/// too. For the resources that own ports.
pub fn set_fixed_ips(
    port: &Port,
    request: &[FixedIpRequest],
    facts: &Facts,
) -> Result<(Port, Writes), Stop> {
    let subnets = Subnet::of(port.network_id, facts)?;
    set_fixed_ips_on(port, request, &subnets, facts)
}

/// As [`set_fixed_ips`] on these subnets of the network, which may not be stored yet.
pub fn set_fixed_ips_on(
    port: &Port,
    request: &[FixedIpRequest],
    subnets: &[Subnet],
    facts: &Facts,
) -> Result<(Port, Writes), Stop> {
    let (mut port, mut writes) = (port.clone(), Writes::new());
    let change = port.holder(subnets).change(&port.fixed_ips, request, facts)?;
    if change.fixed_ips == port.fixed_ips {
        return Ok((port, writes));
    }
    change_fixed_ips(&mut port, change, facts, &mut writes)?;
    writes.update(&port);
    touch(&port, &mut writes);
    Ok((port, writes))
}

/// Null makes a new address, which is drawn again if it is taken. A device that is plugged in keeps the
/// one it has.
fn change_mac(
    current: &Port,
    update: &PortUpdate,
    port: &mut Port,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(), Stop> {
    let Some(wanted) = update.mac_address else { return Ok(()) };
    port.mac_address = wanted.unwrap_or_else(|| context.mac_address("port/mac"));
    if port.mac_address == current.mac_address {
        return Ok(());
    }
    if ![UNBOUND, BINDING_FAILED].contains(&current.vif_type.as_str()) {
        return Err(Refusal::PortBound {
            port_id: current.id.to_string(),
            vif_type: current.vif_type.clone(),
            old_mac: current.mac_address.to_string(),
            new_mac: port.mac_address.to_string(),
        }
        .into());
    }
    let Some(mac) = wanted else { return Ok(()) };
    let same = Select::eq("network_id", port.network_id.to_string()).and("mac_address", mac.to_string());
    match facts.list::<Port>(same)?.is_empty() {
        true => Ok(()),
        false => Err(mac_in_use(port.network_id, mac).into()),
    }
}

fn change_addresses(
    current: &Port,
    update: &PortUpdate,
    port: &mut Port,
    facts: &Facts,
    writes: &mut Writes,
) -> Result<(), Stop> {
    if update.fixed_ips.is_none() && port.mac_address == current.mac_address {
        return Ok(());
    }
    let subnets = Subnet::of(port.network_id, facts)?;
    // As the port will be: its owner and its MAC address decide which addresses it makes itself.
    let (id, owner) = (port.id, port.device_owner.0.clone());
    let holder = Holder {
        port_id: id,
        network_id: port.network_id,
        mac_address: port.mac_address,
        device_owner: &owner,
        subnets: &subnets,
    };
    let change: Change = match &update.fixed_ips {
        Some(request) => holder.change(&current.fixed_ips, request, facts)?,
        None => holder.follow_mac(&current.fixed_ips, facts)?,
    };
    change_fixed_ips(port, change, facts, writes)
}

fn change_binding(
    current: &Port,
    update: &PortUpdate,
    port: &mut Port,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(), Stop> {
    let named = update.host_id.clone();
    let asked = named.is_some() || port.vnic_type != current.vnic_type;
    let host = named.unwrap_or_else(|| current.host().cloned());
    let moved = host.as_ref().map_or("", |host| host.0.as_str()) != current.host_id.0;
    let failed = current.vif_type == BINDING_FAILED;
    if !asked || (!moved && !failed && port.vnic_type == current.vnic_type) {
        return Ok(());
    }
    binding::assign(port, host.as_ref(), facts, context)?;
    if moved {
        "DOWN".clone_into(&mut port.status);
        port.status_reason = None;
    }
    Ok(())
}

/// Whether an agent would make something else of it.
fn is_rendered_differently(before: &Port, after: &Port) -> bool {
    let rendered = |port: &Port| {
        let mut port = port.clone();
        port.name = crate::attribute::Text::default();
        port.standard = before.standard.clone();
        port.profile = before.profile.clone();
        port.device_id = before.device_id.clone();
        // Recorded, and enforced by nobody yet.
        port.security_groups = before.security_groups.clone();
        port
    };
    rendered(before) != rendered(after)
}
