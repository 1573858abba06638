//! A relay hands its listening sockets to its successor while clients come: none is refused, and who is
//! talking goes on.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "relay/network.rs"]
mod network;

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream, UdpSocket},
    path::Path,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    thread,
    time::Duration,
};

use navigator_relay::{
    ForwardSet, Handover, HandoverListener, Options, Relay, Stop, raise_descriptor_limit,
};

const PATIENCE: Duration = Duration::from_secs(30);

fn echo(stream: &mut TcpStream) {
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..n]).is_err() {
            return;
        }
    }
}

fn exchange(mut stream: &TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"hello").unwrap();
    let mut buffer = [0; 5];
    stream.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"hello");
}

fn start() -> Relay {
    Relay::start(Options { workers: 2, ..Options::default() }).unwrap()
}

/// Puts a successor in the relay's place and gives what was there.
fn hand_over(relay: &mut Relay, path: &Path, set: &ForwardSet) -> Relay {
    let listener = HandoverListener::bind(path).unwrap();
    let mut successor = start();
    let to = Handover::connect(path).unwrap().unwrap();
    let from = listener.accept().unwrap();
    thread::scope(|pair| {
        pair.spawn(|| relay.hand_over(&from).unwrap());
        successor.take_over(&to).unwrap();
    });
    successor.apply(set.clone()).unwrap();
    to.say("ready").unwrap();
    from.expect("ready").unwrap();
    std::mem::replace(relay, successor)
}

#[test]
fn nobody_is_refused_while_it_is_handed_over_twice() {
    raise_descriptor_limit(8192).unwrap();
    network::own();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("handover");
    let address = echoes();
    let (port, other) = (network::free_port(), network::free_port());
    // More places than one message holds, of both kinds.
    let many: Vec<_> = (0..300).map(|_| network::free_port()).collect();
    let text = format!(
        "[forward.a]\nlisten = ':{port}'\nconnect = '{address}'\n\
         [forward.b]\nprotocol = 'udp'\nlisten = '127.0.0.1:{other}'\nconnect = '127.0.0.1:1'\n\
         [forward.c]\nlisten = '127.0.0.1:{}-{}'\nconnect = '127.0.0.1:2000'\n",
        many[0], many[299]
    );
    let set = ForwardSet::from_toml(&text).unwrap();
    let mut relay = start();
    relay.apply(set.clone()).unwrap();
    let old = TcpStream::connect(("127.0.0.1", port)).unwrap();
    exchange(&old);
    let retired = beside_clients(port, |served| {
        let mut retired = Vec::new();
        for _ in 0..2 {
            let before = served.load(Relaxed);
            let predecessor = hand_over(&mut relay, &path, &set);
            retired.push(thread::spawn(|| predecessor.retire(Stop::After(PATIENCE))));
            while served.load(Relaxed) < before + 200 {
                thread::yield_now();
            }
        }
        retired
    });
    // The first connection is still with the first relay, and its end is that relay's.
    exchange(&old);
    drop(old);
    for thread in retired {
        thread.join().unwrap();
    }
    // The last one holds all the places, and lets go of them.
    assert!(UdpSocket::bind(("127.0.0.1", other)).is_err());
    assert!(TcpListener::bind(("127.0.0.1", many[299])).is_err());
    exchange(&TcpStream::connect(("127.0.0.1", port)).unwrap());
    relay.stop(Stop::Now);
    drop(UdpSocket::bind(("127.0.0.1", other)).unwrap());
    drop(TcpListener::bind(("127.0.0.1", many[299])).unwrap());
}

/// Says back what it hears, to as many as come.
fn echoes() -> std::net::SocketAddr {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = target.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in target.incoming().flatten() {
            thread::spawn(move || echo(&mut stream));
        }
    });
    address
}

/// Does something while clients come, four at a time, and counts them.
fn beside_clients<T>(port: u16, what: impl FnOnce(&AtomicUsize) -> T) -> T {
    let (done, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Relaxed) {
                    exchange(&TcpStream::connect(("127.0.0.1", port)).unwrap());
                    served.fetch_add(1, Relaxed);
                }
            });
        }
        // Also when it fails: the clients would go on for ever.
        let _ends = Ends(&done);
        what(&served)
    })
}

struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

#[test]
fn what_one_worker_takes_for_another_is_not_lost_when_they_retire() {
    network::own();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("handover");
    let (address, port) = (echoes(), network::free_port());
    let text = format!("[forward.a]\nlisten = ':{port}'\nconnect = '{address}'\n");
    let set = ForwardSet::from_toml(&text).unwrap();
    let mut relay = start();
    relay.apply(set.clone()).unwrap();
    beside_clients(port, |served| {
        for _ in 0..40 {
            // One worker has more than the other, and gives away what it takes.
            let held = TcpStream::connect(("127.0.0.1", port)).unwrap();
            exchange(&held);
            let before = served.load(Relaxed);
            let predecessor = hand_over(&mut relay, &path, &set);
            let retired = thread::spawn(|| predecessor.retire(Stop::After(PATIENCE)));
            while served.load(Relaxed) < before + 20 {
                thread::yield_now();
            }
            exchange(&held);
            drop(held);
            retired.join().unwrap();
        }
    });
    relay.stop(Stop::Now);
}

#[test]
fn who_is_in_the_middle_of_a_hello_goes_on_with_it() {
    network::own();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("handover");
    let (address, port) = (echoes(), network::free_port());
    let text = format!(
        "[forward.a]\nlisten = ':{port}'\nconnect = '{address}'\nproxy_protocol_from = ['127.0.0.1']\n"
    );
    let set = ForwardSet::from_toml(&text).unwrap();
    let mut relay = start();
    relay.apply(set.clone()).unwrap();
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.write_all(b"PROXY TCP4 192.0.2.1 ").unwrap();
    // Taken before the next one, which is served.
    let mut other = TcpStream::connect(("127.0.0.1", port)).unwrap();
    other.write_all(b"PROXY UNKNOWN\r\n").unwrap();
    exchange(&other);
    drop(other);
    let predecessor = hand_over(&mut relay, &path, &set);
    let retired = thread::spawn(|| predecessor.retire(Stop::After(PATIENCE)));
    // The successor serves.
    let mut other = TcpStream::connect(("127.0.0.1", port)).unwrap();
    other.write_all(b"PROXY UNKNOWN\r\n").unwrap();
    exchange(&other);
    client.write_all(b"203.0.113.7 4000 443\r\n").unwrap();
    exchange(&client);
    drop((client, other));
    retired.join().unwrap();
    relay.stop(Stop::Now);
}

#[test]
fn without_a_predecessor_there_is_nothing_to_take_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("handover");
    assert!(Handover::connect(&path).unwrap().is_none());
    drop(HandoverListener::bind(&path).unwrap());
    // One that was left behind by a process that died.
    assert!(Handover::connect(&path).unwrap().is_none());
    drop(HandoverListener::bind(&path).unwrap());
}
