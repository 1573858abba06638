//! Children that run in a namespace and survive this process.
//!
//! A child is known again by three things together: its pid file, the stamp that was written beside
//! it when it was started, and the command line of the process that has the pid now. A pid whose
//! command line is another one was given to somebody else since, and is never signalled.

use std::{
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use navigator_state::{Process, ProcessState};
use nix::sys::signal::Signal;

use crate::{DriverError, file, netns::Namespaces, pidfd::PidFd};

/// Daemons write their pid file after they have read their configuration.
const START_TIMEOUT: Duration = Duration::from_secs(5);
const START_POLL: Duration = Duration::from_millis(2);
const TERM_TIMEOUT_MS: i32 = 3000;
const KILL_TIMEOUT_MS: i32 = 2000;

fn failed(name: &str, doing: &'static str) -> impl FnOnce(io::Error) -> DriverError {
    let name = name.to_owned();
    move |source| DriverError::Process { name, doing, source }
}

/// What is kept beside a pid file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Stamp {
    argv: Vec<String>,
    loaded: Option<String>,
}

fn stamp_path(pid_file: &Path) -> PathBuf {
    let mut path = pid_file.as_os_str().to_owned();
    path.push(".loaded");
    path.into()
}

fn read_stamp(pid_file: &Path) -> Option<Stamp> {
    let value: serde_json::Value =
        serde_json::from_slice(&fs::read(stamp_path(pid_file)).ok()?).ok()?;
    let argv = value.get("argv")?.as_array()?;
    let argv = argv.iter().map(|a| a.as_str().map(str::to_owned)).collect::<Option<_>>()?;
    let loaded = value.get("loaded").and_then(|l| l.as_str()).map(str::to_owned);
    Some(Stamp { argv, loaded })
}

fn write_stamp(process: &Process) -> Result<(), DriverError> {
    let stamp = serde_json::json!({ "argv": process.argv, "loaded": process.loaded });
    file::write(&stamp_path(&process.pid_file), stamp.to_string().as_bytes())
}

/// The command line of a live process; `None` when there is none, or only a zombie.
fn command_line(pid: u32) -> Option<Vec<String>> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok().filter(|b| !b.is_empty())?;
    let whole = bytes.strip_suffix(&[0]).unwrap_or(&bytes);
    Some(whole.split(|b| *b == 0).map(|a| String::from_utf8_lossy(a).into_owned()).collect())
}

/// The live process that is the one that was started with this pid file.
fn alive(pid_file: &Path) -> Option<(u32, Vec<String>)> {
    let pid: u32 = fs::read_to_string(pid_file).ok()?.trim().parse().ok()?;
    let argv = command_line(pid)?;
    let is_ours = match read_stamp(pid_file) {
        Some(stamp) => argv == stamp.argv,
        // Somebody removed the stamp: a command line that names this pid file is proof enough.
        None => argv.iter().any(|a| a.contains(&*pid_file.to_string_lossy())),
    };
    is_ours.then_some((pid, argv))
}

pub(crate) fn observe(pid_file: &Path) -> ProcessState {
    let (pid, argv) = alive(pid_file).unzip();
    let loaded = read_stamp(pid_file).and_then(|s| s.loaded);
    ProcessState { argv, pid, loaded, pid_file: pid_file.to_owned() }
}

/// Starts children and reaps those that end while this process lives.
#[derive(Debug, Default)]
pub(crate) struct Children(Mutex<Vec<Child>>);

impl Children {
    /// Collects the exit statuses of children that ended, so that none stays as a zombie.
    pub(crate) fn reap(&self) {
        let mut children = self.0.lock().unwrap_or_else(|e| e.into_inner());
        children.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    }

    /// Returns once the pid file names the running child. One that runs already is adopted.
    pub(crate) fn start(
        &self,
        namespaces: &Namespaces,
        name: &str,
        process: &Process,
    ) -> Result<(), DriverError> {
        if alive(&process.pid_file).is_some_and(|(_, argv)| argv == process.argv) {
            return Ok(());
        }
        file::delete(&process.pid_file)?;
        // Before the start: a child without a stamp would not be known again.
        write_stamp(process)?;
        let mut child = namespaces.run_in(&process.namespace, || spawn(name, &process.argv))??;
        let running = wait_for_pid_file(name, process, &mut child);
        if running.is_err() {
            // It is still our direct child, so the number is still its own.
            let _ = child.kill();
            let _ = file::delete(&stamp_path(&process.pid_file));
        }
        self.0.lock().unwrap_or_else(|e| e.into_inner()).push(child);
        self.reap();
        running
    }

    /// Removes pid file and stamp, also when the process ended long ago.
    pub(crate) fn stop(&self, name: &str, pid_file: &Path) -> Result<(), DriverError> {
        if let Some(process) = hold(pid_file) {
            end(&process).map_err(failed(name, "stopping"))?;
        }
        self.reap();
        file::delete(pid_file)?;
        file::delete(&stamp_path(pid_file))
    }
}

/// SIGHUP, then the stamp: a crash in between reloads once more, never once less.
pub(crate) fn reload(name: &str, process: &Process) -> Result<(), DriverError> {
    let running =
        hold(&process.pid_file).ok_or_else(|| DriverError::NoProcess { name: name.to_owned() })?;
    running.signal(Signal::SIGHUP).map_err(failed(name, "reloading"))?;
    write_stamp(process)
}

/// Checked again after it is held: then the number cannot change hands any more.
pub(crate) fn hold(pid_file: &Path) -> Option<PidFd> {
    let (pid, _) = alive(pid_file)?;
    let held = PidFd::open(pid).ok()?;
    alive(pid_file).filter(|(again, _)| *again == pid).map(|_| held)
}

fn end(process: &PidFd) -> io::Result<()> {
    for (signal, timeout_ms) in
        [(Signal::SIGTERM, TERM_TIMEOUT_MS), (Signal::SIGKILL, KILL_TIMEOUT_MS)]
    {
        match process.signal(signal) {
            Err(e) if e.raw_os_error() != Some(libc::ESRCH) => return Err(e),
            _ => {}
        }
        if process.wait(timeout_ms) {
            return Ok(());
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "it does not end"))
}

fn spawn(name: &str, argv: &[String]) -> Result<Child, DriverError> {
    let empty = || io::Error::new(io::ErrorKind::InvalidInput, "no program named");
    let (program, arguments) =
        argv.split_first().ok_or_else(|| failed(name, "starting")(empty()))?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    in_its_own_session(&mut command);
    command.spawn().map_err(failed(name, "starting"))
}

/// So that a signal to the agent's terminal or process group does not reach the child.
#[allow(unsafe_code, reason = "what a child does before it is another program has no safe form")]
fn in_its_own_session(command: &mut Command) {
    // SAFETY: between fork and exec the closure makes one async-signal-safe call, setsid(2).
    unsafe {
        command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(io::Error::from));
    }
}

fn wait_for_pid_file(name: &str, process: &Process, child: &mut Child) -> Result<(), DriverError> {
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        if alive(&process.pid_file).is_some() {
            return Ok(());
        }
        // A daemon's first process ends well, when the one that stays has been started.
        match child.try_wait() {
            Ok(Some(status)) if !status.success() => {
                let status = status.to_string();
                return Err(DriverError::ProcessEnded { name: name.to_owned(), status });
            }
            Err(e) => return Err(failed(name, "waiting")(e)),
            _ => {}
        }
        if Instant::now() > deadline {
            let pid_file = process.pid_file.clone();
            return Err(DriverError::ProcessSilent { name: name.to_owned(), pid_file });
        }
        thread::sleep(START_POLL);
    }
}
