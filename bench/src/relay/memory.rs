//! What forwards and connections cost in memory: idle, and with a thousand connections open while four
//! streams and new connections pass.

use std::{
    io::Write as _,
    net::{SocketAddr, TcpStream},
    thread,
};

use super::{
    Hosts, PACE, PORT, RELAY, RUN, TARGET, flows,
    peers::{Peer, Running},
};
use crate::figures::verdict;

const COUNTS: [usize; 3] = [10, 1_000, 10_000];

/// Open at once, each after its first byte.
const OPEN: usize = 1_000;

/// Megabytes of one program with so many forwards.
struct Found {
    idle: f64,
    loaded: f64,
}

pub(super) fn run(hosts: &Hosts, peers: &[Peer]) -> anyhow::Result<()> {
    println!("\n{:>12}  {:>8}  {:>10}  {:>10}", "memory", "forwards", "idle", "under load");
    for count in COUNTS {
        let mut of = Vec::new();
        for peer in peers.iter().filter(|peer| peer.knows_many()) {
            let found = one(hosts, *peer, count)?;
            println!(
                "{:>12}  {count:>8}  {:>7.1} MB  {:>7.1} MB",
                peer.name(),
                found.idle,
                found.loaded
            );
            of.push((*peer, found));
        }
        judge(count, &of);
    }
    Ok(())
}

fn judge(count: usize, of: &[(Peer, Found)]) {
    let found = |wanted: Peer| of.iter().find(|(peer, _)| *peer == wanted).map(|(_, it)| it);
    let Some(own) = found(Peer::Navigator).filter(|_| count == 10_000) else {
        return;
    };
    println!("10,000 forwards, idle: {}", verdict((own.idle < 25.0).into(), "< 25 MB"));
    if let Some(other) = found(Peer::Haproxy) {
        let (idle, loaded) = (other.idle / own.idle, other.loaded / own.loaded);
        let met = verdict((idle >= 5.0).into(), "≤ 1/5 of HAProxy's");
        println!("HAProxy takes {idle:.1} × as much idle, {loaded:.1} × under load  {met}");
    }
}

fn one(hosts: &Hosts, peer: Peer, count: usize) -> anyhow::Result<Found> {
    let running = peer.start_many(&hosts.relay, SocketAddr::from((TARGET, PORT + 1)), count)?;
    let idle = megabytes(&running)?;
    let to = SocketAddr::from((RELAY, PORT));
    let open = hosts.client.thread(|| -> std::io::Result<Vec<TcpStream>> {
        let mut open = Vec::new();
        for _ in 0..OPEN {
            let mut stream = TcpStream::connect(to)?;
            stream.write_all(b"x")?;
            open.push(stream);
        }
        Ok(open)
    })??;
    let loaded = thread::scope(|scope| {
        let pour = scope.spawn(|| flows::pour(&hosts.client, to, 4, RUN));
        let come = scope.spawn(|| flows::come_and_go(&hosts.client, to, PACE, RUN));
        thread::sleep(RUN * 3 / 4);
        let loaded = megabytes(&running);
        let _ = (pour.join(), come.join());
        loaded
    })?;
    drop(open);
    Ok(Found { idle, loaded })
}

fn megabytes(running: &Running) -> anyhow::Result<f64> {
    Ok(running.resident_kb()? as f64 / 1e3)
}
