//! Children: real dnsmasq processes that outlive the agent that started them.

use std::{fs, process::Command, thread, time::Duration};

use navigator_model::Scope;
use navigator_state::{Action, Process, ProcessState};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::host::{Host, in_time, namespace, network, on_a_host, refusal, state_file};

const AGENT: &str = "NAVIGATOR_TEST_AGENT";

fn dnsmasq(scope: &Scope, loaded: &str) -> Process {
    let path = |name: &str| state_file(scope, name).display().to_string();
    let argv = [
        "dnsmasq".to_owned(),
        "--conf-file=/dev/null".to_owned(),
        "--no-resolv".to_owned(),
        "--no-hosts".to_owned(),
        "--port=0".to_owned(),
        "--user=root".to_owned(),
        "--interface=lo".to_owned(),
        "--bind-interfaces".to_owned(),
        "--dhcp-range=198.51.100.0,static".to_owned(),
        format!("--dhcp-leasefile={}", path("leases")),
        format!("--dhcp-hostsfile={}", path("hosts")),
        format!("--log-facility={}", path("log.sock")),
        format!("--pid-file={}", path("dnsmasq.pid")),
    ];
    Process {
        namespace: namespace(scope),
        argv: argv.into(),
        pid_file: state_file(scope, "dnsmasq.pid"),
        loaded: loaded.to_owned(),
    }
}

fn start(scope: &Scope) -> Vec<Action> {
    vec![
        Action::CreateNamespace(namespace(scope)),
        Action::WriteFile { path: state_file(scope, "hosts"), content: Vec::new() },
        Action::StartProcess { name: "dnsmasq".to_owned(), process: dnsmasq(scope, "a") },
    ]
}

fn stop(scope: &Scope) -> Action {
    Action::StopProcess { name: "dnsmasq".to_owned(), pid_file: state_file(scope, "dnsmasq.pid") }
}

fn state(host: &Host, scope: &Scope) -> ProcessState {
    host.observe(scope).processes.remove("dnsmasq").expect("there is a pid file")
}

fn is_alive(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.cast_signed()), signal).unwrap();
}

#[test]
fn a_child_runs_in_its_namespace_and_session_and_is_stopped() {
    on_a_host(|host| {
        let scope = network(1);
        host.must(&scope, start(&scope));
        let found = state(&host, &scope);
        let pid = found.pid.unwrap();
        assert_eq!(found.argv, Some(dnsmasq(&scope, "a").argv));
        assert_eq!(found.loaded.as_deref(), Some("a"));
        let own = fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
        assert_ne!(own, fs::read_link("/proc/thread-self/ns/net").unwrap());
        let session = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let ours = fs::read_to_string("/proc/self/stat").unwrap();
        assert_ne!(session.split(' ').nth(5), ours.split(' ').nth(5), "same session");
        host.must(&scope, vec![stop(&scope)]);
        assert!(!is_alive(pid));
        assert!(host.observe(&scope).processes.is_empty());
    });
}

#[test]
fn a_child_survives_the_agents_death_and_is_adopted_by_the_next() {
    let scope = network(1);
    if std::env::var_os(AGENT).is_some() {
        // The agent of the test below: it is on the test's host already, and dies badly.
        Host::here().must(&scope, start(&scope));
        std::process::abort();
    }
    on_a_host(move |host| {
        let agent = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "processes::a_child_survives_the_agents_death_and_is_adopted_by_the_next",
            ])
            .env(AGENT, "1")
            .output()
            .unwrap();
        assert!(!agent.status.success(), "the agent was to abort");
        let found = state(&host, &scope);
        assert_eq!(found.argv, Some(dnsmasq(&scope, "a").argv));
        // Starting what runs already is adopting it.
        host.must(&scope, start(&scope));
        assert_eq!(state(&host, &scope).pid, found.pid);
        host.must(&scope, vec![stop(&scope)]);
        assert!(!is_alive(found.pid.unwrap()));
    });
}

