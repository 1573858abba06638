CREATE TABLE security_groups (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    stateful BOOLEAN NOT NULL,
    is_default BOOLEAN NOT NULL,
    project_id TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    revision_number BIGINT NOT NULL
);
CREATE INDEX security_groups_project_id ON security_groups (project_id);
-- One default group per project, however many requests make it at once.
CREATE UNIQUE INDEX security_groups_default ON security_groups (project_id) WHERE is_default;

CREATE TABLE address_groups (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    addresses TEXT NOT NULL,
    project_id TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    revision_number BIGINT NOT NULL
);
CREATE INDEX address_groups_project_id ON address_groups (project_id);

CREATE TABLE security_group_rules (
    id TEXT PRIMARY KEY,
    security_group_id TEXT NOT NULL REFERENCES security_groups (id) ON DELETE CASCADE,
    direction TEXT NOT NULL,
    ethertype TEXT NOT NULL,
    protocol TEXT,
    port_range_min BIGINT,
    port_range_max BIGINT,
    remote_ip_prefix TEXT,
    normalized_cidr TEXT,
    remote_group_id TEXT REFERENCES security_groups (id) ON DELETE CASCADE,
    remote_address_group_id TEXT REFERENCES address_groups (id),
    project_id TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    revision_number BIGINT NOT NULL
);
CREATE INDEX security_group_rules_security_group_id ON security_group_rules (security_group_id);
CREATE INDEX security_group_rules_remote_group_id ON security_group_rules (remote_group_id);
CREATE INDEX security_group_rules_remote_address_group_id
    ON security_group_rules (remote_address_group_id);
CREATE INDEX security_group_rules_project_id ON security_group_rules (project_id);

CREATE TABLE default_security_group_rules (
    id TEXT PRIMARY KEY,
    direction TEXT NOT NULL,
    ethertype TEXT NOT NULL,
    protocol TEXT,
    port_range_min BIGINT,
    port_range_max BIGINT,
    remote_ip_prefix TEXT,
    remote_group_id TEXT,
    remote_address_group_id TEXT REFERENCES address_groups (id),
    used_in_default_sg BOOLEAN NOT NULL,
    used_in_non_default_sg BOOLEAN NOT NULL,
    description TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    revision_number BIGINT NOT NULL
);
CREATE INDEX default_security_group_rules_remote_group_id
    ON default_security_group_rules (remote_group_id);
CREATE INDEX default_security_group_rules_remote_address_group_id
    ON default_security_group_rules (remote_address_group_id);

-- What groups start with until the operator says otherwise: everything out; and into the default
-- group what comes from its own ports.
INSERT INTO default_security_group_rules
    (id, direction, ethertype, remote_group_id, used_in_default_sg, used_in_non_default_sg,
     description, created_at, updated_at, revision_number)
VALUES
    ('6a1f0b2e-0d55-4a43-9a51-2f7c54c1d001', 'egress', 'IPv4', NULL, TRUE, TRUE,
     '', '2026-11-20T00:00:00Z', '2026-11-20T00:00:00Z', 1),
    ('6a1f0b2e-0d55-4a43-9a51-2f7c54c1d002', 'egress', 'IPv6', NULL, TRUE, TRUE,
     '', '2026-11-20T00:00:00Z', '2026-11-20T00:00:00Z', 1),
    ('6a1f0b2e-0d55-4a43-9a51-2f7c54c1d003', 'ingress', 'IPv4', 'PARENT', TRUE, FALSE,
     '', '2026-11-20T00:00:00Z', '2026-11-20T00:00:00Z', 1),
    ('6a1f0b2e-0d55-4a43-9a51-2f7c54c1d004', 'ingress', 'IPv6', 'PARENT', TRUE, FALSE,
     '', '2026-11-20T00:00:00Z', '2026-11-20T00:00:00Z', 1);

CREATE TABLE port_security_groups (
    port_id TEXT NOT NULL REFERENCES ports (id) ON DELETE CASCADE,
    security_group_id TEXT NOT NULL REFERENCES security_groups (id),
    PRIMARY KEY (port_id, security_group_id)
);
CREATE INDEX port_security_groups_security_group_id
    ON port_security_groups (security_group_id, port_id);
