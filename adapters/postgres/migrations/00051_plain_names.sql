-- +goose Up

-- Tables are named after what they hold: the server and the epoch of the transaction
-- numbers in the feed, and the records of requests with an idempotency key.
ALTER TABLE home RENAME TO feed_epoch;
ALTER TABLE attempts RENAME TO idempotency_records;
ALTER INDEX attempts_pkey RENAME TO idempotency_records_pkey;
