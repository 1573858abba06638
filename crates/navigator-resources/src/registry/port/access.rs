//! Who may make which port, where that depends on who owns the network or a router. Neutron's
//! default policies; the answers name them.

use navigator_model::{MacAddress, RouterId};

use super::{FLOATING_IP_OWNER, Port, PortCreate, PortUpdate, ROUTER_OWNERS};
use crate::{Caller, Context, Facts, Network, Refusal, Router, Stop};

fn forbidden(action: &str) -> Stop {
    Refusal::PolicyNotAuthorized { action: action.to_owned() }.into()
}

fn owns(network: &Network, caller: &Caller) -> bool {
    caller.owns(&network.standard.project_id)
}

pub(super) fn check_create(
    input: &PortCreate,
    network: &Network,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(), Stop> {
    if !owns(network, context.caller) {
        // An external network that is not shared is for gateways and floating IPs only.
        if !network.shared {
            return Err(forbidden("create_port"));
        }
        let names_address = input.fixed_ips.iter().flatten().any(|f| f.ip_address.is_some());
        let pairs = input.allowed_address_pairs.as_ref().is_some_and(|pairs| !pairs.is_empty());
        for (named, action) in [
            (input.mac_address.flatten().is_some(), "create_port:mac_address"),
            (names_address, "create_port:fixed_ips:ip_address"),
            (input.port_security_enabled.is_some(), "create_port:port_security_enabled"),
            (pairs, "create_port:allowed_address_pairs"),
            (is_network_device(&input.device_owner.0), "create_port:device_owner"),
        ] {
            if named {
                return Err(forbidden(action));
            }
        }
    }
    check_mac(input.mac_address.flatten())?;
    check_device_owner(&input.device_owner.0)?;
    check_device_id(&input.device_id.0, facts, context)
}

pub(super) fn check_update(
    current: &Port,
    update: &PortUpdate,
    network: &Network,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(), Stop> {
    let owner = update.device_owner.as_ref().filter(|owner| **owner != current.device_owner);
    let device = update.device_id.as_ref().filter(|id| **id != current.device_id);
    if !owns(network, context.caller) {
        let pairs = update.allowed_address_pairs.is_some();
        let security = update
            .port_security_enabled
            .is_some_and(|enabled| enabled != current.port_security_enabled);
        let device = owner.is_some_and(|owner| is_network_device(&owner.0));
        for (named, action) in [
            (update.fixed_ips.is_some(), "update_port:fixed_ips"),
            (security, "update_port:port_security_enabled"),
            (pairs, "update_port:allowed_address_pairs"),
            (device, "update_port:device_owner"),
        ] {
            if named {
                return Err(forbidden(action));
            }
        }
    }
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
    if update.fixed_ips.is_some() {
        return Err(Refusal::BadRequest {
            resource: "port".to_owned(),
            msg: format!("addresses of a {} port are changed by its owner", port.device_owner),
        });
    }
    Ok(())
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

fn belongs_to_another(port: &Port) -> bool {
    let owner = port.device_owner.0.as_str();
    ROUTER_OWNERS.contains(&owner) || owner == FLOATING_IP_OWNER
}

fn is_network_device(device_owner: &str) -> bool {
    device_owner.starts_with("network:")
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
    match mac_address {
        Some(mac @ MacAddress([first, ..])) if first & 1 == 1 || mac == MacAddress([0; 6]) => {
            Err(Refusal::invalid("mac_address", format!("'{mac}' is not a valid MAC address")))
        }
        _ => Ok(()),
    }
}
