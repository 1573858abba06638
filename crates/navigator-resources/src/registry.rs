//! The list of resources: one line each brings a resource into the product. It is written out and
//! not collected by the linker, which may drop entries silently.

use crate::rules::Rules;

/// Something that is done for every resource, such as mounting its routes.
pub trait Visitor {
    fn visit<R: Rules>(&mut self);
}

macro_rules! registry {
    ($($module:ident :: $resource:ident),* $(,)?) => {
        $(pub mod $module; pub use $module::$resource;)*

        /// Visits every resource, parents before children.
        pub fn visit_all(visitor: &mut impl Visitor) {
            $(visitor.visit::<$resource>();)*
        }
    };
}

registry! {
    qos_policy::QosPolicy,
    qos_bandwidth_limit_rule::QosBandwidthLimitRule,
    qos_dscp_marking_rule::QosDscpMarkingRule,
    qos_minimum_bandwidth_rule::QosMinimumBandwidthRule,
    qos_minimum_packet_rate_rule::QosMinimumPacketRateRule,
    qos_packet_rate_limit_rule::QosPacketRateLimitRule,
    network::Network,
    address_scope::AddressScope,
    subnet_pool::SubnetPool,
    subnet::Subnet,
    security_group::SecurityGroup,
    address_group::AddressGroup,
    security_group_rule::SecurityGroupRule,
    default_security_group_rule::DefaultSecurityGroupRule,
    port::Port,
    port_binding::PortBinding,
    agent::Agent,
    router::Router,
    floating_ip::FloatingIp,
    port_forwarding::PortForwarding,
    gateway_port_forwarding::GatewayPortForwarding,
    conntrack_helper::ConntrackHelper,
    log::Log,
    metering_label::MeteringLabel,
    metering_label_rule::MeteringLabelRule,
    forward::Forward,
    segment::Segment,
    network_segment_range::NetworkSegmentRange,
    trunk::Trunk,
    service_profile::ServiceProfile,
    flavor::Flavor,
    rbac_policy::RbacPolicy,
}
