//! Every cell: the API's answer is the documented one, and of what the outside then sends to the
//! ports that were asked for, only what was granted arrives, and that at the own instance.
//!
//! The cells of one verb and one form are asked together, each on ports of its own, so that what
//! arrives says which cell let it through. Packets are sent when everything up to then is reported
//! applied, and after them one to every victim: what is seen there shows that the victims' captures
//! work, and that the packets before it had their time.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    time::Instant,
};

use navigator_testkit::{
    Api, Site,
    cloud::{self, Hosts, OUTSIDE, Plugged, call, create, text},
};
use serde_json::{Value, json};

use crate::{
    capture::{Arrival, Capture, Look},
    cell::{Asker, By, Cell, Ports, Shape, Verb, Way, collection},
    probe,
    target::{self, Answer, Target},
    world::{MANAGEMENT, World, manage},
};

/// The ports of the cells, above those of services.
const FIRST_EXTERNAL: u16 = 10_000;
const FIRST_INTERNAL: u16 = 30_000;
/// Where the packets go that show that a capture works.
pub(crate) const CONTROL: u16 = 9;
/// The forward whose only purpose is to be reported.
const MARKER: u16 = 7;
/// So many of the captures are the member's own instances'.
const OWN: usize = 2;

const WAYS: [(By, &str); 4] =
    [(By::Gateway, "tcp"), (By::Gateway, "udp"), (By::FloatingIp, "tcp"), (By::FloatingIp, "udp")];

/// The captures' rules come after everything else that is made on the node.
fn watch(world: &World<'_>) -> Vec<Capture> {
    let World { hosts, webs, neighbour, far, tenant, .. } = world;
    let instance =
        |name, plugged: &Plugged| Capture::start(name, &plugged.host, None, Look::Everything);
    let dhcp = format!("qdhcp-{}", tenant.network);
    vec![
        instance("web", &webs[0]),
        instance("web2", &webs[1]),
        instance("neighbour", neighbour),
        instance("far", far),
        Capture::start("outside", &hosts.outside, None, Look::Delivered),
        Capture::start("node", &hosts.node, None, Look::Delivered),
        Capture::start("dhcp", &hosts.node, Some(&dhcp), Look::Everything),
        Capture::start("router", &hosts.node, Some(&tenant.namespace()), Look::Delivered),
    ]
}

/// One packet to everybody who has a capture; what each of them has to have seen.
fn controls(world: &World<'_>) -> Vec<Arrival> {
    let World { hosts, webs, neighbour, far, .. } = world;
    let to = |address: Ipv4Addr| ("udp", SocketAddr::from((address, CONTROL)));
    let inside = [webs[1].ip, neighbour.ip, world.dhcp].map(to);
    probe::send(&webs[0].host, &inside);
    probe::send(&webs[1].host, &[to(webs[0].ip)]);
    let outside = [world.far_gateway, OUTSIDE, MANAGEMENT, world.tenant.gateway];
    probe::send(&hosts.client, &outside.map(to));
    let seen_as = [
        webs[0].ip,
        webs[1].ip,
        neighbour.ip,
        far.ip,
        OUTSIDE,
        MANAGEMENT,
        world.dhcp,
        world.tenant.gateway,
    ];
    seen_as.map(|address| (address, "udp".to_owned(), CONTROL)).into()
}

/// Asked by the member for everything; by others for what the member would be granted, and for
/// what is their own.
fn cells(targets: &[Target], verb: Verb, shape: Shape) -> Vec<Cell<'_>> {
    let mut cells = Vec::new();
    for (by, protocol) in WAYS {
        let way = Way { by, protocol, shape };
        for (n, target) in targets.iter().enumerate() {
            let askers: &[Asker] = match n {
                0..8 => &[Asker::Member, Asker::Reader, Asker::Stranger],
                _ => &[Asker::Member],
            };
            for asker in askers {
                let at = 2 * u16::try_from(cells.len()).unwrap();
                let ports = Ports { external: FIRST_EXTERNAL + at, internal: FIRST_INTERNAL + at };
                cells.push(Cell { way, verb, asker: *asker, target, ports });
            }
        }
    }
    cells
}

