//! What is not ours is never changed.

use ipnet::IpNet;
use navigator_model::{ObjectKey, RouterId, Scope};
use navigator_state::{
    Action, Desired, DesiredNamespace, Link, LinkKind, Namespace, Problem, desired::BridgePort,
    plan, simulate::ModelKernel,
};
use uuid::Uuid;

const ROUTER: RouterId = RouterId(Uuid::from_u128(1));

fn link(kind: LinkKind) -> Link {
    Link { kind, mac_address: None, mtu: Some(1500), up: true, master: None }
}

fn refused(reason: &str) -> Vec<Problem> {
    vec![Problem { object: ObjectKey::Router(ROUTER), reason: reason.into() }]
}

#[test]
fn a_foreign_device_of_our_name_is_left_alone() {
    let mut desired = Desired::nothing(Scope::Router(ROUTER));
    let mut host = DesiredNamespace::default();
    host.links.insert("brq1".into(), link(LinkKind::Bridge));
    host.addresses.insert("brq1".into(), ["10.0.0.1/24".parse::<IpNet>().unwrap()].into());
    let port = BridgePort { bridge: "brq1".into(), mtu: None, up: true };
    host.bridge_ports.insert("tap1".into(), port);
    desired.namespaces.insert(Namespace::Host, host);
    let mut kernel = ModelKernel::new(desired.scope.clone());
    kernel.add_foreign_link("brq1");
    kernel.add_foreign_link("tap1");

    let plan = plan(&desired, &kernel.observe(&desired));

    assert_eq!(plan.steps, []);
    assert_eq!(plan.refused, refused("a device brq1 exists that Navigator did not make"));
}

#[test]
fn a_foreign_device_of_our_peers_name_is_left_alone_and_the_rest_goes_on() {
    let mut desired = Desired::nothing(Scope::Router(ROUTER));
    let mut router = DesiredNamespace::default();
    router.links.insert("qr-1".into(), link(LinkKind::Veth { peer: "tap1".into() }));
    router.links.insert("qr-2".into(), link(LinkKind::Veth { peer: "tap2".into() }));
    let namespace = Namespace::Named("qrouter-1".into());
    desired.namespaces.insert(namespace.clone(), router);
    let mut kernel = ModelKernel::new(desired.scope.clone());
    kernel.add_foreign_link("tap1");

    let plan = plan(&desired, &kernel.observe(&desired));

    assert_eq!(plan.refused, refused("a device tap1 exists that Navigator did not make"));
    let actions: Vec<_> = plan.steps.iter().map(|step| &step.action).collect();
    let name = "qr-2".to_owned();
    let link = link(LinkKind::Veth { peer: "tap2".into() });
    let create = Action::CreateLink { namespace: namespace.clone(), name, link };
    assert_eq!(actions, [&Action::CreateNamespace(namespace), &create]);
    assert!(kernel.apply(&plan).iter().all(Result::is_ok));
    assert!(!kernel.state.namespaces[&Namespace::Host].links["tap1"].ours);
}

#[test]
fn a_foreign_device_joins_our_bridge_when_it_appears() {
    let mut desired = Desired::nothing(Scope::Router(ROUTER));
    let mut host = DesiredNamespace::default();
    host.links.insert("brq1".into(), link(LinkKind::Bridge));
    let port = BridgePort { bridge: "brq1".into(), mtu: Some(1450), up: true };
    host.bridge_ports.insert("tap1".into(), port);
    desired.namespaces.insert(Namespace::Host, host);
    let mut kernel = ModelKernel::new(desired.scope.clone());
    let first = plan(&desired, &kernel.observe(&desired));
    kernel.apply(&first);
    assert!(plan(&desired, &kernel.observe(&desired)).is_empty());

    kernel.add_foreign_link("tap1");
    let second = plan(&desired, &kernel.observe(&desired));
    kernel.apply(&second);

    let tap = &kernel.state.namespaces[&Namespace::Host].links["tap1"].link;
    assert_eq!((tap.master.as_deref(), tap.mtu, tap.up), (Some("brq1"), Some(1450), true));
    assert!(plan(&desired, &kernel.observe(&desired)).is_empty());
}