#[test]
fn a_reload_makes_the_child_read_again_and_leaves_a_stamp() {
    on_a_host(|host| {
        let scope = network(1);
        host.must(&scope, start(&scope));
        let reads = || {
            let log = fs::read_to_string(state_file(&scope, "log.sock")).unwrap();
            log.lines().filter(|l| l.contains("read ") && l.contains("/hosts")).count()
        };
        assert!(in_time(|| reads() > 0), "the hosts file was not read");
        let before = reads();
        let pid = state(&host, &scope).pid;
        let process = dnsmasq(&scope, "b");
        host.must(&scope, vec![Action::ReloadProcess { name: "dnsmasq".to_owned(), process }]);
        let found = state(&host, &scope);
        assert_eq!((found.pid, found.loaded.as_deref()), (pid, Some("b")));
        let again = in_time(|| reads() > before);
        host.must(&scope, vec![stop(&scope)]);
        assert!(again, "the hosts file was not read again");
    });
}

#[test]
fn a_process_that_got_our_childs_pid_is_neither_ours_nor_stopped() {
    on_a_host(|host| {
        let scope = network(1);
        host.must(&scope, start(&scope));
        let pid = state(&host, &scope).pid.unwrap();
        let mut stranger = Command::new("sleep").arg("60").spawn().unwrap();
        fs::write(state_file(&scope, "dnsmasq.pid"), stranger.id().to_string()).unwrap();
        let found = state(&host, &scope);
        assert_eq!((found.argv, found.pid), (None, None));
        host.must(&scope, vec![stop(&scope)]);
        assert!(stranger.try_wait().unwrap().is_none(), "somebody else's process was stopped");
        stranger.kill().unwrap();
        stranger.wait().unwrap();
        signal(pid, Signal::SIGKILL);
    });
}

#[test]
fn a_child_whose_stamp_was_removed_is_known_by_the_pid_file_in_its_command_line() {
    on_a_host(|host| {
        let scope = network(1);
        host.must(&scope, start(&scope));
        let before = state(&host, &scope);
        fs::remove_file(state_file(&scope, "dnsmasq.pid.loaded")).unwrap();
        assert_eq!(state(&host, &scope), ProcessState { loaded: None, ..before.clone() });
        host.must(&scope, vec![stop(&scope)]);
        assert!(!is_alive(before.pid.unwrap()));
    });
}

#[test]
fn a_child_that_does_not_end_when_asked_is_killed() {
    on_a_host(|host| {
        let scope = network(1);
        host.must(&scope, start(&scope));
        let pid = state(&host, &scope).pid.unwrap();
        // Stopped, it cannot answer SIGTERM.
        signal(pid, Signal::SIGSTOP);
        host.must(&scope, vec![stop(&scope)]);
        assert!(!is_alive(pid));
    });
}

#[test]
fn a_namespace_goes_with_its_devices_although_a_process_is_left_in_it() {
    on_a_host(|host| {
        let scope = network(1);
        host.must(&scope, start(&scope));
        let delete = Action::DeleteNamespace(namespace(&scope));
        host.must(&scope, [crate::host::small_router(&scope), vec![delete]].concat());
        assert!(!crate::host::run(&["ip", "-br", "link"]).contains("tap-a"));
        host.must(&scope, vec![stop(&scope)]);
    });
}

#[test]
fn a_child_that_dies_is_seen_as_dead_and_can_be_started_again() {
    on_a_host(|host| {
        let scope = network(1);
        host.must(&scope, start(&scope));
        let pid = state(&host, &scope).pid.unwrap();
        signal(pid, Signal::SIGKILL);
        while is_alive(pid) {
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(state(&host, &scope).argv, None);
        host.must(&scope, start(&scope));
        assert_ne!(state(&host, &scope).pid, Some(pid));
        host.must(&scope, vec![stop(&scope)]);
    });
}

#[test]
fn a_child_that_refuses_to_run_is_an_error_and_leaves_nothing() {
    on_a_host(|host| {
        let scope = network(1);
        let mut process = dnsmasq(&scope, "a");
        process.argv.push("--no-such-option".to_owned());
        let outcomes = host.apply(
            &scope,
            vec![
                Action::CreateNamespace(namespace(&scope)),
                Action::StartProcess { name: "dnsmasq".to_owned(), process },
            ],
        );
        assert!(refusal(&outcomes, 1).contains("exit status"));
        assert!(host.observe(&scope).processes.is_empty());
        let process = Process { argv: vec!["/no/such/program".to_owned()], ..dnsmasq(&scope, "a") };
        let outcomes =
            host.apply(&scope, vec![Action::StartProcess { name: "dnsmasq".to_owned(), process }]);
        assert!(refusal(&outcomes, 0).contains("starting"));
    });
}
