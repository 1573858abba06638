//! Forwards are deleted while senders go on as if nothing had happened: from the moment at which the
//! end is reported, nothing that they send reaches the old target.
//!
//! When is a deletion *reported applied*? See [`crate::place`]. The agent reports after the rule is
//! gone and the flows are deleted, so the comparison is exact: no record that was sent after the
//! report may arrive. Arrivals are looked at a little later, to give a leak its time.

use std::{
    thread,
    time::{Duration, Instant},
};

use navigator_testkit::{
    Api, Host, Navigator, Site,
    cloud::{self, API, Hosts},
};

use crate::{
    place::{By, Place, Way},
    stamped::{Flood, Sink, Streams, wait_for},
};

/// With as many forwards as there are ways.
const ROUNDS: usize = 36;
const PAUSE: Duration = Duration::from_micros(500);

/// How long a leak is waited for, after which the next round begins.
const GRACE: Duration = Duration::from_millis(15);

/// In a range, traffic goes to this one of its ports.
const NTH: u16 = 42;

/// UDP first.
const UDP_WAYS: usize = 10;
const WAYS: [Way; 14] = [
    way(By::Gateway, "udp", 7_001, 1),
    way(By::Gateway, "udp", 7_002, 1),
    way(By::Gateway, "udp", 7_003, 1),
    way(By::FloatingIp, "udp", 7_011, 1),
    way(By::FloatingIp, "udp", 7_012, 1),
    way(By::FloatingIp, "udp", 7_013, 1),
    way(By::Gateway, "udp", 20_000, 100),
    way(By::Gateway, "udp", 30_000, 100),
    way(By::FloatingIp, "udp", 40_000, 100),
    way(By::FloatingIp, "udp", 50_000, 100),
    way(By::Gateway, "tcp", 7_021, 1),
    way(By::Gateway, "tcp", 7_022, 1),
    way(By::FloatingIp, "tcp", 7_023, 1),
    way(By::FloatingIp, "tcp", 7_024, 1),
];

const fn way(by: By, protocol: &'static str, port: u16, count: u16) -> Way {
    Way { by, protocol, external: port + 1_000, internal: port, count }
}

/// Which port of the way is used.
fn nth(way: Way) -> u16 {
    if way.count == 1 { 0 } else { NTH }
}

#[test]
fn nothing_reaches_a_target_whose_forwards_deletion_was_reported() {
    let site = Site::new();
    let hosts = Hosts::make(&site);
    let navigator = Navigator::start(&hosts.node, "all-in-one", &hosts.config(), API);
    let place = Place::make(&site, &hosts, &navigator);
    let sinks = place.webs.each_ref().map(|web| {
        let sink = Sink::new();
        for way in WAYS {
            let port = way.internal + nth(way);
            let listen = if way.protocol == "udp" { Sink::listen_udp } else { Sink::listen_tcp };
            listen(&sink, &web.host, web.ip, port, place.clock);
        }
        sink
    });
    let flows: Vec<_> = (0..).zip(WAYS.map(|way| place.outside(way, nth(way)))).collect();
    let (udp, tcp) = flows.split_at(UDP_WAYS);
    let _flood = Flood::start(&hosts.client, udp, PAUSE, place.clock);
    let api = &mut navigator.api();
    let (start, mut leaked, mut stale) = (Instant::now(), 0, 0);
    for round in 0..ROUNDS {
        // The same sender, the same ports, the other target: a leftover of the last round shows.
        let (web, sink) = (&place.webs[round % 2], &sinks[round % 2]);
        let before_us = place.clock.now_us();
        let forwards = place.create_all(api, &WAYS, web);
        place.wait_applied(api);
        let streams = Streams::connect(&hosts.client, tcp, PAUSE, place.clock);
        for (flow, _) in &flows {
            wait_for(sink, *flow, before_us, place.clock);
        }
        for forward in &forwards {
            cloud::call(api, 204, "DELETE", forward, None);
        }
        place.wait_applied(api);
        let reported_us = place.clock.now_us();
        stale += stale_flows(&hosts.node, &place);
        thread::sleep(GRACE);
        leaked += sinks.iter().filter(|sink| sink.last_sent_us() > reported_us).count();
        drop(streams);
    }
    println!(
        "T5: {} runs in {:.1} s, {leaked} leaks after the report, {stale} stale entries",
        ROUNDS * WAYS.len(),
        start.elapsed().as_secs_f64()
    );
    assert_eq!((leaked, stale), (0, 0));
    still_works(api, &place, &sinks[0]);
}

/// Entries of the router that still lead from outside to an instance.
fn stale_flows(node: &Host, place: &Place) -> usize {
    let namespace = place.tenant.namespace();
    let list = ["ip", "netns", "exec", &namespace, "conntrack", "-L", "-f", "ipv4"];
    let listing = node.run(&list).unwrap();
    let outer = [place.tenant.gateway, place.floating_address].map(|ip| ip.to_string());
    let inner = place.webs.each_ref().map(|web| web.ip.to_string());
    let is_stale = |line: &&str| {
        let values = |key: &str| -> Vec<String> {
            line.split(' ').filter_map(|word| word.strip_prefix(key)).map(str::to_owned).collect()
        };
        // The first of each is the original direction's, the second the reply's.
        let (destinations, sources) = (values("dst="), values("src="));
        destinations.first().is_some_and(|to| outer.contains(to))
            && sources.get(1).is_some_and(|from| inner.contains(from))
    };
    listing.lines().filter(is_stale).count()
}

/// The flood goes on: a silent sender or a deaf sink would have passed everything above.
fn still_works(api: &mut Api, place: &Place, sink: &Sink) {
    let before_us = place.clock.now_us();
    place.create(api, WAYS[0], &place.webs[0]);
    wait_for(sink, 0, before_us, place.clock);
}
