//! Routes that no declaration brings. A test asks the server for each of them.

/// One route: path below the server's root, with `{id}` where an id stands, method, and what it
/// does.
pub(super) struct Fixed {
    pub(super) path: &'static str,
    pub(super) method: &'static str,
    pub(super) summary: &'static str,
    /// Status of success.
    pub(super) status: u16,
}

const fn fixed(
    path: &'static str,
    method: &'static str,
    summary: &'static str,
    status: u16,
) -> Fixed {
    Fixed { path, method, summary, status }
}

pub(super) const FIXED: &[Fixed] = &[
    fixed("/", "get", "List the API's versions", 200),
    fixed("/healthcheck", "get", "Say whether the server is ready", 200),
    fixed("/healthcheck/live", "get", "Say that the process answers", 200),
    fixed("/metrics", "get", "Show measurements, in Prometheus text", 200),
    fixed("/v2.0/", "get", "List the core resources", 200),
    fixed("/v2.0/extensions", "get", "List extensions", 200),
    fixed("/v2.0/extensions/{alias}", "get", "Show an extension", 200),
    fixed("/v2.0/log/loggable-resources", "get", "List what can be logged", 200),
    fixed("/v2.0/routers/{id}/l3-agents", "get", "List the agents that serve a router", 200),
    fixed("/v2.0/agents/{id}/l3-routers", "get", "List the routers that an agent serves", 200),
    fixed("/v2.0/networks/{id}/dhcp-agents", "get", "List the agents that serve a network", 200),
    fixed("/v2.0/network-ip-availabilities", "get", "List how many addresses networks have", 200),
    fixed(
        "/v2.0/network-ip-availabilities/{id}",
        "get",
        "Show how many addresses a network has",
        200,
    ),
    fixed("/v2.0/floatingip_pools", "get", "List where floating IPs come from", 200),
    fixed("/v2.0/agents/{id}/dhcp-networks", "get", "List the networks that an agent serves", 200),
    fixed("/v2.0/agents/{id}/dhcp-networks", "post", "Put a network on an agent", 201),
    fixed("/v2.0/agents/{id}/dhcp-networks/{other}", "delete", "Take a network from an agent", 204),
    fixed("/v2.0/agents/{id}/l3-routers", "post", "Put a router on an agent", 201),
    fixed("/v2.0/agents/{id}/l3-routers/{other}", "delete", "Take a router from an agent", 204),
    fixed(
        "/v2.0/auto-allocated-topology/{project}",
        "get",
        "Show a project's topology, made if it has none",
        200,
    ),
    fixed("/v2.0/auto-allocated-topology/{project}", "delete", "Delete a project's topology", 204),
    fixed("/v2.0/availability_zones", "get", "List availability zones", 200),
    fixed(
        "/v2.0/flavors/{id}/next_provider",
        "get",
        "Show the provider that a flavor leads to",
        200,
    ),
    fixed("/v2.0/flavors/{id}/service_profiles", "post", "Give a flavor a service profile", 201),
    fixed(
        "/v2.0/flavors/{id}/service_profiles/{profile}",
        "delete",
        "Take a service profile from a flavor",
        204,
    ),
    fixed("/v2.0/qos/rule-types", "get", "List kinds of QoS rules", 200),
    fixed("/v2.0/qos/rule-types/{type}", "get", "Show a kind of QoS rules", 200),
    fixed("/v2.0/quotas", "get", "List the quotas of projects that have their own", 200),
    fixed("/v2.0/quotas/project", "get", "Show the caller's own project", 200),
    fixed("/v2.0/quotas/tenant", "get", "Show the caller's own project, by its old name", 200),
    fixed("/v2.0/quotas/{project}", "get", "Show a project's quotas", 200),
    fixed("/v2.0/quotas/{project}", "put", "Set a project's quotas", 200),
    fixed("/v2.0/quotas/{project}", "delete", "Reset a project's quotas", 204),
    fixed("/v2.0/quotas/{project}/default", "get", "Show the default quotas", 200),
    fixed(
        "/v2.0/quotas/{project}/details.json",
        "get",
        "Show a project's quotas and what it uses",
        200,
    ),
    fixed("/v2.0/service-providers", "get", "List service providers", 200),
    fixed("/v2.0/trunks/{id}/get_subports", "get", "List a trunk's sub-ports", 200),
];
