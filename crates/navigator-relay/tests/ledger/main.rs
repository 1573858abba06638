//! Every byte is accounted for: connections of random sizes, in random pieces, ended in every way, and
//! afterwards no descriptor is left. `NAVIGATOR_RELAY_LEDGER=10000` is the full size.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../relay/network.rs"]
mod network;
mod script;

#[allow(dead_code, reason = "no TLS client is needed here")]
#[path = "../relay/authority.rs"]
mod authority;

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Instant,
};

use navigator_relay::{ForwardSet, Options, Relay};

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn every_byte_arrives_once_and_no_descriptor_is_left() {
    network::own();
    let port = network::free_port();
    ledger(script::size(600), port, |target| {
        format!("[forward.ledger]\nlisten = '127.0.0.1:{port}'\nconnect = '{target}'\n")
    });
}

/// Plaintext becomes TLS at one port of the relay and plaintext again at another one.
#[test]
fn every_byte_arrives_once_through_tls_and_no_descriptor_is_left() {
    network::own();
    let authority = authority::Authority::new();
    let (port, between) = (network::free_port(), network::free_port());
    let (files, ca) = (authority.issue("inside.example"), authority.file());
    ledger(script::size(300), port, |target| {
        format!(
            "[forward.ledger]\nlisten = '127.0.0.1:{port}'\nconnect = '127.0.0.1:{between}'\n\
             connect_tls = {{ ca = '{}', name = 'inside.example' }}\n\
             [forward.between]\nlisten = '127.0.0.1:{between}'\nconnect = '{target}'\n\
             tls = {{ {} }}\n",
            ca.display(),
            files.toml()
        )
    });
}

fn ledger(count: usize, port: u16, text: impl FnOnce(SocketAddr) -> String) {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let target = server.local_addr().unwrap();
    let servants = script::servants(&server, 16);
    let mut relay = Relay::start(Options::default()).unwrap();
    relay.apply(ForwardSet::from_toml(&text(target)).unwrap()).unwrap();
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
                    script::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), seed as u64);
                }
            });
        }
    });
    let counters = relay.counters("ledger").unwrap();
    let start = Instant::now();
    // Connections that ended before they were taken are counted late.
    while counters.total() < count as u64 || counters.open() > 0 || descriptors() > before {
        let (open, now) = (counters.open(), descriptors());
        assert!(
            start.elapsed() < script::PATIENCE,
            "{open} open, {now} descriptors, {before} before"
        );
        thread::yield_now();
    }
    assert_eq!(counters.total(), count as u64);
    relay.stop(navigator_relay::Stop::Now);
    script::dismiss(servants, target);
}
