-- Subnets remember the pool that they were cut from. One pool of a family is the default one.

CREATE TABLE subnetpools (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    prefixes TEXT NOT NULL,
    ip_version BIGINT NOT NULL,
    default_quota BIGINT,
    default_prefixlen BIGINT NOT NULL,
    min_prefixlen BIGINT NOT NULL,
    max_prefixlen BIGINT NOT NULL,
    is_default BOOLEAN NOT NULL,
    address_scope_id TEXT REFERENCES address_scopes (id),
    project_id TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    revision_number BIGINT NOT NULL
);
CREATE INDEX subnetpools_project_id ON subnetpools (project_id);
CREATE INDEX subnetpools_address_scope_id ON subnetpools (address_scope_id);
CREATE UNIQUE INDEX subnetpools_one_default ON subnetpools (ip_version) WHERE is_default;

ALTER TABLE subnets ADD COLUMN subnetpool_id TEXT REFERENCES subnetpools (id);
ALTER TABLE subnets ADD COLUMN service_types TEXT NOT NULL DEFAULT '[]';
ALTER TABLE subnets ADD COLUMN dns_publish_fixed_ip BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX subnets_subnetpool_id ON subnets (subnetpool_id);
