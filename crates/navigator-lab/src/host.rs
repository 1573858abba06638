//! A host: a network, mount and process namespace of its own, with its own `/run`, `/proc`, `/sys`
//! and `/etc/resolv.conf`, kept by a first process. When that process ends the kernel ends everything
//! that runs in the host and takes its devices away, so nothing is left behind, whatever happened.

use std::{
    fs::{self, File},
    ops::Deref,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, setns, unshare},
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    LabError,
    namespaces::{Namespaces, on_thread, spawn},
};

/// How long a host lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Until it is dropped, or the process that made it ends, however it ends.
    WithCaller,
    /// Until its first process is killed: the lab's hosts outlive the command that made them.
    UntilKilled,
}

/// A host of one's own. Derefs to its [`Namespaces`], which say how to get in.
#[derive(Debug)]
pub struct Host {
    name: String,
    dir: PathBuf,
    namespaces: Namespaces,
    lifetime: Lifetime,
    first: Child,
    children: Mutex<Vec<Arc<Mutex<Child>>>>,
}

impl Deref for Host {
    type Target = Namespaces;
    fn deref(&self) -> &Namespaces {
        &self.namespaces
    }
}

impl Host {
    /// A host with its files below `dir`, which stays visible inside under the same path.
    pub fn start(name: &str, dir: &Path, lifetime: Lifetime) -> Result<Self, LabError> {
        let dir = dir.to_owned();
        fs::create_dir_all(&dir).map_err(LabError::io(format!("make {}", dir.display())))?;
        let dir = dir.canonicalize().map_err(LabError::io("canonical path"))?;
        let first = on_thread(|| start_first_process(&dir, lifetime))?;
        let namespaces = Namespaces { pid: first.id() };
        let children = Mutex::default();
        let host = Self { name: name.to_owned(), dir, namespaces, lifetime, first, children };
        host.prepare_or_end(|host| {
            host.run(&["mount", "-t", "proc", "proc", "/proc"])?;
            host.run(&["ip", "link", "set", "lo", "up"])
        })
    }

