-- +goose Up

-- Client assertions that were used, until they expire: each is accepted once (RFC 7523 §3).
-- digest is the SHA-256 of the identifier of the assertion.
CREATE TABLE used_assertions (
    tenant_id  text COLLATE "C" NOT NULL,
    client_id  text COLLATE "C" NOT NULL,
    digest     bytea            NOT NULL,
    expires_at timestamptz      NOT NULL,
    PRIMARY KEY (tenant_id, client_id, digest)
);

CREATE INDEX used_assertions_expired ON used_assertions (expires_at);
