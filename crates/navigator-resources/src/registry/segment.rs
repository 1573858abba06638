//! Segments: the pieces of wire that a network is made of. Most networks have one, which is made with
//! them; administrators may add more and say which subnet is on which.

mod shown;
mod subnets;
#[cfg(test)]
mod tests;

use navigator_model::NetworkId;

pub(crate) use shown::{L2_ADJACENCY, SEGMENTS, present};
pub use shown::{SegmentRequest, ShownSegments};
pub(crate) use subnets::{check_changed as check_changed_subnet, check_new as check_new_subnet};

use crate::{
    Context, Facts, Network, Refusal, Resource, Rules, Select, Standard, Stop, Subnet, Write,
    Writes,
    attribute::Text,
    registry::network::{ChosenSegment, NetworkType, Taker, Wanted},
};

crate::attribute::ids! { SegmentId }

/// A piece of wire of a network.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "segment",
    collection = "segments",
    class = "Segment",
    extension = "segment",
    admin_only
)]
pub struct Segment {
    #[field(id, filter, sort)]
    pub id: SegmentId,
    #[field(create, required, filter, sort)]
    pub network_id: NetworkId,
    #[field(create, unset, filter, sort)]
    pub physical_network: Option<Text<64>>,
    #[field(create, required, filter, sort, input = Text<32>)]
    pub network_type: NetworkType,
    #[field(create, unset, sort)]
    pub segmentation_id: Option<u32>,
    #[field(create, update, default = None, filter, sort)]
    pub name: Option<Text<255>>,
    #[field(standard)]
    pub standard: Standard,
}

impl Segment {
    pub(crate) fn new(
        id: SegmentId,
        network_id: NetworkId,
        chosen: &ChosenSegment,
        standard: Standard,
    ) -> Self {
        Self {
            id,
            network_id,
            physical_network: chosen.physical_network.clone().map(Text),
            network_type: chosen.network_type,
            segmentation_id: chosen.segmentation_id,
            name: None,
            standard,
        }
    }

    /// All of a network, by id.
    pub fn of(network_id: NetworkId, facts: &Facts) -> Result<Vec<Self>, Stop> {
        facts.list(Select::eq("network_id", network_id.to_string()))
    }

    /// Whether the network itself shows it as its own.
    fn is_first_of(&self, network: &Network) -> bool {
        (self.network_type, &self.physical_network, self.segmentation_id)
            == (network.network_type, &network.physical_network, network.segmentation_id)
    }

    fn in_use(&self, reason: String) -> Stop {
        Refusal::SegmentInUse { segment_id: self.id.to_string(), reason }.into()
    }
}

impl Rules for Segment {
    fn create(
        input: &SegmentCreate,
        _parent: Option<&str>,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let network_id = input.network_id;
        let missing = || Refusal::not_found::<Network>(network_id);
        let network = facts.lock::<Network>(network_id)?.ok_or_else(missing)?;
        let project_id = &network.standard.project_id;
        let taker = Taker { network_id: network.id, project_id, facts, context };
        let wanted = Wanted {
            physical_network: input.physical_network.clone().flatten().map(|name| name.0),
            segmentation_id: input.segmentation_id.flatten(),
        };
        let chosen = taker.named(&input.network_type.0, &wanted)?;
        let id = SegmentId(context.uuid("segment"));
        let standard = Standard::of(&input.standard, context);
        let mut segment = Self::new(id, network.id, &chosen, standard);
        segment.name = input.name.clone();
        let mut writes = Writes::new();
        writes.insert(&segment).bump::<Network>(network.id);
        Ok((segment, writes))
    }

    fn update(
        current: &Self,
        update: &SegmentUpdate,
        _facts: &Facts,
        _context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let mut segment = current.clone();
        update.apply_to(&mut segment);
        let mut writes = Writes::new();
        if segment != *current {
            writes.update(&segment);
        }
        Ok((segment, writes))
    }

    /// The network goes on with those that are left.
    fn delete(current: &Self, facts: &Facts, _context: &Context<'_>) -> Result<Writes, Stop> {
        let network = facts.lock::<Network>(current.network_id)?;
        let on_it: Vec<Subnet> = facts.list(Select::eq("segment_id", current.id.to_string()))?;
        if let Some(subnet) = on_it.first() {
            let reason = format!("The segment is still associated with subnet {}", subnet.id);
            return Err(current.in_use(reason));
        }
        let mut others = Self::of(current.network_id, facts)?;
        others.retain(|other| other.id != current.id);
        let Some(next) = others.first() else {
            return Err(current.in_use("It is the only one of its network".to_owned()));
        };
        let mut writes = Writes::new();
        writes.delete::<Self>(current.id);
        writes.push(Write::ReleaseSegment {
            network_type: current.network_type.to_string(),
            physical_network: current.physical_network.clone().map(|name| name.0),
            // A flat network's is kept as 0.
            segmentation_id: current.segmentation_id.unwrap_or_default(),
        });
        if let Some(mut network) = network.filter(|network| current.is_first_of(network)) {
            network.network_type = next.network_type;
            network.physical_network = next.physical_network.clone();
            network.segmentation_id = next.segmentation_id;
            writes.update(&network);
            network.touch(&mut writes);
        } else {
            writes.bump::<Network>(current.network_id);
        }
        Ok(writes)
    }
}
