CREATE TABLE gateway_port_forwardings (
    id TEXT PRIMARY KEY,
    router_id TEXT NOT NULL REFERENCES routers (id),
    external_port BIGINT,
    external_port_range TEXT NOT NULL,
    internal_port BIGINT,
    internal_port_range TEXT NOT NULL,
    internal_ip_address TEXT NOT NULL,
    internal_port_id TEXT NOT NULL REFERENCES ports (id),
    protocol TEXT NOT NULL,
    source_nat TEXT NOT NULL,
    allowed_cidrs TEXT NOT NULL,
    status TEXT NOT NULL,
    status_reason TEXT,
    project_id TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    revision_number BIGINT NOT NULL
);
CREATE INDEX gateway_port_forwardings_router_id ON gateway_port_forwardings (router_id, protocol, external_port);
CREATE INDEX gateway_port_forwardings_internal_port_id ON gateway_port_forwardings (internal_port_id, protocol, internal_port);
CREATE INDEX gateway_port_forwardings_project_id ON gateway_port_forwardings (project_id);
