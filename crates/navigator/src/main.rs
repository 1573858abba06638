//! The one binary: server, agent, both in one process, and the lab.

mod agent;
mod all_in_one;
mod config;
mod database;
mod keystone;
mod log;
mod neutron_conf;
mod nova;
mod policy;
mod policy_file;
mod server;
mod shutdown;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use navigator_api::Patient;
use navigator_model::Scope;
use tokio::runtime::Runtime;

use crate::{config::Config, log::LogConfig};

/// Long lists are large for a moment: this one gives memory back that a moment needed, where glibc's keeps
/// most of it, and small pieces cost less.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A cloud network service that speaks the OpenStack Neutron v2.0 API.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Args, Clone)]
struct ConfigArgument {
    /// TOML configuration file. Without it, everything has its default.
    #[arg(long, short, env = "NAVIGATOR_CONFIG", global = true)]
    config: Option<PathBuf>,
    /// Read Neutron's own configuration first: neutron.conf, ml2_conf.ini. May be given several
    /// times; later files win, and --config wins over all of them.
    #[arg(
        long,
        value_name = "FILE",
        env = "NAVIGATOR_NEUTRON_CONF",
        value_delimiter = ':',
        global = true
    )]
    neutron_conf: Vec<PathBuf>,
}

impl ConfigArgument {
    /// Reads the configuration, starts the log as it says, and tells there what means nothing here.
    fn load(&self) -> anyhow::Result<Config> {
        let (config, notes) = Config::load(self.config.as_deref(), &self.neutron_conf)?;
        config.log.start()?;
        for note in notes {
            tracing::warn!("neutron.conf: {note}");
        }
        Ok(config)
    }
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API.
    Server(ConfigArgument),
    /// Converge this host's kernel to what the server says.
    Agent {
        #[command(flatten)]
        config: ConfigArgument,
        #[command(subcommand)]
        action: Option<AgentAction>,
    },
    /// Server and agent in one process, on SQLite: one node, or trying it.
    AllInOne(ConfigArgument),
    /// The database.
    Db {
        #[command(flatten)]
        config: ConfigArgument,
        #[command(subcommand)]
        action: DbAction,
    },
    /// The configuration.
    Config {
        #[command(flatten)]
        config: ConfigArgument,
        #[command(subcommand)]
        action: ConfigAction,
    },
    /// The identity service.
    Keystone {
        #[command(flatten)]
        config: ConfigArgument,
        #[command(subcommand)]
        action: KeystoneAction,
    },
    /// Who may do what.
    Policy {
        #[command(flatten)]
        config: ConfigArgument,
        #[command(subcommand)]
        action: policy::PolicyAction,
    },
    /// A small cloud in network namespaces, to try Navigator in.
    #[command(subcommand)]
    Lab(navigator_lab::cli::LabCommand),
    /// Forward TCP and UDP in userspace, without a server.
    Relay(navigator_relay::cli::RelayCommand),
}

#[derive(Subcommand)]
enum AgentAction {
    /// Print what would be done for a scope (router/ID, network/ID), and do nothing.
    Plan { scope: Scope },
}

#[derive(Subcommand)]
enum DbAction {
    /// Bring the schema to this version.
    Upgrade,
    /// Print the newest step of the schema that was applied.
    Current,
    /// Print what the schema lacks. Exits with 1 unless this version can work with it.
    Check,
}

#[derive(Subcommand)]
enum ConfigAction {
    /// Read everything, open nothing, print what means nothing here. Exits with 1 on an error.
    Check,
}

