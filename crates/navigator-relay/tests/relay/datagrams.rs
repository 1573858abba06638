//! UDP: who asks gets the answer, and sessions end.

use std::{
    net::{SocketAddr, UdpSocket},
    process::Command,
    thread,
};

use navigator_relay::{Refusal, Relay, raise_descriptor_limit};
use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};

use crate::support::*;

fn udp(name: &str, listen: u16, connect: SocketAddr, more: &str) -> String {
    entry(name, listen, connect, &format!("protocol = 'udp'\n{more}"))
}

/// Says back what it hears, until the test ends.
fn echo(at: &str) -> SocketAddr {
    crate::network::own();
    let socket = UdpSocket::bind(at).unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = vec![0; 65_536];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&buffer[..length], from);
        }
    });
    address
}

fn client_to(port: u16) -> UdpSocket {
    let socket = UdpSocket::bind((HERE, 0)).unwrap();
    socket.connect((HERE, port)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn ask(socket: &UdpSocket, bytes: &[u8]) {
    socket.send(bytes).unwrap();
    let mut buffer = vec![0; 65_536];
    let length = socket.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], bytes);
}

fn open(relay: &Relay) -> u64 {
    relay.counters("a").unwrap().open()
}

#[test]
fn a_thousand_interleaved_flows_get_their_own_answers() {
    const FLOWS: usize = 1000;
    /// Datagrams under way at once: what a socket's buffer holds in any case.
    const WINDOW: usize = 40;
    raise_descriptor_limit(8192).unwrap();
    let port = free_port();
    let relay = relay(&udp("a", port, echo("127.0.0.1:0"), ""));
    let clients: Vec<_> = (0..FLOWS).map(|_| client_to(port)).collect();
    for round in 0..5_u32 {
        // Another order each time, so that flows mix in the batches.
        let order: Vec<usize> = (0..FLOWS).map(|n| (n * 7 + round as usize * 13) % FLOWS).collect();
        for window in order.chunks(WINDOW) {
            let said = |n: usize| [&(n as u32).to_be_bytes()[..], &round.to_be_bytes()].concat();
            for n in window {
                clients[*n].send(&said(*n)).unwrap();
            }
            for n in window {
                let mut buffer = [0; 64];
                let length = clients[*n].recv(&mut buffer).unwrap();
                assert_eq!(buffer[..length], said(*n), "flow {n}, round {round}");
            }
        }
    }
    assert_eq!(open(&relay), FLOWS as u64);
    let counters = relay.counters("a").unwrap();
    assert_eq!((counters.total(), counters.bytes()), (FLOWS as u64, (40_000, 40_000)));
}

#[test]
fn trains_keep_the_sizes_of_their_datagrams() {
    let port = free_port();
    let _relay = relay(&udp("a", port, echo("127.0.0.1:0"), ""));
    let client = client_to(port);
    setsockopt(&client, UdpGsoSegment, &1000).unwrap();
    let all: Vec<u8> = (0..10_500_u32).map(|n| n as u8).collect();
    client.send(&all).unwrap();
    let (mut heard, mut buffer) = (Vec::new(), vec![0; 65_536]);
    for n in 0..11 {
        let length = client.recv(&mut buffer).unwrap();
        assert_eq!(length, if n < 10 { 1000 } else { 500 });
        heard.extend_from_slice(&buffer[..length]);
    }
    assert_eq!(heard, all);
}

#[test]
fn datagrams_of_any_size_pass() {
    let port = free_port();
    let _relay = relay(&udp("a", port, echo("127.0.0.1:0"), ""));
    let client = client_to(port);
    for size in [0, 1, 1472, 1473, 9000, 65_507] {
        ask(&client, &vec![7; size]);
    }
}

#[test]
fn each_of_several_flows_that_mix_keeps_its_order() {
    let port = free_port();
    let _relay = relay(&udp("a", port, echo("127.0.0.1:0"), ""));
    let clients: Vec<_> = (0..4).map(|_| client_to(port)).collect();
    for round in 0..20_u8 {
        // Of some sizes, so that there are trains of several and single ones.
        let said = |n: u8, who: usize| vec![n; 100 + usize::from(n / 8) * 10 + who];
        for n in round..round + 30 {
            for (who, client) in clients.iter().enumerate() {
                client.send(&said(n, who)).unwrap();
            }
        }
        let mut buffer = [0; 2048];
        for (who, client) in clients.iter().enumerate() {
            for n in round..round + 30 {
                let length = client.recv(&mut buffer).unwrap();
                assert_eq!(buffer[..length], said(n, who), "{who}, round {round}");
            }
        }
    }
}

