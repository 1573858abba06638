-- Where ports are plugged or may be plugged next. A port's own columns say the same of its active
-- binding. `wired_at` is since when the host's agent has the device in its place.
CREATE TABLE port_bindings (
    -- <port>/<host>
    id TEXT PRIMARY KEY,
    port_id TEXT NOT NULL REFERENCES ports (id) ON DELETE CASCADE,
    host TEXT NOT NULL,
    vnic_type TEXT NOT NULL,
    vif_type TEXT NOT NULL,
    vif_details TEXT NOT NULL,
    profile TEXT NOT NULL,
    status TEXT NOT NULL,
    wired_at TEXT,
    project_id TEXT NOT NULL
);
CREATE INDEX port_bindings_port_id ON port_bindings (port_id);
CREATE INDEX port_bindings_host ON port_bindings (host);
CREATE INDEX port_bindings_status ON port_bindings (status);
CREATE INDEX port_bindings_project_id ON port_bindings (project_id);
INSERT INTO port_bindings
    (id, port_id, host, vnic_type, vif_type, vif_details, profile, status, wired_at, project_id)
    SELECT id || '/' || host_id, id, host_id, vnic_type, vif_type, vif_details, profile, 'ACTIVE',
        CASE WHEN status = 'ACTIVE' THEN updated_at END, project_id
    FROM ports WHERE host_id <> '';
