CREATE TABLE networks (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    admin_state_up BOOLEAN NOT NULL,
    status TEXT NOT NULL,
    status_reason TEXT,
    shared BOOLEAN NOT NULL,
    external BOOLEAN NOT NULL,
    mtu BIGINT NOT NULL,
    port_security_enabled BOOLEAN NOT NULL,
    availability_zone_hints TEXT NOT NULL,
    network_type TEXT NOT NULL,
    physical_network TEXT,
    segmentation_id BIGINT,
    project_id TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    revision_number BIGINT NOT NULL
);
CREATE INDEX networks_project_id ON networks (project_id);
