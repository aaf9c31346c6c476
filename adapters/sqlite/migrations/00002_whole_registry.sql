-- +goose Up

-- An identifier is unique in its tenant, so that no tenant can find out which
-- ones another has; and the key is the order of lists. Other tables name a client
-- by n, which it keeps.
CREATE TABLE new_clients (
    n          INTEGER PRIMARY KEY,
    tenant_id  TEXT NOT NULL,
    client_id  TEXT NOT NULL,
    revision   INTEGER NOT NULL,
    document   TEXT NOT NULL,
    secrets    TEXT NOT NULL,
    name       TEXT NOT NULL,
    status     TEXT NOT NULL,
    facets     TEXT NOT NULL,
    deleted_at TEXT,
    purged     INTEGER NOT NULL,
    UNIQUE (tenant_id, client_id)
) STRICT;

INSERT INTO new_clients (tenant_id, client_id, revision, document, secrets, name, status, facets, purged)
    SELECT tenant_id, client_id, revision, document, secrets, '', document ->> 'status', '[]', 0 FROM clients;
DROP TABLE clients;
ALTER TABLE new_clients RENAME TO clients;

CREATE INDEX clients_purgeable ON clients (deleted_at) WHERE deleted_at IS NOT NULL AND NOT purged;

-- The feed is read in the order of seq: there is one writer, so what it wrote
-- later has a greater one.
CREATE TABLE new_revisions (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id    TEXT NOT NULL,
    number       INTEGER NOT NULL,
    tenant_id    TEXT NOT NULL,
    at           TEXT NOT NULL,
    action       TEXT NOT NULL,
    actor        TEXT NOT NULL,
    actor_client TEXT NOT NULL,
    request_id   TEXT NOT NULL,
    reason       TEXT NOT NULL,
    document     TEXT NOT NULL,
    UNIQUE (tenant_id, client_id, number)
) STRICT;

INSERT INTO new_revisions (client_id, number, tenant_id, at, action, actor, actor_client, request_id, reason, document)
    SELECT client_id, number, tenant_id,
        -- times of one length from now on, so that the order of texts is that of times
        substr(at, 1, 19) || '.' || substr(substr(rtrim(at, 'Z'), 21) || '000000', 1, 6) || 'Z',
        action, actor, '', '', '', document
    FROM revisions ORDER BY rowid;
DROP TABLE revisions;
ALTER TABLE new_revisions RENAME TO revisions;

CREATE INDEX revisions_feed ON revisions (tenant_id, seq);
CREATE INDEX revisions_at ON revisions (tenant_id, at, client_id);

-- What lists filter by: the facets of the clients, each with its clients in order.
CREATE TABLE client_facets (
    tenant_id TEXT NOT NULL,
    facet     TEXT NOT NULL,
    client_id TEXT NOT NULL,
    PRIMARY KEY (tenant_id, facet, client_id)
) STRICT, WITHOUT ROWID;

-- Names by their trigrams.
CREATE VIRTUAL TABLE client_names USING fts5 (name, tokenize = 'trigram');
INSERT INTO client_names (rowid, name) SELECT n, '' FROM clients;

-- How many clients a tenant has in each status, the deleted ones not counted.
CREATE TABLE client_counts (
    tenant_id TEXT NOT NULL,
    status    TEXT NOT NULL,
    clients   INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, status)
) STRICT, WITHOUT ROWID;
INSERT INTO client_counts SELECT tenant_id, status, count(*) FROM clients GROUP BY tenant_id, status;

-- +goose StatementBegin
CREATE TRIGGER client_added AFTER INSERT ON clients BEGIN
    INSERT INTO client_names (rowid, name) VALUES (NEW.n, NEW.name);
    INSERT INTO client_facets SELECT NEW.tenant_id, value, NEW.client_id FROM json_each(NEW.facets);
    INSERT INTO client_counts VALUES (NEW.tenant_id, NEW.status, 1)
        ON CONFLICT DO UPDATE SET clients = clients + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER client_renamed AFTER UPDATE OF name ON clients WHEN OLD.name <> NEW.name BEGIN
    UPDATE client_names SET name = NEW.name WHERE rowid = NEW.n;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER client_facets_changed AFTER UPDATE OF facets ON clients WHEN OLD.facets <> NEW.facets BEGIN
    DELETE FROM client_facets WHERE tenant_id = OLD.tenant_id AND client_id = OLD.client_id
        AND facet IN (SELECT value FROM json_each(OLD.facets));
    INSERT INTO client_facets SELECT NEW.tenant_id, value, NEW.client_id FROM json_each(NEW.facets);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER client_moved AFTER UPDATE OF status, deleted_at ON clients
WHEN OLD.status <> NEW.status OR OLD.deleted_at IS NOT NEW.deleted_at BEGIN
    UPDATE client_counts SET clients = clients - 1
        WHERE OLD.deleted_at IS NULL AND tenant_id = OLD.tenant_id AND status = OLD.status;
    INSERT INTO client_counts SELECT NEW.tenant_id, NEW.status, 1 WHERE NEW.deleted_at IS NULL
        ON CONFLICT DO UPDATE SET clients = clients + 1;
END;
-- +goose StatementEnd

-- Requests that came with an idempotency key, and what they did.
CREATE TABLE attempts (
    tenant_id   TEXT NOT NULL,
    subject     TEXT NOT NULL,
    key         TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    at          TEXT NOT NULL,
    client_id   TEXT NOT NULL,
    revision    INTEGER NOT NULL,
    secret_id   TEXT NOT NULL,
    PRIMARY KEY (tenant_id, subject, key)
) STRICT, WITHOUT ROWID;

-- When secrets were last verified. It is apart from the clients, since it is no
-- change of theirs.
CREATE TABLE secret_uses (
    tenant_id    TEXT NOT NULL,
    client_id    TEXT NOT NULL,
    secret_id    TEXT NOT NULL,
    last_used_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, client_id, secret_id)
) STRICT, WITHOUT ROWID;
