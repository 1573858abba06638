//! `policy.yaml` of a running server: changed, broken and mended. On the machine's loopback; no root.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{
    fs,
    time::{Duration, Instant},
};

use navigator_testkit::{Server, stock::Registered};
use tempfile::TempDir;

/// Longest wait for what takes milliseconds, or a period of five seconds.
const LIMIT: Duration = Duration::from_secs(60);

/// Status of making a network for everybody.
fn shares(server: &Server, token: &str) -> u16 {
    let body = r#"{"network": {"shared": true}}"#;
    server.ask("POST", "/v2.0/networks", &[("x-auth-token", token)], body).0
}

fn until(what: &str, server: &Server, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LIMIT, "{what}: {}", server.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_changed_file_counts_and_a_bad_one_leaves_the_rules_as_they_are() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("policy.yaml");
    let write = |text: &str| fs::write(&file, text).unwrap();
    write("");
    let registered = Registered::start(&format!("[policy]\nfile = '{}'\n", file.display()));
    let (server, keystone) = (&registered.server, &registered.keystone);
    let token = keystone.log_in(&keystone.account(&["member"]));
    assert_eq!(shares(server, &token), 403);

    write("\"create_network:shared\": \"role:member\"\n");
    server.hang_up();
    until("opened", server, || shares(server, &token) == 201);

    write("\"create_network:shared\": \"role:\"\n");
    server.hang_up();
    until("told", server, || server.log().contains("policy rules not read"));
    assert_eq!(shares(server, &token), 201);

    // Without a signal, it takes a period.
    write("\"create_network:shared\": \"!\"\n");
    until("closed", server, || shares(server, &token) == 403);
}
