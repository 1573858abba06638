//! What every kind of rule does: it belongs to a policy, does not contradict the policy's other
//! rules, and is supported where the policy is in use. A kind is one `qos_rule!`.

use serde_json::{Value, json};

use super::{rules_of, support};
use crate::{
    Context, Facts, QosPolicy, Refusal, Rules, Select, Stop, Writes,
    registry::qos_policy::QosPolicyId,
};

crate::attribute::ids! { QosRuleId }

/// What a rule says about its first amount. A floor above a ceiling of the same unit and direction
/// cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// At least so many of this unit.
    Floor(&'static str),
    /// At most so many of this unit.
    Ceiling(&'static str),
    None,
}

/// A kind of rule: `Rules` with what is its own.
pub trait QosRule: Rules {
    /// As rule types and a policy's `rules` name it: `bandwidth_limit`.
    const KIND: &'static str;
    const BOUND: Bound;

    fn new(id: QosRuleId, policy_id: QosPolicyId, input: &Self::Create) -> Self;

    fn changed(&self, update: &Self::Update) -> Self;

    fn policy_id(&self) -> QosPolicyId;

    fn summary(&self) -> Summary;

    /// `supported_parameters` of the rule type.
    fn parameters() -> Vec<Value>;
}

/// A rule as the others of its policy see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    pub id: String,
    pub kind: &'static str,
    pub bound: Bound,
    pub direction: Option<&'static str>,
    pub amount: Option<i64>,
}

impl Summary {
    /// Whether both speak of the same packets.
    fn meets(&self, other: &Self) -> bool {
        let any = |direction| direction == Some("any");
        self.direction == other.direction || any(self.direction) || any(other.direction)
    }

    /// Whether one guarantees more than the other allows.
    fn contradicts(&self, other: &Self) -> bool {
        let (floor, ceiling) = match (self.bound, other.bound) {
            (Bound::Floor(a), Bound::Ceiling(b)) if a == b => (self, other),
            (Bound::Ceiling(a), Bound::Floor(b)) if a == b => (other, self),
            _ => return false,
        };
        floor.direction == ceiling.direction && floor.amount > ceiling.amount
    }
}

/// One entry of `supported_parameters`.
pub(crate) fn parameter(name: &str, (kind, values): (&str, Value)) -> Value {
    json!({"parameter_name": name, "parameter_type": kind, "parameter_values": values})
}

pub(super) fn of_policy<R: QosRule>(policy_id: QosPolicyId, facts: &Facts) -> Result<Vec<R>, Stop> {
    facts.list(Select::eq("qos_policy_id", policy_id.to_string()))
}

/// Rules change only under their policy's lock.
fn policy(id: &str, facts: &Facts) -> Result<QosPolicy, Stop> {
    let not_found = || Refusal::not_found::<QosPolicy>(id);
    Ok(facts.lock::<QosPolicy>(id)?.ok_or_else(not_found)?)
}

fn conflict(new: &Summary, old: &Summary, policy: &QosPolicy) -> Refusal {
    Refusal::QoSRulesConflict {
        new_rule_type: new.kind.to_owned(),
        rule_id: old.id.clone(),
        policy_id: policy.id.to_string(),
    }
}

fn check(rule: &Summary, policy: &QosPolicy, facts: &Facts) -> Result<(), Stop> {
    for other in rules_of(policy.id, facts)?.iter().filter(|other| other.id != rule.id) {
        if other.kind == rule.kind && rule.meets(other) {
            return Err(conflict(rule, other, policy).into());
        }
        if rule.contradicts(other) {
            let amount = |rule: &Summary| rule.amount.unwrap_or_default().to_string();
            return Err(Refusal::QoSRuleParameterConflict {
                rule_value: amount(rule),
                policy_id: policy.id.to_string(),
                existing_rule: other.kind.to_owned(),
                existing_value: amount(other),
            }
            .into());
        }
    }
    support::check_users(rule, policy, facts)
}

