//! Addresses, routes, sysctls and announcements inside a namespace.

use std::{collections::BTreeMap, process::Command};

use navigator_drivers::Look;
use navigator_state::{Action, Desired, DesiredNamespace, Namespace, Route};

use crate::host::{
    Host, in_time, namespace, nothing, on_a_host, refusal, router, run, small_router,
};

fn add_address(at: &Namespace, address: &str) -> Action {
    let (namespace, name) = (at.clone(), "qr-a".to_owned());
    Action::AddAddress { namespace, name, address: address.parse().unwrap() }
}

fn delete_address(at: &Namespace, address: &str) -> Action {
    let (namespace, name) = (at.clone(), "qr-a".to_owned());
    Action::DeleteAddress { namespace, name, address: address.parse().unwrap() }
}

fn route(destination: &str, via: Option<&str>) -> Route {
    Route {
        destination: destination.parse().unwrap(),
        via: via.map(|v| v.parse().unwrap()),
        link: Some("qr-a".to_owned()),
        onlink: false,
    }
}

fn add(at: &Namespace, route: &Route) -> Action {
    Action::AddRoute { namespace: at.clone(), route: route.clone() }
}

fn delete(at: &Namespace, route: &Route) -> Action {
    Action::DeleteRoute { namespace: at.clone(), route: route.clone() }
}

fn addresses(host: &Host) -> Vec<String> {
    let state = host.observe(&router(1)).namespaces.remove(&namespace(&router(1))).unwrap();
    state.addresses.get("qr-a").into_iter().flatten().map(ToString::to_string).collect()
}

#[test]
fn addresses_come_and_go_and_the_kernels_own_are_not_shown() {
    on_a_host(|host| {
        let (scope, at) = (router(1), namespace(&router(1)));
        host.must(&scope, small_router(&scope));
        assert!(addresses(&host).is_empty(), "a link-local address shows");
        let all = ["198.51.100.1/24", "203.0.113.5/32", "2001:db8::1/64"];
        for address in all {
            host.must(&scope, vec![add_address(&at, address), add_address(&at, address)]);
        }
        assert_eq!(addresses(&host), all);
        let shown = run(&["ip", "-n", &at.to_string(), "address", "show", "qr-a"]);
        assert!(!shown.contains("tentative") || shown.contains("fe80"), "{shown}");
        for address in all {
            host.must(&scope, vec![delete_address(&at, address), delete_address(&at, address)]);
        }
        assert!(addresses(&host).is_empty());
    });
}

#[test]
fn deleting_an_address_keeps_the_others_of_its_subnet() {
    on_a_host(|host| {
        let (scope, at) = (router(1), namespace(&router(1)));
        host.must(&scope, small_router(&scope));
        host.must(
            &scope,
            vec![
                add_address(&at, "198.51.100.1/24"),
                add_address(&at, "198.51.100.2/24"),
                delete_address(&at, "198.51.100.1/24"),
            ],
        );
        assert_eq!(addresses(&host), ["198.51.100.2/24"]);
    });
}

#[test]
fn routes_come_go_and_change_their_next_hop() {
    on_a_host(|host| {
        let (scope, at) = (router(1), namespace(&router(1)));
        host.must(&scope, small_router(&scope));
        host.must(
            &scope,
            vec![add_address(&at, "198.51.100.1/24"), add_address(&at, "2001:db8::1/64")],
        );
        let default = route("0.0.0.0/0", Some("198.51.100.254"));
        let direct = route("203.0.113.0/24", None);
        let six = route("::/0", Some("2001:db8::ff"));
        let onlink = Route { onlink: true, ..route("192.0.2.0/24", Some("192.0.2.9")) };
        let all = [&default, &direct, &six, &onlink];
        host.must(&scope, all.iter().map(|r| add(&at, r)).collect());
        let found = || host.observe(&scope).namespaces.remove(&at).unwrap().routes;
        assert_eq!(found(), all.into_iter().cloned().collect());
        // A new next hop, in either order of the two steps.
        let other = route("0.0.0.0/0", Some("198.51.100.253"));
        host.must(&scope, vec![add(&at, &other), delete(&at, &default)]);
        assert!(found().contains(&other) && !found().contains(&default));
        host.must(&scope, vec![delete(&at, &other), add(&at, &default)]);
        assert!(!found().contains(&other) && found().contains(&default));
        host.must(&scope, all.iter().flat_map(|r| [delete(&at, r), delete(&at, r)]).collect());
        assert!(found().is_empty());
    });
}

