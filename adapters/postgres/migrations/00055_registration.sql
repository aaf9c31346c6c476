-- +goose NO TRANSACTION
-- +goose Up

-- Each statement is a transaction of its own and can be repeated, so that no transaction
-- locks more than one table in use, and so that a migration that was interrupted continues.

-- How a client registered itself, see package document; NULL if it did not. Secrets such as
-- the hash of its registration access token are part of it, so it is apart from the
-- document, and never in the log. "registered" is derived from it: what counts towards
-- limits. A program that does not know the columns leaves them as they are.
ALTER TABLE clients ADD COLUMN IF NOT EXISTS registration json, ADD COLUMN IF NOT EXISTS registered json;

-- How the change was authorized, beside the columns actor and actor_client; NULL if
-- nothing else is known.
ALTER TABLE revisions ADD COLUMN IF NOT EXISTS actor_details json;

-- When authorization servers first and last reported the use of a client.
CREATE TABLE IF NOT EXISTS client_seen (
    tenant_id text COLLATE "C" NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    first_at  timestamptz      NOT NULL,
    last_at   timestamptz      NOT NULL,
    PRIMARY KEY (tenant_id, client_id)
) WITH (fillfactor = 50);

-- The clients with something in the column "registered" that are not deleted. software
-- identifies the software of a statement and its issuer; token_id and software are empty if
-- there is none.
CREATE TABLE IF NOT EXISTS registered_clients (
    tenant_id  text COLLATE "C" NOT NULL,
    client_id  text COLLATE "C" NOT NULL,
    self       boolean          NOT NULL,
    token_id   text COLLATE "C" NOT NULL,
    software   text COLLATE "C" NOT NULL,
    pending    boolean          NOT NULL,
    seen       boolean          NOT NULL,
    created_at timestamptz      NOT NULL,
    PRIMARY KEY (tenant_id, client_id)
);

CREATE INDEX IF NOT EXISTS registered_clients_token ON registered_clients (tenant_id, token_id, client_id) WHERE token_id <> '';
CREATE INDEX IF NOT EXISTS registered_clients_software ON registered_clients (tenant_id, software) WHERE software <> '';
CREATE INDEX IF NOT EXISTS registered_clients_unseen ON registered_clients (tenant_id, created_at, client_id) WHERE self AND NOT seen;
CREATE INDEX IF NOT EXISTS registered_clients_pending ON registered_clients (tenant_id) WHERE pending;

-- How many clients that registered themselves each tenant has, in the row without a
-- token, and how many each initial access token has. A registration locks the rows that it
-- counts in before all other rows, so that registrations of a tenant run one after the other.
CREATE TABLE IF NOT EXISTS registration_counts (
    tenant_id text COLLATE "C" NOT NULL,
    token_id  text COLLATE "C" NOT NULL,
    clients   bigint           NOT NULL,
    PRIMARY KEY (tenant_id, token_id)
) WITH (fillfactor = 50);

-- The tables follow the clients by a trigger, so that they are complete whichever version
-- of the program deletes or restores a client. Its name sorts before those of the triggers
-- that count clients: triggers run in this order, and a transaction that waits for
-- registration_counts must not hold a slot of client_counts, for which the transaction
-- that it waits for may have to wait.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION note_registration() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    was json;
    now json;
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.deleted_at IS NULL THEN
        was := OLD.registered;
    END IF;
    IF NEW.deleted_at IS NULL THEN
        now := NEW.registered;
    END IF;
    INSERT INTO registration_counts AS counted (tenant_id, token_id, clients)
        SELECT NEW.tenant_id, token_id, sum(step) FROM (
            SELECT token, -1 FROM (VALUES (''), (was ->> 'token')) AS tokens (token) WHERE (was ->> 'self')::boolean
            UNION ALL
            SELECT token, 1 FROM (VALUES (''), (now ->> 'token')) AS tokens (token) WHERE (now ->> 'self')::boolean
        ) AS steps (token_id, step)
        WHERE token_id IS NOT NULL
        GROUP BY token_id HAVING sum(step) <> 0 ORDER BY token_id
        ON CONFLICT (tenant_id, token_id) DO UPDATE SET clients = counted.clients + excluded.clients;
    IF was IS NOT NULL THEN
        DELETE FROM registered_clients WHERE tenant_id = NEW.tenant_id AND client_id = NEW.client_id;
    END IF;
    IF now IS NOT NULL THEN
        INSERT INTO registered_clients (tenant_id, client_id, self, token_id, software, pending, seen, created_at)
            SELECT NEW.tenant_id, NEW.client_id, coalesce((now ->> 'self')::boolean, false), coalesce(now ->> 'token', ''),
                coalesce(now ->> 'software', ''), coalesce((now ->> 'pending')::boolean, false),
                EXISTS (SELECT FROM client_seen WHERE tenant_id = NEW.tenant_id AND client_id = NEW.client_id),
                (now ->> 'at')::timestamptz;
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

