//! More listening ports than descriptors: one line, not one for each port, and all is as before.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "relay/network.rs"]
mod network;

use navigator_relay::{ForwardSet, Options, Relay};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

#[test]
fn without_descriptors_one_line_says_how_many_are_needed() {
    network::own();
    let ports = 400;
    let entry = |n: usize| {
        let port = network::free_port();
        format!("[forward.f{n}]\nlisten = '127.0.0.1:{port}'\nconnect = '127.0.0.1:1'\n")
    };
    let set = ForwardSet::from_toml(&(0..ports).map(entry).collect::<String>()).unwrap();
    let mut relay = Relay::start(Options { workers: 2, ..Options::default() }).unwrap();
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 200, hard).unwrap();
    let lines = relay.apply(set.clone()).unwrap_err().lines;
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    let expected = "400 listening ports need a descriptor each, and the limit is 200: raise";
    assert!(lines.len() == 1 && lines[0].starts_with(expected), "{lines:?}");
    assert!(relay.set().is_empty());
    relay.apply(set).unwrap();
}
