//! Stock Neutron as operators run it, in a host of ours: MariaDB, RabbitMQ, the API under uwsgi, the RPC
//! server and the periodic workers, by the open-vswitch mechanism; and the Keystone that it and
//! Navigator ask about tokens. All from Debian and PyPI, unchanged.

mod files;
mod keystone;

use std::{
    fs::{self, File},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use navigator_lab::{Host, Process, http};
use navigator_testkit::stock::unaware;

pub(crate) use keystone::{Keystone, SERVICE_PASSWORD};

use crate::processes::Part;

pub(crate) const API: SocketAddr = loopback(9696);

const START_LIMIT: Duration = Duration::from_secs(180);

pub(crate) const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// Everything of it ends with its host.
pub(crate) struct Stock {
    pub(crate) parts: Vec<Part>,
}

impl Stock {
    /// `workers` processes answer requests.
    pub(crate) fn start(host: &Host, workers: u32) -> anyhow::Result<Self> {
        let dir = host.dir().join("stock");
        fs::create_dir_all(dir.join("state"))?;
        let environment = environment("stock-neutron", "bench/stock/requirements-neutron.txt")?;
        let start = Start { host, dir: &dir, environment: &environment };
        let database = start.mariadb()?;
        let messages = start.rabbitmq()?;
        files::write(&dir, &environment)?;
        start.await_mariadb()?;
        start.migrate()?;
        let api = start.api(workers)?;
        let rpc = start.neutron("neutron-rpc-server")?;
        let periodic = start.neutron("neutron-periodic-workers")?;
        http::wait_until_answered(host, API, "/", START_LIMIT)
            .with_context(|| last_lines(&dir.join("api.log")))?;
        let parts = [
            ("API", api),
            ("RPC", rpc),
            ("periodic", periodic),
            ("MariaDB", database),
            ("RabbitMQ", messages),
        ];
        let parts = parts.map(|(name, process)| Part::new(name, process.pid())).into();
        Ok(Self { parts })
    }
}

/// The checkout.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The directory of a private Python environment, which a script makes once.
pub(crate) fn environment(name: &str, requirements: &str) -> anyhow::Result<PathBuf> {
    let mut script = Command::new(root().join("scripts/python-environment"));
    let output =
        script.arg(name).arg(root().join(requirements)).stderr(Stdio::inherit()).output()?;
    anyhow::ensure!(output.status.success(), "{name} could not be installed");
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

pub(crate) fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    format!("{}:\n{}", log.display(), lines[lines.len().saturating_sub(30)..].join("\n"))
}

/// Programs of one environment that are started in a host, with a log each.
struct Start<'a> {
    host: &'a Host,
    dir: &'a Path,
    environment: &'a Path,
}

