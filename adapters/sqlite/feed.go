package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// The prefixes of cursors: in the feed of a tenant, and in that of all tenants. A cursor of
// one kind is not one of the other: its entry may be in both feeds, but what comes after it
// differs.
const (
	ofTenant cursorKind = "s"
	ofAll    cursorKind = "sa"
)

// cursorKind is a prefix of cursors.
type cursorKind string

// beginning returns the cursor before the first entry. It is valid in every history.
func (k cursorKind) beginning() application.Cursor { return application.Cursor(k + "0") }

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

// cursor returns the position as text: the kind, then "<seq>.<digest>".
func (p feedPosition) cursor(kind cursorKind) application.Cursor {
	if p.seq == 0 {
		return kind.beginning()
	}
	return application.Cursor(string(kind) + strconv.FormatInt(p.seq, 10) + "." + p.digest)
}

// parseCursor parses what feedPosition.cursor returned for the kind. It rejects cursors
// of the first release: without a digest they do not prove to which history they belong.
func parseCursor(c application.Cursor, kind cursorKind) (feedPosition, error) {
	if c == "" || c == kind.beginning() {
		return feedPosition{}, nil
	}
	number, digest, _ := strings.Cut(strings.TrimPrefix(string(c), string(kind)), ".")
	seq, err := strconv.ParseInt(number, 10, 64)
	p := feedPosition{seq, digest}
	if err != nil || seq <= 0 || len(digest) != 2*digestBytes || p.cursor(kind) != c {
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

// feed has the statements that read a feed. Those of the feed of a tenant have the tenant
// as an argument; see scope.
type feed struct {
	kind                           cursorKind
	entry, purged, entries, newest string
}

func feedOfTenant() feed {
	return feed{
		kind:    ofTenant,
		entry:   `SELECT ` + entryColumns + ` FROM revisions WHERE seq = ? AND tenant_id = ?`,
		purged:  `SELECT digest FROM purged_changes WHERE seq = ? AND tenant_id = ?`,
		entries: `SELECT ` + entryColumns + `, ` + revisionColumns + ` FROM revisions WHERE seq > ? AND tenant_id = ? ORDER BY seq LIMIT ?`,
		newest:  `SELECT ` + entryColumns + ` FROM revisions WHERE tenant_id = ? ORDER BY seq DESC LIMIT 1`,
	}
}

func feedOfAll() feed {
	return feed{
		kind:    ofAll,
		entry:   `SELECT ` + entryColumns + ` FROM revisions WHERE seq = ?`,
		purged:  `SELECT digest FROM purged_changes WHERE seq = ?`,
		entries: `SELECT ` + entryColumns + `, ` + revisionColumns + ` FROM revisions WHERE seq > ? ORDER BY seq LIMIT ?`,
		newest:  `SELECT ` + entryColumns + ` FROM revisions ORDER BY seq DESC LIMIT 1`,
	}
}

// scope is a feed and the arguments of its statements: its tenant, if it is that of one.
type scope struct {
	feed
	arguments []any
}

func scopeOf(tenant domain.TenantID) scope { return scope{feedOfTenant(), []any{string(tenant)}} }

// prove returns nil if the entry of the position is in the feed or was purged from it;
// otherwise [application.ErrCursor].
func (s *Store) prove(ctx context.Context, of scope, p feedPosition) error {
	if p.seq == 0 {
		return nil
	}
	var e logEntry
	args := append([]any{p.seq}, of.arguments...)
	err := s.reader.QueryRowContext(ctx, of.entry, args...).Scan(e.scan()...)
	found := e.position()
	if errors.Is(err, sql.ErrNoRows) {
		found.seq = p.seq
		err = s.reader.QueryRowContext(ctx, of.purged, args...).Scan(&found.digest)
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
	return s.readFeed(ctx, scopeOf(tenant), after, limit)
}

// AllChanges implements [application.Store], like Changes.
func (s *Store) AllChanges(ctx context.Context, after application.Cursor, limit int) (application.Changes, error) {
	return s.readFeed(ctx, scope{feed: feedOfAll()}, after, limit)
}

func (s *Store) readFeed(ctx context.Context, of scope, after application.Cursor, limit int) (application.Changes, error) {
	from, err := parseCursor(after, of.kind)
	if err != nil {
		return application.Changes{}, err
	}
	if err := s.prove(ctx, of, from); err != nil {
		return application.Changes{}, err
	}
	changes := application.Changes{Next: after}
	var budget application.Budget
	args := slices.Concat([]any{from.seq}, of.arguments, []any{limit})
	err = s.each(ctx, s.reader, of.entries, args, func(rows *sql.Rows) error {
		if budget.Spent() && len(changes.Revisions) > 1 {
			return errSpent
		}
		var e logEntry
		r, err := readRevision(rows, e.scan()...)
		budget.Take(&r.Client)
		changes.Revisions = append(changes.Revisions, r)
		changes.Next = e.position().cursor(of.kind)
		changes.After = append(changes.After, changes.Next)
		return err
	})
	return changes, unlessSpent(err)
}

// newestIn returns the cursor behind the newest entry of a feed.
func newestIn(ctx context.Context, tx *sql.Tx, of scope) (application.Cursor, error) {
	var e logEntry
	err := tx.QueryRowContext(ctx, of.newest, of.arguments...).Scan(e.scan()...)
	if errors.Is(err, sql.ErrNoRows) {
		return of.kind.beginning(), nil
	}
	return e.position().cursor(of.kind), err
}

// purge removes the log of a client, the last uses of its secrets, and when it was seen. It keeps the positions
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
		`DELETE FROM client_seen WHERE tenant_id = ? AND client_id = ?`,
	} {
		if _, err := tx.ExecContext(ctx, forget, tenant, client); err != nil {
			return err
		}
	}
	return nil
}
