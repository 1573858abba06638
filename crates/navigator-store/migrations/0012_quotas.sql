-- Limits that an administrator set for a project. Without a row the server's default holds.
CREATE TABLE quotas (
    project_id TEXT NOT NULL,
    resource TEXT NOT NULL,
    quota_limit BIGINT NOT NULL,
    PRIMARY KEY (project_id, resource)
);

-- Held by a transaction that creates objects of a limited kind, so that two do not count at once.
CREATE TABLE quota_locks (
    project_id TEXT NOT NULL,
    resource TEXT NOT NULL,
    PRIMARY KEY (project_id, resource)
);
