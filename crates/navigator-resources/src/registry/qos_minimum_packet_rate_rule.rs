//! Guarantees a packet rate to a port.

use crate::qos::{Amount, Bound, RateDirection, qos_rule};

qos_rule! {
    /// At least so many thousand packets per second.
    struct QosMinimumPacketRateRule of (QosMinimumPacketRateRuleCreate, QosMinimumPacketRateRuleUpdate);
    kind "minimum_packet_rate", "minimum_packet_rate_rule", "minimum_packet_rate_rules", "qos_minimum_packet_rate_rules", "qos-pps-minimum";
    bound Bound::Floor("kpps");
    min_kpps: Amount, (required);
    direction: RateDirection, (default = RateDirection::Egress);
}