fn expected(cell: &Cell<'_>) -> Answer {
    match (cell.asker, cell.way.by) {
        (Asker::Member, by) => cell.target.answer(by),
        (Asker::Reader, _) => Answer::Refused(403, "PolicyNotAuthorized"),
        (Asker::Stranger, By::Gateway) => Answer::Refused(404, "RouterNotFound"),
        (Asker::Stranger, By::FloatingIp) => Answer::Refused(404, "FloatingIPNotFound"),
    }
}

/// Asks, and says what is wrong with the answer.
fn ask(world: &mut World<'_>, cell: &Cell<'_>, path: &str) -> Result<(), String> {
    let mut body = match cell.verb {
        Verb::Create => cell.honest(world),
        Verb::Update => json!({}),
    };
    cell.target.ask(&mut body, cell.way.shape);
    let body = json!({ cell.way.by.key(): body });
    let people = &mut world.people;
    let api: &mut Api = match cell.asker {
        Asker::Member => &mut people.member,
        Asker::Reader => &mut people.reader,
        Asker::Stranger => &mut people.stranger,
    };
    let path = format!("/v2.0/{path}");
    let (granted, (status, answer)) = match cell.verb {
        Verb::Create => (201, api.post(&path, &body).unwrap()),
        Verb::Update => (200, api.put(&path, &body).unwrap()),
    };
    let kind = answer["NeutronError"]["type"].as_str().unwrap_or_default();
    let right = match expected(cell) {
        Answer::Granted => status == granted,
        Answer::Refused(refused, wanted) => (status, kind) == (refused, wanted),
    };
    let wanted = expected(cell);
    if right { Ok(()) } else { Err(format!("{cell}: {wanted:?} expected: {status} {answer}")) }
}

/// Asks all cells of a verb and a form, knocks at all their ports, and takes away what was made.
fn play(world: &mut World<'_>, captures: &[Capture], cells: &[Cell<'_>]) -> Vec<String> {
    captures.iter().for_each(Capture::forget);
    let paths = match cells[0].verb {
        Verb::Create => cells.iter().map(|cell| cell.collection(world)).collect(),
        Verb::Update => honest_forwards(world, cells),
    };
    let mut wrong = Vec::new();
    for (cell, path) in cells.iter().zip(&paths) {
        wrong.extend(ask(world, cell, path).err());
    }
    wait_applied(world);
    let probes: Vec<_> = cells.iter().flat_map(|cell| cell.probes(world)).collect();
    probe::send(&world.hosts.client, &probes);
    let arrivals = cells.iter().flat_map(|cell| {
        let granted = matches!(expected(cell), Answer::Granted);
        cell.arrivals(world, granted)
    });
    let marker = (world.webs[0].ip, "udp".to_owned(), MARKER);
    let granted: BTreeSet<Arrival> = arrivals.chain([marker]).collect();
    wrong.extend(judge(world, captures, &granted));
    clear(world);
    wrong
}

/// Everything that was granted arrives, and the controls; nothing else does.
fn judge(world: &World<'_>, captures: &[Capture], granted: &BTreeSet<Arrival>) -> Vec<String> {
    let controls = controls(world);
    let due: Vec<BTreeSet<Arrival>> = captures
        .iter()
        .zip(&controls)
        .map(|(_, control)| {
            let own = granted.iter().filter(|(address, ..)| *address == control.0);
            own.cloned().chain([control.clone()]).collect()
        })
        .collect();
    cloud::eventually("what is granted, and the controls", || {
        for (capture, due) in captures.iter().zip(&due) {
            let missing: Vec<_> = due.difference(&capture.arrivals()).cloned().collect();
            if !missing.is_empty() {
                return Err(format!("not seen at {}: {missing:?}", capture.name));
            }
        }
        Ok(())
    });
    // Packets for the router's own addresses are refused by its kernel; they are no leak.
    let outer = [world.tenant.gateway, world.floating_address];
    let mut wrong = Vec::new();
    for (capture, due) in captures.iter().zip(&due) {
        let refused_there = |arrival: &Arrival| {
            let translated = (FIRST_INTERNAL..u16::MAX).contains(&arrival.2);
            capture.name == "router" && outer.contains(&arrival.0) && !translated
        };
        let arrivals = capture.arrivals();
        let leaked = arrivals.difference(due).filter(|arrival| !refused_there(arrival));
        wrong.extend(leaked.map(|arrival| format!("arrived at {}: {arrival:?}", capture.name)));
    }
    wrong
}

