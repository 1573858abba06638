//! What the kernel's defaults get wrong for a router.

use std::collections::BTreeMap;

use navigator_model::snapshot::Router;

const ALWAYS: &[(&str, &str)] = &[
    ("net/ipv4/ip_forward", "1"),
    // Loose: with several routers on a subnet, and with source routes, a packet may rightly come in
    // by a device that its sender is not reached by. The kernel takes the larger of `all` and the
    // device's own, which a new namespace inherits from the host, so that 0 here would not help.
    ("net/ipv4/conf/all/rp_filter", "2"),
    // Answer for an address only on the device that has it, and ask with one of that device's.
    ("net/ipv4/conf/all/arp_ignore", "1"),
    ("net/ipv4/conf/all/arp_announce", "2"),
    // When the first address of a subnet goes, the others stay.
    ("net/ipv4/conf/all/promote_secondaries", "1"),
    // An instance that reaches a neighbour through a forward comes back out of the device it came
    // in by; a redirect would make it bypass the translation. Devices or `all`: both must be off.
    ("net/ipv4/conf/all/send_redirects", "0"),
    ("net/ipv4/conf/default/send_redirects", "0"),
    // 120 s and 262,144 entries cap a router at about 2,200 new connections per second.
    ("net/netfilter/nf_conntrack_tcp_timeout_time_wait", "10"),
    ("net/netfilter/nf_conntrack_tcp_timeout_fin_wait", "30"),
];

pub(super) fn render(router: &Router) -> BTreeMap<String, String> {
    let mut sysctls: BTreeMap<_, _> =
        ALWAYS.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    // A host without IPv6 does not have this key.
    if has_ipv6(router) {
        sysctls.insert("net/ipv6/conf/all/forwarding".into(), "1".into());
    }
    sysctls
}

fn has_ipv6(router: &Router) -> bool {
    let gateway = router.gateway.as_ref().map(|gateway| &gateway.port);
    let ports = router.interfaces.iter().chain(gateway);
    ports.flat_map(|port| &port.addresses).any(|address| address.addr().is_ipv6())
}
