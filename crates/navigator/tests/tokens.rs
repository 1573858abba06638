//! Tokens beside a running server: who asks is known from them alone, and nothing is left of them where
//! it writes: its log, however much it says, and its database. On the machine's loopback; no root.
//!
//! Keystone is the contract fake of the test kit unless NAVIGATOR_TEST_KEYSTONE names a real one.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{fs, io::ErrorKind, net::TcpListener, path::Path};

use navigator_testkit::{
    Server,
    stock::{Registered, SERVICE_PASSWORD},
    tls::{Authority, TlsFront, Validity},
};
use tempfile::TempDir;

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
    let address = memcache.local_addr().unwrap();
    let cache = format!(
        "[keystone_authtoken]\nmemcached_servers = {address}\nmemcache_security_strategy = ENCRYPT\n\
         memcache_secret_key = known to all\n[cache]\nenabled = true\n\
         backend = dogpile.cache.memcached\nmemcache_servers = {address}\n"
    );
    let server = with_neutrons(&directory, &config, &cache);
    let token = keystone.log_in(&keystone.account(&["member"]));
    for (token, status) in [(token.as_str(), 200), ("gAAAAAofnobody", 401), (token.as_str(), 200)] {
        let answer = server.ask("GET", "/v2.0/networks", &[("x-auth-token", token)], "");
        assert_eq!(answer.0, status, "{}", answer.1);
    }
    assert_eq!(memcache.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "it was asked");
    let log = server.end();
    assert!(log.contains("memcached_servers: ignored"), "{log}");
}

/// What a middleware would have told a service behind it, in spellings that some servers take for it.
#[test]
fn forged_identity_headers_in_any_spelling_have_no_effect() {
    let Registered { keystone, server, directory: _kept, .. } = Registered::start("");
    let [alice, bob] = [keystone.account(&["member"]), keystone.account(&["member"])];
    let [alices, bobs] = [keystone.log_in(&alice), keystone.log_in(&bob)];
    let network = r#"{"network": {"name": "of alice"}}"#;
    let made = server.ask("POST", "/v2.0/networks", &[("x-auth-token", &alices)], network);
    assert_eq!(made.0, 201, "{}", made.1);
    let body: serde_json::Value =
        serde_json::from_str(made.1.split_once("\r\n\r\n").unwrap().1).unwrap();
    let path = format!("/v2.0/networks/{}", body["network"]["id"].as_str().unwrap());

    let mut asked = 0;
    for name in IDENTITY_HEADERS {
        for name in spellings(name) {
            for value in ["admin", "service", "True", "Confirmed", "all", &alice.project] {
                let once = [("x-auth-token", bobs.as_str()), (&name, value)];
                let twice = [&once[..], &[(name.as_str(), "admin")]].concat();
                let nobody = [(name.as_str(), value)];
                for (headers, status) in [(&once[..], 404), (&twice, 404), (&nobody, 401)] {
                    let answer = server.ask("GET", &path, headers, "");
                    assert_eq!(answer.0, status, "{headers:?}: {}", answer.1);
                    asked += 1;
                }
            }
        }
    }
    println!("{asked} requests with forged headers, 0 had an effect");
    let answer = server.ask("GET", &path, &[("X-AUTH-TOKEN", &alices)], "");
    assert_eq!(answer.0, 200, "{}", answer.1);
}

const IDENTITY_HEADERS: [&str; 20] = [
    "x-roles",
    "x-role",
    "x-user",
    "x-user-id",
    "x-user-name",
    "x-user-domain-id",
    "x-tenant",
    "x-tenant-id",
    "x-project-id",
    "x-project-name",
    "x-project-domain-id",
    "x-domain-id",
    "x-is-admin-project",
    "x-identity-status",
    "x-service-roles",
    "x-service-user-id",
    "x-service-project-id",
    "x-service-identity-status",
    "x-system-scope",
    "openstack-system-scope",
];

/// Lower, upper and mixed case, and with underscores in place of some or all hyphens.
fn spellings(name: &str) -> [String; 6] {
    let mixed: String = name
        .split('-')
        .map(|part| part[..1].to_uppercase() + &part[1..])
        .collect::<Vec<_>>()
        .join("-");
    [
        name.to_owned(),
        name.to_uppercase(),
        mixed.clone(),
        name.replace('-', "_"),
        mixed.replace('-', "_"),
        mixed.replacen('-', "_", 1),
    ]
}

/// CVE-2015-1852, CVE-2014-7144: with `insecure = false` in the file, a Keystone that nobody vouches for
/// was believed.
#[test]
fn sec_cve_2015_1852_insecure_false_is_not_true() {
    let Registered { keystone, directory, config, server, .. } = Registered::start("");
    server.end();
    let plain = keystone.url.strip_prefix("http://").unwrap().parse().unwrap();
    let [known, stranger] = ["the cloud's", "somebody"].map(Authority::new);
    let token = keystone.log_in(&keystone.account(&["member"]));
    for (authority, insecure, status) in [
        (&known, "False", 200),
        (&stranger, "False", 503),
        (&stranger, "false", 503),
        (&stranger, "0", 503),
        (&stranger, "True", 200),
    ] {
        let shown = authority.issue(&["127.0.0.1"], Validity::Now);
        let front = TlsFront::start(plain, &shown, None, &["http/1.1"]);
        let neutron = format!(
            "[keystone_authtoken]\nauth_url = https://127.0.0.1:{}\ninsecure = {insecure}\n\
             cafile = {}\n",
            front.port(),
            known.file().display()
        );
        let server = with_neutrons(&directory, &config, &neutron);
        let answer = server.ask("GET", "/v2.0/networks", &[("x-auth-token", &token)], "");
        assert_eq!(answer.0, status, "insecure = {insecure}: {}", answer.1);
        assert_eq!(front.handshakes() > 0, status == 200, "insecure = {insecure}");
        server.end();
    }
}

/// The server of a configuration once more, with what a neutron.conf says beside it: of Keystone's
/// address, only that.
fn with_neutrons(directory: &TempDir, config: &Path, neutron: &str) -> Server {
    let file = directory.path().join("neutron.conf");
    fs::write(&file, neutron).unwrap();
    let elsewhere = neutron.contains("auth_url");
    let usual = fs::read_to_string(config).unwrap();
    let usual: Vec<_> = usual
        .lines()
        .filter(|line| !(line.starts_with("listen") || elsewhere && line.starts_with("auth_url")))
        .collect();
    let text = format!("neutron_conf = ['{}']\n{}\n", file.display(), usual.join("\n"));
    Server::start(directory.path(), "beside-neutrons", &text)
}