/// A forward of its own for every cell; their paths.
fn honest_forwards(world: &mut World<'_>, cells: &[Cell<'_>]) -> Vec<String> {
    let mut paths = Vec::new();
    for of_one in cells.chunk_by(|a, b| a.way.by == b.way.by) {
        let by = of_one[0].way.by;
        let bodies: Vec<Value> = of_one.iter().map(|cell| cell.honest(world)).collect();
        let (path, plural) = (collection(world, by), format!("{}s", by.key()));
        let member = &mut world.people.member;
        let made = call(member, 201, "POST", &path, Some(&json!({ &plural: bodies })));
        let made = made[&plural].as_array().unwrap();
        paths.extend(made.iter().map(|one| format!("{path}/{}", text(one, "/id"))));
    }
    paths
}

/// A router's changes are applied and reported in order: makes one more, and waits for its report.
/// The path of the forward that it made and used.
pub(crate) fn wait_applied(world: &mut World<'_>) -> String {
    let body = json!({"protocol": "udp", "external_port": MARKER, "internal_port": MARKER,
        "internal_port_id": world.webs[0].port});
    let member = &mut world.people.member;
    let marker = world.tenant.forward(member, body);
    let path = format!("{}/{}", world.tenant.gateway_forwards(), text(&marker, "/id"));
    cloud::wait_active(member, &path);
    let target = SocketAddr::from((world.tenant.gateway, MARKER));
    probe::send(&world.hosts.client, &[("udp", target)]);
    path
}

fn clear(world: &mut World<'_>) {
    for by in [By::Gateway, By::FloatingIp] {
        let path = collection(world, by);
        let member = &mut world.people.member;
        let listed = call(member, 200, "GET", &path, None);
        for one in listed[format!("{}s", by.key())].as_array().unwrap() {
            call(member, 204, "DELETE", &format!("{path}/{}", text(one, "/id")), None);
        }
    }
}

/// An administrator may lead a forward to the neighbour: its packets are seen there.
fn a_leak_is_seen(world: &mut World<'_>, captures: &[Capture]) {
    let port = FIRST_EXTERNAL;
    let body = json!({"protocol": "udp", "external_port": port, "internal_port": port,
        "internal_port_id": world.neighbour.port});
    let (path, admin) = (world.tenant.gateway_forwards(), &mut world.people.admin);
    create(admin, &path, "gateway_port_forwarding", body);
    wait_applied(world);
    let (client, target) = (&world.hosts.client, (world.tenant.gateway, port).into());
    let leaked = (world.neighbour.ip, "udp".to_owned(), port);
    cloud::eventually("a forward to the neighbour", || {
        probe::send(client, &[("udp", target)]);
        let seen = captures[OWN].arrivals();
        if seen.contains(&leaked) { Ok(()) } else { Err(format!("{seen:?}")) }
    });
    let marker = BTreeSet::from([(world.webs[0].ip, "udp".to_owned(), MARKER)]);
    let told = judge(world, captures, &marker);
    assert_eq!(told, [format!("arrived at neighbour: {leaked:?}")]);
    clear(world);
}

#[test]
fn nobody_leads_the_outside_to_anything_but_an_own_instance() {
    let site = Site::new();
    let hosts = Hosts::make(&site);
    manage(&hosts);
    let mut world = World::make(&site, &hosts);
    let targets = target::all(&mut world);
    let captures = watch(&world);
    a_leak_is_seen(&mut world, &captures);
    let (start, mut count, mut wrong) = (Instant::now(), 0, Vec::new());
    for verb in [Verb::Create, Verb::Update] {
        for shape in [Shape::Single, Shape::Range] {
            let cells = cells(&targets, verb, shape);
            count += cells.len();
            wrong.extend(play(&mut world, &captures, &cells));
        }
    }
    let reached = wrong.iter().filter(|wrong| wrong.starts_with("arrived")).count();
    println!("T27: {count} cells, {reached} reached, in {:.1} s", start.elapsed().as_secs_f64());
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 300, "{count}");
}
