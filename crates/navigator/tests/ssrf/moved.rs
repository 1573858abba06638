//! An address leaves its port while forwards to it are made, and somebody else waits for it: who gets
//! it gets it without a forward, and nothing that the outside sends arrives there.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use navigator_testkit::{
    Api, Namespaces, Site,
    cloud::{self, Hosts, call, create, text},
};
use serde_json::{Value, json};

use crate::{
    capture::{Capture, Look},
    cell::{By, Shape, collection},
    matrix::{CONTROL, wait_applied},
    probe,
    world::{OWN, World, bound_port, manage},
};

/// Of each way to lose an address.
const ROUNDS: u8 = 12;
const FIRST_PORT: u16 = 10_000;

/// How a port loses its address.
#[derive(Clone, Copy, Debug)]
enum Loss {
    OtherAddress,
    OtherSubnet,
    Deleted,
}

const LOSSES: [Loss; 3] = [Loss::OtherAddress, Loss::OtherSubnet, Loss::Deleted];

/// One race: the member's port with `contested`, and the forwards that lead there.
struct Round {
    loss: Loss,
    by: By,
    shape: Shape,
    contested: Ipv4Addr,
    external: u16,
    port: String,
}

impl Round {
    fn body(&self, protocol: &str, at: u16) -> Value {
        let mut body = json!({"protocol": protocol, "internal_port_id": self.port,
            "internal_ip_address": self.contested});
        let first = i64::from(self.external + at);
        let ports = (first, first + i64::from(self.shape.count() - 1));
        self.shape.say(&mut body, "external", ports);
        self.shape.say(&mut body, "internal", ports);
        json!({ self.by.key(): body })
    }

    /// Takes the address away.
    fn lose(&self, api: &mut Api, elsewhere: &str) {
        let path = format!("ports/{}", self.port);
        let [.., third, fourth] = self.contested.octets();
        let other = Ipv4Addr::new(10, 0, third + 100, fourth);
        let fixed_ips = match self.loss {
            Loss::Deleted => return drop(call(api, 204, "DELETE", &path, None)),
            Loss::OtherAddress => json!([{ "ip_address": other }]),
            Loss::OtherSubnet => json!([{ "subnet_id": elsewhere }]),
        };
        call(api, 200, "PUT", &path, Some(&json!({"port": {"fixed_ips": fixed_ips}})));
    }

    /// Makes forwards to the address until it is somebody else's; how many were made.
    fn forward(&self, api: &mut Api, path: &str, taken: &AtomicBool) -> usize {
        let mut made = 0;
        let mut ask = |n: u16| {
            let protocol = if n.is_multiple_of(2) { "tcp" } else { "udp" };
            let body = self.body(protocol, 2 * (n % 16));
            match api.post(&format!("/v2.0/{path}"), &body).unwrap() {
                (201, _) => made += 1,
                (400 | 404, _) => {}
                (status, answer) => panic!("{body}: {status} {answer}"),
            }
        };
        let mut n = 0;
        while !taken.load(Ordering::Relaxed) {
            ask(n);
            n += 1;
        }
        // Once more when it certainly is.
        ask(n);
        made
    }
}

/// Asks for the address on a port of the other project until it is there.
fn take(api: &mut Api, world_network: &str, project: &str, address: Ipv4Addr) {
    let body = json!({"port": {"network_id": world_network, "project_id": project,
        "fixed_ips": [{"ip_address": address}]}});
    cloud::eventually(&format!("{address} is free"), || {
        match api.post("/v2.0/ports", &body).unwrap() {
            (201, _) => Ok(()),
            (409, answer) => Err(answer.to_string()),
            (status, answer) => panic!("{status} {answer}"),
        }
    });
}