pub(crate) fn create<R: QosRule>(
    input: &R::Create,
    parent: Option<&str>,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(R, Writes), Stop> {
    let policy = policy(parent.unwrap_or_default(), facts)?;
    let rule = R::new(QosRuleId(context.uuid(R::KIND)), policy.id, input);
    check(&rule.summary(), &policy, facts)?;
    let mut writes = Writes::new();
    writes.insert(&rule).bump::<QosPolicy>(policy.id);
    Ok((rule, writes))
}

pub(crate) fn update<R: QosRule + PartialEq>(
    current: &R,
    update: &R::Update,
    facts: &Facts,
) -> Result<(R, Writes), Stop> {
    let rule = current.changed(update);
    let mut writes = Writes::new();
    if rule != *current {
        let policy = policy(&rule.policy_id().to_string(), facts)?;
        check(&rule.summary(), &policy, facts)?;
        writes.update(&rule).bump::<QosPolicy>(policy.id);
    }
    Ok((rule, writes))
}

pub(crate) fn delete<R: QosRule>(current: &R) -> Writes {
    let mut writes = Writes::new();
    writes.delete::<R>(current.id()).bump::<QosPolicy>(current.policy_id());
    writes
}

/// Declares a kind of rule: its names, its bound, and its attributes, of which the first amount is
/// what the bound is about.
macro_rules! qos_rule {
    (
        $(#[$doc:meta])*
        struct $rule:ident of ($create:ident, $update:ident);
        kind $kind:literal, $name:literal, $collection:literal, $table:literal, $extension:literal;
        bound $bound:expr;
        $($parameter:ident: $type:ty, ($($absent:tt)*);)*
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, crate::Resource)]
        #[resource(
            name = $name,
            collection = $collection,
            table = $table,
            class = "QosRule",
            extension = $extension,
            parent = crate::QosPolicy,
            parent_column = "qos_policy_id",
            visible_through(
                column = "qos_policy_id",
                ids = "SELECT p.id FROM qos_policies p WHERE p.project_id = $project"
            )
        )]
        pub struct $rule {
            #[field(id, filter, sort)]
            pub id: crate::qos::QosRuleId,
            #[field(internal)]
            pub qos_policy_id: crate::registry::qos_policy::QosPolicyId,
            $(
                #[field(create, update, filter, sort, $($absent)*)]
                pub $parameter: $type,
            )*
        }

        impl crate::qos::QosRule for $rule {
            const KIND: &'static str = $kind;
            const BOUND: crate::qos::Bound = $bound;

            fn new(
                id: crate::qos::QosRuleId,
                qos_policy_id: crate::registry::qos_policy::QosPolicyId,
                input: &$create,
            ) -> Self {
                Self { id, qos_policy_id, $($parameter: input.$parameter),* }
            }

            fn changed(&self, update: &$update) -> Self {
                let mut rule = self.clone();
                update.apply_to(&mut rule);
                rule
            }

            fn policy_id(&self) -> crate::registry::qos_policy::QosPolicyId {
                self.qos_policy_id
            }

            fn summary(&self) -> crate::qos::Summary {
                use crate::qos::Parameter as _;
                crate::qos::Summary {
                    id: self.id.to_string(),
                    kind: $kind,
                    bound: $bound,
                    direction: None$(.or(self.$parameter.direction()))*,
                    amount: None$(.or(self.$parameter.amount()))*,
                }
            }

            fn parameters() -> Vec<::serde_json::Value> {
                vec![$(crate::qos::rule_parameter(
                    stringify!($parameter),
                    <$type as crate::qos::Parameter>::described(),
                )),*]
            }
        }

        impl crate::Rules for $rule {
            fn create(
                input: &$create,
                parent: Option<&str>,
                facts: &crate::Facts,
                context: &crate::Context<'_>,
            ) -> Result<(Self, crate::Writes), crate::Stop> {
                crate::qos::create_rule(input, parent, facts, context)
            }

            fn update(
                current: &Self,
                update: &$update,
                facts: &crate::Facts,
                _context: &crate::Context<'_>,
            ) -> Result<(Self, crate::Writes), crate::Stop> {
                crate::qos::update_rule(current, update, facts)
            }

            fn delete(
                current: &Self,
                _facts: &crate::Facts,
                _context: &crate::Context<'_>,
            ) -> Result<crate::Writes, crate::Stop> {
                Ok(crate::qos::delete_rule(current))
            }
        }
    };
}

pub(crate) use qos_rule;
