//! Routes that no declaration brings. A test asks the server for each of them.

use serde_json::{Value, json};

/// One route: path below the server's root, with `{id}` where an id stands, method, and what it
/// does.
pub(super) struct Fixed {
    pub(super) path: &'static str,
    pub(super) method: &'static str,
    pub(super) summary: &'static str,
    /// Status of success.
    pub(super) status: u16,
    /// Schema of the request's body, if it has one.
    pub(super) asks: Option<fn() -> Value>,
    pub(super) answers: Answer,
}

/// What an answer's body is.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    Nothing,
    Text,
    /// JSON, with its schema.
    Json(fn() -> Value),
}

const fn fixed(
    path: &'static str,
    method: &'static str,
    summary: &'static str,
    status: u16,
) -> Fixed {
    Fixed { path, method, summary, status, asks: None, answers: Answer::Nothing }
}

impl Fixed {
    const fn asks(mut self, schema: fn() -> Value) -> Self {
        self.asks = Some(schema);
        self
    }

    const fn says(mut self, schema: fn() -> Value) -> Self {
        self.answers = Answer::Json(schema);
        self
    }

    const fn text(mut self) -> Self {
        self.answers = Answer::Text;
        self
    }
}

pub(super) fn text() -> Value {
    json!({"type": "string"})
}

pub(super) fn uuid() -> Value {
    json!({"type": "string", "format": "uuid"})
}

pub(super) fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

/// An object with these members; those of answers are fewer where `fields` names them.
pub(super) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    json!({"type": "object", "properties": members.map(|(name, value)| (name.to_owned(), value))
        .into_iter().collect::<serde_json::Map<String, Value>>()})
}

/// An object that is nothing without this member.
pub(super) fn holding(name: &str, value: Value) -> Value {
    let mut object = object([(name, value)]);
    object["required"] = json!([name]);
    object
}

fn resource(class: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{class}")})
}

/// To other pages, or to what is named.
pub(super) fn links() -> Value {
    list(object([("rel", text()), ("href", text())]))
}

fn extension() -> Value {
    object([
        ("alias", text()),
        ("name", text()),
        ("description", text()),
        ("updated", text()),
        ("links", list(json!({}))),
    ])
}

fn availability() -> Value {
    let count = || json!({"type": "integer", "minimum": 0});
    let subnet = object([
        ("subnet_id", uuid()),
        ("subnet_name", text()),
        ("cidr", text()),
        ("ip_version", json!({"enum": [4, 6]})),
        ("total_ips", count()),
        ("used_ips", count()),
    ]);
    object([
        ("network_id", uuid()),
        ("network_name", text()),
        ("project_id", text()),
        ("tenant_id", text()),
        ("total_ips", count()),
        ("used_ips", count()),
        ("subnet_ip_availability", list(subnet)),
    ])
}

fn topology() -> Value {
    // `dry-run=pass` where nothing was made.
    let topology = object([("id", text()), ("project_id", text()), ("tenant_id", text())]);
    holding("auto_allocated_topology", topology)
}

/// A number for each kind of object, and whose they are.
fn limits() -> Value {
    let limit = json!({"type": ["integer", "string"]});
    json!({"type": "object", "additionalProperties": limit})
}

fn quota() -> Value {
    holding("quota", limits())
}

fn quota_details() -> Value {
    let number = || json!({"type": "integer"});
    let detail = object([("limit", number()), ("used", number()), ("reserved", number())]);
    holding("quota", json!({"type": "object", "additionalProperties": detail}))
}

fn quota_wanted() -> Value {
    let limit = json!({"type": "integer", "minimum": -1, "maximum": i32::MAX});
    holding("quota", json!({"type": "object", "additionalProperties": limit}))
}

fn profile() -> Value {
    holding("service_profile", holding("id", uuid()))
}

fn sub_port() -> Value {
    object([
        ("port_id", uuid()),
        ("segmentation_type", text()),
        ("segmentation_id", json!({"type": ["integer", "null"]})),
        ("mac_address", text()),
    ])
}

/// Whatever hangs on an agent is answered with `null`.
fn null() -> Value {
    json!({"type": "null"})
}

