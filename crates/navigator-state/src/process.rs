//! Children that run in a namespace and survive the agent.

use std::path::PathBuf;

use crate::desired::Namespace;

/// A child as wanted. It is ours when its pid file names a live process whose command line is the
/// one found in [`ProcessState`]; it is restarted only when `argv` differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub namespace: Namespace,
    /// `argv[0]` is looked up in PATH. The child daemonizes or not as `argv` says; it writes
    /// `pid_file` itself.
    pub argv: Vec<String>,
    pub pid_file: PathBuf,
    /// Digest of the files that the child has to read again (SIGHUP) when they change. Kept in a
    /// stamp file after each reload, so that a crash between writing and reloading is noticed.
    pub loaded: String,
}

/// A child as found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessState {
    /// The command line of the live process that the pid file names.
    pub argv: Option<Vec<String>>,
    pub pid: Option<u32>,
    /// What the stamp file says was loaded last.
    pub loaded: Option<String>,
    pub pid_file: PathBuf,
}
