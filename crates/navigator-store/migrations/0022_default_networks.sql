-- One external network is where topologies that are made automatically lead out.

ALTER TABLE networks ADD COLUMN is_default BOOLEAN NOT NULL DEFAULT FALSE;
CREATE UNIQUE INDEX networks_one_default ON networks (is_default) WHERE is_default;
