CREATE TABLE conntrack_helpers (
    id TEXT PRIMARY KEY,
    router_id TEXT NOT NULL REFERENCES routers (id) ON DELETE CASCADE,
    protocol TEXT NOT NULL,
    port BIGINT NOT NULL,
    helper TEXT NOT NULL,
    project_id TEXT NOT NULL,
    UNIQUE (router_id, protocol, port, helper)
);
CREATE INDEX conntrack_helpers_project_id ON conntrack_helpers (project_id);
