//! Every way in which a request can be refused: one table of status, Neutron's error type (the
//! variant's name: clients select by it) and message.

use std::fmt;

macro_rules! refusals {
    ($($(#[$doc:meta])* $variant:ident { $($field:ident),* } => $status:literal, $message:literal;)*) => {
        /// Field values are text already: a refusal is an answer, not data to work on.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Refusal {
            $($(#[$doc])* $variant { $($field: String),* },)*
            /// An object that does not exist or that the caller may not see. `class` is the
            /// resource's class, the type is `<class>NotFound`.
            NotFound { class: &'static str, id: String },
        }

        impl Refusal {
            /// HTTP status.
            pub fn status(&self) -> u16 {
                match self {
                    $(Self::$variant { .. } => $status,)*
                    Self::NotFound { .. } => 404,
                }
            }

            /// `NeutronError.type`.
            pub fn type_name(&self) -> String {
                match self {
                    $(Self::$variant { .. } => stringify!($variant).to_owned(),)*
                    Self::NotFound { class, .. } => format!("{class}NotFound"),
                }
            }
        }

        impl fmt::Display for Refusal {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant { $($field),* } => write!(f, $message),)*
                    Self::NotFound { class, id } => write!(f, "{} {id} could not be found.", spaced(class)),
                }
            }
        }
    };
}

refusals! {
    HTTPBadRequest { reason } => 400, "{reason}";
    BadRequest { resource, msg } => 400, "Bad {resource} request: {msg}.";
    InvalidInput { error_message } => 400, "Invalid input for operation: {error_message}.";
    TenantIdProjectIdFilterConflict {} => 400,
        "Both tenant_id and project_id passed as filters.";
    HTTPNotFound {} => 404, "The resource could not be found.";
    PolicyNotAuthorized { action } => 403, "(rule:{action}) is disallowed by policy";
    PolicyRemoveAuthorizationError { policy_id } => 403,
        "Failed to remove provided policy {policy_id} because you are not authorized.";
    InvalidScope { token_scope } => 403,
        "This needs a token of a project, and the request came with one of scope {token_scope}.";
    Conflict { reason } => 409, "{reason}";
    DuplicateRbacPolicy {} => 409, "An RBAC policy already exists with those values.";
    RbacPolicyInUse { object_id, details } => 409,
        "RBAC policy on object {object_id} cannot be removed because other objects depend on it: {details}.";
    TagNotFound { tag } => 404, "Tag {tag} could not be found.";
    TagResourceNotFound { resource, resource_id } => 404,
        "Resource {resource} {resource_id} could not be found.";
    TenantQuotaNotFound { tenant_id } => 404, "Quota for tenant {tenant_id} could not be found.";
    OverQuota { overs } => 409, "Quota exceeded for resources: {overs}.";
    RevisionNumberConstraintFailed { expected, current } => 412,
        "Constrained to {expected}, but current revision is {current}";

    NetworkInUse { net_id, reason } => 409,
        "Unable to complete operation on network {net_id}. {reason}";
    InvalidSharedSetting { network } => 409,
        "Unable to reconfigure sharing settings for network {network}. Multiple tenants are using it.";
    ExternalNetworkInUse { net_id } => 409,
        "External network {net_id} cannot be updated to be made non-external, since it has existing gateway ports.";
    DefaultExternalNetworkExists { net_id } => 409,
        "A default external network already exists: {net_id}.";
    AutoAllocationFailure { reason } => 409, "Deployment error: {reason}.";
    FlatNetworkInUse { physical_network } => 409,
        "Unable to create the flat network. Physical network {physical_network} is in use.";
    VlanIdInUse { vlan_id, physical_network } => 409,
        "Unable to create the network. The VLAN {vlan_id} on physical network {physical_network} is in use.";
    TunnelIdInUse { tunnel_id } => 409,
        "Unable to create the network. The tunnel ID {tunnel_id} is in use.";
    NoNetworkAvailable {} => 503,
        "Unable to create the network. No tenant network is available for allocation.";
    NetworkMTUSubnetConflict { mtu, min } => 409,
        "MTU of {mtu} is too small for a subnet of this network: at least {min} is needed.";

    SubnetInUse { subnet_id, reason } => 409,
        "Unable to complete operation on subnet {subnet_id}: {reason}";
    GatewayConflictWithAllocationPools { pool, ip_address } => 409,
        "Gateway ip {ip_address} conflicts with allocation pool {pool}.";
    GatewayIpInUse { ip_address, port_id } => 409,
        "Current gateway ip {ip_address} already in use by port {port_id}. Unable to update.";
    OutOfBoundsAllocationPool { pool, subnet_cidr } => 400,
        "The allocation pool {pool} spans beyond the subnet cidr {subnet_cidr}.";
    OverlappingAllocationPools { pool_1, pool_2, subnet_cidr } => 409,
        "Found overlapping allocation pools: {pool_1} {pool_2} for subnet {subnet_cidr}.";
    InvalidAllocationPool { pool } => 400, "The allocation pool {pool} is not valid.";
    DNSNameServersExhausted { subnet_id, quota } => 400,
        "Unable to complete operation for {subnet_id}. The number of DNS nameservers exceeds the limit {quota}.";
    HostRoutesExhausted { subnet_id, quota } => 400,
        "Unable to complete operation for {subnet_id}. The number of host routes exceeds the limit {quota}.";

    AddressScopeInUse { address_scope_id } => 409,
        "Unable to complete operation on address scope {address_scope_id}. There are one or more subnet pools in use on the address scope";
    AddressScopeUpdateError { address_scope_id, reason } => 400,
        "Unable to update address scope {address_scope_id} : {reason}";
    EmptySubnetPoolPrefixList {} => 400, "Empty subnet pool prefix list.";
    PrefixVersionMismatch {} => 400, "Cannot mix IPv4 and IPv6 prefixes in a subnet pool.";
    IllegalSubnetPoolPrefixBounds { prefix_type, prefixlen, base_prefix_type, base_prefixlen } => 400,
        "Illegal prefix bounds: {prefix_type}={prefixlen}, {base_prefix_type}={base_prefixlen}.";
    IllegalSubnetPoolPrefixUpdate { msg } => 400, "Illegal update to prefixes: {msg}.";
    IllegalSubnetPoolUpdate { reason } => 400, "Illegal subnetpool update : {reason}.";
    IllegalSubnetPoolIpVersionAssociationToAddressScope { subnetpool_id, address_scope_id, ip_version } => 400,
        "Illegal subnetpool association: subnetpool {subnetpool_id} cannot associate with address scope {address_scope_id} because subnetpool ip_version is not {ip_version}.";
    AddressScopePrefixConflict {} => 409,
        "Failed to associate address scope: subnetpools within an address scope must have unique prefixes.";
    NetworkAddressScopeAffinityError {} => 400,
        "Subnets of the same address family hosted on the same network must all be allocated from the same address scope.";
    NetworkSubnetPoolAffinityError {} => 400,
        "Subnets hosted on the same network must be allocated from the same subnet pool.";
    MinPrefixSubnetAllocationError { prefixlen, min_prefixlen } => 400,
        "Unable to allocate subnet with prefix length {prefixlen}, minimum allowed prefix is {min_prefixlen}.";
    MaxPrefixSubnetAllocationError { prefixlen, max_prefixlen } => 400,
        "Unable to allocate subnet with prefix length {prefixlen}, maximum allowed prefix is {max_prefixlen}.";
    /// The pool has no room for it; Neutron answers 500, as if it were a defect.
    SubnetAllocationError { reason } => 409, "Failed to allocate subnet: {reason}.";
    SubnetPoolQuotaExceeded {} => 409, "Per-tenant subnet pool prefix quota exceeded.";
    SubnetPoolDeleteError { reason } => 400, "Unable to delete subnet pool: {reason}.";
    InvalidSubnetServiceType { service_type } => 400,
        "Subnet service type {service_type} does not correspond to a valid device owner.";

    IpAddressGenerationFailure { net_id } => 409, "No more IP addresses available on network {net_id}.";
    IpAddressGenerationFailureNoMatchingSubnet { network_id, service_type } => 409,
        "No valid service subnet for the given device owner, network {network_id}, service type {service_type}.";
    IpAddressAlreadyAllocated { ip, subnet_id } => 409,
        "IP address {ip} already allocated in subnet {subnet_id}.";
    InvalidIpForNetwork { ip_address } => 400,
        "IP address {ip_address} is not a valid IP for any of the subnets on the specified network.";
    InvalidIpForSubnet { ip_address } => 400,
        "IP address {ip_address} is not a valid IP for the specified subnet.";
    AllocationOnAutoAddressSubnet { ip, subnet_id } => 400,
        "IPv6 address {ip} cannot be directly assigned to a port on subnet {subnet_id} as the subnet is configured for automatic addresses";
    MacAddressInUse { net_id, mac } => 409,
        "Unable to complete operation for network {net_id}. The mac address {mac} is in use.";
    PortInUse { port_id, net_id, device_id } => 409,
        "Unable to complete operation on port {port_id} for network {net_id}. Port already has an attached device {device_id}.";
    PortBound { port_id, vif_type, old_mac, new_mac } => 409,
        "Unable to complete operation on port {port_id}, port is already bound, port type: {vif_type}, old_mac {old_mac}, new_mac {new_mac}.";
    PortBindingAlreadyExists { port_id, host } => 409,
        "Binding for port {port_id} on host {host} already exists.";
    PortBindingAlreadyActive { port_id, host } => 409,
        "Binding for port {port_id} on host {host} is already active.";
    PortBindingError { port_id, host } => 409,
        "Binding for port {port_id} on host {host} could not be created or updated.";
    ServicePortInUse { port_id, reason } => 409,
        "Port {port_id} cannot be deleted directly via the port API: {reason}.";
    DeviceIDNotOwnedByTenant { device_id } => 409,
        "The following device_id {device_id} is not owned by your tenant or matches another tenants router.";
    PortSecurityAndIPRequiredForSecurityGroups {} => 400,
        "Port security must be enabled and port must have an IP address in order to use security groups.";
    PortSecurityPortHasSecurityGroup {} => 409,
        "Port has security group associated. Cannot disable port security or IP address until security group is removed.";
    AddressPairAndPortSecurityRequired {} => 409,
        "Port Security must be enabled in order to have allowed address pairs on a port.";
    AddressPairMatchesPortFixedIPAndMac {} => 400,
        "Port's Fixed IP and Mac Address match an address pair entry.";
    AllowedAddressPairExhausted { quota } => 400,
        "The number of allowed address pair exceeds the maximum {quota}.";
    DuplicateAddressPairInRequest { mac_address, ip_address } => 400,
        "Request contains duplicate address pair: mac_address {mac_address} ip_address {ip_address}.";
    SecurityGroupDefaultAlreadyExists {} => 409, "Default security group already exists.";
    SecurityGroupCannotUpdateDefault {} => 409, "The default security group keeps its name.";
    SecurityGroupCannotRemoveDefault {} => 409,
        "The default security group is removed by an administrator only.";
    SecurityGroupInUse { id, reason } => 409, "Security Group {id} {reason}.";
    SecurityGroupConflict {} => 409,
        "A port's security groups are all stateful or all stateless.";
    SecurityGroupRuleExists { rule_id } => 409,
        "Security group rule already exists. Rule id is {rule_id}.";
    DuplicateSecurityGroupRuleInPost {} => 409,
        "Two security group rules of the request are the same.";
    SecurityGroupNotSingleGroupRules {} => 400,
        "All security group rules of one request belong to one security group.";
    SecurityGroupMultipleRemoteEntites {} => 400,
        "A rule has one of remote_ip_prefix, remote_group_id and remote_address_group_id at most.";
    SecurityGroupRuleInvalidProtocol { protocol, values } => 400,
        "Protocol {protocol} is not known: use one of {values}, or a number from 0 to 255.";
    SecurityGroupEthertypeConflictWithProtocol { ethertype, protocol } => 400,
        "Protocol {protocol} does not exist with ethertype {ethertype}.";
    SecurityGroupRuleParameterConflict { ethertype, cidr } => 400,
        "Conflicting value ethertype {ethertype} for CIDR {cidr}";
    SecurityGroupProtocolRequiredWithPorts {} => 400, "A port range needs a protocol.";
    SecurityGroupInvalidProtocolForPort { protocol } => 400,
        "Protocol {protocol} has no ports: a port range goes with tcp, udp, udplite, sctp and dccp.";
    SecurityGroupInvalidPortRange {} => 400,
        "For TCP/UDP protocols, port_range_min must be <= port_range_max";
    SecurityGroupInvalidPortValue { port } => 400, "Invalid value for port {port}.";
    SecurityGroupInvalidIcmpValue { field, attr, value } => 400,
        "Invalid value for ICMP {field} ({attr}) {value}: it is 0 to 255.";
    SecurityGroupMissingIcmpType { value } => 400,
        "ICMP type (port-range-min) is missing for ICMP code (port-range-max) {value}.";
    InvalidCIDR { input } => 400, "Invalid CIDR {input} given as IP prefix.";
    DefaultSecurityGroupRuleExists { rule_id } => 409,
        "Default security group rule already exists. Rule id is {rule_id}.";
    AddressGroupInUse { address_group_id } => 409,
        "Address group {address_group_id} is in use by one or more security group rules.";
    AddressesAlreadyExist { addresses, address_group_id } => 400,
        "Addresses {addresses} already exist in address group {address_group_id}.";
    AddressesNotFound { addresses, address_group_id } => 404,
        "Addresses {addresses} not found in address group {address_group_id}.";

    ConntrackHelperNotAllowed { helper } => 400, "Conntrack helper {helper} not allowed.";
    InvalidProtocolForHelper { helper, protocol, supported_protocols } => 400,
        "Conntrack helper {helper} does not run over {protocol}: it runs over {supported_protocols}.";
    InvalidLogResourceType { resource_type } => 400, "Nothing of type {resource_type} is logged.";
    ResourceIdNotSpecified { resource_type } => 400,
        "A log of resource type {resource_type} needs a resource_id.";
    ResourceNotFound { resource_id } => 404, "Resource {resource_id} could not be found.";
    TargetResourceNotFound { target_id } => 404,
        "Target resource {target_id} could not be found.";
    InvalidResourceConstraint { resource_id, target_id } => 400,
        "Target {target_id} does not use resource {resource_id}.";
    RouterGatewayNotSet { resource_id } => 400, "Router {resource_id} has no external gateway.";
    RouterNotEnabledSnat { resource_id } => 400, "Router {resource_id} translates no addresses.";
    MeteringLabelRuleOverlaps { remote_ip_prefix } => 409,
        "Metering label rule with prefix {remote_ip_prefix} overlaps another.";

    InvalidExtraDhcpOpt { reason } => 400, "Invalid data for extra_dhcp_opts: {reason}";

    RouterInUse { router_id, reason } => 409, "Router {router_id} {reason}";
    RouterInterfaceNotFound { router_id, port_id } => 404,
        "Router {router_id} does not have an interface with id {port_id}";
    RouterInterfaceNotFoundForSubnet { router_id, subnet_id } => 404,
        "Router {router_id} has no interface on subnet {subnet_id}";
    SubnetMismatchForPort { port_id, subnet_id } => 400,
        "Subnet on port {port_id} does not match the requested subnet {subnet_id}";
    RouterInterfaceInUseByFloatingIP { router_id, subnet_id } => 409,
        "Router interface for subnet {subnet_id} on router {router_id} cannot be deleted, as it is required by one or more floating IPs.";
    RouterInterfaceInUseByRoute { router_id, subnet_id } => 409,
        "Router interface for subnet {subnet_id} on router {router_id} cannot be deleted, as it is required by one or more routes.";
    RouterInterfaceInUseByPortForwarding { router_id, subnet_id } => 409,
        "Router interface for subnet {subnet_id} on router {router_id} cannot be deleted, as it is required by one or more port forwardings.";
    RouterExternalGatewayInUseByFloatingIp { router_id, net_id } => 409,
        "Gateway cannot be updated for router {router_id}, since a gateway to external network {net_id} is required by one or more floating IPs.";
    InvalidRoutes { routes, reason } => 400, "Invalid format for routes: {routes}, {reason}";
    RoutesExhausted { router_id, quota } => 400,
        "Unable to complete operation for {router_id}. The number of routes exceeds the maximum {quota}.";
    RouterAgentNotGiven { reason } => 400, "{reason}";
    RouterAgentConflict { reason } => 409, "{reason}";
    RouterAgentIncompatible { host, reason } => 400, "Agent {host} cannot host this router: {reason}.";

    ExternalIpAddressExhausted { net_id } => 400,
        "Unable to find any IP address on external network {net_id}.";
    ExternalGatewayForFloatingIPNotFound { external_network_id, subnet_id, port_id } => 404,
        "External network {external_network_id} is not reachable from subnet {subnet_id}.  Therefore, cannot associate Port {port_id} with a Floating IP.";
    FloatingIPPortAlreadyAssociated { floating_ip_address, fip_id, port_id, fixed_ip, net_id } => 409,
        "Cannot associate floating IP {floating_ip_address} ({fip_id}) with port {port_id} using fixed IP {fixed_ip}, as that fixed IP already has a floating IP on external network {net_id}.";
    FipInUseByPortForwarding { id } => 409, "Floating IP {id} in use by Port Forwarding resources.";
    PortHasBindingFloatingIP { floating_ip_address, fip_id, port_id, fixed_ip } => 409,
        "Cannot create port forwarding to floating IP {floating_ip_address} ({fip_id}) with port {port_id} using fixed IP {fixed_ip}, as that port already has a binding floating IP.";
    PortHasPortForwarding { port_id } => 409,
        "Cannot associate a floating IP with port {port_id}, since it has port forwardings.";

    RouterDoesNotHaveGateway { router_id } => 400, "The router {router_id} does not have an external gateway.";
    RouterGatewayPortDoesNotHaveAnyIPAddresses { router_id } => 400,
        "The gateway port of router {router_id} does not have any IPv4 address.";
    InconsistentPortAndIP { port_id, ip_address } => 400,
        "Port {port_id} does not have ip address {ip_address}.";
    PortNetworkNotBindOnRouter { network_id, port_id, router_id } => 400,
        "The network {network_id} of port {port_id} is not bound on router {router_id}.";
    RouterGatewayPortForwardingAlreadyExists { conflict } => 400,
        "A duplicate router gateway port forwarding entry with same attributes already exists, conflicting values are {conflict}.";
    DeletedRouterWithRGForwarding { router_id } => 409,
        "Cannot delete router {router_id}: it has gateway port forwardings, remove them first.";
    DeletedRouterGatewayWithRGForwarding { router_id } => 409,
        "Cannot change the gateway of router {router_id}: it has gateway port forwardings, remove them first.";
    ExternalPortInUse { reason } => 409, "{reason}";

    SegmentsSetInConjunctionWithProviders {} => 400,
        "Segments and provider values cannot both be set.";
    SegmentsContainDuplicateEntry {} => 400, "Duplicate segment entry in request.";
    SegmentInUse { segment_id, reason } => 409, "Segment '{segment_id}' cannot be deleted: {reason}.";
    NetworkIdsDontMatch { subnet_network, segment_id, segment_network } => 400,
        "The subnet's network id, '{subnet_network}', doesn't match the network_id of segment '{segment_id}', '{segment_network}'.";
    SubnetsNotAllAssociatedWithSegments { network_id } => 400,
        "All of the subnets on network '{network_id}' must either all be associated with segments or all not associated with any segments.";
    SubnetSegmentAssociationChangeNotAllowed {} => 400,
        "A subnet that is already associated with a segment cannot have its segment association changed.";
    NoUpdateSubnetWhenMultipleSegmentsOnNetwork { network_id } => 400,
        "The network '{network_id}' has multiple segments, it is only possible to associate an existing subnet with a segment on networks with a single segment.";

    NetworkSegmentRangeOverlaps { range_id } => 409,
        "The network segment range overlaps with range {range_id}.";
    NetworkSegmentRangeReferencedByProject { range_id } => 409,
        "Networks have ids of network segment range {range_id}.";

    ParentPortInUse { port_id } => 409,
        "Port {port_id} is currently in use and is not eligible for use as a parent port.";
    PortInUseAsTrunkParent { port_id, trunk_id } => 409,
        "Port {port_id} is currently a parent port for trunk {trunk_id}.";
    PortInUseAsSubPort { port_id, trunk_id } => 409,
        "Port {port_id} is currently a subport for trunk {trunk_id}.";
    DuplicateSubPort { segmentation_type, segmentation_id, trunk_id } => 409,
        "segmentation_type {segmentation_type} and segmentation_id {segmentation_id} already in use on trunk {trunk_id}.";
    SubPortNotFound { trunk_id, port_id } => 404,
        "SubPort {port_id} of trunk {trunk_id} could not be found.";
    SubPortMtuGreaterThanTrunkPortMtu { port_mtu, port_id, trunk_mtu, trunk_id } => 409,
        "MTU {port_mtu} of subport {port_id} cannot be greater than MTU {trunk_mtu} of trunk {trunk_id}.";
    TrunkInUse { trunk_id } => 409, "Trunk {trunk_id} is currently in use.";
    TrunkDisabled { trunk_id } => 409, "Trunk {trunk_id} is currently disabled.";

    FlavorInUse { flavor_id } => 409, "Flavor {flavor_id} is used by some service instance.";
    FlavorDisabled {} => 503, "Flavor is not enabled.";
    ServiceProfileInUse { sp_id } => 409, "Service Profile {sp_id} is used by some flavor.";
    ServiceProfileDisabled {} => 503, "No service profile of the flavor is enabled.";
    ServiceProfileDriverNotFound { driver } => 404,
        "Service Profile driver {driver} could not be found.";
    ServiceProfileEmpty {} => 400, "A service profile needs a driver or metainfo.";
    FlavorServiceProfileBindingExists { sp_id, fl_id } => 409,
        "Service Profile {sp_id} is already associated with flavor {fl_id}.";
    FlavorServiceProfileBindingNotFound { sp_id, fl_id } => 404,
        "Service Profile {sp_id} is not associated with flavor {fl_id}.";
    InvalidFlavorServiceType { service_type, router_id } => 400,
        "Flavor of service type {service_type} cannot be that of router {router_id}.";

    QosPolicyInUse { policy_id, object_type, object_id } => 409,
        "QoS Policy {policy_id} is used by {object_type} {object_id}.";
    QoSPolicyDefaultAlreadyExists { project_id } => 409,
        "A default QoS policy exists for project {project_id}.";
    QoSRulesConflict { new_rule_type, rule_id, policy_id } => 409,
        "Rule {new_rule_type} conflicts with rule {rule_id} which already exists in QoS Policy {policy_id}.";
    QoSRuleParameterConflict { rule_value, policy_id, existing_rule, existing_value } => 409,
        "Unable to add the rule with value {rule_value} to the policy {policy_id} as the existing rule of type {existing_rule} has value {existing_value}.";
    QosRuleNotSupported { rule_type, port_id } => 409,
        "Rule {rule_type} is not supported by port {port_id}";

    InvalidL3Agent { id } => 404, "Agent {id} is not a L3 Agent or has been disabled";
    RouterHostedByL3Agent { router_id, agent_id } => 409,
        "The router {router_id} has been already hosted by the L3 Agent {agent_id}.";
    RouterNotHostedByL3Agent { router_id, agent_id } => 409,
        "The router {router_id} is not hosted by L3 agent {agent_id}.";
    DVRL3CannotAssignToDvrAgent {} => 409,
        "Not allowed to manually assign a router to an agent in 'dvr' mode.";
    InvalidDHCPAgent { id } => 404, "Agent {id} is not a valid DHCP Agent or has been disabled";
    NetworkHostedByDHCPAgent { network_id, agent_id } => 409,
        "The network {network_id} has been already hosted by the DHCP Agent {agent_id}.";
    NetworkNotHostedByDhcpAgent { network_id, agent_id } => 409,
        "The network {network_id} is not hosted by the DHCP agent {agent_id}.";
}

/// `FloatingIp` as Neutron's messages write it: `Floating IP`. Classes not listed stay as they are.
fn spaced(class: &str) -> &str {
    match class {
        "AddressScope" => "Address scope",
        "FloatingIP" => "Floating IP",
        "ServiceProfile" => "Service Profile",
        "QosPolicy" => "QoS policy",
        "QosRuleType" => "QoS rule type",
        "QosRule" => "QoS rule",
        "PortForwarding" => "Port Forwarding",
        "SubnetPool" => "Subnet pool",
        "SecurityGroup" => "Security group",
        "SecurityGroupRule" => "Security group rule",
        "DefaultSecurityGroupRule" => "Default security group rule",
        "AddressGroup" => "Address group",
        "ConntrackHelper" => "Conntrack helper",
        "LogResource" => "Log resource",
        "MeteringLabel" => "Metering label",
        "MeteringLabelRule" => "Metering label rule",
        "RouterGatewayPortForwarding" => "Router Gateway Port Forwarding",
        other => other,
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    pub fn not_found<R: crate::Resource>(id: impl ToString) -> Self {
        Self::NotFound { class: R::declaration().class, id: id.to_string() }
    }

    /// `Invalid input for <attribute>. Reason: <reason>.`, the generic validation answer.
    pub fn invalid(attribute: &str, reason: impl fmt::Display) -> Self {
        Self::HTTPBadRequest { reason: format!("Invalid input for {attribute}. Reason: {reason}.") }
    }
}
