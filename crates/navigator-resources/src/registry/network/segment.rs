//! Which segments a new network gets: those that an administrator names, or a free one of the tenant
//! type. The database keeps segments unique; what is taken is refused with Neutron's errors.

use std::ops::RangeInclusive;

use navigator_model::{NetworkId, ProjectId};

use super::NetworkCreate;
use crate::{
    Context, Facts, Refusal, Stop, facts::SegmentChoice,
    registry::{network_segment_range::candidates, segment::SegmentRequest},
};

crate::word_attribute! {
    /// How a network's frames travel.
    pub enum NetworkType {
        Local => "local",
        Flat => "flat",
        Vlan => "vlan",
        Gre => "gre",
        Vxlan => "vxlan",
        Geneve => "geneve",
    }
}

#[derive(Clone)]
pub(crate) struct ChosenSegment {
    pub(crate) network_type: NetworkType,
    pub(crate) physical_network: Option<String>,
    pub(crate) segmentation_id: Option<u32>,
}

fn invalid(error_message: String) -> Stop {
    Refusal::InvalidInput { error_message }.into()
}

/// What is named of a segment.
pub(crate) struct Wanted {
    pub(crate) physical_network: Option<String>,
    pub(crate) segmentation_id: Option<u32>,
}

impl Wanted {
    const NOTHING: Self = Self { physical_network: None, segmentation_id: None };

    fn names_anything(&self) -> bool {
        self.physical_network.is_some() || self.segmentation_id.is_some()
    }
}

/// The segments of a new network: those that are listed, or the one of its provider attributes.
pub(super) fn choose(
    id: NetworkId,
    input: &NetworkCreate,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Vec<ChosenSegment>, Stop> {
    let taker = Taker { network_id: id, project_id: &input.standard.project_id, facts, context };
    let wanted = Wanted {
        physical_network: input.physical_network.clone().flatten().map(|name| name.0),
        segmentation_id: input.segmentation_id.flatten(),
    };
    let network_type = input.network_type.clone().flatten();
    let listed = input.segments.as_deref().unwrap_or_default();
    if !listed.is_empty() {
        if network_type.is_some() || wanted.names_anything() {
            return Err(Refusal::SegmentsSetInConjunctionWithProviders {}.into());
        }
        return taker.listed(listed);
    }
    let segment = match network_type {
        Some(name) => taker.named(&name.0, &wanted),
        None if wanted.names_anything() => Err(invalid("network_type required".to_owned())),
        None => taker.tenant(),
    };
    segment.map(|segment| vec![segment])
}

/// For which network segments are taken.
pub(crate) struct Taker<'a> {
    pub(crate) network_id: NetworkId,
    /// Whose ids it may get.
    pub(crate) project_id: &'a ProjectId,
    pub(crate) facts: &'a Facts,
    pub(crate) context: &'a Context<'a>,
}

