//! Targets and clients that misbehave: nobody waits for ever, nothing is kept.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr},
    sync::mpsc::channel,
};

use navigator_relay::Refusal;
use socket2::{Domain, Socket, Type};

use crate::support::*;

#[test]
fn a_target_that_refuses_is_a_reset_at_once() {
    let (port, nobody) = (free_port(), free_port());
    let relay = relay(&entry("a", port, SocketAddr::from((HERE, nobody)), ""));
    for _ in 0..20 {
        is_reset(&client(port));
    }
    let counters = relay.counters("a").unwrap();
    eventually("all are gone", || counters.open() == 0);
    assert_eq!((counters.total(), counters.refused(Refusal::Target)), (20, 20));
}

#[test]
fn a_target_that_cannot_be_reached_is_a_reset_at_once() {
    let port = free_port();
    // Never a target: refused by the kernel in the call itself.
    let relay = relay(&entry("a", port, "255.255.255.255:1".parse().unwrap(), ""));
    is_reset(&client(port));
    let counters = relay.counters("a").unwrap();
    eventually("it is gone", || counters.open() == 0);
    assert_eq!(counters.refused(Refusal::Target), 1);
}

/// A listener whose queue is full: the kernel drops what comes.
fn silent() -> (Socket, SocketAddr, Vec<Socket>) {
    crate::network::own();
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from((HERE, 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let queue = (0..8).map(|_| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        let _ = socket.connect(&address.into());
        socket
    });
    let queue = queue.collect();
    (listener, address, queue)
}

#[test]
fn a_target_that_does_not_answer_is_given_up() {
    let (_listener, address, _queue) = silent();
    let port = free_port();
    let relay = relay(&entry("a", port, address, "connect_timeout_s = 0.3"));
    is_reset(&client(port));
    let counters = relay.counters("a").unwrap();
    eventually("it is gone", || counters.open() == 0);
    assert_eq!(counters.refused(Refusal::Target), 1);
}

#[test]
fn while_a_target_does_not_answer_others_are_served() {
    let (_listener, address, _queue) = silent();
    let echo = Target::echo();
    let (stuck, port) = (free_port(), free_port());
    let text = entry("a", stuck, address, "") + &entry("b", port, echo.address, "");
    let relay = relay(&text);
    let waiting: Vec<_> = (0..200).map(|_| client(stuck)).collect();
    for _ in 0..50 {
        exchange(&client(port), "hello");
    }
    assert_eq!(waiting.len(), 200);
    eventually("all wait", || relay.counters("a").unwrap().open() == 200);
}

#[test]
fn a_target_that_dies_in_mid_stream_resets_its_client() {
    let target = Target::start(|mut stream| {
        stream.read_exact(&mut [0; 5]).unwrap();
        reset_on_close(&stream);
    });
    let port = free_port();
    let relay = relay(&entry("a", port, target.address, ""));
    let mut client = client(port);
    client.write_all(b"hello").unwrap();
    is_reset(&client);
    eventually("it is gone", || relay.counters("a").unwrap().open() == 0);
}

#[test]
fn a_client_that_never_reads_costs_a_bounded_buffer_and_ends_by_the_idle_timeout() {
    let (told, hears) = channel();
    let target = Target::start(move |mut stream| {
        let chunk = [7; 65_536];
        let mut sent = 0_u64;
        while let Ok(n) = stream.write(&chunk) {
            sent += n as u64;
        }
        told.send(sent).unwrap();
    });
    let port = free_port();
    let relay = relay(&entry("a", port, target.address, "idle_timeout_s = 0.5"));
    let lazy = client(port);
    let sent = hears.recv_timeout(PATIENCE).expect("the target was never told");
    assert!(sent < 64 << 20, "{sent} bytes were buffered");
    eventually("it is gone", || relay.counters("a").unwrap().open() == 0);
    drop(lazy);
}

#[test]
fn a_target_that_never_reads_costs_a_bounded_buffer_and_ends_by_the_idle_timeout() {
    let (leave, stays) = channel::<()>();
    let stays = std::sync::Mutex::new(stays);
    let target = Target::start(move |stream| {
        let _ = stays.lock().unwrap().recv_timeout(PATIENCE);
        drop(stream);
    });
    let port = free_port();
    let relay = relay(&entry("a", port, target.address, "idle_timeout_s = 0.5"));
    let mut client = client(port);
    let (chunk, mut sent) = ([7; 65_536], 0_u64);
    let error = loop {
        match client.write(&chunk) {
            Ok(n) => sent += n as u64,
            Err(error) => break error,
        }
    };
    assert!(sent < 64 << 20, "{sent} bytes were buffered");
    assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "the client was never told");
    eventually("it is gone", || relay.counters("a").unwrap().open() == 0);
    drop(leave);
}

