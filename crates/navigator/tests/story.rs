//! The main job with real packets: from an empty cloud to a service behind one port of a router's
//! own address, and every other way in and out, until all of it is deleted again.

// A test fails by panicking, its helpers too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    collections::BTreeSet,
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use navigator_testkit::{
    Api, EchoServer, Host, Namespaces, Navigator, Site, Traffic, TrafficPlan,
    cloud::{
        API, CLIENT, Hosts, OUTSIDE, Plugged, Tenant, address, call, create, eventually, text,
        wait_active,
    },
};
use serde_json::{Value, json};

const PORT: u16 = 7;
const DHCP_LIMIT_S: u32 = 20;
/// The routers' address on the tenant's subnet.
const INNER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// TCP and UDP go there and come back.
fn reaches(from: &Namespaces, target: impl Into<SocketAddr>) -> Result<(), String> {
    let plan =
        TrafficPlan { target: target.into(), tcp_connections: 1, udp_flows: 1, interval_ms: 5 };
    let traffic = Traffic::start(from, plan).map_err(|error| error.to_string())?;
    let ledger = traffic.stop();
    if ledger.is_clean() { Ok(()) } else { Err(ledger.to_string()) }
}

fn connect(from: &Namespaces, target: impl Into<SocketAddr>) -> Result<(), ErrorKind> {
    let (target, limit) = (target.into(), Duration::from_millis(500));
    let connected = from.thread(move || TcpStream::connect_timeout(&target, limit)).unwrap();
    connected.map(drop).map_err(|error| error.kind())
}

