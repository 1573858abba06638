//! Every byte is accounted for: connections of random sizes, in random pieces, ended in every way, and
//! afterwards no descriptor is left. `NAVIGATOR_RELAY_LEDGER=10000` is the full size.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "relay/network.rs"]
mod network;

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use navigator_relay::{ForwardSet, Options, Relay};
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
use socket2::SockRef;

/// Longer than any wait that is not a fault.
const PATIENCE: Duration = Duration::from_secs(60);

/// How one connection goes, known to both ends.
#[derive(Clone, Copy, Debug)]
struct Script {
    seed: u64,
    up: usize,
    down: usize,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// Both talk at once, each closes its half when done.
    BothAtOnce,
    /// The client says all and closes its half; only then the server answers.
    ClientFirst,
    /// The server says all and closes its half; only then the client talks.
    ServerFirst,
    /// The client resets after half of what it has to say.
    ClientResets,
    ServerResets,
}

const ENDS: [End; 5] =
    [End::BothAtOnce, End::ClientFirst, End::ServerFirst, End::ClientResets, End::ServerResets];

impl Script {
    fn random(seed: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut size = || match random.random_range(0..10) {
            0 => 0,
            1..=5 => random.random_range(1..2_000),
            6..=8 => random.random_range(2_000..200_000),
            _ => random.random_range(200_000..3_000_000),
        };
        let (up, down) = (size(), size());
        Self { seed, up, down, end: ENDS[seed as usize % ENDS.len()] }
    }

    fn head(self) -> [u8; 8] {
        self.seed.to_le_bytes()
    }
}

/// The byte at a place of a stream: a lost, repeated or moved one does not fit.
fn byte(seed: u64, at: usize) -> u8 {
    let x = (seed ^ (at as u64 / 7)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (x >> 32) as u8 ^ (at as u8)
}

fn say(mut stream: &TcpStream, seed: u64, length: usize) -> io::Result<()> {
    let mut random = SmallRng::seed_from_u64(seed ^ 1);
    let mut at = 0;
    while at < length {
        let piece = random.random_range(1..=100_000).min(length - at);
        let bytes: Vec<u8> = (at..at + piece).map(|at| byte(seed, at)).collect();
        stream.write_all(&bytes)?;
        at += piece;
    }
    Ok(())
}

/// Reads to the end, or until something breaks; how many bytes came. Panics at the first wrong one.
fn hear(mut stream: &TcpStream, seed: u64) -> (usize, io::Result<()>) {
    let mut random = SmallRng::seed_from_u64(seed ^ 2);
    let (mut buffer, mut at) = (vec![0; 100_000], 0);
    loop {
        let most = random.random_range(1..=buffer.len());
        match stream.read(&mut buffer[..most]) {
            Ok(0) => return (at, Ok(())),
            Ok(n) => {
                for (i, found) in buffer[..n].iter().enumerate() {
                    assert_eq!(*found, byte(seed, at + i), "byte {} of stream {seed}", at + i);
                }
                at += n;
            }
            Err(error) => return (at, Err(error)),
        }
    }
}

fn whole(stream: &TcpStream, seed: u64, length: usize) {
    let (heard, end) = hear(stream, seed);
    assert_eq!(heard, length, "stream {seed}: {end:?}");
    end.unwrap();
}

/// One end's part. Streams are told apart by their seeds: the client's is even.
fn play(stream: &TcpStream, script: Script, own: (u64, usize), other: (u64, usize), first: bool) {
    let client = own.0 == script.seed * 2;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    match script.end {
        End::ClientResets | End::ServerResets => {
            let resets = client == (script.end == End::ClientResets);
            thread::scope(|scope| {
                scope.spawn(|| {
                    let length = if resets { own.1 / 2 } else { own.1 };
                    let _ = say(stream, own.0, length);
                    if resets {
                        let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
                        // A shut socket is reset by its close, which is near: wake the reader.
                        let _ = stream.shutdown(Shutdown::Read);
                    }
                });
                // What comes is right as far as it comes, and it ends before patience does.
                let (_, end) = hear(stream, other.0);
                let waited = end.err().map(|error| error.kind());
                assert_ne!(waited, Some(io::ErrorKind::WouldBlock), "{script:?}: never ended");
            });
        }
        End::BothAtOnce => thread::scope(|scope| {
            scope.spawn(|| {
                say(stream, own.0, own.1).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
            });
            whole(stream, other.0, other.1);
        }),
        End::ClientFirst | End::ServerFirst => {
            if first {
                say(stream, own.0, own.1).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                whole(stream, other.0, other.1);
            } else {
                whole(stream, other.0, other.1);
                say(stream, own.0, own.1).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
            }
        }
    }
}

fn serve(mut stream: TcpStream) {
    let mut head = [0; 8];
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A client that resets may do so before its head has arrived.
    if stream.read_exact(&mut head).is_err() {
        return;
    }
    let script = Script::random(u64::from_le_bytes(head));
    let (up, down) = ((script.seed * 2, script.up), (script.seed * 2 + 1, script.down));
    play(&stream, script, down, up, script.end == End::ServerFirst);
}

fn connect(to: SocketAddr, seed: u64) {
    let script = Script::random(seed);
    let mut stream = TcpStream::connect(to).unwrap();
    stream.write_all(&script.head()).unwrap();
    let (up, down) = ((seed * 2, script.up), (seed * 2 + 1, script.down));
    play(&stream, script, up, down, script.end == End::ClientFirst);
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn every_byte_arrives_once_and_no_descriptor_is_left() {
    network::own();
    let count: usize = std::env::var("NAVIGATOR_RELAY_LEDGER")
        .map_or(600, |text| text.parse().expect("NAVIGATOR_RELAY_LEDGER is a number"));
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let target = server.local_addr().unwrap();
    let servants: Vec<_> = (0..16)
        .map(|_| {
            let server = server.try_clone().unwrap();
            thread::spawn(move || {
                // The first one that says nothing at all ends it.
                while let Ok((stream, peer)) = server.accept() {
                    if peer.ip() == Ipv4Addr::new(127, 0, 0, 9) {
                        return;
                    }
                    serve(stream);
                }
            })
        })
        .collect();
    let port = network::free_port();
    let text = format!("[forward.ledger]\nlisten = '127.0.0.1:{port}'\nconnect = '{target}'\n");
    let mut relay = Relay::start(Options::default()).unwrap();
    relay.apply(ForwardSet::from_toml(&text).unwrap()).unwrap();
    let before = descriptors();
    let next = Arc::new(AtomicUsize::new(1));
    thread::scope(|scope| {
        for _ in 0..16 {
            let next = &next;
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Relaxed);
                    if seed > count {
                        return;
                    }
                    connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), seed as u64);
                }
            });
        }
    });
    let counters = relay.counters("ledger").unwrap();
    let start = Instant::now();
    while counters.open() > 0 || descriptors() > before {
        let (open, now) = (counters.open(), descriptors());
        assert!(start.elapsed() < PATIENCE, "{open} open, {now} descriptors, {before} before");
        thread::yield_now();
    }
    assert_eq!(counters.total(), count as u64);
    relay.stop(navigator_relay::Stop::Now);
    for _ in &servants {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 9], 0)).into()).unwrap();
        socket.connect(&target.into()).unwrap();
    }
    for servant in servants {
        servant.join().expect("a server found a wrong byte");
    }
}
