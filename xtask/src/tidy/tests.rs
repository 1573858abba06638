//! The tree is tidy, and each rule bites.

use std::path::PathBuf;

use super::{Text, check, check_text, root};

fn messages(path: &str, content: &str) -> Vec<String> {
    let text = Text { path: PathBuf::from(path), content: content.to_owned() };
    check_text(&text).iter().map(ToString::to_string).collect()
}

fn bites(path: &str, content: &str, expected: &str) {
    let found = messages(path, content);
    assert!(found.iter().any(|line| line.contains(expected)), "{path}: {found:?}");
}

#[test]
fn the_tree_is_tidy() {
    let findings: Vec<_> = check(&root()).iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

#[test]
fn a_source_must_say_what_it_is() {
    bites("crates/navigator-api/src/a.rs", "fn main() {}", "begin with '//!'");
    assert_eq!(messages("crates/navigator-api/src/a.rs", "//! An a.\n"), [""; 0]);
}

#[test]
fn names_without_meaning_are_refused() {
    bites("crates/navigator-api/src/a/mod.rs", "//! x", "foo.rs beside foo/");
    bites("crates/navigator-api/src/utils.rs", "//! x", "after the thing");
}

#[test]
fn long_files_are_refused_except_tests() {
    let long = "//! x\n".repeat(501);
    bites("crates/navigator-api/src/a.rs", &long, ":501: 501 lines");
    assert_eq!(messages("crates/navigator-api/tests/a.rs", &long), [""; 0]);
}

#[test]
fn unsafe_shells_children_and_own_paths_are_refused_outside_their_homes() {
    bites("crates/navigator-api/src/a.rs", "//! x\nunsafe { f() }", "a.rs:2: unsafe");
    bites("crates/navigator-lab/src/a.rs", "//! x\nCommand::new(\"sh\")", "no shell");
    bites(
        "crates/navigator-agent/src/a.rs",
        "//! x\nuse std::process::Command;",
        "child processes",
    );
    bites("crates/navigator-api/src/a.rs", "//! x\nlet p = \"/home/me\";", "somebody's machine");
    assert_eq!(messages("crates/navigator-drivers/src/a.rs", "//! x\nunsafe { f() }"), [""; 0]);
    assert_eq!(
        messages("crates/navigator-api/src/a.rs", "//! x\n// unsafe_code, or unsafe"),
        [""; 0]
    );
}

#[test]
fn pure_crates_name_no_clock_no_files_and_no_runtime() {
    bites("crates/navigator-render/src/a.rs", "//! x\nuse std::fs;", "this crate is pure");
    bites("crates/navigator-model/src/a.rs", "//! x\nInstant::now()", "this crate is pure");
    bites("crates/navigator-state/Cargo.toml", "[dependencies]\ntokio = \"1\"", "is pure");
}

#[test]
fn dependencies_follow_the_direction() {
    let toml = |name: &str| format!("[dependencies]\n{name}.workspace = true\n");
    bites(
        "crates/navigator-model/Cargo.toml",
        &toml("navigator-store"),
        ":2: navigator-model must not",
    );
    bites("crates/navigator-agent/Cargo.toml", &toml("navigator-api"), "must not depend");
    bites("crates/navigator-api/Cargo.toml", &toml("sqlx"), "only [\"store\"] may use");
    bites("crates/navigator-agent/Cargo.toml", &toml("netlink-sys"), "may use 'netlink-sys'");
    bites("crates/navigator-new/Cargo.toml", "", "new crate");
    bites("Cargo.toml", "[workspace.dependencies]\nopenssl = \"1\"", "not used in this project");
    assert_eq!(messages("crates/navigator-store/Cargo.toml", &toml("sqlx")), [""; 0]);
}
