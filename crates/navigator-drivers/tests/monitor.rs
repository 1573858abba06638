//! Monitors in private namespaces of the real kernel, with changes made by other processes.

// A test fails by panicking, its helpers too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "nft_support/host.rs"]
mod host;
#[path = "nft_support/skeleton.rs"]
mod skeleton;

use std::{
    path::Path,
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use navigator_drivers::{
    monitor::{FileWatch, Foreign, Monitor, NetnsWatch, ProcessWatch},
    nft::Nft,
};
use navigator_model::Protocol;
use navigator_state::Namespace;

use host::{alone, run};
use skeleton::{ROUTER, change, forward, target};

/// Longer than an event takes by far, and short enough to wait for silence.
const SILENCE: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(30);

fn watch(name: &str) -> (Monitor, Receiver<(Namespace, Foreign)>) {
    let (sender, receiver) = channel();
    let monitor = Monitor::watch(Namespace::Named(name.to_owned()), move |namespace, foreign| {
        let _ = sender.send((namespace.clone(), foreign));
    });
    (monitor.unwrap(), receiver)
}

/// Waits until `wanted` is reported, and then for silence; everything that came.
fn reported(receiver: &Receiver<(Namespace, Foreign)>, wanted: &Foreign) -> Vec<Foreign> {
    let mut seen = Vec::new();
    while !seen.contains(wanted) {
        let event = receiver.recv_timeout(PATIENCE);
        seen.push(event.unwrap_or_else(|_| panic!("no {wanted:?}, only {seen:?}")).1);
    }
    while let Ok((_, event)) = receiver.recv_timeout(SILENCE) {
        seen.push(event);
    }
    seen
}

fn link(name: &str) -> Foreign {
    Foreign::Link { name: name.to_owned() }
}

#[test]
fn changes_by_other_processes_are_reported() {
    alone(|| {
        // Link-local addresses would come up by themselves, seconds later.
        run("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1");
        run("ip link add left type veth peer name right");
        run("ip link set left up");
        run("ip link set right up");
        run("ip addr add 198.51.100.1/24 dev left");
        run("nft add table ip navigator");
        let (_monitor, receiver) = watch("here");
        // Carriers come up by and by.
        while receiver.recv_timeout(SILENCE * 3).is_ok() {}
        run("nft flush ruleset");
        assert_eq!(reported(&receiver, &Foreign::Nft), [Foreign::Nft]);
        run("ip addr del 198.51.100.1/24 dev left");
        assert!(reported(&receiver, &Foreign::Address).contains(&Foreign::Route));
        run("ip route add 203.0.113.0/24 dev left");
        assert_eq!(reported(&receiver, &Foreign::Route), [Foreign::Route]);
        run("ip rule add pref 77 lookup 77");
        assert_eq!(reported(&receiver, &Foreign::Rule), [Foreign::Rule]);
        run("ip link del left");
        assert!(reported(&receiver, &link("right")).contains(&link("left")));
        assert!(receiver.recv_timeout(SILENCE).is_err());
    });
}

#[test]
fn our_own_nftables_transactions_are_not_reported() {
    alone(|| {
        let (_monitor, receiver) = watch("here");
        let mut nft = Nft::open().unwrap();
        nft.replace_skeleton(ROUTER, false, &[]).unwrap();
        let forwards: Vec<_> = (1..20_001).map(|port| forward(Protocol::Tcp, port, 80)).collect();
        for result in nft.change_elements(&forwards) {
            result.unwrap();
        }
        nft.replace_skeleton(ROUTER, true, &forwards[..100]).unwrap();
        let nft = std::thread::spawn(move || {
            let gone = change("forwards", forwards[0].key, Some(target(80)), None);
            nft.change_elements(&[gone]).pop().unwrap().unwrap();
            nft.delete_table().unwrap();
            nft
        })
        .join()
        .unwrap();
        assert_eq!(receiver.recv_timeout(SILENCE).ok(), None);
        run("nft add table ip stranger");
        assert_eq!(reported(&receiver, &Foreign::Nft), [Foreign::Nft]);
        drop(nft);
    });
}

#[test]
fn a_burst_is_reported_once() {
    alone(|| {
        run("ip link add left type veth peer name right");
        run("ip link set left up");
        let (_monitor, receiver) = watch("here");
        let batch: String =
            (1..200).map(|n| format!("addr add 203.0.113.{n}/32 dev left\n")).collect();
        std::fs::write("/run/netns/batch", batch).unwrap();
        let begin = Instant::now();
        run("ip -batch /run/netns/batch");
        // Addresses and routes, each once in the 5 ms for which events are collected.
        let most = (2 * (begin.elapsed().as_millis() as usize / 5 + 2)).max(40);
        let seen = reported(&receiver, &Foreign::Address);
        assert!(seen.len() <= most, "{} events for one burst, at most {most}", seen.len());
    });
}

#[test]
fn lost_events_are_reported_as_everything() {
    alone(|| {
        // A notify that does not return keeps the watcher from reading, as a stopped agent would.
        let (gate, closed) = channel::<()>();
        let (sender, receiver) = channel();
        let namespace = Namespace::Named("here".to_owned());
        let monitor = Monitor::watch(namespace, move |_, foreign| {
            let _ = sender.send(foreign);
            let _ = closed.recv_timeout(PATIENCE * 4);
        })
        .unwrap();
        run("nft add table ip stranger");
        assert_eq!(receiver.recv_timeout(PATIENCE), Ok(Foreign::Nft));
        run("ip link add left type veth peer name right");
        let batch = "link set left mtu 1400\nlink set left mtu 1500\n".repeat(2_000);
        std::fs::write("/run/netns/batch", batch).unwrap();
        run("ip -batch /run/netns/batch");
        drop(gate);
        assert_eq!(receiver.recv_timeout(PATIENCE), Ok(Foreign::Everything));
        drop(monitor);
    });
}

#[test]
fn one_thread_watches_many_namespaces() {
    alone(|| {
        let threads = || {
            let tasks = std::fs::read_dir("/proc/self/task").unwrap();
            tasks
                .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok())
                .filter(|name| name.trim() == "monitor")
                .count()
        };
        let (sender, receiver) = channel();
        let mut monitors = Vec::new();
        for n in 0..50 {
            let name = format!("n{n}");
            run(&format!("ip netns add {name}"));
            let name: &'static str = name.leak();
            let sender = sender.clone();
            let watched = host::inside(name, move || {
                Monitor::watch(Namespace::Named(name.to_owned()), move |namespace, foreign| {
                    let _ = sender.send((namespace.clone(), foreign));
                })
            });
            monitors.push(watched.join().unwrap().unwrap());
        }
        assert_eq!(threads(), 1);
        run("ip netns exec n17 nft add table ip stranger");
        let event = receiver.recv_timeout(PATIENCE).unwrap();
        assert_eq!(event, (Namespace::Named("n17".to_owned()), Foreign::Nft));
        monitors.clear();
        run("ip netns exec n17 nft delete table ip stranger");
        assert!(receiver.recv_timeout(SILENCE).is_err());
    });
}

