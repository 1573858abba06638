//! The arithmetic of a pool's prefixes: what they cover, what is left of them, and which part of it
//! a new subnet gets. Prefixes of one family in, prefixes out.

use ipnet::IpNet;

/// The same addresses in as few prefixes as there can be, in order.
pub fn compact(prefixes: &[IpNet]) -> Vec<IpNet> {
    IpNet::aggregate(&prefixes.to_vec())
}

fn overlaps(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

/// Whether some address is in both.
pub fn overlap(some: &[IpNet], others: &[IpNet]) -> bool {
    some.iter().any(|a| others.iter().any(|b| overlaps(a, b)))
}

/// Whether every address of `inner` is in `outer`.
pub fn cover(outer: &[IpNet], inner: &[IpNet]) -> bool {
    without(inner, outer).is_empty()
}

/// What is left of the prefixes, as the largest prefixes there can be.
pub fn without(prefixes: &[IpNet], taken: &[IpNet]) -> Vec<IpNet> {
    let mut left = Vec::new();
    for prefix in compact(prefixes) {
        let taken: Vec<&IpNet> = taken.iter().filter(|t| overlaps(&prefix, t)).collect();
        push_left(prefix, &taken, &mut left);
    }
    left
}

/// `taken` are those that overlap the prefix.
fn push_left(prefix: IpNet, taken: &[&IpNet], left: &mut Vec<IpNet>) {
    if taken.is_empty() {
        left.push(prefix);
        return;
    }
    if taken.iter().any(|t| t.contains(&prefix)) {
        return;
    }
    // Something smaller lies inside, so there are halves.
    for half in prefix.subnets(prefix.prefix_len() + 1).into_iter().flatten() {
        let taken: Vec<&IpNet> = taken.iter().copied().filter(|t| overlaps(&half, t)).collect();
        push_left(half, &taken, left);
    }
}

/// A prefix of this length from the smallest gap that has room, so that large ones stay.
pub fn take(prefixes: &[IpNet], taken: &[IpNet], length: u8) -> Option<IpNet> {
    let gaps = without(prefixes, taken);
    let fitting = gaps.iter().filter(|gap| gap.prefix_len() <= length);
    // Of equal ones the first.
    let gap = fitting.rev().max_by_key(|gap| gap.prefix_len())?;
    IpNet::new(gap.network(), length).ok()
}

/// How many addresses it has; one less than all of IPv6 for all of IPv6.
pub fn size(prefix: &IpNet) -> u128 {
    let bits = u32::from(prefix.max_prefix_len() - prefix.prefix_len());
    1_u128.checked_shl(bits).unwrap_or(u128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn prefixes_that_touch_or_overlap_become_one() {
        for (given, compacted) in [
            (&["10.0.1.0/24", "10.0.0.0/24"][..], &["10.0.0.0/23"][..]),
            (&["10.0.0.0/8", "10.1.0.0/16", "10.0.0.0/8"], &["10.0.0.0/8"]),
            (&["10.0.1.0/24", "10.0.2.0/24"], &["10.0.1.0/24", "10.0.2.0/24"]),
            (&["2001:db8:1::/48", "2001:db8::/48"], &["2001:db8::/47"]),
            (&["0.0.0.0/1", "128.0.0.0/1"], &["0.0.0.0/0"]),
            (&["::/1", "8000::/1"], &["::/0"]),
        ] {
            assert_eq!(compact(&nets(given)), nets(compacted), "{given:?}");
        }
    }

    #[test]
    fn what_is_left_is_cut_at_the_taken_prefixes() {
        for (prefixes, taken, left) in [
            (&["10.0.0.0/24"][..], &[][..], &["10.0.0.0/24"][..]),
            (&["10.0.0.0/24"], &["10.0.0.0/26"], &["10.0.0.64/26", "10.0.0.128/25"]),
            (&["10.0.0.0/24"], &["10.0.0.0/16"], &[]),
            (&["10.0.0.0/24", "10.0.1.0/24"], &["10.0.0.0/24"], &["10.0.1.0/24"]),
            (&["10.0.0.0/30"], &["10.0.0.1/32"], &["10.0.0.0/32", "10.0.0.2/31"]),
            (&["10.0.0.0/32"], &["10.0.0.0/32"], &[]),
            (&["0.0.0.0/0"], &["128.0.0.0/1"], &["0.0.0.0/1"]),
        ] {
            assert_eq!(without(&nets(prefixes), &nets(taken)), nets(left), "{prefixes:?} {taken:?}");
        }
    }

    #[test]
    fn the_smallest_gap_with_room_is_used_and_the_first_of_equal_ones() {
        let pool = nets(&["10.0.0.0/16", "10.2.0.0/24"]);
        let take = |taken: &[&str], length| {
            take(&pool, &nets(taken), length).map(|prefix| prefix.to_string())
        };
        assert_eq!(take(&[], 26).as_deref(), Some("10.2.0.0/26"));
        assert_eq!(take(&["10.2.0.0/26"], 26).as_deref(), Some("10.2.0.64/26"));
        assert_eq!(take(&["10.2.0.0/24"], 26).as_deref(), Some("10.0.0.0/26"));
        assert_eq!(take(&["10.0.0.0/18", "10.0.128.0/18"], 18).as_deref(), Some("10.0.64.0/18"));
        assert_eq!(take(&[], 15), None);
        assert_eq!(take(&["10.0.0.0/16", "10.2.0.0/24"], 32), None);
    }

    #[test]
    fn sizes_are_right_up_to_all_of_ipv6() {
        let size = |text: &str| size(&text.parse().unwrap());
        assert_eq!(size("10.0.0.0/24"), 256);
        assert_eq!(size("10.0.0.0/32"), 1);
        assert_eq!(size("2001:db8::/64"), 1 << 64);
        assert_eq!(size("::/0"), u128::MAX);
    }

    proptest::proptest! {
        /// Repeated taking fills the pool exactly and never gives an address twice.
        #[test]
        fn a_pool_is_filled_to_its_last_address(lengths in proptest::collection::vec(26_u8..=32, 1..60)) {
            let pool = nets(&["10.0.0.0/26", "10.0.1.0/26"]);
            let mut taken: Vec<IpNet> = Vec::new();
            for length in lengths {
                let Some(next) = take(&pool, &taken, length) else { continue };
                proptest::prop_assert!(!overlap(&taken, &[next]));
                proptest::prop_assert!(cover(&pool, &[next]));
                taken.push(next);
            }
            while let Some(next) = take(&pool, &taken, 32) {
                taken.push(next);
            }
            proptest::prop_assert_eq!(taken.iter().map(size).sum::<u128>(), 128);
        }
    }
}
