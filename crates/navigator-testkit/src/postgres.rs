//! A private PostgreSQL per test process, with a database per test.
//!
//! It runs in a host of its own, so the kernel ends it with the test's process, however that ends,
//! and its data lie in that host's own /run, in memory. Reached by a UNIX socket only.

use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use navigator_lab::{Host, Lifetime};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, User},
};

use crate::site::with_sources;

/// The account of Debian's package. PostgreSQL refuses to run as root.
const ACCOUNT: &str = "postgres";
const MISSING: &str = "PostgreSQL's server is needed: apt-get install postgresql";
const SOCKET_DIR_PREFIX: &str = "navigator-pg-";

/// The server of this process.
#[derive(Debug)]
pub struct Postgres {
    host: Host,
    binaries: PathBuf,
    socket_dir: PathBuf,
    databases: AtomicU32,
}

impl Postgres {
    /// The server that all tests of this process share; the first caller starts it.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A fresh, empty database; its URL. It goes with the server.
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        let dir = self.socket_dir.display();
        format!("postgres://{ACCOUNT}@localhost/{name}?host={dir}")
    }

    /// Runs SQL by `psql`, for what a test has to do behind Navigator's back; its plain output.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let dir = self.socket_dir.to_string_lossy();
        let mut command = Command::new(self.binaries.join("psql"));
        command.args(["-h", &dir, "-U", ACCOUNT, "-d", database, "-v", "ON_ERROR_STOP=1", "-qAt"]);
        run(command.args(["-c", sql]))
    }

    /// A server of a test's own, for tests that kill it.
    pub fn start() -> Self {
        let binaries = binaries();
        let user = User::from_name(ACCOUNT).ok().flatten().expect(MISSING);
        sweep_left_socket_dirs();
        let own = format!("{SOCKET_DIR_PREFIX}{}-{}", std::process::id(), next_number());
        let socket_dir = std::env::temp_dir().join(own);
        fs::create_dir_all(&socket_dir).expect("a directory for the socket");
        chown(&socket_dir, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("chown");
        let host = Host::start("postgres", &socket_dir.join("host"), Lifetime::WithCaller)
            .unwrap_or_else(|error| panic!("{}", with_sources(&error)));
        host.run(&["install", "-d", "-o", ACCOUNT, "-g", ACCOUNT, "/run/pg"]).expect("directory");
        let server = Self { host, binaries, socket_dir, databases: AtomicU32::new(0) };
        server.initialise();
        server.launch();
        server
    }

    /// As `kill -9` of the server; its connections end with it. See [`Self::restart`].
    pub fn kill9(&self) {
        let servers = || -> Vec<(u32, Vec<String>)> {
            let all =
                self.host.processes().unwrap_or_else(|error| panic!("{}", with_sources(&error)));
            let named =
                |argv: &[String]| argv.first().is_some_and(|name| name.contains("postgres"));
            all.into_iter().filter(|(_, argv)| named(argv)).collect()
        };
        // Its children are named by what they do; it has its own command line.
        let first = servers().into_iter().find(|(_, argv)| argv.iter().any(|word| word == "-D"));
        let (pid, _) = first.expect("PostgreSQL runs");
        let pid = i32::try_from(pid).expect("a process id");
        kill(Pid::from_raw(pid), Signal::SIGKILL).expect("kill PostgreSQL");
        let start = Instant::now();
        while !servers().is_empty() {
            assert!(start.elapsed() < Duration::from_secs(60), "its children do not end");
            std::thread::sleep(Duration::from_millis(10));
        }
        self.host.run(&["rm", "-f", "/run/pg/data/postmaster.pid"]).expect("rm");
    }

    /// The ids of its processes, as the caller sees them.
    pub fn processes(&self) -> Vec<u32> {
        let all = self.host.processes().unwrap_or_else(|error| panic!("{}", with_sources(&error)));
        all.into_iter().map(|(pid, _)| pid).collect()
    }

    /// After a [`Self::kill9`]: recovers what was committed.
    pub fn restart(&self) {
        self.launch();
    }

    fn initialise(&self) {
        let initdb = self.binaries.join("initdb");
        run(self.host.command("setpriv").args(AS_ACCOUNT).arg(initdb).args([
            "--pgdata=/run/pg/data",
            "--auth=trust",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
            "--username=postgres",
        ]));
    }

    fn launch(&self) {
        let log = self.socket_dir.join("log");
        let postgres = self.binaries.join("postgres");
        let (postgres, dir) = (postgres.to_string_lossy(), self.socket_dir.to_string_lossy());
        let argv = [
            &["setpriv"][..],
            &AS_ACCOUNT,
            &[
                &postgres,
                "-D",
                "/run/pg/data",
                "-k",
                &dir,
                "-c",
                "listen_addresses=",
                "-c",
                "fsync=off",
                // Within the directory, that it goes with it however the server ends.
                "-c",
                "dynamic_shared_memory_type=mmap",
                "-c",
                "synchronous_commit=off",
                "-c",
                "full_page_writes=off",
                "-c",
                "max_connections=300",
                "-c",
                "deadlock_timeout=100ms",
                "-c",
                "shared_buffers=32MB",
            ],
        ];
        self.host.daemon(&argv.concat(), &log).expect("start PostgreSQL");
        let start = Instant::now();
        let mut ready = Command::new(self.binaries.join("pg_isready"));
        ready.args(["-q", "-h", &dir]);
        while !ready.status().is_ok_and(|status| status.success()) {
            let log = || fs::read_to_string(&log).unwrap_or_default();
            assert!(start.elapsed() < Duration::from_secs(60), "PostgreSQL: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

const AS_ACCOUNT: [&str; 6] = ["--reuid", ACCOUNT, "--regid", ACCOUNT, "--clear-groups", "--"];

impl Drop for Postgres {
    fn drop(&mut self) {
        // The host is dropped after this; its mounts do not hold the directory.
        let _ = fs::remove_dir_all(&self.socket_dir);
    }
}

/// Where the newest installed version has its programs.
fn binaries() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect(MISSING).flatten();
    let newest = versions
        .filter(|entry| entry.path().join("bin/initdb").exists())
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .max();
    let newest = newest.expect(MISSING);
    Path::new("/usr/lib/postgresql").join(newest.to_string()).join("bin")
}

/// Removes the socket directories of processes that are gone: a shared server is never dropped.
fn sweep_left_socket_dirs() {
    for entry in fs::read_dir(std::env::temp_dir()).expect("temporary directory").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(SOCKET_DIR_PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn next_number() -> u32 {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

fn run(command: &mut Command) -> String {
    // The account may not be allowed into the directory that the test runs in.
    let output = command.current_dir("/").process_group(0).output().expect(MISSING);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
