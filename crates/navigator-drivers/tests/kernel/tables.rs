//! A namespace's nftables table and connections, through a plan's steps.

use std::net::Ipv4Addr;

use navigator_drivers::Look;
use navigator_model::{L4Port, L4PortRange, ObjectKey, PortId, Protocol, Scope};
use navigator_state::{
    Action, Desired, DesiredNamespace, FlowMatch, NamespaceState, Plan, Step,
    nft::{self, Element, ElementChange, Tuple},
};

use crate::host::{Host, namespace, nothing, on_a_host, refusal, router, small_router};

const SKELETON: &str = r#"table ip navigator {
	map forwards {
		type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service
	}

	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		dnat ip to meta l4proto . ip daddr . th dport map @forwards
	}
}
"#;

fn key(port: u16) -> Tuple {
    Tuple::new().protocol(Protocol::Tcp).ipv4(Ipv4Addr::new(203, 0, 113, 2)).port(port)
}

fn target() -> Element {
    let data = Tuple::new().ipv4(Ipv4Addr::new(10, 0, 0, 5)).port(80);
    Element { key_end: None, data: Some(data) }
}

fn add(set: &str, port: u16) -> ElementChange {
    let object = Some(ObjectKey::Port(PortId(uuid::Uuid::from_u128(port.into()))));
    ElementChange { set: set.to_owned(), key: key(port), remove: None, add: Some(target()), object }
}

fn change(scope: &Scope, changes: Vec<ElementChange>) -> Action {
    Action::ChangeElements { namespace: namespace(scope), changes }
}

fn load(scope: &Scope) -> Vec<Action> {
    let mut actions = small_router(scope);
    actions.push(Action::ReplaceSkeleton {
        namespace: namespace(scope),
        text: SKELETON.to_owned(),
        recreate: false,
        elements: vec![add("forwards", 1)],
    });
    actions
}

fn look(host: &Host, scope: &Scope, look: Look) -> NamespaceState {
    let actual = host.kernel.observe(scope, &nothing(scope), look).unwrap();
    actual.namespaces.into_iter().find(|(n, _)| *n == namespace(scope)).unwrap().1
}

fn table(host: &Host, scope: &Scope) -> nft::Actual {
    look(host, scope, Look::Everything).nft.unwrap()
}

#[test]
fn a_table_is_loaded_changed_and_deleted() {
    on_a_host(|host| {
        let scope = router(1);
        host.must(&scope, load(&scope));
        host.must(&scope, vec![change(&scope, vec![add("forwards", 2)])]);
        let found = table(&host, &scope);
        assert_eq!(found.skeleton, SKELETON);
        assert_eq!(found.sets["forwards"], [(key(1), target()), (key(2), target())].into());
        host.must(&scope, vec![Action::DeleteTable { namespace: namespace(&scope) }]);
        assert_eq!(table(&host, &scope).skeleton, "");
    });
}

#[test]
fn each_refused_element_is_reported_with_its_object_and_the_others_are_added() {
    on_a_host(|host| {
        let scope = router(1);
        host.must(&scope, load(&scope));
        let changes = vec![add("forwards", 2), add("no_such_map", 3), add("forwards", 4)];
        let step = Step { object: None, action: change(&scope, changes.clone()) };
        let outcomes = host.kernel.apply(&Plan::new(scope.clone(), vec![step]));
        let told: Vec<_> = outcomes.iter().map(|o| (o.object, o.result.is_ok())).collect();
        let expected = [true, false, true];
        let expected: Vec<_> = changes.iter().map(|c| c.object).zip(expected).collect();
        assert_eq!(told, expected);
        assert_eq!(table(&host, &scope).sets["forwards"].len(), 3);
    });
}

#[test]
fn a_table_of_a_known_generation_is_not_read_again() {
    on_a_host(|host| {
        let scope = router(1);
        host.must(&scope, load(&scope));
        let generation = table(&host, &scope).generation;
        assert_eq!(host.kernel.generation(&scope).unwrap(), Some(generation));
        let known = Look::ElementsUnlessGeneration(generation);
        assert_eq!(look(&host, &scope, known).nft, None);
        host.must(&scope, vec![change(&scope, vec![add("forwards", 2)])]);
        assert_eq!(look(&host, &scope, known).nft.unwrap().sets["forwards"].len(), 2);
        assert_eq!(host.kernel.generation(&router(2)).unwrap(), None);
    });
}

#[test]
fn a_table_in_a_namespace_that_is_not_there_fails_alone() {
    on_a_host(|host| {
        let scope = router(1);
        let outcomes = host.apply(&scope, load(&scope)[2..].to_vec());
        assert!(refusal(&outcomes, 0).contains("does not exist"));
    });
}

#[test]
fn flushing_connections_that_are_not_there_is_no_error() {
    on_a_host(|host| {
        let scope = router(1);
        host.must(&scope, load(&scope));
        let port = L4Port::new(80).unwrap();
        let flows = vec![FlowMatch::Destination {
            address: Ipv4Addr::new(203, 0, 113, 2),
            protocol: Protocol::Tcp,
            ports: L4PortRange::new(port, port).unwrap(),
            translated_to: None,
        }];
        host.must(&scope, vec![Action::FlushFlows { namespace: namespace(&scope), flows }]);
    });
}

#[test]
fn the_plan_of_an_empty_node_reaches_the_desired_state_and_the_next_plan_is_empty() {
    on_a_host(|host| {
        let scope = router(1);
        let forwards = [(key(7), (target(), ObjectKey::Port(PortId(uuid::Uuid::nil()))))].into();
        let inside = DesiredNamespace {
            links: [("qr-a".to_owned(), crate::host::veth("tap-a"))].into(),
            addresses: [("qr-a".to_owned(), ["10.0.0.1/24".parse().unwrap()].into())].into(),
            sysctls: [("net/ipv4/ip_forward".to_owned(), "1".to_owned())].into(),
            nft: Some(nft::Desired {
                skeleton: SKELETON.to_owned(),
                sets: [("forwards".to_owned(), forwards)].into(),
            }),
            ..DesiredNamespace::default()
        };
        let desired =
            Desired { namespaces: [(namespace(&scope), inside)].into(), ..nothing(&scope) };
        let plan = |host: &Host| {
            let actual = host.kernel.observe(&scope, &desired, Look::Everything).unwrap();
            navigator_state::plan(&desired, &actual)
        };
        for outcome in host.kernel.apply(&plan(&host)) {
            outcome.result.unwrap();
        }
        let next = Host::here();
        assert_eq!(plan(&next), Plan::new(scope.clone(), Vec::new()));
        assert_eq!(next.kernel.writes(), 0);
        // And away again.
        let actual = next.observe(&scope);
        for outcome in next.kernel.apply(&navigator_state::plan(&nothing(&scope), &actual)) {
            outcome.result.unwrap();
        }
        assert!(next.kernel.scopes_present().unwrap().is_empty());
    });
}

#[test]
fn a_kernel_is_shared_by_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<navigator_drivers::Kernel>();
}
