//! What a supervisor is told (sd_notify), over a socket of the test's own.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
};

use nix::{
    sys::{
        signal::{Signal, kill},
        socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt::PassCred},
    },
    unistd::Pid,
};

use crate::support::*;

struct Supervisor {
    socket: UnixDatagram,
    place: PathBuf,
}

impl Supervisor {
    fn new(directory: &Path) -> Self {
        let place = directory.join("notify");
        let socket = UnixDatagram::bind(&place).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        setsockopt(&socket, PassCred, &true).unwrap();
        Self { socket, place }
    }

    /// What is told next, and by which process.
    fn hears(&self) -> (String, i32) {
        use std::os::fd::AsRawFd as _;
        let mut buffer = [0; 1024];
        let mut space = nix::cmsg_space!(nix::sys::socket::UnixCredentials);
        let mut pieces = [std::io::IoSliceMut::new(&mut buffer)];
        let flags = MsgFlags::empty();
        let message =
            recvmsg::<()>(self.socket.as_raw_fd(), &mut pieces, Some(&mut space), flags).unwrap();
        let pid = message.cmsgs().unwrap().find_map(|control| match control {
            ControlMessageOwned::ScmCredentials(who) => Some(who.pid()),
            _ => None,
        });
        let length = message.bytes;
        (String::from_utf8(buffer[..length].to_vec()).unwrap(), pid.unwrap())
    }

    fn start(&self, file: &Path) -> Program {
        let mut command = command(&["--config", file.to_str().unwrap()]);
        Program::start(command.env("NOTIFY_SOCKET", &self.place))
    }
}

fn file(directory: &Path, drain_s: u32) -> PathBuf {
    let (file, handover) = (directory.join("forwards.toml"), directory.join("handover"));
    write(
        &file,
        &format!(
            "[relay]\ndrain_s = {drain_s}\nhandover = '{}'\n\
             [forward.a]\nlisten = ':4001'\nconnect = '127.0.0.1:1001'\n",
            handover.display()
        ),
    );
    file
}

/// A process that is no child of the test's; it ends with the value.
struct Successor(Pid);

impl Drop for Successor {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGKILL);
    }
}

/// The word's value among the lines.
fn value(lines: &str, word: &str) -> i64 {
    let line = lines.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("no {word} in {lines}")).parse().unwrap()
}

#[test]
fn it_hears_when_the_relay_is_ready_and_when_it_ends() {
    own_network();
    let directory = tempfile::tempdir().unwrap();
    let supervisor = Supervisor::new(directory.path());
    says(1001, "one");
    let mut program = supervisor.start(&file(directory.path(), 30));
    let pid = program.child.id().cast_signed();
    assert_eq!(supervisor.hears(), ("READY=1\nSTATUS=1 forwards".to_owned(), pid));
    let mut open = hears(4001, "one");
    program.signal(Signal::SIGTERM);
    let stopping = "STOPPING=1\nSTATUS=1 connections may go on for 30s".to_owned();
    assert_eq!(supervisor.hears(), (stopping, pid));
    eventually("new ones are refused", || TcpStream::connect("127.0.0.1:4001").is_err());
    // The open one goes on until its own end, and the relay ends with it.
    open.write_all(b"bye").unwrap();
    assert_eq!(open.read(&mut [0]).unwrap_or(0), 0);
    drop(open);
    assert_eq!(program.child.wait().unwrap().code(), Some(0));
}

#[test]
fn it_hears_of_each_reload_and_of_its_end() {
    own_network();
    let directory = tempfile::tempdir().unwrap();
    let supervisor = Supervisor::new(directory.path());
    let file = file(directory.path(), 0);
    let program = supervisor.start(&file);
    supervisor.hears();
    let mut before = 0;
    let mut reloading = || {
        let (lines, _) = supervisor.hears();
        assert!(lines.starts_with("RELOADING=1\n"), "{lines}");
        let now = value(&lines, "MONOTONIC_USEC");
        assert!(now > before, "{lines}");
        before = now;
    };
    program.signal(Signal::SIGHUP);
    reloading();
    assert_eq!(supervisor.hears().0, "READY=1\nSTATUS=1 forwards");
    // One that is wrong ends too, and the service is as ready as before.
    write(&file, "[forward.a]\nlisten = ':x'\nconnect = '127.0.0.1:1'\n");
    reloading();
    let wrong = "READY=1\nSTATUS=the file is wrong; the old forwards stay in force";
    assert_eq!(supervisor.hears().0, wrong);
}

#[test]
fn it_follows_the_relay_to_its_successor() {
    own_network();
    let directory = tempfile::tempdir().unwrap();
    let supervisor = Supervisor::new(directory.path());
    says(1001, "one");
    let mut program = supervisor.start(&file(directory.path(), 30));
    let first = program.child.id().cast_signed();
    supervisor.hears();
    let open = hears(4001, "one");
    // A process of this program's making takes over.
    program.signal(Signal::SIGUSR2);
    let (lines, by) = supervisor.hears();
    let second = i32::try_from(value(&lines, "MAINPID")).unwrap();
    let successor = Successor(Pid::from_raw(second));
    assert_eq!(by, first, "only the main process is listened to");
    assert_ne!(second, first);
    assert_eq!(supervisor.hears(), ("READY=1\nSTATUS=1 forwards".to_owned(), second));
    drop(hears(4001, "one"));
    // The first one has a connection still, ends with it, and says nothing of stopping.
    assert!(program.child.try_wait().unwrap().is_none());
    drop(open);
    assert_eq!(program.child.wait().unwrap().code(), Some(0));
    drop(hears(4001, "one"));
    kill(successor.0, Signal::SIGTERM).unwrap();
    let (lines, by) = supervisor.hears();
    assert!(lines.starts_with("STOPPING=1\n") && by == second, "{lines} by {by}");
    eventually("nobody is there", || TcpStream::connect("127.0.0.1:4001").is_err());
}

#[test]
fn a_successor_that_cannot_start_leaves_the_relay_as_it_is() {
    own_network();
    let directory = tempfile::tempdir().unwrap();
    let supervisor = Supervisor::new(directory.path());
    says(1001, "one");
    let file = file(directory.path(), 0);
    let mut program = supervisor.start(&file);
    supervisor.hears();
    write(&file, "[forward.a\n");
    program.says("the old forwards stay in force");
    program.signal(Signal::SIGUSR2);
    assert!(program.says("the new program has ended").contains("exit status: 2"));
    drop(hears(4001, "one"));
    assert!(program.child.try_wait().unwrap().is_none());
    program.signal(Signal::SIGTERM);
    let mut ended = || program.child.try_wait().unwrap().is_some_and(|status| status.success());
    eventually("it ends when it is told to", &mut ended);
}
