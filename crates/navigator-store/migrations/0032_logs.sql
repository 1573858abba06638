CREATE TABLE logs (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT,
    target_id TEXT,
    event TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    project_id TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    revision_number BIGINT NOT NULL
);
CREATE INDEX logs_project_id ON logs (project_id);
CREATE INDEX logs_resource_id ON logs (resource_id);
CREATE INDEX logs_target_id ON logs (target_id);
