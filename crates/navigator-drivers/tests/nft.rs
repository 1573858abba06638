//! nftables in private namespaces of the real kernel.

// A test fails by panicking, its helpers too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "nft_support/host.rs"]
mod host;
#[path = "nft_support/skeleton.rs"]
mod skeleton;

use std::{fs::File, net::Ipv4Addr};

use navigator_drivers::nft::{Nft, NftError};
use navigator_model::Protocol;
use navigator_state::nft::{Actual, Element, ElementChange, Tuple};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use host::{alone, run};
use skeleton::{ROUTER, change, forward, key, target};

fn router() -> Nft {
    let mut nft = Nft::open().unwrap();
    nft.replace_skeleton(ROUTER, false, &[]).unwrap();
    nft
}

fn observe(nft: &mut Nft) -> Actual {
    nft.observe(None).unwrap().unwrap()
}

fn apply(nft: &mut Nft, changes: &[ElementChange]) {
    for result in nft.change_elements(changes) {
        result.unwrap();
    }
}

fn forwards(ports: std::ops::Range<u16>) -> Vec<ElementChange> {
    ports.map(|port| forward(Protocol::Tcp, port, 80)).collect()
}

#[test]
fn an_empty_namespace_has_no_skeleton_and_no_sets() {
    alone(|| {
        let mut nft = Nft::open().unwrap();
        let actual = observe(&mut nft);
        assert_eq!((actual.skeleton.as_str(), actual.sets.len()), ("", 0));
        nft.delete_table().unwrap();
    });
}

#[test]
fn a_skeleton_is_observed_as_it_was_written() {
    alone(|| {
        let actual = observe(&mut router());
        assert_eq!(actual.skeleton, ROUTER);
        let names: Vec<_> = actual.sets.keys().map(String::as_str).collect();
        let declared = [
            "allowed",
            "fixed_to_floating",
            "floating_to_fixed",
            "forwards",
            "masqueraded",
            "restricted",
        ];
        assert_eq!(names, declared);
    });
}

/// The library waits by `select`, which aborts a process whose descriptor is 1024 or more.
#[test]
fn a_process_with_thousands_of_descriptors_can_use_nftables() {
    alone(|| {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
        let _many: Vec<_> = (0..2_000).map(|_| File::open("/dev/null").unwrap()).collect();
        // More than the library's thread keeps open, each used again after all were opened.
        let mut tables: Vec<_> = (0..900).map(|_| Nft::open().unwrap()).collect();
        tables[0].replace_skeleton(ROUTER, false, &[]).unwrap();
        for nft in tables.iter_mut().step_by(100) {
            assert_eq!(observe(nft).skeleton, ROUTER);
        }
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    });
}

#[test]
fn the_socket_stays_in_the_namespace_of_its_opener() {
    alone(|| {
        run("ip netns add other");
        let mut nft = host::inside("other", || Nft::open().unwrap()).join().unwrap();
        nft.replace_skeleton(ROUTER, false, &[]).unwrap();
        apply(&mut nft, &forwards(1..3));
        assert_eq!(run("nft list tables"), "");
        let tables = "table ip navigator_guard\ntable ip navigator\n";
        assert_eq!(run("ip netns exec other nft list tables"), tables);
        assert_eq!(observe(&mut nft).sets["forwards"].len(), 2);
    });
}

#[test]
fn a_changed_skeleton_keeps_the_elements_of_its_sets() {
    alone(|| {
        let mut nft = router();
        apply(&mut nft, &forwards(1..100));
        // Another address, a chain less, a chain more, another order, another hook priority.
        let changed = ROUTER.replace("198.51.100.1 fully", "198.51.100.9 fully").replace(
            "chain filter {\n\t\ttype filter hook prerouting priority dstnat - 10",
            "chain early {\n\t\ttype filter hook prerouting priority mangle",
        );
        let reordered = changed.replace("chain output", "chain first");
        nft.replace_skeleton(&reordered, false, &[]).unwrap();
        let actual = observe(&mut nft);
        assert_eq!(actual.skeleton, reordered);
        assert_eq!(actual.sets["forwards"].len(), 99);
        nft.replace_skeleton(ROUTER, false, &[]).unwrap();
        let actual = observe(&mut nft);
        assert_eq!(actual.skeleton, ROUTER);
        assert_eq!(actual.sets["forwards"].len(), 99);
    });
}

