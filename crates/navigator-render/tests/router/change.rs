//! What a change does to connections: those of what changed end, after the rule; all others live.

use std::net::Ipv4Addr;

use navigator_model::{Object, ObjectKey, Protocol, Snapshot, snapshot::Router};
use navigator_state::{Action, FlowMatch, plan, simulate::ModelKernel};

use crate::sample::*;

/// Converges on the first, then gives the actions that lead to the second.
fn actions(before: &Snapshot, after: &Snapshot) -> Vec<Action> {
    let mut kernel = ModelKernel::new(before.scope.clone());
    let mut lead_to = |snapshot: &Snapshot| {
        let desired = rendered(snapshot);
        let plan = plan(&desired, &kernel.observe(&desired));
        assert!(kernel.apply(&plan).iter().all(Result::is_ok));
        plan.steps.into_iter().map(|step| step.action).collect::<Vec<_>>()
    };
    lead_to(before);
    lead_to(after)
}

fn flows(actions: &[Action]) -> Vec<FlowMatch> {
    let flows = actions.iter().filter_map(|action| match action {
        Action::FlushFlows { flows, .. } => Some(flows.clone()),
        _ => None,
    });
    flows.flatten().collect()
}

/// Every flow to these ports.
fn to_gateway(ports: &str) -> FlowMatch {
    let (protocol, ports) = (Protocol::Tcp, ports.parse().unwrap());
    FlowMatch::Destination { address: GATEWAY, protocol, ports, translated_to: None }
}

/// Every flow to these ports that does not lead to the web server's already.
fn to_gateway_but_not_on_to(inside: &str, outside: &str) -> FlowMatch {
    let (protocol, ports) = (Protocol::Tcp, outside.parse().unwrap());
    let translated_to = Some((WEB, inside.parse().unwrap()));
    FlowMatch::Destination { address: GATEWAY, protocol, ports, translated_to }
}

fn with_router(mut snapshot: Snapshot, router: Router) -> Snapshot {
    snapshot.objects.insert(ObjectKey::Router(ROUTER), Object::Router(router));
    snapshot
}

#[test]
fn a_new_a_changed_and_a_removed_forward_end_their_own_connections_only() {
    let stays = forward("80", "80");
    let before = with_forwards([stays.clone(), forward("1000:1009", "80"), forward("90", "90")]);
    let after = with_forwards([stays.clone(), forward("1000:1009", "81"), forward("91", "91")]);
    let expected = [
        to_gateway("90"),
        to_gateway_but_not_on_to("91", "91"),
        to_gateway_but_not_on_to("81", "1000:1009"),
    ];
    assert_eq!(flows(&actions(&before, &after)), expected);
    let removed = with_forwards([stays]);
    assert_eq!(flows(&actions(&after, &removed)), [to_gateway("91"), to_gateway("1000:1009")]);
}

#[test]
fn other_allowed_sources_end_the_forwards_connections() {
    let restricted = allowing(&["192.0.2.0/24"], forward("1000:1009", "80"));
    let wider = allowing(&["192.0.2.0/23"], forward("1000:1009", "80"));
    let before = with_forwards([forward("80", "80"), restricted]);
    let after = with_forwards([forward("80", "80"), wider]);
    assert_eq!(flows(&actions(&before, &after)), [to_gateway("1000:1009")]);
}

#[test]
fn a_change_of_forwards_is_one_transaction_and_then_the_flush() {
    let many = (1..50).map(|port| forward(&port.to_string(), "80"));
    let actions = actions(&with_forwards([]), &with_forwards(many));
    let [Action::ChangeElements { changes, .. }, Action::FlushFlows { flows, .. }] = &actions[..]
    else {
        panic!("{actions:?}")
    };
    assert_eq!((changes.len(), flows.len()), (49, 1));
}

#[test]
fn a_floating_ip_is_announced_when_it_comes_and_its_connections_end_when_it_moves() {
    let before = with_forwards([forward("80", "80")]);
    let mut associated = before.clone();
    add_floating_ip(&mut associated, Some(WEB));
    let mut moved = before.clone();
    add_floating_ip(&mut moved, Some(OTHER));
    let announced = |actions: &[Action]| {
        actions.iter().any(
            |action| matches!(action, Action::Announce { address, .. } if *address == FLOATING),
        )
    };
    let sparing = |translated_to| FlowMatch::Address { address: FLOATING, translated_to };
    let comes = actions(&before, &associated);
    assert!(announced(&comes) && flows(&comes).contains(&sparing(Some(WEB))));
    let moves = actions(&associated, &moved);
    assert!(!announced(&moves));
    assert_eq!(flows(&moves), [sparing(Some(OTHER))]);
    assert!(flows(&actions(&moved, &before)).contains(&sparing(None)));
}

#[test]
fn a_new_gateway_address_takes_its_forwards_along_and_frees_the_old_one() {
    let before = with_forwards([forward("80", "80")]);
    let mut router = router();
    let gateway = router.gateway.as_mut().unwrap();
    gateway.port.addresses = vec!["198.51.100.8/24".parse().unwrap()];
    let actions = actions(&before, &with_router(before.clone(), router));
    let place = |wanted: fn(&Action) -> bool| actions.iter().position(wanted).unwrap();
    let added = place(|action| matches!(action, Action::AddAddress { .. }));
    let deleted = place(|action| matches!(action, Action::DeleteAddress { .. }));
    assert!(added < deleted);
    assert!(!actions.iter().any(|action| matches!(action, Action::DeleteRoute { .. })));
    let ended = flows(&actions);
    assert!(ended.contains(&FlowMatch::Address { address: GATEWAY, translated_to: None }));
    let address = Ipv4Addr::new(198, 51, 100, 8);
    let (protocol, ports) = (Protocol::Tcp, "80".parse().unwrap());
    let translated_to = Some((WEB, ports));
    let new = FlowMatch::Destination { address, protocol, ports, translated_to };
    assert!(ended.contains(&new));
}

#[test]
fn switching_snat_off_changes_rules_and_no_element() {
    let before = with_forwards([forward("80", "80")]);
    let mut router = router();
    router.gateway.as_mut().unwrap().enable_snat = false;
    let actions = actions(&before, &with_router(before.clone(), router));
    let [Action::ReplaceSkeleton { recreate: false, elements, .. }] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert!(elements.is_empty());
}