impl Taker<'_> {
    fn listed(&self, listed: &[SegmentRequest]) -> Result<Vec<ChosenSegment>, Stop> {
        let mut chosen = Vec::new();
        for (index, request) in listed.iter().enumerate() {
            // Two that name no id get different ones.
            if request.segmentation_id.is_some() && listed[..index].contains(request) {
                return Err(Refusal::SegmentsContainDuplicateEntry {}.into());
            }
            let Some(name) = &request.network_type else {
                return Err(invalid("network_type required".to_owned()));
            };
            let wanted = Wanted {
                physical_network: request.physical_network.clone().map(|name| name.0),
                segmentation_id: request.segmentation_id,
            };
            chosen.push(self.named(&name.0, &wanted)?);
        }
        Ok(chosen)
    }

    /// One of this type.
    pub(crate) fn named(&self, name: &str, wanted: &Wanted) -> Result<ChosenSegment, Stop> {
        let Some(known) = NetworkType::ALL.iter().copied().find(|t| t.word() == name) else {
            return Err(invalid(format!("network_type value '{name}' not supported")));
        };
        match known {
            NetworkType::Local => local(wanted),
            NetworkType::Flat => self.flat(wanted),
            NetworkType::Vlan => self.vlan(wanted),
            NetworkType::Gre | NetworkType::Vxlan | NetworkType::Geneve => {
                self.tunnel(known, wanted)
            }
        }
    }

    /// A network whose creator names no segment.
    fn tenant(&self) -> Result<ChosenSegment, Stop> {
        match self.context.settings.tenant_network_type.as_str() {
            "local" => local(&Wanted::NOTHING),
            "gre" => self.tunnel(NetworkType::Gre, &Wanted::NOTHING),
            "vxlan" => self.tunnel(NetworkType::Vxlan, &Wanted::NOTHING),
            "geneve" => self.tunnel(NetworkType::Geneve, &Wanted::NOTHING),
            "vlan" => self.tenant_vlan(),
            _ => Err(Refusal::NoNetworkAvailable {}.into()),
        }
    }

    /// The id that is named, if it is free.
    fn exactly(&self, kind: &str, physical: Option<&str>, id: u32) -> Result<Option<u32>, Stop> {
        let choice = SegmentChoice::Exact(id);
        self.facts.allocate_segment(self.network_id, kind, physical, choice)
    }

    /// A free id of those that the project may have.
    fn any(
        &self,
        kind: &str,
        physical: Option<&str>,
        configured: RangeInclusive<u32>,
    ) -> Result<Option<u32>, Stop> {
        for ids in candidates(self.project_id, kind, physical, configured, self.facts)? {
            let choice = SegmentChoice::Any(ids);
            let taken = self.facts.allocate_segment(self.network_id, kind, physical, choice)?;
            if taken.is_some() {
                return Ok(taken);
            }
        }
        Ok(None)
    }

    /// The physical network that a flat or vlan network names: one that is configured.
    fn physical_network(&self, wanted: &Wanted, kind: &str) -> Result<String, Stop> {
        let Some(name) = &wanted.physical_network else {
            return Err(invalid(format!("physical_network required for {kind} provider network")));
        };
        if !self.context.settings.physical_networks.contains(name) {
            return Err(invalid(format!(
                "physical_network '{name}' unknown for {kind} provider network"
            )));
        }
        Ok(name.clone())
    }

    fn flat(&self, wanted: &Wanted) -> Result<ChosenSegment, Stop> {
        let name = self.physical_network(wanted, "flat")?;
        refuse_segmentation_id(wanted, "flat")?;
        // One untagged network fits on a physical one: id 0 stands for it.
        if self.exactly("flat", Some(&name), 0)?.is_none() {
            return Err(Refusal::FlatNetworkInUse { physical_network: name }.into());
        }
        Ok(ChosenSegment {
            network_type: NetworkType::Flat,
            physical_network: Some(name),
            segmentation_id: None,
        })
    }

    fn vlan(&self, wanted: &Wanted) -> Result<ChosenSegment, Stop> {
        if wanted.physical_network.is_none() && wanted.segmentation_id.is_some() {
            return Err(invalid(
                "segmentation_id requires physical_network for VLAN provider network".to_owned(),
            ));
        }
        let name = self.physical_network(wanted, "VLAN")?;
        let taken = match wanted.segmentation_id {
            Some(vlan_id @ 1..=4094) => {
                let in_use = || Refusal::VlanIdInUse {
                    vlan_id: vlan_id.to_string(),
                    physical_network: name.clone(),
                };
                self.exactly("vlan", Some(&name), vlan_id)?.ok_or_else(in_use)?
            }
            Some(_) => {
                return Err(invalid("segmentation_id out of range (1 through 4094)".to_owned()));
            }
            None => self.any_vlan(&name)?.ok_or(Refusal::NoNetworkAvailable {})?,
        };
        Ok(vlan_segment(name, taken))
    }

    fn any_vlan(&self, physical_network: &str) -> Result<Option<u32>, Stop> {
        let range = &self.context.settings.vlan_range;
        let configured = (*range.start()).into()..=(*range.end()).into();
        self.any("vlan", Some(physical_network), configured)
    }

    /// A free VLAN of the first physical network that has one.
    fn tenant_vlan(&self) -> Result<ChosenSegment, Stop> {
        for name in &self.context.settings.physical_networks {
            if let Some(vlan_id) = self.any_vlan(name)? {
                return Ok(vlan_segment(name.clone(), vlan_id));
            }
        }
        Err(Refusal::NoNetworkAvailable {}.into())
    }

    fn tunnel(&self, network_type: NetworkType, wanted: &Wanted) -> Result<ChosenSegment, Stop> {
        if wanted.physical_network.is_some() {
            return Err(invalid(format!(
                "provider:physical_network specified for {network_type} network"
            )));
        }
        let kind = network_type.word();
        // A GRE key has 32 bits, network identifiers of VXLAN and Geneve 24 (RFC 2890, 7348, 8926).
        let most = if network_type == NetworkType::Gre { u32::MAX } else { (1 << 24) - 1 };
        let taken = match wanted.segmentation_id {
            Some(tunnel_id) if (1..=most).contains(&tunnel_id) => {
                let in_use = || Refusal::TunnelIdInUse { tunnel_id: tunnel_id.to_string() };
                self.exactly(kind, None, tunnel_id)?.ok_or_else(in_use)?
            }
            Some(_) => {
                return Err(invalid(format!("segmentation_id out of range (1 through {most})")));
            }
            None => {
                let configured = self.context.settings.tunnel_id_range.clone();
                self.any(kind, None, configured)?.ok_or(Refusal::NoNetworkAvailable {})?
            }
        };
        Ok(ChosenSegment { network_type, physical_network: None, segmentation_id: Some(taken) })
    }
}

fn vlan_segment(physical_network: String, vlan_id: u32) -> ChosenSegment {
    ChosenSegment {
        network_type: NetworkType::Vlan,
        physical_network: Some(physical_network),
        segmentation_id: Some(vlan_id),
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
