//! A `navigator server` process on loopback, for tests that need no host around it.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{self, Child, Command},
    sync::atomic::{AtomicU16, Ordering},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
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

/// On loopback, and nobody else's: the address is that of this process, by its id.
fn own_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(9696);
    let [_, a, b, c] = process::id().to_be_bytes();
    (Ipv4Addr::new(127, a, b, c), NEXT.fetch_add(1, Ordering::Relaxed)).into()
}

/// Writes `config` (TOML) to a file `name` in `directory`, with where the server listens, which is
/// all that `config` does not say. Its `[server]` section comes first.
pub(crate) fn configure(directory: &Path, name: &str, config: &str) -> (PathBuf, SocketAddr) {
    let (file, address) = (directory.join(format!("{name}.toml")), own_address());
    let listen = format!("[server]\nlisten = '{address}'");
    fs::write(&file, config.replacen("[server]", &listen, 1)).expect("write the configuration");
    (file, address)
}

impl Server {
    /// Its files are named `name` in `directory`.
    pub fn start(directory: &Path, name: &str, config: &str) -> Self {
        let (file, address) = configure(directory, name, config);
        Self::run(&file, address)
    }

    /// With a configuration that says that it listens at `address`.
    pub(crate) fn run(config: &Path, address: SocketAddr) -> Self {
        let log = config.with_extension("log");
        let written = File::create(&log).expect("a log");
        let mut command = Command::new(binary());
        command.arg("server").arg("--config").arg(config);
        command.env("NO_PROXY", "*").env("NO_COLOR", "1");
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
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Status and text of the answer to a request with these headers, over a connection of its own.
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, String) {
        let headers: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\
             content-length: {length}\r\n\r\n{body}"
        );
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        stream.write_all(request.as_bytes()).expect("the request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let status = answer.split_whitespace().nth(1).and_then(|status| status.parse().ok());
        (status.unwrap_or_else(|| panic!("no status: {answer}")), answer)
    }

    /// Has it read again what it can read again.
    pub fn hang_up(&self) {
        self.signal(Signal::SIGHUP);
    }

    /// Has it end as an operator would; its whole log.
    pub fn end(mut self) -> String {
        self.signal(Signal::SIGTERM);
        let _ = self.process.wait();
        self.log()
    }

    fn signal(&self, signal: Signal) {
        // By its own id, which cannot be another's before it was waited for.
        if let Ok(pid) = self.process.id().try_into() {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = self.log();
            let last: Vec<&str> = log.lines().rev().take(50).collect();
            eprintln!("--- the end of {} ---", self.log.display());
            last.iter().rev().for_each(|line| eprintln!("{line}"));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
