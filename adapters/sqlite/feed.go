package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// beginning is the cursor before the first entry. It is valid in every history.
const beginning application.Cursor = "s0"

// digestBytes is the length of an entry's digest in a cursor, in bytes.
const digestBytes = 10

// feedPosition is a position in the feed: behind the entry with this sequence number and
// digest. The number alone does not identify an entry: a file that was restored from a copy
// continues from the copy, and assigns the same numbers to other entries. The position with
// the number 0 is the beginning.
type feedPosition struct {
	seq    int64
	digest string
}

// cursor returns the position as text: "s<seq>.<digest>".
func (p feedPosition) cursor() application.Cursor {
	if p.seq == 0 {
		return beginning
	}
	return application.Cursor("s" + strconv.FormatInt(p.seq, 10) + "." + p.digest)
}

// parseCursor parses what feedPosition.cursor returned. It rejects cursors of the first
// release: without a digest they do not prove to which history they belong.
func parseCursor(c application.Cursor) (feedPosition, error) {
	if c == "" || c == beginning {
		return feedPosition{}, nil
	}
	number, digest, _ := strings.Cut(strings.TrimPrefix(string(c), "s"), ".")
	seq, err := strconv.ParseInt(number, 10, 64)
	p := feedPosition{seq, digest}
	if err != nil || seq <= 0 || len(digest) != 2*digestBytes || p.cursor() != c {
		return feedPosition{}, application.ErrCursor
	}
	return p, nil
}

// logEntry has the columns of an entry's digest: its client, number, time, action and
// request. The document is not part of it, so that repairing a document does not invalidate
// the cursors of readers.
type logEntry struct {
	tenant, client string
	number         int64
	at, action     string // as stored
	requestID      string
	seq            int64
}

// entryColumns are the columns of logEntry.scan.
const entryColumns = `seq, tenant_id, client_id, number, at, action, request_id`

func (e *logEntry) scan() []any {
	return []any{&e.seq, &e.tenant, &e.client, &e.number, &e.at, &e.action, &e.requestID}
}

func (e *logEntry) position() feedPosition {
	sum := sha256.Sum256([]byte(strings.Join([]string{
		e.tenant, e.client, strconv.FormatInt(e.number, 10), e.at, e.action, e.requestID,
	}, "\n")))
	return feedPosition{e.seq, hex.EncodeToString(sum[:digestBytes])}
}

// prove returns nil if the entry of the position is in the log of the tenant or was purged
// from it; otherwise [application.ErrCursor].
func (s *Store) prove(ctx context.Context, tenant domain.TenantID, p feedPosition) error {
	if p.seq == 0 {
		return nil
	}
	var e logEntry
	err := s.reader.QueryRowContext(ctx, `SELECT `+entryColumns+` FROM revisions WHERE seq = ? AND tenant_id = ?`,
		p.seq, string(tenant)).Scan(e.scan()...)
	found := e.position()
	if errors.Is(err, sql.ErrNoRows) {
		found.seq = p.seq
		err = s.reader.QueryRowContext(ctx, `SELECT digest FROM purged_changes WHERE seq = ? AND tenant_id = ?`,
			p.seq, string(tenant)).Scan(&found.digest)
	}
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return application.ErrCursor
	case err != nil:
		return translate(err)
	case found != p:
		return application.ErrCursor
	default:
		return nil
	}
}

// Changes implements [application.Store]. The entries are in the order of commits, because
// there is one writer.
func (s *Store) Changes(
	ctx context.Context, tenant domain.TenantID, after application.Cursor, limit int,
) (application.Changes, error) {
	const query = `
		SELECT ` + entryColumns + `, ` + revisionColumns + ` FROM revisions WHERE tenant_id = ? AND seq > ? ORDER BY seq LIMIT ?`
	from, err := parseCursor(after)
	if err != nil {
		return application.Changes{}, err
	}
	if err := s.prove(ctx, tenant, from); err != nil {
		return application.Changes{}, err
	}
	changes := application.Changes{Next: after}
	var budget application.Budget
	err = s.each(ctx, s.reader, query, []any{string(tenant), from.seq, limit}, func(rows *sql.Rows) error {
		if budget.Spent() && len(changes.Revisions) > 1 {
			return errSpent
		}
		var e logEntry
		r, err := readRevision(rows, e.scan()...)
		budget.Take(&r.Client)
		changes.Revisions = append(changes.Revisions, r)
		changes.Next = e.position().cursor()
		changes.After = append(changes.After, changes.Next)
		return err
	})
	return changes, unlessSpent(err)
}

// newest returns the position behind the newest entry of the tenant.
func newest(ctx context.Context, tx *sql.Tx, tenant domain.TenantID) (feedPosition, error) {
	var e logEntry
	err := tx.QueryRowContext(ctx,
		`SELECT `+entryColumns+` FROM revisions WHERE tenant_id = ? ORDER BY seq DESC LIMIT 1`, string(tenant)).Scan(e.scan()...)
	if errors.Is(err, sql.ErrNoRows) {
		return feedPosition{}, nil
	}
	return e.position(), err
}

// purge removes the log of a client and the last uses of its secrets. It keeps the positions
// of the log entries, so that cursors of readers stay valid.
func (s *Store) purge(ctx context.Context, tx *sql.Tx, tenant, client string) error {
	var purged []feedPosition
	err := s.each(ctx, tx, `SELECT `+entryColumns+` FROM revisions WHERE tenant_id = ? AND client_id = ?`, []any{tenant, client},
		func(rows *sql.Rows) error {
			var e logEntry
			err := rows.Scan(e.scan()...)
			purged = append(purged, e.position())
			return err
		})
	if err != nil {
		return err
	}
	for _, p := range purged {
		_, err := tx.ExecContext(ctx, `INSERT INTO purged_changes (seq, tenant_id, digest) VALUES (?, ?, ?)`, p.seq, tenant, p.digest)
		if err != nil {
			return err
		}
	}
	for _, forget := range []string{
		`DELETE FROM revisions WHERE tenant_id = ? AND client_id = ?`,
		`DELETE FROM secret_uses WHERE tenant_id = ? AND client_id = ?`,
	} {
		if _, err := tx.ExecContext(ctx, forget, tenant, client); err != nil {
			return err
		}
	}
	return nil
}
