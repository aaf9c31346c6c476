-- +goose Up

-- Places in the change feed whose entries were purged, so that a reader whose
-- cursor names one of them can go on. The digest is that of the entry, see
-- digest in feed.go; nothing else of the entry is kept.
CREATE TABLE purged_changes (
    seq       INTEGER PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    digest    TEXT NOT NULL
) STRICT;
