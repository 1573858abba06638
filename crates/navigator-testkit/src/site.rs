//! The place of one test: a temporary directory and the hosts in it, all gone at its end.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use navigator_lab::{Host, Instance, Lifetime, Namespaces};
use navigator_model::{MacAddress, PortId};
use nix::sys::statvfs::statvfs;
use tempfile::TempDir;

#[derive(Debug)]
pub struct Site {
    dir: TempDir,
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}

impl Site {
    pub fn new() -> Self {
        let dir = TempDir::with_prefix_in("navigator-test-", base()).expect("a directory");
        // Daemons that give up root (dnsmasq) read their files below it.
        let readable = Permissions::from_mode(0o755);
        fs::set_permissions(dir.path(), readable).expect("a readable directory");
        Self { dir }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A host that ends with the value returned, or with the test's process.
    pub fn host(&self, name: &str) -> Host {
        require_root();
        Host::start(name, &self.dir_of(name), Lifetime::WithCaller)
            .unwrap_or_else(|error| panic!("host {name}: {}", with_sources(&error)))
    }

    /// An instance plugged into `node` by its port's tap device, without an address yet.
    pub fn instance(&self, name: &str, node: &Namespaces, port: (PortId, MacAddress)) -> Instance {
        require_root();
        Instance::plug(name, &self.dir_of(name), Lifetime::WithCaller, node, port)
            .unwrap_or_else(|error| panic!("instance {name}: {}", with_sources(&error)))
    }

    fn dir_of(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// In memory where there is room: a busy disk makes a database wait for seconds, which is no test's
/// point.
fn base() -> PathBuf {
    const ROOM_BYTES: u64 = 2 << 30;
    let memory = Path::new("/dev/shm");
    let free = statvfs(memory).map_or(0, |fs| fs.blocks_available() * fs.fragment_size());
    if free > ROOM_BYTES { memory.to_owned() } else { std::env::temp_dir() }
}

fn require_root() {
    assert!(nix::unistd::geteuid().is_root(), "this test makes namespaces: run it as root");
}

/// An error with everything that caused it, on one line.
pub fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
