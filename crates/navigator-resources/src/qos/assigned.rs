//! Which policy an object may be given, and what holds a policy in place.

use navigator_model::ProjectId;

use super::{KindVisitor, QosRule, rule, visit_kinds};
use crate::{
    Caller, Facts, QosPolicy, Refusal, Select, Stop, Writes, registry::qos_policy::QosPolicyId,
};

/// Checks that the caller sees the policy that an object shall have: it is there, and shared with whom
/// it is, until the transaction ends. `None` and the one that the object has already need nobody's
/// leave.
pub(crate) fn usable(
    wanted: Option<QosPolicyId>,
    present: Option<QosPolicyId>,
    facts: &Facts,
    caller: &Caller,
) -> Result<(), Stop> {
    let Some(id) = wanted.filter(|_| wanted != present) else { return Ok(()) };
    let policy = facts.hold::<QosPolicy>(id)?;
    if policy.is_some_and(|policy| policy.shared || caller.owns(&policy.standard.project_id)) {
        return Ok(());
    }
    Err(Refusal::not_found::<QosPolicy>(id).into())
}

/// Checks that the caller may take away the policy that a network or port has: it was given one by
/// somebody who saw it.
pub(crate) fn removable(
    present: Option<QosPolicyId>,
    wanted: Option<QosPolicyId>,
    facts: &Facts,
    caller: &Caller,
) -> Result<(), Stop> {
    let Some(id) = present.filter(|_| wanted != present) else { return Ok(()) };
    let policy = facts.find::<QosPolicy>(id)?;
    if policy.is_none_or(|policy| policy.shared || caller.owns(&policy.standard.project_id)) {
        return Ok(());
    }
    Err(Refusal::PolicyRemoveAuthorizationError { policy_id: id.to_string() }.into())
}

/// The policy of a project's new networks.
pub(crate) fn default_of(
    project_id: &ProjectId,
    facts: &Facts,
) -> Result<Option<QosPolicyId>, Stop> {
    let select = Select::eq("project_id", project_id.0.as_str()).and("is_default", true);
    Ok(facts.list::<QosPolicy>(select)?.first().map(|policy| policy.id))
}

pub(crate) fn refuse_in_use(policy: &QosPolicy) -> Result<(), Refusal> {
    let Some((object_type, object_id)) = policy.user.as_deref().and_then(|u| u.split_once(' '))
    else {
        return Ok(());
    };
    Err(Refusal::QosPolicyInUse {
        policy_id: policy.id.to_string(),
        object_type: object_type.to_owned(),
        object_id: object_id.to_owned(),
    })
}

/// Deletes all rules of a policy, whatever their kind.
pub(crate) fn delete_rules_of(policy_id: QosPolicyId, facts: &Facts) -> Result<Writes, Stop> {
    struct Delete<'a> {
        policy_id: QosPolicyId,
        facts: &'a Facts,
        writes: Result<Writes, Stop>,
    }
    impl KindVisitor for Delete<'_> {
        fn visit<R: QosRule>(&mut self) {
            let Ok(writes) = &mut self.writes else { return };
            match rule::of_policy::<R>(self.policy_id, self.facts) {
                Ok(rules) => {
                    for rule in rules {
                        writes.delete::<R>(rule.id());
                    }
                }
                Err(stop) => self.writes = Err(stop),
            }
        }
    }
    let mut delete = Delete { policy_id, facts, writes: Ok(Writes::new()) };
    visit_kinds(&mut delete);
    delete.writes
}
