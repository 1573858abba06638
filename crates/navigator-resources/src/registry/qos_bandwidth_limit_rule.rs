//! Limits how much a port sends or receives.

use crate::qos::{Amount, Bound, Direction, qos_rule};

qos_rule! {
    /// At most so many kilobits per second, with bursts of so many kilobits.
    struct QosBandwidthLimitRule of (QosBandwidthLimitRuleCreate, QosBandwidthLimitRuleUpdate);
    kind "bandwidth_limit", "bandwidth_limit_rule", "bandwidth_limit_rules", "qos_bandwidth_limit_rules", "qos";
    bound Bound::Ceiling("kbps");
    max_kbps: Amount, (required);
    max_burst_kbps: Amount, (default = Amount(0));
    direction: Direction, (default = Direction::Egress);
}
