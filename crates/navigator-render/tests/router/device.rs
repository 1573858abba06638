//! Devices, addresses, routes, and what cannot be rendered.

use ipnet::IpNet;
use navigator_model::{
    Object, ObjectKey, Outcome, Protocol,
    snapshot::{Router, StaticRoute},
};
use navigator_render::{Failure, outcomes};
use navigator_state::{LinkKind, Problem, Route, plan, simulate::ModelKernel};

use crate::sample::*;

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn route(destination: &str, via: &str, link: &str) -> Route {
    let (destination, via) = (net(destination), Some(via.parse().unwrap()));
    Route { destination, via, link: Some(link.into()), onlink: false }
}

fn problem(object: ObjectKey, reason: &str) -> Problem {
    Problem { object, reason: reason.into() }
}

#[test]
fn a_router_has_a_device_per_port_and_floating_ips_on_its_gateway() {
    let mut snapshot = with_forwards([]);
    add_floating_ip(&mut snapshot, Some(WEB));
    let namespace = namespace(&snapshot);
    let devices: Vec<_> = namespace.links.keys().map(String::as_str).collect();
    assert_eq!(devices, [QG, QR_A, QR_B]);
    assert_eq!(namespace.links[QG].kind, LinkKind::Veth { peer: "tapcccccccc-00".into() });
    let on_gateway = [net("198.51.100.7/24"), net("198.51.100.20/32")];
    assert_eq!(namespace.addresses[QG], on_gateway.into());
    assert_eq!(namespace.routes, [route("0.0.0.0/0", "198.51.100.1", QG)].into());
}

#[test]
fn a_gateway_that_no_address_covers_is_on_the_link() {
    let mut router = router();
    let gateway = router.gateway.as_mut().unwrap();
    gateway.next_hops = vec!["192.0.2.1".parse().unwrap(), "fe80::1".parse().unwrap()];
    let routes = namespace(&snapshot(router)).routes;
    let expected = [
        Route { onlink: true, ..route("0.0.0.0/0", "192.0.2.1", QG) },
        route("::/0", "fe80::1", QG),
    ];
    assert_eq!(routes, expected.into());
}

#[test]
fn a_static_route_leaves_by_the_subnet_of_its_next_hop() {
    let mut router = router();
    let static_route = |destination: &str, nexthop: &str| StaticRoute {
        destination: net(destination),
        nexthop: nexthop.parse().unwrap(),
    };
    router.routes = vec![
        static_route("172.16.0.0/16", "10.0.1.9"),
        static_route("172.17.0.0/16", "192.0.2.9"),
        static_route("172.18.0.0/16", "10.0.0.9"),
    ];
    router.interfaces[0].admin_state_up = false;
    let snapshot = snapshot(router);
    let expected =
        [route("0.0.0.0/0", "198.51.100.1", QG), route("172.16.0.0/16", "10.0.1.9", QR_B)];
    assert_eq!(namespace(&snapshot).routes, expected.into());
    let reason = "route 172.17.0.0/16: next hop 192.0.2.9 is on no subnet of the router";
    assert_eq!(rendered(&snapshot).problems, [problem(ObjectKey::Router(ROUTER), reason)]);
}

#[test]
fn a_router_that_is_down_is_an_empty_namespace_and_comes_back_whole() {
    let up = with_forwards([forward("8080", "80")]);
    let mut down = up.clone();
    let disabled = Router { admin_state_up: false, ..router() };
    down.objects.insert(ObjectKey::Router(ROUTER), Object::Router(disabled));
    let wanted = namespace(&down);
    assert!(wanted.links.is_empty() && wanted.nft.is_none() && !wanted.sysctls.is_empty());

    let mut kernel = ModelKernel::new(up.scope.clone());
    for snapshot in [&up, &down, &up] {
        let desired = rendered(snapshot);
        let plan = plan(&desired, &kernel.observe(&desired));
        let results = kernel.apply(&plan);
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        assert!(navigator_state::plan(&desired, &kernel.observe(&desired)).is_empty());
    }
    let desired = rendered(&down);
    let states = outcomes(&down, &desired, &kernel.observe(&desired), &[]);
    assert!(states.iter().all(|(_, outcome)| *outcome == Outcome::Down));
    assert_eq!(states.len(), 2);
}

#[test]
fn what_cannot_be_forwarded_is_its_own_problem_only() {
    let mut dccp = forward("9000", "9001");
    dccp.protocol = Protocol::Dccp;
    let uneven = forward("7000:7002", "70:71");
    let snapshot = with_forwards([dccp, uneven, forward("8080", "80")]);
    let desired = rendered(&snapshot);
    let expected = [
        problem(forward_key(1), "the kernel cannot translate DCCP ports: use the same port inside"),
        problem(forward_key(2), "ports 7000:7002 do not lead one by one to 70:71"),
    ];
    assert_eq!(desired.problems, expected);
    let kernel = ModelKernel::new(snapshot.scope.clone());
    let states = outcomes(&snapshot, &desired, &kernel.observe(&desired), &[]);
    let of = |key| &states.iter().find(|(other, _)| *other == key).unwrap().1;
    assert!(matches!(of(forward_key(2)), Outcome::Error(_)));
    assert_eq!(*of(forward_key(3)), Outcome::Active);
    assert_eq!(*of(ObjectKey::Router(ROUTER)), Outcome::Active);
}

#[test]
fn a_failed_step_is_the_error_of_its_object_or_of_the_router() {
    let snapshot = with_forwards([forward("8080", "80"), forward("8081", "80")]);
    let desired = rendered(&snapshot);
    let kernel = ModelKernel::new(snapshot.scope.clone());
    let failure = |object, reason: &str| Failure { object, reason: reason.into() };
    let failures = [failure(Some(forward_key(1)), "full"), failure(None, "no such device")];
    let states = outcomes(&snapshot, &desired, &kernel.observe(&desired), &failures);
    let expected = [
        (ObjectKey::Router(ROUTER), Outcome::Error("no such device".into())),
        (forward_key(1), Outcome::Error("full".into())),
        (forward_key(2), Outcome::Active),
    ];
    assert_eq!(states, expected);
}

#[test]
fn an_address_that_is_refused_is_its_floating_ips_error() {
    let mut snapshot = with_forwards([]);
    add_floating_ip(&mut snapshot, Some(WEB));
    let desired = rendered(&snapshot);
    let kernel = ModelKernel::new(snapshot.scope.clone());
    let plan = plan(&desired, &kernel.observe(&desired));
    let objects = plan.steps.iter().filter_map(|step| match &step.action {
        navigator_state::Action::AddAddress { address, .. } => Some((*address, step.object)),
        _ => None,
    });
    let floating_ip = snapshot.objects.keys().find(|key| matches!(key, ObjectKey::FloatingIp(_)));
    let owned: Vec<_> = objects.filter(|(_, object)| object.is_some()).collect();
    assert_eq!(owned, [(net("198.51.100.20/32"), floating_ip.copied())]);
}