#[test]
fn a_peer_that_half_closes_and_stays_does_not_leak() {
    let (told, hears) = channel();
    let target = Target::start(move |mut stream| {
        assert_eq!(stream.read_to_end(&mut Vec::new()).unwrap(), 5);
        // Says nothing and never closes by itself: only the relay ends it.
        let _ = stream.set_read_timeout(Some(PATIENCE));
        while stream.write(b"").is_ok() && stream.take_error().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        told.send(()).unwrap();
    });
    let port = free_port();
    let relay = relay(&entry("a", port, target.address, "half_closed_timeout_s = 3"));
    let mut client = client(port);
    client.write_all(b"hello").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    is_reset(&client);
    hears.recv_timeout(PATIENCE).expect("the target was never told");
    eventually("it is gone", || relay.counters("a").unwrap().open() == 0);
}

#[test]
fn after_a_half_close_the_other_half_goes_on() {
    let target = Target::start(|mut stream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        for byte in all {
            stream.write_all(&[byte]).unwrap();
        }
    });
    let port = free_port();
    let _relay = relay(&entry("a", port, target.address, ""));
    let mut client = client(port);
    client.write_all(b"hello").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"hello");
}

#[test]
fn ipv4_leads_to_ipv6_and_back() {
    crate::network::own();
    let six = std::net::TcpListener::bind("[::1]:0").unwrap();
    let six_address = six.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = six.accept().unwrap();
        stream.write_all(b"six").unwrap();
    });
    let four = Target::says("four");
    let (a, b) = (free_port(), free_port());
    let text = format!(
        "[forward.a]\nlisten = '127.0.0.1:{a}'\nconnect = '{six_address}'\n\
         [forward.b]\nlisten = ':{b}'\nconnect = '{}'\n",
        four.address
    );
    let _relay = relay(&text);
    hears(&client(a), "six");
    hears(&client(b), "four");
    hears(&std::net::TcpStream::connect(("::1", b)).unwrap(), "four");
}

#[test]
fn what_is_said_before_the_target_answers_reaches_it_once() {
    let (listener, address, queue) = silent();
    let port = free_port();
    // With a header there is something to say at once.
    let relay = relay(&entry("a", port, address, "proxy_protocol = 'v1'"));
    let mut client = client(port);
    client.write_all(b"hello").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    eventually("it came", || relay.counters("a").unwrap().open() == 1);
    drop(queue);
    // It asks again after a second, and finds room. Those of the queue say nothing.
    let mut text = String::new();
    let mut target = None;
    while text.is_empty() {
        let mut stream = std::net::TcpStream::from(listener.accept().unwrap().0);
        stream.read_to_string(&mut text).unwrap();
        target = Some(stream);
    }
    let from = client.local_addr().unwrap().port();
    assert_eq!(text, format!("PROXY TCP4 127.0.0.1 127.0.0.1 {from} {port}\r\nhello"));
    target.unwrap().write_all(b"bye").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "bye");
}
