//! Targets that see the client's own address: client, relay and server are three hosts, and the server's
//! way to the client leads through the relay.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    process::Command,
    thread,
};

use crate::{namespaces::Netns, support::*};

/// What docs/relay.md tells operators to do on the relay's host.
const RULES: &[&str] = &[
    "nft add table inet relay",
    "nft add chain inet relay prerouting { type filter hook prerouting priority mangle ; }",
    "nft add rule inet relay prerouting socket transparent 1 meta mark set 1",
    "ip rule add fwmark 1 lookup 100",
    "ip route add local default dev lo table 100",
    "ip -6 rule add fwmark 1 lookup 100",
    "ip -6 route add local default dev lo table 100",
];

fn run(line: &str) {
    let mut words = line.split(' ');
    let status = Command::new(words.next().unwrap()).args(words).status();
    assert!(status.unwrap().success(), "{line}");
}

struct Hosts {
    client: Netns,
    server: Netns,
    _directory: tempfile::TempDir,
}

/// The relay's host is the calling thread's.
fn hosts() -> Hosts {
    crate::network::own();
    let directory = tempfile::tempdir().unwrap();
    let (client, server) =
        (Netns::make(directory.path(), "client"), Netns::make(directory.path(), "server"));
    let wire = |to: &str| {
        let path = directory.path().join(to);
        run(&format!("ip link add {to} type veth peer name eth0 netns {}", path.display()));
        run(&format!("ip link set {to} up"));
    };
    wire("client");
    wire("server");
    for (device, four, six) in [
        ("client", "198.51.100.1/24", "2001:db8:1::1/64"),
        ("server", "10.9.0.1/24", "2001:db8:2::1/64"),
    ] {
        run(&format!("ip address add {four} dev {device}"));
        run(&format!("ip address add {six} dev {device} nodad"));
    }
    let inside = |netns: &Netns, four: &str, six: &str, gateways: [&str; 2]| {
        netns.run(|| {
            run(&format!("ip address add {four} dev eth0"));
            run(&format!("ip address add {six} dev eth0 nodad"));
            run("ip link set eth0 up");
            run(&format!("ip route add default via {}", gateways[0]));
            run(&format!("ip -6 route add default via {}", gateways[1]));
        });
    };
    inside(&client, "198.51.100.2/24", "2001:db8:1::2/64", ["198.51.100.1", "2001:db8:1::1"]);
    inside(&server, "10.9.0.2/24", "2001:db8:2::2/64", ["10.9.0.1", "2001:db8:2::1"]);
    RULES.iter().for_each(|line| run(line));
    // The wires carry nothing for a moment.
    for (netns, gateway) in [(&client, "198.51.100.1"), (&server, "10.9.0.1")] {
        let ping = || Command::new("ping").args(["-c1", "-w30", gateway]).output();
        let answered = netns.run(ping).unwrap();
        assert!(answered.status.success(), "{answered:?}");
    }
    Hosts { client, server, _directory: directory }
}

/// Tells each client as whom it sees it.
fn tells_who(server: &Netns, at: &str) {
    let listener = server.run(|| TcpListener::bind(at).unwrap());
    let socket = server.run(|| UdpSocket::bind(at).unwrap());
    thread::spawn(move || {
        while let Ok((mut stream, peer)) = listener.accept() {
            // In one piece: some read it with one call.
            let _ = stream.write_all(peer.to_string().as_bytes());
        }
    });
    thread::spawn(move || {
        while let Ok((_, peer)) = socket.recv_from(&mut [0; 64]) {
            let _ = socket.send_to(peer.to_string().as_bytes(), peer);
        }
    });
}

/// As whom the server sees a client that comes to this address; and who it is.
fn seen_by_tcp(client: &Netns, to: &str) -> (SocketAddr, SocketAddr) {
    let mut stream = client.run(|| TcpStream::connect(to).unwrap());
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    (text.parse().unwrap(), stream.local_addr().unwrap())
}

fn seen_by_udp(client: &Netns, to: &str) -> (SocketAddr, SocketAddr) {
    let any = if to.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
    let socket = client.run(|| UdpSocket::bind(any).unwrap());
    socket.connect(to).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send(b"who am I?").unwrap();
    let mut buffer = [0; 64];
    let length = socket.recv(&mut buffer).unwrap();
    let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
    (text.parse().unwrap(), socket.local_addr().unwrap())
}

fn forward(name: &str, protocol: &str, listen: &str, connect: &str, more: &str) -> String {
    format!(
        "[forward.{name}]\nprotocol = '{protocol}'\nlisten = '{listen}'\nconnect = '{connect}'\n{more}\n"
    )
}

