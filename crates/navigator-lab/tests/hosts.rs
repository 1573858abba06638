//! Hosts, wires, instances and traffic against the real kernel. Needs root, and says so.

#![allow(clippy::expect_used, reason = "helpers of tests fail like tests")]

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use navigator_lab::{
    Api, Bridge, EchoServer, Host, Instance, Lifetime, Traffic, TrafficPlan, Wire,
};
use navigator_model::kernel_name;

struct Pair {
    left: Host,
    right: Host,
    _dir: tempfile::TempDir,
}

fn host(name: &str, dir: &Path) -> Host {
    Host::start(name, &dir.join(name), Lifetime::WithCaller).expect("a host (root needed)")
}

/// Two hosts on one cable: 198.51.100.1 and 198.51.100.2.
fn pair() -> Pair {
    let dir = tempfile::tempdir().expect("a directory");
    let (left, right) = (host("left", dir.path()), host("right", dir.path()));
    Wire::lay(left.end("wire0"), right.end("wire0")).expect("a wire");
    left.add_address("wire0", "198.51.100.1/24").expect("an address");
    right.add_address("wire0", "198.51.100.2/24").expect("an address");
    // The cable carries nothing for a moment.
    left.run(&["ping", "-c1", "-w30", "198.51.100.2"]).expect("an answer");
    Pair { left, right, _dir: dir }
}

fn echo_address() -> SocketAddr {
    (Ipv4Addr::new(198, 51, 100, 2), 7).into()
}

#[test]
fn a_host_sees_only_its_own_devices_processes_and_namespaces() {
    let pair = pair();
    let links = pair.left.run(&["ls", "/sys/class/net"]).expect("list");
    assert_eq!(links.split_whitespace().collect::<Vec<_>>(), ["lo", "wire0"]);
    pair.left.run(&["ip", "netns", "add", "qrouter-1"]).expect("a namespace");
    assert!(pair.left.run(&["ip", "netns", "list"]).expect("list").contains("qrouter-1"));
    assert_eq!(pair.right.run(&["ip", "netns", "list"]).expect("list"), "");
    assert!(!Path::new("/run/netns/qrouter-1").exists());
    let first = pair.left.run(&["cat", "/proc/1/cmdline"]).expect("read");
    assert!(first.starts_with("cat"), "{first}");
}

/// Looks before it writes: the test itself must not be what harms the machine.
#[test]
fn the_resolver_configuration_of_the_machine_is_not_the_hosts() {
    let inode = |text: String| text.trim().to_owned();
    let machines = Command::new("stat").args(["-c", "%d:%i", "/etc/resolv.conf"]).output();
    let machines = inode(String::from_utf8(machines.expect("stat").stdout).expect("text"));
    let pair = pair();
    let hosts = pair.left.run(&["stat", "-c", "%d:%i", "/etc/resolv.conf"]).expect("stat");
    assert_ne!(inode(hosts), machines);
    let before = std::fs::read("/etc/resolv.conf").unwrap_or_default();
    pair.left.run(&["cp", "/proc/version", "/etc/resolv.conf"]).expect("write");
    assert_eq!(std::fs::read("/etc/resolv.conf").unwrap_or_default(), before);
}

const IN_CHROOT: &str = "NAVIGATOR_TEST_IN_CHROOT";

/// Runs itself again inside a chroot, which shows the machine's files under another root.
#[test]
fn a_host_is_refused_in_a_chroot() {
    if let Some(dir) = std::env::var_os(IN_CHROOT) {
        let dir = Path::new(&dir).join("host");
        let refused = Host::start("chrooted", &dir, Lifetime::WithCaller);
        assert_eq!(
            refused.expect_err("a chroot").to_string(),
            "hosts cannot be made in a chroot: they would write to the machine's own files"
        );
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let script = "mount --rbind / \"$0\" && mount --make-rslave \"$0\" \\
                  && exec chroot \"$0\" \"$1\" --exact a_host_is_refused_in_a_chroot";
    let again = Command::new("unshare")
        .args(["--mount", "sh", "-c", script])
        .arg(dir.path())
        .arg(std::env::current_exe().expect("this program"))
        .env(IN_CHROOT, dir.path())
        .output()
        .expect("unshare (root needed)");
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success() && said.contains("1 passed"), "{said}{again:?}");
}

