CREATE TABLE address_scopes (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    ip_version BIGINT NOT NULL,
    project_id TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    revision_number BIGINT NOT NULL
);
CREATE INDEX address_scopes_project_id ON address_scopes (project_id);
