//! `navigator lab demo` with the stock client: the whole story, and that nothing is left of it.

use std::{
    collections::BTreeSet,
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use navigator_testkit::{Site, stock};

/// The story says every delay itself; this is only for a machine that stands still.
const LIMIT: Duration = Duration::from_secs(300);

/// What a demo would leave: its directory, mounts in it, processes that name it.
fn traces(pid: u32) -> Vec<String> {
    let mark = format!("navigator-demo-{pid}");
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let mut found: Vec<String> =
        mounts.lines().filter(|line| line.contains(&mark)).map(str::to_owned).collect();
    if std::env::temp_dir().join(&mark).exists() {
        found.push(format!("directory {mark}"));
    }
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        // Whatever cannot be read has ended meanwhile.
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        if line.contains(&mark) {
            found.push(line.replace('\0', " "));
        }
    }
    found
}

fn names(directory: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn the_demo_passes_and_leaves_nothing_behind() {
    let (devices, namespaces) = (names("/sys/class/net"), names("/run/netns"));
    let site = Site::new();
    let log = site.path().join("log");
    let output = fs::File::create(&log).unwrap();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_navigator"))
        .args(["lab", "demo"])
        .env("NAVIGATOR_OPENSTACK", stock::program())
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .spawn()
        .unwrap();
    let start = Instant::now();
    let status = loop {
        if let Some(status) = demo.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > LIMIT {
            // Its hosts end with it.
            demo.kill().unwrap();
            break demo.wait().unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let said = fs::read_to_string(&log).unwrap();
    assert!(status.success(), "{status}\n{said}");
    let last = said.lines().last().unwrap_or_default();
    assert!(last.starts_with("PASS in "), "{said}");
    println!("demo: {last}");
    assert_eq!(traces(demo.id()), [""; 0]);
    assert_eq!((names("/sys/class/net"), names("/run/netns")), (devices, namespaces));
}