#[test]
fn a_new_set_may_follow_those_present_but_others_need_a_recreated_table() {
    alone(|| {
        let mut nft = router();
        let tail = "\tset later {\n\t\ttype ipv4_addr\n\t}\n\n\tchain filter";
        let longer = ROUTER.replacen("\tchain filter", tail, 1);
        nft.replace_skeleton(&longer, false, &[]).unwrap();
        assert_eq!(observe(&mut nft).skeleton, longer);
        let refused = nft.replace_skeleton(ROUTER, false, &[]);
        assert!(matches!(refused, Err(NftError::SetsDiffer)), "{refused:?}");
        assert_eq!(observe(&mut nft).skeleton, longer);
        nft.replace_skeleton(ROUTER, true, &forwards(1..10)).unwrap();
        let actual = observe(&mut nft);
        assert_eq!(actual.skeleton, ROUTER);
        assert_eq!(actual.sets["forwards"].len(), 9);
    });
}

#[test]
fn recreating_brings_every_kind_of_element_as_netlink_would() {
    alone(|| {
        let mut nft = router();
        let address = |last| Ipv4Addr::new(203, 0, 113, last);
        let source = |last| key(Protocol::Udp, 53).ipv4(address(last));
        let to = |last| Some(Element { key_end: Some(source(last)), data: None });
        let elements = [
            forward(Protocol::Dccp, 7, 7),
            forward(Protocol::Sctp, 8, 9),
            change("restricted", key(Protocol::Udp, 53), None, Some(Element::default())),
            change("allowed", source(1), None, to(1)),
            change("allowed", source(32), None, to(63)),
            change(
                "floating_to_fixed",
                Tuple::new().ipv4(address(9)),
                None,
                Some(Element { key_end: None, data: Some(Tuple::new().ipv4(skeleton::SERVER)) }),
            ),
        ];
        apply(&mut nft, &elements);
        let by_netlink = observe(&mut nft);
        for change in &elements {
            assert_eq!(by_netlink.sets[&change.set].get(&change.key), change.add.as_ref());
        }
        nft.replace_skeleton(ROUTER, true, &elements).unwrap();
        assert_eq!(observe(&mut nft).sets, by_netlink.sets);
        let removals: Vec<_> =
            elements.iter().map(|added| change(&added.set, added.key, added.add, None)).collect();
        apply(&mut nft, &removals);
        assert!(observe(&mut nft).sets.values().all(|set| set.is_empty()));
    });
}

#[test]
fn an_element_is_replaced_in_one_transaction() {
    alone(|| {
        let mut nft = router();
        apply(&mut nft, &forwards(1..3));
        let before = nft.generation().unwrap();
        let replace =
            change("forwards", key(Protocol::Tcp, 1), Some(target(80)), Some(target(8080)));
        apply(&mut nft, &[replace]);
        assert_eq!(nft.generation().unwrap(), before + 1);
        let found = &observe(&mut nft).sets["forwards"];
        assert_eq!(found[&key(Protocol::Tcp, 1)], target(8080));
        assert_eq!(found[&key(Protocol::Tcp, 2)], target(80));
    });
}

#[test]
fn removing_what_is_gone_already_succeeds() {
    alone(|| {
        let mut nft = router();
        apply(&mut nft, &forwards(1..1000));
        run("nft flush map ip navigator forwards");
        let mut changes: Vec<_> = (1..1000)
            .map(|port| change("forwards", key(Protocol::Tcp, port), Some(target(80)), None))
            .collect();
        changes[500].add = Some(target(81));
        apply(&mut nft, &changes);
        assert_eq!(observe(&mut nft).sets["forwards"].len(), 1);
    });
}

#[test]
fn one_poison_element_among_a_thousand_leaves_the_others_applied_and_is_named() {
    alone(|| {
        let mut nft = router();
        apply(&mut nft, &[forward(Protocol::Tcp, 600, 1)]);
        for poison in ["occupied key", "unknown set", "key too short"] {
            let mut changes = forwards(1..1001);
            match poison {
                // The key is there, with another value that the plan does not know of.
                "occupied key" => {}
                "unknown set" => changes[599].set = "nowhere".to_owned(),
                _ => changes[599].key = Tuple::new().port(600),
            }
            let results = nft.change_elements(&changes);
            let refused: Vec<_> =
                results.iter().enumerate().filter(|(_, result)| result.is_err()).collect();
            assert_eq!(refused.len(), 1, "{poison}");
            assert_eq!(refused[0].0, 599, "{poison}");
            assert!(matches!(refused[0].1, Err(NftError::Refused { .. })), "{poison}");
            assert_eq!(observe(&mut nft).sets["forwards"].len(), 1000, "{poison}");
            let others = forwards(1..1001).into_iter().filter(|c| c.key != key(Protocol::Tcp, 600));
            let removals: Vec<_> =
                others.map(|added| change("forwards", added.key, added.add, None)).collect();
            apply(&mut nft, &removals);
        }
    });
}

