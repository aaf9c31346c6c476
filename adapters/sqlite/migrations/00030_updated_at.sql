-- +goose Up

-- When each client was last changed, so that lists of the clients changed since a
-- time need not read the log. It is the greatest time in the log of the client:
-- clocks can go back.
ALTER TABLE clients ADD COLUMN updated_at TEXT NOT NULL DEFAULT '';

UPDATE clients SET updated_at = coalesce(
    (SELECT max(r.at) FROM revisions r WHERE r.tenant_id = clients.tenant_id AND r.client_id = clients.client_id), '');

CREATE INDEX clients_updated ON clients (tenant_id, updated_at) WHERE deleted_at IS NULL;

-- The program sets the column together with the others. The trigger does it for
-- changes by an earlier version of the program.
-- +goose StatementBegin
CREATE TRIGGER client_updated AFTER INSERT ON revisions BEGIN
    UPDATE clients SET updated_at = NEW.at
        WHERE tenant_id = NEW.tenant_id AND client_id = NEW.client_id AND updated_at < NEW.at;
END;
-- +goose StatementEnd
