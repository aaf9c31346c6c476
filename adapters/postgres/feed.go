package postgres

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-oauth/clientele/adapters/internal/batch"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// The prefixes of cursors: in the feed of a tenant, and in that of all tenants. A cursor of
// one kind is not one of the other: its entry may be in both feeds, but what comes after it
// differs.
const (
	ofTenant cursorKind = "p"
	ofAll    cursorKind = "pa"
)

// cursorKind is a prefix of cursors.
type cursorKind string

// beginning returns the cursor before the first entry. It is valid in every history.
func (k cursorKind) beginning() application.Cursor { return application.Cursor(k + "0") }

// digestBytes is the length of an entry's digest in a cursor, in bytes.
const digestBytes = 10

// entryDigest is the SQL expression of an entry's digest, over columns of revisions: its
// client, number, time, action and request. The document is not part of it, so that
// repairing a document does not invalidate the cursors of readers.
const entryDigest = `encode(substr(sha256(convert_to(concat_ws(E'\n', tenant_id, client_id, number,
	to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), action, request_id), 'UTF8')), 1, 10), 'hex')`

// newestPosition is the SQL expression of the cursor behind the newest entry of the
// tenant $1 that the feed returns, and newestOfAll that of all tenants; see
// Store.Changes. "seq > 0" is true for every entry; with it, a statement can use the index
// of all tenants (migration 53).
const (
	newestPosition = `coalesce((
			SELECT '` + string(ofTenant) + `' || revisions.xid || '.' || seq || '.' || ` + entryDigest + ` FROM revisions
			WHERE tenant_id = $1 AND xid < pg_snapshot_xmin(pg_current_snapshot())
			ORDER BY revisions.xid DESC, seq DESC LIMIT 1
		), '` + string(ofTenant) + `0')`
	newestOfAll = `coalesce((
			SELECT '` + string(ofAll) + `' || revisions.xid || '.' || seq || '.' || ` + entryDigest + ` FROM revisions
			WHERE seq > 0 AND xid < pg_snapshot_xmin(pg_current_snapshot())
			ORDER BY revisions.xid DESC, seq DESC LIMIT 1
		), '` + string(ofAll) + `0')`
)

// errForeignLog is returned while the log has the transaction numbers of another server.
var errForeignLog = fmt.Errorf("%w: the database was loaded from a dump of another server; run clientele migrate", application.ErrUnavailable)

// feedPosition is a position in the feed: behind the entry with this transaction number,
// sequence number and digest. The numbers alone do not identify an entry: a server that
// was restored from a copy, or a standby that was promoted without the end of its
// primary's log, continues from where the copy ends and assigns the same numbers to
// other entries. The position without a digest is the beginning.
type feedPosition struct {
	xid    uint64
	seq    int64
	digest string
}

// cursor returns the position as text: the kind, then "<xid>.<seq>.<digest>".
func (p feedPosition) cursor(kind cursorKind) application.Cursor {
	if p.digest == "" {
		return kind.beginning()
	}
	return application.Cursor(fmt.Sprintf("%s%d.%d.%s", kind, p.xid, p.seq, p.digest))
}

// parseCursor parses what feedPosition.cursor returned for the kind. It rejects cursors
// of the first release: without a digest they do not prove to which history they belong.
func parseCursor(c application.Cursor, kind cursorKind) (feedPosition, error) {
	if c == "" || c == kind.beginning() {
		return feedPosition{}, nil
	}
	parts := strings.Split(strings.TrimPrefix(string(c), string(kind)), ".")
	if len(parts) != 3 || len(parts[2]) != 2*digestBytes {
		return feedPosition{}, application.ErrCursor
	}
	xid, errXID := strconv.ParseUint(parts[0], 10, 64)
	seq, errSeq := strconv.ParseInt(parts[1], 10, 64)
	_, errDigest := hex.DecodeString(parts[2])
	p := feedPosition{xid, seq, parts[2]}
	if errXID != nil || errSeq != nil || errDigest != nil || p.cursor(kind) != c {
		return feedPosition{}, application.ErrCursor
	}
	return p, nil
}

// feedRequest asks for at most limit entries behind a position.
type feedRequest struct {
	tenant domain.TenantID // not used in the feed of all tenants
	from   feedPosition
	limit  int
}

// page is the result of a feedRequest: entries of the log, and the position of each.
type page struct {
	revisions []domain.Revision
	positions []feedPosition
	// heldBack is the age of the oldest entry that is not returned yet; 0 if there is none.
	heldBack time.Duration
}

