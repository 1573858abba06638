CREATE TABLE ports (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    network_id TEXT NOT NULL REFERENCES networks (id),
    admin_state_up BOOLEAN NOT NULL,
    mac_address TEXT NOT NULL,
    fixed_ips TEXT NOT NULL,
    device_id TEXT NOT NULL,
    device_owner TEXT NOT NULL,
    status TEXT NOT NULL,
    status_reason TEXT,
    allowed_address_pairs TEXT NOT NULL,
    extra_dhcp_opts TEXT NOT NULL,
    port_security_enabled BOOLEAN NOT NULL,
    host_id TEXT NOT NULL,
    profile TEXT NOT NULL,
    vnic_type TEXT NOT NULL,
    vif_type TEXT NOT NULL,
    vif_details TEXT NOT NULL,
    project_id TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    revision_number BIGINT NOT NULL,
    UNIQUE (network_id, mac_address)
);
CREATE INDEX ports_network_id ON ports (network_id, device_owner);
CREATE INDEX ports_project_id ON ports (project_id);
CREATE INDEX ports_device_id ON ports (device_id);
CREATE INDEX ports_device_owner ON ports (device_owner);
CREATE INDEX ports_host_id ON ports (host_id);
CREATE INDEX ports_vif_type ON ports (vif_type);
