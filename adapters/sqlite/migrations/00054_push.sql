-- +goose Up

-- Who pushes clients of a tenant to an authorization server, and how far it is. Times of
-- leases are seconds since 1970, by the clock of this machine.
CREATE TABLE push_targets (
    tenant_id TEXT NOT NULL,
    target TEXT NOT NULL,
    holder TEXT NOT NULL DEFAULT '',
    fence INTEGER NOT NULL DEFAULT 0,
    lease_ends REAL NOT NULL DEFAULT 0,
    cursor TEXT NOT NULL DEFAULT '',
    saved_at REAL NOT NULL DEFAULT 0,
    reconciled_at REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, target)
) STRICT, WITHOUT ROWID;

-- The clients that are not at the server as they should be.
CREATE TABLE push_problems (
    tenant_id TEXT NOT NULL,
    target TEXT NOT NULL,
    client_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    revision INTEGER NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (tenant_id, target, client_id)
) STRICT, WITHOUT ROWID;
