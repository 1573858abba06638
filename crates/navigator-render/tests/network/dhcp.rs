//! The DHCP namespace and dnsmasq's files.

use navigator_model::{
    ObjectKey,
    snapshot::{DhcpOption, FixedIp},
};
use navigator_state::{Action, Namespace, plan, simulate::ModelKernel};

use crate::sample::*;

#[test]
fn every_port_has_a_host_line_and_a_name() {
    let desired = rendered(&sample());
    let tag = format!("set:subnet-{SUBNET}");
    let hosts = format!(
        "fa:16:3e:00:00:d0,host-10-0-0-2.openstacklocal,10.0.0.2,{tag}\n\
         fa:16:3e:00:00:e0,host-10-0-0-5.openstacklocal,10.0.0.5,{tag}\n\
         fa:16:3e:00:00:f0,host-10-0-0-6.openstacklocal,10.0.0.6,{tag}\n"
    );
    assert_eq!(file(&desired, "host"), hosts);
    let names = "10.0.0.2\thost-10-0-0-2.openstacklocal host-10-0-0-2\n";
    assert!(file(&desired, "addn_hosts").starts_with(names));
}

#[test]
fn options_121_and_249_agree_and_end_in_the_default_route() {
    let desired = rendered(&sample());
    let tag = format!("tag:subnet-{SUBNET}");
    let routes = "10.0.1.0/24,0.0.0.0,172.16.0.0/16,10.0.0.9,0.0.0.0/0,10.0.0.1";
    let options = format!(
        "{tag},option:dns-server,192.0.2.53\n\
         {tag},option:classless-static-route,{routes}\n\
         {tag},249,{routes}\n\
         {tag},option:router,10.0.0.1\n"
    );
    assert_eq!(file(&desired, "opts"), options);
}

#[test]
fn a_subnet_without_gateway_announces_none_and_a_plain_one_no_static_routes() {
    let mut network = network();
    network.subnets.truncate(1);
    network.subnets[0].gateway_ip = None;
    network.subnets[0].host_routes.clear();
    network.subnets[0].dns_nameservers.clear();
    let desired = rendered(&snapshot(network, ports()));
    let tag = format!("tag:subnet-{SUBNET}");
    let options = format!("{tag},option:dns-server,10.0.0.2\n{tag},option:router\n");
    assert_eq!(file(&desired, "opts"), options);
}

#[test]
fn a_ports_own_options_come_after_its_subnets() {
    let mut ports = ports();
    ports[1].extra_dhcp_opts = vec![dhcp_option("ROUTER", "10.0.0.254"), dhcp_option("67", "boot")];
    let desired = rendered(&snapshot(network(), ports));
    let id = port_id(0xe0e0e0e0);
    let own = format!("tag:port-{id},option:router,10.0.0.254\ntag:port-{id},67,boot\n");
    assert!(file(&desired, "opts").ends_with(&own));
    let host = format!("10.0.0.5,set:subnet-{SUBNET},set:port-{id}\n");
    assert!(file(&desired, "host").contains(&host));
}

#[test]
fn options_of_a_family_that_a_port_does_not_have_are_not_sent_and_no_problem() {
    let mut ports = ports();
    ports[1].extra_dhcp_opts =
        vec![DhcpOption { ip_version: 6, ..dhcp_option("59", "tftp://x/b") }];
    let desired = rendered(&snapshot(network(), ports));
    assert_eq!(file(&desired, "opts"), file(&rendered(&sample()), "opts"));
    assert_eq!(desired.problems, []);
}

#[test]
fn text_that_would_leave_its_line_is_that_ports_problem_only() {
    let poison = [
        dhcp_option("router", "10.0.0.1\ntag:x,option:router,6.6.6.6"),
        dhcp_option("mtu,1400\n", "1"),
        dhcp_option("no-such-option", "1"),
        dhcp_option("router", "10.0.0.1 # \"half"),
        dhcp_option("255", "1"),
        dhcp_option("server-ip-address", "2001:db8::5"),
    ];
    let clean = file(&rendered(&sample()), "opts");
    for option in poison {
        let mut ports = ports();
        ports[2].extra_dhcp_opts = vec![option];
        let desired = rendered(&snapshot(network(), ports));
        assert_eq!(file(&desired, "opts"), clean);
        let objects: Vec<_> = desired.problems.iter().map(|problem| problem.object).collect();
        assert_eq!(objects, [ObjectKey::Port(port_id(0xf0f0f0f0))]);
    }
}

#[test]
fn the_server_has_its_ports_addresses_in_its_own_namespace() {
    let desired = rendered(&sample());
    let name = Namespace::Named(format!("qdhcp-{NETWORK}"));
    let namespace = &desired.namespaces[&name];
    let device = "ns-d0d0d0d0-00";
    assert_eq!(namespace.links.keys().collect::<Vec<_>>(), [device]);
    assert_eq!(namespace.addresses[device], ["10.0.0.2/24".parse().unwrap()].into());
    assert_eq!(desired.processes["dnsmasq"].namespace, name);
}

#[test]
fn without_a_dhcp_port_here_there_is_no_server_here() {
    let mut ports = ports();
    ports[0].host = Some("network-2".into());
    let desired = rendered(&snapshot(network(), ports));
    assert_eq!(desired.namespaces.len(), 1);
    assert!(desired.processes.is_empty() && desired.files.is_empty());
}

#[test]
fn a_new_port_is_a_reload_and_a_new_subnet_a_restart() {
    let mut kernel = ModelKernel::new(sample().scope);
    let mut children = |desired: &navigator_state::Desired| {
        let plan = plan(desired, &kernel.observe(desired));
        assert!(kernel.apply(&plan).iter().all(Result::is_ok));
        let child = |action: &Action| match action {
            Action::StartProcess { .. } => Some("start"),
            Action::ReloadProcess { .. } => Some("reload"),
            Action::StopProcess { .. } => Some("stop"),
            _ => None,
        };
        plan.steps.iter().filter_map(|step| child(&step.action)).collect::<Vec<_>>()
    };
    assert_eq!(children(&rendered(&sample())), ["start"]);
    assert!(children(&rendered(&sample())).is_empty());

    let mut more = ports();
    more.push(port(0xc0c0c0c0, "compute:nova", "compute-2", "10.0.0.7"));
    assert_eq!(children(&rendered(&snapshot(network(), more.clone()))), ["reload"]);

    let mut wider = network();
    wider.subnets[1].enable_dhcp = true;
    let ip_address = "10.0.1.2".parse().unwrap();
    more[0].fixed_ips.push(FixedIp { subnet_id: SUBNET_2, ip_address });
    assert_eq!(children(&rendered(&snapshot(wider, more))), ["stop", "start"]);
}
