//! What can go wrong in the lab, each with what was being done.

use std::{io, path::PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum LabError {
    #[error("{context}")]
    Io {
        context: String,
        #[source]
        source: io::Error,
    },
    #[error("cannot run '{program}': is its package installed?")]
    Spawn {
        program: String,
        #[source]
        source: io::Error,
    },
    #[error("'{command}' failed ({status}): {output}")]
    Command { command: String, status: String, output: String },
    #[error("{what} did not happen within {waited_ms} ms{detail}")]
    Timeout { what: String, waited_ms: u128, detail: String },
    #[error("HTTP {method} {path}: expected {expected}, got {status}: {body}")]
    Http { method: String, path: String, expected: String, status: u16, body: String },
    #[error("bad answer to {request}: {reason}")]
    Malformed { request: String, reason: String },
    #[error("{path} holds no lab; start one with 'navigator lab up'")]
    NoLab { path: PathBuf },
    #[error("{path} holds a lab already; remove it with 'navigator lab down'")]
    LabExists { path: PathBuf },
    #[error("the lab has no '{name}'; it has: {known}")]
    NoSuchHost { name: String, known: String },
    #[error("the lab makes network namespaces and must be run as root")]
    NotRoot,
    #[error("hosts cannot be made in a chroot: they would write to the machine's own files")]
    Chroot,
    #[error("{0}")]
    Mismatch(String),
}

impl LabError {
    /// Names what was being done when the operating system refused.
    pub fn io(context: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let context = context.into();
        move |source| Self::Io { context, source }
    }

    /// The same for nix, whose errors are bare numbers.
    pub(crate) fn errno(context: impl Into<String>) -> impl FnOnce(nix::errno::Errno) -> Self {
        let context = context.into();
        move |errno| Self::Io { context, source: errno.into() }
    }
}
