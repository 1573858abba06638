//! Part g: the userspace relay beside HAProxy, socat and a plain tokio copy. One path for all of them:
//! client, relay and server are hosts, and the programs take turns.

mod adding;
mod datagrams;
mod flows;
mod memory;
mod peers;
mod reload;
mod tls;

use std::{net::SocketAddr, time::Duration};

use navigator_lab::{Host, Wire};
use navigator_testkit::Site;

use crate::{
    figures::{heading, median, percentile, verdict},
    load::{self, Server},
};
use peers::{Peer, Running};

pub(crate) use peers::child;

const ROUNDS: usize = 3;
const RUN: Duration = Duration::from_secs(2);
/// New connections are taken in many short turns, and compared turn by turn: a machine's own speed may differ
/// by a sixth from one ten seconds to the next, and with it every program's.
const SPRINTS: usize = 16;
const SPRINT: Duration = Duration::from_millis(500);
/// Not counted: a program that has just begun grows.
const START: Duration = Duration::from_millis(200);
const PORT: u16 = 7000;
/// Connections per second at which the time to the first byte is taken.
const PACE: u32 = 500;
const RELAY: [u8; 4] = [198, 51, 100, 1];
const TARGET: [u8; 4] = [10, 9, 0, 2];

struct Hosts {
    client: Host,
    relay: Host,
    server: Host,
    _site: Site,
}

/// What the rounds found of one program.
#[derive(Default)]
struct Found {
    per_second: Vec<f64>,
    cpu_us_per_connection: Vec<f64>,
    first_byte_ms: Vec<f64>,
    gigabits: [Vec<f64>; 2],
    cpu_s_per_gigabyte: Vec<f64>,
}

pub(crate) fn run() -> anyhow::Result<()> {
    heading("g. A relay in userspace");
    let hosts = Hosts::new()?;
    let _server = Server::start(&hosts.server, PORT)?;
    let _sink = flows::Sink::start(&hosts.server, PORT + 1)?;
    let peers = Peer::installed();
    let mut found: Vec<Found> = peers.iter().map(|_| Found::default()).collect();
    for at in turns(SPRINTS, peers.len()) {
        let running = peers[at].start(&hosts.relay, SocketAddr::from((TARGET, PORT)))?;
        hosts.connections(&running, &mut found[at])?;
    }
    for at in turns(ROUNDS, peers.len()) {
        let (peer, found) = (&peers[at], &mut found[at]);
        let running = peer.start(&hosts.relay, SocketAddr::from((TARGET, PORT)))?;
        let to = SocketAddr::from((RELAY, PORT));
        found.first_byte_ms.append(&mut flows::paced(&hosts.client, to, PACE, RUN)?);
        drop(running);
        let running = peer.start(&hosts.relay, SocketAddr::from((TARGET, PORT + 1)))?;
        hosts.bytes(&running, found)?;
    }
    print(&peers, &mut found);
    datagrams::run(&hosts)?;
    tls::run(&hosts)?;
    memory::run(&hosts, &peers)?;
    reload::run(&hosts, &peers)?;
    adding::run(&hosts)?;
    println!();
    Ok(())
}

/// Whose turn it is. Each is as often the first of a round: none has always the same one before it.
fn turns(rounds: usize, peers: usize) -> impl Iterator<Item = usize> {
    (0..rounds).flat_map(move |round| (0..peers).map(move |turn| (round + turn) % peers))
}

impl Hosts {
    fn new() -> anyhow::Result<Self> {
        let site = Site::new();
        let (client, relay, server) =
            (site.host("client"), site.host("relay"), site.host("server"));
        Wire::lay(client.end("eth0"), relay.end("ext0"))?;
        Wire::lay(server.end("eth0"), relay.end("int0"))?;
        client.add_address("eth0", "198.51.100.2/24")?;
        relay.add_address("ext0", "198.51.100.1/24")?;
        relay.add_address("int0", "10.9.0.1/24")?;
        server.add_address("eth0", "10.9.0.2/24")?;
        // See `Cloud::new`: carriers of new pairs.
        std::thread::sleep(Duration::from_secs(1));
        for host in [&client, &relay, &server] {
            load::prepare(host)?;
        }
        Ok(Self { client, relay, server, _site: site })
    }

    fn connections(&self, running: &Running, found: &mut Found) -> anyhow::Result<()> {
        let to = SocketAddr::from((RELAY, PORT));
        load::run(&self.client, to, START)?;
        let before = running.cpu();
        let load = load::run(&self.client, to, SPRINT)?;
        let cpu = running.cpu() - before;
        let count = load.per_second * SPRINT.as_secs_f64();
        found.per_second.push(load.per_second);
        found.cpu_us_per_connection.push(cpu.as_secs_f64() * 1e6 / count.max(1.0));
        Ok(())
    }

