-- Tags of any resource's objects: ids are unique across resources.
CREATE TABLE tags (
    object_id TEXT NOT NULL,
    tag TEXT NOT NULL,
    PRIMARY KEY (object_id, tag)
);
CREATE INDEX tags_by_tag ON tags (tag, object_id);
