//! Who has a port already, for people: read from `/proc` once something has failed.

use std::{collections::HashSet, fs, io};

use crate::Transport;

pub(super) fn is(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EADDRINUSE)
}

/// `is in use by sshd (pid 812)`.
pub(super) fn sentence(holders: &[String]) -> String {
    if holders.is_empty() {
        return "is in use already (by a process that cannot be seen from here)".to_owned();
    }
    format!("is in use already by {}", holders.join(", "))
}

/// The processes that have the port in the calling thread's network namespace.
pub(super) fn holders(transport: Transport, port: u16) -> Vec<String> {
    let mut inodes = HashSet::new();
    for table in tables(transport) {
        let text = fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap_or_default();
        inodes.extend(text.lines().skip(1).filter_map(|line| inode(line, transport, port)));
    }
    if inodes.is_empty() {
        return Vec::new();
    }
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| has_one_of(*pid, &inodes)).map(name).collect()
}

fn tables(transport: Transport) -> [&'static str; 2] {
    match transport {
        Transport::Tcp => ["tcp", "tcp6"],
        Transport::Udp => ["udp", "udp6"],
    }
}

/// The socket's inode, if the line is one that keeps others from the port.
fn inode(line: &str, transport: Transport, port: u16) -> Option<u64> {
    let mut fields = line.split_whitespace();
    let local = fields.nth(1)?;
    let state = fields.nth(1)?;
    let (_, hex) = local.rsplit_once(':')?;
    let listens = match transport {
        Transport::Tcp => state == "0A",
        Transport::Udp => state == "07",
    };
    let same = u16::from_str_radix(hex, 16).ok()? == port;
    (listens && same).then(|| fields.nth(5)?.parse().ok())?
}

fn has_one_of(pid: u32, inodes: &HashSet<u64>) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    descriptors.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|target| {
        let text = target.to_string_lossy();
        let number = text.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
        number.and_then(|number| number.parse().ok()).is_some_and(|inode| inodes.contains(&inode))
    })
}

fn name(pid: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    format!("{} (pid {pid})", name.trim())
}
