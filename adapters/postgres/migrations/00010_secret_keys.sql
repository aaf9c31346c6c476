-- +goose Up

-- The ids of the peppers under which secrets have ever been hashed. It lists
-- candidates: whether a live secret still uses one is looked up in the clients, and
-- only for a pepper that is not configured. So it has a row for each pepper, and
-- registrations write nothing to it but the first time.
CREATE TABLE secret_keys (
    key_id text COLLATE "C" PRIMARY KEY
);

-- The text is searched instead of the JSON, so that damaged secrets neither stop a
-- commit nor hide their keys. A quotation mark inside of a string is escaped.
-- +goose StatementBegin
CREATE FUNCTION note_secret_keys() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO secret_keys
        SELECT DISTINCT matched[1] FROM regexp_matches(NEW.secrets::text, '"key_id"\s*:\s*"([^"\\]+)"', 'g') AS matched
        WHERE NOT EXISTS (SELECT FROM secret_keys WHERE key_id = matched[1])
        ORDER BY 1
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER note_new_secret_keys AFTER INSERT ON clients
    FOR EACH ROW EXECUTE FUNCTION note_secret_keys();
CREATE TRIGGER note_changed_secret_keys AFTER UPDATE ON clients
    FOR EACH ROW WHEN (OLD.secrets::text <> NEW.secrets::text)
    EXECUTE FUNCTION note_secret_keys();
