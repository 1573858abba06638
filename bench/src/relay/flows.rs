//! Bytes through a relay, and connections at a fixed pace.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use navigator_lab::Namespaces;

use crate::figures::milliseconds;

/// Swallows what it is sent, until the program ends. It answers the end of a stream with how much it
/// was, so that bytes under way are not counted as arrived.
pub(super) struct Sink;

impl Sink {
    pub(super) fn start(host: &Namespaces, port: u16) -> anyhow::Result<Self> {
        let listener =
            host.thread(|| TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], port))))??;
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                thread::spawn(move || {
                    let (mut buffer, mut all) = (vec![0; 1 << 20], 0_u64);
                    while let Ok(n @ 1..) = stream.read(&mut buffer) {
                        all += n as u64;
                    }
                    let _ = stream.write_all(&all.to_be_bytes());
                });
            }
        });
        Ok(Self)
    }
}

/// As many bytes as go through so many streams in this time; those that arrived.
pub(super) fn pour(
    host: &Namespaces,
    to: SocketAddr,
    streams: usize,
    duration: Duration,
) -> anyhow::Result<f64> {
    let arrived = Arc::new(AtomicU64::new(0));
    let sum = Arc::clone(&arrived);
    host.thread(move || {
        let pourers: Vec<_> = (0..streams)
            .map(|_| {
                let sum = Arc::clone(&sum);
                thread::spawn(move || {
                    if let Ok(bytes) = pour_one(to, duration) {
                        sum.fetch_add(bytes, Relaxed);
                    }
                })
            })
            .collect();
        pourers.into_iter().for_each(|pourer| drop(pourer.join()));
    })?;
    Ok(arrived.load(Relaxed) as f64)
}

fn pour_one(to: SocketAddr, duration: Duration) -> std::io::Result<u64> {
    let mut stream = TcpStream::connect(to)?;
    let (bytes, start) = (vec![7; 1 << 18], Instant::now());
    while start.elapsed() < duration {
        stream.write_all(&bytes)?;
    }
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut count = [0; 8];
    stream.read_exact(&mut count)?;
    Ok(u64::from_be_bytes(count))
}

/// Connections to a sink at this pace: a byte, the end, and the count of it.
pub(super) fn come_and_go(
    host: &Namespaces,
    to: SocketAddr,
    per_second: u32,
    duration: Duration,
) -> anyhow::Result<()> {
    host.thread(move || -> std::io::Result<()> {
        let start = Instant::now();
        while start.elapsed() < duration {
            thread::sleep(Duration::from_secs(1) / per_second);
            let mut stream = TcpStream::connect(to)?;
            stream.write_all(b"x")?;
            stream.shutdown(std::net::Shutdown::Write)?;
            stream.read_exact(&mut [0; 8])?;
        }
        Ok(())
    })??;
    Ok(())
}

/// Milliseconds from the moment a connection was due to its first byte: one that comes late because the
/// one before it was slow counts as slow too.
pub(super) fn paced(
    host: &Namespaces,
    to: SocketAddr,
    per_second: u32,
    duration: Duration,
) -> anyhow::Result<Vec<f64>> {
    const CLIENTS: u32 = 8;
    let gap = Duration::from_secs(1) * CLIENTS / per_second;
    let client = move |number: u32| {
        let start = Instant::now() + gap * number / CLIENTS;
        let (mut due, mut times) = (start, Vec::new());
        while due < start + duration {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if crate::load::once(to, Duration::from_secs(3)).is_ok() {
                times.push(milliseconds(due.elapsed()));
            }
            due += gap;
        }
        times
    };
    let times = host.thread(move || {
        let clients: Vec<_> =
            (0..CLIENTS).map(|number| thread::spawn(move || client(number))).collect();
        clients.into_iter().filter_map(|client| client.join().ok()).flatten().collect()
    })?;
    Ok(times)
}
