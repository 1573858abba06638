-- Forwards of every kind in one list. A gateway's address is the first IPv4 address of its port's
-- list; addresses are joined and not read from that list, so that an index finds them.

CREATE INDEX ip_allocations_by_address ON ip_allocations (ip_address);
CREATE INDEX floatingips_by_address ON floatingips (floating_ip_address);

CREATE VIEW forwards AS
SELECT
    f.id, CAST('gateway' AS TEXT) AS kind, f.router_id, NULL AS floatingip_id,
    a.ip_address AS external_address, f.external_port, f.external_port_range,
    f.internal_port, f.internal_port_range, f.internal_ip_address, f.internal_port_id,
    p.device_id, f.protocol, f.status, f.status_reason,
    f.project_id, f.description, f.created_at, f.updated_at, f.revision_number
FROM gateway_port_forwardings f
JOIN ports p ON p.id = f.internal_port_id
JOIN routers r ON r.id = f.router_id
JOIN ports g ON g.id = r.gw_port_id
JOIN ip_allocations a ON a.port_id = g.id AND a.ip_address NOT LIKE '%:%'
    AND NOT EXISTS (
        SELECT 1 FROM ip_allocations b
        WHERE b.port_id = a.port_id AND b.ip_address NOT LIKE '%:%'
            AND g.fixed_ips LIKE '%"' || b.ip_address || '"%"' || a.ip_address || '"%'
    )
UNION ALL
SELECT
    f.id, 'floating_ip', i.router_id, f.floatingip_id,
    i.floating_ip_address, f.external_port, f.external_port_range,
    f.internal_port, f.internal_port_range, f.internal_ip_address, f.internal_port_id,
    p.device_id, f.protocol, f.status, f.status_reason,
    f.project_id, f.description, f.created_at, f.updated_at, f.revision_number
FROM port_forwardings f
JOIN ports p ON p.id = f.internal_port_id
JOIN floatingips i ON i.id = f.floatingip_id;
