//! Rules for Rust sources.

use super::{Finding, Text, dependencies::PURE};

/// Lines of a source file; what is longer does more than one thing.
const LONGEST_FILE: usize = 500;

/// Longer files, each a table of data or of cases. Paths end so.
const LONG_FILES: &[&str] = &[];

/// Names that attract whatever has no place.
const NAMELESS: &[&str] =
    &["utils.rs", "util.rs", "common.rs", "manager.rs", "types.rs", "helpers.rs"];

/// Crates that may hold `unsafe`.
const UNSAFE: &[&str] = &["navigator-drivers", "navigator-relay"];

/// Crates that may start child processes. The relay starts itself anew.
const CHILDREN: &[&str] = &[
    "navigator-drivers",
    "navigator-relay",
    "navigator-lab",
    "navigator-testkit",
    "navigator",
    "bench",
    "xtask",
];

/// What a pure crate never names. Written in pieces, so that this file does not find itself.
const IMPURE: &[&str] = &[
    "std::fs",
    "SystemTime",
    "Instant",
    "std::net::Tcp",
    "std::net::Udp",
    "tokio",
    "rand::",
    "std::env::",
];

pub(super) fn check(text: &Text) -> Vec<Finding> {
    let mut findings = Vec::new();
    check_file(text, &mut findings);
    for (number, line) in product_lines(text).enumerate() {
        for message in line_messages(text, line) {
            findings.push(text.finding(number + 1, message));
        }
    }
    findings
}

fn check_file(text: &Text, findings: &mut Vec<Finding>) {
    if text.name() == "mod.rs" {
        findings.push(text.finding(1, "use foo.rs beside foo/ instead of foo/mod.rs"));
    }
    if NAMELESS.contains(&text.name()) {
        findings.push(text.finding(1, "name the file after the thing in it"));
    }
    if !text.content.starts_with("//!") {
        findings.push(text.finding(1, "begin with '//!': what it is, what goes in and out"));
    }
    let lines = product_lines(text).count();
    let allowed = is_test(text) || LONG_FILES.iter().any(|name| text.path.ends_with(name));
    if lines > LONGEST_FILE && !allowed {
        findings
            .push(text.finding(lines, format!("{lines} lines, at most {LONGEST_FILE}: split it")));
    }
}

fn line_messages(text: &Text, line: &str) -> Vec<&'static str> {
    let mut messages = Vec::new();
    let code = line.split("//").next().unwrap_or_default();
    let crate_name = text.crate_name();
    let in_product = !is_test(text) && crate_name != "xtask";
    if has_word(code, "unsafe") && !UNSAFE.contains(&crate_name) && crate_name != "xtask" {
        messages.push("unsafe belongs into navigator-drivers or navigator-relay");
    }
    if in_product && (line.contains("\"sh\"") || line.contains("\"bash\"")) {
        messages.push("no shell: give the program its argv");
    }
    if in_product && code.contains("process::Command") && !CHILDREN.contains(&crate_name) {
        messages.push("child processes are started by navigator-drivers");
    }
    let short = crate_name.strip_prefix("navigator-").unwrap_or_default();
    if in_product && PURE.contains(&short) && IMPURE.iter().any(|name| code.contains(name)) {
        messages.push("this crate is pure: no I/O, no clock, no randomness, no async");
    }
    if ["/home/", "/root/", "/work/"].iter().any(|path| line.contains(path))
        && crate_name != "xtask"
    {
        messages.push("a path of somebody's machine");
    }
    messages
}

/// Whether `word` stands alone; `unsafe_code` is not `unsafe`.
fn has_word(code: &str, word: &str) -> bool {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|part| part == word)
}

/// The lines before the unit tests.
fn product_lines(text: &Text) -> impl Iterator<Item = &str> {
    text.content.lines().take_while(|line| *line != "mod tests {")
}

fn is_test(text: &Text) -> bool {
    let in_tests = text.path.iter().any(|part| part == "tests" || part == "benches");
    in_tests || text.name() == "tests.rs"
}