pub(super) const FIXED: &[Fixed] = &[
    fixed("/", "get", "List the API's versions", 200).says(|| {
        holding("versions", list(object([("id", text()), ("status", text()), ("links", links())])))
    }),
    fixed("/healthcheck", "get", "Say whether the server is ready", 200).text(),
    fixed("/healthcheck/live", "get", "Say that the process answers", 200).text(),
    fixed("/metrics", "get", "Show measurements, in Prometheus text", 200).text(),
    fixed("/v2.0/", "get", "List the core resources", 200).says(|| {
        holding(
            "resources",
            list(object([("name", text()), ("collection", text()), ("links", links())])),
        )
    }),
    fixed("/v2.0/extensions", "get", "List extensions", 200)
        .says(|| holding("extensions", list(extension()))),
    fixed("/v2.0/extensions/{alias}", "get", "Show an extension", 200)
        .says(|| holding("extension", extension())),
    fixed("/v2.0/log/loggable-resources", "get", "List what can be logged", 200)
        .says(|| holding("loggable_resources", list(object([("type", text())])))),
    fixed("/v2.0/routers/{id}/l3-agents", "get", "List the agents that serve a router", 200)
        .says(|| holding("agents", list(resource("Agent")))),
    fixed("/v2.0/agents/{id}/l3-routers", "get", "List the routers that an agent serves", 200)
        .says(|| holding("routers", list(resource("Router")))),
    fixed("/v2.0/networks/{id}/dhcp-agents", "get", "List the agents that serve a network", 200)
        .says(|| holding("agents", list(resource("Agent")))),
    fixed("/v2.0/network-ip-availabilities", "get", "List how many addresses networks have", 200)
        .says(|| holding("network_ip_availabilities", list(availability()))),
    fixed(
        "/v2.0/network-ip-availabilities/{id}",
        "get",
        "Show how many addresses a network has",
        200,
    )
    .says(|| holding("network_ip_availability", availability())),
    fixed("/v2.0/floatingip_pools", "get", "List where floating IPs come from", 200)
        .says(|| holding("floatingip_pools", list(json!({"type": "object"})))),
    fixed("/v2.0/agents/{id}/dhcp-networks", "get", "List the networks that an agent serves", 200)
        .says(|| holding("networks", list(resource("Network")))),
    fixed("/v2.0/agents/{id}/dhcp-networks", "post", "Put a network on an agent", 201)
        .asks(|| holding("network_id", uuid()))
        .says(null),
    fixed("/v2.0/agents/{id}/dhcp-networks/{other}", "delete", "Take a network from an agent", 204),
    fixed("/v2.0/agents/{id}/l3-routers", "post", "Put a router on an agent", 201)
        .asks(|| holding("router_id", uuid()))
        .says(null),
    fixed("/v2.0/agents/{id}/l3-routers/{other}", "delete", "Take a router from an agent", 204),
    fixed(
        "/v2.0/auto-allocated-topology/{project}",
        "get",
        "Show a project's topology, made if it has none",
        200,
    )
    .says(topology),
    fixed("/v2.0/auto-allocated-topology/{project}", "delete", "Delete a project's topology", 204),
    fixed("/v2.0/availability_zones", "get", "List availability zones", 200).says(|| {
        holding(
            "availability_zones",
            list(object([("name", text()), ("resource", text()), ("state", text())])),
        )
    }),
    fixed(
        "/v2.0/flavors/{id}/next_provider",
        "get",
        "Show the provider that a flavor leads to",
        200,
    )
    .says(|| {
        holding(
            "next_providers",
            list(object([("provider", text()), ("driver", text()), ("metainfo", json!({}))])),
        )
    }),
    fixed("/v2.0/flavors/{id}/service_profiles", "post", "Give a flavor a service profile", 201)
        .asks(profile)
        .says(profile),
    fixed(
        "/v2.0/flavors/{id}/service_profiles/{profile}",
        "delete",
        "Take a service profile from a flavor",
        204,
    ),
    fixed("/v2.0/qos/rule-types", "get", "List kinds of QoS rules", 200)
        .says(|| holding("rule_types", list(object([("type", text())])))),
    fixed("/v2.0/qos/rule-types/{type}", "get", "Show a kind of QoS rules", 200).says(|| {
        holding(
            "rule_type",
            object([("type", text()), ("drivers", list(json!({"type": "object"})))]),
        )
    }),
    fixed("/v2.0/quotas", "get", "List the quotas of projects that have their own", 200)
        .says(|| holding("quotas", list(limits()))),
    fixed("/v2.0/quotas/project", "get", "Show the caller's own project", 200)
        .says(|| holding("project", object([("project_id", text())]))),
    fixed("/v2.0/quotas/tenant", "get", "Show the caller's own project, by its old name", 200)
        .says(|| holding("tenant", object([("tenant_id", text())]))),
    fixed("/v2.0/quotas/{project}", "get", "Show a project's quotas", 200).says(quota),
    fixed("/v2.0/quotas/{project}", "put", "Set a project's quotas", 200)
        .asks(quota_wanted)
        .says(quota),
    fixed("/v2.0/quotas/{project}", "delete", "Reset a project's quotas", 204),
    fixed("/v2.0/quotas/{project}/default", "get", "Show the default quotas", 200).says(quota),
    fixed(
        "/v2.0/quotas/{project}/details.json",
        "get",
        "Show a project's quotas and what it uses",
        200,
    )
    .says(quota_details),
    fixed("/v2.0/service-providers", "get", "List service providers", 200).says(|| {
        holding(
            "service_providers",
            list(object([
                ("service_type", text()),
                ("name", text()),
                ("default", json!({"type": "boolean"})),
            ])),
        )
    }),
    fixed("/v2.0/trunks/{id}/get_subports", "get", "List a trunk's sub-ports", 200)
        .says(|| holding("sub_ports", list(sub_port()))),
];
