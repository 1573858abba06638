//! The loop against the real kernel, in a network and mount namespace of its own. Needs root.

use std::{
    path::PathBuf,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use navigator_agent::{Agent, AgentConfig, Host, KernelHost};
use navigator_model::{Outcome, kernel_name};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};
use tokio::sync::oneshot;

use crate::{
    fleet::{forward_key, router_id},
    server::FakeServer,
};

/// Runs a test in namespaces of its own: everything that it makes vanishes with its thread.
pub(crate) fn own_namespaces(test: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let flags = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS;
            assert_eq!(unshare(flags), Ok(()), "these tests need root");
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
            std::fs::create_dir_all("/run/netns").unwrap();
            let none = MsFlags::empty();
            mount(Some("none"), "/run/netns", Some("tmpfs"), none, None::<&str>).unwrap();
            test();
        });
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// A host with the server that it belongs to.
fn on_a_host<F: Future<Output = ()>>(test: impl FnOnce(Machine) -> F + Send) {
    own_namespaces(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let directory = tempfile::tempdir().unwrap();
        runtime.block_on(test(Machine::at(directory.path().to_owned())));
    });
}

/// Whether the damage is repaired.
type Check = fn() -> bool;

pub(crate) struct Machine {
    pub(crate) server: Arc<FakeServer>,
    state_dir: PathBuf,
}

pub(crate) struct Running {
    agent: Arc<Agent>,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Machine {
    pub(crate) fn at(state_dir: PathBuf) -> Self {
        Self { server: Arc::default(), state_dir }
    }

    pub(crate) fn start(&self) -> Running {
        let config = AgentConfig {
            host: "node-1".into(),
            state_dir: self.state_dir.clone(),
            netns_dir: PathBuf::from("/run/netns"),
            resync_interval_s: 36_000,
            heartbeat_interval_s: 36_000,
            ..AgentConfig::default()
        };
        let host: Arc<dyn Host> = Arc::new(KernelHost::new(&config).unwrap());
        let agent = Arc::new(Agent::new(config, self.server.clone(), host).unwrap());
        let (stop, stopping) = oneshot::channel::<()>();
        let running = agent.clone();
        let task = tokio::spawn(async move {
            running.run(async { drop(stopping.await) }).await.unwrap();
        });
        Running { agent, stop, task }
    }

    pub(crate) async fn active(&self, router: u32, forward: u32) {
        self.until(|| self.server.reported(forward_key(router, forward)) == Some(Outcome::Active))
            .await;
    }

    #[track_caller]
    pub(crate) fn until(&self, condition: impl Fn() -> bool) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let begin = Instant::now();
            while !condition() {
                assert!(begin.elapsed().as_secs() < 120, "not within 120 s: {caller}");
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
        }
    }
}

