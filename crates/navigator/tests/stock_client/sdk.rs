//! openstacksdk used directly (`sdk.py`), for what the command line does not offer.

use std::process::Stdio;

use navigator_testkit::{Site, stock};

use crate::{
    client::{command, script},
    world::{Door, start},
};

/// Runs the script to its end; it stops at the first thing that is not as it should be.
fn run(door: Door) {
    let site = Site::new();
    let host = site.host("node");
    let _navigator = start(&host, door);
    let output = command(&host, &stock::python(), &door.identity("admin"))
        .arg(script("sdk.py"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (said, error) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{error}");
    // A script that ended early without an error would have said less.
    assert!(said.ends_with("all said\n"), "{said}{error}");
}

#[test]
fn the_sdk_creates_in_bulk_pages_and_forwards_without_authentication() {
    run(Door::Open);
}

#[test]
fn the_sdk_creates_in_bulk_pages_and_forwards_with_http_basic() {
    run(Door::Basic);
}
