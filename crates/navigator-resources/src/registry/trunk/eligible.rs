//! Which ports a trunk may be made of. A port is the parent of one trunk or a sub-port of one.

use navigator_model::PortId;

use super::{SegmentationType, SubPort, SubPortRequest, Trunk};
use crate::{
    Context, Facts, Network, Port, Refusal, Select, Stop,
    registry::{network::NetworkType, port::UNBOUND},
};

fn invalid(error_message: String) -> Stop {
    Refusal::InvalidInput { error_message }.into()
}

/// Whether something is plugged into the port.
pub(super) fn is_plugged(port: &Port) -> bool {
    port.vif_type != UNBOUND && !port.device_id.0.is_empty()
}

/// The port, held, if it is the caller's to use.
fn own_port(port_id: PortId, facts: &Facts, context: &Context<'_>) -> Result<Port, Stop> {
    let port = facts.lock::<Port>(port_id)?;
    port.filter(|port| context.caller.owns(&port.standard.project_id))
        .ok_or_else(|| Refusal::not_found::<Port>(port_id).into())
}

/// No trunk has the port, in either role.
pub(crate) fn check_unused(port_id: PortId, facts: &Facts) -> Result<(), Stop> {
    let id = port_id.to_string();
    if let Some(trunk) = facts.list::<Trunk>(Select::eq("port_id", id.as_str()))?.first() {
        let trunk_id = trunk.id.to_string();
        return Err(Refusal::PortInUseAsTrunkParent { port_id: id, trunk_id }.into());
    }
    if let Some(trunk) = facts.list::<Trunk>(Select::eq("sub_port_ids", id.as_str()))?.first() {
        let trunk_id = trunk.id.to_string();
        return Err(Refusal::PortInUseAsSubPort { port_id: id, trunk_id }.into());
    }
    Ok(())
}

/// A port that nothing is plugged into yet and that is not the network's own.
pub(super) fn check_parent(
    port_id: PortId,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(), Stop> {
    let port = own_port(port_id, facts, context)?;
    check_unused(port_id, facts)?;
    if is_plugged(&port) || port.device_owner.0.starts_with("network:") {
        return Err(Refusal::ParentPortInUse { port_id: port_id.to_string() }.into());
    }
    Ok(())
}

/// One more sub-port beside `others`.
pub(super) fn sub_port(
    request: &SubPortRequest,
    trunk: &Trunk,
    others: &[SubPort],
    facts: &Facts,
    context: &Context<'_>,
) -> Result<SubPort, Stop> {
    let port_id = request.port_id;
    if port_id == trunk.port_id {
        return Err(Refusal::ParentPortInUse { port_id: port_id.to_string() }.into());
    }
    if others.iter().any(|other| other.port_id == port_id) {
        let (port_id, trunk_id) = (port_id.to_string(), trunk.id.to_string());
        return Err(Refusal::PortInUseAsSubPort { port_id, trunk_id }.into());
    }
    let port = own_port(port_id, facts, context)?;
    let missing = || Stop::from(Refusal::not_found::<Network>(port.network_id));
    let network = facts.find::<Network>(port.network_id)?.ok_or_else(missing)?;
    let sub_port = tagged(request, &network)?;
    if others.iter().any(|other| other.segmentation_id == sub_port.segmentation_id) {
        return Err(Refusal::DuplicateSubPort {
            segmentation_type: sub_port.segmentation_type.to_string(),
            segmentation_id: sub_port.segmentation_id.to_string(),
            trunk_id: trunk.id.to_string(),
        }
        .into());
    }
    check_unused(port_id, facts)?;
    if !port.device_id.0.is_empty() {
        return Err(Refusal::PortInUse {
            port_id: port_id.to_string(),
            net_id: port.network_id.to_string(),
            device_id: port.device_id.0,
        }
        .into());
    }
    check_mtu(&port, &network, trunk, facts)?;
    Ok(sub_port)
}

/// The tag that is asked for, or the VLAN id of the port's network.
fn tagged(request: &SubPortRequest, network: &Network) -> Result<SubPort, Stop> {
    let port_id = request.port_id;
    let id = match (request.segmentation_type.as_deref(), request.segmentation_id) {
        (Some("inherit"), _) => match (network.network_type, network.segmentation_id) {
            (NetworkType::Vlan, Some(vlan_id)) => i64::from(vlan_id),
            _ => {
                return Err(invalid(format!(
                    "Cannot accept 'inherit' segmentation type for port {port_id}: its network is \
                     no VLAN"
                )));
            }
        },
        (Some("vlan"), Some(id)) => id,
        (other, _) => {
            let other = other.unwrap_or_default();
            return Err(invalid(format!("Unknown segmentation type '{other}'")));
        }
    };
    match u32::try_from(id) {
        Ok(segmentation_id @ 1..=4094) => {
            Ok(SubPort { port_id, segmentation_type: SegmentationType::Vlan, segmentation_id })
        }
        _ => Err(invalid(format!("Invalid segmentation ID '{id}': 1 to 4094"))),
    }
}

/// What comes out of a sub-port has to fit through the parent.
fn check_mtu(
    port: &Port,
    network: &Network,
    trunk: &Trunk,
    facts: &Facts,
) -> Result<(), Stop> {
    let Some(parent) = facts.find::<Port>(trunk.port_id)? else { return Ok(()) };
    let Some(wire) = facts.find::<Network>(parent.network_id)? else { return Ok(()) };
    if network.mtu <= wire.mtu {
        return Ok(());
    }
    Err(Refusal::SubPortMtuGreaterThanTrunkPortMtu {
        port_mtu: network.mtu.to_string(),
        port_id: port.id.to_string(),
        trunk_mtu: wire.mtu.to_string(),
        trunk_id: trunk.id.to_string(),
    }
    .into())
}