#[test]
fn what_runs_in_a_host_ends_with_it() {
    let pair = pair();
    let child = pair.left.process(Command::new("sleep").arg("600")).expect("sleep");
    pair.left.daemon(&["sleep", "601"], &pair.left.dir().join("log")).expect("a daemon");
    let running = || pair.left.processes().expect("processes");
    while !running().iter().any(|(_, argv)| argv == &["sleep", "601"]) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(running().len(), 3, "{:?}", running());
    let (child_pid, first) = (child.pid(), pair.left.pid);
    drop(pair);
    assert!(!Path::new(&format!("/proc/{child_pid}")).exists());
    assert!(!Path::new(&format!("/proc/{first}")).exists());
}

#[test]
fn a_hosts_processes_end_when_its_maker_is_killed() {
    // This test's own binary plays the maker that dies: it runs only the helper below.
    let me = std::env::current_exe().expect("own path");
    let mut maker = Command::new(me)
        .args(["--exact", "helper_that_makes_a_host_and_waits", "--nocapture", "--ignored"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("maker");
    let mut lines = std::io::BufReader::new(maker.stdout.take().expect("pipe"));
    let mut pid = None;
    while pid.is_none() {
        let mut line = String::new();
        assert!(std::io::BufRead::read_line(&mut lines, &mut line).expect("line") > 0);
        pid = line.split("host ").nth(1).map(|text| text.trim().to_owned());
    }
    maker.kill().expect("kill");
    maker.wait().expect("wait");
    let proc = format!("/proc/{}/ns/net", pid.expect("pid"));
    for _ in 0..3000 {
        // A zombie that nobody has reaped yet has no namespaces any more.
        if std::fs::read_link(&proc).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the host outlived its maker");
}

#[test]
#[ignore = "only run as a child by the test above"]
fn helper_that_makes_a_host_and_waits() {
    let dir = tempfile::tempdir().expect("a directory");
    let host = host("orphan", dir.path());
    println!("host {}", host.pid);
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn traffic_over_a_good_wire_has_a_clean_ledger() {
    let pair = pair();
    let server = EchoServer::start(&pair.right, echo_address()).expect("server");
    let plan =
        TrafficPlan { target: echo_address(), tcp_connections: 20, udp_flows: 10, interval_ms: 5 };
    let traffic = Traffic::start(&pair.left, plan).expect("traffic");
    std::thread::sleep(Duration::from_millis(300));
    let ledger = traffic.stop();
    assert!(ledger.is_clean(), "{ledger}");
    assert_eq!(ledger.tcp_connections, 20);
    assert!(ledger.udp_sent >= 10 && ledger.tcp_bytes >= 20 * 64, "{ledger}");
    assert_eq!(server.peers().len(), 1);
}

#[test]
fn the_ledger_notices_lost_packets_broken_connections_and_gaps() {
    let pair = pair();
    let _server = EchoServer::start(&pair.right, echo_address()).expect("server");
    let plan =
        TrafficPlan { target: echo_address(), tcp_connections: 3, udp_flows: 3, interval_ms: 5 };
    let traffic = Traffic::start(&pair.left, plan).expect("traffic");
    std::thread::sleep(Duration::from_millis(100));
    pair.right.run(&["ip", "link", "set", "wire0", "down"]).expect("cut");
    std::thread::sleep(Duration::from_millis(400));
    pair.right.run(&["ip", "link", "set", "wire0", "up"]).expect("mend");
    std::thread::sleep(Duration::from_millis(900));
    let ledger = traffic.stop();
    assert_eq!(ledger.broken_connections, 0, "TCP repairs a short cut: {ledger}");
    assert!(ledger.udp_lost > 0, "{ledger}");
    assert!(ledger.longest_gap_ms >= 350, "{ledger}");

    let nobody = TrafficPlan { target: "198.51.100.2:9".parse().expect("address"), ..plan };
    let ledger = Traffic::start(&pair.left, nobody).expect("traffic").stop();
    assert_eq!(ledger.broken_connections, 3, "{ledger}");
    assert_eq!(ledger.udp_lost, ledger.udp_sent, "{ledger}");
}

/// Otherwise who has talked to the switch cannot reach it for most of a minute after another host
/// has gone.
#[test]
fn a_switch_keeps_its_mac_address_when_cables_come_and_go() {
    let dir = tempfile::tempdir().expect("a directory");
    let node = host("node", dir.path());
    let bridge = Bridge::make(&node, "br0").expect("a bridge");
    let mac = || node.run(&["cat", "/sys/class/net/br0/address"]).expect("the address");
    let made = mac();
    for name in ["one", "two", "three"] {
        let other = host(name, &dir.path().join(name));
        bridge.connect(name, other.end("eth0")).expect("a cable");
        assert_eq!(mac(), made, "with {name}");
    }
    assert_eq!(mac(), made, "without them");
}

#[test]
fn an_instance_gets_its_address_route_and_resolver_by_dhcp() {
    let dir = tempfile::tempdir().expect("a directory");
    let node = host("node", dir.path());
    let bridge = Bridge::make(&node, "br0").expect("a bridge");
    node.add_address("br0", "192.0.2.1/24").expect("an address");
    let port_id = "11111111-2222-3333-4444-555555555555".parse().expect("id");
    let mac = "fa:16:3e:00:00:01".parse().expect("mac");
    let at = dir.path().join("vm");
    let vm = Instance::plug("vm", &at, Lifetime::WithCaller, &node, (port_id, mac)).expect("vm");
    node.run(&["ip", "link", "set", &kernel_name::tap(port_id), "master", "br0"]).expect("plug");
    let mut dnsmasq = Command::new("dnsmasq");
    dnsmasq.args([
        "--no-daemon",
        "--conf-file=",
        "--port=0",
        "--interface=br0",
        "--bind-interfaces",
        "--dhcp-range=192.0.2.0,static",
        "--dhcp-host=fa:16:3e:00:00:01,192.0.2.7",
        "--dhcp-option=option:dns-server,192.0.2.53",
        "--dhcp-leasefile=/run/leases",
        "--pid-file=",
        "--user=root",
    ]);
    let _dnsmasq = node.process(dnsmasq.stderr(Stdio::null())).expect("dnsmasq");
    let address = vm.request_address(30).expect("a lease");
    assert_eq!(address, Ipv4Addr::new(192, 0, 2, 7));
    assert!(vm.host.run(&["ip", "route"]).expect("routes").contains("default via 192.0.2.1"));
    let resolver = vm.host.run(&["cat", "/etc/resolv.conf"]).expect("resolver");
    assert_eq!(resolver, "nameserver 192.0.2.53\n");
    drop(bridge);
}

#[test]
fn the_http_client_speaks_from_inside_a_host_and_survives_an_idle_close() {
    let pair = pair();
    let www = pair.right.dir().join("www");
    std::fs::create_dir_all(&www).expect("directory");
    std::fs::write(www.join("index.html"), "[1, 2]").expect("page");
    let mut httpd = Command::new("busybox");
    httpd.args(["httpd", "-f", "-p", "198.51.100.2:80", "-h"]).arg(&www);
    let _httpd = pair.right.process(&mut httpd).expect("httpd");
    let server = "198.51.100.2:80".parse().expect("address");
    let limit = Duration::from_secs(30);
    navigator_lab::http::wait_until_answered(&pair.left, server, "/", limit).expect("answer");
    let mut api = Api::new(&pair.left, server);
    for _ in 0..3 {
        let (status, page) = api.get("/index.html").expect("page");
        assert_eq!((status, page), (200, serde_json::json!([1, 2])));
    }
    assert_eq!(api.get("/absent").expect("answer").0, 404);
}
