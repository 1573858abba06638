CREATE TABLE agents (
    id TEXT PRIMARY KEY,
    agent_type TEXT NOT NULL,
    "binary" TEXT NOT NULL,
    topic TEXT NOT NULL,
    host TEXT NOT NULL,
    availability_zone TEXT,
    admin_state_up BOOLEAN NOT NULL,
    configurations TEXT NOT NULL,
    created_at TEXT NOT NULL,
    started_at TEXT NOT NULL,
    heartbeat_timestamp TEXT NOT NULL,
    description TEXT,
    UNIQUE (agent_type, host)
);
CREATE INDEX agents_host ON agents (host);
