-- +goose NO TRANSACTION
-- +goose Up

-- Each statement is a transaction of its own and can be repeated, so that clients can be
-- changed while the tables are read, and so that a migration that was interrupted
-- continues.

-- When a secret of the client ends next; NULL if none does. It is derived from the
-- secrets. A program that does not know the column leaves '-infinity' there, which means
-- that the end is not known: the background pass of the service looks at the client and
-- sets the column.
ALTER TABLE clients ADD COLUMN IF NOT EXISTS secret_end timestamptz;
ALTER TABLE clients ALTER COLUMN secret_end SET DEFAULT '-infinity';

-- The text is searched instead of the JSON, so that damaged secrets stop no change. A
-- quotation mark inside of a string is escaped.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION forget_secret_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE clients SET secret_end = CASE WHEN position('"expires_at"' IN NEW.secrets::text) > 0 THEN '-infinity'::timestamptz END
        WHERE tenant_id = NEW.tenant_id AND client_id = NEW.client_id;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- Where the secrets have changed and the end has not, the program did not know the
-- column, or the end is the same all the same. Looking at the client tells. The trigger
-- runs after the update, because one before it would lock the row of every update first.
DROP TRIGGER IF EXISTS forget_changed_secret_end ON clients;
CREATE TRIGGER forget_changed_secret_end AFTER UPDATE ON clients
    FOR EACH ROW WHEN (OLD.secret_end IS NOT DISTINCT FROM NEW.secret_end AND OLD.secrets::text <> NEW.secrets::text
        AND (NEW.secret_end IS NOT NULL OR position('"expires_at"' IN NEW.secrets::text) > 0))
    EXECUTE FUNCTION forget_secret_end();

UPDATE clients SET secret_end = '-infinity' WHERE secret_end IS NULL AND position('"expires_at"' IN secrets::text) > 0;

CREATE INDEX IF NOT EXISTS clients_secret_end ON clients (secret_end, tenant_id, client_id)
    WHERE secret_end IS NOT NULL AND deleted_at IS NULL;

-- The feed of all tenants. The condition is true for every row. It keeps the planner from
-- using the index for the feed of one tenant, where it would read the entries of others:
-- only the statements that repeat the condition can use the index.
CREATE INDEX IF NOT EXISTS revisions_of_all ON revisions (xid, seq) WHERE seq > 0;
CREATE INDEX IF NOT EXISTS purged_changes_of_all ON purged_changes (xid, seq) WHERE seq > 0;
