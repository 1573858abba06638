//! What is asked for, and the answer to each kind of forward.

use std::net::Ipv4Addr;

use navigator_testkit::cloud::{CLIENT, OUTSIDE, Plugged, address, call, create, text};
use serde_json::{Value, json};

use crate::{
    cell::{By, Shape},
    world::{MANAGEMENT, METADATA, World},
};

pub(crate) struct Target {
    pub(crate) name: String,
    asks: Asks,
    /// Of a gateway's forward, and of a floating IP's.
    answers: [Answer; 2],
}

enum Asks {
    /// These attributes.
    For(Value),
    External(i64),
    Internal(i64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    Granted,
    /// Status and type.
    Refused(u16, &'static str),
}

use Answer::{Granted, Refused};

/// An address that the port does not have.
const NOT_ITS: [Answer; 2] = [Refused(400, "InconsistentPortAndIP"), Refused(400, "BadRequest")];
/// A port that the member may not see.
const UNSEEN: [Answer; 2] = [Refused(404, "PortNotFound"); 2];
/// A port that is no instance's.
const NO_INSTANCE: [Answer; 2] = [Refused(400, "BadRequest"); 2];
/// A subnet that is not behind the router.
const NOT_BEHIND: [Answer; 2] =
    [Refused(400, "PortNetworkNotBindOnRouter"), Refused(400, "BadRequest")];
/// A value that is not one of the attribute.
const NO_VALUE: [Answer; 2] = [Refused(400, "HTTPBadRequest"); 2];

/// Ports of what runs on nodes: SSH, DNS, DHCP, metadata, the API.
const SERVICES: [i64; 6] = [22, 53, 67, 80, 9696, 9697];

/// No IPv4 address, or one written as only a lenient parser reads it.
const WRITTEN: [&str; 12] = [
    "::1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "fe80::1",
    "127.1",
    "0x7f000001",
    "2130706433",
    "0177.0.0.1",
    "010.2.0.1",
    "10.2.0.1/32",
    " 10.2.0.1",
    "localhost",
];

impl Target {
    fn new(name: impl Into<String>, asks: Asks, answers: [Answer; 2]) -> Self {
        Self { name: name.into(), asks, answers }
    }

    pub(crate) fn answer(&self, by: By) -> Answer {
        let [gateway, floating_ip] = self.answers;
        match by {
            By::Gateway => gateway,
            By::FloatingIp => floating_ip,
        }
    }

    /// Changes the body of an honest forward, or makes that of an update.
    pub(crate) fn ask(&self, body: &mut Value, shape: Shape) {
        match &self.asks {
            Asks::For(attributes) => {
                let body = body.as_object_mut().unwrap();
                body.extend(attributes.as_object().unwrap().clone());
            }
            Asks::External(port) => shape.say(body, "external", shape.of(*port)),
            Asks::Internal(port) => shape.say(body, "internal", shape.of(*port)),
        }
    }

    pub(crate) fn external(&self, shape: Shape) -> Option<(i64, i64)> {
        if let Asks::External(port) = self.asks { Some(shape.of(port)) } else { None }
    }

    pub(crate) fn internal(&self, shape: Shape) -> Option<(i64, i64)> {
        if let Asks::Internal(port) = self.asks { Some(shape.of(port)) } else { None }
    }

    pub(crate) fn address(&self) -> Option<Ipv4Addr> {
        let Asks::For(attributes) = &self.asks else { return None };
        attributes["internal_ip_address"].as_str()?.parse().ok()
    }
}

pub(crate) fn all(world: &mut World<'_>) -> Vec<Target> {
    let mut targets = own(world);
    targets.extend(foreign(world));
    targets.extend(of_the_network(world));
    targets.extend(elsewhere(world));
    targets.extend(paired(world));
    targets.push(moved(world));
    targets.extend(numbers());
    targets
}

fn port(name: &str, port: &str, ip: impl ToString, answers: [Answer; 2]) -> Target {
    let body = json!({"internal_port_id": port, "internal_ip_address": ip.to_string()});
    Target::new(name, Asks::For(body), answers)
}

/// Another address on an own port.
fn ip(name: &str, ip: impl ToString, answers: [Answer; 2]) -> Target {
    let body = json!({ "internal_ip_address": ip.to_string() });
    Target::new(format!("{name} {}", ip.to_string()), Asks::For(body), answers)
}

fn own(world: &World<'_>) -> Vec<Target> {
    let Plugged { port: second, ip: address, .. } = &world.webs[1];
    vec![
        port("an own instance", second, address, [Granted; 2]),
        port("another own port than the address's", second, world.webs[0].ip, NOT_ITS),
        ip("an own instance's address, on another port", address, NOT_ITS),
    ]
}

fn foreign(world: &World<'_>) -> Vec<Target> {
    let own = world.webs[0].ip;
    let mut targets = Vec::new();
    for (whose, victim) in [("the far one's", &world.far), ("the neighbour's", &world.neighbour)] {
        targets.extend([
            port(&format!("{whose} port"), &victim.port, victim.ip, UNSEEN),
            port(&format!("{whose} port, with an own address"), &victim.port, own, UNSEEN),
            ip(&format!("{whose} address, on an own port"), victim.ip, NOT_ITS),
        ]);
    }
    let nobody = "11111111-2222-4333-8444-555555555555";
    targets.push(port("a port that does not exist", nobody, own, UNSEEN));
    targets
}

/// Router, DHCP and what else the network itself has.
fn of_the_network(world: &mut World<'_>) -> Vec<Target> {
    let mut targets = Vec::new();
    let router = world.tenant.router.clone();
    let mut find = |query: String| -> Vec<Value> {
        let path = format!("ports?{query}");
        let answer = call(&mut world.people.admin, 200, "GET", &path, None);
        answer["ports"].as_array().unwrap().clone()
    };
    let own_network = &world.tenant.network;
    for (name, query, answers) in [
        (
            "the router's interface",
            format!("device_id={router}&network_id={own_network}"),
            NO_INSTANCE,
        ),
        (
            "the DHCP port",
            format!("device_owner=network:dhcp&network_id={own_network}"),
            NO_INSTANCE,
        ),
        (
            "the router's gateway port",
            format!("device_owner=network:router_gateway&device_id={router}"),
            UNSEEN,
        ),
        ("the floating IP's own port", "device_owner=network:floatingip".to_owned(), UNSEEN),
    ] {
        let found = find(query);
        let found = found.first().unwrap_or_else(|| panic!("{name} is not there"));
        let its = address(found, "/fixed_ips/0/ip_address");
        targets.push(port(name, &text(found, "/id"), its, answers));
        targets.push(ip(&format!("the address of {name}"), its, NOT_ITS));
    }
    targets
}

/// Addresses that no port of a project has, whatever they mean to a kernel.
fn elsewhere(world: &mut World<'_>) -> Vec<Target> {
    let addresses = [
        ("loopback", Ipv4Addr::LOCALHOST),
        ("loopback", Ipv4Addr::new(127, 8, 8, 8)),
        ("metadata", METADATA),
        ("this host", Ipv4Addr::UNSPECIFIED),
        ("VRRP's multicast", Ipv4Addr::new(224, 0, 0, 18)),
        ("all hosts' multicast", Ipv4Addr::new(224, 0, 0, 1)),
        ("broadcast", Ipv4Addr::BROADCAST),
        ("the subnet's broadcast", Ipv4Addr::new(10, 0, 255, 255)),
        ("the subnet's own", Ipv4Addr::new(10, 0, 0, 0)),
        ("the node", MANAGEMENT),
        ("the outside's router", OUTSIDE),
        ("the client itself", CLIENT),
    ];
    let mut targets: Vec<Target> =
        addresses.into_iter().map(|(name, address)| ip(name, address, NOT_ITS)).collect();
    targets.extend(WRITTEN.into_iter().map(|address| ip("the text", address, NO_VALUE)));
    let external = json!({"network_id": world.tenant.external_network});
    let theirs = create(&mut world.people.admin, "ports", "port", external.clone());
    let mut external = external;
    external["project_id"] = world.people.project.clone().into();
    let own = create(&mut world.people.admin, "ports", "port", external);
    for (name, made, answers) in
        [("the operators' port outside", theirs, UNSEEN), ("an own port outside", own, NOT_BEHIND)]
    {
        targets.push(port(
            name,
            &text(&made, "/id"),
            address(&made, "/fixed_ips/0/ip_address"),
            answers,
        ));
    }
    targets
}

/// Own ports that may also send from another address, which makes it no address of theirs.
fn paired(world: &mut World<'_>) -> Vec<Target> {
    let mut pair = |network: &str, ip: Ipv4Addr| -> String {
        let body = json!({"network_id": network, "project_id": world.people.project,
            "allowed_address_pairs": [{"ip_address": ip.to_string()}]});
        text(&create(&mut world.people.admin, "ports", "port", body), "/id")
    };
    let free = Ipv4Addr::new(10, 0, 99, 99);
    let harmless = pair(&world.tenant.network, free);
    let hijack = pair(&world.shared_network, world.neighbour.ip);
    vec![
        port("an allowed address pair", &harmless, free, NOT_ITS),
        port(
            "the neighbour's address by an allowed address pair",
            &hijack,
            world.neighbour.ip,
            NOT_ITS,
        ),
    ]
}

/// A port that went to a subnet that is not behind the router, and lost its old address with it.
fn moved(world: &mut World<'_>) -> Target {
    let subnet = json!({"network_id": world.tenant.network, "ip_version": 4,
        "cidr": "10.9.0.0/24", "enable_dhcp": false});
    let member = &mut world.people.member;
    let subnet = text(&create(member, "subnets", "subnet", subnet), "/id");
    let body = json!({"network_id": world.tenant.network, "fixed_ips": [{"subnet_id": world.tenant.subnet}]});
    let made = create(member, "ports", "port", body);
    let path = format!("ports/{}", text(&made, "/id"));
    let body = json!({"port": {"fixed_ips": [{"subnet_id": subnet}]}});
    let now = call(member, 200, "PUT", &path, Some(&body));
    let ip = address(&now, "/port/fixed_ips/0/ip_address");
    port("a port that moved to another subnet", &text(&made, "/id"), ip, NOT_BEHIND)
}

fn numbers() -> Vec<Target> {
    let mut targets = Vec::new();
    for port in [-1, 0, 65_536, 65_558, 4_294_967_318] {
        targets.push(Target::new(format!("external port {port}"), Asks::External(port), NO_VALUE));
        targets.push(Target::new(format!("internal port {port}"), Asks::Internal(port), NO_VALUE));
    }
    for protocol in ["vrrp", "112", "icmp", "ip", "0"] {
        let asks = Asks::For(json!({ "protocol": protocol }));
        targets.push(Target::new(format!("protocol {protocol}"), asks, NO_VALUE));
    }
    for port in SERVICES {
        let granted = [Granted; 2];
        targets.push(Target::new(format!("external port {port}"), Asks::External(port), granted));
        targets.push(Target::new(format!("internal port {port}"), Asks::Internal(port), granted));
    }
    targets
}
