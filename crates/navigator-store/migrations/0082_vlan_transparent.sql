ALTER TABLE networks ADD COLUMN vlan_transparent BOOLEAN;