#[test]
fn somebody_elses_route_is_neither_shown_nor_replaced_nor_deleted() {
    on_a_host(|host| {
        let (scope, at) = (router(1), namespace(&router(1)));
        host.must(&scope, small_router(&scope));
        host.must(&scope, vec![add_address(&at, "198.51.100.1/24")]);
        let inside = at.to_string();
        run(&["ip", "-n", &inside, "route", "add", "192.0.2.0/24", "via", "198.51.100.7"]);
        assert!(host.observe(&scope).namespaces[&at].routes.is_empty());
        let ours = route("192.0.2.0/24", Some("198.51.100.8"));
        let same = route("192.0.2.0/24", Some("198.51.100.7"));
        let outcomes = host.apply(&scope, vec![add(&at, &ours), delete(&at, &same)]);
        assert!(refusal(&outcomes, 0).contains("left alone"));
        let shown = run(&["ip", "-n", &inside, "route", "show", "192.0.2.0/24"]);
        assert!(shown.contains("via 198.51.100.7"), "{shown}");
    });
}

#[test]
fn a_route_wanted_through_any_device_is_reported_the_same_way() {
    on_a_host(|host| {
        let (scope, at) = (router(1), namespace(&router(1)));
        host.must(&scope, small_router(&scope));
        let anywhere = Route { link: None, ..route("192.0.2.0/24", Some("198.51.100.7")) };
        host.must(&scope, vec![add_address(&at, "198.51.100.1/24"), add(&at, &anywhere)]);
        let wanted = DesiredNamespace { routes: [anywhere].into(), ..DesiredNamespace::default() };
        let desired = Desired {
            namespaces: BTreeMap::from([(at.clone(), wanted.clone())]),
            ..nothing(&scope)
        };
        let actual = host.kernel.observe(&scope, &desired, Look::Everything).unwrap();
        assert_eq!(actual.namespaces[&at].routes, wanted.routes);
    });
}

#[test]
fn sysctls_are_set_in_the_namespace_and_nowhere_else() {
    on_a_host(|host| {
        let (scope, at) = (router(1), namespace(&router(1)));
        let key = "net/ipv4/conf/all/arp_announce";
        let set = |key: &str, value: &str| Action::SetSysctl {
            namespace: at.clone(),
            key: key.to_owned(),
            value: value.to_owned(),
        };
        let here = || std::fs::read_to_string(format!("/proc/sys/{key}")).unwrap();
        let before = here();
        host.must(&scope, vec![Action::CreateNamespace(at.clone())]);
        let outcomes = host.apply(
            &scope,
            vec![
                set("net/ipv4/ip_forward", "1"),
                set("net/ipv4/no_such_key", "1"),
                set("../etc/passwd", "1"),
                set(key, "2"),
            ],
        );
        let refused: Vec<_> =
            outcomes.iter().filter(|o| o.result.is_err()).map(|o| o.step).collect();
        assert_eq!(refused, [1, 2]);
        let keys = [("net/ipv4/ip_forward", "1"), (key, "2")];
        let sysctls = keys.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let wanted = DesiredNamespace { sysctls, ..DesiredNamespace::default() };
        let desired = Desired {
            namespaces: BTreeMap::from([(at.clone(), wanted.clone())]),
            ..nothing(&scope)
        };
        let actual = host.kernel.observe(&scope, &desired, Look::Everything).unwrap();
        assert_eq!(actual.namespaces[&at].sysctls, wanted.sysctls);
        assert_eq!(here(), before);
    });
}

#[test]
fn an_announced_address_is_learnt_by_a_neighbour() {
    on_a_host(|host| {
        let (scope, at) = (router(1), namespace(&router(1)));
        host.must(&scope, small_router(&scope));
        run(&["ip", "address", "add", "198.51.100.9/24", "dev", "tap-a"]);
        // Before its link is up, a device sends nothing.
        let inside = at.to_string();
        let up = || run(&["ip", "-n", &inside, "link", "show", "qr-a"]).contains("state UP");
        assert!(in_time(up));
        // Linux learns unasked only what it is told to.
        std::fs::write("/proc/sys/net/ipv4/conf/tap-a/arp_accept", "1").unwrap();
        host.must(
            &scope,
            vec![
                add_address(&at, "198.51.100.1/24"),
                Action::Announce {
                    namespace: at.clone(),
                    name: "qr-a".to_owned(),
                    address: "198.51.100.1".parse().unwrap(),
                },
            ],
        );
        let learnt = in_time(|| {
            let neighbours = Command::new("ip").args(["neighbour"]).output().unwrap().stdout;
            String::from_utf8_lossy(&neighbours)
                .contains("198.51.100.1 dev tap-a lladdr fa:16:3e:00:00:01")
        });
        assert!(learnt);
    });
}
