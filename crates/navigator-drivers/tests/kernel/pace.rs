//! How long a cold node takes for a hundred routers. Printed, not judged: machines differ.

use std::time::{Duration, Instant};

use navigator_drivers::Look;
use navigator_model::Scope;
use navigator_state::{Action, Desired, DesiredNamespace, Link, Namespace, Route};

use crate::host::{Host, create, namespace, nothing, on_a_host, router, veth};

const ROUTERS: u128 = 100;

fn steps(scope: &Scope, n: u128) -> Vec<Action> {
    let at = namespace(scope);
    let link = |peer: String| Link { mac_address: None, ..veth(&peer) };
    let address = |name: &str, address: &str| Action::AddAddress {
        namespace: at.clone(),
        name: name.to_owned(),
        address: address.parse().unwrap(),
    };
    let sysctl = |key: &str| Action::SetSysctl {
        namespace: at.clone(),
        key: key.to_owned(),
        value: "1".to_owned(),
    };
    let route = |destination: &str, via: &str| Action::AddRoute {
        namespace: at.clone(),
        route: Route {
            destination: destination.parse().unwrap(),
            via: via.parse().ok(),
            link: None,
            onlink: false,
        },
    };
    vec![
        Action::CreateNamespace(at.clone()),
        create(&at, "qr-a", link(format!("tap-a{n}"))),
        create(&at, "qg-b", link(format!("tap-b{n}"))),
        sysctl("net/ipv4/ip_forward"),
        sysctl("net/ipv4/conf/all/arp_ignore"),
        sysctl("net/ipv4/conf/qr-a/arp_notify"),
        sysctl("net/ipv4/conf/qg-b/arp_notify"),
        address("qr-a", "10.0.0.1/24"),
        address("qg-b", "203.0.113.2/24"),
        route("0.0.0.0/0", "203.0.113.1"),
        route("192.0.2.0/24", "10.0.0.9"),
    ]
}

fn observe_all(host: &Host) -> Duration {
    let began = Instant::now();
    for n in 0..ROUTERS {
        let scope = router(n);
        let links = [("qr-a", format!("tap-a{n}")), ("qg-b", format!("tap-b{n}"))]
            .map(|(name, peer)| (name.to_owned(), veth(&peer)));
        let inside = DesiredNamespace { links: links.into(), ..DesiredNamespace::default() };
        let wanted =
            Desired { namespaces: [(namespace(&scope), inside)].into(), ..nothing(&scope) };
        let actual = host.kernel.observe(&scope, &wanted, Look::Everything).unwrap();
        assert_eq!(actual.namespaces[&namespace(&scope)].links.len(), 2);
        assert_eq!(actual.namespaces[&Namespace::Host].links.len(), 2);
    }
    began.elapsed()
}

#[test]
fn a_hundred_routers_are_built_observed_and_removed() {
    on_a_host(|host| {
        let began = Instant::now();
        for n in 0..ROUTERS {
            host.must(&router(n), steps(&router(n), n));
        }
        let built = began.elapsed();
        let first = observe_all(&host);
        let again = observe_all(&host);
        let began = Instant::now();
        for n in 0..ROUTERS {
            host.must(&router(n), vec![Action::DeleteNamespace(namespace(&router(n)))]);
        }
        let removed = began.elapsed();
        println!("{ROUTERS} routers: built in {built:?}, removed in {removed:?}");
        println!("observed in {first:?}, and again in {again:?}");
    });
}
