//! A forward moves to another instance under 100 flows.

use std::{net::SocketAddr, thread, time::Duration};

use navigator_testkit::{
    Navigator, Site,
    cloud::{self, API, Hosts},
};
use serde_json::json;

use crate::{
    place::{By, Place, Way},
    stamped::{Flood, Sink, Streams, wait_for},
};

const ROUNDS: usize = 6;
const UDP_FLOWS: u32 = 50;
const TCP_FLOWS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(2);
const UDP: Way =
    Way { by: By::Gateway, protocol: "udp", external: 8_001, internal: 7_001, count: 1 };
const TCP: Way =
    Way { by: By::Gateway, protocol: "tcp", external: 8_002, internal: 7_002, count: 1 };

#[test]
fn a_retargeted_forward_leads_to_one_target_at_a_time() {
    let site = Site::new();
    let hosts = Hosts::make(&site);
    let navigator = Navigator::start(&hosts.node, "all-in-one", &hosts.config(), API);
    let place = Place::make(&site, &hosts, &navigator);
    let api = &mut navigator.api();
    let forwards = [UDP, TCP].map(|way| place.create(api, way, &place.webs[0]));
    place.wait_applied(api);
    for round in 0..ROUNDS {
        let (old, new) = (round % 2, (round + 1) % 2);
        // Sinks of this round's own: what they saw is this round's.
        let sinks = place.webs.each_ref().map(|web| {
            let sink = Sink::new();
            sink.listen_udp(&web.host, web.ip, UDP.internal, place.clock);
            sink.listen_tcp(&web.host, web.ip, TCP.internal, place.clock);
            sink
        });
        let flows = |count: u32, first: u32, to: SocketAddr| -> Vec<_> {
            (first..first + count).map(|flow| (flow, to)).collect()
        };
        let udp = flows(UDP_FLOWS, 0, place.outside(UDP, 0));
        let tcp = flows(TCP_FLOWS, UDP_FLOWS, place.outside(TCP, 0));
        let before_us = place.clock.now_us();
        let flood = Flood::start(&hosts.client, &udp, PAUSE, place.clock);
        let streams = Streams::connect(&hosts.client, &tcp, PAUSE, place.clock);
        for (flow, _) in udp.iter().chain(&tcp) {
            wait_for(&sinks[old], *flow, before_us, place.clock);
        }
        let web = &place.webs[new];
        let target = json!({"gateway_port_forwarding": {
            "internal_port_id": web.port, "internal_ip_address": web.ip}});
        for forward in &forwards {
            cloud::call(api, 200, "PUT", forward, Some(&target));
        }
        place.wait_applied(api);
        let reported_us = place.clock.now_us();
        for (flow, _) in &udp {
            wait_for(&sinks[new], *flow, reported_us, place.clock);
        }
        cloud::eventually("the old connections are cut", || {
            let (cut, all) = streams.cut();
            if cut == all { Ok(()) } else { Err(format!("{cut} of {all}")) }
        });
        let fresh = flows(1, 1_000, place.outside(TCP, 0));
        let _fresh = Streams::connect(&hosts.client, &fresh, PAUSE, place.clock);
        wait_for(&sinks[new], 1_000, reported_us, place.clock);
        thread::sleep(Duration::from_millis(20));
        let late = sinks[old].last_sent_us().saturating_sub(reported_us);
        assert_eq!(late, 0, "sent {late} µs after the report and arrived at the old target");
        for (flow, _) in &udp {
            let (was, is) = (sinks[old].seen(*flow).unwrap(), sinks[new].seen(*flow).unwrap());
            let one_after_the_other = was.last_sent_us < is.first_sent_us;
            assert!(one_after_the_other, "flow {flow} led to both: {was:?} {is:?}");
        }
        for (flow, _) in &tcp {
            assert!(sinks[new].seen(*flow).is_none(), "connection {flow} arrived at both");
        }
        drop((flood, streams, sinks));
    }
    println!(
        "T7: {ROUNDS} retargets under {UDP_FLOWS} UDP and {TCP_FLOWS} TCP flows: 0 records to the \
         old target after the report, 0 flows to both, all old connections cut"
    );
}
