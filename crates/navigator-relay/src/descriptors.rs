//! How many descriptors this process may have: a listening port is one, a connection two.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the limit as far as the system allows, at most to `enough`, and gives what it is then. The
/// usual soft limit of 1024 is for programs that use `select`.
///
/// # Errors
/// The system's.
pub fn raise_descriptor_limit(enough: u64) -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let wanted = hard.min(enough);
    if soft < wanted {
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard)?;
    }
    Ok(wanted.max(soft))
}
