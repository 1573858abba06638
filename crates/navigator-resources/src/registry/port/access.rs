//! What a port may not be, whoever asks: a router's own, or one that names somebody else's router.
//! Who may choose what is the policy's to say.

use navigator_model::{MacAddress, RouterId};

use super::{FLOATING_IP_OWNER, FixedIpRequest, Port, PortCreate, PortUpdate, ROUTER_OWNERS};
use crate::{Context, Facts, Refusal, Router, Stop};

pub(super) fn check_create(
    input: &PortCreate,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(), Stop> {
    check_mac(input.mac_address.flatten())?;
    check_device_owner(&input.device_owner.0)?;
    check_device_id(&input.device_id.0, facts, context)
}

pub(super) fn check_update(
    current: &Port,
    update: &PortUpdate,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(), Stop> {
    let owner = update.device_owner.as_ref().filter(|owner| **owner != current.device_owner);
    let device = update.device_id.as_ref().filter(|id| **id != current.device_id);
    check_mac(update.mac_address.flatten())?;
    if belongs_to_another(current) {
        check_owned_port(current, owner.is_some() || device.is_some(), update)?;
    }
    if let Some(owner) = owner {
        check_device_owner(&owner.0)?;
    }
    device.map_or(Ok(()), |device| check_device_id(&device.0, facts, context))
}

/// A router's and a floating IP's port changes hands and addresses only with its owner, which
/// knows what hangs on them.
fn check_owned_port(port: &Port, renamed: bool, update: &PortUpdate) -> Result<(), Refusal> {
    if renamed {
        return Err(Refusal::PortInUse {
            port_id: port.id.to_string(),
            net_id: port.network_id.to_string(),
            device_id: port.device_id.0.clone(),
        });
    }
    if update.fixed_ips.as_ref().is_some_and(|asked| !keeps(port, asked)) {
        return Err(Refusal::BadRequest {
            resource: "port".to_owned(),
            msg: format!("addresses of a {} port are changed by its owner", port.device_owner),
        });
    }
    Ok(())
}

/// The addresses that are asked for are those that the port has.
pub(super) fn keeps(port: &Port, asked: &[FixedIpRequest]) -> bool {
    let mut left = port.fixed_ips.clone();
    let taken = asked.iter().all(|asked| {
        let found = left.iter().position(|fixed| {
            asked.subnet_id.is_none_or(|id| id == fixed.subnet_id)
                && asked.ip_address.is_none_or(|ip| ip == fixed.ip_address)
        });
        found.map(|index| left.remove(index)).is_some()
    });
    taken && left.is_empty()
}

pub(super) fn check_delete(port: &Port) -> Result<(), Refusal> {
    if !belongs_to_another(port) {
        return Ok(());
    }
    Err(Refusal::ServicePortInUse {
        port_id: port.id.to_string(),
        reason: format!("has device owner {}", port.device_owner),
    })
}

pub(super) fn belongs_to_another(port: &Port) -> bool {
    let owner = port.device_owner.0.as_str();
    ROUTER_OWNERS.contains(&owner) || owner == FLOATING_IP_OWNER
}

/// Ports of routers and floating IPs are made by those: made here, they would pass by every rule
/// about which networks a router may join.
fn check_device_owner(device_owner: &str) -> Result<(), Refusal> {
    if !ROUTER_OWNERS.contains(&device_owner) && device_owner != FLOATING_IP_OWNER {
        return Ok(());
    }
    Err(Refusal::BadRequest {
        resource: "port".to_owned(),
        msg: format!("ports with device_owner {device_owner} are made by the service itself"),
    })
}

/// Nobody names another project's router as the port's device.
fn check_device_id(device_id: &str, facts: &Facts, context: &Context<'_>) -> Result<(), Stop> {
    let Ok(id) = device_id.parse::<RouterId>() else { return Ok(()) };
    if context.caller.is_admin {
        return Ok(());
    }
    match facts.find::<Router>(id)? {
        Some(router) if !context.caller.owns(&router.standard.project_id) => {
            Err(Refusal::DeviceIDNotOwnedByTenant { device_id: device_id.to_owned() }.into())
        }
        _ => Ok(()),
    }
}

/// No device can have a group's address or none.
fn check_mac(mac_address: Option<MacAddress>) -> Result<(), Refusal> {
    let reason = match mac_address {
        Some(mac @ MacAddress([0, 0, 0, 0, 0, 0])) => format!("'{mac}' is nobody's address"),
        Some(mac @ MacAddress([first, ..])) if first & 1 == 1 => {
            format!("'{mac}' is the address of a group (multicast), which no port can have")
        }
        _ => return Ok(()),
    };
    Err(Refusal::invalid("mac_address", reason))
}
