//! QoS policies: named sets of rules that networks, ports, floating IPs and gateways point at. The
//! rules are resources of their own below a policy, one per kind (`qos/rule.rs`).

mod shown;
#[cfg(test)]
mod tests;

pub use shown::ShownRules;

use navigator_model::ProjectId;

use crate::{
    Context, Facts, FloatingIp, Network, Port, Refusal, Resource, Router, Rules, Select, Standard,
    Stop, Writes, attribute::Text, qos, registry::rbac_policy::Action,
};

crate::attribute::ids! { QosPolicyId }

/// A set of rules.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "policy",
    collection = "policies",
    path = "qos/policies",
    table = "qos_policies",
    class = "QosPolicy",
    quota = "qos_policy",
    extension = "qos",
    tags,
    rbac = "qos_policy",
    present = shown::present
)]
pub struct QosPolicy {
    #[field(id, filter, sort)]
    pub id: QosPolicyId,
    #[field(create, update, filter, sort, default = Text::default())]
    pub name: Text<255>,
    #[field(create, update, filter, default = false, admin(create, update))]
    pub shared: bool,
    /// New networks of the project get it when they name none.
    #[field(create, update, filter, default = false)]
    pub is_default: bool,
    #[field(computed = shown::RULES)]
    pub rules: ShownRules,
    /// Kind and id of one object that points at it.
    #[field(hidden, computed = shown::USER)]
    pub user: Option<String>,
    #[field(standard)]
    pub standard: Standard,
}

impl Rules for QosPolicy {
    fn create(
        input: &QosPolicyCreate,
        _parent: Option<&str>,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let policy = Self {
            id: QosPolicyId(context.uuid("qos policy")),
            name: input.name.clone(),
            shared: input.shared,
            is_default: input.is_default,
            rules: ShownRules::default(),
            user: None,
            standard: Standard::of(&input.standard, context),
        };
        only_default(&policy, facts)?;
        let mut writes = Writes::new();
        writes.insert(&policy);
        Ok((policy, writes))
    }

    fn update(
        current: &Self,
        update: &QosPolicyUpdate,
        facts: &Facts,
        _context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let mut policy = current.clone();
        update.apply_to(&mut policy);
        if policy == *current {
            return Ok((policy, Writes::new()));
        }
        only_default(&policy, facts)?;
        let mut writes = Writes::new();
        writes.update(&policy);
        Ok((policy, writes))
    }

    fn used_by(&self, _action: Action, facts: &Facts) -> Result<Vec<ProjectId>, Stop> {
        let select = || Select::eq("qos_policy_id", self.id());
        let networks = facts.list::<Network>(select())?.into_iter();
        let ports = facts.list::<Port>(select())?.into_iter();
        let floating_ips = facts.list::<FloatingIp>(select())?.into_iter();
        let gateways = facts.list::<Router>(Select::eq("gateway_qos_policy_id", self.id()))?;
        Ok(networks
            .map(|network| network.standard.project_id)
            .chain(ports.map(|port| port.standard.project_id))
            .chain(floating_ips.map(|floating_ip| floating_ip.standard.project_id))
            .chain(gateways.into_iter().map(|router| router.standard.project_id))
            .collect())
    }

    /// Takes its rules with it.
    fn delete(current: &Self, facts: &Facts, _context: &Context<'_>) -> Result<Writes, Stop> {
        if let Some(fresh) = facts.find::<Self>(current.id)? {
            qos::refuse_in_use(&fresh)?;
        }
        let mut writes = qos::delete_rules_of(current.id, facts)?;
        writes.delete::<Self>(current.id);
        Ok(writes)
    }
}

/// A project has at most one default policy; the database holds it too.
fn only_default(policy: &QosPolicy, facts: &Facts) -> Result<(), Stop> {
    if !policy.is_default {
        return Ok(());
    }
    let project_id = policy.standard.project_id.0.clone();
    let select = Select::eq("project_id", project_id.as_str()).and("is_default", true);
    match facts.list::<QosPolicy>(select)?.iter().find(|other| other.id != policy.id) {
        None => Ok(()),
        Some(_) => Err(Refusal::QoSPolicyDefaultAlreadyExists { project_id }.into()),
    }
}
