-- What the compute service has still to hear, written in the transactions that it tells of and sent
-- in the order of ids.
CREATE TABLE server_events (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    server_id TEXT NOT NULL,
    port_id TEXT NOT NULL,
    created_at TEXT NOT NULL
);

-- Work that one server does for all, who does it, and until when it is nobody else's.
CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    held_until TEXT NOT NULL
);

-- The revision of a network's scope that each of its DHCP servers has reached.
CREATE TABLE dhcp_progress (
    network_id TEXT NOT NULL REFERENCES networks (id) ON DELETE CASCADE,
    host TEXT NOT NULL,
    revision BIGINT NOT NULL,
    PRIMARY KEY (network_id, host)
);
CREATE INDEX ports_status ON ports (status, host_id);
