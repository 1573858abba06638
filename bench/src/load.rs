//! A generator of connections and a server that answers them: connect, one byte there and back,
//! close. Threads inside the hosts' network namespaces.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use navigator_lab::Namespaces;

use crate::figures::percentile;

const CLIENTS: usize = 32;

/// At least as many as clients, so that the server never makes one wait.
const SERVERS: usize = 64;

/// Sockets that ran a load once may not starve the next one of ports.
const SYSCTLS: &[(&str, &str)] = &[
    ("net.ipv4.ip_local_port_range", "1024 65535"),
    ("net.ipv4.tcp_tw_reuse", "1"),
    ("net.ipv4.tcp_max_tw_buckets", "20000"),
    ("net.core.somaxconn", "4096"),
    ("net.ipv4.tcp_max_syn_backlog", "8192"),
];

pub(crate) struct Load {
    pub(crate) per_second: f64,
    pub(crate) connect_p50_us: f64,
    pub(crate) connect_p99_us: f64,
    pub(crate) errors: usize,
}

pub(crate) fn prepare(host: &Namespaces) -> anyhow::Result<()> {
    for (key, value) in SYSCTLS {
        host.run_in_network(&["sysctl", "-qw", &format!("{key}={value}")])?;
    }
    Ok(())
}

/// Answers until dropped.
pub(crate) struct Server(Arc<AtomicBool>);

impl Server {
    pub(crate) fn start(host: &Namespaces, port: u16) -> anyhow::Result<Self> {
        let listener =
            host.thread(|| TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], port))))??;
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..SERVERS {
            let (listener, stop) = (listener.try_clone()?, Arc::clone(&stop));
            std::thread::spawn(move || {
                while let Ok((mut stream, _)) = listener.accept() {
                    if stop.load(Relaxed) {
                        return;
                    }
                    let mut byte = [0];
                    while stream.read(&mut byte).is_ok_and(|n| n > 0) {
                        if stream.write_all(&byte).is_err() {
                            break;
                        }
                    }
                }
            });
        }
        Ok(Self(stop))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// One connection, its connect time.
pub(crate) fn once(to: SocketAddr, limit: Duration) -> std::io::Result<Duration> {
    let start = Instant::now();
    let mut stream = TcpStream::connect_timeout(&to, limit)?;
    let connected = start.elapsed();
    stream.set_read_timeout(Some(limit))?;
    stream.set_nodelay(true)?;
    let mut byte = [b'x'];
    stream.write_all(&byte)?;
    stream.read_exact(&mut byte)?;
    Ok(connected)
}

/// As many connections as possible for this long.
pub(crate) fn run(host: &Namespaces, to: SocketAddr, duration: Duration) -> anyhow::Result<Load> {
    let start = Instant::now();
    let client = move || {
        let (mut connects_us, mut errors) = (Vec::new(), 0);
        while start.elapsed() < duration {
            match once(to, Duration::from_secs(3)) {
                Ok(connected) => connects_us.push(connected.as_secs_f64() * 1e6),
                Err(_) => errors += 1,
            }
        }
        (connects_us, errors)
    };
    let results = host.thread(move || {
        let clients: Vec<_> = (0..CLIENTS).map(|_| std::thread::spawn(client)).collect();
        clients.into_iter().filter_map(|client| client.join().ok()).collect::<Vec<_>>()
    })?;
    let elapsed = start.elapsed().as_secs_f64();
    let mut connects_us = Vec::new();
    let mut errors = 0;
    for (mut times, failed) in results {
        connects_us.append(&mut times);
        errors += failed;
    }
    let per_second = connects_us.len() as f64 / elapsed;
    Ok(Load {
        per_second,
        connect_p50_us: percentile(&mut connects_us, 0.5),
        connect_p99_us: percentile(&mut connects_us, 0.99),
        errors,
    })
}
