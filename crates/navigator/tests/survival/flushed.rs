//! Somebody flushes the router's ruleset behind Navigator's back.

use std::{
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use navigator_testkit::{
    Navigator, Site,
    cloud::{self, API, Hosts},
};

use crate::world::{self, World};

const FLUSHES: u32 = 10;

#[test]
fn established_connections_outlive_a_flush_of_the_ruleset() {
    let site = Site::new();
    let hosts = Hosts::make(&site);
    let navigator = Navigator::start(&hosts.node, "all-in-one", &hosts.config(), API);
    let world = World::make(&site, &hosts, &mut navigator.api());
    let traffic = world.start_traffic(&hosts);
    let wanted = world.elements(&hosts);
    let mut slowest = Duration::ZERO;
    for _ in 0..FLUSHES {
        thread::sleep(Duration::from_millis(200));
        let namespace = world.tenant.namespace();
        let flush = ["ip", "netns", "exec", &namespace, "nft", "flush", "ruleset"];
        hosts.node.run(&flush).unwrap();
        let flushed = Instant::now();
        cloud::eventually("repair", || {
            let found = world.elements(&hosts);
            if found == wanted { Ok(()) } else { Err(format!("{found} of {wanted} elements")) }
        });
        slowest = slowest.max(flushed.elapsed());
        let target = world.forwarded();
        let connect = move || TcpStream::connect_timeout(&target, Duration::from_secs(2));
        hosts.client.thread(connect).unwrap().expect("a new connection after the repair");
    }
    thread::sleep(Duration::from_millis(200));
    let ledger = world::stop(traffic);
    println!("T4: {FLUSHES} flushes, slowest repair {} ms; {ledger}", slowest.as_millis());
    assert!(ledger.is_clean(), "{ledger}");
}
