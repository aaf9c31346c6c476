-- +goose Up

-- An identifier is unique in its tenant, so that no tenant can find out which
-- ones another has; and the key is the order of lists.
-- A document is read and written whole: kept as the text that it is, nothing
-- takes it apart and puts it together again each time.
ALTER TABLE clients
    ALTER COLUMN document TYPE json USING document::json,
    ALTER COLUMN secrets TYPE json USING secrets::json,
    DROP CONSTRAINT clients_pkey,
    ADD PRIMARY KEY (tenant_id, client_id),
    ADD COLUMN name       text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN status     text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN facets     text[] COLLATE "C" NOT NULL DEFAULT '{}',
    ADD COLUMN deleted_at timestamptz,
    ADD COLUMN purged     boolean NOT NULL DEFAULT false;

UPDATE clients SET status = document ->> 'status';

-- What is new waits in a list of its own before it is sorted in, and every
-- search reads that list; so it is kept short.
CREATE INDEX clients_facets ON clients USING gin (facets) WITH (gin_pending_list_limit = 64);
CREATE INDEX clients_purgeable ON clients (deleted_at) WHERE deleted_at IS NOT NULL AND NOT purged;

-- Names are searched by their trigrams, where the server has the extension and
-- lets us have it; where not, a search by name reads the tenant's clients.
-- +goose StatementBegin
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    CREATE INDEX clients_name ON clients USING gin (name gin_trgm_ops) WITH (gin_pending_list_limit = 64);
EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
    RAISE NOTICE 'pg_trgm is not available: searches by name will not use an index';
END $$;
-- +goose StatementEnd

-- The feed is read in the order of transactions and, within one, of insertion.
-- A transaction's number is taken before its commit and becomes visible with it,
-- in whatever order; so a reader is given only what lies below the oldest
-- transaction that is still running, see Store.Changes.
ALTER TABLE revisions
    ALTER COLUMN document TYPE json USING document::json,
    DROP CONSTRAINT revisions_pkey,
    ADD PRIMARY KEY (tenant_id, client_id, number),
    ADD COLUMN xid          xid8   NOT NULL DEFAULT pg_current_xact_id(),
    ADD COLUMN seq          bigint GENERATED ALWAYS AS IDENTITY,
    ADD COLUMN actor_client text   NOT NULL DEFAULT '',
    ADD COLUMN request_id   text   NOT NULL DEFAULT '',
    ADD COLUMN reason       text   NOT NULL DEFAULT '';

-- The server whose transactions the log is numbered by, and which server that
-- is: a dump that is loaded elsewhere finds itself among other numbers.
CREATE TABLE home (
    server text    NOT NULL,
    epoch  integer NOT NULL
);
INSERT INTO home SELECT system_identifier::text, 1 FROM pg_control_system();

CREATE INDEX revisions_feed ON revisions (tenant_id, xid, seq);
CREATE INDEX revisions_at ON revisions USING brin (at);

-- How many clients a tenant has in each status, the deleted ones not counted. Each
-- row is split in sixteen, so that registrations do not wait for each other.
CREATE TABLE client_counts (
    tenant_id text COLLATE "C" NOT NULL,
    status    text COLLATE "C" NOT NULL,
    slot      integer          NOT NULL,
    clients   bigint           NOT NULL,
    PRIMARY KEY (tenant_id, status, slot)
) WITH (fillfactor = 50);

INSERT INTO client_counts SELECT tenant_id, status, 0, count(*) FROM clients GROUP BY tenant_id, status;

-- +goose StatementBegin
CREATE FUNCTION count_client() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Both rows in one statement and in the order of the key: two changes of
    -- status in opposite directions then cannot wait for each other.
    INSERT INTO client_counts AS counted (tenant_id, status, slot, clients)
        SELECT tenant_id, status, pg_backend_pid() % 16, sum(step) FROM (
            SELECT OLD.tenant_id, OLD.status, -1 WHERE TG_OP = 'UPDATE' AND OLD.deleted_at IS NULL
            UNION ALL
            SELECT NEW.tenant_id, NEW.status, 1 WHERE NEW.deleted_at IS NULL
        ) AS steps (tenant_id, status, step)
        GROUP BY tenant_id, status ORDER BY tenant_id, status
        ON CONFLICT (tenant_id, status, slot) DO UPDATE SET clients = counted.clients + excluded.clients;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER count_new_client AFTER INSERT ON clients
    FOR EACH ROW EXECUTE FUNCTION count_client();
CREATE TRIGGER count_changed_client AFTER UPDATE ON clients
    FOR EACH ROW WHEN (OLD.status <> NEW.status OR OLD.deleted_at IS DISTINCT FROM NEW.deleted_at)
    EXECUTE FUNCTION count_client();

-- Requests that came with an idempotency key, and what they did.
CREATE TABLE attempts (
    tenant_id   text COLLATE "C" NOT NULL,
    subject     text COLLATE "C" NOT NULL,
    key         text COLLATE "C" NOT NULL,
    fingerprint bytea            NOT NULL,
    at          timestamptz      NOT NULL,
    client_id   text             NOT NULL,
    revision    bigint           NOT NULL,
    secret_id   text             NOT NULL,
    PRIMARY KEY (tenant_id, subject, key)
);

-- When secrets were last verified. It is apart from the clients, since it is no
-- change of theirs.
CREATE TABLE secret_uses (
    tenant_id    text COLLATE "C" NOT NULL,
    client_id    text COLLATE "C" NOT NULL,
    secret_id    text COLLATE "C" NOT NULL,
    last_used_at timestamptz      NOT NULL,
    PRIMARY KEY (tenant_id, client_id, secret_id)
) WITH (fillfactor = 50);
