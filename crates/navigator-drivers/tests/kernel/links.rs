//! Devices: made with their mark on both ends, changed, never taken from somebody else.

use std::collections::BTreeMap;

use navigator_drivers::Look;
use navigator_state::{
    Action, Desired, DesiredNamespace, FdbEntry, Link, LinkKind, Namespace, desired::BridgePort,
};

use crate::host::{
    create, namespace, network, nothing, on_a_host, plain, refusal, router, run, small_router, veth,
};

/// `NAVI`, the group that every device of ours is made with.
const GROUP: &str = "1312904777";

fn bridge_named(name: &str) -> Action {
    create(&Namespace::Host, name, plain(LinkKind::Bridge))
}

fn wanting_port(scope: &navigator_model::Scope, device: &str) -> Desired {
    let port = BridgePort { bridge: "brq-a".to_owned(), mtu: None, up: true };
    let host = DesiredNamespace {
        bridge_ports: BTreeMap::from([(device.to_owned(), port)]),
        ..DesiredNamespace::default()
    };
    Desired { namespaces: BTreeMap::from([(Namespace::Host, host)]), ..nothing(scope) }
}

#[test]
fn both_ends_of_a_pair_are_marked_up_and_of_one_mtu() {
    on_a_host(|host| {
        let scope = router(1);
        host.must(&scope, small_router(&scope));
        let inside = namespace(&scope).to_string();
        let mark = format!("alias navigator:{scope}");
        for shown in [
            run(&["ip", "link", "show", "tap-a"]),
            run(&["ip", "-n", &inside, "link", "show", "qr-a"]),
        ] {
            assert!(shown.contains(&mark), "{shown}");
            assert!(shown.contains("mtu 1450"), "{shown}");
            assert!(shown.contains(",UP"), "{shown}");
        }
    });
}

#[test]
fn a_pair_is_observed_as_it_was_asked_for_and_from_its_other_end() {
    on_a_host(|host| {
        let scope = router(1);
        host.must(&scope, small_router(&scope));
        let actual = host.observe(&scope);
        let found = &actual.namespaces[&namespace(&scope)].links["qr-a"];
        assert!(found.ours);
        assert_eq!(found.link, veth("tap-a"));
        let peer = &actual.namespaces[&Namespace::Host].links["tap-a"];
        assert!(peer.ours);
        assert_eq!(peer.link.kind, LinkKind::Veth { peer: "qr-a".to_owned() });
    });
}

#[test]
fn a_foreign_device_with_a_wanted_peers_name_is_reported_as_foreign() {
    on_a_host(|host| {
        let scope = router(1);
        run(&["ip", "link", "add", "tap-a", "type", "bridge"]);
        let links = [("qr-a".to_owned(), veth("tap-a"))].into();
        let inside = DesiredNamespace { links, ..DesiredNamespace::default() };
        let desired =
            Desired { namespaces: [(namespace(&scope), inside)].into(), ..nothing(&scope) };
        let actual = host.kernel.observe(&scope, &desired, Look::Everything).unwrap();
        assert!(!actual.namespaces[&Namespace::Host].links["tap-a"].ours);
    });
}

#[test]
fn a_pair_whose_host_end_has_lost_its_mark_and_name_has_no_peer() {
    on_a_host(|host| {
        let scope = router(1);
        host.must(&scope, small_router(&scope));
        run(&["ip", "netns", "add", "elsewhere"]);
        run(&["ip", "link", "set", "tap-a", "netns", "elsewhere"]);
        let actual = host.observe(&scope);
        let kind = &actual.namespaces[&namespace(&scope)].links["qr-a"].link.kind;
        assert_eq!(*kind, LinkKind::Veth { peer: String::new() });
    });
}

#[test]
fn a_foreign_device_of_our_name_is_left_alone() {
    on_a_host(|host| {
        let scope = router(1);
        run(&["ip", "link", "add", "tap-a", "type", "bridge"]);
        let before = run(&["ip", "-o", "link", "show", "tap-a"]);
        let outcomes = host.apply(&scope, small_router(&scope));
        assert!(refusal(&outcomes, 1).contains("tap-a in host is taken"));
        let delete = Action::DeleteLink { namespace: Namespace::Host, name: "tap-a".to_owned() };
        assert!(refusal(&host.apply(&scope, vec![delete]), 0).contains("left alone"));
        assert_eq!(run(&["ip", "-o", "link", "show", "tap-a"]), before);
    });
}

