//! Objects that the kernel refuses: each says so with the reason, everything else converges as if
//! they were not there, and they heal by themselves once the cause is gone.

// A test fails by panicking, its helpers too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use navigator_testkit::{
    Api, EchoServer, Host, Navigator, Site, Traffic, TrafficPlan, apart,
    cloud::{Hosts, Tenant, call, create, eventually, text, wait_active},
};
use serde_json::{Value, json};

const PORT: u16 = 7;

/// A cloud whose agent can be stopped while the API goes on.
struct World<'a> {
    api: Api,
    hosts: &'a Hosts,
    tenant: Tenant,
    agent: Navigator<'a>,
}

impl World<'_> {
    fn get(&mut self, path: &str) -> Value {
        let answer = call(&mut self.api, 200, "GET", path, None);
        answer.as_object().unwrap().values().next().unwrap().clone()
    }

    /// Waits for ERROR; the reason.
    fn error_of(&mut self, path: &str) -> String {
        let mut reason = String::new();
        eventually(&format!("{path} in ERROR"), || {
            let object = self.get(path);
            if object["status"] != "ERROR" {
                return Err(object.to_string());
            }
            reason = text(&object, "/status_reason");
            Ok(())
        });
        reason
    }

    /// Waits for ACTIVE without a reason.
    fn healed(&mut self, path: &str) -> Duration {
        let took = wait_active(&mut self.api, path);
        assert_eq!(self.get(path)["status_reason"], Value::Null);
        took
    }

    fn router(&mut self) -> String {
        let gateway =
            json!({"external_gateway_info": {"network_id": self.tenant.external_network}});
        text(&create(&mut self.api, "routers", "router", gateway), "/id")
    }

    /// The only port with this device, or this network's only one with this owner.
    fn port(&mut self, query: &str) -> String {
        let ports = self.get(&format!("ports?{query}"));
        assert_eq!(ports.as_array().map(Vec::len), Some(1), "{ports}");
        text(&ports[0], "/id")
    }

    fn network_with_dhcp(&mut self) -> String {
        let network = text(&create(&mut self.api, "networks", "network", json!({})), "/id");
        let subnet = json!({"network_id": network, "ip_version": 4, "cidr": "10.9.0.0/24"});
        create(&mut self.api, "subnets", "subnet", subnet);
        network
    }
}

fn node(host: &Host, argv: &[&str]) -> String {
    host.run(argv).unwrap_or_else(|error| panic!("{error}"))
}

fn reaches(from: &Host, target: SocketAddr) -> Result<(), String> {
    let plan = TrafficPlan { target, tcp_connections: 1, udp_flows: 0, interval_ms: 5 };
    let ledger = Traffic::start(from, plan).map_err(|error| error.to_string())?.stop();
    if ledger.is_clean() { Ok(()) } else { Err(ledger.to_string()) }
}