DROP TRIGGER IF EXISTS add_registration ON clients;
CREATE TRIGGER add_registration AFTER INSERT ON clients
    FOR EACH ROW WHEN (NEW.registered IS NOT NULL AND NEW.deleted_at IS NULL)
    EXECUTE FUNCTION note_registration();
DROP TRIGGER IF EXISTS change_registration ON clients;
CREATE TRIGGER change_registration AFTER UPDATE ON clients
    FOR EACH ROW WHEN ((OLD.registered IS NOT NULL OR NEW.registered IS NOT NULL)
        AND (OLD.registered::text IS DISTINCT FROM NEW.registered::text OR (OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL)))
    EXECUTE FUNCTION note_registration();

-- Initial access tokens. The value of a token is not kept.
CREATE TABLE IF NOT EXISTS initial_tokens (
    tenant_id   text COLLATE "C" NOT NULL,
    token_id    text COLLATE "C" NOT NULL,
    hash        bytea            NOT NULL,
    key_id      text             NOT NULL,
    description text             NOT NULL,
    issued_by   text             NOT NULL,
    created_at  timestamptz      NOT NULL,
    expires_at  timestamptz      NOT NULL,
    revoked_at  timestamptz,
    max_uses    integer          NOT NULL,
    uses        integer          NOT NULL,
    policy      json             NOT NULL,
    PRIMARY KEY (tenant_id, token_id)
);

CREATE INDEX IF NOT EXISTS initial_tokens_expired ON initial_tokens (tenant_id, expires_at);

-- Software statements that were used, until they expire: each is accepted once. digest is
-- the SHA-256 of the identifier of the statement.
CREATE TABLE IF NOT EXISTS used_statements (
    tenant_id  text COLLATE "C" NOT NULL,
    issuer     text COLLATE "C" NOT NULL,
    digest     bytea            NOT NULL,
    expires_at timestamptz      NOT NULL,
    PRIMARY KEY (tenant_id, issuer, digest)
);

CREATE INDEX IF NOT EXISTS used_statements_expired ON used_statements (expires_at);

-- The peppers of tokens are noted like those of secrets (step 10).
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION note_token_keys() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO secret_keys
        SELECT DISTINCT matched[1] FROM regexp_matches(NEW.registration::text, '"key_id"\s*:\s*"([^"\\]+)"', 'g') AS matched
        WHERE NOT EXISTS (SELECT FROM secret_keys WHERE key_id = matched[1])
        ORDER BY 1
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION note_initial_token_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO secret_keys SELECT NEW.key_id WHERE NOT EXISTS (SELECT FROM secret_keys WHERE key_id = NEW.key_id) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
-- +goose StatementEnd

DROP TRIGGER IF EXISTS note_new_token_keys ON clients;
CREATE TRIGGER note_new_token_keys AFTER INSERT ON clients
    FOR EACH ROW WHEN (NEW.registration IS NOT NULL)
    EXECUTE FUNCTION note_token_keys();
DROP TRIGGER IF EXISTS note_changed_token_keys ON clients;
CREATE TRIGGER note_changed_token_keys AFTER UPDATE ON clients
    FOR EACH ROW WHEN (NEW.registration IS NOT NULL AND OLD.registration::text IS DISTINCT FROM NEW.registration::text)
    EXECUTE FUNCTION note_token_keys();
DROP TRIGGER IF EXISTS note_initial_token_key ON initial_tokens;
CREATE TRIGGER note_initial_token_key AFTER INSERT ON initial_tokens
    FOR EACH ROW WHEN (NEW.key_id <> '')
    EXECUTE FUNCTION note_initial_token_key();
