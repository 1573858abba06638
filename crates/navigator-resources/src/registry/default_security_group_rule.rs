//! Templates: the rules that a new security group starts with. The operator's to make and delete;
//! groups that are already there keep what they have.

use std::{fmt, str::FromStr};

use navigator_model::{AddressGroupId, SecurityGroupId};

use super::security_group_rule::{Direction, Ethertype, Raw, Traffic, TrafficRequest};
use crate::{
    AddressGroup, Context, Facts, Refusal, Resource, Rules, SecurityGroup, Select, Stop, Writes,
    attribute::{Text, ids, text_attribute},
};

ids! { DefaultSecurityGroupRuleId }

/// Whom a template's rule lets in: `PARENT` is the new group itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateGroup {
    Parent,
    Group(SecurityGroupId),
}

impl fmt::Display for TemplateGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parent => f.write_str("PARENT"),
            Self::Group(id) => id.fmt(f),
        }
    }
}

impl FromStr for TemplateGroup {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "PARENT" { Ok(Self::Parent) } else { text.parse().map(Self::Group) }
    }
}

text_attribute! { TemplateGroup => "security group id or PARENT" }

/// The standard attributes of what no project owns.
#[derive(Clone, Debug, PartialEq, crate::Resource)]
#[resource(part)]
pub struct TemplateStandard {
    #[field(create, filter, default = Text::default())]
    pub description: Text<255>,
    #[field(sort)]
    pub created_at: String,
    #[field(sort)]
    pub updated_at: String,
    #[field(filter, sort)]
    pub revision_number: i64,
}

/// A rule that new security groups get.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "default_security_group_rule",
    collection = "default_security_group_rules",
    class = "DefaultSecurityGroupRule",
    extension = "security-groups-default-rules",
    visible_to_all = "TRUE",
    without(update)
)]
pub struct DefaultSecurityGroupRule {
    #[field(id, filter, sort)]
    pub id: DefaultSecurityGroupRuleId,
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
    #[field(create, filter, sort, default = None, input = Option<Raw>)]
    pub remote_ip_prefix: Option<String>,
    #[field(create, filter, sort, default = None)]
    pub remote_group_id: Option<TemplateGroup>,
    #[field(create, filter, sort, default = None)]
    pub remote_address_group_id: Option<AddressGroupId>,
    #[field(create, filter, sort, default = false)]
    pub used_in_default_sg: bool,
    #[field(create, filter, sort, default = true)]
    pub used_in_non_default_sg: bool,
    #[field(standard)]
    pub standard: crate::registry::default_security_group_rule::TemplateStandard,
}

impl DefaultSecurityGroupRule {
    /// What it lets pass; whose group is meant is the new group's to say.
    pub(super) fn traffic(&self) -> Traffic {
        Traffic {
            direction: self.direction,
            ethertype: self.ethertype,
            protocol: self.protocol.clone(),
            port_range_min: self.port_range_min,
            port_range_max: self.port_range_max,
            remote_ip_prefix: self.remote_ip_prefix.clone(),
            remote_group_id: None,
            remote_address_group_id: self.remote_address_group_id,
        }
    }
}

impl Rules for DefaultSecurityGroupRule {
    fn create(
        input: &DefaultSecurityGroupRuleCreate,
        _parent: Option<&str>,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let traffic = Traffic::read(&TrafficRequest {
            direction: input.direction,
            ethertype: input.ethertype,
            protocol: input.protocol.as_ref(),
            port_range_min: input.port_range_min.as_ref(),
            port_range_max: input.port_range_max.as_ref(),
            remote_ip_prefix: input.remote_ip_prefix.as_ref(),
            names_group: input.remote_group_id.is_some(),
            remote_group_id: None,
            remote_address_group_id: input.remote_address_group_id,
        })?;
        if let Some(TemplateGroup::Group(id)) = input.remote_group_id {
            // No reference in the database keeps it.
            SecurityGroup::held(id, facts, context.caller)?;
        }
        if let Some(id) = input.remote_address_group_id {
            AddressGroup::held(id, facts, context.caller)?;
        }
        let key = (traffic.key(), input.remote_group_id);
        for other in facts.list::<Self>(Select::all())? {
            // Rules for other groups do not meet.
            let meet = (other.used_in_default_sg && input.used_in_default_sg)
                || (other.used_in_non_default_sg && input.used_in_non_default_sg);
            if meet && (other.traffic().key(), other.remote_group_id) == key {
                let rule_id = other.id.to_string();
                return Err(Refusal::DefaultSecurityGroupRuleExists { rule_id }.into());
            }
        }
        let rule = Self {
            id: DefaultSecurityGroupRuleId(context.uuid("default_security_group_rule")),
            direction: traffic.direction,
            ethertype: traffic.ethertype,
            protocol: traffic.protocol,
            port_range_min: traffic.port_range_min,
            port_range_max: traffic.port_range_max,
            remote_ip_prefix: traffic.remote_ip_prefix,
            remote_group_id: input.remote_group_id,
            remote_address_group_id: input.remote_address_group_id,
            used_in_default_sg: input.used_in_default_sg,
            used_in_non_default_sg: input.used_in_non_default_sg,
            standard: TemplateStandard {
                description: input.standard.description.clone(),
                created_at: context.now.to_owned(),
                updated_at: context.now.to_owned(),
                revision_number: 1,
            },
        };
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
