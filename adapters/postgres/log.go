package postgres

import (
	"context"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/clientele-oauth/clientele/adapters/internal/document"
	"github.com/clientele-oauth/clientele/domain"
)

// revisionColumns are the columns that readRevision reads.
const revisionColumns = `at, action, actor, actor_client, request_id, reason, tenant_id, client_id, number, document, actor_details`

// Revisions implements [application.Store].
func (s *Store) Revisions(
	ctx context.Context, tenant domain.TenantID, id domain.ClientID, before domain.RevisionNumber, limit int,
) ([]domain.Revision, error) {
	const query = `
		SELECT ` + revisionColumns + ` FROM revisions
		WHERE client_id = $1 AND tenant_id = $2 AND number < $3
		ORDER BY number DESC LIMIT $4`
	if before == 0 {
		before = math.MaxInt64
	}
	var revisions []domain.Revision
	var statements pgx.Batch
	statements.Queue(inOrder)
	statements.Queue(query, string(id), string(tenant), int64(before), limit).Query(func(rows pgx.Rows) (err error) {
		revisions, err = collectPage(rows, func(row pgx.CollectableRow) (domain.Revision, error) { return readRevision(row) },
			func(r *domain.Revision) *domain.Client { return &r.Client })
		return err
	})
	err := s.pool.SendBatch(ctx, &statements).Close()
	return revisions, translate(err)
}

// readRevision reads the revisionColumns and the columns before them into more. An entry
// that cannot be decoded has [domain.Revision.Unreadable].
func readRevision(row pgx.CollectableRow, more ...any) (domain.Revision, error) {
	var (
		action, actor     string
		actorClient       string
		requestID, reason string
		stored            document.Row
		at                pgtype.Timestamptz
		details           []byte
	)
	if err := row.Scan(append(more, &at, &action, &actor, &actorClient, &requestID, &reason,
		&stored.TenantID, &stored.ClientID, &stored.Revision, &stored.Document, &details)...); err != nil {
		return domain.Revision{}, err
	}
	r := domain.Revision{
		At: at.Time.UTC(), Action: domain.Action(action), Actor: domain.Actor{Subject: actor, ClientID: domain.ClientID(actorClient)},
		RequestID: requestID, Reason: reason,
	}
	badActor := document.DecodeActor(&r.Actor, details)
	var err error
	if r.Client, err = stored.Decode(); err != nil || badActor != nil || !readable(at) {
		r.Client, r.Unreadable = stored.Tombstone(), true
	}
	return r, nil
}

// readable reports whether the store can have written a time. PostgreSQL also has
// infinity and years after 9999.
func readable(at pgtype.Timestamptz) bool {
	return at.InfinityModifier == pgtype.Finite && domain.Storable(at.Time)
}

// FeedLag returns the age of the oldest committed change that the feed holds back because
// a transaction that began before it still runs; 0 if there is none.
func (s *Store) FeedLag(ctx context.Context) (time.Duration, error) {
	const query = `
		SELECT coalesce(extract(epoch FROM clock_timestamp() - min(held.at)), 0)::float8
		FROM (SELECT DISTINCT tenant_id FROM client_counts) AS tenants, LATERAL (
			SELECT at FROM revisions
			WHERE tenant_id = tenants.tenant_id AND xid >= pg_snapshot_xmin(pg_current_snapshot())
			ORDER BY revisions.xid, seq LIMIT 1
		) AS held` // reads one index entry per tenant, whatever the length of the log
	var seconds float64
	if err := s.pool.QueryRow(ctx, query).Scan(&seconds); err != nil {
		return 0, translate(err)
	}
	return time.Duration(max(seconds, 0) * float64(time.Second)), nil
}
