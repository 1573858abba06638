//! Part g: the userspace relay beside socat, a plain tokio copy and, where it is installed, HAProxy. One
//! path for all of them: client, relay and server are hosts, and the programs take turns.

mod adding;
mod datagrams;
mod flows;
mod peers;

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
    for _ in 0..ROUNDS {
        for (peer, found) in peers.iter().zip(&mut found) {
            let running = peer.start(&hosts.relay, SocketAddr::from((TARGET, PORT)))?;
            hosts.connections(&running, found)?;
            drop(running);
            let running = peer.start(&hosts.relay, SocketAddr::from((TARGET, PORT + 1)))?;
            hosts.bytes(&running, found)?;
        }
    }
    print(&peers, &mut found);
    datagrams::run(&hosts)?;
    memory(&hosts)?;
    adding::run(&hosts)?;
    println!();
    Ok(())
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
        let before = running.cpu();
        let load = load::run(&self.client, to, RUN)?;
        let cpu = running.cpu() - before;
        let count = load.per_second * RUN.as_secs_f64();
        found.per_second.push(load.per_second);
        found.cpu_us_per_connection.push(cpu.as_secs_f64() * 1e6 / count.max(1.0));
        found.first_byte_ms.append(&mut flows::paced(&self.client, to, PACE, RUN)?);
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

fn print(peers: &[Peer], found: &mut [Found]) {
    println!(
        "{:>12}  {:>8}  {:>12}  {:>9}  {:>9}  {:>8}  {:>8}  {:>8}",
        "", "conn/s", "CPU µs/conn", "byte p50", "byte p99", "Gb/s 1", "Gb/s 4", "CPU s/GB"
    );
    for (peer, found) in peers.iter().zip(found.iter_mut()) {
        println!(
            "{:>12}  {:>8.0}  {:>12.0}  {:>6.2} ms  {:>6.2} ms  {:>8.2}  {:>8.2}  {:>8.2}",
            peer.name(),
            median(&mut found.per_second),
            median(&mut found.cpu_us_per_connection),
            percentile(&mut found.first_byte_ms, 0.5),
            percentile(&mut found.first_byte_ms, 0.99),
            median(&mut found.gigabits[0]),
            median(&mut found.gigabits[1]),
            median(&mut found.cpu_s_per_gigabyte),
        );
    }
    let per_second = |wanted: Peer, found: &mut [Found]| {
        let place = peers.iter().position(|peer| *peer == wanted)?;
        Some(median(&mut found[place].per_second))
    };
    for (peer, goal) in [(Peer::Socat, 5.0), (Peer::Haproxy, 1.2)] {
        let figures = (per_second(Peer::Navigator, found), per_second(peer, found));
        if let (Some(own), Some(other)) = figures {
            let met = verdict((own / other >= goal).into(), &format!("≥ {goal} ×"));
            println!("connections beside {}: {:.2} ×  {met}", peer.name(), own / other);
        }
    }
}

fn memory(hosts: &Hosts) -> anyhow::Result<()> {
    for count in [10, 1_000, 10_000] {
        let to = SocketAddr::from((TARGET, PORT));
        let running = peers::navigator(&hosts.relay, to, count)?;
        let megabytes = running.resident_kb()? as f64 / 1e3;
        let goal = verdict((megabytes < 25.0).into(), "< 25 MB at 10,000");
        println!("memory with {count:>6} forwards, idle: {megabytes:.1} MB  {goal}");
    }
    Ok(())
}
