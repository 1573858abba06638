CREATE TABLE qos_policies (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    is_default BOOLEAN NOT NULL,
    project_id TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    revision_number BIGINT NOT NULL
);
CREATE INDEX qos_policies_project_id ON qos_policies (project_id);
-- One default for each project, also when two servers race.
CREATE UNIQUE INDEX qos_policies_default ON qos_policies (project_id) WHERE is_default;

CREATE TABLE qos_bandwidth_limit_rules (
    id TEXT PRIMARY KEY,
    qos_policy_id TEXT NOT NULL REFERENCES qos_policies (id),
    max_kbps BIGINT NOT NULL,
    max_burst_kbps BIGINT NOT NULL,
    direction TEXT NOT NULL,
    UNIQUE (qos_policy_id, direction)
);

CREATE TABLE qos_dscp_marking_rules (
    id TEXT PRIMARY KEY,
    qos_policy_id TEXT NOT NULL UNIQUE REFERENCES qos_policies (id),
    dscp_mark BIGINT NOT NULL
);

CREATE TABLE qos_minimum_bandwidth_rules (
    id TEXT PRIMARY KEY,
    qos_policy_id TEXT NOT NULL REFERENCES qos_policies (id),
    min_kbps BIGINT NOT NULL,
    direction TEXT NOT NULL,
    UNIQUE (qos_policy_id, direction)
);

CREATE TABLE qos_minimum_packet_rate_rules (
    id TEXT PRIMARY KEY,
    qos_policy_id TEXT NOT NULL REFERENCES qos_policies (id),
    min_kpps BIGINT NOT NULL,
    direction TEXT NOT NULL,
    UNIQUE (qos_policy_id, direction)
);

CREATE TABLE qos_packet_rate_limit_rules (
    id TEXT PRIMARY KEY,
    qos_policy_id TEXT NOT NULL REFERENCES qos_policies (id),
    max_kpps BIGINT NOT NULL,
    max_burst_kpps BIGINT NOT NULL,
    direction TEXT NOT NULL,
    UNIQUE (qos_policy_id, direction)
);

-- The references keep a policy in place that is in use, also when two servers race.
ALTER TABLE networks ADD COLUMN qos_policy_id TEXT REFERENCES qos_policies (id);
CREATE INDEX networks_qos_policy_id ON networks (qos_policy_id);
ALTER TABLE ports ADD COLUMN qos_policy_id TEXT REFERENCES qos_policies (id);
CREATE INDEX ports_qos_policy_id ON ports (qos_policy_id);
ALTER TABLE floatingips ADD COLUMN qos_policy_id TEXT REFERENCES qos_policies (id);
CREATE INDEX floatingips_qos_policy_id ON floatingips (qos_policy_id);
ALTER TABLE routers ADD COLUMN gateway_qos_policy_id TEXT REFERENCES qos_policies (id);
CREATE INDEX routers_gateway_qos_policy_id ON routers (gateway_qos_policy_id);