#[test]
fn a_device_of_another_scope_of_ours_is_left_alone_too() {
    on_a_host(|host| {
        let (scope, other) = (router(1), router(2));
        host.must(&scope, small_router(&scope));
        let outcomes = host.apply(&other, small_router(&other));
        assert!(refusal(&outcomes, 1).contains("taken"));
        assert!(host.observe(&scope).namespaces[&namespace(&scope)].links.contains_key("qr-a"));
    });
}

#[test]
fn a_foreign_device_is_reported_as_foreign_when_asked_for() {
    on_a_host(|host| {
        run(&["ip", "link", "add", "eth-x", "type", "bridge"]);
        let scope = network(1);
        let desired = wanting_port(&scope, "eth-x");
        let actual = host.kernel.observe(&scope, &desired, Look::Everything).unwrap();
        let links = &actual.namespaces[&Namespace::Host].links;
        assert_eq!(links.len(), 1);
        assert!(!links["eth-x"].ours);
    });
}

#[test]
fn an_orphaned_host_end_of_ours_is_replaced() {
    on_a_host(|host| {
        let scope = router(1);
        run(&["ip", "link", "add", "tap-a", "type", "veth", "peer", "name", "lost"]);
        run(&["ip", "link", "set", "tap-a", "alias", &format!("navigator:{scope}")]);
        let orphan = &host.observe(&scope).namespaces[&Namespace::Host].links["tap-a"];
        assert!(orphan.ours);
        host.must(&scope, small_router(&scope));
        let actual = host.observe(&scope);
        assert_eq!(actual.namespaces[&namespace(&scope)].links["qr-a"].link, veth("tap-a"));
    });
}

#[test]
fn a_device_whose_maker_was_killed_before_marking_it_counts_as_absent_and_is_made_anew() {
    on_a_host(|host| {
        let scope = network(1);
        run(&["ip", "link", "add", "brq-a", "group", GROUP, "type", "bridge"]);
        let desired = wanting_port(&scope, "brq-a");
        let actual = host.kernel.observe(&scope, &desired, Look::Everything).unwrap();
        assert!(actual.namespaces[&Namespace::Host].links.is_empty());
        host.must(&scope, vec![bridge_named("brq-a")]);
        assert!(host.observe(&scope).namespaces[&Namespace::Host].links["brq-a"].ours);
    });
}

#[test]
fn a_pair_whose_maker_was_killed_before_marking_it_is_made_anew() {
    on_a_host(|host| {
        let (scope, inside) = (router(1), namespace(&router(1)));
        host.must(&scope, vec![Action::CreateNamespace(inside.clone())]);
        let place = inside.to_string();
        run(&[
            "ip", "link", "add", "tap-a", "group", GROUP, "type", "veth", "peer", "name", "qr-a",
            "group", GROUP, "netns", &place,
        ]);
        assert!(host.observe(&scope).namespaces[&inside].links.is_empty());
        host.must(&scope, small_router(&scope));
        assert_eq!(host.observe(&scope).namespaces[&inside].links["qr-a"].link, veth("tap-a"));
    });
}

#[test]
fn a_network_that_wants_nothing_on_the_host_any_more_still_shows_what_it_left_there() {
    on_a_host(|host| {
        let scope = network(1);
        host.must(&scope, small_router(&scope));
        host.must(&scope, vec![bridge_named("brq-a")]);
        let links = [("qr-a".to_owned(), veth("tap-a"))].into();
        let inside = DesiredNamespace { links, ..DesiredNamespace::default() };
        let desired =
            Desired { namespaces: [(namespace(&scope), inside)].into(), ..nothing(&scope) };
        let actual = host.kernel.observe(&scope, &desired, Look::Everything).unwrap();
        assert!(actual.namespaces[&Namespace::Host].links["brq-a"].ours);
    });
}