impl Start<'_> {
    fn program(&self, name: &str) -> PathBuf {
        self.environment.join("bin").join(name)
    }

    fn path(&self, name: &str) -> String {
        self.dir.join(name).to_string_lossy().into_owned()
    }

    fn background(&self, name: &str, command: &mut Command) -> anyhow::Result<Process> {
        let log = File::create(self.dir.join(format!("{name}.log")))?;
        // Some write below their home.
        unaware(command).env("HOME", self.dir).stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        Ok(self.host.process(command)?)
    }

    /// Runs a program of the environment to its end.
    fn finish(&self, program: &str, command: &mut Command) -> anyhow::Result<()> {
        let process = self.background(program, command)?;
        let status = process.wait_timeout(START_LIMIT)?;
        if !status.success() {
            bail!("{program}: {status}, {}", last_lines(&self.dir.join(format!("{program}.log"))));
        }
        Ok(())
    }

    fn mariadb(&self) -> anyhow::Result<Process> {
        let data = self.path("mariadb");
        let datadir = format!("--datadir={data}");
        let common = ["--no-defaults", "--user=mysql", &datadir];
        let install = ["mariadb-install-db"].iter().chain(&common).copied();
        let install: Vec<&str> =
            install.chain(["--auth-root-authentication-method=normal"]).collect();
        self.host.run(&install).context("is mariadb-server installed?")?;
        let mut command = Command::new("mariadbd");
        command.args(common).args([
            "--bind-address=127.0.0.1",
            "--port=3306",
            "--max-connections=500",
            "--innodb-buffer-pool-size=512M",
            "--character-set-server=utf8mb4",
            // In memory and not made to last, as Navigator's PostgreSQL here.
            "--innodb-flush-log-at-trx-commit=0",
            "--skip-innodb-doublewrite",
        ]);
        let socket = format!("--socket={}", self.path("mariadb/sock"));
        self.background("mariadb", command.arg(socket))
    }

    fn await_mariadb(&self) -> anyhow::Result<()> {
        let socket = self.path("mariadb/sock");
        let client = ["mariadb", "--no-defaults", "--user=root", "--socket", &socket, "--execute"];
        let made = format!(
            "CREATE DATABASE neutron CHARACTER SET utf8mb4; \
             CREATE USER neutron@'127.0.0.1' IDENTIFIED BY '{0}'; \
             CREATE USER neutron@localhost IDENTIFIED BY '{0}'; \
             GRANT ALL ON neutron.* TO neutron@'127.0.0.1'; \
             GRANT ALL ON neutron.* TO neutron@localhost",
            files::DATABASE_PASSWORD
        );
        let start = Instant::now();
        while let Err(error) = self.host.run(&[&client[..], &["SELECT 1"]].concat()) {
            if start.elapsed() > START_LIMIT {
                return Err(error).context(last_lines(&self.dir.join("mariadb.log")));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        self.host.run(&[&client[..], &[&made]].concat())?;
        Ok(())
    }

    /// Neutron waits for it by itself.
    fn rabbitmq(&self) -> anyhow::Result<Process> {
        let base = self.dir.join("rabbitmq");
        fs::create_dir_all(&base)?;
        fs::write(base.join("rabbitmq.conf"), files::RABBITMQ)?;
        fs::write(base.join("plugins"), "[].\n")?;
        let mut command = Command::new(rabbitmq_server()?);
        let inside = |name: &str| base.join(name);
        command
            .env("RABBITMQ_HOME", "/usr/lib/rabbitmq")
            .env("RABBITMQ_BASE", &base)
            .env("RABBITMQ_NODENAME", "stock@localhost")
            .env("RABBITMQ_MNESIA_BASE", inside("mnesia"))
            .env("RABBITMQ_LOG_BASE", inside("log"))
            .env("RABBITMQ_PID_FILE", inside("pid"))
            .env("RABBITMQ_CONFIG_FILE", inside("rabbitmq"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", inside("plugins"))
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null");
        self.background("rabbitmq", &mut command)
    }

    fn api(&self, workers: u32) -> anyhow::Result<Process> {
        let mut command = Command::new(self.program("uwsgi"));
        command.env("OS_NEUTRON_CONFIG_FILES", self.configuration_files().join(";"));
        command.args([
            "--master",
            "--need-app",
            "--enable-threads",
            "--lazy-apps",
            "--threads",
            "1",
        ]);
        command.args(["--processes", &workers.to_string(), "--buffer-size", "65535"]);
        command.args(["--http-socket", &API.to_string(), "--add-header", "Connection: close"]);
        command.args(["--disable-logging", "--module", "neutron.wsgi.api"]);
        command.args(["--pyargv", &format!("--log-file={}", self.path("neutron-api.log"))]);
        self.background("api", &mut command)
    }

    fn neutron(&self, program: &str) -> anyhow::Result<Process> {
        self.background(program, &mut self.configured(program))
    }

    fn migrate(&self) -> anyhow::Result<()> {
        let program = "neutron-db-manage";
        self.finish(program, self.configured(program).args(["upgrade", "heads"]))
    }

    fn configured(&self, program: &str) -> Command {
        let mut command = Command::new(self.program(program));
        let files = self.configuration_files();
        command.args(files.iter().flat_map(|file| ["--config-file", file.as_str()]));
        command
    }

    fn configuration_files(&self) -> [String; 2] {
        ["neutron.conf", "ml2_conf.ini"].map(|name| self.path(name))
    }
}

/// Debian's wrapper would change to RabbitMQ's own account.
fn rabbitmq_server() -> anyhow::Result<PathBuf> {
    let versions =
        fs::read_dir("/usr/lib/rabbitmq/lib").context("is rabbitmq-server installed?")?;
    let programs = versions.flatten().map(|version| version.path().join("sbin/rabbitmq-server"));
    programs.into_iter().find(|program| program.is_file()).context("RabbitMQ's program")
}
