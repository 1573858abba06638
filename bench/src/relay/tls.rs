//! TLS that ends at the relay, beside HAProxy: handshakes a second, whole ones and resumed ones, and bytes.
//! Clients and certificates are the same for both (P-256; the clients by rustls).

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned,
    client::Resumption,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};

use super::{
    Hosts, PORT, RELAY, ROUNDS, RUN, TARGET,
    peers::{Peer, Running},
};
use crate::figures::{median, verdict};

const CLIENTS: usize = 32;
const NAME: &str = "relay.example";

#[derive(Default)]
struct Found {
    whole: Vec<f64>,
    whole_cpu_us: Vec<f64>,
    resumed: Vec<f64>,
    resumed_cpu_us: Vec<f64>,
    gigabits: [Vec<f64>; 2],
    cpu_s_per_gigabyte: Vec<f64>,
}

#[derive(Clone, Copy, PartialEq)]
enum Handshakes {
    Whole,
    Resumed,
}

pub(super) fn run(hosts: &Hosts) -> anyhow::Result<()> {
    let (pem, certificate) = certificate(hosts)?;
    let peers: Vec<Peer> = Peer::installed().into_iter().filter(|peer| peer.knows_many()).collect();
    let mut found: Vec<Found> = peers.iter().map(|_| Found::default()).collect();
    for _ in 0..ROUNDS {
        for (peer, found) in peers.iter().zip(&mut found) {
            let to = SocketAddr::from((TARGET, PORT));
            let running = peer.start_tls(&hosts.relay, to, &pem)?;
            for kind in [Handshakes::Whole, Handshakes::Resumed] {
                handshakes(hosts, &running, &certificate, kind, found)?;
            }
            drop(running);
            let to = SocketAddr::from((TARGET, PORT + 1));
            let running = peer.start_tls(&hosts.relay, to, &pem)?;
            bytes(hosts, &running, &certificate, found)?;
        }
    }
    print(&peers, &mut found);
    Ok(())
}

fn certificate(hosts: &Hosts) -> anyhow::Result<(PathBuf, CertificateDer<'static>)> {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
    let pem = hosts.relay.dir().join("relay.pem");
    fs::write(&pem, made.cert.pem() + &made.signing_key.serialize_pem())?;
    Ok((pem, made.cert.der().clone()))
}

fn config(trusted: &CertificateDer<'static>) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone())?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn connect(
    config: &Arc<ClientConfig>,
    limit: Duration,
) -> anyhow::Result<StreamOwned<ClientConnection, TcpStream>> {
    let to = SocketAddr::from((RELAY, PORT));
    let socket = TcpStream::connect_timeout(&to, limit)?;
    socket.set_read_timeout(Some(limit))?;
    socket.set_nodelay(true)?;
    let end = ClientConnection::new(Arc::clone(config), ServerName::try_from(NAME)?)?;
    Ok(StreamOwned::new(end, socket))
}

fn handshakes(
    hosts: &Hosts,
    running: &Running,
    trusted: &CertificateDer<'static>,
    kind: Handshakes,
    found: &mut Found,
) -> anyhow::Result<()> {
    let mut config = config(trusted)?;
    if kind == Handshakes::Whole {
        config.resumption = Resumption::disabled();
    }
    let (done, before, start) = (Arc::new(AtomicU64::new(0)), running.cpu(), Instant::now());
    let count = Arc::clone(&done);
    hosts.client.thread(move || {
        let client = |_| {
            // Tickets of its own.
            let (mut config, count) = (config.clone(), Arc::clone(&count));
            if kind == Handshakes::Resumed {
                config.resumption = Resumption::in_memory_sessions(64);
            }
            thread::spawn(move || {
                let config = Arc::new(config);
                let wanted = match kind {
                    Handshakes::Whole => HandshakeKind::Full,
                    Handshakes::Resumed => HandshakeKind::Resumed,
                };
                while start.elapsed() < RUN {
                    let done = once(&config).is_ok_and(|kind| kind == Some(wanted));
                    count.fetch_add(u64::from(done), Relaxed);
                }
            })
        };
        let clients: Vec<_> = (0..CLIENTS).map(client).collect();
        clients.into_iter().for_each(|client| drop(client.join()));
    })?;
    let (elapsed, cpu) = (start.elapsed().as_secs_f64(), running.cpu() - before);
    let done = done.load(Relaxed) as f64;
    let (rate, cost) = match kind {
        Handshakes::Whole => (&mut found.whole, &mut found.whole_cpu_us),
        Handshakes::Resumed => (&mut found.resumed, &mut found.resumed_cpu_us),
    };
    rate.push(done / elapsed);
    cost.push(cpu.as_secs_f64() * 1e6 / done.max(1.0));
    Ok(())
}

