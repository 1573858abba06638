//! Tables, medians, percentiles, and the verdict beside a goal.

use std::time::Duration;

/// Which machine the figures belong to.
pub(crate) fn machine() {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("Linux {}, {cores} cores\n", kernel.trim());
}

pub(crate) fn heading(text: &str) {
    println!("## {text}\n");
}

/// The value below which `share` (0 to 1) of the values lie; 0 of nothing.
pub(crate) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (values.len() as f64 * share) as usize;
    values.get(index.min(values.len().saturating_sub(1))).copied().unwrap_or_default()
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    percentile(values, 0.5)
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// `ok` or `MISS`, with the goal.
pub(crate) fn verdict(met: Met, goal: &str) -> String {
    match met {
        Met::Yes => format!("ok    (goal {goal})"),
        Met::No => format!("MISS  (goal {goal})"),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Met {
    Yes,
    No,
}

impl From<bool> for Met {
    fn from(met: bool) -> Self {
        if met { Self::Yes } else { Self::No }
    }
}
