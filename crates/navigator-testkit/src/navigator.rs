//! A running `navigator` in a host: started with a configuration file, polled until it answers,
//! killed as roughly as a test wants, started again.

use std::{
    fs::{self, File, OpenOptions},
    net::SocketAddr,
    path::PathBuf,
    process::Command,
    time::Duration,
};

use navigator_lab::{Api, Host, Process, http};

use crate::site::with_sources;

/// How long a start may take before a test gives up.
const START_LIMIT: Duration = Duration::from_secs(60);

/// One `navigator` process. Its log is printed when the test panics.
#[derive(Debug)]
pub struct Navigator<'a> {
    host: &'a Host,
    binary: PathBuf,
    arguments: Vec<String>,
    /// For the next start.
    pub environment: Vec<(String, String)>,
    pub api_address: SocketAddr,
    log: PathBuf,
    process: Option<Process>,
}

impl<'a> Navigator<'a> {
    /// Writes `config` (TOML) into the host's directory, starts `navigator <mode> --config …` and
    /// waits until `api_address` answers inside the host.
    pub fn start(host: &'a Host, mode: &str, config: &str, api_address: SocketAddr) -> Self {
        let navigator = Self::start_unready(host, mode, config, api_address);
        navigator.wait_until_ready();
        navigator
    }

    /// As [`Self::start`], without waiting: for an agent that has no server to reach.
    pub fn start_unready(
        host: &'a Host,
        mode: &str,
        config: &str,
        api_address: SocketAddr,
    ) -> Self {
        let file = host.dir().join("navigator.toml");
        fs::write(&file, config).expect("write the configuration");
        let arguments =
            vec![mode.to_owned(), "--config".to_owned(), file.to_string_lossy().into_owned()];
        let log = host.dir().join("navigator.log");
        let mut navigator = Self {
            host,
            binary: binary(),
            arguments,
            environment: Vec::new(),
            api_address,
            log,
            process: None,
        };
        navigator.launch();
        navigator
    }

    /// Starts again after a kill, without waiting for readiness.
    pub fn launch(&mut self) {
        let open = || -> File {
            OpenOptions::new().create(true).append(true).open(&self.log).expect("open the log")
        };
        let mut command = Command::new(&self.binary);
        let environment = self.environment.iter().map(|(name, value)| (name, value));
        command.args(&self.arguments).env("NO_COLOR", "1").envs(environment);
        command.stdout(open()).stderr(open());
        let process = self.host.process(&mut command);
        self.process = Some(process.unwrap_or_else(|error| panic!("{}", with_sources(&error))));
    }

    /// Polls the API; how long it took.
    pub fn wait_until_ready(&self) -> Duration {
        http::wait_until_answered(self.host, self.api_address, "/", START_LIMIT)
            .unwrap_or_else(|error| panic!("{}\n{}", with_sources(&error), self.log()))
    }

    /// As `kill -9` would; what it had in the kernel and its children stay.
    pub fn kill9(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill9().expect("kill navigator");
        }
    }

    pub fn restart(&mut self) -> Duration {
        self.kill9();
        self.launch();
        self.wait_until_ready()
    }

    /// A client of it, from inside its own host.
    pub fn api(&self) -> Api {
        Api::new(self.host, self.api_address)
    }

    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Navigator<'_> {
    fn drop(&mut self) {
        let ended = |process: &Process| process.exited().is_ok_and(|status| status.is_some());
        if std::env::var_os("NAVIGATOR_SHOW_LOG").is_some()
            || std::thread::panicking()
            || self.process.as_ref().is_some_and(ended)
        {
            eprintln!("--- {} ---\n{}", self.log.display(), self.log());
        }
        if let Some(process) = self.process.take() {
            // It dies with its host at the latest.
            let _ = process.kill9();
        }
    }
}

/// A configuration for `all-in-one` in `host`, with everything it keeps in the host's directory.
/// `database` is a URL, or `None` for an SQLite file there.
pub fn all_in_one(
    host: &Host,
    api_address: SocketAddr,
    database: Option<&str>,
    bridge_mappings: &[(&str, &str)],
) -> String {
    let dir = host.dir().display();
    let sqlite = format!("sqlite:{dir}/navigator.sqlite");
    let database = database.unwrap_or(&sqlite);
    let mappings: String =
        bridge_mappings.iter().map(|(name, device)| format!("{name} = '{device}'\n")).collect();
    format!(
        "[server]\nlisten = '{api_address}'\ndatabase = '{database}'\n\n{NO_QUOTAS}[agent]\nhost = '{}'\n\
         state_dir = '{dir}/agent'\n\n[agent.bridge_mappings]\n{mappings}",
        host.name()
    )
}

/// Tests and measurements make as many objects as they like.
const NO_QUOTAS: &str = "[quotas]\nnetwork = -1\nsubnet = -1\nport = -1\nrouter = -1\n\
    floatingip = -1\n\n";

/// The binary under test: named by NAVIGATOR_BINARY, or built beside the running test.
pub fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("NAVIGATOR_BINARY") {
        return named.into();
    }
    let own = std::env::current_exe().expect("own path");
    // target/<profile>/<program>, or target/<profile>/deps/<test>
    let beside = own.ancestors().skip(1).take(2).map(|directory| directory.join("navigator"));
    let built = beside.into_iter().find(|path| path.is_file());
    built.unwrap_or_else(|| {
        panic!("no navigator near {}: cargo build --bin navigator", own.display())
    })
}
