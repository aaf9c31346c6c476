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

// beginning is the cursor before the first entry. Every history has it.
const beginning application.Cursor = "p0"

// digestBytes is the length of an entry's digest in a cursor.
const digestBytes = 10

// entryDigest is the expression of an entry's digest, over columns of revisions: who
// its client is, when it was written, and by which request. The document is not
// part of it, so that a document can be repaired without cutting off readers.
const entryDigest = `encode(substr(sha256(convert_to(concat_ws(E'\n', tenant_id, client_id, number,
	to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), action, request_id), 'UTF8')), 1, 10), 'hex')`

// newestPosition is the expression of the cursor behind the newest entry of the
// tenant $1 that the feed hands out; see Store.Changes.
const newestPosition = `coalesce((
			SELECT 'p' || revisions.xid || '.' || seq || '.' || ` + entryDigest + ` FROM revisions
			WHERE tenant_id = $1 AND xid < pg_snapshot_xmin(pg_current_snapshot())
			ORDER BY revisions.xid DESC, seq DESC LIMIT 1
		), '` + string(beginning) + `')`

// errForeignLog says that the log names transactions of another server.
var errForeignLog = fmt.Errorf("%w: the database was loaded from a dump of another server; run clientele migrate", application.ErrUnavailable)

// position is a place in the feed: behind the entry seq of a transaction, which
// has this digest. A server that was restored from a copy, or a standby that was
// promoted without the end of its primary, counts on from where the copy ends, so
// that the numbers alone would also name an entry of another history. No digest is
// the beginning.
type position struct {
	xid    uint64
	seq    int64
	digest string
}

// cursor is the position as text: "p<xid>.<seq>.<digest>".
func (p position) cursor() application.Cursor {
	if p.digest == "" {
		return beginning
	}
	return application.Cursor(fmt.Sprintf("p%d.%d.%s", p.xid, p.seq, p.digest))
}

// positionOf reads a cursor that position.cursor wrote. Cursors of the first
// release, which had no digest, are rejected: they prove nothing.
func positionOf(c application.Cursor) (position, error) {
	if c == "" || c == beginning {
		return position{}, nil
	}
	parts := strings.Split(strings.TrimPrefix(string(c), "p"), ".")
	if len(parts) != 3 || len(parts[2]) != 2*digestBytes {
		return position{}, application.ErrCursor
	}
	xid, errXID := strconv.ParseUint(parts[0], 10, 64)
	seq, errSeq := strconv.ParseInt(parts[1], 10, 64)
	_, errDigest := hex.DecodeString(parts[2])
	p := position{xid, seq, parts[2]}
	if errXID != nil || errSeq != nil || errDigest != nil || p.cursor() != c {
		return position{}, application.ErrCursor
	}
	return p, nil
}

// question is what a reader of the feed wants to know.
type question struct {
	tenant domain.TenantID
	from   position
	limit  int
}

// page is what it is given: entries of the log, and the place of each.
type page struct {
	revisions []domain.Revision
	positions []position
	heldBack  time.Duration
}

// Changes implements [application.Store]. The order is that of transactions, not
// that of commits. A transaction below the oldest running one has ended, and
// none will ever come again below it; so nothing can appear behind a reader's
// back where it has read. That of one client's revisions is right too: a commit
// takes the number of its transaction after it saw the revision before.
func (s *Store) Changes(
	ctx context.Context, tenant domain.TenantID, after application.Cursor, limit int,
) (application.Changes, error) {
	from, err := positionOf(after)
	if err != nil {
		return application.Changes{}, err
	}
	found, err := s.changes.Do(ctx, question{tenant, from, limit})
	switch {
	case errors.Is(err, application.ErrCursor), errors.Is(err, errForeignLog):
		return application.Changes{}, err
	case err != nil:
		return application.Changes{}, translate(err)
	}
	changes := application.Changes{Next: after, Revisions: found.revisions, HeldBack: found.heldBack}
	for _, p := range found.positions {
		changes.Next = p.cursor()
		changes.After = append(changes.After, changes.Next)
	}
	return changes, nil
}