fn fails(from: &Namespaces, target: (Ipv4Addr, u16), how: ErrorKind) {
    eventually(&format!("{target:?} fails with {how:?}"), || match connect(from, target) {
        Err(kind) if kind == how => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

fn only(address: Ipv4Addr) -> BTreeSet<IpAddr> {
    BTreeSet::from([address.into()])
}

/// A cloud, two instances of which one has its address by DHCP, and echo servers on them.
struct Scene<'a> {
    hosts: &'a Hosts,
    api: Api,
    tenant: Tenant,
    web: Plugged,
    other: Plugged,
    _servers: Vec<EchoServer>,
}

impl<'a> Scene<'a> {
    fn set(site: &Site, hosts: &'a Hosts, navigator: &Navigator<'_>) -> Self {
        let mut api = navigator.api();
        let tenant = Tenant::make(&mut api);
        let dhcp = json!({"subnet": {"enable_dhcp": true}});
        call(&mut api, 200, "PUT", &format!("subnets/{}", tenant.subnet), Some(&dhcp));
        wait_active(&mut api, &format!("networks/{}", tenant.network));
        let web = by_dhcp(&mut api, site, &hosts.node, &tenant);
        let other = tenant.instance(&mut api, site, &hosts.node, "other");
        for plugged in [&web, &other] {
            wait_active(&mut api, &format!("ports/{}", plugged.port));
        }
        let listen = |plugged: &Plugged, port| {
            EchoServer::start(&plugged.host, (plugged.ip, port).into()).unwrap()
        };
        let mut servers: Vec<_> = (0..5).map(|n| listen(&web, PORT + n)).collect();
        servers.push(listen(&other, PORT));
        Self { hosts, api, tenant, web, other, _servers: servers }
    }

    /// A forward of the gateway's address that is reported ACTIVE; its path.
    fn forward(&mut self, body: Value) -> String {
        let forward = self.tenant.forward(&mut self.api, body);
        let path = format!("{}/{}", self.tenant.gateway_forwards(), text(&forward, "/id"));
        wait_active(&mut self.api, &path);
        path
    }

    fn put(&mut self, path: &str, body: &Value) {
        call(&mut self.api, 200, "PUT", path, Some(body));
    }

    fn delete(&mut self, path: &str) {
        call(&mut self.api, 204, "DELETE", path, None);
    }

    fn expect(&self, from: &Namespaces, to: (Ipv4Addr, u16)) -> Duration {
        eventually(&format!("an echo from {to:?}"), || reaches(from, to))
    }
}

fn by_dhcp(api: &mut Api, site: &Site, node: &Host, tenant: &Tenant) -> Plugged {
    let port = json!({
        "name": "web", "network_id": tenant.network, "binding:host_id": node.name(),
        "device_owner": "compute:test", "device_id": "web"});
    let port = create(api, "ports", "port", port);
    let ids = (text(&port, "/id").parse().unwrap(), text(&port, "/mac_address").parse().unwrap());
    let instance = site.instance("web", node, ids);
    let leased = instance.request_address(DHCP_LIMIT_S).unwrap();
    assert_eq!(leased, address(&port, "/fixed_ips/0/ip_address"));
    let routes = instance.host.run(&["ip", "route"]).unwrap();
    assert!(routes.contains(&format!("default via {INNER}")), "{routes}");
    Plugged { host: instance.host, port: text(&port, "/id"), ip: leased }
}

fn forwards(scene: &mut Scene<'_>) {
    let (client, gateway) = (&scene.hosts.client, scene.tenant.gateway);
    let web = scene.web.port.clone();
    for protocol in ["tcp", "udp"] {
        scene.forward(json!({"external_port": 2007, "internal_port": PORT, "protocol": protocol,
            "internal_port_id": web}));
    }
    scene.expect(client, (gateway, 2007));
    // From inside, also from the instance itself, and from the router's own processes.
    scene.expect(&scene.other.host, (gateway, 2007));
    scene.expect(&scene.web.host, (gateway, 2007));
    ranges(scene);
}

fn ranges(scene: &mut Scene<'_>) {
    let (client, gateway) = (&scene.hosts.client, scene.tenant.gateway);
    for protocol in ["tcp", "udp"] {
        scene.forward(json!({"external_port_range": "3000:3003", "protocol": protocol,
            "internal_port_range": format!("{}:{}", PORT + 1, PORT + 4),
            "internal_port_id": scene.web.port}));
        scene.forward(json!({"external_port_range": "4000:4009", "protocol": protocol,
            "internal_port_range": format!("{PORT}:{PORT}"),
            "internal_port_id": scene.other.port}));
    }
    for port in [3000, 3003, 4000, 4009] {
        scene.expect(client, (gateway, port));
    }
    fails(client, (gateway, 3004), ErrorKind::ConnectionRefused);
}

/// Replies keep the client's address unless `source_nat` says otherwise; `allowed_cidrs` are kept.
fn options(scene: &mut Scene<'_>) {
    let (client, gateway) = (&scene.hosts.client, scene.tenant.gateway);
    let target = (gateway, 2100);
    let seen = EchoServer::start(&scene.web.host, (scene.web.ip, 100).into()).unwrap();
    let mut paths = Vec::new();
    for protocol in ["tcp", "udp"] {
        paths.push(scene.forward(json!({"external_port": 2100, "internal_port": 100,
            "protocol": protocol, "internal_port_id": scene.web.port, "source_nat": "never",
            "allowed_cidrs": ["203.0.113.2/32"]})));
    }
    scene.expect(client, target);
    assert_eq!(seen.peers(), only(CLIENT));
    fails(&scene.hosts.outside, target, ErrorKind::TimedOut);
    for path in &paths {
        let body = json!({"allowed_cidrs": ["198.51.100.0/24", "203.0.113.1/32"]});
        scene.put(path, &json!({ "gateway_port_forwarding": body }));
    }
    fails(client, target, ErrorKind::TimedOut);
    scene.expect(&scene.hosts.outside, target);
    drop(seen);
    for path in &paths {
        let body = json!({"allowed_cidrs": [], "source_nat": "always", "internal_port": 101});
        scene.put(path, &json!({ "gateway_port_forwarding": body }));
    }
    let seen = EchoServer::start(&scene.web.host, (scene.web.ip, 101).into()).unwrap();
    scene.expect(client, target);
    assert_eq!(seen.peers(), only(INNER));
    paths.iter().for_each(|path| scene.delete(path));
    fails(client, target, ErrorKind::ConnectionRefused);
}

/// Both go out by the router's address.
fn outwards(scene: &Scene<'_>) {
    let server = EchoServer::start(&scene.hosts.outside, (OUTSIDE, PORT).into()).unwrap();
    for plugged in [&scene.web, &scene.other] {
        scene.expect(&plugged.host, (OUTSIDE, PORT));
    }
    assert_eq!(server.peers(), only(scene.tenant.gateway));
}

fn floating_ip(scene: &mut Scene<'_>, site: &Site) {
    let plugged = scene.tenant.instance(&mut scene.api, site, &scene.hosts.node, "floating");
    let server = EchoServer::start(&plugged.host, (plugged.ip, PORT).into()).unwrap();
    let (id, floating) = scene.tenant.floating_ip(&mut scene.api);
    let path = format!("floatingips/{id}");
    scene.put(&path, &json!({"floatingip": {"port_id": plugged.port}}));
    wait_active(&mut scene.api, &path);
    scene.expect(&scene.hosts.client, (floating, PORT));
    assert_eq!(server.peers(), only(CLIENT));
    scene.expect(&scene.web.host, (floating, PORT));
    let outside = EchoServer::start(&scene.hosts.outside, (OUTSIDE, PORT + 1).into()).unwrap();
    scene.expect(&plugged.host, (OUTSIDE, PORT + 1));
    assert_eq!(outside.peers(), only(floating));
    scene.put(&path, &json!({"floatingip": {"port_id": null}}));
    eventually("the floating IP leads nowhere", || {
        match connect(&scene.hosts.client, (floating, PORT)) {
            Err(_) => Ok(()),
            Ok(()) => Err("connected".to_owned()),
        }
    });
    scene.delete(&path);
}

fn floating_ip_forward(scene: &mut Scene<'_>) {
    let (id, floating) = scene.tenant.floating_ip(&mut scene.api);
    let mut paths = Vec::new();
    for protocol in ["tcp", "udp"] {
        let path = format!("floatingips/{id}/port_forwardings");
        let body = json!({"external_port": 5007, "internal_port": PORT, "protocol": protocol,
            "internal_port_id": scene.other.port, "internal_ip_address": scene.other.ip});
        let forward = create(&mut scene.api, &path, "port_forwarding", body);
        paths.push(format!("{path}/{}", text(&forward, "/id")));
    }
    scene.expect(&scene.hosts.client, (floating, 5007));
    scene.expect(&scene.web.host, (floating, 5007));
    paths.iter().for_each(|path| scene.delete(path));
    eventually("the forward is gone", || match connect(&scene.hosts.client, (floating, 5007)) {
        Err(_) => Ok(()),
        Ok(()) => Err("connected".to_owned()),
    });
    scene.delete(&format!("floatingips/{id}"));
}

fn router_down_and_up(scene: &mut Scene<'_>) {
    let target = (scene.tenant.gateway, 2007);
    let path = format!("routers/{}", scene.tenant.router);
    scene.put(&path, &json!({"router": {"admin_state_up": false}}));
    let client = &scene.hosts.client;
    eventually("a router that is down forwards nothing", || match connect(client, target) {
        Err(_) => Ok(()),
        Ok(()) => Err("connected".to_owned()),
    });
    scene.put(&path, &json!({"router": {"admin_state_up": true}}));
    scene.expect(client, target);
}

/// In the order in which the API allows it; the node is as empty as before.
fn delete_everything(scene: &mut Scene<'_>) {
    let forwards = scene.tenant.gateway_forwards();
    let listed = call(&mut scene.api, 200, "GET", &forwards, None);
    for forward in listed["gateway_port_forwardings"].as_array().unwrap() {
        scene.delete(&format!("{forwards}/{}", text(forward, "/id")));
    }
    for port in [2007, 3000, 4009] {
        let target = (scene.tenant.gateway, port);
        fails(&scene.hosts.client, target, ErrorKind::ConnectionRefused);
    }
    let Tenant { router, subnet, network, external_network, .. } = scene.tenant.clone();
    let interface = json!({ "subnet_id": subnet });
    scene.put(&format!("routers/{router}/remove_router_interface"), &interface);
    scene.delete(&format!("routers/{router}"));
    let listed = call(&mut scene.api, 200, "GET", &format!("ports?network_id={network}"), None);
    for port in listed["ports"].as_array().unwrap() {
        if text(port, "/device_owner").starts_with("compute:") {
            scene.delete(&format!("ports/{}", text(port, "/id")));
        }
    }
    scene.delete(&format!("networks/{network}"));
    scene.delete(&format!("networks/{external_network}"));
    let node = &scene.hosts.node;
    eventually("nothing is left on the node", || {
        let left = "ip netns list; ip -br link | grep -E '^(brq|vxlan|qr-|qg-|ns-)'; pgrep -a dnsmasq; \
                    ls agent/router agent/network";
        let script = format!("cd {}; {left}", node.dir().display());
        let left = node.run(&["sh", "-c", &format!("{script} 2>/dev/null; true")]).unwrap();
        let left = left.replace("agent/router:", "").replace("agent/network:", "");
        if left.trim().is_empty() { Ok(()) } else { Err(left) }
    });
}

#[test]
fn one_port_of_a_routers_address_leads_to_an_instance() {
    let site = Site::new();
    let hosts = Hosts::make(&site);
    let navigator = Navigator::start(&hosts.node, "all-in-one", &hosts.config(), API);
    let scene = &mut Scene::set(&site, &hosts, &navigator);
    forwards(scene);
    options(scene);
    outwards(scene);
    floating_ip(scene, &site);
    floating_ip_forward(scene);
    router_down_and_up(scene);
    delete_everything(scene);
}
