//! What processes and their descendants have used of the CPUs so far, and the memory that they hold.
//! Read from /proc; a process that has ended counts in its parent's, if that waited for it.

use std::{collections::HashMap, fs};

use anyhow::Context as _;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// One part of a server, such as its API, by the processes that it began with.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) roots: Vec<u32>,
}

impl Part {
    pub(crate) fn new(name: &'static str, root: u32) -> Self {
        Self { name, roots: vec![root] }
    }

    pub(crate) fn cpu_ms(&self) -> anyhow::Result<f64> {
        let stats = stats()?;
        let used = family(&self.roots, &stats).into_iter().filter_map(|pid| stats.get(&pid));
        Ok(used.map(|stat| stat.cpu_ms).sum())
    }

    /// Sends a signal to each of its processes.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        for pid in family(&self.roots, &stats()?) {
            // One that has ended meanwhile needs none.
            let _ = kill(Pid::from_raw(pid.cast_signed()), signal);
        }
        Ok(())
    }

    /// With pages that several processes share counted once.
    pub(crate) fn memory_mb(&self) -> anyhow::Result<f64> {
        let stats = stats()?;
        Ok(family(&self.roots, &stats).into_iter().filter_map(proportional_mb).sum())
    }
}

struct Stat {
    parent: u32,
    /// Its own and that of the children it waited for.
    cpu_ms: f64,
}

/// Of every process that is there.
fn stats() -> anyhow::Result<HashMap<u32, Stat>> {
    let mut stats = HashMap::new();
    for entry in fs::read_dir("/proc").context("read /proc")?.flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else { continue };
        // What cannot be read has ended meanwhile.
        let Ok(text) = fs::read_to_string(entry.path().join("stat")) else { continue };
        stats.extend(stat(&text).map(|stat| (pid, stat)));
    }
    Ok(stats)
}

fn stat(text: &str) -> Option<Stat> {
    // The name, which may hold spaces, ends with the last parenthesis; times are in 1/100 s.
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks: Vec<f64> =
        fields.get(11..15)?.iter().filter_map(|field| field.parse().ok()).collect();
    Some(Stat { parent: fields.get(1)?.parse().ok()?, cpu_ms: ticks.iter().sum::<f64>() * 10.0 })
}

/// The processes and everything that descends from them.
fn family(roots: &[u32], stats: &HashMap<u32, Stat>) -> Vec<u32> {
    let mut members = roots.to_vec();
    let mut next = 0;
    while let Some(parent) = members.get(next).copied() {
        let children = stats.iter().filter(|(_, stat)| stat.parent == parent).map(|(pid, _)| *pid);
        let new: Vec<u32> = children.filter(|pid| !members.contains(pid)).collect();
        members.extend(new);
        next += 1;
    }
    members
}

fn proportional_mb(pid: u32) -> Option<f64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find(|line| line.starts_with("Pss:"))?;
    let kb: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kb / 1024.0)
}
