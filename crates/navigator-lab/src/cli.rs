//! `navigator lab …`: the commands, for the binary to hang under its own.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};

use crate::{
    LabError, Lifetime, demo,
    lab::{API, CLIENT_HOST, DEFAULT_DIR, Lab, NODE_HOST},
};

/// What can be done with a lab.
#[derive(Subcommand, Debug, Clone)]
pub enum LabCommand {
    /// Make the lab: an outside world, a node that runs Navigator, a router, instances.
    Up {
        #[command(flatten)]
        at: Place,
        /// How many instances to boot.
        #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=50))]
        instances: u8,
    },
    /// Run a command in one of the lab's hosts: outside, client, node, web1, web2.
    Exec {
        #[command(flatten)]
        at: Place,
        host: String,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<String>,
    },
    /// Show the lab's hosts and what Navigator has.
    Status(Place),
    /// Remove the lab, also a half-made one.
    Down(Place),
    /// Tell the story of a port forward on screen and check every step. Leaves nothing behind.
    Demo,
}

#[derive(Args, Debug, Clone)]
pub struct Place {
    /// Where the lab keeps its state.
    #[arg(long, default_value = DEFAULT_DIR)]
    pub dir: PathBuf,
}

/// Runs one command; errors are for the caller to print.
pub fn run(command: LabCommand) -> Result<(), LabError> {
    match command {
        LabCommand::Up { at, instances } => up(&at.dir, instances),
        LabCommand::Exec { at, host, command } => exec(&at.dir, &host, &command),
        LabCommand::Status(at) => status(&at.dir),
        LabCommand::Down(at) => down(&at.dir),
        LabCommand::Demo => demo::run(),
    }
}

fn up(dir: &Path, instances: u8) -> Result<(), LabError> {
    let mut lab = Lab::make(dir, Lifetime::UntilKilled)?;
    let made = furnish(&mut lab, instances);
    if let Err(error) = made {
        let log = fs::read_to_string(lab.log_path()).unwrap_or_default();
        eprintln!("{log}");
        // The first error says more than one of the removal.
        let _ = lab.remove();
        return Err(error);
    }
    println!("\nTry:");
    println!(
        "  navigator lab exec {NODE_HOST} -- openstack network list     (or scripts/stock-client)"
    );
    println!("  navigator lab exec {CLIENT_HOST} -- ping -c1 {}", crate::lab::OUTSIDE);
    println!("  navigator lab status");
    println!("  navigator lab down");
    Ok(())
}

fn furnish(lab: &mut Lab, instances: u8) -> Result<(), LabError> {
    let binary = std::env::current_exe().map_err(LabError::io("find the navigator binary"))?;
    let took = lab.start_navigator(&binary)?;
    println!("Navigator answers on http://{API} inside '{NODE_HOST}' ({} ms)", took.as_millis());
    let cloud = lab.make_cloud()?;
    println!("router {} with gateway address {}", cloud.router_id, cloud.gateway_ip);
    for number in 1..=instances {
        let name = format!("web{number}");
        let port = lab.make_port(&name)?;
        let address = lab.boot(&name, (port.id, port.mac_address))?;
        println!("{name} has {address} by DHCP, port {}", port.id);
    }
    Ok(())
}

fn exec(dir: &Path, host: &str, command: &[String]) -> Result<(), LabError> {
    let inside = Lab::open(dir)?.host(host)?;
    let mut argv = command.iter();
    let mut child = inside.command(argv.next().map_or("true", String::as_str));
    // So that the stock client just works in the node.
    child.env("OS_AUTH_TYPE", "none").env("OS_ENDPOINT", format!("http://{API}"));
    // Becomes the command, so that its exit status and the terminal's signals are its own.
    Err(LabError::io("run nsenter")(child.args(argv).exec()))
}

fn status(dir: &Path) -> Result<(), LabError> {
    let lab = Lab::open(dir)?;
    for host in lab.hosts() {
        let state = if host.is_alive() { "running" } else { "gone" };
        println!("{:10} {state:8} pid {}", host.name, host.pid);
    }
    let mut api = lab.api()?;
    for collection in ["networks", "routers", "ports"] {
        let (status, answer) = api.get(&format!("/v2.0/{collection}"))?;
        let count = answer[collection].as_array().map_or(0, Vec::len);
        println!("{collection:10} {count} (HTTP {status})");
    }
    Ok(())
}

fn down(dir: &Path) -> Result<(), LabError> {
    match Lab::open(dir) {
        Ok(lab) => lab.remove()?,
        // Nothing to remove is what was asked for.
        Err(LabError::NoLab { .. }) => println!("there is no lab in {}", dir.display()),
        Err(error) => return Err(error),
    }
    Ok(())
}
