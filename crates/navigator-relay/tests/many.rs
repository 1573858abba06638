//! Ten thousand forwards: what they cost while nothing happens.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "relay/network.rs"]
mod network;

use std::{fs, net::TcpStream, thread, time::Duration};

use navigator_relay::{ForwardSet, Options, Relay, raise_descriptor_limit};

const FORWARDS: usize = 10_000;

fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// How often the workers have gone to sleep since they started.
fn sleeps() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let workers = tasks.filter_map(|task| {
        let name = fs::read_to_string(task.path().join("comm")).ok()?;
        let status = fs::read_to_string(task.path().join("status")).ok()?;
        name.starts_with("relay-").then(|| field(&status, "voluntary_ctxt_switches"))
    });
    workers.sum()
}

#[test]
fn ten_thousand_idle_forwards_cost_little_memory_and_no_wake_up() {
    network::own();
    raise_descriptor_limit(u64::MAX).unwrap();
    let resident_kb = || field(&fs::read_to_string("/proc/self/status").unwrap(), "VmRSS:");
    let before = resident_kb();
    let mut relay = Relay::start(Options { workers: 2, ..Options::default() }).unwrap();
    let entry = |n: usize| {
        let port = network::free_port();
        format!("[forward.f{n}]\nlisten = '127.0.0.1:{port}'\nconnect = '10.0.0.1:{port}'\n")
    };
    let text: String = (0..FORWARDS).map(entry).collect();
    let set = ForwardSet::from_toml(&text).unwrap();
    drop(text);
    let last = set.get("f9999").unwrap().listen.ports.first().get();
    relay.apply(set).unwrap();
    let used_kb = resident_kb() - before;
    assert!(used_kb < 25_000, "{used_kb} kB for {FORWARDS} forwards");
    // One connection has been, and its timer too.
    drop(TcpStream::connect(("127.0.0.1", last)).unwrap());
    let counters = relay.counters("f9999").unwrap();
    while counters.total() == 0 || counters.open() > 0 {
        thread::yield_now();
    }
    // Its entry among the timers is looked at once more within the connect timeout: wait for quiet.
    let mut quiet = false;
    for _ in 0..30 {
        let before = sleeps();
        thread::sleep(Duration::from_secs(1));
        quiet = sleeps() == before;
        if quiet {
            break;
        }
    }
    assert!(quiet, "the workers never stop waking up");
}
