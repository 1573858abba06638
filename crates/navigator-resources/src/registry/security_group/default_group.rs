//! The group that a project has without asking, and the rules that a new group starts with: both
//! from the operator's templates.

use navigator_model::{ProjectId, SecurityGroupId, SecurityGroupRuleId};

use super::SecurityGroup;
use crate::{
    Context, Facts, Select, Standard, Stop, Writes,
    attribute::Text,
    registry::{
        default_security_group_rule::{DefaultSecurityGroupRule, TemplateGroup},
        security_group_rule::SecurityGroupRule,
    },
};

/// Name of the group that every project has.
pub const DEFAULT: &str = "default";

/// The project's default group, and the writes that make it if it was not there. Of two that make it
/// at once the database refuses one, which then finds the other's.
pub fn ensure(
    project_id: &ProjectId,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(SecurityGroup, Writes), Stop> {
    let mut writes = Writes::new();
    let own = Select::eq("project_id", project_id.0.as_str()).and("is_default", true);
    if let Some(group) = facts.list::<SecurityGroup>(own)?.pop() {
        return Ok((group, writes));
    }
    let id = SecurityGroupId(context.uuid("default_security_group"));
    let description = Text("Default security group".to_owned());
    let standard = Standard::new(project_id.clone(), description, context.now);
    let group =
        SecurityGroup { is_default: true, ..SecurityGroup::new(id, DEFAULT.into(), standard) };
    writes.insert(&group);
    insert_rules(&group, facts, context, &mut writes)?;
    Ok((group, writes))
}

/// The templates' rules for a group like this one.
pub(super) fn insert_rules(
    group: &SecurityGroup,
    facts: &Facts,
    context: &Context<'_>,
    writes: &mut Writes,
) -> Result<(), Stop> {
    let column = if group.is_default { "used_in_default_sg" } else { "used_in_non_default_sg" };
    let templates: Vec<DefaultSecurityGroupRule> = facts.list(Select::eq(column, true))?;
    for template in templates {
        let mut traffic = template.traffic();
        traffic.remote_group_id = match template.remote_group_id {
            None => None,
            Some(TemplateGroup::Parent) => Some(group.id),
            Some(TemplateGroup::Group(id)) => Some(id),
        };
        let label = format!("{}/{}", group.id, template.id);
        let project = group.standard.project_id.clone();
        let description = template.standard.description.clone();
        let standard = Standard::new(project, description, context.now);
        let id = SecurityGroupRuleId(context.uuid(&label));
        writes.insert(&SecurityGroupRule::new(id, group, traffic, standard));
    }
    Ok(())
}
