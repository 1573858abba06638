//! Private network and mount namespaces for a test: everything made inside vanishes with them.

#![allow(dead_code)]

use std::{
    path::Path,
    process::Command,
    thread::{self, JoinHandle},
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, setns, unshare},
};

/// Runs `test` on a thread with a network namespace and a `/run/netns` of its own.
pub(crate) fn alone(test: impl FnOnce() + Send + 'static) {
    let thread = thread::spawn(|| {
        let flags = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS;
        unshare(flags).expect("these tests need root");
        let none = None::<&Path>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        std::fs::create_dir_all("/run/netns").unwrap();
        mount(Some("tmpfs"), "/run/netns", Some("tmpfs"), MsFlags::empty(), none).unwrap();
        run("ip link set lo up");
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Runs `work` on a thread inside the named namespace, with the caller's mounts.
pub(crate) fn inside<T: Send + 'static>(
    namespace: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let file = std::fs::File::open(format!("/run/netns/{namespace}")).unwrap();
    thread::spawn(move || {
        setns(file, CloneFlags::CLONE_NEWNET).unwrap();
        work()
    })
}

/// Runs a command, which must succeed; its output.
pub(crate) fn run(command: &str) -> String {
    let mut words = command.split_whitespace();
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// A client, a router and a server, wired; forwarding on.
pub(crate) fn wire() {
    for host in ["client", "router", "server"] {
        run(&format!("ip netns add {host}"));
        run(&format!("ip -n {host} link set lo up"));
    }
    for (host, there, device, network) in [
        ("client", "qg-0123456-78", "eth0", "198.51.100"),
        ("server", "qr-0123456-78", "eth0", "10.0.0"),
    ] {
        run(&format!("ip link add {there} netns router type veth peer name {device} netns {host}"));
        run(&format!("ip -n {host} addr add {network}.5/24 dev {device}"));
        run(&format!("ip -n {host} link set {device} up"));
        run(&format!("ip -n router addr add {network}.1/24 dev {there}"));
        run(&format!("ip -n router link set {there} up"));
    }
    run("ip -n server route add default via 10.0.0.1");
    run("ip netns exec router sysctl -qw net.ipv4.ip_forward=1");
}
