//! Rules of metering labels: which traffic a label counts, and which it leaves out.

#[cfg(test)]
mod tests;

use ipnet::IpNet;
use navigator_model::ProjectId;

use crate::{
    Context, Facts, Refusal, Resource, Rules, Select, Stop, Writes,
    registry::{
        metering_label::{MeteringLabel, MeteringLabelId},
        security_group_rule::Direction,
    },
};

crate::attribute::ids! { MeteringLabelRuleId }

/// Traffic that a label counts.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "metering_label_rule",
    collection = "metering_label_rules",
    path = "metering/metering_label_rules",
    class = "MeteringLabelRule",
    extension = "metering",
    without(update)
)]
pub struct MeteringLabelRule {
    #[field(id, filter, sort)]
    pub id: MeteringLabelRuleId,
    #[field(create, required, filter, sort)]
    pub metering_label_id: MeteringLabelId,
    #[field(create, required, filter, sort)]
    pub direction: Direction,
    /// Not counted although another rule says so.
    #[field(create, filter, sort, default = false)]
    pub excluded: bool,
    /// The far end, whatever the direction.
    #[field(create, filter, sort, default = None)]
    pub remote_ip_prefix: Option<IpNet>,
    #[field(create, filter, sort, default = None)]
    pub source_ip_prefix: Option<IpNet>,
    #[field(create, filter, sort, default = None)]
    pub destination_ip_prefix: Option<IpNet>,
    /// The label's.
    #[field(create, required)]
    pub project_id: ProjectId,
}

impl MeteringLabelRule {
    /// Whether a packet can be counted by both.
    fn overlaps(&self, other: &Self) -> bool {
        let meet = |one: Option<IpNet>, other: Option<IpNet>| match (one, other) {
            (Some(one), Some(other)) => one.contains(&other) || other.contains(&one),
            _ => true,
        };
        self.direction == other.direction
            && self.remote_ip_prefix.is_some() == other.remote_ip_prefix.is_some()
            && meet(self.remote_ip_prefix, other.remote_ip_prefix)
            && meet(self.source_ip_prefix, other.source_ip_prefix)
            && meet(self.destination_ip_prefix, other.destination_ip_prefix)
    }

    fn check_prefixes(&self) -> Result<(), Refusal> {
        let ends = self.source_ip_prefix.is_some() || self.destination_ip_prefix.is_some();
        let msg = match (self.remote_ip_prefix.is_some(), ends) {
            (true, true) => "remote_ip_prefix goes without source and destination prefixes",
            (false, false) => "a remote, source or destination prefix is required",
            _ => return Ok(()),
        };
        Err(Refusal::BadRequest {
            resource: "metering_label_rule".to_owned(),
            msg: msg.to_owned(),
        })
    }

    fn prefixes(&self) -> String {
        let given =
            [self.remote_ip_prefix, self.source_ip_prefix, self.destination_ip_prefix];
        given.iter().flatten().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

impl Rules for MeteringLabelRule {
    fn create(
        input: &MeteringLabelRuleCreate,
        _parent: Option<&str>,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let id = input.metering_label_id;
        // Locked: of two rules that overlap the second one finds the first.
        let label = facts
            .lock::<MeteringLabel>(id)?
            .filter(|label| context.caller.owns(&label.project_id))
            .ok_or_else(|| Refusal::not_found::<MeteringLabel>(id))?;
        let rule = Self {
            id: MeteringLabelRuleId(context.uuid("metering_label_rule")),
            metering_label_id: id,
            direction: input.direction,
            excluded: input.excluded,
            remote_ip_prefix: input.remote_ip_prefix,
            source_ip_prefix: input.source_ip_prefix,
            destination_ip_prefix: input.destination_ip_prefix,
            project_id: label.project_id,
        };
        rule.check_prefixes()?;
        let others: Vec<Self> = facts.list(Select::eq("metering_label_id", id.to_string()))?;
        if others.iter().any(|other| rule.overlaps(other)) {
            let remote_ip_prefix = rule.prefixes();
            return Err(Refusal::MeteringLabelRuleOverlaps { remote_ip_prefix }.into());
        }
        let mut writes = Writes::new();
        writes.insert(&rule);
        Ok((rule, writes))
    }

    fn delete(current: &Self, _facts: &Facts, _context: &Context<'_>) -> Result<Writes, Stop> {
        let mut writes = Writes::new();
        writes.delete::<Self>(current.id);
        Ok(writes)
    }
}