    /// Goes on with a host that `prepare` succeeded on; otherwise the host must not stay, also if it
    /// was to outlive us.
    pub(crate) fn prepare_or_end<T>(
        mut self,
        prepare: impl FnOnce(&Self) -> Result<T, LabError>,
    ) -> Result<Self, LabError> {
        match prepare(&self) {
            Ok(_) => Ok(self),
            Err(error) => {
                self.lifetime = Lifetime::WithCaller;
                Err(error)
            }
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The host's own directory, outside and inside.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Starts a program that is to be signalled or awaited; it ends with the host at the latest.
    pub fn process(&self, command: &mut Command) -> Result<Process, LabError> {
        let child = Arc::new(Mutex::new(self.namespaces.spawn(command)?));
        locked(&self.children).push(child.clone());
        Ok(Process { child })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if self.lifetime == Lifetime::UntilKilled {
            return;
        }
        // Nothing can be done about a failure here, and the first process dies with us anyway.
        let _ = self.first.kill();
        // The kernel lets the first process go only after every other one was reaped, and those that
        // we started are ours to reap.
        for child in locked(&self.children).drain(..) {
            let mut child = locked(&child);
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = self.first.wait();
    }
}

/// A child in a host.
#[derive(Clone, Debug)]
pub struct Process {
    child: Arc<Mutex<Child>>,
}

impl Process {
    /// Its pid as the caller sees it; inside the host it has another one.
    pub fn pid(&self) -> u32 {
        locked(&self.child).id()
    }

    pub fn signal(&self, signal: Signal) -> Result<(), LabError> {
        let child = locked(&self.child);
        // Not yet reaped (only we do that), so the pid cannot have become another process's.
        let pid = Pid::from_raw(child.id().cast_signed());
        kill(pid, signal).map_err(LabError::errno(format!("signal {pid} with {signal}")))
    }

    /// Kills as `kill -9` does and waits until it is gone.
    pub fn kill9(&self) -> Result<ExitStatus, LabError> {
        let mut child = locked(&self.child);
        child.kill().map_err(LabError::io("kill"))?;
        child.wait().map_err(LabError::io("wait"))
    }

    /// `None` while it runs.
    pub fn exited(&self) -> Result<Option<ExitStatus>, LabError> {
        locked(&self.child).try_wait().map_err(LabError::io("wait"))
    }

    pub fn wait_timeout(&self, limit: Duration) -> Result<ExitStatus, LabError> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.exited()? {
                return Ok(status);
            }
            if start.elapsed() > limit {
                let what = format!("the end of process {}", self.pid());
                let waited_ms = limit.as_millis();
                return Err(LabError::Timeout { what, waited_ms, detail: String::new() });
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Makes the namespaces around the calling (throw-away) thread and starts their first process.
fn start_first_process(dir: &Path, lifetime: Lifetime) -> Result<Child, LabError> {
    let flags = CloneFlags::CLONE_FS
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWPID;
    unshare(flags).map_err(LabError::errno("make namespaces (are you root?)"))?;
    mount_private_directories(dir)?;
    refuse_chroot()?;
    // A first process has to reap orphans. Ignoring SIGCHLD lets the kernel do it.
    let mut command = Command::new("env");
    command.args(["--ignore-signal=CHLD", "--"]);
    match lifetime {
        // `cat` ends when the other end of its standard input does, that is, with our process.
        Lifetime::WithCaller => command.arg("cat").stdin(Stdio::piped()),
        Lifetime::UntilKilled => command.args(["sleep", "infinity"]).stdin(Stdio::null()),
    };
    // Out of the terminal's process group: Ctrl-C is for the command, not for its hosts.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    spawn(command.stdout(Stdio::null()).stderr(Stdio::null()))
}

/// Whoever enters a mount namespace lands at its root, and in a chroot that is not ours: what a host
/// covers would lie uncovered before those who enter it, and they would write to the machine's own
/// files. Enters the calling thread's own mount namespace to see.
fn refuse_chroot() -> Result<(), LabError> {
    let run = || {
        let run = fs::metadata("/run").map_err(LabError::io("look at /run"))?;
        Ok::<_, LabError>((run.dev(), run.ino()))
    };
    let covered = run()?;
    let mounts = File::open("/proc/thread-self/ns/mnt").map_err(LabError::io("open mounts"))?;
    setns(mounts, CloneFlags::CLONE_NEWNS).map_err(LabError::errno("enter own mounts"))?;
    if run()? == covered { Ok(()) } else { Err(LabError::Chroot) }
}

/// A `/run` of the host's own (and with it `/run/netns`), a `/sys` that shows its own devices, and a
/// `/etc/resolv.conf` that its DHCP client may write.
fn mount_private_directories(dir: &Path) -> Result<(), LabError> {
    let none = None::<&str>;
    let slave = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(none, "/", none, slave, none).map_err(LabError::errno("make mounts private"))?;
    let run = dir.join("run");
    let make = |path: &Path| {
        fs::create_dir_all(path).map_err(LabError::io(format!("make {}", path.display())))
    };
    make(&run)?;
    mount(Some("tmpfs"), &run, Some("tmpfs"), MsFlags::empty(), none)
        .map_err(LabError::errno("mount /run"))?;
    make(&run.join("netns"))?;
    if let Ok(below_run) = dir.strip_prefix("/run") {
        // Our own directory must stay visible below the new /run.
        let seen = run.join(below_run);
        make(&seen)?;
        mount(Some(dir), &seen, none, MsFlags::MS_BIND, none)
            .map_err(LabError::errno("keep the host's directory visible"))?;
    }
    bind(&run, Path::new("/run"))?;
    mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), none)
        .map_err(LabError::errno("mount /sys"))?;
    let resolv_conf = dir.join("resolv.conf");
    fs::write(&resolv_conf, "").map_err(LabError::io("write resolv.conf"))?;
    if Path::new("/etc/resolv.conf").exists() {
        bind(&resolv_conf, Path::new("/etc/resolv.conf"))?;
    }
    Ok(())
}

fn bind(from: &Path, to: &Path) -> Result<(), LabError> {
    let none = None::<&str>;
    mount(Some(from), to, none, MsFlags::MS_BIND | MsFlags::MS_REC, none)
        .map_err(LabError::errno(format!("bind {} to {}", from.display(), to.display())))
}

/// A child is never left half-changed, so what a panicking holder left is still good.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
