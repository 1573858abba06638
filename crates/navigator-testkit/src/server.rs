//! A `navigator server` process on loopback, for tests that need no host around it.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use crate::navigator::binary;

/// How long a start may take on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(60);

/// It ends with the test; its log is printed when the test panics.
#[derive(Debug)]
pub struct Server {
    process: Child,
    log: PathBuf,
    pub address: SocketAddr,
}

impl Server {
    /// Its files are named `name` in `directory`. `config` (TOML) says all but where it listens, so
    /// that its `[server]` section comes first.
    pub fn start(directory: &Path, name: &str, config: &str) -> Self {
        // Free a moment ago, which is all that can be known.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let address = free.expect("a free port");
        let file = directory.join(format!("{name}.toml"));
        let listen = format!("[server]\nlisten = '{address}'");
        fs::write(&file, config.replacen("[server]", &listen, 1)).expect("write the configuration");
        let log = directory.join(format!("{name}.log"));
        let written = File::create(&log).expect("a log");
        let mut command = Command::new(binary());
        command.arg("server").arg("--config").arg(&file).env("NO_COLOR", "1");
        command.stdout(written.try_clone().expect("a log")).stderr(written);
        let process = command.spawn().expect("start navigator");
        let server = Self { process, log, address };
        server.wait_until_ready();
        server
    }

    fn wait_until_ready(&self) {
        let start = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            assert!(start.elapsed() < START_LIMIT, "{} does not answer", self.address);
            thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let last: Vec<&str> = log.lines().rev().take(50).collect();
            eprintln!("--- the end of {} ---", self.log.display());
            last.iter().rev().for_each(|line| eprintln!("{line}"));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
