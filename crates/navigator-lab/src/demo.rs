//! The demo: a lab of its own in a temporary directory, the stock `openstack` client, and a story in
//! which every sentence is checked. Ends with PASS and the seconds it took, or with the first thing
//! that was not as told; removes everything either way.

mod client;
mod forward;
mod story;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use crate::{LabError, Lifetime, lab::Lab};

const DIR_PREFIX: &str = "navigator-demo-";

/// Everything above runs, or the first mismatch is the error.
pub fn run() -> Result<(), LabError> {
    let start = Instant::now();
    sweep();
    let dir = std::env::temp_dir().join(format!("{DIR_PREFIX}{}", std::process::id()));
    // An interrupted demo takes its hosts with it.
    let mut lab = Lab::make(&dir, Lifetime::WithCaller)?;
    let told = story::tell(&mut lab);
    if told.is_err() {
        let log = fs::read_to_string(lab.log_path()).unwrap_or_default();
        println!("--- what Navigator logged ---\n{log}");
    }
    let removed = lab.remove();
    told.and(removed)?;
    println!("\nPASS in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// Removes the directories that interrupted demos left.
fn sweep() {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(DIR_PREFIX);
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            // Only tidiness is lost when this fails.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// A heading of the story.
fn chapter(text: &str) {
    println!("\n== {text}");
}

/// A sentence that was just found true.
fn say(text: impl AsRef<str>) {
    println!("   {}", text.as_ref());
}

/// Tries until `attempt` says yes; how long that took.
fn eventually(
    what: &str,
    limit: Duration,
    mut attempt: impl FnMut() -> Result<(), String>,
) -> Result<Duration, LabError> {
    let start = Instant::now();
    loop {
        let Err(last) = attempt() else { return Ok(start.elapsed()) };
        if start.elapsed() > limit {
            let (what, detail) = (what.to_owned(), format!("; last seen: {last}"));
            return Err(LabError::Timeout { what, waited_ms: limit.as_millis(), detail });
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn check(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), LabError> {
    if holds { Ok(()) } else { Err(LabError::Mismatch(otherwise())) }
}
