-- What the engine itself keeps: scope revisions, the change log, allocations that need uniqueness.

CREATE TABLE scopes (
    name TEXT PRIMARY KEY,
    revision BIGINT NOT NULL,
    -- Changes up to this revision may have been pruned.
    horizon BIGINT NOT NULL
);

-- The latest revision at which each object of a scope changed. A row whose object no longer exists
-- is its tombstone.
CREATE TABLE changes (
    scope TEXT NOT NULL,
    object TEXT NOT NULL,
    revision BIGINT NOT NULL,
    PRIMARY KEY (scope, object)
);
CREATE INDEX changes_by_revision ON changes (scope, revision);

CREATE TABLE segment_allocations (
    network_type TEXT NOT NULL,
    physical_network TEXT NOT NULL,
    segmentation_id BIGINT NOT NULL,
    network_id TEXT NOT NULL,
    PRIMARY KEY (network_type, physical_network, segmentation_id)
);
CREATE INDEX segment_allocations_by_network ON segment_allocations (network_id);

CREATE TABLE port_claims (
    holder TEXT NOT NULL,
    protocol TEXT NOT NULL,
    port BIGINT NOT NULL,
    owner TEXT NOT NULL,
    PRIMARY KEY (holder, protocol, port)
);
CREATE INDEX port_claims_by_owner ON port_claims (owner);

-- The subnets whose gateway address is one of the router's interfaces, and since which revision of
-- the router's scope that is so: only then do its forwards change with it.
CREATE TABLE router_homes (
    router_id TEXT PRIMARY KEY,
    subnets TEXT NOT NULL,
    revision BIGINT NOT NULL
);
