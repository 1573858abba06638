//! Rules of security groups: which traffic a group's ports let pass. A rule is never changed, only
//! made and deleted; either way its group has changed.

mod protocol;
#[cfg(test)]
mod tests;
mod traffic;

use std::collections::{BTreeSet, HashSet};

use navigator_model::{AddressGroupId, SecurityGroupId, SecurityGroupRuleId};

pub use protocol::{Direction, Ethertype, GroupName, Raw};
pub use traffic::{Traffic, TrafficRequest};

use crate::{
    AddressGroup, Context, Facts, Refusal, Resource, Rules, SecurityGroup, Select, Standard, Stop,
    Writes,
};

/// One kind of traffic that a security group lets pass.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "security_group_rule",
    collection = "security_group_rules",
    class = "SecurityGroupRule",
    extension = "security-group",
    without(update)
)]
pub struct SecurityGroupRule {
    #[field(id, filter, sort)]
    pub id: SecurityGroupRuleId,
    #[field(create, required, filter, sort)]
    pub security_group_id: SecurityGroupId,
    #[field(create, required, filter, sort)]
    pub direction: Direction,
    #[field(create, filter, sort, default = Ethertype::IPv4)]
    pub ethertype: Ethertype,
    #[field(create, filter, sort, default = None, input = Option<Raw>)]
    pub protocol: Option<String>,
    #[field(create, filter, sort, default = None, input = Option<Raw>)]
    pub port_range_min: Option<i64>,
    #[field(create, filter, sort, default = None, input = Option<Raw>)]
    pub port_range_max: Option<i64>,
    /// As it was given, a bare address as a prefix.
    #[field(create, filter, sort, default = None, input = Option<Raw>)]
    pub remote_ip_prefix: Option<String>,
    /// The same without bits beyond the prefix.
    #[field(filter, sort)]
    pub normalized_cidr: Option<String>,
    #[field(create, filter, sort, default = None, input = Option<GroupName>)]
    pub remote_group_id: Option<SecurityGroupId>,
    #[field(create, filter, sort, default = None)]
    pub remote_address_group_id: Option<AddressGroupId>,
    #[field(
        filter,
        computed = "(SELECT g.is_default FROM security_groups g WHERE g.id = security_group_rules.security_group_id)"
    )]
    pub belongs_to_default_sg: Option<bool>,
    #[field(standard)]
    pub standard: Standard,
}

impl SecurityGroupRule {
    pub(super) fn new(
        id: SecurityGroupRuleId,
        group: &SecurityGroup,
        traffic: Traffic,
        standard: Standard,
    ) -> Self {
        Self {
            id,
            security_group_id: group.id,
            direction: traffic.direction,
            ethertype: traffic.ethertype,
            normalized_cidr: traffic.normalized_cidr(),
            protocol: traffic.protocol,
            port_range_min: traffic.port_range_min,
            port_range_max: traffic.port_range_max,
            remote_ip_prefix: traffic.remote_ip_prefix,
            remote_group_id: traffic.remote_group_id,
            remote_address_group_id: traffic.remote_address_group_id,
            belongs_to_default_sg: Some(group.is_default),
            standard,
        }
    }

    fn traffic(&self) -> Traffic {
        Traffic {
            direction: self.direction,
            ethertype: self.ethertype,
            protocol: self.protocol.clone(),
            port_range_min: self.port_range_min,
            port_range_max: self.port_range_max,
            remote_ip_prefix: self.remote_ip_prefix.clone(),
            remote_group_id: self.remote_group_id,
            remote_address_group_id: self.remote_address_group_id,
        }
    }
}

impl SecurityGroupRuleCreate {
    fn traffic(&self) -> Result<Traffic, Refusal> {
        Traffic::read(&TrafficRequest {
            direction: self.direction,
            ethertype: self.ethertype,
            protocol: self.protocol.as_ref(),
            port_range_min: self.port_range_min.as_ref(),
            port_range_max: self.port_range_max.as_ref(),
            remote_ip_prefix: self.remote_ip_prefix.as_ref(),
            names_group: self.remote_group_id.is_some(),
            remote_group_id: self.remote_group_id.as_ref().map(GroupName::id).transpose()?,
            remote_address_group_id: self.remote_address_group_id,
        })
    }
}

impl Rules for SecurityGroupRule {
    fn check_bulk(inputs: &[SecurityGroupRuleCreate]) -> Result<(), Refusal> {
        let groups: BTreeSet<SecurityGroupId> =
            inputs.iter().map(|input| input.security_group_id).collect();
        if groups.len() > 1 {
            return Err(Refusal::SecurityGroupNotSingleGroupRules {});
        }
        let mut seen = HashSet::new();
        for input in inputs {
            if !seen.insert(input.traffic()?.key()) {
                return Err(Refusal::DuplicateSecurityGroupRuleInPost {});
            }
        }
        Ok(())
    }

    fn create(
        input: &SecurityGroupRuleCreate,
        _parent: Option<&str>,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let traffic = input.traffic()?;
        // Locked, so that of two equal rules the second one finds the first.
        let group = owned_group(input.security_group_id, facts, context)?;
        if let Some(id) = traffic.remote_group_id {
            SecurityGroup::held(id, facts, context.caller)?;
        }
        if let Some(id) = traffic.remote_address_group_id {
            AddressGroup::held(id, facts, context.caller)?;
        }
        let rules: Vec<Self> = facts.list(Select::eq("security_group_id", group.id.to_string()))?;
        let key = traffic.key();
        if let Some(rule) = rules.iter().find(|rule| rule.traffic().key() == key) {
            let rule_id = rule.id.to_string();
            return Err(Refusal::SecurityGroupRuleExists { rule_id }.into());
        }
        let id = SecurityGroupRuleId(context.uuid("security_group_rule"));
        // A rule is its group's owner's, whoever adds it.
        let project = group.standard.project_id.clone();
        let standard = Standard::new(project, input.standard.description.clone(), context.now);
        let rule = Self::new(id, &group, traffic, standard);
        let mut writes = Writes::new();
        writes.insert(&rule).bump::<SecurityGroup>(group.id);
        Ok((rule, writes))
    }

    fn delete(current: &Self, _facts: &Facts, _context: &Context<'_>) -> Result<Writes, Stop> {
        let mut writes = Writes::new();
        writes.delete::<Self>(current.id).bump::<SecurityGroup>(current.security_group_id);
        Ok(writes)
    }
}

/// Who only sees a group adds no rule to it.
fn owned_group(
    id: SecurityGroupId,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<SecurityGroup, Stop> {
    let group = facts
        .lock::<SecurityGroup>(id)?
        .ok_or_else(|| Refusal::not_found::<SecurityGroup>(id))?;
    if context.caller.owns(&group.standard.project_id) {
        return Ok(group);
    }
    SecurityGroup::held(id, facts, context.caller)?;
    let action = "create_security_group_rule".to_owned();
    Err(Refusal::PolicyNotAuthorized { action }.into())
}
