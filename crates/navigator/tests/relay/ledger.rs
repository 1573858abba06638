//! Every byte is accounted for while the file changes and the program is replaced by a new one: half of
//! them as plaintext, half through TLS that begins at one forward and ends at another.
//! `NAVIGATOR_RELAY_LEDGER=10000` is the full size.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
};

use nix::sys::signal::Signal;
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};

use crate::{
    authority::{Authority, Files},
    script,
    support::*,
};

const LEDGER: u16 = 4001;

/// Leads to the port of TLS, and that one where the ledger leads to.
const SECURED: u16 = 4002;
const TLS: u16 = 4003;

/// Ports of forwards that come and go.
const OTHERS: std::ops::Range<u16> = 4100..4108;

/// The relay's file, and the programs that go by it one after the other.
struct Service {
    file: PathBuf,
    target: SocketAddr,
    /// Of the forwards that speak TLS.
    secured: String,
    random: SmallRng,
    running: Program,
}

fn start(file: &std::path::Path) -> Program {
    let program = Program::start(&mut command(&["--config", file.to_str().unwrap()]));
    program.says("ready");
    program
}

fn secured(authority: &Authority, files: &Files, target: SocketAddr) -> String {
    format!(
        "[forward.secured]\nlisten = '127.0.0.1:{SECURED}'\nconnect = '127.0.0.1:{TLS}'\n\
         connect_tls = {{ ca = '{}', name = 'inside.example' }}\n\
         [forward.tls]\nlisten = '127.0.0.1:{TLS}'\nconnect = '{target}'\ntls = {{ {} }}\n",
        authority.file().display(),
        files.toml()
    )
}

fn text(file: &std::path::Path, target: SocketAddr, secured: &str, more: &str) -> String {
    let at = file.with_file_name("handover");
    format!(
        "[relay]\nhandover = '{}'\ndrain_s = 300\n{secured}\
         [forward.ledger]\nlisten = '127.0.0.1:{LEDGER}'\nconnect = '{target}'\n{more}",
        at.display()
    )
}

impl Service {
    fn start(file: PathBuf, target: SocketAddr, secured: String) -> Self {
        write(&file, &text(&file, target, &secured, ""));
        let running = start(&file);
        Self { file, target, secured, random: SmallRng::seed_from_u64(7), running }
    }

    /// Some of the others, each led as chance has it; the ledger's own limits change too.
    fn change(&mut self) {
        let mut more = match self.random.random_range(0..3) {
            0 => String::new(),
            n => format!("max_connections = {}\n", 1000 * n),
        };
        for port in OTHERS {
            if self.random.random() {
                continue;
            }
            let target = self.target;
            let entry =
                format!("[forward.x{port}]\nlisten = '127.0.0.1:{port}'\nconnect = '{target}'\n");
            let kind = match self.random.random_range(0..4) {
                0 => "removal = 'drain'\n",
                1 => "max_connections = 1\n",
                2 => "idle_timeout_s = 100\n",
                _ => "",
            };
            more += &(entry + kind);
        }
        self.put(&more);
    }

    fn put(&mut self, more: &str) {
        let new = self.file.with_extension("new");
        write(&new, &text(&self.file, self.target, &self.secured, more));
        fs::rename(&new, &self.file).unwrap();
        self.running.says("ready");
    }

    /// A new program takes over; the one before goes on with what it has.
    fn replace(&mut self) -> Program {
        let successor = start(&self.file);
        self.running.says("a successor has taken over");
        std::mem::replace(&mut self.running, successor)
    }

    fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.running.child.id())).unwrap().count()
    }
}

#[test]
fn every_byte_arrives_once_while_the_file_and_the_program_change() {
    own_network();
    let count = script::size(300) as u64;
    let directory = tempfile::tempdir().unwrap();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = server.local_addr().unwrap();
    let servants = script::servants(&server, 32);
    let authority = Authority::new();
    let secured = secured(&authority, &authority.issue("inside.example"), target);
    let mut service = Service::start(directory.path().join("forwards.toml"), target, secured);
    let before = service.descriptors();
    let (next, done, changes) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(true));
    let mut before_it = Vec::new();
    let mut changed = 0;
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Relaxed);
                    if seed >= count {
                        return;
                    }
                    // Both kinds of every way to end.
                    let port = if seed / 5 % 2 == 0 { LEDGER } else { SECURED };
                    script::connect(SocketAddr::from(([127, 0, 0, 1], port)), seed);
                    done.fetch_add(1, Relaxed);
                }
            });
        }
        for client in 0..4_u64 {
            let changes = &changes;
            scope.spawn(move || {
                for number in 0.. {
                    if !changes.load(Relaxed) {
                        return;
                    }
                    let port = OTHERS.start + (number % OTHERS.len() as u64) as u16;
                    let to = SocketAddr::from(([127, 0, 0, 1], port));
                    script::connect_to_what_may_go(to, client * 1_000_000 + number);
                    thread::yield_now();
                }
            });
        }
        // Ended also by a client's panic, which has to be told.
        while next.load(Relaxed) < count {
            service.change();
            changed += 1;
            if done.load(Relaxed) > count * (before_it.len() as u64 + 1) / 3 && before_it.len() < 2
            {
                before_it.push(service.replace());
            }
        }
        changes.store(false, Relaxed);
    });
    while before_it.len() < 2 {
        before_it.push(service.replace());
    }
    assert_eq!(done.load(Relaxed), count);
    println!("{count} connections, {changed} changes, {} programs", before_it.len() + 1);
    for mut program in before_it {
        assert_eq!(program.child.wait().unwrap().code(), Some(0));
    }
    service.put("");
    eventually("no descriptor is left", || service.descriptors() == before);
    service.running.signal(Signal::SIGTERM);
    assert_eq!(service.running.child.wait().unwrap().code(), Some(0));
    assert!(TcpStream::connect(("127.0.0.1", LEDGER)).is_err());
    script::dismiss(servants, target);
}
