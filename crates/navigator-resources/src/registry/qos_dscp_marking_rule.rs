//! Marks what a port sends for the routers on the way.

use crate::qos::{Bound, DscpMark, qos_rule};

qos_rule! {
    /// Writes a DSCP mark into packets.
    struct QosDscpMarkingRule of (QosDscpMarkingRuleCreate, QosDscpMarkingRuleUpdate);
    kind "dscp_marking", "dscp_marking_rule", "dscp_marking_rules", "qos_dscp_marking_rules", "qos";
    bound Bound::None;
    dscp_mark: DscpMark, (required);
}
