//! A connection whose every byte is known to both ends: random sizes, random pieces, ended in every way.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
use socket2::SockRef;

/// Longer than any wait that is not a fault.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How one connection goes, known to both ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Script {
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

pub(crate) fn connect(to: SocketAddr, seed: u64) {
    converse(TcpStream::connect(to).unwrap(), seed);
}

/// The same, of one that may be refused or cut at any moment: what comes is right as far as it comes.
#[allow(dead_code, reason = "not every test cuts")]
pub(crate) fn connect_to_what_may_go(to: SocketAddr, number: u64) {
    let resets =
        [End::ClientResets, End::ServerResets].map(|end| ENDS.iter().position(|it| *it == end));
    let place = resets[number as usize % 2].unwrap() as u64;
    // Far from the numbers of the others.
    let seed = (1 << 40) + number * ENDS.len() as u64;
    let seed = seed - seed % ENDS.len() as u64 + place;
    if let Ok(stream) = TcpStream::connect(to) {
        converse(stream, seed);
    }
}

fn converse(mut stream: TcpStream, seed: u64) {
    let script = Script::random(seed);
    let said = stream.write_all(&script.head());
    if !matches!(script.end, End::ClientResets | End::ServerResets) {
        said.unwrap();
    }
    let (up, down) = ((seed * 2, script.up), (seed * 2 + 1, script.down));
    play(&stream, script, up, down, script.end == End::ClientFirst);
}

/// A server of so many connections at once.
pub(crate) fn servants(listener: &TcpListener, count: usize) -> Vec<thread::JoinHandle<()>> {
    let servant = |_| {
        let listener = listener.try_clone().unwrap();
        thread::spawn(move || {
            while let Ok((stream, peer)) = listener.accept() {
                if peer.ip() == LAST {
                    return;
                }
                serve(stream);
            }
        })
    };
    (0..count).map(servant).collect()
}

/// Who comes from here ends a servant.
const LAST: std::net::Ipv4Addr = std::net::Ipv4Addr::new(127, 0, 0, 9);

/// Ends the servants of the server at `target`. Panics if one of them has found a wrong byte.
pub(crate) fn dismiss(servants: Vec<thread::JoinHandle<()>>, target: SocketAddr) {
    for _ in &servants {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        socket.bind(&SocketAddr::from((LAST, 0)).into()).unwrap();
        socket.connect(&target.into()).unwrap();
    }
    for servant in servants {
        servant.join().expect("a server found a wrong byte");
    }
}

/// How many connections the ledger has: NAVIGATOR_RELAY_LEDGER, or so many.
pub(crate) fn size(unless: usize) -> usize {
    std::env::var("NAVIGATOR_RELAY_LEDGER")
        .map_or(unless, |text| text.parse().expect("NAVIGATOR_RELAY_LEDGER is a number"))
}