/// Runs a round; how many forwards were made before the address went.
fn race(world: &mut World<'_>, round: &Round, elsewhere: &str) -> usize {
    let (network, path) = (&world.tenant.network, collection(world, round.by));
    let node = &world.hosts.node;
    let project = world.people.strange_project.clone();
    let (mut mover, mut thief) = (world.people.again(node), world.people.again(node));
    let member = &mut world.people.member;
    let (start, taken) = (Barrier::new(3), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            start.wait();
            round.lose(&mut mover, elsewhere);
        });
        scope.spawn(|| {
            start.wait();
            take(&mut thief, network, &project, round.contested);
            taken.store(true, Ordering::Relaxed);
        });
        start.wait();
        round.forward(member, &path, &taken)
    })
}

fn forwards_to(world: &mut World<'_>, address: Ipv4Addr) -> Vec<Value> {
    let mut found = Vec::new();
    for by in [By::Gateway, By::FloatingIp] {
        let path = format!("{}?internal_ip_address={address}", collection(world, by));
        let listed = call(&mut world.people.member, 200, "GET", &path, None);
        found.extend(listed[format!("{}s", by.key())].as_array().unwrap().clone());
    }
    found
}

#[test]
fn an_address_that_leaves_its_port_leaves_its_forwards_first() {
    let site = Site::new();
    let hosts = Hosts::make(&site);
    manage(&hosts);
    let world = &mut World::make(&site, &hosts);
    let project = world.people.strange_project.clone();
    let (network, admin) = (world.tenant.network.clone(), &mut world.people.admin);
    let port = bound_port(admin, &hosts.node, &project, &network, json!({}));
    // Has every address that is lost, as the instances would that get them.
    let victim = cloud::plug(&site, &hosts.node, "victim", &port, OWN);
    let capture = Capture::start("victim", &victim.host, None, Look::Everything);
    let subnet = json!({"network_id": world.tenant.network, "ip_version": 4,
        "cidr": "10.9.0.0/24", "enable_dhcp": false});
    let elsewhere = text(&create(&mut world.people.member, "subnets", "subnet", subnet), "/id");
    let (mut contested, mut made, mut left) = (Vec::new(), 0, Vec::new());
    for n in 0..3 * ROUNDS {
        let address = Ipv4Addr::new(10, 0, 50, 1 + n);
        let body = json!({"network_id": network, "fixed_ips": [{"ip_address": address}]});
        let port = create(&mut world.people.member, "ports", "port", body);
        let round = Round {
            loss: LOSSES[usize::from(n % 3)],
            by: if n % 2 == 0 { By::Gateway } else { By::FloatingIp },
            shape: if n % 4 < 2 { Shape::Single } else { Shape::Range },
            contested: address,
            external: FIRST_PORT + 40 * u16::from(n),
            port: text(&port, "/id"),
        };
        // Some are there already when the race begins.
        let path = collection(world, round.by);
        call(&mut world.people.member, 201, "POST", &path, Some(&round.body("udp", 36)));
        made += race(world, &round, &elsewhere);
        left.extend(forwards_to(world, address));
        victim.host.add_address("eth0", &format!("{address}/16")).unwrap();
        contested.push((round, address));
    }
    assert!(left.is_empty(), "{} forwards to addresses that went: {left:?}", left.len());
    knock(world, &contested, &capture);
    println!(
        "T27: {} addresses taken over while forwards to them were made ({made} of these in time): 0 \
         forwards left, 0 packets arrived",
        contested.len()
    );
}

/// The victim hears its neighbour at each address, and the outside at none.
fn knock(world: &mut World<'_>, contested: &[(Round, Ipv4Addr)], capture: &Capture) {
    wait_applied(world);
    let mut targets = Vec::new();
    for (round, _) in contested {
        let address = match round.by {
            By::Gateway => world.tenant.gateway,
            By::FloatingIp => world.floating_address,
        };
        let knock = |at: u16| ["tcp", "udp"].map(|p| (p, (address, round.external + at).into()));
        targets.extend((0..38).flat_map(knock));
    }
    probe::send(&world.hosts.client, &targets);
    let control = |(_, address): &(Round, Ipv4Addr)| SocketAddr::from((*address, CONTROL));
    let controls: Vec<_> = contested.iter().map(|one| ("udp", control(one))).collect();
    cloud::eventually("the neighbour at each address", || {
        probe::send(&world.webs[0].host, &controls);
        let seen = capture.arrivals().len();
        if seen >= contested.len() { Ok(()) } else { Err(seen.to_string()) }
    });
    let arrived = capture.arrivals();
    let leaked: Vec<_> = arrived.iter().filter(|arrival| arrival.2 != CONTROL).collect();
    assert!(leaked.is_empty(), "{leaked:?}");
}