// Changes implements [application.Store]. The entries are in the order of their
// transaction numbers, not in the order of commits. All transactions below the oldest
// running one have ended, and no new one gets a number below it; so no entry can appear
// before a position that a reader has passed. The revisions of one client are in order
// as well, because a commit gets its transaction number after it read the revision
// before.
func (s *Store) Changes(
	ctx context.Context, tenant domain.TenantID, after application.Cursor, limit int,
) (application.Changes, error) {
	return readFeed(ctx, s.changes, ofTenant, tenant, after, limit)
}

// AllChanges implements [application.Store], like Changes. The order is the same, so the
// entries of each tenant are in the order of its own feed.
func (s *Store) AllChanges(ctx context.Context, after application.Cursor, limit int) (application.Changes, error) {
	return readFeed(ctx, s.all, ofAll, "", after, limit)
}

// readFeed reads a page together with other readers.
func readFeed(
	ctx context.Context, readers *batch.Group[feedRequest, page],
	kind cursorKind, tenant domain.TenantID, after application.Cursor, limit int,
) (application.Changes, error) {
	from, err := parseCursor(after, kind)
	if err != nil {
		return application.Changes{}, err
	}
	found, err := readers.Do(ctx, feedRequest{tenant, from, limit})
	switch {
	case errors.Is(err, application.ErrCursor), errors.Is(err, errForeignLog):
		return application.Changes{}, err
	case err != nil:
		return application.Changes{}, translate(err)
	}
	changes := application.Changes{Next: after, Revisions: found.revisions, HeldBack: found.heldBack}
	for _, p := range found.positions {
		changes.Next = p.cursor(kind)
		changes.After = append(changes.After, changes.Next)
	}
	return changes, nil
}

// feed has the statements that read a feed: proofs checks positions, and entries reads the
// entries after one, with the limit at its end.
type feed struct {
	proofs, entries string
	// bound reports whether the statements have the tenant as their first argument.
	bound bool
}

func feedOfTenant() feed { return feed{proofs: proofs, entries: entriesOfTenant, bound: true} }

func feedOfAll() feed { return feed{proofs: proofsOfAll, entries: entriesOfAll} }

// The entries after a position, of a tenant and of all tenants.
//
// The subqueries hide the position from the planner. If it saw the position, it would
// consider a plan for this position cheaper than the generic one, and planning each time
// takes longer than reading. The limit is part of the text, so that the planner sees it:
// without it, the planner expects a tenth of the log and compiles the statement first
// (JIT). Without the table's name, xid would be the output column, a text.
const (
	selectEntries   = `SELECT xid::text, seq, ` + entryDigest + `, ` + revisionColumns + ` FROM revisions `
	entriesOfTenant = selectEntries + `
		WHERE tenant_id = $1 AND (xid, seq) > ((SELECT $2::text::xid8), (SELECT $3::bigint))
			AND xid < pg_snapshot_xmin(pg_current_snapshot())
		ORDER BY revisions.xid, seq LIMIT `
	entriesOfAll = selectEntries + `
		WHERE seq > 0 AND (xid, seq) > ((SELECT $1::text::xid8), (SELECT $2::bigint))
			AND xid < pg_snapshot_xmin(pg_current_snapshot())
		ORDER BY revisions.xid, seq LIMIT `
)

// findChanges returns the function that reads the feed for several readers in one round
// trip.
func (s *Store) findChanges(f feed) func(context.Context, []feedRequest) []batch.Result[page] {
	return func(ctx context.Context, requests []feedRequest) []batch.Result[page] {
		results := make([]batch.Result[page], len(requests))
		var statements pgx.Batch
		var ownLog bool // the transaction numbers are those of this server
		proven := make([]bool, len(requests))
		statements.Queue(inOrder)
		statements.Queue(f.proofs, f.positions(requests)...).Query(func(rows pgx.Rows) error {
			var (
				n        *int64
				heldBack *float64
			)
			_, err := pgx.ForEachRow(rows, []any{&n, &heldBack}, func() error {
				if n == nil {
					ownLog = true
					return nil
				}
				proven[*n-1] = true
				if heldBack != nil {
					results[*n-1].Value.heldBack = time.Duration(max(*heldBack, 0) * float64(time.Second))
				}
				return nil
			})
			return err
		})
		for i, r := range requests {
			found := &results[i]
			statements.Queue(f.entries+strconv.Itoa(r.limit), f.args(r)...).Query(func(rows pgx.Rows) error {
				return found.Value.collect(rows)
			})
		}
		err := s.pool.SendBatch(ctx, &statements).Close()
		for i := range results {
			switch {
			case err != nil:
				results[i].Err = err
			case !ownLog:
				results[i].Err = errForeignLog
			case !proven[i]:
				results[i].Err = application.ErrCursor
			}
		}
		return results
	}
}

