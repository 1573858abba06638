//! Connection tracking in private namespaces of the real kernel, with real packets.

// A test fails by panicking, its helpers too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "nft_support/host.rs"]
mod host;
#[path = "nft_support/skeleton.rs"]
mod skeleton;

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use navigator_drivers::{conntrack::Conntrack, nft::Nft};
use navigator_model::{L4Port, L4PortRange, Protocol};
use navigator_state::{
    FlowMatch,
    nft::{Element, Tuple},
};

use host::{alone, inside, run, wire};
use skeleton::{GATEWAY, ROUTER, SERVER, change, forward, key, target};

/// Wires three hosts and opens the router's nftables, with the skeleton, and conntrack.
fn router() -> (Nft, Conntrack) {
    wire();
    inside("router", || {
        let mut nft = Nft::open().unwrap();
        nft.replace_skeleton(ROUTER, false, &[]).unwrap();
        (nft, Conntrack::open().unwrap())
    })
    .join()
    .unwrap()
}

fn ports(first: u16, last: u16) -> L4PortRange {
    let port = |number| L4Port::new(number).unwrap();
    L4PortRange::new(port(first), port(last)).unwrap()
}

fn destination(protocol: Protocol, first: u16, last: u16) -> FlowMatch {
    let (address, ports) = (GATEWAY, ports(first, last));
    FlowMatch::Destination { address, protocol, ports, translated_to: None }
}

fn address(address: Ipv4Addr) -> FlowMatch {
    FlowMatch::Address { address, translated_to: None }
}

/// Answers every datagram to `port` with the sender's address; counts them.
fn udp_echo(port: u16) -> Arc<AtomicU64> {
    let count = Arc::new(AtomicU64::new(0));
    let counter = count.clone();
    let (ready, opened) = std::sync::mpsc::channel();
    let _ = inside("server", move || {
        let socket = UdpSocket::bind((SERVER, port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        ready.send(()).unwrap();
        let mut buffer = [0; 64];
        while let Ok((_, peer)) = socket.recv_from(&mut buffer) {
            counter.fetch_add(1, Ordering::SeqCst);
            let _ = socket.send_to(peer.to_string().as_bytes(), peer);
        }
    });
    opened.recv().unwrap();
    count
}

/// How often who expects an answer asks for it.
const PATIENTLY: usize = 60;

fn socket_to(address: Ipv4Addr, port: u16) -> UdpSocket {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    socket.connect((address, port)).unwrap();
    socket
}

/// Asks an echo so often, each time for half a second; the address under which it saw us.
fn answer(socket: &UdpSocket, times: usize) -> Option<SocketAddr> {
    let mut buffer = [0; 64];
    let mut asked = || socket.send(b"?").and_then(|_| socket.recv(&mut buffer)).ok();
    let length = (0..times).find_map(|_| asked())?;
    String::from_utf8_lossy(&buffer[..length]).parse().ok()
}

/// Asks an echo until it answers; the address under which it saw us.
fn ask(host: &'static str, address: Ipv4Addr, port: u16) -> Option<SocketAddr> {
    inside(host, move || answer(&socket_to(address, port), PATIENTLY)).join().unwrap()
}

fn ask_once(host: &'static str, address: Ipv4Addr, port: u16) -> Option<SocketAddr> {
    inside(host, move || answer(&socket_to(address, port), 1)).join().unwrap()
}

fn entries() -> String {
    run("ip netns exec router conntrack -L -o extended")
}

/// Entries that lead from the gateway's address to the server. A late answer of the server makes
/// an entry of its own, which is none of these.
fn stale() -> usize {
    entries()
        .lines()
        .filter(|line| line.contains("dst=198.51.100.1 ") && line.contains("src=10.0.0.5 "))
        .filter(|line| line.find("src=198.51.100.5 ") < line.find("src=10.0.0.5 "))
        .count()
}

/// Whether nothing arrives any more once the server has read what was behind the router already.
/// The flood pauses for 500 µs at most: one flow with the old target is never silent for so long.
fn falls_silent(delivered: &AtomicU64) -> bool {
    (0..20).any(|_| {
        let before = delivered.load(Ordering::SeqCst);
        thread::sleep(Duration::from_millis(50));
        delivered.load(Ordering::SeqCst) == before
    })
}

#[test]
fn the_map_leads_udp_and_tcp_from_outside_from_the_instance_and_from_the_router() {
    alone(|| {
        let (mut nft, _) = router();
        let floating = Ipv4Addr::new(198, 51, 100, 8);
        run("ip -n router addr add 198.51.100.8/32 dev qg-0123456-78");
        let to = |address| Some(Element { key_end: None, data: Some(Tuple::new().ipv4(address)) });
        let changes = [
            forward(Protocol::Udp, 8080, 80),
            forward(Protocol::Udp, 8081, 80),
            forward(Protocol::Tcp, 8080, 80),
            change("masqueraded", key(Protocol::Udp, 8081), None, Some(Element::default())),
            change("floating_to_fixed", Tuple::new().ipv4(floating), None, to(SERVER)),
            change("fixed_to_floating", Tuple::new().ipv4(SERVER), None, to(floating)),
        ];
        assert!(nft.change_elements(&changes).iter().all(Result::is_ok));
        udp_echo(80);
        let seen = |host, address, port| ask(host, address, port).unwrap().ip().to_string();
        assert_eq!(seen("client", GATEWAY, 8080), "198.51.100.5");
        assert_eq!(seen("client", GATEWAY, 8081), "10.0.0.1");
        assert_eq!(seen("client", floating, 80), "198.51.100.5");
        assert_eq!(seen("server", GATEWAY, 8080), "10.0.0.1");
        assert_eq!(seen("server", floating, 80), "10.0.0.1");
        assert_eq!(seen("router", GATEWAY, 8080), "10.0.0.1");
        assert_eq!(seen("router", floating, 80), "10.0.0.1");

        let listener = inside("server", || TcpListener::bind((SERVER, 80)).unwrap());
        let listener = listener.join().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                stream.unwrap().write_all(b"here").unwrap();
            }
        });
        for host in ["client", "server", "router"] {
            let answer = inside(host, || {
                let mut answer = String::new();
                TcpStream::connect((GATEWAY, 8080)).unwrap().read_to_string(&mut answer).unwrap();
                answer
            });
            assert_eq!(answer.join().unwrap(), "here", "{host}");
        }
    });
}

