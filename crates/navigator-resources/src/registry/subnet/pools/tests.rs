//! The arithmetic of ranges, on examples and on anything.

use std::net::IpAddr;

use ipnet::IpNet;
use proptest::prelude::*;

use super::*;

fn pool(start: &str, end: &str) -> AllocationPool {
    AllocationPool { start: start.parse().unwrap(), end: end.parse().unwrap() }
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn the_gateway_is_the_first_host_and_the_pool_is_the_rest() {
    let table = [
        ("10.0.0.0/24", Some("10.0.0.1"), vec![pool("10.0.0.2", "10.0.0.254")]),
        ("10.0.0.0/30", Some("10.0.0.1"), vec![pool("10.0.0.2", "10.0.0.2")]),
        ("10.0.0.0/31", Some("10.0.0.1"), vec![pool("10.0.0.0", "10.0.0.0")]),
        ("10.0.0.7/32", None, vec![pool("10.0.0.7", "10.0.0.7")]),
        ("2001:db8::/64", Some("2001:db8::1"), vec![pool("2001:db8::2", "2001:db8::ffff:ffff:ffff:ffff")]),
    ];
    for (cidr, gateway, pools) in table {
        let (cidr, gateway) = (net(cidr), gateway.map(ip));
        assert_eq!(default_gateway(&cidr), gateway, "{cidr}");
        assert_eq!(default_pools(&cidr, gateway), pools, "{cidr}");
    }
}

#[test]
fn a_gateway_in_the_middle_leaves_two_pools() {
    let pools = default_pools(&net("10.0.0.0/24"), Some(ip("10.0.0.100")));
    assert_eq!(pools, [pool("10.0.0.1", "10.0.0.99"), pool("10.0.0.101", "10.0.0.254")]);
}

#[test]
fn pools_that_do_not_fit_are_refused_by_name() {
    let table = [
        (vec![pool("10.0.0.9", "10.0.0.2")], "InvalidAllocationPool"),
        (vec![pool("10.0.0.9", "2001:db8::1")], "InvalidAllocationPool"),
        (vec![pool("2001:db8::1", "2001:db8::2")], "OutOfBoundsAllocationPool"),
        (vec![pool("10.0.0.0", "10.0.0.9")], "OutOfBoundsAllocationPool"),
        (vec![pool("10.0.0.2", "10.0.0.255")], "OutOfBoundsAllocationPool"),
        (vec![pool("10.0.0.2", "10.0.1.2")], "OutOfBoundsAllocationPool"),
        (
            vec![pool("10.0.0.20", "10.0.0.30"), pool("10.0.0.2", "10.0.0.20")],
            "OverlappingAllocationPools",
        ),
    ];
    for (pools, expected) in table {
        let refusal = check(&net("10.0.0.0/24"), &pools).unwrap_err();
        assert_eq!(refusal.type_name(), expected, "{pools:?}");
    }
}

#[test]
fn an_overlap_is_told_in_neutrons_words() {
    let pools = [pool("10.0.0.2", "10.0.0.20"), pool("10.0.0.20", "10.0.0.30")];
    assert_eq!(
        check(&net("10.0.0.0/24"), &pools).unwrap_err().to_string(),
        "Found overlapping allocation pools: 10.0.0.2-10.0.0.20 10.0.0.20-10.0.0.30 for subnet \
         10.0.0.0/24."
    );
}

fn small_net() -> impl Strategy<Value = IpNet> {
    let v4 = (any::<u32>(), 22u8..=32)
        .prop_map(|(bits, len)| IpNet::new(Ipv4Addr::from_bits(bits).into(), len).unwrap());
    let v6 = (any::<u128>(), 118u8..=128)
        .prop_map(|(bits, len)| IpNet::new(Ipv6Addr::from_bits(bits).into(), len).unwrap());
    prop_oneof![v4, v6].prop_map(|net| net.trunc())
}

proptest! {
    /// Counting one by one says the same as the arithmetic.
    #[test]
    fn default_pools_hold_every_host_but_the_gateway(cidr in small_net(), pick in any::<u16>()) {
        let hosts: Vec<IpAddr> = hosts(&cidr).addresses().collect();
        let gateway = hosts[usize::from(pick) % hosts.len()];
        let pools = default_pools(&cidr, Some(gateway));
        let given: Vec<IpAddr> = pools.iter().flat_map(AllocationPool::addresses).collect();
        let expected: Vec<IpAddr> = hosts.iter().copied().filter(|a| *a != gateway).collect();
        prop_assert_eq!(given, expected);
        prop_assert!(check(&cidr, &pools).is_ok());
        prop_assert!(check_gateway(gateway, &pools).is_ok());
        for address in &hosts {
            prop_assert!(cidr.contains(address) && !is_reserved(&cidr, *address));
        }
    }

    /// Two ranges are refused exactly if some address is in both.
    #[test]
    fn ranges_overlap_exactly_if_they_share_an_address(
        a in (1u32..=40, 0u32..=10), b in (1u32..=40, 0u32..=10),
    ) {
        let range = |(start, more): (u32, u32)| {
            let at = |n| IpAddr::V4(Ipv4Addr::from_bits(u32::from(Ipv4Addr::new(10, 0, 0, 0)) + n));
            AllocationPool { start: at(start), end: at(start + more) }
        };
        let (a, b) = (range(a), range(b));
        let shared = a.addresses().any(|address| b.contains(address));
        prop_assert_eq!(check(&net("10.0.0.0/24"), &[a, b]).is_err(), shared);
    }

    /// Without an address, a range has all its other addresses, in order.
    #[test]
    fn a_range_without_an_address_has_all_the_others(cidr in small_net(), pick in any::<u16>()) {
        let all: Vec<IpAddr> = hosts(&cidr).addresses().collect();
        let gone = all[usize::from(pick) % all.len()];
        let left: Vec<IpAddr> =
            hosts(&cidr).without(gone).iter().flat_map(AllocationPool::addresses).collect();
        prop_assert_eq!(left.len() + 1, all.len());
        prop_assert!(!left.contains(&gone));
    }
}