/// A handshake, a byte there and back, the end.
fn once(config: &Arc<ClientConfig>) -> anyhow::Result<Option<HandshakeKind>> {
    let mut stream = connect(config, Duration::from_secs(3))?;
    stream.write_all(b"x")?;
    stream.read_exact(&mut [0])?;
    let kind = stream.conn.handshake_kind();
    stream.conn.send_close_notify();
    stream.flush()?;
    Ok(kind)
}

fn bytes(
    hosts: &Hosts,
    running: &Running,
    trusted: &CertificateDer<'static>,
    found: &mut Found,
) -> anyhow::Result<()> {
    let config = Arc::new(config(trusted)?);
    for (index, streams) in [1, 4].into_iter().enumerate() {
        let (before, config) = (running.cpu(), Arc::clone(&config));
        let arrived = hosts.client.thread(move || {
            let pourer = |_| {
                let config = Arc::clone(&config);
                thread::spawn(move || pour(&config))
            };
            let pourers: Vec<_> = (0..streams).map(pourer).collect();
            let arrived = pourers.into_iter().map(|pourer| pourer.join().ok()?.ok());
            arrived.flatten().sum::<u64>() as f64
        })?;
        let cpu = running.cpu() - before;
        found.gigabits[index].push(arrived * 8.0 / 1e9 / RUN.as_secs_f64());
        found.cpu_s_per_gigabyte.push(cpu.as_secs_f64() / (arrived / 1e9).max(1e-9));
    }
    Ok(())
}

/// What the sink says has arrived.
fn pour(config: &Arc<ClientConfig>) -> anyhow::Result<u64> {
    let mut stream = connect(config, Duration::from_secs(10))?;
    let (bytes, start) = (vec![7; 1 << 18], Instant::now());
    while start.elapsed() < RUN {
        stream.write_all(&bytes)?;
    }
    stream.conn.send_close_notify();
    stream.flush()?;
    let mut count = [0; 8];
    stream.read_exact(&mut count)?;
    Ok(u64::from_be_bytes(count))
}

fn print(peers: &[Peer], found: &mut [Found]) {
    println!(
        "\n{:>12}  {:>8}  {:>7}  {:>9}  {:>7}  {:>8}  {:>8}  {:>8}",
        "TLS ends", "whole/s", "CPU µs", "resumed/s", "CPU µs", "Gb/s 1", "Gb/s 4", "CPU s/GB"
    );
    let mut rows = Vec::new();
    for (peer, found) in peers.iter().zip(found.iter_mut()) {
        let row = [
            median(&mut found.whole),
            median(&mut found.whole_cpu_us),
            median(&mut found.resumed),
            median(&mut found.resumed_cpu_us),
            median(&mut found.gigabits[0]),
            median(&mut found.gigabits[1]),
            median(&mut found.cpu_s_per_gigabyte),
        ];
        let [whole, whole_cpu, resumed, resumed_cpu, one, four, cpu] = row;
        println!(
            "{:>12}  {whole:>8.0}  {whole_cpu:>7.0}  {resumed:>9.0}  {resumed_cpu:>7.0}  \
             {one:>8.2}  {four:>8.2}  {cpu:>8.2}",
            peer.name()
        );
        rows.push(row);
    }
    if let [own, other] = rows[..] {
        let more = |n: usize| own[n] / other[n];
        let less = |n: usize| other[n] / own[n];
        println!(
            "beside HAProxy: whole {:.2} × (by CPU {:.2}), resumed {:.2} × (by CPU {:.2}), \
             bytes {:.2} × and {:.2} × (by CPU {:.2})  {}",
            more(0),
            less(1),
            more(2),
            less(3),
            more(4),
            more(5),
            less(6),
            verdict((more(0) >= 1.0 && more(2) >= 1.0).into(), "handshakes ≥ 1 ×")
        );
    }
}
