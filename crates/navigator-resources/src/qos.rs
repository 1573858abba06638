//! Quality of service: what the five kinds of rules have in common, and which policy a network, a
//! port, a floating IP or a gateway may be given. Pure records: which packet waits is decided where
//! rules are rendered.

mod amount;
mod assigned;
mod request;
mod rule;
mod support;

pub(crate) use assigned::{default_of, delete_rules_of, refuse_in_use, removable, usable};
pub(crate) use request::{GUARANTEES, NETWORK_POLICY};
pub(crate) use rule::{
    create as create_rule, delete as delete_rule, parameter as rule_parameter, qos_rule,
    update as update_rule,
};
pub(crate) use support::check_port;

pub use amount::{Amount, Direction, DscpMark, Parameter, RateDirection};
pub use request::ResourceRequest;
pub use rule::{Bound, QosRule, QosRuleId, Summary};

use crate::{
    Facts, QosBandwidthLimitRule, QosDscpMarkingRule, QosMinimumBandwidthRule,
    QosMinimumPacketRateRule, QosPacketRateLimitRule, Stop, registry::qos_policy::QosPolicyId,
};

/// Something that is done for every kind of rule.
pub trait KindVisitor {
    fn visit<R: QosRule>(&mut self);
}

pub fn visit_kinds(visitor: &mut impl KindVisitor) {
    visitor.visit::<QosBandwidthLimitRule>();
    visitor.visit::<QosDscpMarkingRule>();
    visitor.visit::<QosMinimumBandwidthRule>();
    visitor.visit::<QosMinimumPacketRateRule>();
    visitor.visit::<QosPacketRateLimitRule>();
}

/// All rules of a policy, whatever their kind.
fn rules_of(policy_id: QosPolicyId, facts: &Facts) -> Result<Vec<Summary>, Stop> {
    struct Collect<'a> {
        policy_id: QosPolicyId,
        facts: &'a Facts,
        found: Result<Vec<Summary>, Stop>,
    }
    impl KindVisitor for Collect<'_> {
        fn visit<R: QosRule>(&mut self) {
            let Ok(found) = &mut self.found else { return };
            match rule::of_policy::<R>(self.policy_id, self.facts) {
                Ok(rules) => found.extend(rules.iter().map(QosRule::summary)),
                Err(stop) => self.found = Err(stop),
            }
        }
    }
    let mut collect = Collect { policy_id, facts, found: Ok(Vec::new()) };
    visit_kinds(&mut collect);
    collect.found
}

#[cfg(test)]
mod tests;
