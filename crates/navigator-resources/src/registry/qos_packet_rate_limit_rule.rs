//! Limits how many packets a port sends or receives.

use crate::qos::{Amount, Bound, Direction, qos_rule};

qos_rule! {
    /// At most so many thousand packets per second.
    struct QosPacketRateLimitRule of (QosPacketRateLimitRuleCreate, QosPacketRateLimitRuleUpdate);
    kind "packet_rate_limit", "packet_rate_limit_rule", "packet_rate_limit_rules", "qos_packet_rate_limit_rules", "qos-pps";
    bound Bound::Ceiling("kpps");
    max_kpps: Amount, (required);
    max_burst_kpps: Amount, (default = Amount(0));
    direction: Direction, (default = Direction::Egress);
}
