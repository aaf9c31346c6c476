-- +goose Up

-- The keys of the secrets that were stored before the triggers of step 10. It is a
-- step of its own, so that clients can be changed while it reads them all.
INSERT INTO secret_keys
    SELECT DISTINCT matched[1]
    FROM clients, regexp_matches(secrets::text, '"key_id"\s*:\s*"([^"\\]+)"', 'g') AS matched
    ON CONFLICT DO NOTHING;
