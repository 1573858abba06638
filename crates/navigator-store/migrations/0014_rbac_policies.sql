CREATE TABLE rbac_policies (
    id TEXT PRIMARY KEY,
    object_type TEXT NOT NULL,
    object_id TEXT NOT NULL,
    action TEXT NOT NULL,
    target_project TEXT NOT NULL,
    project_id TEXT NOT NULL,
    UNIQUE (object_id, action, target_project)
);
-- What is shared with a project.
CREATE INDEX rbac_policies_by_target ON rbac_policies (target_project, object_type, object_id);
CREATE INDEX rbac_policies_project_id ON rbac_policies (project_id);

-- A network is shared, and open as an external one, by policies alone. Their ids are the network's
-- with another version, so that they are the same wherever this runs.
INSERT INTO rbac_policies (id, object_type, object_id, action, target_project, project_id)
SELECT substr(id, 1, 14) || '5' || substr(id, 16), 'network', id, 'access_as_shared', '*', project_id
FROM networks WHERE shared;
INSERT INTO rbac_policies (id, object_type, object_id, action, target_project, project_id)
SELECT substr(id, 1, 14) || '6' || substr(id, 16), 'network', id, 'access_as_external', '*', project_id
FROM networks WHERE external;
ALTER TABLE networks DROP COLUMN shared;
