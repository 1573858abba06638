CREATE TABLE metering_labels (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    shared BOOLEAN NOT NULL,
    project_id TEXT NOT NULL
);
CREATE INDEX metering_labels_project_id ON metering_labels (project_id);

CREATE TABLE metering_label_rules (
    id TEXT PRIMARY KEY,
    metering_label_id TEXT NOT NULL REFERENCES metering_labels (id) ON DELETE CASCADE,
    direction TEXT NOT NULL,
    excluded BOOLEAN NOT NULL,
    remote_ip_prefix TEXT,
    source_ip_prefix TEXT,
    destination_ip_prefix TEXT,
    project_id TEXT NOT NULL
);
CREATE INDEX metering_label_rules_metering_label_id ON metering_label_rules (metering_label_id);
CREATE INDEX metering_label_rules_project_id ON metering_label_rules (project_id);
