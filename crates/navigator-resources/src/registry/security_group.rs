//! Security groups: named sets of rules that say which traffic a port lets pass. Every project has
//! one called `default`, made when it is first needed; ports that name no group get it.

mod default_group;
mod membership;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeSet;

use navigator_model::{ProjectId, SecurityGroupId};

pub use default_group::{DEFAULT, ensure};
pub use membership::{check_statefulness, wanted};

use crate::{
    Caller, Context, Embedded, Facts, Lazy, Log, Port, Refusal, Resource, Rules, SecurityGroupRule,
    Select,
    SqlValue, Standard, Stop, Writes, attribute::Text,
    registry::{
        default_security_group_rule::DefaultSecurityGroupRule, rbac_policy::Action,
    },
};

/// A named set of rules.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "security_group",
    collection = "security_groups",
    class = "SecurityGroup",
    extension = "security-group",
    tags,
    rbac = "security_group"
)]
pub struct SecurityGroup {
    #[field(id, filter, sort)]
    pub id: SecurityGroupId,
    #[field(create, update, filter, sort, default = Text::default())]
    pub name: Text<255>,
    /// Whether answers to what was let through pass without a rule of their own.
    #[field(create, update, filter, default = true)]
    pub stateful: bool,
    /// Whether it is shared with the caller's project.
    #[field(filter)]
    pub shared: bool,
    /// The one that the project got without asking; found by this and not by its name.
    #[field(internal)]
    pub is_default: bool,
    /// Number of ports that have it, as far as it matters: none or more.
    #[field(
        internal,
        computed = "CAST(CASE WHEN EXISTS (SELECT 1 FROM port_security_groups b WHERE b.security_group_id = security_groups.id) THEN 1 ELSE 0 END AS BIGINT)"
    )]
    pub in_use: i64,
    #[field(standard)]
    pub standard: Standard,
}

impl SecurityGroup {
    pub fn is_visible_to(&self, caller: &Caller) -> bool {
        self.shared || caller.owns(&self.standard.project_id)
    }

    /// The group, if the caller may see it: it stays what it is, and shared with whom it is, until
    /// the transaction ends.
    pub fn held(id: SecurityGroupId, facts: &Facts, caller: &Caller) -> Result<Self, Stop> {
        facts
            .hold::<Self>(id)?
            .filter(|group| group.is_visible_to(caller))
            .ok_or_else(|| Refusal::not_found::<Self>(id).into())
    }

    /// A group that answers for no ports yet.
    fn new(id: SecurityGroupId, name: Text<255>, standard: Standard) -> Self {
        Self { id, name, stateful: true, shared: false, is_default: false, in_use: 0, standard }
    }

    fn in_use(&self) -> Refusal {
        Refusal::SecurityGroupInUse {
            id: self.id.to_string(),
            reason: "it is used by ports or templates".to_owned(),
        }
    }
}

impl Rules for SecurityGroup {
    fn create(
        input: &SecurityGroupCreate,
        _parent: Option<&str>,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        check_name(&input.name)?;
        let (_, mut writes) = ensure(&input.standard.project_id, facts, context)?;
        let id = SecurityGroupId(context.uuid("security_group"));
        let standard = Standard::of(&input.standard, context);
        let group =
            Self { stateful: input.stateful, ..Self::new(id, input.name.clone(), standard) };
        writes.insert(&group);
        default_group::insert_rules(&group, facts, context, &mut writes)?;
        Ok((group, writes))
    }

    fn update(
        current: &Self,
        update: &SecurityGroupUpdate,
        _facts: &Facts,
        _context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        if let Some(name) = &update.name {
            check_name(name)?;
            if current.is_default {
                return Err(Refusal::SecurityGroupCannotUpdateDefault {}.into());
            }
        }
        let mut group = current.clone();
        update.apply_to(&mut group);
        if group.stateful != current.stateful && current.in_use > 0 {
            return Err(current.in_use().into());
        }
        let mut writes = Writes::new();
        if group != *current {
            writes.update(&group);
        }
        Ok((group, writes))
    }

    /// Rules go with it: its own, and those of other groups that let its ports in.
    /// By ports that have it and by rules that name it.
    fn used_by(&self, _action: Action, facts: &Facts) -> Result<Vec<ProjectId>, Stop> {
        let ports: Vec<Port> = facts.list(Select::eq("security_groups", self.id()))?;
        let rules: Vec<SecurityGroupRule> =
            facts.list(Select::eq("remote_group_id", self.id()))?;
        let ports = ports.into_iter().map(|port| port.standard.project_id);
        Ok(ports.chain(rules.into_iter().map(|rule| rule.standard.project_id)).collect())
    }

    fn delete(current: &Self, facts: &Facts, context: &Context<'_>) -> Result<Writes, Stop> {
        if current.is_default && !context.caller.is_admin {
            return Err(Refusal::SecurityGroupCannotRemoveDefault {}.into());
        }
        let id = current.id.to_string();
        let templates: Vec<DefaultSecurityGroupRule> =
            facts.list(Select::eq("remote_group_id", id.clone()))?;
        if current.in_use > 0 || !templates.is_empty() {
            return Err(current.in_use().into());
        }
        let logs: Vec<Log> = facts.list(Select::eq("resource_id", id.clone()))?;
        let others: Vec<SecurityGroupRule> = facts.list(Select::eq("remote_group_id", id))?;
        let changed: BTreeSet<SecurityGroupId> = others
            .iter()
            .map(|rule| rule.security_group_id)
            .filter(|group| *group != current.id)
            .collect();
        let mut writes = Writes::new();
        for group in changed {
            writes.bump::<Self>(group);
        }
        for log in &logs {
            writes.delete::<Log>(log.id);
        }
        writes.delete::<Self>(current.id);
        Ok(writes)
    }

    fn embedded() -> &'static [Embedded] {
        const {
            &[Embedded::of::<SecurityGroupRule>("security_group_rules", "security_group_id")]
        }
    }

    fn lazy() -> Option<Lazy> {
        let of = |caller: &Caller| {
            let project = &caller.project_id.0;
            let own = vec![
                ("project_id", SqlValue::from(project.as_str())),
                ("is_default", SqlValue::from(true)),
            ];
            (!project.is_empty()).then_some(own)
        };
        let make = |facts: &Facts, context: &Context<'_>| {
            ensure(&context.caller.project_id, facts, context).map(|(_, writes)| writes)
        };
        Some(Lazy { of, make })
    }
}

/// The name is the service's own, however it is spelled.
fn check_name(name: &Text<255>) -> Result<(), Refusal> {
    if name.0.eq_ignore_ascii_case(DEFAULT) {
        return Err(Refusal::SecurityGroupDefaultAlreadyExists {});
    }
    Ok(())
}