/// Whether a connection is reset, as it is where no forward leads any more.
fn refuses(from: &Host, target: SocketAddr) -> bool {
    let connect = move || TcpStream::connect_timeout(&target, Duration::from_secs(1));
    let connected = from.thread(connect).expect("a thread in the host");
    connected.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

fn tap(port: &str) -> String {
    format!("tap{}", &port[..11])
}

#[test]
fn what_the_kernel_refuses_is_in_error_with_its_reason_and_nothing_else_is() {
    let site = Site::new();
    let hosts = Hosts::make(&site);
    let control = apart::control(&site, &hosts.node);
    let _server = apart::server(&control);
    let agent = apart::agent(&hosts.node, &hosts.node.dir().join("agent"));
    let mut api = apart::api(&control);
    let tenant = Tenant::make(&mut api);
    let instance = tenant.instance(&mut api, &site, &hosts.node, "echo");
    let _echo = EchoServer::start(&instance.host, (instance.ip, PORT).into()).unwrap();
    let world = &mut World { api, hosts: &hosts, tenant, agent };

    // While nobody looks, names are taken by others.
    world.agent.kill9();
    let robbed = world.router();
    let gateway_port = world.port(&format!("device_id={robbed}"));
    let squatted = world.router();
    let network = world.network_with_dhcp();
    let dhcp_port = world.port(&format!("network_id={network}"));
    let good_router = world.router();
    let good_network = world.network_with_dhcp();
    let foreign = ["f0", "f1"];
    for (foreign, port) in foreign.iter().zip([&gateway_port, &dhcp_port]) {
        let add = ["ip", "link", "add", &tap(port), "type", "veth", "peer", "name", foreign];
        node(&world.hosts.node, &add);
    }
    let namespace = format!("qrouter-{squatted}");
    node(&world.hosts.node, &["ip", "netns", "add", &namespace]);
    // The kernel takes no broadcast address for a next hop.
    let own = format!("routers/{}", world.tenant.router);
    let routes = json!([{"destination": "198.51.100.0/24", "nexthop": "10.0.255.255"}]);
    call(&mut world.api, 200, "PUT", &own, Some(&json!({"router": {"routes": routes}})));
    let body = json!({"external_port": 2000, "internal_port": PORT, "protocol": "tcp",
        "internal_port_id": instance.port});
    let forward = world.tenant.forward(&mut world.api, body);
    let forward = format!("{}/{}", world.tenant.gateway_forwards(), text(&forward, "/id"));

    let start = Instant::now();
    world.agent.launch();
    let target = (world.tenant.gateway, 2000).into();
    eventually("the forward", || reaches(&world.hosts.client, target));
    wait_active(&mut world.api, &forward);
    for good in [format!("routers/{good_router}"), format!("networks/{good_network}")] {
        wait_active(&mut world.api, &good);
    }
    eventually("the good router and network", || {
        let namespaces = node(&world.hosts.node, &["ip", "netns", "list"]);
        let wanted = [format!("qrouter-{good_router}"), format!("qdhcp-{good_network}")];
        if wanted.iter().all(|name| namespaces.contains(name)) { Ok(()) } else { Err(namespaces) }
    });
    println!("T21: all others converged {} ms after the start", start.elapsed().as_millis());

    let errors = [
        (format!("routers/{robbed}"), tap(&gateway_port)),
        (format!("routers/{squatted}"), namespace.clone()),
        (format!("ports/{dhcp_port}"), tap(&dhcp_port)),
        (own.clone(), "198.51.100.0/24".to_owned()),
    ];
    for (path, named) in &errors {
        let reason = world.error_of(path);
        println!("T21: {path}: {reason}");
        assert!(reason.contains(named), "{path}: {reason} does not name {named}");
    }
    // What was there before is left as it was.
    for foreign in foreign {
        node(&world.hosts.node, &["ip", "link", "show", foreign]);
    }

    for foreign in foreign {
        node(&world.hosts.node, &["ip", "link", "del", foreign]);
    }
    node(&world.hosts.node, &["ip", "netns", "del", &namespace]);
    call(&mut world.api, 200, "PUT", &own, Some(&json!({"router": {"routes": []}})));
    for (path, _) in &errors {
        let took = world.healed(path);
        println!("T21: {path} healed {} ms after", took.as_millis());
    }
    eventually("both routers and networks are there", || {
        let namespaces = node(&world.hosts.node, &["ip", "netns", "list"]);
        let wanted = [format!("qrouter-{robbed}"), namespace.clone(), format!("qdhcp-{network}")];
        if wanted.iter().all(|name| namespaces.contains(name)) { Ok(()) } else { Err(namespaces) }
    });
    let device = format!("qg-{}", &gateway_port[..11]);
    node(
        &world.hosts.node,
        &["ip", "netns", "exec", &format!("qrouter-{robbed}"), "ip", "link", "show", &device],
    );
    reaches(&world.hosts.client, target).unwrap();
}

/// Values at the edge of what the API may accept. Each may be refused there, may be applied, or may
/// be in error; whatever is made afterwards works.
#[test]
fn values_at_the_edge_never_keep_others_from_converging() {
    let site = Site::new();
    let hosts = Hosts::make(&site);
    let control = apart::control(&site, &hosts.node);
    let _server = apart::server(&control);
    let agent = apart::agent(&hosts.node, &hosts.node.dir().join("agent"));
    let mut api = apart::api(&control);
    let tenant = Tenant::make(&mut api);
    let instance = tenant.instance(&mut api, &site, &hosts.node, "echo");
    let _echo = EchoServer::start(&instance.host, (instance.ip, PORT).into()).unwrap();
    let world = &mut World { api, hosts: &hosts, tenant, agent };
    let forwards = world.tenant.gateway_forwards();
    let (mut refused, mut slowest) = (0, Duration::ZERO);
    // A tenant who makes the own network's MTU 68 gets what was asked for: that one stays beside.
    let side = world.network_with_dhcp();
    let port =
        json!({"network_id": side, "binding:host_id": "node", "device_owner": "compute:test"});
    let port = create(&mut world.api, "ports", "port", port);
    let mut cases = edges_of_routers(&world.tenant, &instance.port);
    cases.extend(edges_of_networks(&port));
    let count = cases.len();
    for (n, (method, path, body)) in cases.into_iter().enumerate() {
        let (status, answer) = match method {
            "POST" => world.api.post(&format!("/v2.0/{path}"), &body).unwrap(),
            _ => world.api.put(&format!("/v2.0/{path}"), &body).unwrap(),
        };
        assert!([200, 201, 400, 409].contains(&status), "{body}: {status} {answer}");
        refused += usize::from(status >= 400);
        let port = 2000 + u16::try_from(n).unwrap();
        let canary = json!({"external_port": port, "internal_port": PORT, "protocol": "tcp",
            "internal_port_id": instance.port});
        let start = Instant::now();
        let forward = world.tenant.forward(&mut world.api, canary);
        let target = (world.tenant.gateway, port).into();
        eventually(&format!("a forward after {body}"), || reaches(&world.hosts.client, target));
        slowest = slowest.max(start.elapsed());
        let canary = format!("{forwards}/{}", text(&forward, "/id"));
        wait_active(&mut world.api, &canary);
        call(&mut world.api, 204, "DELETE", &canary, None);
        eventually(&format!("its end after {body}"), || {
            if refuses(&world.hosts.client, target) { Ok(()) } else { Err("it works".to_owned()) }
        });
    }
    println!(
        "T21: {count} values at the edge, {refused} refused by the API: slowest forward after one \
         {} ms",
        slowest.as_millis()
    );
    let log = world.agent.log();
    assert!(!log.contains("panicked"), "{log}");
    restart_writes_nothing(world, &instance.port);
}

/// Whatever form the kernel gave to the values (it merges intervals), they are known again.
fn restart_writes_nothing(world: &mut World<'_>, port: &str) {
    let starts = |log: &str| log.matches("first in sync").count();
    // What is reported after the last round's deletion says that this is applied. It stays.
    let marker = json!({"external_port": 1999, "internal_port": PORT, "protocol": "tcp",
        "internal_port_id": port});
    let marker = world.tenant.forward(&mut world.api, marker);
    let marker = format!("{}/{}", world.tenant.gateway_forwards(), text(&marker, "/id"));
    wait_active(&mut world.api, &marker);
    // The other network has no such order.
    std::thread::sleep(Duration::from_secs(1));
    let before = starts(&world.agent.log());
    world.agent.kill9();
    world.agent.launch();
    eventually("in sync again", || match starts(&world.agent.log()) {
        now if now > before => Ok(()),
        now => Err(now.to_string()),
    });
    let log = world.agent.log();
    let line = log.lines().rfind(|line| line.contains("first in sync")).unwrap();
    assert!(line.ends_with("writes=0"), "{line}");
}

fn edges_of_routers(tenant: &Tenant, port: &str) -> Vec<(&'static str, String, Value)> {
    let mut cases = Vec::new();
    let allowed = [
        json!(["203.0.113.0/24", "203.0.113.0/25"]),
        json!(["203.0.113.2/32", "203.0.113.2/32"]),
        json!(["0.0.0.0/0"]),
        json!(["0.0.0.0/0", "203.0.113.0/24"]),
        json!(["203.0.113.0/25", "203.0.113.128/25"]),
        json!(["203.0.113.2/24"]),
        json!(["0.0.0.0/99"]),
        json!(["2001:db8::/32"]),
        json!(["255.255.255.255/32"]),
        json!(["::ffff:203.0.113.2/128"]),
    ];
    for (n, cidrs) in (1..).zip(allowed) {
        let body = json!({"external_port": 100 + n, "internal_port": 100 + n, "protocol": "udp",
            "internal_port_id": port, "allowed_cidrs": cidrs});
        let body = json!({ "gateway_port_forwarding": body });
        cases.push(("POST", tenant.gateway_forwards(), body));
    }
    for protocol in ["sctp", "dccp", "icmp", "vrrp"] {
        let body = json!({"external_port": 100, "internal_port": 100, "protocol": protocol,
            "internal_port_id": port});
        let body = json!({ "gateway_port_forwarding": body });
        cases.push(("POST", tenant.gateway_forwards(), body));
    }
    let routes = [
        ("0.0.0.0/0", "10.0.0.77"),
        ("10.0.0.0/16", "10.0.0.77"),
        ("203.0.113.0/24", "10.0.0.77"),
        ("255.255.255.255/32", "10.0.0.77"),
        ("224.0.0.0/4", "10.0.0.77"),
        ("127.0.0.0/8", "10.0.0.77"),
        ("198.51.100.7/24", "10.0.0.77"),
        ("198.51.100.0/24", "10.0.0.1"),
        ("198.51.100.0/24", "10.0.0.0"),
        ("198.51.100.0/24", "192.0.2.1"),
    ];
    let router = format!("routers/{}", tenant.router);
    for (destination, nexthop) in routes {
        let routes = json!([{"destination": destination, "nexthop": nexthop}]);
        cases.push(("PUT", router.clone(), json!({"router": {"routes": routes}})));
    }
    cases.push(("PUT", router, json!({"router": {"routes": []}})));
    cases
}

fn edges_of_networks(port: &Value) -> Vec<(&'static str, String, Value)> {
    let mut cases = Vec::new();
    let network = format!("networks/{}", text(port, "/network_id"));
    for mtu in [67, 68, 1279, 9000, 65_535, 65_536] {
        cases.push(("PUT", network.clone(), json!({"network": {"mtu": mtu}})));
    }
    cases.push(("PUT", network, json!({"network": {"mtu": 1400}})));
    let subnet = format!("subnets/{}", text(port, "/fixed_ips/0/subnet_id"));
    for name in ["a\nb", "a,b", "\u{0}", "\u{1F480}"] {
        cases.push(("PUT", subnet.clone(), json!({"subnet": {"name": name, "enable_dhcp": true}})));
    }
    for servers in [json!(["8.8.8.8\noption:router,1.2.3.4"]), json!(["::1", "0.0.0.0"])] {
        cases.push(("PUT", subnet.clone(), json!({"subnet": {"dns_nameservers": servers}})));
    }
    let option = json!([{"opt_name": "bootfile-name", "opt_value": "a\nb"},
        {"opt_name": "no such option", "opt_value": "1"}]);
    cases.push((
        "PUT",
        format!("ports/{}", text(port, "/id")),
        json!({"port": {"extra_dhcp_opts": option}}),
    ));
    cases
}
