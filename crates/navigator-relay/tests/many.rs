//! Ten thousand forwards, and fifty thousand: what they cost while nothing happens.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "ports are counted here")]
#[path = "relay/network.rs"]
mod network;

use std::{
    fs,
    net::TcpStream,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use navigator_relay::{ForwardSet, Options, Relay, raise_descriptor_limit};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Memory and wake-ups are the whole process's.
static ALONE: Mutex<()> = Mutex::new(());

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

/// The most that are asked for.
const MANY: u64 = 50_000;

#[test]
fn ten_thousand_idle_forwards_cost_little_memory_and_no_wake_up() {
    let limit = raise_descriptor_limit(u64::MAX).unwrap();
    assert!(limit > 12_000, "only {limit} descriptors");
    cost_little_and_sleep(10_000, 25_000);
}

/// Fifty thousand, where the system's limit of descriptors is not below. As root it may be raised.
#[test]
fn as_many_idle_forwards_as_there_are_descriptors_cost_as_much_each_and_no_wake_up() {
    let wanted = MANY + 5_000;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    if hard < wanted {
        // Needs a capability that not every root has.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, wanted, wanted);
    }
    let limit = raise_descriptor_limit(wanted).unwrap();
    let forwards = MANY.min(limit - 2_000);
    cost_little_and_sleep(forwards as usize, forwards * 5 / 2);
}

/// The n-th forward's port; each is at an address that has few of them.
fn entry(n: usize) -> String {
    let (host, port) = (1 + n % 100, 20_000 + n / 100);
    format!("[forward.f{n}]\nlisten = '127.0.1.{host}:{port}'\nconnect = '10.0.0.1:{port}'\n")
}

fn cost_little_and_sleep(forwards: usize, most_kb: u64) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    network::own();
    let resident_kb = || field(&fs::read_to_string("/proc/self/status").unwrap(), "VmRSS:");
    let before = resident_kb();
    let mut relay = Relay::start(Options { workers: 2, ..Options::default() }).unwrap();
    let text: String = (0..forwards).map(entry).collect();
    let set = ForwardSet::from_toml(&text).unwrap();
    drop(text);
    relay.apply(set).unwrap();
    let used_kb = resident_kb() - before;
    assert!(used_kb < most_kb, "{used_kb} kB for {forwards} forwards");
    // One more among them.
    let last = ForwardSet::from_toml(&entry(forwards)).unwrap();
    let last = last.iter().map(|(name, forward)| (name.to_owned(), forward.clone()));
    let start = Instant::now();
    relay.change([], last).unwrap();
    println!("{forwards} forwards: {used_kb} kB; one more in {:?}", start.elapsed());
    // One connection has been, and its timer too.
    let to = relay.set().get(&format!("f{forwards}")).unwrap().listen.clone();
    drop(TcpStream::connect(to.socket_address(to.ports.first().get())).unwrap());
    let counters = relay.counters(&format!("f{forwards}")).unwrap();
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