/// Sends to all without a pause until it is told to stop.
fn knock_until(stop: &AtomicBool, from: &Namespaces, targets: &[(&str, SocketAddr)]) {
    while !stop.load(Ordering::Relaxed) {
        probe::send(from, targets);
        thread::sleep(Duration::from_micros(500));
    }
}

/// As fast as an instance can come: its port is made when the other's change is answered.
#[test]
fn an_instance_that_gets_the_address_hears_nothing_of_the_outside() {
    let site = Site::new();
    let hosts = Hosts::make(&site);
    manage(&hosts);
    let world = &mut World::make(&site, &hosts);
    let network = world.tenant.network.clone();
    for (n, by) in (0_u8..).zip([By::Gateway, By::FloatingIp, By::Gateway, By::FloatingIp]) {
        let address = Ipv4Addr::new(10, 0, 50, 1 + n);
        let fixed = json!({"fixed_ips": [{ "ip_address": address }]});
        let project = world.people.project.clone();
        let admin = &mut world.people.admin;
        let port = bound_port(admin, &hosts.node, &project, &network, fixed.clone());
        let owner = cloud::plug(&site, &hosts.node, &format!("owner{n}"), &port, OWN);
        let heard = Capture::start("owner", &owner.host, None, Look::Everything);
        let external = FIRST_PORT + 10 * u16::from(n);
        let (shape, port) = (Shape::Range, owner.port.clone());
        let loss = if n < 2 { Loss::OtherAddress } else { Loss::Deleted };
        let round = Round { loss, by, shape, contested: address, external, port };
        let path = collection(world, by);
        for protocol in ["tcp", "udp"] {
            call(&mut world.people.member, 201, "POST", &path, Some(&round.body(protocol, 0)));
        }
        let outside = match by {
            By::Gateway => world.tenant.gateway,
            By::FloatingIp => world.floating_address,
        };
        let targets = ["tcp", "udp"].map(|protocol| (protocol, (outside, external).into()));
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| knock_until(&stop, &hosts.client, &targets));
            let _stopped = Stop(&stop);
            cloud::eventually("the forwards lead to their owner", || {
                let seen = heard.arrivals().len();
                if seen >= 2 { Ok(()) } else { Err(seen.to_string()) }
            });
            round.lose(&mut world.people.admin, "");
            drop(owner);
            let project = world.people.strange_project.clone();
            let admin = &mut world.people.admin;
            let port = bound_port(admin, &hosts.node, &project, &network, fixed);
            let ids = (text(&port, "/id"), text(&port, "/mac_address"));
            let ids = (ids.0.parse().unwrap(), ids.1.parse().unwrap());
            let instance = site.instance(&format!("next{n}"), &hosts.node, ids);
            let capture = Capture::start("next", &instance.host, None, Look::Everything);
            let _next = cloud::configured(instance, address, OWN);
            let marker = wait_applied(world);
            call(&mut world.people.member, 204, "DELETE", &marker, None);
            let control = ("udp", SocketAddr::from((address, CONTROL)));
            cloud::eventually("the neighbour", || {
                probe::send(&world.webs[0].host, &[control]);
                let seen = capture.arrivals();
                if seen.is_empty() { Err("nothing".to_owned()) } else { Ok(()) }
            });
            let control = (address, "udp".to_owned(), CONTROL);
            assert_eq!(capture.arrivals().into_iter().collect::<Vec<_>>(), [control]);
        });
    }
}

/// Ends the knocking whatever happens, or the scope would wait for it.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
