-- +goose Up

-- The clients as their newest revisions left them. The document is the whole
-- of a client; the columns beside it are what the database searches by.
CREATE TABLE clients (
    client_id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    revision  INTEGER NOT NULL,
    document  TEXT NOT NULL,
    secrets   TEXT NOT NULL
) STRICT;

-- The log: every revision of every client, only ever appended to.
CREATE TABLE revisions (
    client_id TEXT NOT NULL,
    number    INTEGER NOT NULL,
    tenant_id TEXT NOT NULL,
    at        TEXT NOT NULL,
    action    TEXT NOT NULL,
    actor     TEXT NOT NULL,
    document  TEXT NOT NULL,
    PRIMARY KEY (client_id, number)
) STRICT;

-- +goose Down
DROP TABLE revisions;
DROP TABLE clients;
