//! The extensions that work here. Clients switch behaviour on these names, so nothing is listed
//! that is not served. A resource's own extension is listed because the resource is declared.

use axum::{Json, extract::Path};
use navigator_resources::{Declaration, Rules, Visitor, visit_all};
use serde_json::{Value, json};

use crate::fault::Fault;

struct Extension {
    alias: &'static str,
    name: &'static str,
    description: &'static str,
    updated: &'static str,
}

const fn extension(
    alias: &'static str,
    name: &'static str,
    description: &'static str,
    updated: &'static str,
) -> Extension {
    Extension { alias, name, description, updated }
}

/// In alphabetical order. `updated` is Neutron's date where the extension is Neutron's.
const EXTENSIONS: &[Extension] = &[
    extension("agent", "agent", "Agents and their state.", "2013-02-03T10:00:00-00:00"),
    extension(
        "allowed-address-pairs",
        "Allowed Address Pairs",
        "Further addresses that a port may use.",
        "2013-07-23T10:00:00-00:00",
    ),
    extension(
        "binding",
        "Port Binding",
        "Where and how a port is plugged.",
        "2014-02-03T10:00:00-00:00",
    ),
    extension(
        "empty-string-filtering",
        "Empty String Filtering Extension",
        "An empty filter value matches an empty attribute.",
        "2018-04-09T10:00:00-00:00",
    ),
    extension(
        "expose-port-forwarding-in-fip",
        "Expose Port Forwarding in FIP",
        "Floating IPs list their port forwardings.",
        "2019-02-26T10:00:00-00:00",
    ),
    extension(
        "ext-gw-mode",
        "Neutron L3 Configurable external gateway mode",
        "SNAT of a router can be switched off.",
        "2013-03-28T10:00:00-00:00",
    ),
    extension(
        "external-gateway-multihoming",
        "Multiple external gateways",
        "The external gateway is set, added and removed as a list, of one entry here.",
        "2023-01-18T00:00:00-00:00",
    ),
    extension(
        "external-net",
        "Neutron external network",
        "Networks that lead outside.",
        "2013-01-14T10:00:00-00:00",
    ),
    extension(
        "extra_dhcp_opt",
        "Neutron Extra DHCP options",
        "DHCP options of a port.",
        "2013-03-17T12:00:00-00:00",
    ),
    extension(
        "extraroute",
        "Neutron Extra Route",
        "Static routes of a router.",
        "2013-02-01T10:00:00-00:00",
    ),
    extension(
        "extraroute-atomic",
        "Atomically add/remove extra routes",
        "Routes are added and removed one by one.",
        "2019-07-10T00:00:00+00:00",
    ),
    extension(
        "filter-validation",
        "Filter parameters validation",
        "Unknown filters are refused.",
        "2018-03-21T10:00:00-00:00",
    ),
    extension(
        "fip-port-details",
        "Floating IP Port Details Extension",
        "Floating IPs show their port.",
        "2018-04-09T10:00:00-00:00",
    ),
    extension(
        "floating-ip-port-forwarding",
        "Floating IP Port Forwarding",
        "Ports of a floating IP lead to ports of instances.",
        "2018-02-12T10:00:00-00:00",
    ),
    extension(
        "floating-ip-port-forwarding-description",
        "Floating IP Port Forwarding support description",
        "Port forwardings have a description.",
        "2019-11-04T10:00:00-00:00",
    ),
    extension(
        "floating-ip-port-forwarding-detail",
        "Floating IP Port Forwarding Detail Extension",
        "Floating IPs show more of their port forwardings.",
        "2022-02-22T10:00:00-00:00",
    ),
    extension(
        "floating-ip-port-forwarding-port-ranges",
        "Floating IP Port Forwarding support for ports ranges",
        "Ranges of ports are forwarded.",
        "2021-06-08T10:00:00-00:00",
    ),
    extension(
        "ip-substring-filtering",
        "IP address substring filtering",
        "Ports are found by a part of their address.",
        "2017-11-28T09:00:00-00:00",
    ),
    extension("net-mtu", "Network MTU", "Networks show their MTU.", "2015-03-25T10:00:00-00:00"),
    extension(
        "net-mtu-writable",
        "Network MTU (writable)",
        "The MTU of a network can be set.",
        "2017-07-12T00:00:00-00:00",
    ),
    extension(
        "pagination",
        "Pagination support",
        "Lists come in pages.",
        "2016-06-12T00:00:00-00:00",
    ),
    extension(
        "port-security",
        "Port Security",
        "Filtering of a port can be switched off.",
        "2012-07-23T10:00:00-00:00",
    ),
    extension(
        "project-id",
        "project_id field enabled",
        "Objects show project_id.",
        "2016-09-09T09:09:09-09:09",
    ),
    extension(
        "provider",
        "Provider Network",
        "How a network is made.",
        "2012-09-07T10:00:00-00:00",
    ),
    extension(
        "revision-if-match",
        "If-Match constraints based on revision_number",
        "Changes only if nobody else made one.",
        "2016-12-11T00:00:00-00:00",
    ),
    extension(
        "router",
        "Neutron L3 Router",
        "Routers and floating IPs.",
        "2012-07-20T10:00:00-00:00",
    ),
    extension(
        "router-configurations",
        "Router Configurations",
        "Routers are pinned to network nodes.",
        "2026-11-20T00:00:00-00:00",
    ),
    extension(
        "router-gateway-port-forwarding",
        "Router Gateway Port Forwarding",
        "Ports of a router's gateway address lead to ports of instances.",
        "2026-11-20T00:00:00-00:00",
    ),
    extension(
        "router-gateway-port-forwarding-port-ranges",
        "Router Gateway Port Forwarding support for ports ranges",
        "Ranges of ports of a gateway address are forwarded.",
        "2026-11-20T00:00:00-00:00",
    ),
    extension(
        "sort-key-validation",
        "Sort keys validation",
        "Unknown sort keys are refused.",
        "2018-10-05T00:00:00-00:00",
    ),
    extension("sorting", "Sorting support", "Lists are sorted.", "2016-06-12T00:00:00-00:00"),
    extension(
        "standard-attr-description",
        "standard-attr-description",
        "Objects have a description.",
        "2016-02-10T10:00:00-00:00",
    ),
    extension(
        "standard-attr-revisions",
        "Resource revision numbers",
        "Objects show how often they changed.",
        "2016-04-11T10:00:00-00:00",
    ),
    extension(
        "standard-attr-timestamp",
        "Resource timestamps",
        "Objects show when they were made and changed.",
        "2016-09-12T10:00:00-00:00",
    ),
    extension(
        "status-reason",
        "Status Reason",
        "Objects in ERROR say why.",
        "2026-11-20T00:00:00-00:00",
    ),
];

