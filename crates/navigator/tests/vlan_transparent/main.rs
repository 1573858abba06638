//! Frames that instances tag themselves reach the network's other instances as they were sent.

// A test fails by panicking, its helpers too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use navigator_testkit::{
    Host, Site, apart,
    cloud::{Hosts, Tenant},
    stock,
};

const TAG: &str = "1234";

fn frames(host: &Host, what: &[&str]) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vlan_transparent/frames.py");
    let mut command = host.network_command(stock::python());
    command.arg(script).args(what);
    command
}

#[test]
fn a_frame_keeps_its_tag() {
    let site = Site::new();
    let hosts = Hosts::make(&site);
    let control = apart::control(&site, &hosts.node);
    let _server = apart::server(&control);
    let _agent = apart::agent(&hosts.node, &hosts.node.dir().join("agent"));
    let api = &mut apart::api(&control);
    let tenant = Tenant::make(api);
    let from = tenant.instance(api, &site, &hosts.node, "from");
    let to = tenant.instance(api, &site, &hosts.node, "to");

    let mut hearing = frames(&to.host, &["hear", "eth0"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(hearing.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "listening");
    // It ends when it has heard one, and without that after a while.
    while hearing.try_wait().unwrap().is_none() {
        assert!(frames(&from.host, &["send", "eth0", TAG]).status().unwrap().success());
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(lines.next().map(Result::unwrap).as_deref(), Some(TAG));
}
