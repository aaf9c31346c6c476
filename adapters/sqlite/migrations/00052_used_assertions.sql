-- +goose Up

-- Client assertions that were used, until they expire: each is accepted once (RFC 7523 §3).
-- digest is the SHA-256 of the identifier of the assertion.
CREATE TABLE used_assertions (
    tenant_id  TEXT NOT NULL,
    client_id  TEXT NOT NULL,
    digest     BLOB NOT NULL,
    expires_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, client_id, digest)
) STRICT, WITHOUT ROWID;

CREATE INDEX used_assertions_expired ON used_assertions (expires_at);
