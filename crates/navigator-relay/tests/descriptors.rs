//! No descriptor left: what is open goes on, what comes waits, nobody spins, and it ends by itself.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "relay/network.rs"]
mod network;

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use navigator_relay::{ForwardSet, Options, Relay};
use nix::sys::{
    resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit},
    time::TimeValLike as _,
};

fn exchange(mut stream: &TcpStream) {
    stream.write_all(b"hello").unwrap();
    let mut buffer = [0; 5];
    stream.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"hello");
}

fn serve(mut stream: TcpStream) {
    let mut buffer = [0; 5];
    while stream.read_exact(&mut buffer).is_ok() && stream.write_all(&buffer).is_ok() {}
}

fn cpu_ms() -> i64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    (usage.user_time() + usage.system_time()).num_milliseconds()
}

#[test]
fn without_descriptors_accepting_pauses_and_resumes() {
    network::own();
    let echo = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let target = echo.local_addr().unwrap();
    let port = network::free_port();
    thread::spawn(move || {
        for stream in echo.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    let mut relay = Relay::start(Options { workers: 2, ..Options::default() }).unwrap();
    let text = format!("[forward.a]\nlisten = '127.0.0.1:{port}'\nconnect = '{target}'\n");
    relay.apply(ForwardSet::from_toml(&text).unwrap()).unwrap();
    let first = TcpStream::connect(("127.0.0.1", port)).unwrap();
    exchange(&first);
    // A limit counts numbers, not descriptors that are open: three clients' own sockets are made before there is none left for the relay.
    let sockets: Vec<_> = (0..3)
        .map(|_| socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap())
        .collect();
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 3, hard).unwrap();
    let to = std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    for socket in &sockets {
        socket.connect(&to.into()).unwrap();
    }
    let counters = relay.counters("a").unwrap();
    let (start, cpu) = (Instant::now(), cpu_ms());
    while start.elapsed() < Duration::from_secs(1) {
        exchange(&first);
        thread::sleep(Duration::from_millis(20));
    }
    let spent = cpu_ms() - cpu;
    assert!(spent < 300, "{spent} ms of CPU in a second of waiting");
    assert_eq!(counters.open(), 1, "nobody came in without a descriptor");
    drop(first);
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    let late: TcpStream = sockets.into_iter().next().unwrap().into();
    exchange(&late);
}
