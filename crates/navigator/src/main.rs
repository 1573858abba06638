//! The one binary: server, agent, both in one process, and the lab.

mod agent;
mod all_in_one;
mod config;
mod nova;
mod server;
mod shutdown;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use navigator_model::Scope;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing_subscriber::EnvFilter;

use crate::config::Config;

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
    #[arg(long, short, env = "NAVIGATOR_CONFIG")]
    config: Option<PathBuf>,
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
    /// A small cloud in network namespaces, to try Navigator in.
    #[command(subcommand)]
    Lab(navigator_lab::cli::LabCommand),
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
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("navigator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// An agent holds several descriptors per namespace, a server one per connection; the usual soft
/// limit of 1024 is for programs that use `select`.
fn raise_descriptor_limit() -> anyhow::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    // Children inherit it, and some walk all of it.
    const ENOUGH: u64 = 1 << 18;
    let wanted = hard.min(ENOUGH);
    if soft < wanted {
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard)?;
    }
    Ok(())
}

fn run(command: Command) -> anyhow::Result<()> {
    // The lab makes namespaces and processes: nothing asynchronous about it.
    let command = match command {
        Command::Lab(lab) => return Ok(navigator_lab::cli::run(lab)?),
        other => other,
    };
    raise_descriptor_limit().context("cannot raise the limit of open files")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        match command {
            Command::Server(argument) => server::run(Config::load(argument.config)?).await,
            Command::Agent { config, action: None } => {
                agent::run(Config::load(config.config)?).await
            }
            Command::Agent { config, action: Some(AgentAction::Plan { scope }) } => {
                agent::plan(Config::load(config.config)?, scope).await
            }
            Command::AllInOne(argument) => all_in_one::run(Config::load(argument.config)?).await,
            Command::Db { config, action: DbAction::Upgrade } => {
                server::upgrade(Config::load(config.config)?).await
            }
            Command::Lab(_) => Ok(()),
        }
    })
}
