//! The real dnsmasq on the rendered command line and files, in a network namespace of its own.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use navigator_model::snapshot::{DhcpOption, FixedIp, Subnet};
use navigator_render::{HostConfig, Serve, render};
use navigator_state::Desired;

use crate::sample::*;

/// A network with everything that reaches dnsmasq: IPv6, and options of a port.
fn rendered_in(state_dir: &Path) -> Desired {
    let mut network = network();
    network.subnets[1].enable_dhcp = true;
    let id = navigator_model::SubnetId(uuid::Uuid::from_u128(0xc));
    let cidr = "2001:db8::/64".parse().unwrap();
    let dns_nameservers = vec!["2001:db8::53".parse().unwrap()];
    let ipv6 =
        Subnet { id, cidr, dns_nameservers, host_routes: vec![], ..network.subnets[0].clone() };
    network.subnets.push(ipv6);
    let mut ports = ports();
    for (subnet_id, address) in [(SUBNET_2, "10.0.1.2"), (id, "2001:db8::2")] {
        let ip_address = address.parse().unwrap();
        ports[0].fixed_ips.push(FixedIp { subnet_id, ip_address });
    }
    let ip_address = "2001:db8::5".parse().unwrap();
    ports[1].fixed_ips.push(FixedIp { subnet_id: id, ip_address });
    let option6 =
        |name: &str, value: &str| DhcpOption { ip_version: 6, ..dhcp_option(name, value) };
    ports[1].extra_dhcp_opts = vec![
        dhcp_option("router", "10.0.0.254"),
        dhcp_option("tftp-server", "pxe, with blanks"),
        dhcp_option("classless-static-route", "192.0.2.0/24,10.0.0.7"),
        option6("dns-server", "[2001:db8::54]"),
    ];
    let host = HostConfig { state_dir: state_dir.to_owned(), ..host() };
    render(&snapshot(network, ports), &host, Serve::WireAndDhcp)
}

fn write_files(desired: &Desired) {
    for (path, content) in &desired.files {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

#[test]
fn dnsmasq_accepts_the_command_line() {
    let directory = tempfile::tempdir().unwrap();
    let desired = rendered_in(directory.path());
    write_files(&desired);
    let argv = &desired.processes["dnsmasq"].argv;
    let output = Command::new(&argv[0]).args(&argv[1..]).arg("--test").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("syntax check OK"), "{said}");
}

/// Ends the child with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn dnsmasq_reads_every_line_of_the_files() {
    let directory = tempfile::tempdir().unwrap();
    let desired = rendered_in(directory.path());
    assert_eq!(desired.problems, []);
    write_files(&desired);
    // The server's DHCPv6 identity is made from a device, so it needs one.
    let script = "ip link add ns-d0d0d0d0-00 type veth peer name other && exec \"$0\" \"$@\"";
    let mut child = Command::new("unshare")
        .args(["--net", "sh", "-c", script])
        .args(&desired.processes["dnsmasq"].argv)
        .args(["--keep-in-foreground", "--log-facility=-"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let _running = Running(child);
    // The files are read in this order, the options last.
    let mut lines = Vec::new();
    for line in said.by_ref() {
        let last = line.ends_with("/opts");
        lines.push(line);
        if last {
            break;
        }
    }
    // The random name of the directory may have any word in it.
    let all = lines.join("\n").replace(&*directory.path().to_string_lossy(), "");
    for name in ["addn_hosts", "host", "opts"] {
        let read = |line: &String| line.contains("read /") && line.contains(&format!("/{name}"));
        assert!(lines.iter().any(read), "{name} in {all}");
    }
    assert!(!["bad", "error", "illegal", "unknown"].iter().any(|word| all.contains(word)), "{all}");
}
