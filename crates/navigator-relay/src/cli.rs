//! `navigator relay …`: the commands, for the binary to hang under its own. Exit codes: 0 ended as
//! asked, 1 something failed, 2 the configuration is wrong.

mod configuration;
mod metrics;
mod notify;
mod service;
mod tls;
mod top;
mod watched;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};

use crate::{Forward, ForwardSet, InvalidAddress, Transport};
use configuration::{Configuration, Settings};

/// Exit code for a configuration that is wrong.
const WRONG: u8 = 2;

/// Forward in userspace.
#[derive(Args, Debug, Clone)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub struct RelayCommand {
    /// The forwards, as TOML; read again on SIGHUP and when the file changes.
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Read the file, say what is wrong with it, and do nothing.
    #[arg(long, requires = "config")]
    check: bool,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand, Debug, Clone)]
enum Action {
    /// Forward TCP connections from one address to another.
    Tcp(Single),
    /// Forward UDP datagrams from one address to another.
    Udp(Single),
    /// End clients' TLS here and forward what is inside.
    Tls(tls::Tls),
    /// Show what a running relay's forwards carry, and refresh it.
    Top(top::Top),
}

#[derive(Args, Debug, Clone)]
struct Single {
    /// Where to listen: :60022, 203.0.113.7:60022, [2001:db8::7]:443, :20000-20999
    listen: String,
    /// Where it leads: 192.168.0.1:22. A range leads port by port from this one on.
    connect: String,
    /// Listen in this network namespace.
    #[arg(long, value_name = "NAME")]
    listen_netns: Option<String>,
    /// Connect in this network namespace.
    #[arg(long, value_name = "NAME")]
    connect_netns: Option<String>,
    /// Serve counters here: 127.0.0.1:9797, or unix:/run/relay.sock
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<metrics::Place>,
}

/// A configuration, and the file it is from.
type Read = Result<(Configuration, Option<PathBuf>), Vec<String>>;

/// Runs one command to its end. Prints what is wrong to standard error.
pub fn run(command: RelayCommand) -> ExitCode {
    let configuration = match (command.action, command.config) {
        (Some(Action::Top(top)), _) => return finish(top.run()),
        (Some(Action::Tcp(single)), _) => single.configuration("tcp", Transport::Tcp, Ok),
        (Some(Action::Udp(single)), _) => single.configuration("udp", Transport::Udp, Ok),
        (Some(Action::Tls(tls)), _) => tls.configuration(),
        (None, Some(path)) => Configuration::read(&path).map(|it| (it, Some(path))),
        (None, None) => {
            Err(vec!["name a configuration, or forward one address: tcp, udp, tls".into()])
        }
    };
    let (configuration, path) = match configuration {
        Ok(read) => read,
        Err(lines) => return wrong(&lines),
    };
    if command.check {
        println!("{} forwards. The configuration is valid.", configuration.set.len());
        return ExitCode::SUCCESS;
    }
    match service::run(configuration, path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(service::Failure::Wrong(lines)) => wrong(&lines),
        Err(service::Failure::System(what, error)) => {
            eprintln!("navigator: {what}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn wrong(lines: &[String]) -> ExitCode {
    for line in lines {
        eprintln!("navigator: {line}");
    }
    ExitCode::from(WRONG)
}

fn finish(result: std::io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("navigator: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Single {
    /// A set of this one alone; `more` says what else is to be known of it.
    fn configuration(
        self,
        name: &str,
        transport: Transport,
        more: impl FnOnce(Forward) -> Result<Forward, String>,
    ) -> Read {
        let wrong = |error: InvalidAddress| vec![error.to_string()];
        let mut listen: crate::ListenOn = self.listen.parse().map_err(wrong)?;
        let mut connect: crate::ConnectTo = self.connect.parse().map_err(wrong)?;
        listen.netns = self.listen_netns;
        connect.netns = self.connect_netns;
        let forward = more(Forward::new(transport, listen, connect)).map_err(|line| vec![line])?;
        let set = ForwardSet::new([(name.to_owned(), forward)])
            .map_err(|invalid| invalid.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        let settings = Settings { metrics: self.metrics, ..Settings::default() };
        Ok((Configuration { set, settings }, None))
    }
}