// args returns the arguments of f.entries.
func (f feed) args(r feedRequest) []any {
	position := []any{strconv.FormatUint(r.from.xid, 10), r.from.seq}
	if f.bound {
		return append([]any{string(r.tenant)}, position...)
	}
	return position
}

// collect reads entries up to the size of a page, but at least two. The server sends
// the others as well; they are dropped.
func (p *page) collect(rows pgx.Rows) error {
	defer rows.Close()
	var budget application.Budget
	for rows.Next() {
		if budget.Spent() && len(p.revisions) > 1 {
			continue
		}
		var (
			at  feedPosition
			xid string
		)
		revision, err := readRevision(rows, &xid, &at.seq, &at.digest)
		if err != nil {
			return err
		}
		if at.xid, err = strconv.ParseUint(xid, 10, 64); err != nil {
			return err
		}
		budget.Take(&revision.Client)
		p.revisions = append(p.revisions, revision)
		p.positions = append(p.positions, at)
	}
	return rows.Err()
}

// positions returns the arguments of f.proofs.
func (f feed) positions(requests []feedRequest) []any {
	var (
		tenants, xids, digests []string
		seqs                   []int64
	)
	for _, r := range requests {
		tenants = append(tenants, string(r.tenant))
		xids = append(xids, strconv.FormatUint(r.from.xid, 10))
		seqs = append(seqs, r.from.seq)
		digests = append(digests, r.from.digest)
	}
	columns := []any{xids, seqs, digests, len(requests)}
	if f.bound {
		return append([]any{tenants}, columns...)
	}
	return columns
}

// proofs checks the positions of readers. It returns a row with the number, from 1, of
// each position whose entry is in the log or was purged from it, and with the age in
// seconds of the oldest entry of its tenant that is held back. A row without a number
// means that the transaction numbers of the log are those of this server.
//
// The subqueries hide the positions and their number from the planner, so that it has
// one plan for all values, made for a few positions. They select a value instead of
// using EXISTS, which the planner may evaluate by reading a whole table once.
//
// proofsOfAll is the same for the feed of all tenants. The digest of an entry includes its
// tenant.
const (
	ownServer = `
	SELECT NULL::bigint, NULL::float8 FROM feed_epoch WHERE server = (SELECT system_identifier::text FROM pg_control_system())`
	proofs = ownServer + `
	UNION ALL
	SELECT n, (
		SELECT extract(epoch FROM clock_timestamp() - revisions.at)::float8 FROM revisions
		WHERE revisions.tenant_id = requested.tenant_id AND revisions.xid >= pg_snapshot_xmin(pg_current_snapshot())
		ORDER BY revisions.xid, revisions.seq LIMIT 1
	) FROM (
		SELECT tenant_id, xid::xid8, seq, digest, n
		FROM unnest((SELECT $1::text[]), (SELECT $2::text[]), (SELECT $3::bigint[]), (SELECT $4::text[]))
			WITH ORDINALITY AS columns (tenant_id, xid, seq, digest, n)
		LIMIT (SELECT $5::bigint)
	) AS requested
	WHERE digest = '' OR (
		SELECT true FROM revisions
		WHERE revisions.tenant_id = requested.tenant_id AND revisions.xid = requested.xid AND revisions.seq = requested.seq
			AND requested.digest = ` + entryDigest + `
		LIMIT 1
	) OR (
		SELECT true FROM purged_changes AS purged
		WHERE purged.tenant_id = requested.tenant_id AND purged.xid = requested.xid AND purged.seq = requested.seq
			AND purged.digest = requested.digest
		LIMIT 1
	)`
	proofsOfAll = ownServer + `
	UNION ALL
	SELECT n, (
		SELECT extract(epoch FROM clock_timestamp() - revisions.at)::float8 FROM revisions
		WHERE revisions.seq > 0 AND revisions.xid >= pg_snapshot_xmin(pg_current_snapshot())
		ORDER BY revisions.xid, revisions.seq LIMIT 1
	) FROM (
		SELECT xid::xid8, seq, digest, n
		FROM unnest((SELECT $1::text[]), (SELECT $2::bigint[]), (SELECT $3::text[]))
			WITH ORDINALITY AS columns (xid, seq, digest, n)
		LIMIT (SELECT $4::bigint)
	) AS requested
	WHERE digest = '' OR (
		SELECT true FROM revisions
		WHERE revisions.seq > 0 AND revisions.xid = requested.xid AND revisions.seq = requested.seq AND requested.digest = ` + entryDigest + `
		LIMIT 1
	) OR (
		SELECT true FROM purged_changes AS purged
		WHERE purged.seq > 0 AND purged.xid = requested.xid AND purged.seq = requested.seq AND purged.digest = requested.digest
		LIMIT 1
	)`
)
