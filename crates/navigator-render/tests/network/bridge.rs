//! What is wired, and what becomes of each port.

use navigator_model::{MacAddress, ObjectKey, Outcome, snapshot::Segment};
use navigator_render::{HostConfig, Serve, outcomes, render};
use navigator_state::{
    DesiredNamespace, FdbEntry, LinkKind, Namespace, plan, simulate::ModelKernel,
};

use crate::sample::*;

fn wired(segment: Segment) -> DesiredNamespace {
    let network = navigator_model::snapshot::Network { segment, ..network() };
    rendered(&snapshot(network, ports())).namespaces.remove(&Namespace::Host).unwrap()
}

fn reasons(segment: Segment) -> Vec<String> {
    let network = navigator_model::snapshot::Network { segment, ..network() };
    let problems = rendered(&snapshot(network, ports())).problems;
    problems.into_iter().map(|problem| problem.reason).collect()
}

#[test]
fn ports_of_this_host_hang_on_the_bridge_and_no_others() {
    let wired = wired(Segment::Local);
    assert_eq!(wired.links.keys().collect::<Vec<_>>(), [BRIDGE]);
    let ports: Vec<_> = wired.bridge_ports.keys().map(String::as_str).collect();
    assert_eq!(ports, ["tapd0d0d0d0-00", "tape0e0e0e0-00"]);
    assert!(
        wired.bridge_ports.values().all(|port| port.bridge == BRIDGE && port.mtu == Some(1450))
    );
}

/// While an instance is on its way, its device is here before it is; its packets still go to where
/// it runs.
#[test]
fn a_port_that_may_come_here_is_wired_and_still_reached_elsewhere() {
    let mut ports = ports();
    ports[2].prepared_on = vec![host().host];
    let snapshot = snapshot(network(), ports);
    let wired = rendered(&snapshot).namespaces.remove(&Namespace::Host).unwrap();
    let taps: Vec<_> = wired.bridge_ports.keys().map(String::as_str).collect();
    assert_eq!(taps, ["tapd0d0d0d0-00", "tape0e0e0e0-00", "tapf0f0f0f0-00"]);
    let known = MacAddress([0xfa, 0x16, 0x3e, 0, 0, 0xf0]);
    assert!(wired.fdb.iter().any(|entry| entry.mac_address == known));
}

#[test]
fn a_flat_network_takes_the_mapped_device() {
    let physical_network = "external".to_owned();
    let wired = wired(Segment::Flat { physical_network });
    assert_eq!(wired.bridge_ports["eth1"].bridge, BRIDGE);
    let physical_network = "other".to_owned();
    let reason = "physical network other has no bridge mapping on this host";
    assert_eq!(reasons(Segment::Flat { physical_network }), [reason]);
}

#[test]
fn a_tunnel_floods_to_hosts_with_ports_and_knows_each_port() {
    let wired = wired(Segment::Vxlan { segmentation_id: 77 });
    let link = &wired.links["vxlan-77"];
    let local = host().tunnel_ip;
    assert_eq!(link.kind, LinkKind::Vxlan { vni: 77, local });
    assert_eq!(link.master.as_deref(), Some(BRIDGE));
    let entry = |mac_address| FdbEntry {
        link: "vxlan-77".into(),
        mac_address,
        remote: "192.168.0.2".parse().unwrap(),
    };
    let known = MacAddress([0xfa, 0x16, 0x3e, 0, 0, 0xf0]);
    assert_eq!(wired.fdb, [entry(MacAddress([0; 6])), entry(known)].into());
}

#[test]
fn a_host_that_is_alone_needs_no_tunnel_address() {
    let homeless = HostConfig { tunnel_ip: None, ..host() };
    let reasons = |ports| {
        let problems = render(&snapshot(network(), ports), &homeless, Serve::WireAndDhcp).problems;
        problems.into_iter().map(|problem| problem.reason).collect::<Vec<_>>()
    };
    let (mut here, elsewhere) =
        (ports(), port(0xf0f0f0f0, "compute:nova", "compute-2", "10.0.0.6"));
    here.pop();
    assert_eq!(reasons(here), [""; 0]);
    assert_eq!(reasons(vec![elsewhere]), ["this host has no tunnel address"]);
}

#[test]
fn what_the_mechanism_cannot_do_is_said() {
    let vlan = Segment::Vlan { physical_network: "external".into(), segmentation_id: 7 };
    let reason = "networks of type vlan are not supported by mechanism linux here";
    assert_eq!(reasons(vlan), [reason]);
    assert_eq!(reasons(Segment::Gre { segmentation_id: 7 }).len(), 1);
}

#[test]
fn a_host_that_does_not_serve_the_network_wants_nothing_of_it() {
    let desired = render(&sample(), &host(), Serve::Nothing);
    assert!(desired.namespaces.is_empty() && desired.files.is_empty());
    let wired = render(&sample(), &host(), Serve::Wire);
    assert_eq!(wired.namespaces.len(), 1);
    assert!(wired.processes.is_empty());
}

#[test]
fn a_port_is_active_when_its_device_is_there() {
    let snapshot = sample();
    let desired = rendered(&snapshot);
    let mut kernel = ModelKernel::new(snapshot.scope.clone());
    let first = plan(&desired, &kernel.observe(&desired));
    assert!(kernel.apply(&first).iter().all(Result::is_ok));
    let dhcp = ObjectKey::Port(port_id(0xd0d0d0d0));
    let instance = ObjectKey::Port(port_id(0xe0e0e0e0));
    let network = ObjectKey::Network(NETWORK);
    let states =
        |kernel: &ModelKernel| outcomes(&snapshot, &desired, &kernel.observe(&desired), &[]);
    let expected = |instance_is| {
        vec![(network, Outcome::Active), (dhcp, Outcome::Active), (instance, instance_is)]
    };
    assert_eq!(states(&kernel), expected(Outcome::Down));

    kernel.add_foreign_link("tape0e0e0e0-00");
    assert_eq!(states(&kernel), expected(Outcome::Active));
    let second = plan(&desired, &kernel.observe(&desired));
    assert!(kernel.apply(&second).iter().all(Result::is_ok));
    let taps = &kernel.state.namespaces[&Namespace::Host].links;
    for tap in ["tape0e0e0e0-00", "tapd0d0d0d0-00"] {
        assert_eq!(taps[tap].link.master.as_deref(), Some(BRIDGE));
    }
    assert!(plan(&desired, &kernel.observe(&desired)).is_empty());
}

#[test]
fn a_network_that_is_down_carries_nothing() {
    let mut network = network();
    network.admin_state_up = false;
    let snapshot = snapshot(network, ports());
    let desired = rendered(&snapshot);
    assert!(!desired.namespaces[&Namespace::Host].links[BRIDGE].up);
    assert!(desired.processes.is_empty());
    let mut kernel = ModelKernel::new(snapshot.scope.clone());
    kernel.add_foreign_link("tape0e0e0e0-00");
    let states = outcomes(&snapshot, &desired, &kernel.observe(&desired), &[]);
    assert!(states.iter().all(|(_, outcome)| *outcome == Outcome::Down));
}
