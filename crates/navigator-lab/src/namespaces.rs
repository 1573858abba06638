//! A running process's namespaces, and ways into them: a thread, a command, a long-lived child.
//!
//! Never changes the caller's own namespaces: entering happens on throw-away threads or in children.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    panic,
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
};

use nix::sched::{CloneFlags, setns, unshare};

use crate::LabError;

/// The network, mount and process namespaces of a host, named by its first process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespaces {
    pub pid: u32,
}

impl Namespaces {
    /// Runs `f` on a thread inside the *network* namespace only, so that files and `/proc` stay the
    /// caller's. Sockets opened in `f` stay bound to the namespace wherever they are used later.
    pub fn thread<T: Send>(&self, f: impl FnOnce() -> T + Send) -> Result<T, LabError> {
        let network = self.open("net")?;
        on_thread(move || {
            setns(network, CloneFlags::CLONE_NEWNET).map_err(LabError::errno("enter network"))?;
            Ok(f())
        })
    }

    /// A command that will run inside, as the host sees the world. The returned command is `nsenter`,
    /// which waits for the program: good for what ends by itself; use [`Self::spawn`] for what is to
    /// be signalled.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.pid.to_string(), "--net", "--mount", "--pid", "--"])
            .arg(program);
        command
    }

    /// A command in the network namespace only: process ids and paths are the caller's, which is what
    /// `ip link … netns PID` needs.
    pub fn network_command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid.to_string(), "--net", "--"]).arg(program);
        command
    }

    /// Starts a command inside as a direct child, so that its pid is the program's own.
    pub fn spawn(&self, command: &mut Command) -> Result<Child, LabError> {
        let [network, mount, process] = [self.open("net")?, self.open("mnt")?, self.open("pid")?];
        on_thread(move || {
            // setns of a mount namespace is refused while the file system context is shared.
            unshare(CloneFlags::CLONE_FS).map_err(LabError::errno("unshare fs"))?;
            setns(network, CloneFlags::CLONE_NEWNET).map_err(LabError::errno("enter network"))?;
            setns(mount, CloneFlags::CLONE_NEWNS).map_err(LabError::errno("enter mounts"))?;
            setns(process, CloneFlags::CLONE_NEWPID).map_err(LabError::errno("enter pids"))?;
            spawn(command)
        })
    }

    /// Runs a program inside to its end; its output, or an error that tells all of it.
    pub fn run(&self, argv: &[&str]) -> Result<String, LabError> {
        let mut command = self.command(argv[0]);
        output(command.args(&argv[1..]), argv)
    }

    /// Like [`Self::run`], in the network namespace only.
    pub fn run_in_network(&self, argv: &[&str]) -> Result<String, LabError> {
        let mut command = self.network_command(argv[0]);
        output(command.args(&argv[1..]), argv)
    }

    /// Starts a program that goes on when the caller ends, with its output appended to `log`.
    pub fn daemon(&self, argv: &[&str], log: &Path) -> Result<(), LabError> {
        let open = || OpenOptions::new().create(true).append(true).open(log);
        let context = || LabError::io(format!("open {}", log.display()));
        let (out, err) = (open().map_err(context())?, open().map_err(context())?);
        // setsid's child is orphaned at once, so the host's first process adopts and reaps it.
        let mut command = self.command("setsid");
        command.env("NO_COLOR", "1");
        command.arg("--fork").args(argv).stdin(Stdio::null()).stdout(out).stderr(err);
        output(&mut command, &[&["setsid", "--fork"], argv].concat()).map(drop)
    }

    /// Everything that runs inside, by the pid that the caller sees, with its command line.
    pub fn processes(&self) -> Result<Vec<(u32, Vec<String>)>, LabError> {
        let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid"));
        let ours =
            namespace(&self.pid.to_string()).map_err(LabError::io("read a pid namespace"))?;
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").map_err(LabError::io("read /proc"))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            // Whatever cannot be read has ended meanwhile.
            if namespace(&name).is_ok_and(|other| other == ours)
                && let (Ok(pid), Ok(line)) = (name.parse(), fs::read(entry.path().join("cmdline")))
            {
                let words = line.split(|byte| *byte == 0).filter(|word| !word.is_empty());
                let argv = words.map(|word| String::from_utf8_lossy(word).into_owned()).collect();
                found.push((pid, argv));
            }
        }
        Ok(found)
    }

    fn open(&self, kind: &str) -> Result<File, LabError> {
        let path = format!("/proc/{}/ns/{kind}", self.pid);
        File::open(&path).map_err(LabError::io(format!("open {path}")))
    }
}

/// Runs `f` on a thread of its own and waits for it; a panic in it goes on in the caller.
pub(crate) fn on_thread<T: Send>(
    f: impl FnOnce() -> Result<T, LabError> + Send,
) -> Result<T, LabError> {
    thread::scope(|scope| match scope.spawn(f).join() {
        Ok(result) => result,
        Err(panicked) => panic::resume_unwind(panicked),
    })
}

pub(crate) fn spawn(command: &mut Command) -> Result<Child, LabError> {
    command.spawn().map_err(|source| LabError::Spawn {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    })
}

pub(crate) fn output(command: &mut Command, argv: &[&str]) -> Result<String, LabError> {
    // What the caller has set for the standard streams stays.
    let Output { status, stdout, stderr } = command
        .output()
        .map_err(|source| LabError::Spawn { program: argv[0].to_owned(), source })?;
    let stdout = String::from_utf8_lossy(&stdout).into_owned();
    if status.success() {
        return Ok(stdout);
    }
    Err(LabError::Command {
        command: argv.join(" "),
        status: status.to_string(),
        output: format!("{stdout}{}", String::from_utf8_lossy(&stderr)).trim().to_owned(),
    })
}
