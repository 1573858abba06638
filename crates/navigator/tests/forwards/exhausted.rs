//! All 65,535 ports of one address.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use navigator_drivers::nft::Nft;
use navigator_state::nft::Actual;
use navigator_testkit::{
    Navigator, Site,
    cloud::{self, API, Hosts},
};
use serde_json::json;

use crate::{
    place::{By, Place, Way, body},
    stamped::{Flood, Sink, wait_for},
};

/// The figure is two seconds; a debug build on a busy machine gets more.
const APPLY_LIMIT: Duration = Duration::from_secs(30);
const ALL: Way = Way { by: By::Gateway, protocol: "udp", external: 1, internal: 1, count: 65_535 };

#[test]
fn every_port_of_an_address_can_be_forwarded_by_one_range() {
    let site = Site::new();
    let hosts = Hosts::make(&site);
    let navigator = Navigator::start(&hosts.node, "all-in-one", &hosts.config(), API);
    let place = Place::make(&site, &hosts, &navigator);
    let api = &mut navigator.api();
    let table = || -> Actual {
        cloud::in_namespace(&hosts.node, &place.tenant.namespace(), || {
            Nft::open().unwrap().observe(None).unwrap().unwrap()
        })
    };
    let before = table();
    let path = place.create(api, ALL, &place.webs[0]);
    let applied = cloud::wait_active(api, &path);
    // The kernel may enlarge the map's table some time after it took the elements; a listing that
    // this interrupts lacks some of them.
    let (mut full, reported) = (table(), Instant::now());
    while full.sets["forwards"].len() < 65_535 && reported.elapsed() < APPLY_LIMIT {
        full = table();
    }
    // One lookup in one map, whatever is in it: not a rule more.
    assert_eq!(full.skeleton, before.skeleton);
    assert_eq!(full.sets["forwards"].len(), 65_535);
    let elsewhere = full.sets.iter().filter(|(name, _)| *name != "forwards");
    assert_eq!(elsewhere.map(|(_, elements)| elements.len()).sum::<usize>(), 0);

    let (web, sink) = (&place.webs[0], Sink::new());
    let ports = [1, 80, 32_768, 65_535];
    for port in ports {
        sink.listen_udp(&web.host, web.ip, port, place.clock);
    }
    let flow = |port: u16| (u32::from(port), SocketAddr::from((place.tenant.gateway, port)));
    let flows = ports.map(flow);
    let _flood = Flood::start(&hosts.client, &flows, Duration::from_millis(2), place.clock);
    for port in ports {
        wait_for(&sink, u32::from(port), 0, place.clock);
    }
    refuse_the_rest(&place, api);

    cloud::call(api, 204, "DELETE", &path, None);
    let answered = Instant::now();
    place.wait_applied(api);
    let deleted = answered.elapsed();
    // The marker's own deletion may still be on its way.
    assert!(table().sets["forwards"].len() <= 1);
    println!(
        "T39: 65,535 ports as one range: applied {} ms after the POST was answered, deleted after \
         {} ms; conflicts refused",
        applied.as_millis(),
        deleted.as_millis()
    );
    assert!(applied < APPLY_LIMIT && deleted < APPLY_LIMIT);
}

/// Nothing is left of that protocol on the gateway; another protocol and address are free.
fn refuse_the_rest(place: &Place, api: &mut navigator_testkit::Api) {
    let to = &place.webs[1];
    let collection = place.tenant.gateway_forwards();
    let mut refused = |way: Way, kind: &str| {
        let request = json!({"gateway_port_forwarding": body(way, to)});
        let answer = cloud::call(api, 400, "POST", &collection, Some(&request));
        assert_eq!(answer["NeutronError"]["type"], kind, "{way:?}: {answer}");
    };
    let exists = "RouterGatewayPortForwardingAlreadyExists";
    let udp = |external, count| Way { external, internal: 1, count, ..ALL };
    for way in [udp(1, 1), udp(65_535, 1), udp(30_000, 1_000), ALL] {
        refused(way, exists);
    }
    for port in ["0", "65536", "-1"] {
        let mut request = body(udp(1, 1), to);
        request["external_port"] = port.parse::<i64>().unwrap().into();
        let request = json!({"gateway_port_forwarding": request});
        cloud::call(api, 400, "POST", &collection, Some(&request));
    }
    let free = [Way { protocol: "tcp", ..udp(1, 1) }, Way { by: By::FloatingIp, ..udp(1, 1) }];
    let made = free.map(|way| place.create(api, way, to));
    for path in made {
        cloud::call(api, 204, "DELETE", &path, None);
    }
}