impl Extension {
    fn document(&self) -> Value {
        json!({
            "alias": self.alias,
            "name": self.name,
            "description": self.description,
            "updated": self.updated,
            "links": [],
        })
    }
}

/// Neutron's core, which is no extension.
const CORE: &[&str] = &["network", "subnet", "port"];

/// What resources bring of which the table does not say more.
struct Declared(Vec<Extension>);

impl Visitor for Declared {
    fn visit<R: Rules>(&mut self) {
        let Declaration { extension: alias, name, .. } = R::declaration();
        let known = EXTENSIONS.iter().chain(&self.0).any(|known| known.alias == *alias);
        if !known && !CORE.contains(alias) {
            self.0.push(extension(alias, alias, name, "2026-11-20T00:00:00-00:00"));
        }
    }
}

fn documents() -> Vec<Value> {
    let mut declared = Declared(Vec::new());
    visit_all(&mut declared);
    let mut all: Vec<_> = EXTENSIONS.iter().chain(&declared.0).collect();
    all.sort_by_key(|extension| extension.alias);
    all.into_iter().map(Extension::document).collect()
}

pub(crate) async fn list() -> Json<Value> {
    Json(json!({"extensions": documents()}))
}

pub(crate) async fn show(Path(alias): Path<String>) -> Result<Json<Value>, Fault> {
    documents()
        .into_iter()
        .find(|document| document["alias"] == *alias)
        .map(|document| Json(json!({"extension": document})))
        .ok_or_else(Fault::not_found)
}