#[test]
fn a_vxlan_on_a_bridge_keeps_exactly_the_forwarding_entries_that_were_added() {
    on_a_host(|host| {
        let scope = network(1);
        let local = "192.0.2.1".parse().ok();
        let vxlan =
            Link { master: Some("brq-a".to_owned()), ..plain(LinkKind::Vxlan { vni: 77, local }) };
        let entry = |mac: &str, remote: &str| FdbEntry {
            link: "vxlan-77".to_owned(),
            mac_address: mac.parse().unwrap(),
            remote: remote.parse().unwrap(),
        };
        let flood = ["198.51.100.2", "198.51.100.3"].map(|r| entry("00:00:00:00:00:00", r));
        let known = entry("fa:16:3e:00:00:02", "198.51.100.2");
        let moved = entry("fa:16:3e:00:00:02", "198.51.100.3");
        let add =
            |entry: &FdbEntry| Action::AddFdb { namespace: Namespace::Host, entry: entry.clone() };
        let delete = |entry: &FdbEntry| Action::DeleteFdb {
            namespace: Namespace::Host,
            entry: entry.clone(),
        };
        host.must(
            &scope,
            vec![
                bridge_named("brq-a"),
                create(&Namespace::Host, "vxlan-77", vxlan.clone()),
                add(&flood[0]),
                add(&flood[1]),
                add(&known),
            ],
        );
        let state = host.observe(&scope).namespaces.remove(&Namespace::Host).unwrap();
        let found = &state.links["vxlan-77"].link;
        assert_eq!((&found.kind, &found.master), (&vxlan.kind, &vxlan.master));
        assert_eq!(state.fdb, [flood[0].clone(), flood[1].clone(), known.clone()].into());
        let shown = run(&["ip", "-d", "link", "show", "vxlan-77"]);
        assert!(shown.contains("dstport 4789") && shown.contains("nolearning"), "{shown}");
        // A port that moved to another host, in either order of the two steps.
        host.must(&scope, vec![add(&moved), delete(&known), delete(&flood[1])]);
        let state = host.observe(&scope).namespaces.remove(&Namespace::Host).unwrap();
        assert_eq!(state.fdb, [flood[0].clone(), moved].into());
    });
}

#[test]
fn a_devices_address_size_state_and_bridge_are_changed() {
    on_a_host(|host| {
        let scope = network(1);
        let name = "tap-a".to_owned();
        let at = Namespace::Host;
        run(&["ip", "link", "add", "tap-a", "type", "veth", "peer", "name", "vm"]);
        host.must(
            &scope,
            vec![
                bridge_named("brq-a"),
                Action::SetMac {
                    namespace: at.clone(),
                    name: name.clone(),
                    mac_address: "fa:16:3e:00:00:09".parse().unwrap(),
                },
                Action::SetMtu { namespace: at.clone(), name: name.clone(), mtu: 1400 },
                Action::SetUp { namespace: at.clone(), name: name.clone(), up: true },
                Action::SetMaster {
                    namespace: at.clone(),
                    name: name.clone(),
                    master: Some("brq-a".to_owned()),
                },
            ],
        );
        let shown = run(&["ip", "link", "show", "tap-a"]);
        for part in ["fa:16:3e:00:00:09", "mtu 1400", "UP", "master brq-a"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        host.must(
            &scope,
            vec![
                Action::SetMaster { namespace: at.clone(), name: name.clone(), master: None },
                Action::SetUp { namespace: at.clone(), name, up: false },
            ],
        );
        let shown = run(&["ip", "link", "show", "tap-a"]);
        assert!(!shown.contains("master") && shown.contains("state DOWN"), "{shown}");
    });
}

#[test]
fn deleting_a_device_takes_its_other_end_and_deleting_it_again_is_no_error() {
    on_a_host(|host| {
        let scope = router(1);
        host.must(&scope, small_router(&scope));
        let delete = Action::DeleteLink { namespace: namespace(&scope), name: "qr-a".to_owned() };
        host.must(&scope, vec![delete.clone(), delete]);
        assert!(!run(&["ip", "-br", "link"]).contains("tap-a"));
    });
}

#[test]
fn a_refused_step_does_not_stop_the_ones_after_it() {
    on_a_host(|host| {
        let scope = router(1);
        let broken = create(&namespace(&scope), "a-name-that-is-too-long", veth("tap-b"));
        let mut actions = small_router(&scope);
        actions.insert(1, broken);
        let outcomes = host.apply(&scope, actions);
        let refused: Vec<_> =
            outcomes.iter().filter(|o| o.result.is_err()).map(|o| o.step).collect();
        assert_eq!(refused, [1]);
        assert!(host.observe(&scope).namespaces[&namespace(&scope)].links.contains_key("qr-a"));
    });
}
