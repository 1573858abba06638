CREATE TABLE routers (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    admin_state_up BOOLEAN NOT NULL,
    status TEXT NOT NULL,
    status_reason TEXT,
    external_gateway_info TEXT,
    gw_port_id TEXT REFERENCES ports (id),
    routes TEXT NOT NULL,
    distributed BOOLEAN NOT NULL,
    ha BOOLEAN NOT NULL,
    availability_zone_hints TEXT NOT NULL,
    configurations TEXT NOT NULL,
    l3_host TEXT,
    project_id TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    revision_number BIGINT NOT NULL
);
CREATE INDEX routers_project_id ON routers (project_id);
CREATE INDEX routers_gw_port_id ON routers (gw_port_id);
CREATE INDEX routers_l3_host ON routers (l3_host);
