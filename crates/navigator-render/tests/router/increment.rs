//! What the kept rendering says of a change is what rendering and planning anew would say.

use navigator_model::{Object, ObjectKey, Snapshot, snapshot::Forward};
use navigator_render::RouterRendering;
use navigator_state::{Action, FlowMatch, Plan, plan, simulate::ModelKernel};
use proptest::{collection::vec, prelude::*};

use crate::sample::*;

fn arbitrary_forward() -> impl Strategy<Value = Forward> {
    let cidrs = proptest::sample::subsequence(
        vec!["192.0.2.0/25", "192.0.2.128/25", "203.0.113.0/24"],
        0..=3,
    );
    // Few ports, so that forwards also contend for them, which the server would not allow.
    (1..9u16, 0..3u16, 1..4u8, any::<bool>(), any::<bool>(), cidrs).prop_map(
        |(first, length, host, foreign, udp, cidrs)| {
            let mut forward = forward(&format!("{first}:{}", first + length), "80");
            forward.internal_address = [10, 0, 0, host].into();
            forward.foreign_gateway = foreign;
            if udp {
                forward.protocol = navigator_model::Protocol::Udp;
            }
            allowing(&cidrs, forward)
        },
    )
}

type Change = Vec<(u128, Option<Forward>)>;

fn arbitrary_changes() -> impl Strategy<Value = Vec<Change>> {
    let one = (1..6u128, proptest::option::weighted(0.7, arbitrary_forward()));
    vec(vec(one, 1..4), 1..8)
}

/// Allowed sources of contending forwards would be overlapping intervals, which nobody can apply:
/// forwards with sources keep to themselves.
fn with_own_port(n: u128, mut forward: Forward) -> Forward {
    if !forward.allowed_cidrs.is_empty() {
        let length = forward.external_ports.count() - 1;
        let first = 100 * n;
        forward.external_ports = format!("{first}:{}", first + u128::from(length)).parse().unwrap();
    }
    forward
}

fn apply(snapshot: &mut Snapshot, change: Change) -> Vec<ObjectKey> {
    let object = |(n, forward): (u128, Option<Forward>)| {
        (forward_key(n), forward.map(|forward| Object::Forward(with_own_port(n, forward))))
    };
    let objects: Vec<_> = change.into_iter().map(object).collect();
    let changed = objects.iter().map(|(key, _)| *key).collect();
    snapshot.apply(snapshot.revision, objects);
    changed
}

proptest! {
    #[test]
    fn an_increment_equals_recomputation(changes in arbitrary_changes()) {
        let mut snapshot = with_forwards([]);
        let mut rendering = RouterRendering::new(&snapshot).unwrap();
        let mut kernel = ModelKernel::new(snapshot.scope.clone());
        let first = plan(&rendered(&snapshot), &kernel.observe(&rendered(&snapshot)));
        kernel.apply(&first);
        for change in changes {
            let changed = apply(&mut snapshot, change);
            let desired = rendered(&snapshot);
            let recomputed = plan(&desired, &kernel.observe(&desired));
            let increment = rendering.change(&snapshot, &changed).unwrap();
            prop_assert_eq!(&increment.steps, &recomputed.steps);
            prop_assert_eq!(sorted(increment.problems), sorted(desired.problems));
            let results = kernel.apply(&Plan::new(increment.scope, increment.steps));
            prop_assert!(results.iter().all(Result::is_ok), "{:?}", results);
        }
    }
}

fn sorted(mut problems: Vec<navigator_state::Problem>) -> Vec<(ObjectKey, String)> {
    problems.sort_by_key(|problem| problem.object);
    problems.into_iter().map(|problem| (problem.object, problem.reason)).collect()
}

#[test]
fn one_forward_among_many_is_one_element_and_its_connections() {
    let forwards = (1000..11_000).map(|port| forward(&port.to_string(), "80"));
    let mut snapshot = with_forwards(forwards);
    let mut rendering = RouterRendering::new(&snapshot).unwrap();
    let changed = apply(&mut snapshot, vec![(3, Some(forward("1002", "81")))]);
    let increment = rendering.change(&snapshot, &changed).unwrap();
    let [change, flush] = &increment.steps[..] else { panic!("{:?}", increment.steps) };
    assert!(matches!(&change.action, Action::ChangeElements { changes, .. } if changes.len() == 1));
    let protocol = navigator_model::Protocol::Tcp;
    let ports = "1002".parse().unwrap();
    let translated_to = Some((WEB, "81".parse().unwrap()));
    let expected =
        vec![FlowMatch::Destination { address: GATEWAY, protocol, ports, translated_to }];
    assert!(matches!(&flush.action, Action::FlushFlows { flows, .. } if *flows == expected));
}

#[test]
fn a_change_of_the_router_or_of_a_floating_ip_asks_for_everything() {
    let snapshot = with_forwards([]);
    let mut rendering = RouterRendering::new(&snapshot).unwrap();
    assert_eq!(rendering.change(&snapshot, &[ObjectKey::Router(ROUTER)]), None);
}
