//! A whole router and a whole network: what was asked for is what is observed, by this agent and by
//! the next.

use navigator_drivers::Look;
use navigator_model::Scope;
use navigator_state::{
    Action, Actual, Desired, DesiredNamespace, Link, LinkKind, Namespace, NamespaceState, Route,
    desired::BridgePort,
};

use crate::host::{Host, create, namespace, network, nothing, on_a_host, plain, router, veth};

fn router_wanted(scope: &Scope) -> Desired {
    let inside = DesiredNamespace {
        links: [("qr-a", veth("tap-a")), ("qg-b", veth("tap-b"))]
            .map(|(name, link)| (name.to_owned(), link))
            .into(),
        addresses: [("qr-a", "10.0.0.1/24"), ("qg-b", "203.0.113.10/24")]
            .map(|(name, address)| (name.to_owned(), [address.parse().unwrap()].into()))
            .into(),
        routes: [Route {
            destination: "0.0.0.0/0".parse().unwrap(),
            via: Some("203.0.113.1".parse().unwrap()),
            link: Some("qg-b".to_owned()),
            onlink: false,
        }]
        .into(),
        sysctls: [("net/ipv4/ip_forward".to_owned(), "1".to_owned())].into(),
        ..DesiredNamespace::default()
    };
    Desired { namespaces: [(namespace(scope), inside)].into(), ..nothing(scope) }
}

fn network_wanted(scope: &Scope) -> Desired {
    let vxlan = Link {
        master: Some("brq-n".to_owned()),
        ..plain(LinkKind::Vxlan { vni: 5, local: "192.0.2.1".parse().ok() })
    };
    let port = BridgePort { bridge: "brq-n".to_owned(), mtu: None, up: true };
    let host = DesiredNamespace {
        links: [("brq-n".to_owned(), plain(LinkKind::Bridge)), ("vxlan-5".to_owned(), vxlan)]
            .into(),
        bridge_ports: [("tap-a".to_owned(), port)].into(),
        ..DesiredNamespace::default()
    };
    Desired { namespaces: [(Namespace::Host, host)].into(), ..nothing(scope) }
}

/// The steps of a first build, in the order in which each can succeed.
fn build(desired: &Desired) -> Vec<Action> {
    let mut actions = Vec::new();
    for (at, wanted) in &desired.namespaces {
        if *at != Namespace::Host {
            actions.push(Action::CreateNamespace(at.clone()));
        }
        actions.extend(wanted.links.iter().map(|(name, link)| create(at, name, link.clone())));
        for (name, port) in &wanted.bridge_ports {
            let master = Some(port.bridge.clone());
            actions.push(Action::SetMaster { namespace: at.clone(), name: name.clone(), master });
        }
        for (name, addresses) in &wanted.addresses {
            actions.extend(addresses.iter().map(|address| Action::AddAddress {
                namespace: at.clone(),
                name: name.clone(),
                address: *address,
            }));
        }
        let routes = wanted.routes.iter().cloned();
        actions.extend(routes.map(|route| Action::AddRoute { namespace: at.clone(), route }));
        actions.extend(wanted.sysctls.iter().map(|(key, value)| Action::SetSysctl {
            namespace: at.clone(),
            key: key.clone(),
            value: value.clone(),
        }));
    }
    actions
}

/// As if each namespace found were what is wanted, where the kernel has no choice of its own.
fn assert_reached(desired: &Desired, actual: &Actual) {
    for (at, wanted) in &desired.namespaces {
        let found = &actual.namespaces[at];
        for (name, link) in &wanted.links {
            let expected = Link {
                mac_address: link.mac_address.or(found.links[name].link.mac_address),
                ..link.clone()
            };
            assert!(found.links[name].ours, "{name}");
            assert_eq!(found.links[name].link, expected, "{name}");
        }
        let named = wanted.links.len() + wanted.bridge_ports.len();
        assert_eq!(found.links.len(), named, "{:?}", found.links);
        assert_eq!(found.addresses, wanted.addresses);
        assert_eq!(found.routes, wanted.routes);
        assert_eq!(found.sysctls, wanted.sysctls);
        for (name, port) in &wanted.bridge_ports {
            assert_eq!(found.links[name].link.master.as_ref(), Some(&port.bridge));
        }
    }
}

fn observe(host: &Host, desired: &Desired) -> Actual {
    host.kernel.observe(&desired.scope, desired, Look::Everything).unwrap()
}

#[test]
fn what_was_applied_is_what_is_observed_by_this_agent_and_by_the_next() {
    on_a_host(|host| {
        let wanted = [router_wanted(&router(1)), network_wanted(&network(2))];
        for desired in &wanted {
            host.must(&desired.scope, build(desired));
            assert_reached(desired, &observe(&host, desired));
        }
        let next = Host::here();
        for desired in &wanted {
            assert_eq!(observe(&next, desired), observe(&host, desired));
        }
        assert_eq!(next.kernel.writes(), 0);
        assert_ne!(host.kernel.writes(), 0);
    });
}

#[test]
fn a_scope_that_is_not_there_is_an_empty_host_namespace() {
    on_a_host(|host| {
        let actual = observe(&host, &router_wanted(&router(1)));
        assert_eq!(actual.namespaces.keys().collect::<Vec<_>>(), [&Namespace::Host]);
        assert!(actual.files.is_empty() && actual.processes.is_empty());
        assert_eq!(actual.namespaces[&Namespace::Host], NamespaceState::default());
    });
}
