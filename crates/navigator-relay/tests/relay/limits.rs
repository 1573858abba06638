//! What a forward lets in, and that its flood is its own affair.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use navigator_relay::Refusal;

use crate::support::*;

#[test]
fn only_allowed_sources_come_in() {
    let echo = Target::echo();
    let port = free_port();
    let relay = relay(&entry("a", port, echo.address, "allowed_sources = ['127.0.0.8/31']"));
    exchange(&client_from(Ipv4Addr::new(127, 0, 0, 9), port), "hello");
    is_reset(&client_from(Ipv4Addr::new(127, 0, 0, 7), port));
    assert_eq!(relay.counters("a").unwrap().refused(Refusal::Source), 1);
}

#[test]
fn a_dual_stack_listener_knows_ipv4_clients_as_such() {
    let echo = Target::echo();
    let port = free_port();
    let text = format!(
        "[forward.a]\nlisten = ':{port}'\nconnect = '{}'\nallowed_sources = ['127.0.0.0/8']\n",
        echo.address
    );
    let _relay = relay(&text);
    exchange(&client(port), "hello");
    is_reset(&std::net::TcpStream::connect(("::1", port)).unwrap());
}

#[test]
fn no_more_connections_than_allowed_are_open() {
    let echo = Target::echo();
    let port = free_port();
    let relay = relay(&entry("a", port, echo.address, "max_connections = 3"));
    let mut open: Vec<_> = (0..3).map(|_| client(port)).collect();
    open.iter().for_each(|stream| exchange(stream, "hello"));
    is_reset(&client(port));
    open.pop();
    let counters = relay.counters("a").unwrap();
    eventually("one has left", || counters.open() == 2);
    exchange(&client(port), "hello");
    assert_eq!(counters.refused(Refusal::Connections), 1);
}

#[test]
fn no_more_new_connections_than_allowed_in_a_second() {
    let echo = Target::echo();
    let (slow, other) = (free_port(), free_port());
    let relay = relay(
        &(entry("a", slow, echo.address, "max_new_per_second = 1")
            + &entry("b", other, echo.address, "")),
    );
    let start = Instant::now();
    let flood: Vec<_> = (0..100).map(|_| client(slow)).collect();
    exchange(&client(other), "hello");
    let counters = relay.counters("a").unwrap();
    eventually("all were looked at", || counters.total() == 100);
    let let_in = 100 - counters.refused(Refusal::Rate);
    let most = 2 + start.elapsed().as_secs();
    assert!((1..=most).contains(&let_in), "{let_in} let in, at most {most} expected");
    drop(flood);
}

#[test]
fn a_flood_beyond_a_forwards_limit_leaves_the_others_serving() {
    // Ports towards a target are limited too, so each has its own.
    let (flooded_too, echo) = (Target::echo(), Target::echo());
    let (flooded, other) = (free_port(), free_port());
    let relay = relay(
        &(entry("a", flooded, flooded_too.address, "max_connections = 100")
            + &entry("b", other, echo.address, "")),
    );
    let steady = client(other);
    let (over, start) = (AtomicBool::new(false), Instant::now());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Relaxed) && start.elapsed() < PATIENCE {
                    if let Ok(stream) = TcpStream::connect((HERE, flooded)) {
                        reset_on_close(&stream);
                    }
                }
            });
        }
        eventually("the flood has begun", || relay.counters("a").unwrap().total() > 100);
        for _ in 0..50 {
            exchange(&steady, "hello");
            exchange(&client(other), "hello");
        }
        over.store(true, Relaxed);
    });
    assert_eq!(relay.counters("b").unwrap().total(), 51);
}

#[test]
fn bytes_are_slowed_down_to_what_is_allowed() {
    const LENGTH: usize = 400_000;
    let target = Target::start(|mut stream| {
        stream.write_all(&vec![7; LENGTH]).unwrap();
    });
    let port = free_port();
    let relay = relay(&entry("a", port, target.address, "max_bytes_per_second = 500000"));
    let start = Instant::now();
    let mut all = Vec::new();
    client(port).read_to_end(&mut all).unwrap();
    assert_eq!(all.len(), LENGTH);
    // The first tenth of a second is a burst, and the last piece is not waited for.
    assert!(start.elapsed() >= Duration::from_millis(550), "{:?}", start.elapsed());
    assert_eq!(relay.counters("a").unwrap().bytes(), (0, LENGTH as u64));
}
