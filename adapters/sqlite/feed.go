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

// beginning is the cursor before the first entry. Every history has it.
const beginning application.Cursor = "s0"

// digestBytes is the length of an entry's digest in a cursor.
const digestBytes = 10

// position is a place in the feed: behind the entry seq, which has this digest.
// A file that was restored from a copy counts on from the copy, so that seq alone
// would also name the entry of another history. No seq is the beginning.
type position struct {
	seq    int64
	digest string
}

// cursor is the position as text: "s<seq>.<digest>".
func (p position) cursor() application.Cursor {
	if p.seq == 0 {
		return beginning
	}
	return application.Cursor("s" + strconv.FormatInt(p.seq, 10) + "." + p.digest)
}

// positionOf reads a cursor that position.cursor wrote. Cursors of the first
// release, which had no digest, are rejected: they prove nothing.
func positionOf(c application.Cursor) (position, error) {
	if c == "" || c == beginning {
		return position{}, nil
	}
	number, digest, _ := strings.Cut(strings.TrimPrefix(string(c), "s"), ".")
	seq, err := strconv.ParseInt(number, 10, 64)
	p := position{seq, digest}
	if err != nil || seq <= 0 || len(digest) != 2*digestBytes || p.cursor() != c {
		return position{}, application.ErrCursor
	}
	return p, nil
}

// logEntry is what an entry's digest is made of: who its client is, when it was
// written, and by which request. The document is not part of it, so that a document
// can be repaired without cutting off readers.
type logEntry struct {
	tenant, client string
	number         int64
	at, action     string // as the columns have them
	requestID      string
	seq            int64
}

// entryColumns are the columns of logEntry.scan.
const entryColumns = `seq, tenant_id, client_id, number, at, action, request_id`

func (e *logEntry) scan() []any {
	return []any{&e.seq, &e.tenant, &e.client, &e.number, &e.at, &e.action, &e.requestID}
}

func (e *logEntry) position() position {
	sum := sha256.Sum256([]byte(strings.Join([]string{
		e.tenant, e.client, strconv.FormatInt(e.number, 10), e.at, e.action, e.requestID,
	}, "\n")))
	return position{e.seq, hex.EncodeToString(sum[:digestBytes])}
}

// prove returns nil if the entry that the position names is in the log of the
// tenant, or was purged from it; otherwise [application.ErrCursor].
func (s *Store) prove(ctx context.Context, tenant domain.TenantID, p position) error {
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

// Changes implements [application.Store]. The order is that of the one writer.
func (s *Store) Changes(
	ctx context.Context, tenant domain.TenantID, after application.Cursor, limit int,
) (application.Changes, error) {
	const query = `
		SELECT ` + entryColumns + `, ` + revisionColumns + ` FROM revisions WHERE tenant_id = ? AND seq > ? ORDER BY seq LIMIT ?`
	from, err := positionOf(after)
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
		budget.Take(r.Client)
		changes.Revisions = append(changes.Revisions, r)
		changes.Next = e.position().cursor()
		changes.After = append(changes.After, changes.Next)
		return err
	})
	return changes, unlessSpent(err)
}

// newest is the position behind the newest entry of the tenant.
func newest(ctx context.Context, tx *sql.Tx, tenant domain.TenantID) (position, error) {
	var e logEntry
	err := tx.QueryRowContext(ctx,
		`SELECT `+entryColumns+` FROM revisions WHERE tenant_id = ? ORDER BY seq DESC LIMIT 1`, string(tenant)).Scan(e.scan()...)
	if errors.Is(err, sql.ErrNoRows) {
		return position{}, nil
	}
	return e.position(), err
}

// purge removes the log of a client and keeps the places of its entries. What is
// known of its secrets goes as well.
func (s *Store) purge(ctx context.Context, tx *sql.Tx, tenant, client string) error {
	var purged []position
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