// findChanges reads the feed for all who want to know, in one round trip.
//
// The planner is not to see where a reader is. Knowing it, it would take a plan made
// for that place for cheaper than the one that it has, and spend more on making
// it than reading takes, each time anew. It is to see the limit: without one it
// reckons with a tenth of the log, and compiles the statement first.
func (s *Store) findChanges(ctx context.Context, questions []question) []batch.Result[page] {
	const query = `
		SELECT xid::text, seq, ` + entryDigest + `, ` + revisionColumns + ` FROM revisions
		WHERE tenant_id = $1 AND (xid, seq) > ((SELECT $2::text::xid8), (SELECT $3::bigint))
			AND xid < pg_snapshot_xmin(pg_current_snapshot())
		ORDER BY revisions.xid, seq LIMIT ` // plain "xid" would be the text
	results := make([]batch.Result[page], len(questions))
	var batch pgx.Batch
	var home bool
	proven := make([]bool, len(questions))
	batch.Queue(inOrder)
	batch.Queue(proofs, positionColumns(questions)...).Query(func(rows pgx.Rows) error {
		var (
			n        *int64
			heldBack *float64
		)
		_, err := pgx.ForEachRow(rows, []any{&n, &heldBack}, func() error {
			if n == nil {
				home = true
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
	for i, q := range questions {
		found := &results[i]
		batch.Queue(query+strconv.Itoa(q.limit), string(q.tenant), strconv.FormatUint(q.from.xid, 10), q.from.seq).
			Query(func(rows pgx.Rows) error {
				return found.Value.collect(rows)
			})
	}
	err := s.pool.SendBatch(ctx, &batch).Close()
	for i := range results {
		switch {
		case err != nil:
			results[i].Err = err
		case !home:
			results[i].Err = errForeignLog
		case !proven[i]:
			results[i].Err = application.ErrCursor
		}
	}
	return results
}

// collect reads the entries that a reader is given, up to the budget of a page but
// at least two. The server sends the others, which are not kept.
func (p *page) collect(rows pgx.Rows) error {
	defer rows.Close()
	var budget application.Budget
	for rows.Next() {
		if budget.Spent() && len(p.revisions) > 1 {
			continue
		}
		var (
			at  position
			xid string
		)
		revision, err := readRevision(rows, &xid, &at.seq, &at.digest)
		if err != nil {
			return err
		}
		if at.xid, err = strconv.ParseUint(xid, 10, 64); err != nil {
			return err
		}
		budget.Take(revision.Client)
		p.revisions = append(p.revisions, revision)
		p.positions = append(p.positions, at)
	}
	return rows.Err()
}

// positionColumns are the values of proofs.
func positionColumns(questions []question) []any {
	var (
		tenants, xids, digests []string
		seqs                   []int64
	)
	for _, q := range questions {
		tenants = append(tenants, string(q.tenant))
		xids = append(xids, strconv.FormatUint(q.from.xid, 10))
		seqs = append(seqs, q.from.seq)
		digests = append(digests, q.from.digest)
	}
	return []any{tenants, xids, seqs, digests, len(questions)}
}

// proofs is the statement of what the readers' positions prove. A row for each
// reader whose entry is in the log, or was purged from it, has the age of the oldest
// entry of its tenant that is held back; a row without a number says that the log
// is this server's own. The planner sees neither the positions nor how many there
// are, and so has one plan; it takes them for few. It may answer EXISTS by reading a
// whole table once, and does not for a selected value.
const proofs = `
	SELECT NULL::bigint, NULL::float8 FROM home WHERE server = (SELECT system_identifier::text FROM pg_control_system())
	UNION ALL
	SELECT n, (
		SELECT extract(epoch FROM clock_timestamp() - revisions.at)::float8 FROM revisions
		WHERE revisions.tenant_id = asked.tenant_id AND revisions.xid >= pg_snapshot_xmin(pg_current_snapshot())
		ORDER BY revisions.xid, revisions.seq LIMIT 1
	) FROM (
		SELECT tenant_id, xid::xid8, seq, digest, n
		FROM unnest((SELECT $1::text[]), (SELECT $2::text[]), (SELECT $3::bigint[]), (SELECT $4::text[]))
			WITH ORDINALITY AS columns (tenant_id, xid, seq, digest, n)
		LIMIT (SELECT $5::bigint)
	) AS asked
	WHERE digest = '' OR (
		SELECT true FROM revisions
		WHERE revisions.tenant_id = asked.tenant_id AND revisions.xid = asked.xid AND revisions.seq = asked.seq
			AND asked.digest = ` + entryDigest + `
		LIMIT 1
	) OR (
		SELECT true FROM purged_changes AS purged
		WHERE purged.tenant_id = asked.tenant_id AND purged.xid = asked.xid AND purged.seq = asked.seq
			AND purged.digest = asked.digest
		LIMIT 1
	)`
