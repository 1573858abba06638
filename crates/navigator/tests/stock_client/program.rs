//! The installed `openstack` program itself: its exit codes and its own words.

use std::process::{Output, Stdio};

use navigator_testkit::{Host, Site, stock};
use serde_json::Value;

use crate::{
    client::{Client, Identity, command},
    row::{self, quiet, shows},
    world::{Door, start},
};

fn openstack(host: &Host, identity: &Identity, argv: &[&str]) -> Output {
    command(host, &stock::program(), identity).args(argv).stdin(Stdio::null()).output().unwrap()
}

/// Exit code and what it said about the failure.
fn failure(host: &Host, identity: &Identity, argv: &[&str]) -> (Option<i32>, String) {
    let output = openstack(host, identity, argv);
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    (output.status.code(), String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

#[test]
fn the_program_ends_with_the_codes_that_belong_to_its_answers() {
    let site = Site::new();
    let host = site.host("node");
    let navigator = start(&host, Door::Basic);
    let admin = Door::Basic.identity("admin");

    let output = openstack(&host, &admin, &["network", "create", "blue", "-f", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(made["name"], "blue");

    let output = openstack(&host, &admin, &["network", "list", "--long"]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("| blue | ACTIVE |"), "{table}");

    let argv = ["network", "show", "green"];
    let expected = "No Network found for green".to_owned();
    assert_eq!(failure(&host, &admin, &argv), (Some(1), expected));

    let (code, message) = failure(&host, &admin, &["network", "create"]);
    assert_eq!(code, Some(2), "{message}");
    assert!(message.contains("the following arguments are required: <name>"), "{message}");

    let stranger = admin.clone().with("OS_PASSWORD", "wrong");
    let (code, message) = failure(&host, &stranger, &["network", "list"]);
    assert_eq!(code, Some(1), "{message}");
    assert!(message.contains("The request you have made requires authentication."), "{message}");

    drop(navigator);
    let (code, message) = failure(&host, &admin, &["network", "list"]);
    assert_eq!(code, Some(1), "{message}");
    assert!(message.contains("Unable to establish connection"), "{message}");
}

#[test]
fn names_may_be_anything() {
    let site = Site::new();
    let host = site.host("node");
    let _navigator = start(&host, Door::Open);
    let mut client = Client::start(&host, &Door::Open.identity("admin"));
    let name = |name| serde_json::json!({ "name": name });
    row::run(
        &mut client,
        vec![
            shows("network create 'two words'", name("two words")),
            shows("network create 网络-ネットワーク", name("网络-ネットワーク")),
            shows("network create 'a&b=c?d#e/f%20+g'", name("a&b=c?d#e/f%20+g")),
            shows("network create '\";--'", name("\";--")),
            shows("network show 'two words'", name("two words")),
            shows("network show 网络-ネットワーク", name("网络-ネットワーク")),
            shows("network show 'a&b=c?d#e/f%20+g'", name("a&b=c?d#e/f%20+g")),
            shows("network show '\";--'", name("\";--")),
            quiet("network delete 'two words' 网络-ネットワーク 'a&b=c?d#e/f%20+g' '\";--'"),
        ],
    );
}
