//! Which segment a new network gets: the one an administrator names, or a free one of the tenant
//! type. The database keeps segments unique; what is taken is refused with Neutron's errors.

use navigator_model::NetworkId;

use super::NetworkCreate;
use crate::{Context, Facts, Refusal, Stop, facts::SegmentChoice};

crate::word_attribute! {
    /// How a network's frames travel.
    pub enum NetworkType {
        Local => "local",
        Flat => "flat",
        Vlan => "vlan",
        Gre => "gre",
        Vxlan => "vxlan",
    }
}

pub(super) struct ChosenSegment {
    pub(super) network_type: NetworkType,
    pub(super) physical_network: Option<String>,
    pub(super) segmentation_id: Option<u32>,
}

fn invalid(error_message: String) -> Stop {
    Refusal::InvalidInput { error_message }.into()
}

/// What an administrator named of the segment.
struct Wanted {
    physical_network: Option<String>,
    segmentation_id: Option<u32>,
}

pub(super) fn choose(
    id: NetworkId,
    input: &NetworkCreate,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<ChosenSegment, Stop> {
    let wanted = Wanted {
        physical_network: input.physical_network.clone().flatten().map(|name| name.0),
        segmentation_id: input.segmentation_id.flatten(),
    };
    let Some(name) = input.network_type.clone().flatten() else {
        if wanted.physical_network.is_some() || wanted.segmentation_id.is_some() {
            return Err(invalid("network_type required".to_owned()));
        }
        return tenant(id, facts, context);
    };
    let Some(network_type) = NetworkType::ALL.iter().copied().find(|t| t.word() == name.0) else {
        return Err(invalid(format!("network_type value '{name}' not supported")));
    };
    match network_type {
        NetworkType::Local => local(&wanted),
        NetworkType::Flat => flat(id, &wanted, facts, context),
        NetworkType::Vlan => vlan(id, &wanted, facts, context),
        NetworkType::Gre | NetworkType::Vxlan => tunnel(id, network_type, &wanted, facts, context),
    }
}

fn refuse_segmentation_id(wanted: &Wanted, kind: &str) -> Result<(), Stop> {
    match wanted.segmentation_id {
        None => Ok(()),
        Some(_) => {
            Err(invalid(format!("provider:segmentation_id prohibited for {kind} provider network")))
        }
    }
}

fn local(wanted: &Wanted) -> Result<ChosenSegment, Stop> {
    refuse_segmentation_id(wanted, "local")?;
    if wanted.physical_network.is_some() {
        return Err(invalid(
            "provider:physical_network prohibited for local provider network".to_owned(),
        ));
    }
    Ok(ChosenSegment {
        network_type: NetworkType::Local,
        physical_network: None,
        segmentation_id: None,
    })
}

/// The physical network that a flat or vlan network names: one that is configured.
fn physical_network(
    wanted: &Wanted,
    kind: &str,
    context: &Context<'_>,
) -> Result<String, Stop> {
    let Some(name) = &wanted.physical_network else {
        return Err(invalid(format!("physical_network required for {kind} provider network")));
    };
    if !context.settings.physical_networks.contains(name) {
        return Err(invalid(format!(
            "physical_network '{name}' unknown for {kind} provider network"
        )));
    }
    Ok(name.clone())
}

fn flat(
    id: NetworkId,
    wanted: &Wanted,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<ChosenSegment, Stop> {
    let name = physical_network(wanted, "flat", context)?;
    refuse_segmentation_id(wanted, "flat")?;
    // One untagged network fits on a physical one: id 0 stands for it.
    let taken = facts.allocate_segment(id, "flat", Some(&name), SegmentChoice::Exact(0))?;
    if taken.is_none() {
        return Err(Refusal::FlatNetworkInUse { physical_network: name }.into());
    }
    Ok(ChosenSegment {
        network_type: NetworkType::Flat,
        physical_network: Some(name),
        segmentation_id: None,
    })
}

fn vlan(
    id: NetworkId,
    wanted: &Wanted,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<ChosenSegment, Stop> {
    if wanted.physical_network.is_none() && wanted.segmentation_id.is_some() {
        return Err(invalid(
            "segmentation_id requires physical_network for VLAN provider network".to_owned(),
        ));
    }
    let name = physical_network(wanted, "VLAN", context)?;
    let choice = match wanted.segmentation_id {
        Some(vlan_id @ 1..=4094) => SegmentChoice::Exact(vlan_id),
        Some(_) => {
            return Err(invalid("segmentation_id out of range (1 through 4094)".to_owned()));
        }
        None => vlan_range(context),
    };
    let exact = wanted.segmentation_id;
    match facts.allocate_segment(id, "vlan", Some(&name), choice)? {
        Some(vlan_id) => Ok(ChosenSegment {
            network_type: NetworkType::Vlan,
            physical_network: Some(name),
            segmentation_id: Some(vlan_id),
        }),
        None => Err(exact
            .map_or(Refusal::NoNetworkAvailable {}, |vlan_id| Refusal::VlanIdInUse {
                vlan_id: vlan_id.to_string(),
                physical_network: name,
            })
            .into()),
    }
}

fn vlan_range(context: &Context<'_>) -> SegmentChoice {
    let range = &context.settings.vlan_range;
    SegmentChoice::Any { first: (*range.start()).into(), last: (*range.end()).into() }
}

fn tunnel(
    id: NetworkId,
    network_type: NetworkType,
    wanted: &Wanted,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<ChosenSegment, Stop> {
    if wanted.physical_network.is_some() {
        return Err(invalid(format!(
            "provider:physical_network specified for {network_type} network"
        )));
    }
    // A GRE key has 32 bits, a VXLAN network identifier 24 (RFC 2890, RFC 7348).
    let most = if network_type == NetworkType::Gre { u32::MAX } else { (1 << 24) - 1 };
    let choice = match wanted.segmentation_id {
        Some(tunnel_id) if (1..=most).contains(&tunnel_id) => SegmentChoice::Exact(tunnel_id),
        Some(_) => {
            return Err(invalid(format!("segmentation_id out of range (1 through {most})")));
        }
        None => {
            let range = &context.settings.tunnel_id_range;
            SegmentChoice::Any { first: *range.start(), last: *range.end() }
        }
    };
    match (facts.allocate_segment(id, network_type.word(), None, choice)?, wanted.segmentation_id) {
        (Some(tunnel_id), _) => Ok(ChosenSegment {
            network_type,
            physical_network: None,
            segmentation_id: Some(tunnel_id),
        }),
        (None, Some(tunnel_id)) => {
            Err(Refusal::TunnelIdInUse { tunnel_id: tunnel_id.to_string() }.into())
        }
        (None, None) => Err(Refusal::NoNetworkAvailable {}.into()),
    }
}

/// A network whose creator names no segment.
fn tenant(id: NetworkId, facts: &Facts, context: &Context<'_>) -> Result<ChosenSegment, Stop> {
    let none = Wanted { physical_network: None, segmentation_id: None };
    match context.settings.tenant_network_type.as_str() {
        "local" => local(&none),
        "gre" => tunnel(id, NetworkType::Gre, &none, facts, context),
        "vxlan" => tunnel(id, NetworkType::Vxlan, &none, facts, context),
        "vlan" => tenant_vlan(id, facts, context),
        _ => Err(Refusal::NoNetworkAvailable {}.into()),
    }
}

/// A free VLAN of the first physical network that has one.
fn tenant_vlan(
    id: NetworkId,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<ChosenSegment, Stop> {
    for name in &context.settings.physical_networks {
        let taken = facts.allocate_segment(id, "vlan", Some(name), vlan_range(context))?;
        if let Some(vlan_id) = taken {
            return Ok(ChosenSegment {
                network_type: NetworkType::Vlan,
                physical_network: Some(name.clone()),
                segmentation_id: Some(vlan_id),
            });
        }
    }
    Err(Refusal::NoNetworkAvailable {}.into())
}
