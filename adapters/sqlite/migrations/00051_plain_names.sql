-- +goose Up

-- The table is named after what it holds: the records of requests with an idempotency
-- key.
ALTER TABLE attempts RENAME TO idempotency_records;
