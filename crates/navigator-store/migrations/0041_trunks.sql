CREATE TABLE trunks (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    admin_state_up BOOLEAN NOT NULL,
    port_id TEXT NOT NULL UNIQUE REFERENCES ports (id),
    status TEXT NOT NULL,
    sub_ports TEXT NOT NULL,
    project_id TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    revision_number BIGINT NOT NULL
);
CREATE INDEX trunks_project_id ON trunks (project_id);

-- A port comes out of one trunk; the reference keeps it while it does.
CREATE TABLE trunk_sub_ports (
    trunk_id TEXT NOT NULL REFERENCES trunks (id) ON DELETE CASCADE,
    port_id TEXT NOT NULL REFERENCES ports (id),
    PRIMARY KEY (port_id)
);
CREATE INDEX trunk_sub_ports_trunk_id ON trunk_sub_ports (trunk_id);