#[test]
fn a_poison_element_does_not_keep_a_table_from_being_recreated() {
    alone(|| {
        let mut nft = router();
        let mut changes = forwards(1..11);
        changes.push(forward(Protocol::Tcp, 5, 8080));
        let result = nft.replace_skeleton(ROUTER, true, &changes);
        assert!(matches!(result, Err(NftError::Refused { .. })), "{result:?}");
        let actual = observe(&mut nft);
        assert_eq!(actual.skeleton, ROUTER);
        assert_eq!(actual.sets["forwards"].len(), 10);
    });
}

#[test]
fn a_known_generation_costs_no_observation_until_somebody_changes_something() {
    alone(|| {
        let mut nft = router();
        let generation = observe(&mut nft).generation;
        assert_eq!(nft.observe(Some(generation)).unwrap(), None);
        run("nft add table ip stranger");
        let actual = nft.observe(Some(generation)).unwrap().unwrap();
        assert_eq!(actual.generation, generation + 1);
        assert_eq!(actual.skeleton, ROUTER);
    });
}

#[test]
fn what_a_stranger_does_to_our_table_shows() {
    alone(|| {
        let mut nft = router();
        apply(&mut nft, &forwards(1..10));
        run("nft delete element ip navigator forwards { tcp . 198.51.100.1 . 4 }");
        run("nft add element ip navigator floating_to_fixed { * : 10.9.9.9 }");
        let actual = observe(&mut nft);
        assert_eq!(actual.sets["forwards"].len(), 8);
        // A catch-all element has no key; it can be removed like any other.
        let catch_all = actual.sets["floating_to_fixed"][&Tuple::new()];
        apply(&mut nft, &[change("floating_to_fixed", Tuple::new(), Some(catch_all), None)]);
        assert!(observe(&mut nft).sets["floating_to_fixed"].is_empty());
        run("nft insert rule ip navigator prerouting accept");
        assert_ne!(observe(&mut nft).skeleton, ROUTER);
        nft.replace_skeleton(ROUTER, false, &[]).unwrap();
        assert_eq!(observe(&mut nft).skeleton, ROUTER);
        run("nft add counter ip navigator stranger");
        let refused = nft.replace_skeleton(ROUTER, false, &[]);
        assert!(matches!(refused, Err(NftError::SetsDiffer)), "{refused:?}");
        run("nft flush ruleset");
        assert_eq!(observe(&mut nft).skeleton, "");
    });
}

#[test]
fn other_tables_are_left_alone() {
    alone(|| {
        run("nft add table ip stranger");
        run("nft add set ip stranger forwards { type ipv4_addr; elements = { 10.1.1.1 } }");
        let before = run("nft list table ip stranger");
        let mut nft = router();
        nft.replace_skeleton(ROUTER, true, &forwards(1..3)).unwrap();
        assert_eq!(observe(&mut nft).sets["forwards"].len(), 2);
        nft.delete_table().unwrap();
        assert_eq!(run("nft list ruleset"), before);
    });
}

#[test]
fn iptables_rules_beside_ours_do_not_show() {
    alone(|| {
        run("iptables-nft -A INPUT -p tcp -m comment --comment navigator -m conntrack \
             --ctstate NEW -j ACCEPT");
        run("iptables-nft -t nat -A POSTROUTING -o eth0 -j MASQUERADE");
        let before = run("iptables-nft-save");
        let mut nft = router();
        assert_eq!(observe(&mut nft).skeleton, ROUTER);
        nft.replace_skeleton(ROUTER, true, &forwards(1..3)).unwrap();
        nft.delete_table().unwrap();
        let rules = |save: &str| save.lines().filter(|line| line.starts_with('-')).count();
        assert_eq!(rules(&run("iptables-nft-save")), rules(&before));
    });
}

#[test]
fn a_refused_skeleton_changes_nothing_and_says_why() {
    alone(|| {
        let mut nft = router();
        apply(&mut nft, &forwards(1..10));
        let before = observe(&mut nft);
        let broken = ROUTER.replace("dnat to ip daddr", "dnat to nonsense");
        for recreate in [false, true] {
            let Err(NftError::Library(why)) = nft.replace_skeleton(&broken, recreate, &[]) else {
                panic!("not refused");
            };
            assert!(why.contains("Error: "), "{why}");
        }
        let after = observe(&mut nft);
        assert_eq!((after.skeleton, after.sets), (before.skeleton, before.sets));
    });
}

#[test]
fn many_namespaces_are_used_at_once_from_many_threads() {
    let threads: Vec<_> = (0..8)
        .map(|_| {
            std::thread::spawn(|| {
                alone(|| {
                    for _ in 0..10 {
                        let mut nft = router();
                        apply(&mut nft, &forwards(1..50));
                        assert_eq!(observe(&mut nft).sets["forwards"].len(), 49);
                        nft.delete_table().unwrap();
                    }
                });
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}