#[test]
fn a_restricted_forward_lets_only_the_allowed_sources_pass() {
    alone(|| {
        let (mut nft, _) = router();
        let allow = |last| {
            let source = |last| key(Protocol::Udp, 8080).ipv4(Ipv4Addr::new(198, 51, 100, last));
            let end = Some(source(last));
            let element = Element { key_end: end, data: None };
            change("allowed", source(2), None, Some(element))
        };
        let restricted = key(Protocol::Udp, 8080);
        let changes = [
            forward(Protocol::Udp, 8080, 80),
            change("restricted", restricted, None, Some(Element::default())),
            allow(4),
        ];
        assert!(nft.change_elements(&changes).iter().all(Result::is_ok));
        udp_echo(80);
        assert_eq!(ask_once("client", GATEWAY, 8080), None);
        let mut wider = allow(5);
        wider.remove = allow(4).add;
        assert!(nft.change_elements(&[wider]).iter().all(Result::is_ok));
        assert!(ask("client", GATEWAY, 8080).is_some());
    });
}

#[test]
fn exactly_the_matching_flows_are_deleted() {
    alone(|| {
        let (mut nft, mut conntrack) = router();
        let forwards: Vec<_> = (8080..8090).map(|port| forward(Protocol::Udp, port, 80)).collect();
        assert!(nft.change_elements(&forwards).iter().all(Result::is_ok));
        udp_echo(80);
        for port in 8080..8090 {
            ask("client", GATEWAY, port).unwrap();
        }
        run("ip netns exec router conntrack -I -p tcp -s 198.51.100.5 -d 198.51.100.1 \
             --sport 1 --dport 8085 --state ESTABLISHED -t 99 -u ASSURED");
        assert_eq!(conntrack.count().unwrap(), 11);
        assert_eq!(conntrack.flush(&[]).unwrap(), 0);
        assert_eq!(conntrack.flush(&[destination(Protocol::Udp, 1, 8079)]).unwrap(), 0);
        assert_eq!(conntrack.flush(&[destination(Protocol::Udp, 8083, 8085)]).unwrap(), 3);
        let left = entries();
        for port in 8080..8090 {
            let gone = (8083..=8085).contains(&port);
            let there = left
                .lines()
                .any(|line| line.contains("udp") && line.contains(&format!("dport={port} ")));
            assert_ne!(there, gone, "{port} in {left}");
        }
        let other = address(Ipv4Addr::new(203, 0, 113, 1));
        assert_eq!(conntrack.flush(std::slice::from_ref(&other)).unwrap(), 0);
        let both = [destination(Protocol::Udp, 8080, 8080), destination(Protocol::Tcp, 8085, 8085)];
        assert_eq!(conntrack.flush(&both).unwrap(), 2);
        assert_eq!(conntrack.count().unwrap(), 6);
        assert_eq!(conntrack.flush(&[address(GATEWAY)]).unwrap(), 6);
        assert_eq!(conntrack.count().unwrap(), 0);
    });
}