#[derive(Subcommand)]
enum KeystoneAction {
    /// Create what Keystone has to know of Navigator: the service's user and its roles, the service
    /// of type network, its endpoints. What is there already stays; an endpoint's URL is corrected.
    Register(Box<keystone::Registration>),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("navigator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// An agent holds several descriptors per namespace, a server one per connection. Children inherit the
/// limit, and some walk all of it.
const DESCRIPTORS: u64 = 1 << 18;

/// Tasks that a busy thread runs before it looks at its sockets. As it comes it is 61: whoever keeps all
/// threads busy would let everybody else's requests wait for 61 of its own.
const EVENT_INTERVAL: u32 = 4;

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        // The lab makes namespaces and processes, the relay has threads of its own: nothing asynchronous
        // about them.
        Command::Lab(lab) => {
            LogConfig::default().start()?;
            navigator_lab::cli::run(lab)?;
        }
        Command::Relay(relay) => {
            LogConfig::default().start()?;
            return Ok(navigator_relay::cli::run(relay));
        }
        Command::Server(argument) => {
            let config = argument.load()?;
            on_workers(config.server.workers, |patient| server::run(config, patient))?;
        }
        Command::AllInOne(argument) => {
            let config = argument.load()?;
            on_workers(config.server.workers, |patient| all_in_one::run(config, patient))?;
        }
        Command::Agent { config, action: None } => {
            runtime(None)?.block_on(agent::run(config.load()?))?;
        }
        Command::Agent { config, action: Some(AgentAction::Plan { scope }) } => {
            runtime(None)?.block_on(agent::plan(config.load()?, scope))?;
        }
        Command::Db { config, action } => {
            runtime(None)?.block_on(on_database(&config.load()?, action))?;
        }
        Command::Config { config, action: ConfigAction::Check } => check(&config)?,
        Command::Keystone { config, action: KeystoneAction::Register(registration) } => {
            runtime(None)?.block_on(keystone::register(&config.load()?, &registration))?;
        }
        Command::Policy { config, action } => {
            let policy = config.load()?.policy.policy()?;
            anyhow::ensure!(policy::run(&policy, &action)?, "denied by policy");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// With so many threads, or one for each processor.
fn runtime(workers: Option<usize>) -> anyhow::Result<Runtime> {
    navigator_relay::raise_descriptor_limit(DESCRIPTORS)
        .context("cannot raise the limit of open files")?;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(workers) = workers {
        builder.worker_threads(workers);
    }
    builder
        .event_interval(EVENT_INTERVAL)
        .on_thread_start(shorten_slices)
        .enable_all()
        .build()
        .context("cannot start the runtime")
}

/// On the threads that serve requests: the one that waits for the end is not woken by each change.
fn on_workers<F>(workers: Option<usize>, run: impl FnOnce(Patient) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let patient = patient()?;
    let runtime = runtime(workers)?;
    let run = run(Patient::on(patient.handle().clone()));
    runtime.block_on(runtime.spawn(run)).context("the server ended by itself")?
}

/// With a thread for what takes long.
fn patient() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("patient")
        .on_thread_start(give_way)
        .enable_all()
        .build()
        .context("cannot start the runtime for large requests")
}

fn give_way() {
    if let Err(error) = navigator_drivers::slice::give_way() {
        tracing::debug!(%error, "a thread does not give way to others");
    }
}

/// A request is worked on for some tenths of a millisecond at a time.
fn shorten_slices() {
    if let Err(error) = navigator_drivers::slice::shorten() {
        tracing::debug!(%error, "a thread keeps slices of the usual length");
    }
}

async fn on_database(config: &Config, action: DbAction) -> anyhow::Result<()> {
    match action {
        DbAction::Upgrade => database::upgrade(config).await,
        DbAction::Current => database::current(config).await,
        DbAction::Check => database::check(config).await,
    }
}

/// Prints to standard output: it is what was asked for.
fn check(argument: &ConfigArgument) -> anyhow::Result<()> {
    let (config, notes) = Config::load(argument.config.as_deref(), &argument.neutron_conf)?;
    config.identity.identity()?;
    config.policy.policy()?;
    for note in notes {
        println!("neutron.conf: {note}");
    }
    println!("listen:   {}", config.server.listen);
    println!("database: {}", database::redacted(&config.server.database));
    println!("identity: {}", config.identity.mode);
    println!("The configuration is valid.");
    Ok(())
}
