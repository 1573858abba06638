//! Twenty thousand connections of which only the first packet ever comes: the kernel's affair alone. The
//! relay never hears of them, and who means it is served.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddrV4},
    process::Command,
};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::support::*;

/// An address of this host that is none of loopback's: those are answered on loopback only.
const HERE_TOO: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);

const HALF_OPEN: u32 = 20_000;

fn ip(argv: &[&str]) {
    assert!(Command::new("ip").args(argv).status().unwrap().success(), "ip {argv:?}");
}

/// The one's complement sum of 16-bit words.
fn checksum(words: impl Iterator<Item = u16>) -> u16 {
    let mut sum: u32 = words.map(u32::from).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
}

/// An IPv4 packet that asks for a connection, as if from somebody else.
fn syn(from: SocketAddrV4, to: SocketAddrV4) -> Vec<u8> {
    let mut tcp = Vec::new();
    tcp.extend_from_slice(&from.port().to_be_bytes());
    tcp.extend_from_slice(&to.port().to_be_bytes());
    tcp.extend_from_slice(&[0, 0, 0, 7, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0]);
    let addresses = [from.ip().octets(), to.ip().octets()].concat();
    let sum = checksum(words(&addresses).chain([6, tcp.len() as u16]).chain(words(&tcp)));
    tcp[16..18].copy_from_slice(&sum.to_be_bytes());
    // The kernel writes the length and the header's checksum.
    let head = [0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0];
    [&head[..], &addresses, &tcp].concat()
}

/// Half-open connections that the kernel keeps, and those that it answered without keeping them.
fn asked() -> u64 {
    let kept = fs::read_to_string("/proc/thread-self/net/tcp").unwrap();
    let kept = kept.lines().filter(|line| line.split_whitespace().nth(3) == Some("03")).count();
    let text = fs::read_to_string("/proc/thread-self/net/netstat").unwrap();
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("TcpExt: "));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let mut pairs = names.split(' ').zip(values.split(' '));
    let cookies = pairs.find(|(name, _)| *name == "SyncookiesSent").unwrap().1;
    kept as u64 + cookies.parse::<u64>().unwrap()
}

#[test]
fn twenty_thousand_half_open_connections_leave_the_others_alone() {
    let echo = Target::echo();
    let port = free_port();
    // Where the answers vanish: the other end takes nothing that is not addressed to it.
    ip(&["link", "add", "void", "arp", "off", "type", "veth", "peer", "name", "nobody"]);
    ip(&["address", "add", "10.99.0.1/15", "dev", "void"]);
    ip(&["link", "set", "nobody", "up"]);
    ip(&["link", "set", "void", "up"]);
    let (listen, connect) = (SocketAddrV4::new(HERE_TOO, port), echo.address);
    let relay = relay(&format!("[forward.a]\nlisten = '0.0.0.0:{port}'\nconnect = '{connect}'\n"));
    let counters = relay.counters("a").unwrap();
    let before = client(port);
    exchange(&before, "hello");
    let raw =
        Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW))).unwrap();
    for n in 0..HALF_OPEN {
        let from = SocketAddrV4::new(Ipv4Addr::from(0x0a62_0100 + n), 1024 + (n % 60_000) as u16);
        raw.send_to(&syn(from, listen), &SockAddr::from(listen)).unwrap();
    }
    assert!(asked() >= u64::from(HALF_OPEN) * 9 / 10, "only {} were asked for", asked());
    for _ in 0..100 {
        exchange(&client(port), "hello");
    }
    exchange(&before, "still there");
    eventually("the hundred are gone", || counters.open() == 1);
    assert_eq!(counters.total(), 101);
}