#[test]
fn a_known_flow_is_translated_through_a_foreign_flush() {
    alone(|| {
        let (mut nft, _conntrack) = router();
        assert!(nft.change_elements(&[forward(Protocol::Udp, 8080, 80)]).iter().all(Result::is_ok));
        udp_echo(80);
        let (talks, told) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
        let client = inside("client", move || {
            let socket = socket_to(GATEWAY, 8080);
            assert!(answer(&socket, PATIENTLY).is_some());
            talks.0.send(()).unwrap();
            told.1.recv().unwrap();
            answer(&socket, PATIENTLY).is_some()
        });
        talks.1.recv().unwrap();
        run("ip netns exec router nft flush ruleset");
        assert_eq!(nft.observe(None).unwrap().unwrap().skeleton, "");
        told.0.send(()).unwrap();
        assert!(client.join().unwrap());
        assert_eq!(ask_once("client", GATEWAY, 8080), None);
    });
}

#[test]
fn flows_that_lead_where_they_should_are_spared() {
    alone(|| {
        let (mut nft, mut conntrack) = router();
        assert!(nft.change_elements(&[forward(Protocol::Udp, 8080, 80)]).iter().all(Result::is_ok));
        udp_echo(80);
        ask("client", GATEWAY, 8080).unwrap();
        // Before its forward exists: this entry is not translated.
        assert_eq!(ask_once("client", GATEWAY, 8081), None);
        assert_eq!(conntrack.count().unwrap(), 2);
        let leading_to = |inside: u16| FlowMatch::Destination {
            address: GATEWAY,
            protocol: Protocol::Udp,
            ports: ports(8080, 8081),
            translated_to: Some((SERVER, ports(inside, inside))),
        };
        assert_eq!(conntrack.flush(&[leading_to(80)]).unwrap(), 1);
        assert!(entries().contains("dport=8080 "), "{}", entries());
        assert_eq!(conntrack.flush(&[leading_to(80)]).unwrap(), 0);
        assert_eq!(conntrack.flush(&[leading_to(81)]).unwrap(), 1);
    });
}

#[test]
fn flows_from_a_floating_address_are_found_by_their_replies() {
    alone(|| {
        let (_, mut conntrack) = router();
        // From the instance outwards: the original destination is the client, the replies go to
        // the router's address.
        assert_eq!(ask_once("server", Ipv4Addr::new(198, 51, 100, 5), 9), None);
        assert_eq!(conntrack.count().unwrap(), 1);
        assert_eq!(conntrack.flush(&[destination(Protocol::Udp, 1, 65535)]).unwrap(), 0);
        assert_eq!(conntrack.flush(&[address(GATEWAY)]).unwrap(), 1);
    });
}

#[test]
fn flows_in_every_zone_are_deleted() {
    alone(|| {
        let (_, mut conntrack) = router();
        for (source, zone) in
            [(1, ""), (1, "--zone 7"), (2, "--orig-zone 9"), (3, "--reply-zone 11")]
        {
            run(&format!(
                "ip netns exec router conntrack -I -p udp -s 198.51.100.5 -d 198.51.100.1 \
                 --sport {source} --dport 53 -t 99 {zone}"
            ));
        }
        assert_eq!(conntrack.count().unwrap(), 4);
        assert_eq!(conntrack.flush(&[destination(Protocol::Udp, 53, 53)]).unwrap(), 4);
        assert_eq!(conntrack.count().unwrap(), 0);
    });
}

