package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// NoteSeen implements [application.RegistrationStore], in one round trip. It locks rows in the
// order of the clients.
func (s *Store) NoteSeen(ctx context.Context, seen []application.Seen) error {
	const (
		note = `
			INSERT INTO client_seen AS known (tenant_id, client_id, first_at, last_at)
			SELECT t, c, min(at), max(at) FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS seen (t, c, at)
			JOIN clients ON clients.tenant_id = t AND clients.client_id = c AND NOT clients.purged
			GROUP BY t, c ORDER BY t, c
			ON CONFLICT (tenant_id, client_id) DO UPDATE
				SET first_at = least(known.first_at, excluded.first_at), last_at = greatest(known.last_at, excluded.last_at)`
		mark = `
			WITH unmarked AS MATERIALIZED (
				SELECT registered.ctid AS row_id FROM unnest($1::text[], $2::text[]) AS seen (t, c)
				JOIN registered_clients AS registered ON registered.tenant_id = t AND registered.client_id = c AND NOT registered.seen
				ORDER BY registered.tenant_id, registered.client_id FOR UPDATE OF registered
			)
			UPDATE registered_clients SET seen = true FROM unmarked WHERE ctid = row_id`
	)
	var tenants, clients []string
	var times []time.Time
	for _, one := range seen {
		tenants = append(tenants, string(one.Client.TenantID))
		clients = append(clients, string(one.Client.ClientID))
		times = append(times, one.At)
	}
	return translate(retry(ctx, func() error {
		var statements pgx.Batch // one implicit transaction
		statements.Queue(note, tenants, clients, times)
		statements.Queue(mark, tenants, clients)
		return s.pool.SendBatch(ctx, &statements).Close()
	}))
}

// SeenTimes implements [application.RegistrationStore]. A time that cannot be decoded counts as
// unknown.
func (s *Store) SeenTimes(ctx context.Context, tenant domain.TenantID, id domain.ClientID) (first, last time.Time, err error) {
	const query = `SELECT first_at, last_at FROM client_seen WHERE tenant_id = $1 AND client_id = $2`
	var firstAt, lastAt pgtype.Timestamptz
	err = s.pool.QueryRow(ctx, query, string(tenant), string(id)).Scan(&firstAt, &lastAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return first, last, nil
	}
	if err != nil {
		return first, last, translate(err)
	}
	if readable(firstAt) {
		first = firstAt.Time.UTC()
	}
	if readable(lastAt) {
		last = lastAt.Time.UTC()
	}
	return first, last, nil
}
