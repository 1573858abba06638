CREATE TABLE network_segment_ranges (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    shared BOOLEAN NOT NULL,
    network_type TEXT NOT NULL,
    physical_network TEXT,
    minimum BIGINT NOT NULL,
    maximum BIGINT NOT NULL,
    project_id TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    revision_number BIGINT NOT NULL
);
CREATE INDEX network_segment_ranges_project_id ON network_segment_ranges (project_id);
CREATE INDEX network_segment_ranges_network_type ON network_segment_ranges (network_type, physical_network);
