//! What is left of a token where a server writes: its log, however much it says, and its database. On
//! the machine's loopback; no root.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::fs;

use navigator_testkit::stock::{Registered, SERVICE_PASSWORD};

/// The notifications of an older service held tokens, for everybody who could read them.
#[test]
fn sec_cve_2014_4615_no_token_is_written_down() {
    let Registered { keystone, directory, config, server, .. } =
        Registered::start("[log]\nfilter = 'trace'\n");
    let account = keystone.account(&["member"]);
    let token = keystone.log_in(&account);
    let unknown = "gAAAAAofnobody0123456789";
    let network = r#"{"network": {"name": "kept"}}"#;
    let made = server.ask("POST", "/v2.0/networks", &[("x-auth-token", &token)], network);
    assert_eq!(made.0, 201, "{}", made.1);
    let both = [("x-auth-token", token.as_str()), ("x-service-token", unknown)];
    for (headers, status) in [
        (&[("x-auth-token", unknown)][..], 401),
        (&both, 401),
        // In the wrong place, or in the wrong form.
        (&[("authorization", &format!("Bearer {token}")), ("x-auth-token", "")], 401),
    ] {
        let answer = server.ask("GET", "/v2.0/networks", headers, "");
        assert_eq!(answer.0, status, "{}", answer.1);
        assert!(!answer.1.contains(&token) && !answer.1.contains(unknown), "{}", answer.1);
    }
    keystone.revoke(&token);
    server.ask("GET", "/v2.0/networks", &[("x-auth-token", &token)], "");
    let log = server.end();
    assert!(log.contains("TRACE") && log.contains("/v2.0/networks"), "{log}");
    let mut looked_at = 0;
    for file in fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()) {
        if file == config {
            continue;
        }
        let bytes = fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for secret in [&token, unknown, SERVICE_PASSWORD] {
            let lines = text.lines().filter(|line| line.contains(secret));
            assert_eq!(lines.collect::<Vec<_>>(), Vec::<&str>::new(), "in {}", file.display());
        }
        looked_at += usize::from(text.contains("kept") || text.contains("TRACE"));
    }
    assert!(looked_at >= 2, "log and database");
}
