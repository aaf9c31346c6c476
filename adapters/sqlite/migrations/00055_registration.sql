-- +goose Up

-- How a client registered itself, see package document; NULL if it did not. Secrets such as
-- the hash of its registration access token are part of it, so it is apart from the
-- document, and never in the log. "registered" is derived from it: what counts towards
-- limits. A program that does not know the columns leaves them as they are.
ALTER TABLE clients ADD COLUMN registration TEXT;
ALTER TABLE clients ADD COLUMN registered TEXT;

-- How the change was authorized, beside the columns actor and actor_client; NULL if
-- nothing else is known.
ALTER TABLE revisions ADD COLUMN actor_details TEXT;

-- When authorization servers first and last reported the use of a client.
CREATE TABLE client_seen (
    tenant_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    first_at  TEXT NOT NULL,
    last_at   TEXT NOT NULL,
    PRIMARY KEY (tenant_id, client_id)
) STRICT, WITHOUT ROWID;

-- The clients with something in the column "registered" that are not deleted. software
-- identifies the software of a statement and its issuer; token_id and software are empty if
-- there is none.
CREATE TABLE registered_clients (
    tenant_id  TEXT NOT NULL,
    client_id  TEXT NOT NULL,
    self       INTEGER NOT NULL,
    token_id   TEXT NOT NULL,
    software   TEXT NOT NULL,
    pending    INTEGER NOT NULL,
    seen       INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, client_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX registered_clients_token ON registered_clients (tenant_id, token_id, client_id) WHERE token_id <> '';
CREATE INDEX registered_clients_software ON registered_clients (tenant_id, software) WHERE software <> '';
CREATE INDEX registered_clients_unseen ON registered_clients (tenant_id, created_at, client_id) WHERE self AND NOT seen;
CREATE INDEX registered_clients_pending ON registered_clients (tenant_id) WHERE pending;

-- How many clients that registered themselves each tenant has, in the row without a
-- token, and how many each initial access token has.
CREATE TABLE registration_counts (
    tenant_id TEXT NOT NULL,
    token_id  TEXT NOT NULL,
    clients   INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, token_id)
) STRICT, WITHOUT ROWID;

-- The tables follow the clients by triggers, so that they are complete whichever version of
-- the program deletes or restores a client.
-- +goose StatementBegin
CREATE TRIGGER client_registered AFTER INSERT ON clients WHEN NEW.registered IS NOT NULL AND NEW.deleted_at IS NULL BEGIN
    INSERT INTO registered_clients SELECT NEW.tenant_id, NEW.client_id,
        coalesce(NEW.registered ->> 'self', 0), coalesce(NEW.registered ->> 'token', ''), coalesce(NEW.registered ->> 'software', ''),
        coalesce(NEW.registered ->> 'pending', 0),
        EXISTS (SELECT 1 FROM client_seen WHERE tenant_id = NEW.tenant_id AND client_id = NEW.client_id),
        NEW.registered ->> 'at';
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER client_registration_changed AFTER UPDATE OF registered, deleted_at ON clients
    WHEN (OLD.registered IS NOT NULL OR NEW.registered IS NOT NULL)
        AND (OLD.registered IS NOT NEW.registered OR (OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL)) BEGIN
    DELETE FROM registered_clients WHERE tenant_id = OLD.tenant_id AND client_id = OLD.client_id;
    INSERT INTO registered_clients SELECT NEW.tenant_id, NEW.client_id,
        coalesce(NEW.registered ->> 'self', 0), coalesce(NEW.registered ->> 'token', ''), coalesce(NEW.registered ->> 'software', ''),
        coalesce(NEW.registered ->> 'pending', 0),
        EXISTS (SELECT 1 FROM client_seen WHERE tenant_id = NEW.tenant_id AND client_id = NEW.client_id),
        NEW.registered ->> 'at'
        WHERE NEW.registered IS NOT NULL AND NEW.deleted_at IS NULL;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER registration_added AFTER INSERT ON registered_clients WHEN NEW.self BEGIN
    INSERT INTO registration_counts SELECT NEW.tenant_id, '', 1 WHERE true
        ON CONFLICT DO UPDATE SET clients = clients + 1;
    INSERT INTO registration_counts SELECT NEW.tenant_id, NEW.token_id, 1 WHERE NEW.token_id <> ''
        ON CONFLICT DO UPDATE SET clients = clients + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER registration_removed AFTER DELETE ON registered_clients WHEN OLD.self BEGIN
    UPDATE registration_counts SET clients = clients - 1 WHERE tenant_id = OLD.tenant_id AND token_id IN ('', OLD.token_id);
END;
-- +goose StatementEnd

-- Initial access tokens. The value of a token is not kept.
CREATE TABLE initial_tokens (
    tenant_id   TEXT NOT NULL,
    token_id    TEXT NOT NULL,
    hash        BLOB NOT NULL,
    key_id      TEXT NOT NULL,
    description TEXT NOT NULL,
    issued_by   TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    expires_at  TEXT NOT NULL,
    revoked_at  TEXT,
    max_uses    INTEGER NOT NULL,
    uses        INTEGER NOT NULL,
    policy      TEXT NOT NULL,
    PRIMARY KEY (tenant_id, token_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX initial_tokens_expired ON initial_tokens (tenant_id, expires_at);

-- Software statements that were used, until they expire: each is accepted once. digest is
-- the SHA-256 of the identifier of the statement.
CREATE TABLE used_statements (
    tenant_id  TEXT NOT NULL,
    issuer     TEXT NOT NULL,
    digest     BLOB NOT NULL,
    expires_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, issuer, digest)
) STRICT, WITHOUT ROWID;

CREATE INDEX used_statements_expired ON used_statements (expires_at);

-- The peppers of tokens are noted like those of secrets (step 10).
-- +goose StatementBegin
CREATE TRIGGER client_added_token_keys AFTER INSERT ON clients WHEN NEW.registration IS NOT NULL AND json_valid(NEW.registration) BEGIN
    INSERT INTO secret_keys
        SELECT value FROM json_each(json_array(NEW.registration ->> '$.access_token.key_id', NEW.registration ->> '$.access_token.previous.key_id'))
        WHERE value <> ''
        ON CONFLICT DO NOTHING;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER client_token_keys_changed AFTER UPDATE OF registration ON clients
    WHEN NEW.registration IS NOT NULL AND OLD.registration IS NOT NEW.registration AND json_valid(NEW.registration) BEGIN
    INSERT INTO secret_keys
        SELECT value FROM json_each(json_array(NEW.registration ->> '$.access_token.key_id', NEW.registration ->> '$.access_token.previous.key_id'))
        WHERE value <> ''
        ON CONFLICT DO NOTHING;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER initial_token_added_keys AFTER INSERT ON initial_tokens WHEN NEW.key_id <> '' BEGIN
    INSERT INTO secret_keys VALUES (NEW.key_id) ON CONFLICT DO NOTHING;
END;
-- +goose StatementEnd
