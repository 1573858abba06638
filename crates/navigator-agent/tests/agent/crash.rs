//! The agent's process dies between any two writes; the next one finishes the work and leaves
//! nothing behind. Needs root and the `failpoints` feature.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::real_kernel::{Machine, inside, own_namespaces, rules};

const STAGE: &str = "NAVIGATOR_TEST_STAGE";
const STATE_DIR: &str = "NAVIGATOR_TEST_STATE_DIR";
const CRASH: &str = "NAVIGATOR_CRASH_AFTER_WRITES";

/// The process that dies: not a test of its own.
#[test]
#[ignore = "run by the tests beside it"]
fn child() {
    let stage = std::env::var(STAGE).unwrap();
    let machine = Machine::at(std::env::var(STATE_DIR).unwrap().into());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        machine.server.serve_router(1, 2);
        if stage == "remove" {
            machine.server.take_away(1);
        }
        let run = machine.start();
        if stage == "remove" {
            machine.until(is_clean).await;
        } else {
            machine.active(1, 2).await;
        }
        run.settled().await;
        run.stop().await;
    });
}

fn is_clean() -> bool {
    let links = Command::new("ip").args(["-o", "link"]).output().unwrap();
    let links = String::from_utf8(links.stdout).unwrap();
    std::fs::read_dir("/run/netns").unwrap().count() == 0 && !links.contains("tap")
}

/// Whether the process lived to its end.
fn process(stage: &str, state_dir: &Path, crash_after: Option<u32>) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "crash::child", "--ignored"]);
    command.env(STAGE, stage).env(STATE_DIR, state_dir).env_remove(CRASH);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(writes) = crash_after {
        command.env(CRASH, writes.to_string());
    }
    command.status().unwrap().success()
}

#[test]
fn a_crash_between_any_two_writes_of_making_a_router_is_made_good() {
    own_namespaces(|| {
        let mut crashes = 0;
        loop {
            let directory = tempfile::tempdir().unwrap();
            let survived = process("build", directory.path(), Some(crashes));
            if !survived {
                assert!(process("build", directory.path(), None), "after {crashes} writes");
            }
            assert!(rules(1).contains("2002"), "after {crashes} writes");
            assert!(inside(1, &["ip", "-br", "addr"]).contains("203.0.113.1/24"));
            assert!(process("remove", directory.path(), None), "after {crashes} writes");
            assert!(is_clean(), "after {crashes} writes");
            if survived {
                break;
            }
            crashes += 1;
        }
        assert!(crashes > 10, "{crashes}");
    });
}

#[test]
fn a_crash_between_any_two_writes_of_removing_a_router_leaves_nothing() {
    own_namespaces(|| {
        let mut crashes = 0;
        loop {
            let directory = tempfile::tempdir().unwrap();
            assert!(process("build", directory.path(), None), "after {crashes} writes");
            let survived = process("remove", directory.path(), Some(crashes));
            assert!(process("remove", directory.path(), None), "after {crashes} writes");
            assert!(is_clean(), "after {crashes} writes");
            if survived {
                break;
            }
            crashes += 1;
        }
        assert!(crashes > 0, "{crashes}");
    });
}
