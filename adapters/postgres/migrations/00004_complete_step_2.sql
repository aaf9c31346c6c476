-- +goose Up

-- Step 2 was changed twice after it was first on the main branch, before the first
-- release. A database that took an older form of it lacks the table home, and may
-- keep documents as jsonb. This step makes it the same as every other database. It
-- changes nothing where step 2 was complete.
--
-- Such a database may have taken later steps as well: each step is a transaction of
-- its own, and only the end of the migration failed.

CREATE TABLE IF NOT EXISTS home (
    server text    NOT NULL,
    epoch  integer NOT NULL
);
INSERT INTO home SELECT system_identifier::text, 1 FROM pg_control_system() WHERE NOT EXISTS (SELECT FROM home);

-- +goose StatementBegin
DO $$
DECLARE
    -- The trigger of step 10, which depends on the type of a column.
    noting text := (SELECT pg_get_triggerdef(oid) FROM pg_trigger
        WHERE tgrelid = to_regclass('clients') AND tgname = 'note_changed_secret_keys');
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute
        WHERE attrelid = to_regclass('clients') AND attname = 'document' AND atttypid = 'jsonb'::regtype) THEN
        RETURN;
    END IF;
    DROP TRIGGER IF EXISTS note_changed_secret_keys ON clients;
    ALTER TABLE clients
        ALTER COLUMN document TYPE json USING document::json,
        ALTER COLUMN secrets TYPE json USING secrets::json;
    ALTER TABLE revisions ALTER COLUMN document TYPE json USING document::json;
    ALTER INDEX clients_facets SET (gin_pending_list_limit = 64);
    ALTER INDEX IF EXISTS clients_name SET (gin_pending_list_limit = 64);
    IF noting IS NOT NULL THEN
        EXECUTE noting;
    END IF;
END $$;
-- +goose StatementEnd
