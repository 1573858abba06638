//! Two instances behind one router, and forwards to them by the API.
//!
//! *Applied* is what the API reports. A forward's status becomes ACTIVE once the agent has reported
//! it. A deleted forward has no status any more; but a router's changes are applied and reported in
//! order, so a later change of the same router that is ACTIVE says that the deletion is applied.

use std::net::{Ipv4Addr, SocketAddr};

use navigator_testkit::{
    Api, Navigator, Site,
    cloud::{self, Hosts, Plugged, Tenant},
};
use serde_json::{Value, json};

use crate::stamped::Clock;

/// External port of the forward whose only purpose is to be reported.
const MARKER: u16 = 9;

pub(crate) struct Place {
    pub(crate) tenant: Tenant,
    pub(crate) webs: [Plugged; 2],
    pub(crate) floating_ip: String,
    pub(crate) floating_address: Ipv4Addr,
    pub(crate) clock: Clock,
}

/// What to create, without its target instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) by: By,
    pub(crate) protocol: &'static str,
    /// First external and first internal port; so many of each.
    pub(crate) external: u16,
    pub(crate) internal: u16,
    pub(crate) count: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Gateway,
    FloatingIp,
}

impl Place {
    pub(crate) fn make(site: &Site, hosts: &Hosts, navigator: &Navigator<'_>) -> Self {
        let api = &mut navigator.api();
        let tenant = Tenant::make(api);
        let webs = ["web1", "web2"].map(|name| tenant.instance(api, site, &hosts.node, name));
        let (floating_ip, floating_address) = tenant.floating_ip(api);
        Self { tenant, webs, floating_ip, floating_address, clock: Clock::start() }
    }

    fn collection(&self, by: By) -> (String, &'static str) {
        match by {
            By::Gateway => (self.tenant.gateway_forwards(), "gateway_port_forwarding"),
            By::FloatingIp => {
                (format!("floatingips/{}/port_forwardings", self.floating_ip), "port_forwarding")
            }
        }
    }

    /// The address and port at which a way is reached, `nth` of its ports.
    pub(crate) fn outside(&self, way: Way, nth: u16) -> SocketAddr {
        let address = match way.by {
            By::Gateway => self.tenant.gateway,
            By::FloatingIp => self.floating_address,
        };
        (address, way.external + nth).into()
    }

    /// The path of the new forward.
    pub(crate) fn create(&self, api: &mut Api, way: Way, to: &Plugged) -> String {
        let (collection, key) = self.collection(way.by);
        let answer = cloud::create(api, &collection, key, body(way, to));
        format!("{collection}/{}", cloud::text(&answer, "/id"))
    }

    /// In two requests, however many there are.
    pub(crate) fn create_all(&self, api: &mut Api, ways: &[Way], to: &Plugged) -> Vec<String> {
        let mut paths = Vec::new();
        for by in [By::Gateway, By::FloatingIp] {
            let (collection, key) = self.collection(by);
            let ways = ways.iter().filter(|way| way.by == by);
            let bodies: Vec<_> = ways.map(|way| body(*way, to)).collect();
            let plural = format!("{key}s");
            let answer =
                cloud::call(api, 201, "POST", &collection, Some(&json!({ &plural: bodies })));
            let made = answer[&plural].as_array().unwrap();
            paths
                .extend(made.iter().map(|one| format!("{collection}/{}", cloud::text(one, "/id"))));
        }
        paths
    }

    /// Waits until everything up to now is reported applied.
    pub(crate) fn wait_applied(&self, api: &mut Api) {
        let marker =
            Way { by: By::Gateway, protocol: "udp", external: MARKER, internal: MARKER, count: 1 };
        let path = self.create(api, marker, &self.webs[0]);
        cloud::wait_active(api, &path);
        cloud::call(api, 204, "DELETE", &path, None);
    }
}

pub(crate) fn body(way: Way, to: &Plugged) -> Value {
    let mut body = json!({
        "protocol": way.protocol, "internal_port_id": to.port, "internal_ip_address": to.ip});
    if way.count == 1 {
        body["external_port"] = way.external.into();
        body["internal_port"] = way.internal.into();
    } else {
        let range = |first: u16| format!("{first}:{}", first + (way.count - 1));
        body["external_port_range"] = range(way.external).into();
        body["internal_port_range"] = range(way.internal).into();
    }
    body
}
