-- Forwards of every kind in one list, again: now each kind is one table, so that a page is read in the
-- order of the ids and what hangs on other tables is looked up for the page's rows alone. A gateway's
-- address is the first IPv4 address of its port's list.

DROP VIEW forwards;

CREATE VIEW forwards AS
SELECT
    f.id, CAST('gateway' AS TEXT) AS kind, f.router_id, CAST(NULL AS TEXT) AS floatingip_id,
    CAST((
        SELECT a.ip_address FROM routers r
        JOIN ports g ON g.id = r.gw_port_id
        JOIN ip_allocations a ON a.port_id = g.id AND a.ip_address NOT LIKE '%:%'
        WHERE r.id = f.router_id AND NOT EXISTS (
            SELECT 1 FROM ip_allocations b
            WHERE b.port_id = a.port_id AND b.ip_address NOT LIKE '%:%'
                AND g.fixed_ips LIKE '%"' || b.ip_address || '"%"' || a.ip_address || '"%'
        )
    ) AS TEXT) AS external_address,
    f.external_port, f.external_port_range,
    f.internal_port, f.internal_port_range, f.internal_ip_address, f.internal_port_id,
    CAST((SELECT p.device_id FROM ports p WHERE p.id = f.internal_port_id) AS TEXT) AS device_id,
    f.protocol, f.status, f.status_reason,
    f.project_id, f.description, f.created_at, f.updated_at, f.revision_number
FROM gateway_port_forwardings f
UNION ALL
SELECT
    f.id, CAST('floating_ip' AS TEXT),
    CAST((SELECT i.router_id FROM floatingips i WHERE i.id = f.floatingip_id) AS TEXT),
    f.floatingip_id,
    CAST((SELECT i.floating_ip_address FROM floatingips i WHERE i.id = f.floatingip_id) AS TEXT),
    f.external_port, f.external_port_range,
    f.internal_port, f.internal_port_range, f.internal_ip_address, f.internal_port_id,
    CAST((SELECT p.device_id FROM ports p WHERE p.id = f.internal_port_id) AS TEXT),
    f.protocol, f.status, f.status_reason,
    f.project_id, f.description, f.created_at, f.updated_at, f.revision_number
FROM port_forwardings f;

-- Which forwards an address has: what a filter looks into.
CREATE VIEW forward_addresses AS
SELECT f.id, a.ip_address AS external_address
FROM gateway_port_forwardings f
JOIN routers r ON r.id = f.router_id
JOIN ports g ON g.id = r.gw_port_id
JOIN ip_allocations a ON a.port_id = g.id AND a.ip_address NOT LIKE '%:%'
    AND NOT EXISTS (
        SELECT 1 FROM ip_allocations b
        WHERE b.port_id = a.port_id AND b.ip_address NOT LIKE '%:%'
            AND g.fixed_ips LIKE '%"' || b.ip_address || '"%"' || a.ip_address || '"%'
    )
UNION ALL
SELECT f.id, i.floating_ip_address
FROM port_forwardings f JOIN floatingips i ON i.id = f.floatingip_id;
