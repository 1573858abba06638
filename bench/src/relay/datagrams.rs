//! UDP through a relay: how many datagrams a second arrive when more are sent than it can carry, and how
//! many are lost at a pace that it can.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use navigator_lab::Namespaces;
use socket2::SockRef;

use super::{Hosts, PORT, RELAY, ROUNDS, RUN, TARGET, peers::Peer};
use crate::figures::{median, verdict};

/// Clients at once, each a flow.
const FLOWS: usize = 4;

/// Bytes of payload.
const SIZE: usize = 200;

/// Datagrams per second of all flows together, below what each program can carry.
const PACE: u32 = 10_000;

/// By then, a program's children have ended.
const LAST_CHILD: Duration = Duration::from_secs(2);

/// Counts what arrives, until the program ends.
struct Counter(Arc<AtomicU64>);

impl Counter {
    fn start(host: &Namespaces, port: u16) -> anyhow::Result<Self> {
        let socket = host.thread(|| UdpSocket::bind(SocketAddr::from(([0, 0, 0, 0], port))))??;
        SockRef::from(&socket).set_recv_buffer_size(8 << 20)?;
        let count = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&count);
        thread::spawn(move || {
            let mut buffer = [0; 2048];
            while socket.recv(&mut buffer).is_ok() {
                counted.fetch_add(1, Relaxed);
            }
        });
        Ok(Self(count))
    }

    /// Once nothing more comes.
    fn settled(&self) -> u64 {
        let mut before = self.0.load(Relaxed);
        loop {
            thread::sleep(Duration::from_millis(200));
            let now = self.0.load(Relaxed);
            if now == before {
                return now;
            }
            before = now;
        }
    }
}

#[derive(Default)]
struct Found {
    per_second: Vec<f64>,
    lost_beyond: Vec<f64>,
    lost_at_pace: Vec<f64>,
    cpu_us: Vec<f64>,
}

pub(super) fn run(hosts: &Hosts) -> anyhow::Result<()> {
    let counter = Counter::start(&hosts.server, PORT)?;
    let peers: Vec<Peer> = Peer::installed().into_iter().filter(|peer| peer.has_udp()).collect();
    let mut found: Vec<Found> = peers.iter().map(|_| Found::default()).collect();
    for _ in 0..ROUNDS {
        for (peer, found) in peers.iter().zip(&mut found) {
            let running = peer.start_udp(&hosts.relay, SocketAddr::from((TARGET, PORT)))?;
            let before = (counter.settled(), running.cpu());
            let sent = send(&hosts.client, Some(PACE))?;
            let arrived = counter.settled() - before.0;
            // What children have used is known once they have ended.
            thread::sleep(LAST_CHILD);
            let cpu = running.cpu() - before.1;
            found.cpu_us.push(cpu.as_secs_f64() * 1e6 / arrived.max(1) as f64);
            found.lost_at_pace.push(lost(sent, arrived));
            let before = counter.settled();
            let sent = send(&hosts.client, None)?;
            let arrived = counter.settled() - before;
            found.per_second.push(arrived as f64 / RUN.as_secs_f64());
            found.lost_beyond.push(lost(sent, arrived));
            thread::sleep(LAST_CHILD);
        }
    }
    println!(
        "\n{:>12}  {:>10}  {:>10}  {:>12}  {:>15}",
        "UDP", "arrive/s", "lost", "lost at 10 k", "CPU µs/datagram"
    );
    let mut rates = Vec::new();
    for (peer, found) in peers.iter().zip(&mut found) {
        let rate = median(&mut found.per_second);
        rates.push(rate);
        println!(
            "{:>12}  {rate:>10.0}  {:>8.1} %  {:>10.3} %  {:>15.1}",
            peer.name(),
            median(&mut found.lost_beyond),
            median(&mut found.lost_at_pace),
            median(&mut found.cpu_us),
        );
    }
    if let [own, other] = rates[..] {
        let met = verdict((own >= other).into(), "more than socat");
        println!("datagrams beside socat: {:.2} ×  {met}", own / other.max(1.0));
    }
    Ok(())
}

/// Percent.
fn lost(sent: u64, arrived: u64) -> f64 {
    100.0 * sent.saturating_sub(arrived) as f64 / sent.max(1) as f64
}

/// So many per second, or as many as go; those that were sent.
fn send(host: &Namespaces, pace: Option<u32>) -> anyhow::Result<u64> {
    let flow = move || -> std::io::Result<u64> {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.connect(SocketAddr::from((RELAY, PORT)))?;
        let (bytes, start, mut sent) = ([7; SIZE], Instant::now(), 0);
        while start.elapsed() < RUN {
            let due = pace.map_or(u64::MAX, |pace| {
                (start.elapsed().as_secs_f64() * f64::from(pace) / FLOWS as f64) as u64
            });
            if sent >= due {
                thread::sleep(Duration::from_millis(1));
                continue;
            }
            // Refused is the answer to an earlier one.
            sent += u64::from(socket.send(&bytes).is_ok());
        }
        Ok(sent)
    };
    host.thread(move || {
        let flows: Vec<_> = (0..FLOWS).map(|_| thread::spawn(flow)).collect();
        let sent: Option<u64> = flows.into_iter().map(|flow| flow.join().ok()?.ok()).sum();
        sent.ok_or_else(|| anyhow::anyhow!("a client failed"))
    })?
}
