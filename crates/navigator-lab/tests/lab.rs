//! The lab's outside world, record and removal. Needs root.

#![allow(clippy::expect_used, reason = "helpers of tests fail like tests")]

use navigator_lab::{Lab, LabError, Lifetime};

#[test]
fn the_outside_world_is_reachable_and_removed_without_a_trace() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = dir.path().join("lab");
    let lab = Lab::make(&at, Lifetime::UntilKilled).expect("a lab (root needed)");
    let pids: Vec<_> = lab.hosts().iter().map(|host| host.pid).collect();
    assert_eq!(pids.len(), 3);
    let client = lab.host("client").expect("client");
    client.run(&["ping", "-c1", "-w30", "203.0.113.1"]).expect("the outside answers");
    assert!(matches!(Lab::make(&at, Lifetime::UntilKilled), Err(LabError::LabExists { .. })));

    // Another process opens it by its record alone.
    Lab::open(&at).expect("the record").remove().expect("removal");
    assert!(!at.exists());
    for pid in pids {
        assert!(std::fs::read_link(format!("/proc/{pid}/ns/net")).is_err());
    }
    assert!(matches!(Lab::open(&at), Err(LabError::NoLab { .. })));
}

#[test]
fn a_lab_whose_hosts_died_is_removable() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = dir.path().join("lab");
    let lab = Lab::make(&at, Lifetime::UntilKilled).expect("a lab (root needed)");
    let node = lab.host("node").expect("node");
    navigator_lab::Namespaces { pid: std::process::id() }
        .run_in_network(&["kill", "-9", &node.pid.to_string()])
        .expect("kill the node");
    lab.remove().expect("removal");
    assert!(!at.exists());
}

#[test]
fn a_recorded_pid_that_became_somebody_elses_is_left_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut other = std::process::Command::new("sleep").arg("60").spawn().expect("sleep");
    let record =
        format!(r#"{{"hosts": [{{"name": "node", "pid": {}, "start_time": "1"}}]}}"#, other.id());
    std::fs::write(dir.path().join("lab.json"), record).expect("a record");
    let lab = Lab::open(dir.path()).expect("the record");
    assert!(lab.host("node").is_err());
    lab.remove().expect("removal");
    assert!(other.try_wait().expect("wait").is_none(), "it was killed");
    other.kill().expect("kill");
    other.wait().expect("wait");
}

#[test]
fn instances_boot_on_a_node_with_a_dhcp_server() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut lab =
        Lab::make(&dir.path().join("lab"), Lifetime::WithCaller).expect("a lab (root needed)");
    let booted = boot_beside_dnsmasq(&mut lab);
    lab.remove().expect("removal");
    assert_eq!(booted, "I am web1.\n");
}

/// What the API and the agent do elsewhere is done by hand here.
fn boot_beside_dnsmasq(lab: &mut Lab) -> String {
    let node = lab.host("node").expect("node");
    let log = lab.dir().join("dnsmasq.log");
    node.run(&["ip", "link", "add", "br0", "up", "type", "bridge"]).expect("bridge");
    node.add_address("br0", "10.0.0.1/24").expect("address");
    let argv = [
        "dnsmasq",
        "--no-daemon",
        "--conf-file=",
        "--port=0",
        "--interface=br0",
        "--user=root",
        "--dhcp-range=10.0.0.10,10.0.0.20",
        "--no-ping",
        "--dhcp-leasefile=/run/leases",
        "--pid-file=",
    ];
    node.daemon(&argv, &log).expect("dnsmasq");
    let port: navigator_model::PortId = "5ca1ab1e-0000-4000-8000-000000000001".parse().expect("id");
    let tap = navigator_model::kernel_name::tap(port);
    // The bridge takes the tap once it exists, as the agent would.
    let watcher = {
        let node = node.clone();
        std::thread::spawn(move || {
            while node.run_in_network(&["ip", "link", "set", &tap, "master", "br0"]).is_err() {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        })
    };
    let mac = "fa:16:3e:00:00:02".parse().expect("mac");
    let address = lab.boot("web1", (port, mac)).expect("a lease");
    watcher.join().expect("watcher");
    node.run(&["curl", "-sS", "--retry-connrefused", "--retry", "3", &format!("http://{address}/")])
        .expect("the page")
}
