-- The network and the router that were made for a project because it asked for a topology: one of
-- each.

ALTER TABLE networks ADD COLUMN auto_allocated BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE routers ADD COLUMN auto_allocated BOOLEAN NOT NULL DEFAULT FALSE;
CREATE UNIQUE INDEX networks_auto_allocated ON networks (project_id) WHERE auto_allocated;
CREATE UNIQUE INDEX routers_auto_allocated ON routers (project_id) WHERE auto_allocated;
