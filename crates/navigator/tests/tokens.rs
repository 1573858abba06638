//! What is left of a token where a server writes: its log, however much it says, and its database. On
//! the machine's loopback; no root.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{fs, io::ErrorKind, net::TcpListener};

use navigator_testkit::{
    Server,
    stock::{Registered, SERVICE_PASSWORD},
};

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

/// CVE-2013-2166, CVE-2013-2167: what a memcache says of a token was believed, whoever had written it.
#[test]
fn sec_cve_2013_2166_no_cache_outside_of_the_process_is_asked() {
    let memcache = TcpListener::bind("127.0.0.1:0").unwrap();
    memcache.set_nonblocking(true).unwrap();
    let Registered { keystone, directory, config, server, .. } = Registered::start("");
    server.end();
    let neutron = directory.path().join("neutron.conf");
    let address = memcache.local_addr().unwrap();
    let cache = format!(
        "[keystone_authtoken]\nmemcached_servers = {address}\nmemcache_security_strategy = ENCRYPT\n\
         memcache_secret_key = known to all\n[cache]\nenabled = true\n\
         backend = dogpile.cache.memcached\nmemcache_servers = {address}\n"
    );
    fs::write(&neutron, cache).unwrap();
    let usual = fs::read_to_string(&config).unwrap();
    let usual: Vec<_> = usual.lines().filter(|line| !line.starts_with("listen")).collect();
    let text = format!("neutron_conf = ['{}']\n{}\n", neutron.display(), usual.join("\n"));
    let server = Server::start(directory.path(), "cached", &text);
    let token = keystone.log_in(&keystone.account(&["member"]));
    for (token, status) in [(token.as_str(), 200), ("gAAAAAofnobody", 401), (token.as_str(), 200)] {
        let answer = server.ask("GET", "/v2.0/networks", &[("x-auth-token", token)], "");
        assert_eq!(answer.0, status, "{}", answer.1);
    }
    assert_eq!(memcache.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "it was asked");
    let log = server.end();
    assert!(log.contains("memcached_servers: ignored"), "{log}");
}
