//! One forward's clients want more descriptors than there are: they wait, and the others' are served.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "relay/network.rs"]
mod network;

use std::{
    fs::File,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::AsRawFd as _,
    sync::{Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

use navigator_relay::{ForwardSet, Options, Refusal, Relay};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};

/// The limit is the whole process's.
static ALONE: Mutex<()> = Mutex::new(());

/// Descriptors that the relay may use beside those that are open already.
const LEFT: u64 = 200;

fn alone() -> MutexGuard<'static, ()> {
    let guard = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    network::own();
    guard
}

fn here(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn exchange(mut stream: &TcpStream) {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(b"hello").unwrap();
    let mut buffer = [0; 5];
    stream.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"hello");
}

fn echo() -> SocketAddr {
    let listener = TcpListener::bind(here(0)).unwrap();
    let address = listener.local_addr().unwrap();
    answer(listener);
    address
}

fn answer(listener: TcpListener) {
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut buffer = [0; 5];
                while stream.read_exact(&mut buffer).is_ok() && stream.write_all(&buffer).is_ok() {}
            });
        }
    });
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Sockets that are there before the limit is.
fn sockets(count: usize, kind: Type) -> Vec<Socket> {
    (0..count).map(|_| Socket::new(Domain::IPV4, kind, None).unwrap()).collect()
}

fn open_now() -> u64 {
    std::fs::read_dir("/proc/self/fd").unwrap().count() as u64
}

/// The number that the next one gets. A count would miss what a thread that waits in `accept` has taken.
fn next_descriptor() -> u64 {
    File::open("/dev/null").unwrap().as_raw_fd().try_into().unwrap()
}

struct Limit(u64, u64);

impl Limit {
    fn set(most: u64) -> Self {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, most, hard).unwrap();
        Self(soft, hard)
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        setrlimit(Resource::RLIMIT_NOFILE, self.0, self.1).unwrap();
    }
}

/// Four hundred clients of forward `a`, which none of them leaves, and some of `b`.
fn flood(kind: Type, entry: &str) {
    let _alone = alone();
    // It takes no connection, so only the relay's descriptors count.
    let silent = TcpListener::bind(here(0)).unwrap();
    let _silent = UdpSocket::bind(silent.local_addr().unwrap()).unwrap();
    let (port, other) = (network::free_port(), network::free_port());
    let (flood, few) = (sockets(400, kind), sockets(5, Type::STREAM));
    let text = format!(
        "[forward.a]\nlisten = '{}'\nconnect = '{}'\n{entry}\n[forward.b]\nlisten = '{}'\nconnect = '{}'\n",
        here(port),
        silent.local_addr().unwrap(),
        here(other),
        echo(),
    );
    let mut relay = Relay::start(Options { workers: 2, ..Options::default() }).unwrap();
    let _limit = Limit::set(open_now() + LEFT);
    relay.apply(ForwardSet::from_toml(&text).unwrap()).unwrap();
    for socket in &flood {
        socket.connect(&here(port).into()).unwrap();
        if kind == Type::DGRAM {
            socket.send(b"hello").unwrap();
        }
    }
    let (a, b) = (relay.counters("a").unwrap(), relay.counters("b").unwrap());
    eventually("there are none left for a", || a.refused(Refusal::Descriptors) > 0);
    let few: Vec<TcpStream> = few
        .into_iter()
        .map(|socket| {
            socket.connect(&here(other).into()).unwrap();
            socket.into()
        })
        .collect();
    few.iter().for_each(exchange);
    assert_eq!((b.open(), b.refused(Refusal::Descriptors)), (5, 0));
    drop((few, flood));
    eventually("b's have gone", || b.open() == 0);
    for _ in 0..100 {
        exchange(&TcpStream::connect(here(other)).unwrap());
    }
}

#[test]
fn clients_that_stay_leave_some_for_another_forward() {
    flood(Type::STREAM, "");
}

#[test]
fn clients_that_say_nothing_leave_some_for_another_forward() {
    flood(Type::STREAM, "sni = ['a.example']");
}

#[test]
fn udp_sessions_leave_some_for_another_forward() {
    flood(Type::DGRAM, "protocol = 'udp'");
}

#[test]
fn a_target_without_a_descriptor_costs_one_client_its_connection_and_the_others_wait() {
    let _alone = alone();
    let port = network::free_port();
    let clients = sockets(200, Type::STREAM);
    let target = TcpListener::bind(here(0)).unwrap();
    let leads_to = target.local_addr().unwrap();
    let text = format!("[forward.a]\nlisten = '{}'\nconnect = '{leads_to}'\n", here(port));
    let mut relay = Relay::start(Options { workers: 1, ..Options::default() }).unwrap();
    relay.apply(ForwardSet::from_toml(&text).unwrap()).unwrap();
    let counters = relay.counters("a").unwrap();
    // One more, for the client. The relay has counted on those that there were.
    let limit = Limit::set(next_descriptor() + 1);
    let start = Instant::now();
    for socket in &clients {
        socket.connect(&here(port).into()).unwrap();
    }
    eventually("one has missed it", || counters.refused(Refusal::Descriptors) > 0);
    thread::sleep(Duration::from_millis(300));
    let refused = counters.total();
    let most = start.elapsed().as_millis() as u64 / 100 + 2;
    assert!((1..=most).contains(&refused), "{refused} of 200 were refused, at most {most} should");
    drop(limit);
    answer(target);
    exchange(&clients.into_iter().next_back().unwrap().into());
}
