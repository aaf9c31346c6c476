package postgres

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/clientele-oauth/clientele/adapters/gather"
	"github.com/clientele-oauth/clientele/adapters/record"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// revisionColumns are what readRevision reads.
const revisionColumns = `at, action, actor, actor_client, request_id, reason, tenant_id, client_id, number, document`

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
	var batch pgx.Batch
	batch.Queue(inOrder)
	batch.Queue(query, string(id), string(tenant), int64(before), limit).Query(func(rows pgx.Rows) (err error) {
		revisions, err = collectPage(rows, func(row pgx.CollectableRow) (domain.Revision, error) { return readRevision(row) },
			func(r domain.Revision) domain.Client { return r.Client })
		return err
	})
	err := s.pool.SendBatch(ctx, &batch).Close()
	return revisions, translate(err)
}

// readRevision reads the revisionColumns and, before them, what more there is. An
// entry that cannot be decoded has [domain.Revision.Unreadable].
func readRevision(row pgx.CollectableRow, more ...any) (domain.Revision, error) {
	var (
		r             domain.Revision
		action, actor string
		actorClient   string
		stored        record.Row
		at            pgtype.Timestamptz
	)
	if err := row.Scan(append(more, &at, &action, &actor, &actorClient, &r.RequestID, &r.Reason,
		&stored.TenantID, &stored.ClientID, &stored.Revision, &stored.Document)...); err != nil {
		return domain.Revision{}, err
	}
	client, err := stored.Decode()
	if err != nil || !readable(at) {
		client, r.Unreadable = stored.Tombstone(), true
	}
	r.At = at.Time.UTC()
	r.Action, r.Client = domain.Action(action), client
	r.Actor = domain.Actor{Subject: actor, ClientID: domain.ClientID(actorClient)}
	return r, nil
}

// readable reports whether a time is one that the store writes: PostgreSQL also has
// infinity and years after 9999.
func readable(at pgtype.Timestamptz) bool {
	return at.InfinityModifier == pgtype.Finite && domain.Storable(at.Time)
}

// place is a place in the feed: a transaction of a server, and an entry of it.
type place struct {
	epoch int
	xid   uint64
	seq   int64
}

func (p place) cursor() application.Cursor {
	return application.Cursor(fmt.Sprintf("p%d.%d.%d", p.epoch, p.xid, p.seq))
}

// placeOf reads a cursor that place.cursor wrote.
func placeOf(c application.Cursor) (place, error) {
	if c == "" {
		return place{}, nil
	}
	var p place
	if _, err := fmt.Sscanf(string(c), "p%d.%d.%d", &p.epoch, &p.xid, &p.seq); err != nil || p.cursor() != c {
		return place{}, application.ErrCursor
	}
	return p, nil
}

// serverEpoch is the epoch of the cursors that are good. It changes only when
// the database is loaded anew, under no running service.
func (s *Store) serverEpoch(ctx context.Context) (int, error) {
	if known := s.epoch.Load(); known != 0 {
		return int(known), nil
	}
	var epoch int32
	if err := s.pool.QueryRow(ctx, `SELECT epoch FROM home`).Scan(&epoch); err != nil {
		return 0, translate(err)
	}
	s.epoch.Store(epoch)
	return int(epoch), nil
}

// question is what a reader of the feed wants to know.
type question struct {
	tenant domain.TenantID
	from   place
	limit  int
}

// change is an entry of the log, and its place there.
type change struct {
	place    place
	revision domain.Revision
}

// Changes implements [application.Store]. The order is that of transactions, not
// that of commits. A transaction below the oldest running one has ended, and
// none will ever come again below it; so nothing can appear behind a reader's
// back where it has read. That of one client's revisions is right too: a commit
// takes the number of its transaction after it saw the revision before.
func (s *Store) Changes(
	ctx context.Context, tenant domain.TenantID, after application.Cursor, limit int,
) (application.Changes, error) {
	from, err := placeOf(after)
	if err != nil {
		return application.Changes{}, err
	}
	epoch, err := s.serverEpoch(ctx)
	if err != nil {
		return application.Changes{}, err
	}
	if after != "" && from.epoch != epoch {
		return application.Changes{}, application.ErrCursor
	}
	found, err := s.changes.Ask(ctx, question{tenant, from, limit})
	if err != nil {
		return application.Changes{}, translate(err)
	}
	answer := application.Changes{Next: after}
	for _, c := range found {
		c.place.epoch = epoch
		answer.Next = c.place.cursor()
		answer.Revisions = append(answer.Revisions, c.revision)
	}
	return answer, nil
}

// findChanges reads the feed for all who want to know, in one round trip.
//
// The planner is not to see where a reader is. Knowing it, it would take a plan made
// for that place for cheaper than the one that it has, and spend more on making
// it than reading takes, each time anew. It is to see the limit: without one it
// reckons with a tenth of the log, and compiles the statement first.
func (s *Store) findChanges(ctx context.Context, questions []question) []gather.Result[[]change] {
	const query = `
		SELECT xid::text, seq, ` + revisionColumns + ` FROM revisions
		WHERE tenant_id = $1 AND (xid, seq) > ((SELECT $2::text::xid8), (SELECT $3::bigint))
			AND xid < pg_snapshot_xmin(pg_current_snapshot())
		ORDER BY revisions.xid, seq LIMIT ` // plain "xid" would be the text
	results := make([]gather.Result[[]change], len(questions))
	var batch pgx.Batch
	batch.Queue(inOrder)
	for i, q := range questions {
		found := &results[i]
		batch.Queue(query+strconv.Itoa(q.limit), string(q.tenant), strconv.FormatUint(q.from.xid, 10), q.from.seq).
			Query(func(rows pgx.Rows) error {
				var err error
				found.Answer, err = collectPage(rows, readChange, func(c change) domain.Client { return c.revision.Client })
				return err
			})
	}
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		for i := range results {
			results[i].Err = err
		}
	}
	return results
}

func readChange(row pgx.CollectableRow) (change, error) {
	var (
		c   change
		xid string
		err error
	)
	if c.revision, err = readRevision(row, &xid, &c.place.seq); err != nil {
		return change{}, err
	}
	c.place.xid, err = strconv.ParseUint(xid, 10, 64)
	return c, err
}

// FeedLag returns the age of the oldest committed change that readers of the
// feed are not given yet, since a transaction that began before it still runs;
// 0 where there is none.
func (s *Store) FeedLag(ctx context.Context) (time.Duration, error) {
	const query = `
		SELECT coalesce(extract(epoch FROM clock_timestamp() - min(held.at)), 0)::float8
		FROM (SELECT DISTINCT tenant_id FROM client_counts) AS tenants, LATERAL (
			SELECT at FROM revisions
			WHERE tenant_id = tenants.tenant_id AND xid >= pg_snapshot_xmin(pg_current_snapshot())
			ORDER BY revisions.xid, seq LIMIT 1
		) AS held` // an entry of the index for each tenant, however long the log is
	var seconds float64
	if err := s.pool.QueryRow(ctx, query).Scan(&seconds); err != nil {
		return 0, translate(err)
	}
	return time.Duration(max(seconds, 0) * float64(time.Second)), nil
}