    fn bytes(&self, running: &Running, found: &mut Found) -> anyhow::Result<()> {
        let to = SocketAddr::from((RELAY, PORT));
        for (index, streams) in [1, 4].into_iter().enumerate() {
            let before = running.cpu();
            let bytes = flows::pour(&self.client, to, streams, RUN)?;
            let cpu = running.cpu() - before;
            found.gigabits[index].push(bytes * 8.0 / 1e9 / RUN.as_secs_f64());
            found.cpu_s_per_gigabyte.push(cpu.as_secs_f64() / (bytes / 1e9).max(1e-9));
        }
        Ok(())
    }
}

/// Medians of one program's rounds.
struct Row {
    per_second: f64,
    cpu_us: f64,
    p50_ms: f64,
    p99_ms: f64,
    gigabits: [f64; 2],
    cpu_s_per_gigabyte: f64,
}

impl Found {
    fn row(&mut self) -> Row {
        let [one, four] = &mut self.gigabits;
        Row {
            per_second: median(&mut self.per_second.clone()),
            cpu_us: median(&mut self.cpu_us_per_connection.clone()),
            p50_ms: percentile(&mut self.first_byte_ms, 0.5),
            p99_ms: percentile(&mut self.first_byte_ms, 0.99),
            gigabits: [median(one), median(four)],
            cpu_s_per_gigabyte: median(&mut self.cpu_s_per_gigabyte),
        }
    }
}

fn print(peers: &[Peer], found: &mut [Found]) {
    println!(
        "{:>12}  {:>8}  {:>12}  {:>9}  {:>9}  {:>8}  {:>8}  {:>8}",
        "", "conn/s", "CPU µs/conn", "byte p50", "byte p99", "Gb/s 1", "Gb/s 4", "CPU s/GB"
    );
    let rows: Vec<Row> = found.iter_mut().map(Found::row).collect();
    for (peer, row) in peers.iter().zip(&rows) {
        println!(
            "{:>12}  {:>8.0}  {:>12.0}  {:>6.2} ms  {:>6.2} ms  {:>8.2}  {:>8.2}  {:>8.2}",
            peer.name(),
            row.per_second,
            row.cpu_us,
            row.p50_ms,
            row.p99_ms,
            row.gigabits[0],
            row.gigabits[1],
            row.cpu_s_per_gigabyte,
        );
    }
    let place = |wanted: Peer| peers.iter().position(|peer| *peer == wanted);
    let Some(own) = place(Peer::Navigator) else { return };
    if let Some(socat) = place(Peer::Socat) {
        let times = times(&found[own].per_second, &found[socat].per_second);
        let met = verdict((times >= 5.0).into(), "≥ 5 ×");
        println!("connections beside socat: {times:.2} ×  {met}");
    }
    if let Some(other) = place(Peer::Haproxy) {
        connections_beside_haproxy(&found[own], &found[other]);
        beside_haproxy(&rows[own], &rows[other]);
    }
}

/// The median of how many times as much it was, turn by turn.
fn times(own: &[f64], other: &[f64]) -> f64 {
    median(&mut own.iter().zip(other).map(|(own, other)| own / other).collect::<Vec<_>>())
}

fn goal(what: &str, times: f64, least: f64) {
    let met = verdict((times >= least).into(), &format!("≥ {least} ×"));
    println!("{what} beside HAProxy: {times:.2} ×  {met}");
}

fn connections_beside_haproxy(own: &Found, other: &Found) {
    goal("connections", times(&own.per_second, &other.per_second), 1.2);
    let (own, other) = (&own.cpu_us_per_connection, &other.cpu_us_per_connection);
    goal("connections at equal CPU", times(other, own), 1.2);
}

fn beside_haproxy(own: &Row, other: &Row) {
    goal("bytes by one stream", own.gigabits[0] / other.gigabits[0], 1.0);
    goal("bytes by four streams", own.gigabits[1] / other.gigabits[1], 1.0);
    goal("bytes at equal CPU", other.cpu_s_per_gigabyte / own.cpu_s_per_gigabyte, 1.2);
    let (own, other) = (own.p99_ms, other.p99_ms);
    let met = verdict((own <= other).into(), "no worse");
    println!("first byte p99 beside HAProxy: {own:.2} and {other:.2} ms  {met}");
}
