//! `navigator relay` as people run it: the program, its file, its words and its exit code, each test in
//! a network of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../../../navigator-relay/tests/relay/authority.rs"]
#[allow(dead_code, reason = "the relay's own tests need more of it")]
mod authority;
mod ledger;
#[path = "../../../navigator-relay/tests/ledger/script.rs"]
mod script;
mod supervisor;
mod support;
mod tls;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream, UdpSocket},
    process::Command,
};

use nix::sys::signal::Signal;
use support::*;

#[test]
fn one_line_forwards_tcp_and_another_udp() {
    own_network();
    says(22, "SSH-2.0");
    let tcp = Program::start(&mut command(&["tcp", ":60022", "127.0.0.1:22"]));
    assert!(tcp.says("leads to").contains("tcp :60022 leads to 127.0.0.1:22"));
    tcp.says("ready");
    let open = hears(60022, "SSH-2.0");
    let target = UdpSocket::bind("[::1]:53").unwrap();
    let udp = Program::start(&mut command(&["udp", "127.0.0.1:5300", "[::1]:53"]));
    udp.says("ready");
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.send_to(b"question", "127.0.0.1:5300").unwrap();
    let mut buffer = [0; 16];
    let (length, from) = target.recv_from(&mut buffer).unwrap();
    target.send_to(&buffer[..length], from).unwrap();
    assert_eq!(client.recv(&mut buffer).unwrap(), 8);
    for mut program in [tcp, udp] {
        program.signal(Signal::SIGTERM);
        assert_eq!(program.child.wait().unwrap().code(), Some(0));
    }
    drop(open);
}

#[test]
fn what_is_wrong_is_a_line_each_and_exit_code_2() {
    own_network();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("forwards.toml");
    let path = file.to_str().unwrap();
    let holder = TcpListener::bind("127.0.0.1:4000").unwrap();
    let expect = |text: &str, lines: &[&str]| {
        write(&file, text);
        let (code, said) = output(&mut command(&["--config", path]));
        let found: Vec<_> = said.lines().filter(|line| line.starts_with("navigator: ")).collect();
        assert_eq!((code, found.len()), (2, lines.len()), "{said}");
        for (found, expected) in found.iter().zip(lines) {
            let expected = format!("navigator: {expected}");
            assert!(found.starts_with(&expected), "{found}, not {expected}");
        }
    };
    expect(
        "[forward.a]\nlisten = ':80'\nconnect = '10.0.0.1:80'\n\
         [forward.b]\nlisten = '127.0.0.1:80'\nconnect = '10.0.0.1:80'\nallowed_sources = ['10.0.0.0/33']\n\
         [forward.c]\nlisten = '127.0.0.1:80'\nconnect = '10.0.0.1:80'\n",
        &[
            "forward.b: allowed_sources: '10.0.0.0/33' is no prefix",
            "forward.c: listen: port 80 of",
        ],
    );
    expect(
        "[forward.a]\nlisten = '127.0.0.1:4000'\nconnect = '10.0.0.1:80'\n",
        &["forward.a: listen: 127.0.0.1:4000 is in use already by "],
    );
    expect(
        "[forward.a]\nlisten = ':80'\nconnect = { address = '10.0.0.1:80', netns = 'no-such' }\n",
        &["forward.a: connect.netns: there is no namespace 'no-such'"],
    );
    expect("[forward.a\n", &["line 1: "]);
    expect("[relay]\nmetrics = '0.0.0.0:1'\n", &["relay: metrics: 0.0.0.0 is not on loopback"]);
    expect("[relay]\ncolour = 1\n", &["relay: unknown field `colour`"]);
    drop(holder);
    fs::remove_file(&file).unwrap();
    let (code, said) = output(&mut command(&["--config", path]));
    assert_eq!(code, 2, "{said}");
    let (code, said) = output(&mut command(&["tcp", "60022", "10.0.0.1:22"]));
    assert_eq!(
        (code, said.trim()),
        (2, "navigator: '60022' has no port: write ADDRESS:PORT, [IPV6]:PORT or :PORT")
    );
    write(&file, "[forward.a]\nlisten = ':80'\nconnect = '10.0.0.1:80'\n");
    let (code, said) = output(&mut command(&["--config", path, "--check"]));
    assert_eq!((code, said.trim()), (0, "1 forwards. The configuration is valid."));
}

