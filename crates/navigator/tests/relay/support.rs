//! The program, run in a network of the test's own, and those around it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sched::{CloneFlags, unshare},
    sys::signal::{Signal, kill},
    unistd::Pid,
};

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn own_network() {
    unshare(CloneFlags::CLONE_NEWNET).expect("needs root");
    assert!(Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_navigator"));
    command.arg("relay").args(arguments).env("NO_COLOR", "1").env_remove("RUST_LOG");
    command
}

/// A relay that runs until the value goes; its log, line by line.
pub(crate) struct Program {
    pub(crate) child: Child,
    pub(crate) log: Receiver<String>,
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let (lines, log) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|l| lines.send(l)));
        Self { child, log }
    }

    /// Waits for a line with these words and gives it.
    pub(crate) fn says(&self, words: &str) -> String {
        let mut heard = Vec::new();
        loop {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(words) => return line,
                Ok(line) => heard.push(line),
                Err(_) => panic!("never said '{words}', but {heard:#?}"),
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Says its word to each connection and waits for the other's end.
pub(crate) fn says(port: u16, word: &'static str) {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let _ = stream.write_all(word.as_bytes());
                let _ = stream.read(&mut [0]);
            });
        }
    });
}

pub(crate) fn hears(port: u16, word: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut buffer = vec![0; word.len()];
    stream.read_exact(&mut buffer).unwrap();
    assert_eq!(buffer, word.as_bytes());
    stream
}

pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn output(command: &mut Command) -> (i32, String) {
    let Output { status, stderr, stdout } = command.output().unwrap();
    let text = [stdout, stderr].concat();
    (status.code().unwrap(), String::from_utf8(text).unwrap())
}

pub(crate) fn write(file: &Path, text: &str) {
    fs::write(file, text).unwrap();
}
