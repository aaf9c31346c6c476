package memory

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"

	"github.com/clientele-oauth/clientele/adapters/internal/document"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// beginning is the cursor before the first entry. Every history has it.
const beginning application.Cursor = "m0"

// The cursors of AllChanges: that of the beginning, and the prefix of the others, which is
// followed by the cursor of an entry in the feed of its tenant.
const (
	beginningOfAll application.Cursor = "ma0"
	prefixOfAll    application.Cursor = "ma."
)

// entry is one revision in the log of a tenant.
type entry struct {
	// cursor is the position after the entry: a random text, generated when the entry
	// was written. So a cursor exists only in the history of its entry, not in another
	// store or tenant.
	cursor   application.Cursor
	revision domain.Revision // without its client
	row      document.Row    // without secrets and registration
	purged   bool            // only the cursor and the number remain
	number   int             // of the commit, see Store.commits
}

// append adds the revision to the log.
func (t *tenant) append(r domain.Revision, row document.Row, number int) {
	r.At, r.Client, row.Secrets, row.Registration = stored(r.At), domain.Client{}, nil, nil
	t.log = append(t.log, entry{cursor: application.Cursor(strings.ToLower(rand.Text())), revision: r, row: row, number: number})
}

// purge removes the log of a client, the last uses of its secrets, and when it was seen. The
// cursors of the entries remain valid for readers.
func (t *tenant) purge(id domain.ClientID) {
	for i, e := range t.log {
		if e.row.ClientID == id {
			t.log[i] = entry{cursor: e.cursor, number: e.number, purged: true}
		}
	}
	delete(t.secretUses, id)
	delete(t.seen, id)
}

// read returns the revision of the entry. If it cannot be decoded, it has
// [domain.Revision.Unreadable].
func (e entry) read() domain.Revision {
	r := e.revision
	var err error
	if r.Client, err = e.row.Decode(); err != nil {
		r.Client, r.Unreadable = e.row.Tombstone(), true
	}
	return r
}

// position returns the number of entries before the cursor, or [application.ErrCursor] if
// the tenant has no such cursor.
func (t *tenant) position(after application.Cursor) (int, error) {
	if after == "" || after == beginning {
		return 0, nil
	}
	i := slices.IndexFunc(t.log, func(e entry) bool { return e.cursor == after })
	if i < 0 {
		return 0, application.ErrCursor
	}
	return i + 1, nil
}

// newest returns the cursor after the newest entry.
func (t *tenant) newest() application.Cursor {
	if len(t.log) == 0 {
		return beginning
	}
	return t.log[len(t.log)-1].cursor
}

// Changes implements [application.Store].
func (s *Store) Changes(
	ctx context.Context, tenant domain.TenantID, after application.Cursor, limit int,
) (application.Changes, error) {
	if err := s.lock(ctx); err != nil {
		return application.Changes{}, err
	}
	defer s.mu.Unlock()
	t := s.tenant(tenant)
	from, err := t.position(after)
	if err != nil {
		return application.Changes{}, err
	}
	return changesOf(t.log[from:], after, limit, ""), nil
}

// changesOf returns the first entries as a page of the feed after a cursor.
func changesOf(log []entry, after application.Cursor, limit int, prefix application.Cursor) application.Changes {
	changes := application.Changes{Next: after}
	var budget application.Budget
	for _, e := range log {
		if e.purged {
			continue
		}
		if full(len(changes.Revisions), limit, budget) {
			break
		}
		r := e.read()
		budget.Take(&r.Client)
		changes.Revisions = append(changes.Revisions, r)
		changes.Next = prefix + e.cursor
		changes.After = append(changes.After, changes.Next)
	}
	return changes
}

// AllChanges implements [application.Store].
func (s *Store) AllChanges(ctx context.Context, after application.Cursor, limit int) (application.Changes, error) {
	if err := s.lock(ctx); err != nil {
		return application.Changes{}, err
	}
	defer s.mu.Unlock()
	log := s.log()
	if after == "" || after == beginningOfAll {
		return changesOf(log, after, limit, prefixOfAll), nil
	}
	i := slices.IndexFunc(log, func(e entry) bool { return prefixOfAll+e.cursor == after })
	if i < 0 {
		return application.Changes{}, application.ErrCursor
	}
	return changesOf(log[i+1:], after, limit, prefixOfAll), nil
}

// log returns the entries of all tenants in the order of the commits.
func (s *Store) log() []entry {
	var log []entry
	for _, t := range s.tenants {
		log = append(log, t.log...)
	}
	slices.SortFunc(log, func(a, b entry) int { return a.number - b.number })
	return log
}

// Revisions implements [application.Store].
func (s *Store) Revisions(
	ctx context.Context, tenant domain.TenantID, id domain.ClientID, before domain.RevisionNumber, limit int,
) ([]domain.Revision, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var revisions []domain.Revision
	var budget application.Budget
	for _, e := range slices.Backward(s.tenant(tenant).log) {
		if e.row.ClientID != id || before != 0 && e.row.Revision >= before {
			continue
		}
		if full(len(revisions), limit, budget) {
			break
		}
		r := e.read()
		budget.Take(&r.Client)
		revisions = append(revisions, r)
	}
	return revisions, nil
}

// full reports whether a page of the log or of the feed ends after n entries. A page that
// ends because of its size has at least two entries, because the history compares each
// entry with the previous one.
func full(n, limit int, budget application.Budget) bool {
	return n >= limit || n > 1 && budget.Spent()
}