#[test]
fn a_low_port_without_privilege_says_what_is_missing() {
    own_network();
    let mut unprivileged = Command::new("setpriv");
    unprivileged
        .args(["--bounding-set=-all", "--inh-caps=-all", "--reuid=65534", "--clear-groups", "--"])
        .arg(env!("CARGO_BIN_EXE_navigator"))
        .args(["relay", "tcp", "127.0.0.1:22", "10.0.0.1:22"]);
    let (code, said) = output(&mut unprivileged);
    assert_eq!(code, 2, "{said}");
    let expected = "forward.tcp: listen: 127.0.0.1:22 may not be used: low ports need the capability \
                    CAP_NET_BIND_SERVICE";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn the_file_is_read_again_and_a_bad_one_changes_nothing() {
    own_network();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("forwards.toml");
    says(1001, "one");
    says(1002, "two");
    let entry = |name: &str, listen: u16, connect: u16| {
        format!(
            "[forward.{name}]\nlisten = '127.0.0.1:{listen}'\nconnect = '127.0.0.1:{connect}'\n"
        )
    };
    write(&file, &entry("a", 4001, 1001));
    let program = Program::start(&mut command(&["--config", file.to_str().unwrap()]));
    program.says("ready");
    let mut open = hears(4001, "one");
    // Written anew in place, and put in its place under its name.
    write(&file, &(entry("a", 4001, 1001) + &entry("b", 4002, 1002)));
    program.says("ready");
    drop(hears(4002, "two"));
    let other = directory.path().join("other");
    write(&other, &(entry("a", 4001, 1001) + &entry("b", 4003, 1002)));
    fs::rename(&other, &file).unwrap();
    program.says("ready");
    drop(hears(4003, "two"));
    assert!(TcpStream::connect("127.0.0.1:4002").is_err());
    write(&file, "[forward.a]\nlisten = ':x'\nconnect = '127.0.0.1:1'\n");
    assert!(program.says("ERROR").contains("forward.a: listen: 'x' is no port"));
    program.says("the old forwards stay in force");
    drop(hears(4003, "two"));
    program.signal(Signal::SIGHUP);
    program.says("the old forwards stay in force");
    write(&file, &(entry("a", 4001, 1001)));
    program.says("ready");
    assert!(TcpStream::connect("127.0.0.1:4003").is_err());
    // Through all of it, the first connection was left alone.
    open.set_nonblocking(true).unwrap();
    let error = open.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_target_that_fails_is_told_once_and_so_is_its_return() {
    own_network();
    let program = Program::start(&mut command(&["tcp", "127.0.0.1:4001", "127.0.0.1:1001"]));
    program.says("ready");
    for _ in 0..3 {
        let mut stream = TcpStream::connect("127.0.0.1:4001").unwrap();
        assert!(stream.read(&mut [0]).is_err());
    }
    assert!(program.says("WARN").contains("forward.tcp: 127.0.0.1:1001: Connection refused"));
    says(1001, "one");
    drop(hears(4001, "one"));
    // The next thing it says: no second warning in between.
    let next = program.log.recv_timeout(PATIENCE).unwrap();
    assert!(next.contains("forward.tcp: 127.0.0.1:1001 answers again"), "{next}");
}

#[test]
fn a_target_without_a_route_is_told_as_such() {
    own_network();
    let program = Program::start(&mut command(&["tcp", "127.0.0.1:4001", "203.0.113.7:22"]));
    program.says("ready");
    let mut stream = TcpStream::connect("127.0.0.1:4001").unwrap();
    assert!(stream.read(&mut [0]).is_err());
    assert!(program.says("WARN").contains("forward.tcp: 203.0.113.7:22: Network is unreachable"));
}

#[test]
fn counters_are_served_and_shown() {
    own_network();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("forwards.toml");
    let socket = directory.path().join("metrics.sock");
    says(1001, "one");
    write(
        &file,
        &format!(
            "[relay]\nmetrics = 'unix:{}'\n[forward.a]\nlisten = ':4001'\nconnect = '127.0.0.1:1001'\n",
            socket.display()
        ),
    );
    let program = Program::start(&mut command(&["--config", file.to_str().unwrap()]));
    program.says("ready");
    let _open = hears(4001, "one");
    let ask = |path: &str| {
        let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    // A byte is counted after it was written, so the client may be a moment ahead.
    for line in [
        "navigator_relay_connections_open{forward=\"a\"} 1",
        "navigator_relay_bytes_down_total{forward=\"a\"} 3",
        "navigator_relay_refused_total{forward=\"a\",reason=\"rate\"} 0",
        "navigator_relay_connect_seconds_count{forward=\"a\"} 1",
    ] {
        eventually(line, || ask("/metrics").lines().any(|found| found == line));
    }
    assert!(ask("/").starts_with("HTTP/1.1 404 "));
    let place = format!("unix:{}", socket.display());
    let (code, said) =
        output(&mut command(&["top", "--once", "--interval-s", "0.2", "--metrics", &place]));
    assert_eq!(code, 0, "{said}");
    let row: Vec<_> = said.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..2], ["a", "1"], "{said}");
}
