//! Guarantees bandwidth to a port.

use crate::qos::{Amount, Bound, Direction, qos_rule};

qos_rule! {
    /// At least so many kilobits per second.
    struct QosMinimumBandwidthRule of (QosMinimumBandwidthRuleCreate, QosMinimumBandwidthRuleUpdate);
    kind "minimum_bandwidth", "minimum_bandwidth_rule", "minimum_bandwidth_rules", "qos_minimum_bandwidth_rules", "qos";
    bound Bound::Floor("kbps");
    min_kbps: Amount, (required);
    direction: Direction, (default = Direction::Egress);
}
