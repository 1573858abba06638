CREATE TABLE floatingips (
    id TEXT PRIMARY KEY,
    floating_ip_address TEXT NOT NULL,
    floating_network_id TEXT NOT NULL REFERENCES networks (id),
    floating_port_id TEXT NOT NULL REFERENCES ports (id),
    router_id TEXT REFERENCES routers (id),
    port_id TEXT REFERENCES ports (id),
    fixed_ip_address TEXT,
    status TEXT NOT NULL,
    status_reason TEXT,
    project_id TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    revision_number BIGINT NOT NULL,
    UNIQUE (floating_network_id, floating_ip_address),
    UNIQUE (floating_network_id, port_id, fixed_ip_address)
);
CREATE INDEX floatingips_project_id ON floatingips (project_id);
CREATE INDEX floatingips_floating_port_id ON floatingips (floating_port_id);
CREATE INDEX floatingips_router_id ON floatingips (router_id);
CREATE INDEX floatingips_port_id ON floatingips (port_id);
