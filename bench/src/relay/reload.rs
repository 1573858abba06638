//! One more forward in the file, under load: until it is served. HAProxy is started anew by a signal to
//! its master, as its documentation has it; the relay is told by the file's new name.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;
use navigator_relay::Forward;
use nix::sys::signal::Signal;

use super::{
    Hosts, PACE, PORT, RELAY, RUN, TARGET,
    adding::{entries, entry},
    flows,
    peers::{self, Peer, Running},
};
use crate::figures::{median, milliseconds};

const TIMES: usize = 5;
const COUNTS: [usize; 3] = [10, 1_000, 10_000];
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn run(hosts: &Hosts, peers: &[Peer]) -> anyhow::Result<()> {
    println!("\none more forward in the file, under load, until it is served:");
    for count in COUNTS {
        let mut line = format!("{count:>8} forwards");
        let mut medians = Vec::new();
        for peer in peers.iter().filter(|peer| peer.knows_many()) {
            let mut times = one_size(hosts, *peer, count)?;
            let time = median(&mut times);
            line += &format!("  {} {time:.1} ms", peer.name());
            medians.push(time);
        }
        if let [own, other] = medians[..] {
            line += &format!("  ({:.0} × as long)", other / own);
        }
        println!("{line}");
    }
    Ok(())
}

fn one_size(hosts: &Hosts, peer: Peer, count: usize) -> anyhow::Result<Vec<f64>> {
    let target = SocketAddr::from((TARGET, PORT));
    let (running, file) = match peer {
        Peer::Haproxy => peers::haproxy_master(&hosts.relay, target, count)?,
        _ => {
            let running = peer.start_many(&hosts.relay, target, count)?;
            (running, hosts.relay.dir().join(peers::FORWARDS))
        }
    };
    let to = SocketAddr::from((RELAY, PORT));
    thread::scope(|scope| {
        let load = scope.spawn(move || flows::paced(&hosts.client, to, PACE, RUN * 2));
        let mut times = Vec::new();
        for n in count..count + TIMES {
            thread::sleep(RUN / TIMES as u32);
            times.push(add(hosts, peer, &running, (&file, n))?);
        }
        let _ = load.join();
        if peer == Peer::Haproxy {
            // Its children end with it then, and leave the port.
            running.signal(Signal::SIGTERM)?;
            thread::sleep(Duration::from_secs(1));
        }
        Ok(times)
    })
}

fn add(
    hosts: &Hosts,
    peer: Peer,
    running: &Running,
    (file, n): (&PathBuf, usize),
) -> anyhow::Result<f64> {
    let target = SocketAddr::from((TARGET, PORT));
    let text = match peer {
        Peer::Haproxy => peers::haproxy_text(n + 1, target)?,
        _ => peers::text(entries(0..n + 1, target)?, "")?,
    };
    let (_, Forward { listen, .. }) = entry(n, target)?;
    let to = listen.socket_address(listen.ports.first().get());
    let new = file.with_extension("new");
    fs::write(&new, text)?;
    let start = Instant::now();
    fs::rename(&new, file)?;
    if peer == Peer::Haproxy {
        running.signal(Signal::SIGUSR2)?;
    }
    hosts.relay.thread(|| -> anyhow::Result<f64> {
        while TcpStream::connect(to).is_err() {
            if start.elapsed() > PATIENCE {
                bail!("the new forward is not served");
            }
            thread::sleep(Duration::from_micros(200));
        }
        Ok(milliseconds(start.elapsed()))
    })?
}
