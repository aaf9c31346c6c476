-- +goose Up

-- Places in the change feed whose entries were purged, so that a reader whose
-- cursor names one of them can go on. The digest is that of the entry, see
-- entryDigest in feed.go; nothing else of the entry is kept.
CREATE TABLE purged_changes (
    tenant_id text COLLATE "C" NOT NULL,
    xid       xid8             NOT NULL,
    seq       bigint           NOT NULL,
    digest    text             NOT NULL,
    PRIMARY KEY (tenant_id, xid, seq)
);