#[test]
fn the_target_sees_the_clients_own_address() {
    let hosts = hosts();
    let (four, six) = ("10.9.0.2:22", "[2001:db8:2::2]:22");
    tells_who(&hosts.server, four);
    tells_who(&hosts.server, six);
    let mut text = forward("plain", "tcp", ":4000", four, "");
    for protocol in ["tcp", "udp"] {
        let more = "transparent = true";
        text += &forward(&format!("{protocol}4"), protocol, "198.51.100.1:4001", four, more);
        text += &forward(&format!("{protocol}6"), protocol, "[2001:db8:1::1]:4001", six, more);
    }
    let _relay = relay(&text);
    let (seen, _) = seen_by_tcp(&hosts.client, "198.51.100.1:4000");
    assert_eq!(seen.ip(), std::net::Ipv4Addr::new(10, 9, 0, 1), "without it, the relay's own");
    for to in ["198.51.100.1:4001", "[2001:db8:1::1]:4001"] {
        for _ in 0..20 {
            let (seen, is) = seen_by_tcp(&hosts.client, to);
            assert_eq!(seen, is);
        }
        let (seen, is) = seen_by_udp(&hosts.client, to);
        assert_eq!(seen, is);
    }
}

#[test]
fn a_port_that_is_still_taken_is_no_reason_to_refuse() {
    let hosts = hosts();
    tells_who(&hosts.server, "10.9.0.2:22");
    // Two ways to the same target: from one port of the client's, both cannot have it.
    let entry = |name: &str, port: u16| {
        forward(name, "tcp", &format!("198.51.100.1:{port}"), "10.9.0.2:22", "transparent = true")
    };
    let _relay = relay(&(entry("a", 4001) + &entry("b", 4002)));
    let seen = |port: u16| {
        let socket = hosts.client.run(|| {
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap()
        });
        socket.set_reuse_address(true).unwrap();
        let own: SocketAddr = "198.51.100.2:5000".parse().unwrap();
        socket.bind(&own.into()).unwrap();
        socket.connect(&SocketAddr::from(([198, 51, 100, 1], port)).into()).unwrap();
        let mut stream: TcpStream = socket.into();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut text = [0; 64];
        let length = stream.read(&mut text).unwrap();
        let seen: SocketAddr = std::str::from_utf8(&text[..length]).unwrap().parse().unwrap();
        assert_eq!(seen.ip(), own.ip());
        (seen, stream)
    };
    let ((first, one), (second, two)) = (seen(4001), seen(4002));
    assert_eq!(first.port(), 5000);
    assert_ne!(second.port(), 5000);
    drop((one, two));
}

#[test]
fn two_sessions_of_one_client_hear_their_own_answers() {
    let hosts = hosts();
    tells_who(&hosts.server, "10.9.0.2:53");
    let entry = |name: &str, port: u16| {
        forward(name, "udp", &format!("198.51.100.1:{port}"), "10.9.0.2:53", "transparent = true")
    };
    let _relay = relay(&(entry("a", 4001) + &entry("b", 4002)));
    let socket = hosts.client.run(|| UdpSocket::bind("0.0.0.0:5000").unwrap());
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut ports = Vec::new();
    for round in 0..6 {
        let asked: SocketAddr = ([198, 51, 100, 1], 4001 + round % 2).into();
        socket.send_to(b"who am I?", asked).unwrap();
        let mut buffer = [0; 64];
        let (length, by) = socket.recv_from(&mut buffer).unwrap();
        assert_eq!(by, asked);
        let seen: SocketAddr = std::str::from_utf8(&buffer[..length]).unwrap().parse().unwrap();
        assert_eq!(seen.ip(), std::net::Ipv4Addr::new(198, 51, 100, 2));
        ports.push(seen.port());
    }
    assert_eq!(ports[..2], ports[2..4]);
    assert!(ports[0] == 5000 && ports[1] != 5000, "{ports:?}");
}

#[test]
fn a_client_of_the_other_family_is_turned_away() {
    let hosts = hosts();
    tells_who(&hosts.server, "10.9.0.2:22");
    let running = relay(&forward("a", "tcp", ":4001", "10.9.0.2:22", "transparent = true"));
    let (seen, is) = seen_by_tcp(&hosts.client, "198.51.100.1:4001");
    assert_eq!(seen, is);
    is_reset(&hosts.client.run(|| TcpStream::connect("[2001:db8:1::1]:4001").unwrap()));
    assert_eq!(running.counters("a").unwrap().refused(navigator_relay::Refusal::Target), 1);
}
