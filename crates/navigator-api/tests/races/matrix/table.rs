//! The pairs, and how what they need is made.

/// Name and request. Each is made once per run, when it is named.
pub(super) const OBJECTS: &[(&str, &str)] = &[
    ("external", r#"admin POST networks {"network": {"router:external": true}}"#),
    (
        "outside",
        r#"admin POST subnets {"subnet": {"network_id": "$external", "ip_version": 4, "cidr": "203.0.113.0/24", "enable_dhcp": false}}"#,
    ),
    ("network", r#"alice POST networks {"network": {}}"#),
    (
        "subnet",
        r#"alice POST subnets {"subnet": {"network_id": "$network", "ip_version": 4, "cidr": "10.0.0.0/24", "enable_dhcp": false, "allocation_pools": [{"start": "10.0.0.100", "end": "10.0.0.199"}]}}"#,
    ),
    (
        "served",
        r#"alice POST subnets {"subnet": {"network_id": "$network", "ip_version": 4, "cidr": "10.0.1.0/24"}}"#,
    ),
    (
        "slaac",
        r#"alice POST subnets {"subnet": {"network_id": "$network", "ip_version": 6, "cidr": "2001:db8::/64", "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}}"#,
    ),
    ("bare", r#"alice POST routers {"router": {}}"#),
    (
        "router",
        r#"alice POST routers {"router": {"description": "in $outside", "external_gateway_info": {"network_id": "$external"}}}"#,
    ),
    ("attached", r#"alice PUT routers/$router/add_router_interface {"subnet_id": "$subnet"}"#),
    (
        "port",
        r#"alice POST ports {"port": {"network_id": "$network", "fixed_ips": [{"subnet_id": "$subnet"}]}}"#,
    ),
    (
        "other",
        r#"alice POST ports {"port": {"network_id": "$network", "fixed_ips": [{"subnet_id": "$subnet"}]}}"#,
    ),
    (
        "fip",
        r#"alice POST floatingips {"floatingip": {"description": "in $outside", "floating_network_id": "$external"}}"#,
    ),
    (
        "forwarded",
        r#"alice POST floatingips/$fip/port_forwardings {"port_forwarding": {"protocol": "tcp", "external_port": 22, "internal_port": 22, "internal_port_id": "$port", "internal_ip_address": "$port.ip"}}"#,
    ),
    (
        "gateway_forwarded",
        r#"alice POST routers/$router/gateway_port_forwardings {"gateway_port_forwarding": {"protocol": "tcp", "external_port": 22, "internal_port": 22, "internal_port_id": "$port", "internal_ip_address": "$port.ip"}}"#,
    ),
    ("group", r#"alice POST security-groups {"security_group": {"name": "web"}}"#),
    ("second_group", r#"alice POST security-groups {"security_group": {"name": "db"}}"#),
    ("scope", r#"alice POST address-scopes {"address_scope": {"name": "s", "ip_version": 4}}"#),
    (
        "pool",
        r#"alice POST subnetpools {"subnetpool": {"name": "p", "prefixes": ["10.0.0.0/16"], "default_prefixlen": 24}}"#,
    ),
    ("addresses", r#"alice POST address-groups {"address_group": {"name": "a"}}"#),
    ("shared", r#"admin POST networks {"network": {"shared": true}}"#),
    (
        "on_shared",
        r#"admin POST subnets {"subnet": {"network_id": "$shared", "ip_version": 4, "cidr": "10.0.0.0/24", "enable_dhcp": false}}"#,
    ),
    ("qos", r#"alice POST qos/policies {"policy": {}}"#),
    (
        "open_network",
        r#"admin POST rbac-policies {"rbac_policy": {"object_type": "network", "object_id": "$network", "action": "access_as_shared", "target_tenant": "*"}}"#,
    ),
    (
        "open_qos",
        r#"admin POST rbac-policies {"rbac_policy": {"object_type": "qos_policy", "object_id": "$qos", "action": "access_as_shared", "target_tenant": "*"}}"#,
    ),
    (
        "open_group",
        r#"admin POST rbac-policies {"rbac_policy": {"object_type": "security_group", "object_id": "$group", "action": "access_as_shared", "target_tenant": "*"}}"#,
    ),
    (
        "open_addresses",
        r#"admin POST rbac-policies {"rbac_policy": {"object_type": "address_group", "object_id": "$addresses", "action": "access_as_shared", "target_tenant": "*"}}"#,
    ),
    (
        "open_pool",
        r#"admin POST rbac-policies {"rbac_policy": {"object_type": "subnetpool", "object_id": "$pool", "action": "access_as_shared", "target_tenant": "*"}}"#,
    ),
    ("bobs_network", r#"bob POST networks {"network": {}}"#),
    ("bobs_port", r#"bob POST ports {"port": {"network_id": "$bobs_network"}}"#),
    ("bobs_group", r#"bob POST security-groups {"security_group": {"name": "bob's"}}"#),
    // Each refers to another.
    ("associated", ASSOCIATE),
    (
        "bound",
        r#"admin POST ports {"port": {"network_id": "$network", "device_owner": "compute:nova", "binding:host_id": "network-1"}}"#,
    ),
    ("cut", CUT),
    ("flavor", r#"admin POST flavors {"flavor": {"service_type": "L3_ROUTER_NAT"}}"#),
    (
        "profile",
        r#"admin POST service_profiles {"service_profile": {"driver": "neutron.services.l3_router.service_providers.single_node.SingleNodeDriver"}}"#,
    ),
    (
        "profiled",
        r#"admin POST flavors/$flavor/service_profiles {"service_profile": {"id": "$profile"}}"#,
    ),
    (
        "flavored",
        r#"alice POST routers {"router": {"description": "with $profiled", "flavor_id": "$flavor"}}"#,
    ),
    ("from_addresses", RULE_OF_ADDRESSES),
    (
        "from_group",
        r#"alice POST security-group-rules {"security_group_rule": {"security_group_id": "$group", "direction": "ingress", "remote_group_id": "$second_group"}}"#,
    ),
    (
        "grouped",
        r#"alice POST ports {"port": {"network_id": "$network", "fixed_ips": [{"subnet_id": "$subnet"}], "security_groups": ["$group"]}}"#,
    ),
    (
        "helper",
        r#"alice POST routers/$bare/conntrack_helpers {"conntrack_helper": {"protocol": "udp", "port": 69, "helper": "tftp"}}"#,
    ),
    ("label", r#"admin POST metering/metering-labels {"metering_label": {"name": "l"}}"#),
    (
        "metering_rule",
        r#"admin POST metering/metering-label-rules {"metering_label_rule": {"metering_label_id": "$label", "direction": "ingress", "remote_ip_prefix": "10.0.0.0/8"}}"#,
    ),
    (
        "segment",
        r#"admin POST segments {"segment": {"network_id": "$network", "network_type": "vxlan"}}"#,
    ),
    (
        "on_segment",
        r#"admin POST subnets {"subnet": {"network_id": "$network", "segment_id": "$segment", "ip_version": 4, "cidr": "10.3.0.0/24"}}"#,
    ),
    ("scoped", SCOPED_POOL),
    (
        "shaped_fip",
        r#"admin POST floatingips {"floatingip": {"description": "in $outside", "floating_network_id": "$external", "qos_policy_id": "$qos"}}"#,
    ),
    ("shaped_network", r#"alice POST networks {"network": {"qos_policy_id": "$qos"}}"#),
    (
        "shaped_port",
        r#"alice POST ports {"port": {"network_id": "$network", "qos_policy_id": "$qos"}}"#,
    ),
    (
        "shaped_router",
        r#"admin POST routers {"router": {"description": "in $outside", "external_gateway_info": {"network_id": "$external", "qos_policy_id": "$qos"}}}"#,
    ),
    (
        "template",
        r#"admin POST default-security-group-rules {"default_security_group_rule": {"direction": "ingress", "remote_address_group_id": "$addresses"}}"#,
    ),
    (
        "trunk",
        r#"alice POST trunks {"trunk": {"port_id": "$port", "sub_ports": [{"port_id": "$other", "segmentation_type": "vlan", "segmentation_id": 5}]}}"#,
    ),
    (
        "floor",
        r#"admin POST qos/policies/$qos/minimum_bandwidth_rules {"minimum_bandwidth_rule": {"min_kbps": 1}}"#,
    ),
    (
        "limit",
        r#"admin POST qos/policies/$qos/bandwidth_limit_rules {"bandwidth_limit_rule": {"max_kbps": 1000}}"#,
    ),
    (
        "mark",
        r#"admin POST qos/policies/$qos/dscp_marking_rules {"dscp_marking_rule": {"dscp_mark": 10}}"#,
    ),
    (
        "packet_floor",
        r#"admin POST qos/policies/$qos/minimum_packet_rate_rules {"minimum_packet_rate_rule": {"min_kpps": 1}}"#,
    ),
    (
        "packet_limit",
        r#"admin POST qos/policies/$qos/packet_rate_limit_rules {"packet_rate_limit_rule": {"max_kpps": 10}}"#,
    ),
];

pub(super) struct Pair {
    pub(super) name: &'static str,
    /// Objects that are there before.
    pub(super) given: &'static str,
    /// What takes something away, or makes it unfit.
    pub(super) deletes: &'static str,
    /// What needs it, or changes it.
    pub(super) makes: &'static str,
    /// What needs it is never done in any order: only that nothing breaks is to be shown.
    pub(super) makes_alone: bool,
}

const fn pair(
    name: &'static str,
    given: &'static str,
    deletes: &'static str,
    makes: &'static str,
) -> Pair {
    Pair { name, given, deletes, makes, makes_alone: false }
}

const FORWARD: &str = r#"alice POST floatingips/$fip/port_forwardings {"port_forwarding": {"protocol": "tcp", "external_port": 80, "internal_port": 80, "internal_port_id": "$port", "internal_ip_address": "$port.ip"}}"#;
const GATEWAY_FORWARD: &str = r#"alice POST routers/$router/gateway_port_forwardings {"gateway_port_forwarding": {"protocol": "tcp", "external_port": 80, "internal_port": 80, "internal_port_id": "$port", "internal_ip_address": "$port.ip"}}"#;
const ASSOCIATE: &str = r#"alice PUT floatingips/$fip {"floatingip": {"port_id": "$port"}}"#;
const NEW_PORT: &str = r#"alice POST ports {"port": {"network_id": "$network"}}"#;
const NEW_SUBNET: &str = r#"alice POST subnets {"subnet": {"network_id": "$network", "ip_version": 4, "cidr": "10.9.0.0/24"}}"#;
const NEW_FIP: &str =
    r#"alice POST floatingips {"floatingip": {"floating_network_id": "$external"}}"#;
const NEW_GATEWAY: &str =
    r#"alice PUT routers/$bare {"router": {"external_gateway_info": {"network_id": "$external"}}}"#;
const CLEAR_GATEWAY: &str =
    r#"alice PUT routers/$router {"router": {"external_gateway_info": null}}"#;
const DETACH: &str =
    r#"alice PUT routers/$router/remove_router_interface {"subnet_id": "$subnet"}"#;
const ATTACH: &str = r#"alice PUT routers/$router/add_router_interface {"subnet_id": "$subnet"}"#;
const MOVE_AWAY: &str =
    r#"alice PUT ports/$port {"port": {"fixed_ips": [{"ip_address": "10.0.0.200"}]}}"#;
const WITHDRAW: &str = r#"admin PUT networks/$external {"network": {"router:external": false}}"#;
const UNSHARE: &str = r#"admin PUT networks/$shared {"network": {"shared": false}}"#;
const CUT: &str = r#"alice POST subnets {"subnet": {"network_id": "$network", "ip_version": 4, "subnetpool_id": "$pool"}}"#;
const SCOPED_POOL: &str = r#"alice POST subnetpools {"subnetpool": {"name": "q", "prefixes": ["10.0.0.0/16"], "address_scope_id": "$scope"}}"#;
const RULE_OF_ADDRESSES: &str = r#"alice POST security-group-rules {"security_group_rule": {"security_group_id": "$group", "direction": "ingress", "remote_address_group_id": "$addresses"}}"#;

pub(super) const PAIRS: &[Pair] = &[
    // Forwards and what they need.
    pair("floating IP, forwarded", "attached port", "alice DELETE floatingips/$fip", FORWARD),
    pair("port, forwarded by floating IP", "attached fip", "alice DELETE ports/$port", FORWARD),
    pair("port, forwarded by gateway", "attached", "alice DELETE ports/$port", GATEWAY_FORWARD),
    pair("port's address, forwarded by floating IP", "attached fip", MOVE_AWAY, FORWARD),
    pair("port's address, forwarded by gateway", "attached", MOVE_AWAY, GATEWAY_FORWARD),
    pair("gateway, forwarded", "attached port", CLEAR_GATEWAY, GATEWAY_FORWARD),
    pair("gateway, forwarded by floating IP", "attached port fip", CLEAR_GATEWAY, FORWARD),
    pair("interface, forwarded by gateway", "attached port", DETACH, GATEWAY_FORWARD),
    pair("interface, forwarded by floating IP", "attached port fip", DETACH, FORWARD),
    pair(
        "last forwarding, another one",
        "attached forwarded other",
        "alice DELETE floatingips/$fip/port_forwardings/$forwarded",
        r#"alice POST floatingips/$fip/port_forwardings {"port_forwarding": {"protocol": "tcp", "external_port": 80, "internal_port": 80, "internal_port_id": "$other", "internal_ip_address": "$other.ip"}}"#,
    ),
    pair(
        "port, its forwarding retargeted",
        "attached forwarded other",
        "alice DELETE ports/$port",
        r#"alice PUT floatingips/$fip/port_forwardings/$forwarded {"port_forwarding": {"internal_port_id": "$other", "internal_ip_address": "$other.ip"}}"#,
    ),
    pair(
        "port, its gateway forwarding retargeted",
        "attached gateway_forwarded other",
        "alice DELETE ports/$port",
        r#"alice PUT routers/$router/gateway_port_forwardings/$gateway_forwarded {"gateway_port_forwarding": {"internal_port_id": "$other", "internal_ip_address": "$other.ip"}}"#,
    ),
    pair(
        "forwarding, changed",
        "attached gateway_forwarded",
        "alice DELETE routers/$router/gateway_port_forwardings/$gateway_forwarded",
        r#"alice PUT routers/$router/gateway_port_forwardings/$gateway_forwarded {"gateway_port_forwarding": {"external_port": 81}}"#,
    ),
    Pair {
        makes_alone: true,
        ..pair(
            "forwarding, router deleted",
            "attached gateway_forwarded",
            "alice DELETE routers/$router/gateway_port_forwardings/$gateway_forwarded",
            "alice DELETE routers/$router",
        )
    },
    pair(
        "forwarding, gateway cleared",
        "attached gateway_forwarded",
        "alice DELETE routers/$router/gateway_port_forwardings/$gateway_forwarded",
        CLEAR_GATEWAY,
    ),
    // Floating IPs and what they need.
    pair("port, associated", "attached fip", "alice DELETE ports/$port", ASSOCIATE),
    pair("port's address, associated", "attached fip", MOVE_AWAY, ASSOCIATE),
    pair("floating IP, associated", "attached port", "alice DELETE floatingips/$fip", ASSOCIATE),
    pair("gateway, associated", "attached port fip", CLEAR_GATEWAY, ASSOCIATE),
    pair("interface, associated", "attached port fip", DETACH, ASSOCIATE),
    pair("external network, floating IP", "outside", "admin DELETE networks/$external", NEW_FIP),
    pair("external subnet, floating IP", "outside", "admin DELETE subnets/$outside", NEW_FIP),
    pair("external no more, floating IP", "outside", WITHDRAW, NEW_FIP),
    // Routers.
    pair("external network, gateway", "outside", "admin DELETE networks/$external", NEW_GATEWAY),
    pair("external no more, gateway", "outside", WITHDRAW, NEW_GATEWAY),
    pair("router, interface", "subnet", "alice DELETE routers/$router", ATTACH),
    pair("subnet, interface", "router", "alice DELETE subnets/$subnet", ATTACH),
    pair("network, interface", "router subnet", "alice DELETE networks/$network", ATTACH),
    pair(
        "port, interface",
        "router",
        "alice DELETE ports/$port",
        r#"alice PUT routers/$router/add_router_interface {"port_id": "$port"}"#,
    ),
    pair(
        "port an interface, forwarded",
        "attached other",
        r#"alice PUT routers/$bare/add_router_interface {"port_id": "$port"}"#,
        GATEWAY_FORWARD,
    ),
    pair("router, gateway", "outside", "alice DELETE routers/$bare", NEW_GATEWAY),
    // Networks, subnets and ports.
    pair("network, port", "subnet", "alice DELETE networks/$network", NEW_PORT),
    pair("network, subnet", "", "alice DELETE networks/$network", NEW_SUBNET),
    pair("subnet, port", "", "alice DELETE subnets/$subnet", NEW_PORT),
    pair(
        "subnet, port's address",
        "served port",
        "alice DELETE subnets/$served",
        r#"alice PUT ports/$port {"port": {"fixed_ips": [{"subnet_id": "$subnet"}, {"subnet_id": "$served"}]}}"#,
    ),
    pair(
        "subnet of made addresses, port's addresses",
        "port slaac other",
        "alice DELETE subnets/$slaac",
        r#"alice PUT ports/$port {"port": {"fixed_ips": [{"ip_address": "10.0.0.200"}]}}"#,
    ),
    pair("subnet of made addresses, port", "subnet", "alice DELETE subnets/$slaac", NEW_PORT),
    pair(
        "port's address, subnet of made addresses",
        "port",
        MOVE_AWAY,
        r#"alice POST subnets {"subnet": {"network_id": "$network", "ip_version": 6, "cidr": "2001:db8::/64", "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}}"#,
    ),
    pair(
        "port, subnet of made addresses",
        "port",
        "alice DELETE ports/$port",
        r#"alice POST subnets {"subnet": {"network_id": "$network", "ip_version": 6, "cidr": "2001:db8::/64", "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}}"#,
    ),
    pair(
        "subnet, another one",
        "served",
        "alice DELETE subnets/$served",
        r#"alice POST subnets {"subnet": {"network_id": "$network", "ip_version": 4, "cidr": "10.0.2.0/24"}}"#,
    ),
    pair(
        "two ports, one MAC address",
        "port other",
        r#"admin PUT ports/$port {"port": {"mac_address": "02:00:00:00:00:01"}}"#,
        r#"admin PUT ports/$other {"port": {"mac_address": "02:00:00:00:00:01"}}"#,
    ),
    pair(
        "overlapping subnets",
        "network",
        r#"alice POST subnets {"subnet": {"network_id": "$network", "ip_version": 4, "cidr": "10.0.0.0/16"}}"#,
        r#"alice POST subnets {"subnet": {"network_id": "$network", "ip_version": 4, "cidr": "10.0.2.0/24"}}"#,
    ),
    pair(
        "shared no more, foreign port",
        "on_shared",
        UNSHARE,
        r#"bob POST ports {"port": {"network_id": "$shared"}}"#,
    ),
    // What is shared with others, and taken back.
    pair(
        "network's grant, foreign port",
        "subnet open_network",
        "admin DELETE rbac-policies/$open_network",
        r#"bob POST ports {"port": {"network_id": "$network"}}"#,
    ),
    pair(
        "network's narrowed grant, foreign port",
        "subnet open_network",
        r#"admin PUT rbac-policies/$open_network {"rbac_policy": {"target_tenant": "elsewhere"}}"#,
        r#"bob POST ports {"port": {"network_id": "$network"}}"#,
    ),
    pair(
        "QoS policy, port",
        "network",
        "alice DELETE qos/policies/$qos",
        r#"alice POST ports {"port": {"network_id": "$network", "qos_policy_id": "$qos"}}"#,
    ),
    pair(
        "QoS policy's grant, foreign port",
        "bobs_network open_qos",
        "admin DELETE rbac-policies/$open_qos",
        r#"bob POST ports {"port": {"network_id": "$bobs_network", "qos_policy_id": "$qos"}}"#,
    ),
    pair(
        "QoS policy's grant, foreign port changed",
        "bobs_port open_qos",
        "admin DELETE rbac-policies/$open_qos",
        r#"bob PUT ports/$bobs_port {"port": {"qos_policy_id": "$qos"}}"#,
    ),
    pair(
        "QoS policy's grant, foreign network",
        "bobs_network open_qos",
        "admin DELETE rbac-policies/$open_qos",
        r#"bob PUT networks/$bobs_network {"network": {"qos_policy_id": "$qos"}}"#,
    ),
    pair(
        "security group's grant, foreign port",
        "bobs_network open_group",
        "admin DELETE rbac-policies/$open_group",
        r#"bob POST ports {"port": {"network_id": "$bobs_network", "security_groups": ["$group"]}}"#,
    ),
    pair(
        "security group's grant, foreign rule",
        "bobs_group open_group",
        "admin DELETE rbac-policies/$open_group",
        r#"bob POST security-group-rules {"security_group_rule": {"security_group_id": "$bobs_group", "direction": "ingress", "remote_group_id": "$group"}}"#,
    ),
    pair(
        "address group's grant, foreign rule",
        "bobs_group open_addresses",
        "admin DELETE rbac-policies/$open_addresses",
        r#"bob POST security-group-rules {"security_group_rule": {"security_group_id": "$bobs_group", "direction": "ingress", "remote_address_group_id": "$addresses"}}"#,
    ),
    pair(
        "pool's grant, foreign subnet",
        "bobs_network open_pool",
        "admin DELETE rbac-policies/$open_pool",
        r#"bob POST subnets {"subnet": {"network_id": "$bobs_network", "ip_version": 4, "subnetpool_id": "$pool"}}"#,
    ),
    // Pools and scopes.
    pair("pool, subnet", "network", "alice DELETE subnetpools/$pool", CUT),
    pair(
        "pool's prefixes, subnet",
        "network",
        r#"alice PUT subnetpools/$pool {"subnetpool": {"prefixes": ["10.0.0.0/16", "10.1.0.0/16"]}}"#,
        CUT,
    ),
    pair("scope, pool", "", "alice DELETE address-scopes/$scope", SCOPED_POOL),
    // Security groups.
    pair(
        "security group, port",
        "subnet",
        "alice DELETE security-groups/$group",
        r#"alice POST ports {"port": {"network_id": "$network", "security_groups": ["$group"]}}"#,
    ),
    pair(
        "security group, port changed",
        "port",
        "alice DELETE security-groups/$group",
        r#"alice PUT ports/$port {"port": {"security_groups": ["$group"]}}"#,
    ),
    pair(
        "security group, its rule",
        "",
        "alice DELETE security-groups/$group",
        r#"alice POST security-group-rules {"security_group_rule": {"security_group_id": "$group", "direction": "ingress"}}"#,
    ),
    pair(
        "remote security group, rule",
        "second_group",
        "alice DELETE security-groups/$group",
        r#"alice POST security-group-rules {"security_group_rule": {"security_group_id": "$second_group", "direction": "ingress", "remote_group_id": "$group"}}"#,
    ),
    pair(
        "security group, template",
        "",
        "alice DELETE security-groups/$group",
        r#"admin POST default-security-group-rules {"default_security_group_rule": {"direction": "ingress", "remote_group_id": "$group", "used_in_default_sg": false, "used_in_non_default_sg": false}}"#,
    ),
    pair(
        "security group stateless, port of two",
        "subnet second_group",
        r#"alice PUT security-groups/$group {"security_group": {"stateful": false}}"#,
        r#"alice POST ports {"port": {"network_id": "$network", "security_groups": ["$group", "$second_group"]}}"#,
    ),
    pair(
        "address group, rule",
        "group",
        "alice DELETE address-groups/$addresses",
        RULE_OF_ADDRESSES,
    ),
];
