//! The agent starts again with 10,000 forwards of 500 routers, and nothing has changed.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use navigator_drivers::nft::Nft;
use navigator_testkit::{
    Api, Host, Navigator, Site,
    cloud::{self, API, Hosts},
};
use serde_json::{Value, json};

const ROUTERS: usize = 500;
const FORWARDS_EACH: u16 = 20;

/// The figure is two seconds; a debug build on a busy machine gets more.
const READY_LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_restart_with_ten_thousand_forwards_unchanged_writes_nothing() {
    let site = Site::new();
    let hosts = Hosts::make(&site);
    let mut navigator = Navigator::start(&hosts.node, "all-in-one", &hosts.config(), API);
    let made = Instant::now();
    let routers = make_routers(&mut navigator.api(), &hosts.node);
    let made = made.elapsed();
    wait_until_applied(&mut navigator.api(), &routers);
    let before = generations(&hosts.node, &routers);
    assert_eq!(before.len(), ROUTERS);
    // What is written after the last change (replicas on disk) is no write to the kernel.
    navigator.kill9();
    let already_logged = navigator.log().len();
    let restarted = Instant::now();
    navigator.launch();
    let line = cloud_line(&navigator, already_logged, "first in sync");
    let ready = restarted.elapsed();
    // Monitors and the first heartbeat's answer may wake it again.
    std::thread::sleep(Duration::from_secs(1));
    let changed = generations(&hosts.node, &routers)
        .into_iter()
        .filter(|(router, generation)| before.get(router) != Some(generation))
        .count();
    println!(
        "T2: {ROUTERS} routers with {} forwards (made in {:.1} s), restarted: {changed} rulesets \
         changed, in sync after {} ms; {line}",
        ROUTERS * usize::from(FORWARDS_EACH),
        made.as_secs_f64(),
        ready.as_millis()
    );
    assert_eq!(changed, 0);
    assert!(line.contains(" writes=0"), "{line}");
    assert!(ready < READY_LIMIT, "{ready:?}");
    assert!(!navigator.log()[already_logged..].contains("repairing drift"));
}

/// One instance's port behind all routers: each has its own address on the instance's subnet.
fn make_routers(api: &mut Api, node: &Host) -> Vec<String> {
    cloud::wait_for_agents(api);
    let external = cloud::external_network(api);
    let subnet = json!({
        "network_id": external, "ip_version": 4, "cidr": "10.99.0.0/16", "enable_dhcp": false});
    cloud::create(api, "subnets", "subnet", subnet);
    let network = cloud::create(api, "networks", "network", json!({"name": "private"}));
    let network = cloud::text(&network, "/id");
    let subnet = json!({
        "network_id": network, "ip_version": 4, "cidr": "10.0.0.0/16", "enable_dhcp": false});
    cloud::create(api, "subnets", "subnet", subnet);
    let port = json!({
        "network_id": network, "binding:host_id": node.name(), "device_owner": "compute:test"});
    let port = cloud::create(api, "ports", "port", port);
    let target = (cloud::text(&port, "/id"), cloud::address(&port, "/fixed_ips/0/ip_address"));
    (0..ROUTERS).map(|_| make_router(api, &external, &network, &target)).collect()
}

fn make_router(
    api: &mut Api,
    external: &str,
    network: &str,
    (port, address): &(String, Ipv4Addr),
) -> String {
    let router = json!({"external_gateway_info": {"network_id": external}});
    let router = cloud::text(&cloud::create(api, "routers", "router", router), "/id");
    let interface = cloud::create(api, "ports", "port", json!({"network_id": network}));
    let interface = json!({"port_id": cloud::text(&interface, "/id")});
    let path = format!("routers/{router}/add_router_interface");
    cloud::call(api, 200, "PUT", &path, Some(&interface));
    let forward = |n: u16| {
        json!({
            "external_port": 1_000 + n, "internal_port": 1_000 + n, "protocol": "tcp",
            "internal_port_id": port, "internal_ip_address": address})
    };
    let forwards: Vec<Value> = (0..FORWARDS_EACH).map(forward).collect();
    let path = format!("routers/{router}/gateway_port_forwardings");
    cloud::call(api, 201, "POST", &path, Some(&json!({"gateway_port_forwardings": forwards})));
    router
}

fn wait_until_applied(api: &mut Api, routers: &[String]) {
    for router in routers {
        let path = format!("routers/{router}/gateway_port_forwardings?status=ACTIVE&fields=id");
        cloud::eventually("all forwards ACTIVE", || {
            let answer = cloud::call(api, 200, "GET", &path, None);
            let active = answer["gateway_port_forwardings"].as_array().map_or(0, Vec::len);
            let all = active == usize::from(FORWARDS_EACH);
            if all { Ok(()) } else { Err(format!("{active} of {FORWARDS_EACH} of {router}")) }
        });
    }
    // It is the networks that put the routers' devices into their bridges.
    for owner in ["network:router_interface", "network:router_gateway"] {
        let path = format!("ports?device_owner={owner}&status=ACTIVE&fields=id");
        cloud::eventually("all ports ACTIVE", || {
            let answer = cloud::call(api, 200, "GET", &path, None);
            let active = answer["ports"].as_array().map_or(0, Vec::len);
            let all = active == routers.len();
            if all { Ok(()) } else { Err(format!("{active} of {} of {owner}", routers.len())) }
        });
    }
}

/// The kernel counts every transaction in a namespace, whoever made it.
fn generations(node: &Host, routers: &[String]) -> BTreeMap<String, u32> {
    let generation = |router: &String| {
        let name = format!("qrouter-{router}");
        let read = || Nft::open().unwrap().generation().unwrap();
        (router.clone(), cloud::in_namespace(node, &name, read))
    };
    routers.iter().map(generation).collect()
}

/// The first line after `from` that says `what`.
fn cloud_line(navigator: &Navigator<'_>, from: usize, what: &str) -> String {
    let mut line = String::new();
    cloud::eventually(what, || {
        let log = navigator.log();
        let found = log[from..].lines().find(|line| line.contains(what));
        line = found.ok_or_else(|| log[from..].to_owned())?.to_owned();
        Ok(())
    });
    line
}
