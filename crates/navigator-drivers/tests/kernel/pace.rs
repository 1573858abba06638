//! How long a cold node takes for a hundred routers. Printed, not judged: machines differ.

use std::time::Instant;

use navigator_model::Scope;
use navigator_state::{Action, Link, Route};

use crate::host::{create, namespace, nothing, on_a_host, router, veth};

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

#[test]
fn a_hundred_routers_are_built_observed_and_removed() {
    on_a_host(|host| {
        let began = Instant::now();
        for n in 0..ROUTERS {
            host.must(&router(n), steps(&router(n), n));
        }
        let built = began.elapsed();
        let began = Instant::now();
        for n in 0..ROUTERS {
            let scope = router(n);
            let look = navigator_drivers::Look::Everything;
            let actual = host.kernel.observe(&scope, &nothing(&scope), look).unwrap();
            assert_eq!(actual.namespaces[&namespace(&scope)].links.len(), 2);
        }
        let observed = began.elapsed();
        let began = Instant::now();
        for n in 0..ROUTERS {
            host.must(&router(n), vec![Action::DeleteNamespace(namespace(&router(n)))]);
        }
        let removed = began.elapsed();
        println!(
            "{ROUTERS} routers: built in {built:?}, observed in {observed:?}, removed in {removed:?}"
        );
    });
}
