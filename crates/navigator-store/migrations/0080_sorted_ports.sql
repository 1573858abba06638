-- The orders, besides that of their ids, in which ports are asked for most; names also find them.
CREATE INDEX ports_name ON ports (name, id);
CREATE INDEX ports_created_at ON ports (created_at, id);
