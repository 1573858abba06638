//! Ranges of segmentation ids: which VLANs and tunnel ids the networks of all projects, or of one,
//! are made with. Ids that are kept for a project are given to nobody else.

mod candidates;
mod shown;
#[cfg(test)]
mod tests;

pub(crate) use candidates::candidates;
pub use shown::Used;

use navigator_model::ProjectId;
use serde_json::Value;

use crate::{
    Changes, Context, Facts, Refusal, Resource, Rules, Schemas, Select, SqlValue, Standard, Stop, Writes,
    attribute::Text,
};

crate::attribute::ids! { NetworkSegmentRangeId }

crate::word_attribute! {
    /// Types of networks that have ids to be given.
    pub enum RangeType {
        Vlan => "vlan",
        Vxlan => "vxlan",
        Gre => "gre",
        Geneve => "geneve",
    }
}

impl RangeType {
    /// The largest id: of a VLAN tag, of a network identifier, of a GRE key.
    fn most(self) -> u32 {
        match self {
            Self::Vlan => 4094,
            Self::Vxlan | Self::Geneve => (1 << 24) - 1,
            Self::Gre => u32::MAX,
        }
    }
}

/// Ids from `minimum` to `maximum`, for all projects or one.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "network_segment_range",
    collection = "network_segment_ranges",
    class = "NetworkSegmentRange",
    extension = "network-segment-range",
    present = present,
    adds = "available",
    tags,
    admin_only
)]
pub struct NetworkSegmentRange {
    #[field(id, filter, sort)]
    pub id: NetworkSegmentRangeId,
    #[field(create, update, filter, sort, default = Text::default())]
    pub name: Text<255>,
    /// For all projects, else for the owner's alone.
    #[field(create, default = true)]
    pub shared: bool,
    #[field(create, required, filter)]
    pub network_type: RangeType,
    /// The configuration's own, which no request can make.
    #[field(create, default = false, computed = "FALSE")]
    pub default: bool,
    /// Of VLANs: on which the ids are.
    #[field(create, unset, filter)]
    pub physical_network: Option<Text<64>>,
    #[field(create, update, required)]
    pub minimum: u32,
    #[field(create, update, required)]
    pub maximum: u32,
    /// Which id is whose.
    #[field(computed = shown::USED)]
    pub used: Used,
    #[field(standard)]
    pub standard: Standard,
}

/// A range of all projects has no owner.
fn present(range: &NetworkSegmentRange) -> Changes {
    let available = range.used.left(range.minimum, range.maximum);
    let mut changes = vec![("available", Some(available))];
    if range.shared {
        changes.push(("project_id", Some(Value::Null)));
    }
    changes
}

impl NetworkSegmentRange {
    fn owner(&self) -> Option<&ProjectId> {
        Some(&self.standard.project_id).filter(|_| !self.shared)
    }

    /// All of a type on a physical network.
    fn alike(
        network_type: &str,
        physical_network: Option<&str>,
        facts: &Facts,
    ) -> Result<Vec<Self>, Stop> {
        let physical = physical_network.map_or(SqlValue::Null, SqlValue::from);
        facts.list(Select::eq("network_type", network_type).and("physical_network", physical))
    }

    fn check(&self, facts: &Facts) -> Result<(), Stop> {
        let invalid = |error_message: String| Err(Refusal::InvalidInput { error_message }.into());
        let physical = self.physical_network.as_ref().map(|name| &name.0);
        match (self.network_type, physical) {
            (RangeType::Vlan, None) => {
                return invalid("physical_network is required for VLAN ranges".to_owned());
            }
            (RangeType::Vxlan | RangeType::Gre | RangeType::Geneve, Some(_)) => {
                return invalid("physical_network is prohibited for tunnel ranges".to_owned());
            }
            _ => {}
        }
        let most = self.network_type.most();
        if self.minimum == 0 || self.minimum > self.maximum || self.maximum > most {
            return invalid(format!(
                "{} to {} is no range from 1 through {most}",
                self.minimum, self.maximum
            ));
        }
        let others = Self::alike(self.network_type.word(), physical.map(String::as_str), facts)?;
        let overlaps = |other: &&Self| {
            other.id != self.id && other.minimum <= self.maximum && self.minimum <= other.maximum
        };
        match others.iter().find(overlaps) {
            None => Ok(()),
            Some(other) => {
                let range_id = other.id.to_string();
                Err(Refusal::NetworkSegmentRangeOverlaps { range_id }.into())
            }
        }
    }

    /// Read again: `self` may be older than the lock on it.
    fn check_left_out(&self, kept: Option<(u32, u32)>, facts: &Facts) -> Result<(), Stop> {
        let Some(fresh) = facts.find::<Self>(self.id)? else { return Ok(()) };
        if fresh.used.all_within(kept) {
            return Ok(());
        }
        let range_id = self.id.to_string();
        Err(Refusal::NetworkSegmentRangeReferencedByProject { range_id }.into())
    }
}

impl Rules for NetworkSegmentRange {
    fn reshaped() -> Schemas {
        const {
            &[
                ("available", shown::available),
                ("project_id", shown::owner),
                ("tenant_id", shown::owner),
            ]
        }
    }

    fn create(
        input: &NetworkSegmentRangeCreate,
        _parent: Option<&str>,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let range = Self {
            id: NetworkSegmentRangeId(context.uuid("network segment range")),
            name: input.name.clone(),
            shared: input.shared,
            network_type: input.network_type,
            default: false,
            // Clients that have none say "".
            physical_network: input.physical_network.clone().flatten().filter(|it| !it.0.is_empty()),
            minimum: input.minimum,
            maximum: input.maximum,
            used: Used::default(),
            standard: Standard::of(&input.standard, context),
        };
        if input.default {
            let error_message = "the default range is the configuration's".to_owned();
            return Err(Refusal::InvalidInput { error_message }.into());
        }
        range.check(facts)?;
        let mut writes = Writes::new();
        writes.insert(&range);
        Ok((range, writes))
    }

    fn update(
        current: &Self,
        update: &NetworkSegmentRangeUpdate,
        facts: &Facts,
        _context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let mut range = current.clone();
        update.apply_to(&mut range);
        let mut writes = Writes::new();
        if range == *current {
            return Ok((range, writes));
        }
        range.check(facts)?;
        range.check_left_out(Some((range.minimum, range.maximum)), facts)?;
        writes.update(&range);
        Ok((range, writes))
    }

    fn delete(current: &Self, facts: &Facts, _context: &Context<'_>) -> Result<Writes, Stop> {
        current.check_left_out(None, facts)?;
        let mut writes = Writes::new();
        writes.delete::<Self>(current.id);
        Ok(writes)
    }
}
