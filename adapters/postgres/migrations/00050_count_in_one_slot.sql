-- +goose Up

-- A transaction counts in one slot, which no other transaction uses until it ends. So
-- transactions never wait for each other's counters in different orders, whatever
-- the order in which they change clients. Slots of running transactions used to be
-- shared when the numbers of their backends were equal modulo 16: of two
-- transactions that first registered clients and then changed the status of
-- others, each could wait for a counter of the other.
--
-- Slots are reserved by advisory locks; the first key is the table, so that they
-- cannot collide with those of others in this database. Only a transaction without
-- a slot waits for one, when all sixteen are in use; one that has a slot gets the
-- same again, because a transaction can lock what it has locked.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION count_client() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    own   integer := pg_backend_pid() % 16;
    place integer := own;
BEGIN
    WHILE NOT pg_try_advisory_xact_lock(TG_RELID::integer, place) LOOP
        place := (place + 1) % 16;
        IF place = own THEN
            PERFORM pg_advisory_xact_lock(TG_RELID::integer, own);
            EXIT;
        END IF;
    END LOOP;
    IF TG_OP = 'INSERT' THEN
        INSERT INTO client_counts AS counted (tenant_id, status, slot, clients)
            SELECT NEW.tenant_id, NEW.status, place, 1 WHERE NEW.deleted_at IS NULL
            ON CONFLICT (tenant_id, status, slot) DO UPDATE SET clients = counted.clients + 1;
        RETURN NULL;
    END IF;
    INSERT INTO client_counts AS counted (tenant_id, status, slot, clients)
        SELECT tenant_id, status, place, sum(step) FROM (
            SELECT OLD.tenant_id, OLD.status, -1 WHERE OLD.deleted_at IS NULL
            UNION ALL
            SELECT NEW.tenant_id, NEW.status, 1 WHERE NEW.deleted_at IS NULL
        ) AS steps (tenant_id, status, step)
        GROUP BY tenant_id, status
        ON CONFLICT (tenant_id, status, slot) DO UPDATE SET clients = counted.clients + excluded.clients;
    RETURN NULL;
END $$;
-- +goose StatementEnd
