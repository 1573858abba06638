//! The lab: an outside world, a network node that runs Navigator, and instances, all of them hosts of
//! namespaces. Its state is a directory with a record of the hosts' first processes, written as soon
//! as each exists, so that also a half-made lab can be entered and removed.
//!
//! ```text
//!  client 203.0.113.50 ──┐
//!                     outside (switch, 203.0.113.1) ── ext0 [node: navigator all-in-one] ── web1, web2
//! ```

pub mod cloud;
mod configuration;
pub(crate) mod hosts;
mod record;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{Api, Host, LabError, Lifetime, Namespaces};
pub use record::{Record, RecordedHost};

/// Where the lab's state is when nothing else is said.
pub const DEFAULT_DIR: &str = "/run/navigator-lab";

/// Navigator's API inside the node.
pub const API: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9696);

/// The outside world's end of the external network: its next hop.
pub const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 50);

pub const OUTSIDE_HOST: &str = "outside";
pub const CLIENT_HOST: &str = "client";
pub const NODE_HOST: &str = "node";

/// A lab, whole or half-made.
#[derive(Debug)]
pub struct Lab {
    dir: PathBuf,
    record: Record,
    lifetime: Lifetime,
    /// The hosts that this process made; those of a lab that was opened are in the record only.
    made: Vec<Host>,
}

impl Lab {
    /// The lab whose state is in `dir`.
    pub fn open(dir: &Path) -> Result<Self, LabError> {
        let record = Record::read(dir)?;
        let (dir, lifetime) = (dir.to_owned(), Lifetime::UntilKilled);
        Ok(Self { dir, record, lifetime, made: Vec::new() })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn hosts(&self) -> &[RecordedHost] {
        &self.record.hosts
    }

    /// The way into a host that is still the one we made.
    pub fn host(&self, name: &str) -> Result<Namespaces, LabError> {
        let found = self.record.hosts.iter().find(|host| host.name == name && host.is_alive());
        let namespaces = found.map(|host| Namespaces { pid: host.pid });
        namespaces.ok_or_else(|| LabError::NoSuchHost {
            name: name.to_owned(),
            known: self.record.hosts.iter().map(|host| &*host.name).collect::<Vec<_>>().join(", "),
        })
    }

    /// A client of the lab's Navigator.
    pub fn api(&self) -> Result<Api, LabError> {
        Ok(Api::new(&self.host(NODE_HOST)?, API))
    }

    /// What Navigator has logged.
    pub fn log_path(&self) -> PathBuf {
        self.dir.join("navigator.log")
    }

    /// Ends everything that runs in the lab and removes its directory. What has gone already, or is
    /// no longer the process we made, is left alone.
    pub fn remove(self) -> Result<(), LabError> {
        for host in self.record.hosts.iter().filter(|host| host.is_alive()) {
            // Gone in between is as good.
            let _ = kill(Pid::from_raw(host.pid.cast_signed()), Signal::SIGKILL);
        }
        let start = Instant::now();
        while let Some(host) = self.record.hosts.iter().find(|host| host.is_alive()) {
            if start.elapsed() > Duration::from_secs(10) {
                let what = format!("the end of {} (pid {})", host.name, host.pid);
                let waited_ms = start.elapsed().as_millis();
                return Err(LabError::Timeout { what, waited_ms, detail: String::new() });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let context = format!("remove {}", self.dir.display());
        fs::remove_dir_all(&self.dir).map_err(LabError::io(context))
    }
}
