CREATE TABLE segments (
    id TEXT PRIMARY KEY,
    network_id TEXT NOT NULL REFERENCES networks (id),
    physical_network TEXT,
    network_type TEXT NOT NULL,
    segmentation_id BIGINT,
    name TEXT,
    project_id TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    revision_number BIGINT NOT NULL
);
CREATE INDEX segments_network_id ON segments (network_id);
CREATE INDEX segments_project_id ON segments (project_id);

-- Each network has had one all along; its id is free for it.
INSERT INTO segments
    (id, network_id, physical_network, network_type, segmentation_id, name, project_id,
    description, created_at, updated_at, revision_number)
    SELECT id, id, physical_network, network_type, segmentation_id, NULL, project_id, '',
    created_at, updated_at, 1 FROM networks;

ALTER TABLE subnets ADD COLUMN segment_id TEXT REFERENCES segments (id);
CREATE INDEX subnets_segment_id ON subnets (segment_id);
