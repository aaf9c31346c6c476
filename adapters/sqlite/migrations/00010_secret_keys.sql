-- +goose Up

-- The ids of the peppers under which secrets have ever been hashed. It lists
-- candidates: whether a live secret still uses one is looked up in the clients, and
-- only for a pepper that is not configured. So it has a row for each pepper, and
-- registrations write nothing to it but the first time.
CREATE TABLE secret_keys (
    key_id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER client_added_secret_keys AFTER INSERT ON clients BEGIN
    INSERT INTO secret_keys
        SELECT DISTINCT value ->> 'key_id' FROM json_each(CASE WHEN json_valid(NEW.secrets) THEN NEW.secrets ELSE '[]' END)
        WHERE type = 'object' AND coalesce(value ->> 'key_id', '') <> ''
        ON CONFLICT DO NOTHING;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER client_secret_keys_changed AFTER UPDATE OF secrets ON clients WHEN OLD.secrets <> NEW.secrets BEGIN
    INSERT INTO secret_keys
        SELECT DISTINCT value ->> 'key_id' FROM json_each(CASE WHEN json_valid(NEW.secrets) THEN NEW.secrets ELSE '[]' END)
        WHERE type = 'object' AND coalesce(value ->> 'key_id', '') <> ''
        ON CONFLICT DO NOTHING;
END;
-- +goose StatementEnd

INSERT INTO secret_keys
    SELECT DISTINCT s.value ->> 'key_id'
    FROM clients, json_each(CASE WHEN json_valid(clients.secrets) THEN clients.secrets ELSE '[]' END) AS s
    WHERE s.type = 'object' AND coalesce(s.value ->> 'key_id', '') <> '';
