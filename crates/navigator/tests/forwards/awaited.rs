//! A sender is there before its forward: its packets have already made an entry without translation,
//! which its next packet would keep alive for ever.

use std::{thread, time::Duration};

use navigator_testkit::{
    Navigator, Site,
    cloud::{self, API, Hosts},
};

use crate::{
    place::{By, Place, Way},
    stamped::{Flood, Sink, wait_for},
};

const RUNS: u16 = 25;
/// As a keepalive, but often enough to measure by.
const INTERVAL: Duration = Duration::from_millis(2);

/// The figure is 200 ms; this is what no noise reaches and any waiting for a timeout (30 s) does.
const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn packets_that_came_before_their_forward_do_not_keep_it_from_working() {
    let site = Site::new();
    let hosts = Hosts::make(&site);
    let navigator = Navigator::start(&hosts.node, "all-in-one", &hosts.config(), API);
    let place = Place::make(&site, &hosts, &navigator);
    let (sink, api) = (Sink::new(), &mut navigator.api());
    let (mut after_answer, mut after_report) = (Vec::new(), Duration::ZERO);
    for run in 0..RUNS {
        let by = if run % 2 == 0 { By::Gateway } else { By::FloatingIp };
        let way =
            Way { by, protocol: "udp", external: 9_000 + run, internal: 5_000 + run, count: 1 };
        let web = &place.webs[0];
        sink.listen_udp(&web.host, web.ip, way.internal, place.clock);
        let flow = u32::from(run);
        let flows = [(flow, place.outside(way, 0))];
        let _keepalive = Flood::start(&hosts.client, &flows, INTERVAL, place.clock);
        thread::sleep(Duration::from_millis(20));
        assert!(sink.seen(flow).is_none(), "there is no forward yet");
        let path = place.create(api, way, web);
        let answered_us = place.clock.now_us();
        match by {
            By::Gateway => drop(cloud::wait_active(api, &path)),
            By::FloatingIp => place.wait_applied(api),
        }
        let reported_us = place.clock.now_us();
        wait_for(&sink, flow, reported_us, place.clock);
        let seen = sink.seen(flow).unwrap();
        let since = |us: u64| Duration::from_micros(seen.first_arrived_us.saturating_sub(us));
        after_answer.push(since(answered_us));
        after_report = after_report.max(since(reported_us));
    }
    after_answer.sort();
    println!(
        "T6: {RUNS} runs, first packet through {} ms (median) to {} ms after the POST was answered, \
         at most {} ms after it was reported",
        after_answer[after_answer.len() / 2].as_millis(),
        after_answer[after_answer.len() - 1].as_millis(),
        after_report.as_millis()
    );
    assert!(after_report < LIMIT);
}
