-- +goose Up

-- Who pushes clients of a tenant to an authorization server, and how far it is.
CREATE TABLE push_targets (
    tenant_id text COLLATE "C" NOT NULL,
    target text COLLATE "C" NOT NULL,
    holder text NOT NULL DEFAULT '',
    fence bigint NOT NULL DEFAULT 0,
    lease_ends timestamptz NOT NULL DEFAULT 'epoch',
    cursor text NOT NULL DEFAULT '',
    saved_at timestamptz NOT NULL DEFAULT 'epoch',
    reconciled_at timestamptz NOT NULL DEFAULT 'epoch',
    PRIMARY KEY (tenant_id, target)
);

-- The clients that are not at the server as they should be.
CREATE TABLE push_problems (
    tenant_id text COLLATE "C" NOT NULL,
    target text COLLATE "C" NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    reason text NOT NULL,
    revision bigint NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, target, client_id)
);
