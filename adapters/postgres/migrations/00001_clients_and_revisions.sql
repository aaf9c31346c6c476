-- +goose Up

-- The clients as their newest revisions left them. The document is the whole
-- of a client; the columns beside it are what the database searches by. Room
-- is left in each page so that an update stays in the page of its row.
CREATE TABLE clients (
    client_id text COLLATE "C" PRIMARY KEY,
    tenant_id text COLLATE "C" NOT NULL,
    revision  bigint           NOT NULL,
    document  jsonb            NOT NULL,
    secrets   jsonb            NOT NULL
) WITH (fillfactor = 80);

-- The log: every revision of every client, only ever appended to.
CREATE TABLE revisions (
    client_id text COLLATE "C" NOT NULL,
    number    bigint           NOT NULL,
    tenant_id text COLLATE "C" NOT NULL,
    at        timestamptz      NOT NULL,
    action    text             NOT NULL,
    actor     text             NOT NULL,
    document  jsonb            NOT NULL,
    PRIMARY KEY (client_id, number)
);

-- +goose Down
DROP TABLE revisions;
DROP TABLE clients;
