//! The binary beside a Keystone: registered by the command line, used by the stock `openstack`
//! client with `v3password`, operated by its own commands. On the machine's loopback; no root.
//!
//! Keystone is the contract fake of the test kit unless NAVIGATOR_TEST_KEYSTONE names a real one.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{
    fs,
    process::{Command, Output},
};

use navigator_testkit::{
    keystone::Account,
    navigator::binary,
    stock::{self, Registered, SERVICE_PASSWORD, navigator, said, succeeds},
};
use serde_json::Value;
use tempfile::TempDir;

/// The installed client, as one account.
struct Client<'a> {
    server: &'a Registered,
    account: Account,
}

impl Client<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.server.command(stock::program(), &self.account);
        command.args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["-f", "json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

#[test]
fn the_stock_client_finds_the_service_in_keystones_catalogue() {
    let server = Registered::start("[log]\nformat = 'json'\n");
    let (keystone, config) = (&server.keystone, &server.config);
    assert!(server.said.contains("public endpoint"), "{}", server.said);
    let again = stock::register(keystone, &mut Command::new(binary()), config, &server.endpoint());
    assert_eq!(again, "Everything was there.\n");

    let client = |account: &Account| Client { server: &server, account: account.clone() };
    let account = keystone.account(&["member"]);
    let alice = client(&account);
    let made = alice.json(&["network", "create", "blue"]);
    assert_eq!(
        (&made["name"], &made["project_id"]),
        (&"blue".into(), &account.project.clone().into())
    );
    let listed = alice.json(&["network", "list"]);
    assert_eq!(listed[0]["Name"], "blue", "{listed}");
    let shown = alice.json(&["network", "show", "blue"]);
    assert_eq!(shown["id"], made["id"]);

    let bob = client(&keystone.account(&["member"]));
    assert_eq!(bob.json(&["network", "list"]), serde_json::json!([]));
    let refused = bob.command(&["network", "list"]).env("OS_PASSWORD", "wrong").output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("401"), "{}", said(&refused));

    let log = server.server.end();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let answered = lines.iter().find(|line| line["message"] == "answered" && line["status"] == 201);
    let request = &answered.unwrap_or_else(|| panic!("{log}"))["request"];
    assert_eq!(request["project"], Value::from(account.project.clone()), "{request}");
    assert!(request["id"].as_str().unwrap().starts_with("req-"), "{request}");
    assert!(!log.contains("gAAAA") && !log.contains(SERVICE_PASSWORD), "a secret is in the log");
}

#[test]
fn operators_look_at_configuration_and_schema_without_a_server() {
    let directory = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let database = directory.path().join("kept/navigator.sqlite");
    let config = format!("[server]\ndatabase = 'sqlite:{}'\n", database.display());
    let config = file("navigator.toml", &config);
    let neutron = "[DEFAULT]\nbind_host = 127.0.0.1\nbind_port = 9797\napi_workers = 4\n\
                   [database]\nconnection = mysql+pymysql://neutron:hidden@db/neutron\n";
    let neutron = file("neutron.conf", neutron);

    let neutron = neutron.to_str().unwrap();
    let told = succeeds(&mut navigator(&config, &["config", "check", "--neutron-conf", neutron]));
    assert!(told.contains("listen:   127.0.0.1:9797"), "{told}");
    assert!(told.contains("[DEFAULT] api_workers: ignored"), "{told}");
    assert!(!told.contains("hidden"), "{told}");

    let wrong = file("wrong.toml", "[server]\nlissten = '127.0.0.1:1'\n");
    let output = navigator(&wrong, &["config", "check"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("lissten"), "{}", said(&output));

    let current = navigator(&config, &["db", "current"]).output().unwrap();
    assert_eq!(current.status.code(), Some(1), "{}", said(&current));
    assert!(!database.exists(), "asking makes no database");
    succeeds(&mut navigator(&config, &["db", "upgrade"]));
    let current = navigator(&config, &["db", "current"]).output().unwrap();
    let newest = String::from_utf8(current.stdout).unwrap();
    assert!(newest.trim().split('_').next().unwrap().parse::<u32>().is_ok(), "{newest}");
    let check = succeeds(&mut navigator(&config, &["db", "check"]));
    assert!(check.contains("The schema is current."), "{check}");
}
