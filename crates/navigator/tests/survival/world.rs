//! A tenant with an instance behind forwards and one with a floating IP, and traffic through both
//! and outwards.

use std::net::{Ipv4Addr, SocketAddr};

use navigator_drivers::nft::Nft;
use navigator_testkit::{
    Api, EchoServer, Ledger, Site, Traffic, TrafficPlan,
    cloud::{self, Hosts, OUTSIDE, Plugged, Tenant},
};
use serde_json::json;

/// Where every echo server listens.
const ECHO: u16 = 7007;
/// The gateway's port that leads to the first instance's echo server.
pub(crate) const FORWARDED: u16 = 7000;

pub(crate) struct World {
    pub(crate) tenant: Tenant,
    pub(crate) web: Plugged,
    /// Has a floating IP.
    floating: Plugged,
    floating_ip: Ipv4Addr,
    _echoes: [EchoServer; 3],
}

impl World {
    pub(crate) fn make(site: &Site, hosts: &Hosts, api: &mut Api) -> Self {
        let tenant = Tenant::make(api);
        let web = tenant.instance(api, site, &hosts.node, "web");
        let floating = tenant.instance(api, site, &hosts.node, "floating");
        for protocol in ["tcp", "udp"] {
            let forward = json!({
                "external_port": FORWARDED, "internal_port": ECHO, "protocol": protocol,
                "internal_port_id": web.port, "internal_ip_address": web.ip});
            let forward = tenant.forward(api, forward);
            let path = format!("{}/{}", tenant.gateway_forwards(), cloud::text(&forward, "/id"));
            cloud::wait_active(api, &path);
        }
        let body = json!({
            "floating_network_id": tenant.external_network, "port_id": floating.port});
        let answer = cloud::create(api, "floatingips", "floatingip", body);
        let floating_ip = cloud::address(&answer, "/floating_ip_address");
        cloud::wait_active(api, &format!("floatingips/{}", cloud::text(&answer, "/id")));
        let echo = |host, address: Ipv4Addr| {
            EchoServer::start(host, SocketAddr::from((address, ECHO))).unwrap()
        };
        let echoes = [
            echo(&web.host, web.ip),
            echo(&floating.host, floating.ip),
            echo(&hosts.outside, OUTSIDE),
        ];
        Self { tenant, web, floating, floating_ip, _echoes: echoes }
    }

    /// Where the forward is reached from outside.
    pub(crate) fn forwarded(&self) -> SocketAddr {
        (self.tenant.gateway, FORWARDED).into()
    }

    /// TCP and UDP, every 10 ms, inwards by the forwards, both ways by the floating IP, and outwards
    /// by the router's address.
    pub(crate) fn start_traffic(&self, hosts: &Hosts) -> Vec<Traffic> {
        let ways = [
            (&hosts.client, self.forwarded()),
            (&hosts.client, (self.floating_ip, ECHO).into()),
            (&self.floating.host, (OUTSIDE, ECHO).into()),
            (&self.web.host, (OUTSIDE, ECHO).into()),
        ];
        let flows =
            |target| TrafficPlan { target, tcp_connections: 6, udp_flows: 3, interval_ms: 10 };
        ways.into_iter().map(|(from, to)| Traffic::start(from, flows(to)).unwrap()).collect()
    }

    /// How many ports of the gateway lead somewhere, in the kernel.
    pub(crate) fn elements(&self, hosts: &Hosts) -> usize {
        cloud::in_namespace(&hosts.node, &self.tenant.namespace(), || {
            let actual = Nft::open().unwrap().observe(None).unwrap().unwrap();
            actual.sets.get("forwards").map_or(0, |elements| elements.len())
        })
    }
}

/// Stops all of it and adds up.
pub(crate) fn stop(traffic: Vec<Traffic>) -> Ledger {
    let mut sum = Ledger::default();
    for ledger in traffic.into_iter().map(Traffic::stop) {
        sum.tcp_connections += ledger.tcp_connections;
        sum.broken_connections += ledger.broken_connections;
        sum.first_failure = sum.first_failure.or(ledger.first_failure);
        sum.tcp_bytes += ledger.tcp_bytes;
        sum.tcp_bytes_lost += ledger.tcp_bytes_lost;
        sum.corrupted += ledger.corrupted;
        sum.udp_sent += ledger.udp_sent;
        sum.udp_lost += ledger.udp_lost;
        sum.udp_reordered += ledger.udp_reordered;
        sum.longest_gap_ms = sum.longest_gap_ms.max(ledger.longest_gap_ms);
    }
    sum
}
