-- +goose Up

-- When a secret of the client ends next; NULL if none does. It is derived from the
-- secrets. The empty text means that the end is not known: the background pass of the
-- service looks at the client and sets the column.
ALTER TABLE clients ADD COLUMN secret_end TEXT;

UPDATE clients SET secret_end = '' WHERE instr(secrets, '"expires_at"') > 0;

CREATE INDEX clients_secret_end ON clients (secret_end, tenant_id, client_id)
    WHERE secret_end IS NOT NULL AND deleted_at IS NULL;

-- The program sets the column together with the secrets. The triggers are for changes by
-- an earlier version of the program: if the secrets have changed and the end has not, the
-- end is not known.
-- +goose StatementBegin
CREATE TRIGGER client_added_secret_end AFTER INSERT ON clients
    WHEN NEW.secret_end IS NULL AND instr(NEW.secrets, '"expires_at"') > 0 BEGIN
    UPDATE clients SET secret_end = '' WHERE n = NEW.n;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER client_secret_end_unknown AFTER UPDATE OF secrets ON clients
    WHEN OLD.secrets <> NEW.secrets AND OLD.secret_end IS NEW.secret_end
        AND (NEW.secret_end IS NOT NULL OR instr(NEW.secrets, '"expires_at"') > 0) BEGIN
    UPDATE clients SET secret_end = CASE WHEN instr(NEW.secrets, '"expires_at"') > 0 THEN '' END WHERE n = NEW.n;
END;
-- +goose StatementEnd
