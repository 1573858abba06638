//! Which kinds of rules can be kept for which devices. A device on a bridge takes all of them, one
//! that is a part of a network card takes what such cards can do, others take none.

use super::{Summary, rules_of};
use crate::{
    Facts, Network, Port, QosPolicy, Refusal, Select, SqlValue, Stop, registry::port::VnicType,
};

fn supports(vnic_type: VnicType, rule: &Summary) -> bool {
    match vnic_type {
        VnicType::Normal => true,
        VnicType::Direct | VnicType::Macvtap => {
            ["bandwidth_limit", "minimum_bandwidth"].contains(&rule.kind)
                && rule.direction == Some("egress")
        }
        _ => false,
    }
}

fn refused(port: &Port, rule: &Summary) -> Stop {
    Refusal::QosRuleNotSupported { rule_type: rule.kind.to_owned(), port_id: port.id.to_string() }
        .into()
}

/// Whether the rules of the port's policy, or of its network's, can be kept for it.
pub(crate) fn check_port(port: &Port, network: &Network, facts: &Facts) -> Result<(), Stop> {
    let policy_id = port.qos_policy_id.or(network.qos_policy_id);
    let (Some(policy_id), true) = (policy_id, port.vnic_type != VnicType::Normal) else {
        return Ok(());
    };
    match rules_of(policy_id, facts)?.iter().find(|rule| !supports(port.vnic_type, rule)) {
        None => Ok(()),
        Some(rule) => Err(refused(port, rule)),
    }
}

/// Whether a rule can be kept for all ports that its policy is for.
pub(super) fn check_users(rule: &Summary, policy: &QosPolicy, facts: &Facts) -> Result<(), Stop> {
    let special = || {
        let others = VnicType::ALL.iter().filter(|kind| **kind != VnicType::Normal);
        Select::any("vnic_type", others.map(|kind| SqlValue::from(kind.word())))
    };
    let policy_id = policy.id.to_string();
    let mut ports: Vec<Port> = facts.list(special().and("qos_policy_id", policy_id.as_str()))?;
    for network in facts.list::<Network>(Select::eq("qos_policy_id", policy_id))? {
        let on_network = special().and("network_id", network.id.to_string());
        let on_network: Vec<Port> = facts.list(on_network)?;
        ports.extend(on_network.into_iter().filter(|port| port.qos_policy_id.is_none()));
    }
    match ports.iter().find(|port| !supports(port.vnic_type, rule)) {
        None => Ok(()),
        Some(port) => Err(refused(port, rule)),
    }
}