/// Waits until something arrives and each of them has sent more than once: the first one may have been
/// under way before. Not for ever.
fn flood_goes_on(delivered: &AtomicU64, sent: &[Arc<AtomicU64>]) -> bool {
    let count = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
    let arrived = count(delivered);
    let before: Vec<_> = sent.iter().map(|sent| count(sent)).collect();
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(30) {
        let all = sent.iter().zip(&before).all(|(sent, before)| count(sent) > before + 1);
        if all && count(delivered) > arrived + 20 {
            return true;
        }
        thread::sleep(Duration::from_millis(5));
    }
    false
}

#[test]
fn rule_first_then_flows_leaves_nothing_at_the_old_target() {
    alone(|| {
        let (mut nft, mut conntrack) = router();
        let forwards: Vec<_> = (8000..8020).map(|port| forward(Protocol::Udp, port, 80)).collect();
        let delivered = udp_echo(80);
        let stop = Arc::new(AtomicBool::new(false));
        let sent: Vec<_> = (0..20).map(|_| Arc::new(AtomicU64::new(0))).collect();
        let senders: Vec<_> = (8000..8020)
            .zip(&sent)
            .map(|(port, sent)| {
                let (stop, sent) = (stop.clone(), sent.clone());
                inside("client", move || {
                    // One source port for ever, without a pause that could let the entry expire.
                    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
                    socket.connect((GATEWAY, port)).unwrap();
                    while !stop.load(Ordering::Relaxed) {
                        // An error is about the one before, and sends nothing.
                        sent.fetch_add(u64::from(socket.send(b"x").is_ok()), Ordering::SeqCst);
                        thread::sleep(Duration::from_micros(500));
                    }
                })
            })
            .collect();
        for round in 0..10 {
            // The flood has entries without NAT by now: they must not outlive the new rule.
            assert!(nft.change_elements(&forwards).iter().all(Result::is_ok));
            conntrack.flush(&[destination(Protocol::Udp, 8000, 8019)]).unwrap();
            assert!(flood_goes_on(&delivered, &sent), "nothing arrives in {round}");

            let removals: Vec<_> = forwards
                .iter()
                .map(|added| change("forwards", added.key, Some(target(80)), None))
                .collect();
            assert!(nft.change_elements(&removals).iter().all(Result::is_ok));
            let deleted = conntrack.flush(&[destination(Protocol::Udp, 8000, 8019)]).unwrap();
            assert!(deleted >= 20, "only {deleted} flows found in {round}");
            assert!(falls_silent(&delivered), "stale flows in {round}");
            assert_eq!(stale(), 0, "stale entries in {round}");
        }
        stop.store(true, Ordering::Relaxed);
        for sender in senders {
            sender.join().unwrap();
        }
    });
}

#[test]
fn new_flows_that_are_under_way_while_a_forward_goes_are_found_too() {
    alone(|| {
        let (mut nft, mut conntrack) = router();
        udp_echo(80);
        let stop = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..2)
            .map(|_| {
                let stop = stop.clone();
                inside("client", move || {
                    while !stop.load(Ordering::Relaxed) {
                        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
                        let _ = socket.send_to(b"x", (GATEWAY, 8080));
                        thread::sleep(Duration::from_micros(200));
                    }
                })
            })
            .collect();
        let added = forward(Protocol::Udp, 8080, 80);
        let gone = change("forwards", added.key, added.add, None);
        for round in 0..20 {
            assert!(nft.change_elements(std::slice::from_ref(&added)).iter().all(Result::is_ok));
            conntrack.flush(&[destination(Protocol::Udp, 8080, 8080)]).unwrap();
            thread::sleep(Duration::from_millis(10));
            assert!(nft.change_elements(std::slice::from_ref(&gone)).iter().all(Result::is_ok));
            conntrack.flush(&[destination(Protocol::Udp, 8080, 8080)]).unwrap();
            assert_eq!(stale(), 0, "in round {round}");
        }
        stop.store(true, Ordering::Relaxed);
        for sender in senders {
            sender.join().unwrap();
        }
    });
}
