-- Which address of a subnet belongs to which port. The key refuses duplicates; the references
-- refuse to drop a subnet or a port in use, also when two servers race. Both are inserted after
-- addresses of theirs were taken, so that the references are checked at commit.

CREATE TABLE ip_allocations (
    subnet_id TEXT NOT NULL REFERENCES subnets (id) DEFERRABLE INITIALLY DEFERRED,
    ip_address TEXT NOT NULL,
    network_id TEXT NOT NULL,
    port_id TEXT NOT NULL REFERENCES ports (id) DEFERRABLE INITIALLY DEFERRED,
    PRIMARY KEY (subnet_id, ip_address)
);
CREATE INDEX ip_allocations_by_port ON ip_allocations (port_id, ip_address);
CREATE INDEX ip_allocations_by_network ON ip_allocations (network_id, ip_address);
