-- Names of ports, networks and floating IPs, and what else ports say of themselves.
ALTER TABLE ports ADD COLUMN dns_name TEXT NOT NULL DEFAULT '';
ALTER TABLE ports ADD COLUMN dns_domain TEXT NOT NULL DEFAULT '';
ALTER TABLE ports ADD COLUMN ip_allocation TEXT NOT NULL DEFAULT 'immediate';
ALTER TABLE ports ADD COLUMN data_plane_status TEXT;
ALTER TABLE ports ADD COLUMN propagate_uplink_status BOOLEAN NOT NULL DEFAULT TRUE;
UPDATE ports SET ip_allocation = 'none' WHERE fixed_ips = '[]';
ALTER TABLE networks ADD COLUMN dns_domain TEXT NOT NULL DEFAULT '';
ALTER TABLE floatingips ADD COLUMN dns_name TEXT NOT NULL DEFAULT '';
ALTER TABLE floatingips ADD COLUMN dns_domain TEXT NOT NULL DEFAULT '';