#[test]
fn a_dropped_monitor_lets_its_namespace_go() {
    alone(|| {
        run("ip netns add gone");
        run("ip link add here type veth peer name there netns gone");
        let monitor = host::inside("gone", || watch("gone")).join().unwrap();
        run("ip netns del gone");
        drop(monitor);
        // The kernel takes namespaces down by and by, with those of other tests.
        let begin = Instant::now();
        while run("ip -o link").contains("here") {
            assert!(begin.elapsed() < PATIENCE * 4, "the namespace lives on");
            std::thread::sleep(Duration::from_millis(20));
        }
    });
}

#[test]
fn created_and_removed_namespaces_are_reported_by_name() {
    alone(|| {
        let (sender, receiver) = channel();
        let watch = NetnsWatch::watch(Path::new("/run/netns"), move |namespace, foreign| {
            let _ = sender.send((namespace.clone(), foreign));
        })
        .unwrap();
        let wanted = Foreign::Namespace { name: "qrouter-1".to_owned() };
        for verb in ["add", "del"] {
            run(&format!("ip netns {verb} qrouter-1"));
            assert!(reported(&receiver, &wanted).iter().all(|event| *event == wanted));
        }
        drop(watch);
        run("ip netns add qrouter-2");
        assert!(receiver.recv_timeout(SILENCE).is_err());
        let absent = NetnsWatch::watch(Path::new("/run/netns/absent"), |_, _| {});
        assert!(absent.is_err());
    });
}

#[test]
fn a_changed_sysctl_is_reported() {
    alone(|| {
        let (_monitor, receiver) = watch("here");
        for (key, value) in [("ipv4.ip_forward", 1), ("ipv6.conf.all.forwarding", 1)] {
            run(&format!("sysctl -qw net.{key}={value}"));
            assert!(reported(&receiver, &Foreign::Sysctl).contains(&Foreign::Sysctl));
        }
    });
}

#[test]
fn files_that_are_written_replaced_or_removed_are_reported_by_path() {
    let directory = tempfile::tempdir().unwrap();
    let (sender, receiver) = channel();
    let watch = FileWatch::start(move |path| drop(sender.send(path.to_owned()))).unwrap();
    watch.add(directory.path()).unwrap();
    watch.add(&directory.path().join("missing")).unwrap();
    let [a, b] = ["a", "b"].map(|name| directory.path().join(name));
    std::fs::write(&a, "1").unwrap();
    assert_eq!(receiver.recv_timeout(PATIENCE).unwrap(), a);
    std::fs::rename(&a, &b).unwrap();
    let renamed = [(); 2].map(|()| receiver.recv_timeout(PATIENCE).unwrap());
    assert_eq!(renamed, [a, b.clone()]);
    std::fs::remove_file(&b).unwrap();
    assert_eq!(receiver.recv_timeout(PATIENCE).unwrap(), b);
    // A directory that comes back is another one, and is watched when it is added again.
    std::fs::remove_dir(directory.path()).unwrap();
    std::fs::create_dir(directory.path()).unwrap();
    watch.add(directory.path()).unwrap();
    std::fs::write(&b, "1").unwrap();
    assert_eq!(receiver.recv_timeout(PATIENCE).unwrap(), b);
}

#[test]
fn the_end_of_a_process_is_reported_once() {
    let directory = tempfile::tempdir().unwrap();
    let pid_file = directory.path().join("pid");
    std::fs::write(&pid_file, "").unwrap();
    let mut child = std::process::Command::new("tail").arg("-f").arg(&pid_file).spawn().unwrap();
    std::fs::write(&pid_file, child.id().to_string()).unwrap();
    let (sender, receiver) = channel();
    let begin = || {
        ProcessWatch::watch(&pid_file, {
            let s = sender.clone();
            move || s.send(()).unwrap_or_default()
        })
    };
    let watch = loop {
        // Between fork and exec its command line is ours.
        if let Some(watch) = begin().unwrap() {
            break watch;
        }
    };
    assert!(!watch.has_ended());
    assert!(receiver.recv_timeout(SILENCE).is_err());
    child.kill().unwrap();
    child.wait().unwrap();
    receiver.recv_timeout(PATIENCE).unwrap();
    assert!(watch.has_ended());
    assert!(receiver.recv_timeout(SILENCE).is_err());
    assert!(begin().unwrap().is_none());
}