#[test]
fn datagrams_that_a_link_takes_in_pieces_only_go_one_by_one() {
    let port = free_port();
    let _relay = relay(&udp("a", port, echo("127.0.0.1:0"), ""));
    let small = Command::new("ip").args(["link", "set", "lo", "mtu", "600"]).status();
    assert!(small.unwrap().success());
    let client = client_to(port);
    let mut buffer = [0; 2048];
    for _ in 0..20 {
        let said = |n: u8| vec![n; 1000];
        for n in 0..20 {
            client.send(&said(n)).unwrap();
        }
        for n in 0..20 {
            let length = client.recv(&mut buffer).unwrap();
            assert_eq!(buffer[..length], said(n));
        }
    }
}

#[test]
fn silent_sessions_end() {
    let port = free_port();
    let relay = relay(&udp("a", port, echo("127.0.0.1:0"), "idle_timeout_s = 2"));
    let client = client_to(port);
    ask(&client, b"hello");
    eventually("the session ends", || open(&relay) == 0);
    ask(&client, b"again");
    assert_eq!(relay.counters("a").unwrap().total(), 2);
}

#[test]
fn an_unreachable_target_ends_the_session() {
    let (port, nobody) = (free_port(), free_port());
    let relay = relay(&udp("a", port, SocketAddr::from((HERE, nobody)), ""));
    client_to(port).send(b"hello").unwrap();
    eventually("the session ends", || {
        open(&relay) == 0 && relay.counters("a").unwrap().refused(Refusal::Target) == 1
    });
}

#[test]
fn answers_come_from_the_address_that_was_asked() {
    let port = free_port();
    let text = format!(
        "[forward.a]\nprotocol = 'udp'\nlisten = ':{port}'\nconnect = '{}'\n\
         [forward.b]\nprotocol = 'udp'\nlisten = '0.0.0.0:{}'\nconnect = '{}'\n",
        echo("127.0.0.1:0"),
        port + 1,
        echo("[::1]:0"),
    );
    let _relay = relay(&text);
    for (from, to) in [
        ("127.0.0.1:0", format!("127.0.0.7:{port}")),
        ("127.0.0.1:0", format!("127.0.0.8:{port}")),
        ("[::1]:0", format!("[::1]:{port}")),
        ("127.0.0.1:0", format!("127.0.0.9:{}", port + 1)),
    ] {
        let socket = UdpSocket::bind(from).unwrap();
        // A connected socket hears only whom it asked.
        socket.connect(to).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        ask(&socket, b"hello");
    }
}

#[test]
fn limits_hold_for_sessions() {
    let port = free_port();
    let relay = relay(&udp("a", port, echo("127.0.0.1:0"), "max_connections = 2"));
    let clients: Vec<_> = (0..3).map(|_| client_to(port)).collect();
    ask(&clients[0], b"hello");
    ask(&clients[1], b"hello");
    clients[2].send(b"hello").unwrap();
    let refused = || relay.counters("a").unwrap().refused(Refusal::Connections);
    eventually("the third is refused", || refused() == 1);
    ask(&clients[0], b"still there");
}

#[test]
fn sessions_end_with_their_forward_and_others_go_on() {
    let (port, other) = (free_port(), free_port());
    let target = echo("127.0.0.1:0");
    let stays = udp("a", other, target, "");
    let mut relay = relay(&(stays.clone() + &udp("b", port, target, "")));
    let (gone, kept) = (client_to(port), client_to(other));
    ask(&gone, b"hello");
    ask(&kept, b"hello");
    relay.apply(set(&stays)).unwrap();
    ask(&kept, b"still there");
    // Nobody is there any more: the kernel says so.
    gone.send(b"hello").unwrap();
    assert!(gone.recv(&mut [0; 64]).is_err());
    assert_eq!(relay.counters("a").unwrap().total(), 1);
    // And the port is free again.
    drop(UdpSocket::bind((HERE, port)).unwrap());
}