impl Running {
    pub(crate) async fn settled(&self) {
        let begin = Instant::now();
        let mut calm = 0;
        // Events of our own changes arrive some milliseconds later.
        while calm < 30 {
            assert!(begin.elapsed().as_secs() < 120, "does not settle");
            calm = if self.agent.is_settled() { calm + 1 } else { 0 };
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    pub(crate) async fn stop(self) {
        drop(self.stop);
        self.task.await.unwrap();
    }
}

pub(crate) fn inside(router: u32, command: &[&str]) -> String {
    let namespace = kernel_name::router_namespace(router_id(router));
    let output = Command::new("nsenter")
        .arg(format!("--net=/run/netns/{namespace}"))
        .args(command)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn rules(router: u32) -> String {
    inside(router, &["nft", "list", "table", "ip", "navigator"])
}

#[test]
fn a_router_comes_into_the_kernel_and_a_restart_writes_nothing() {
    on_a_host(|machine| async move {
        machine.server.serve_router(1, 3);
        let run = machine.start();
        machine.active(1, 3).await;
        run.settled().await;
        assert!(rules(1).contains("2003"), "{}", rules(1));
        assert!(inside(1, &["ip", "-br", "addr"]).contains("203.0.113.1/24"));
        assert_eq!(run.agent.metrics().read().drift_repaired_total, 0);
        assert_eq!(run.agent.metrics().read().failed, 0);
        run.stop().await;

        machine.server.forget_reports();
        let run = machine.start();
        machine.active(1, 3).await;
        run.settled().await;
        assert_eq!(run.agent.kernel_writes(), 0);

        machine.server.take_away(1);
        machine.until(|| std::fs::read_dir("/run/netns").unwrap().count() == 0).await;
        run.settled().await;
        run.stop().await;
    });
}

#[test]
fn a_networks_bridge_takes_the_routers_device_and_those_of_instances() {
    on_a_host(|machine| async move {
        machine.server.serve_network(1);
        machine.server.serve_router(1, 1);
        let run = machine.start();
        machine.active(1, 1).await;
        let bridge = kernel_name::bridge(crate::fleet::network_id(1));
        let tap = kernel_name::tap(crate::fleet::port_id(1));
        let ip = |arguments: &str| {
            let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        machine
            .until(|| ip(&format!("-o link show {tap}")).contains(&format!("master {bridge}")))
            .await;
        run.settled().await;
        assert_eq!(run.agent.metrics().read().drift_repaired_total, 0);
        ip(&format!("link set {tap} nomaster"));
        machine
            .until(|| ip(&format!("-o link show {tap}")).contains(&format!("master {bridge}")))
            .await;
        ip(&format!("link del {bridge}"));
        machine
            .until(|| ip(&format!("-o link show {tap}")).contains(&format!("master {bridge}")))
            .await;
        run.settled().await;
        run.stop().await;
    });
}

#[test]
fn what_somebody_else_destroys_is_repaired_at_once_and_counted() {
    on_a_host(|machine| async move {
        machine.server.serve_router(1, 5);
        let run = machine.start();
        machine.active(1, 5).await;
        run.settled().await;
        let namespace = kernel_name::router_namespace(router_id(1));
        let port = kernel_name::router_interface(crate::fleet::port_id(1));
        let attacks: [(&[&str], Check); 4] = [
            (&["nft", "flush", "ruleset"], || rules(1).contains("2005")),
            (&["nft", "flush", "map", "ip", "navigator", "forwards"], || rules(1).contains("2005")),
            (&["ip", "addr", "flush", "dev", &port], || {
                inside(1, &["ip", "-br", "addr"]).contains("10.0.1.1/24")
            }),
            (&["ip", "link", "del", &port], || {
                inside(1, &["ip", "-br", "addr"]).contains("10.0.1.1/24")
            }),
        ];
        for (attack, repaired) in attacks {
            let before = run.agent.metrics().read().drift_repaired_total;
            inside(1, attack);
            let begin = Instant::now();
            machine.until(repaired).await;
            println!("{attack:?} repaired within {:?}", begin.elapsed());
            run.settled().await;
            assert!(run.agent.metrics().read().drift_repaired_total > before, "{attack:?}");
        }
        let deleted = Command::new("ip").args(["netns", "del", &namespace]).output().unwrap();
        // It is unmounted first: the agent may have put a new one there before its file is removed.
        let busy = deleted.stderr.trim_ascii_end().ends_with(b"Device or resource busy");
        assert!(deleted.status.success() || busy, "{deleted:?}");
        let begin = Instant::now();
        machine.until(|| rules(1).contains("2005")).await;
        println!("namespace repaired within {:?}", begin.elapsed());
        run.settled().await;
        run.stop().await;
    });
}

#[test]
fn a_hundred_routers_are_made_and_found_again_by_the_next_process() {
    on_a_host(|machine| async move {
        for router in 1..=100 {
            machine.server.serve_router(router, 100);
        }
        let all = |n: u32| machine.server.reported(forward_key(n, 100)) == Some(Outcome::Active);
        let begin = Instant::now();
        let run = machine.start();
        machine.until(|| (1..=100).all(all)).await;
        println!("100 routers with 100 forwards each from nothing: {:?}", begin.elapsed());
        run.settled().await;
        println!("settled: {:?}, {:?}", begin.elapsed(), run.agent.metrics().read());
        run.stop().await;
        machine.server.forget_reports();
        let begin = Instant::now();
        let run = machine.start();
        machine.until(|| (1..=100).all(all)).await;
        println!("found again: {:?}", begin.elapsed());
        run.settled().await;
        assert_eq!(run.agent.kernel_writes(), 0);
        run.stop().await;
    });
}

#[test]
fn a_forward_among_thousands_is_in_the_kernel_within_milliseconds() {
    on_a_host(|machine| async move {
        machine.server.serve_router(1, 5_000);
        let begin = Instant::now();
        let run = machine.start();
        machine.active(1, 5_000).await;
        println!("5000 forwards from nothing: {:?}", begin.elapsed());
        run.settled().await;
        let before = run.agent.metrics().read();
        let mut times = Vec::new();
        for n in 6_000..6_020 {
            let begin = Instant::now();
            machine.server.add_forward(1, n);
            machine.active(1, n).await;
            times.push(begin.elapsed());
        }
        times.sort();
        println!("one more: median {:?}, longest {:?}", times[10], times[19]);
        assert_eq!(run.agent.metrics().read().incremental, before.incremental + 20);
        assert!(rules(1).contains(&(2000 + 6_019).to_string()));
        run.settled().await;
        run.stop().await;
    });
}
