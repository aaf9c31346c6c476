// Package memory stores a registry in the memory of the process. It is a complete
// implementation of [application.Store] and passes the same conformance suite as the
// stores on disk, but its data is lost when the process ends. Only tests use it, because
// it needs no database, no files and no cleanup.
//
// A client is stored as the same document as in the other stores (package document). So
// the store rejects the same values, and values that callers pass or receive never share
// memory with stored values.
package memory

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/document"
	"github.com/clientele-oauth/clientele/adapters/internal/notify"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/application/push"
	"github.com/clientele-oauth/clientele/domain"
)

// Store implements [application.Store]. It is safe for concurrent use: one lock guards
// all data, so calls are atomic.
type Store struct {
	readers notify.Hub // of the change feed

	mu      sync.Mutex
	tenants map[domain.TenantID]*tenant
	pushed  map[push.Key]*pushed
	commits int // of all tenants; each entry of a log has the number of its commit
}

// tenant contains all data of one tenant. Tenants share nothing.
type tenant struct {
	clients  map[domain.ClientID]client
	log      []entry // in the order of the commits
	attempts map[attemptKey]application.IdempotencyRecord
	// secretUses contains the times of last use, by client and id of the secret.
	secretUses map[domain.ClientID]map[string]time.Time
	assertions map[assertionKey]time.Time // when the used assertions expire
	statements map[statementKey]time.Time // when the used software statements expire
	tokens     map[string]initialToken
	seen       map[domain.ClientID]seen
}

// client is a stored client: its document and the values for searches. The bytes of the
// row are never changed, only replaced: decoded clients refer to them.
type client struct {
	row       document.Row
	search    document.Search
	as        document.Registered
	createdAt time.Time
	updatedAt time.Time // the latest time of all revisions, in any order
	deletedAt time.Time // zero if the client is not deleted
	purged    bool
	secretEnd time.Time // when SecretEnds returns the client; zero if never
	unknown   bool      // whether secretEnd is not known
}

// New returns an empty store.
func New() *Store {
	return &Store{tenants: map[domain.TenantID]*tenant{}, pushed: map[push.Key]*pushed{}}
}

// lock takes the lock for one call. If the context has ended, it returns
// [application.ErrUnavailable] instead, like a store with a database.
func (s *Store) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return errors.Join(application.ErrUnavailable, err)
	}
	s.mu.Lock()
	return nil
}

// tenant returns the data of a tenant. The caller holds the lock.
func (s *Store) tenant(id domain.TenantID) *tenant {
	t := s.tenants[id]
	if t == nil {
		t = &tenant{
			clients:    map[domain.ClientID]client{},
			attempts:   map[attemptKey]application.IdempotencyRecord{},
			secretUses: map[domain.ClientID]map[string]time.Time{},
			assertions: map[assertionKey]time.Time{},
			statements: map[statementKey]time.Time{},
			tokens:     map[string]initialToken{},
			seen:       map[domain.ClientID]seen{},
		}
		s.tenants[id] = t
	}
	return t
}

// stored returns a time in the form in which stores keep it outside of documents: in UTC
// with microseconds.
func stored(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// Ping implements [application.Store].
func (s *Store) Ping(ctx context.Context) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	s.mu.Unlock()
	return nil
}

// Watch implements [application.Store].
func (s *Store) Watch(tenant domain.TenantID) (news <-chan struct{}, stop func()) {
	return s.readers.Watch(tenant)
}

// WatchAll implements [application.Store].
func (s *Store) WatchAll() (news <-chan struct{}, stop func()) { return s.readers.WatchAll() }

// Find implements [application.Store].
func (s *Store) Find(ctx context.Context, tenant domain.TenantID, id domain.ClientID) (domain.Client, error) {
	if err := s.lock(ctx); err != nil {
		return domain.Client{}, err
	}
	defer s.mu.Unlock()
	found, ok := s.tenant(tenant).clients[id]
	if !ok {
		return domain.Client{}, application.ErrNotFound
	}
	return found.row.Decode()
}

// Commit implements [application.Store].
func (s *Store) Commit(ctx context.Context, r domain.Revision) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	return s.commit(r)
}

// commit stores the revision and signals it to the readers of the change feed. The
// caller holds the lock.
func (s *Store) commit(r domain.Revision) error {
	if err := document.CheckRevision(r); err != nil {
		return err
	}
	text, secrets, err := document.Encode(r.Client)
	if err != nil {
		return err
	}
	registration, err := document.EncodeRegistration(r.Client)
	if err != nil {
		return err
	}
	identity, number := r.Client.Identity(), r.Client.Revision()
	t := s.tenant(identity.TenantID)
	before := t.clients[identity.ClientID] // at revision 0 if there is none
	if before.row.Revision != number-1 {
		return application.ErrConflict
	}
	if secrets == nil { // they could not be read, so the stored secrets are kept
		secrets = before.row.Secrets
	}
	row := document.Row{
		TenantID: identity.TenantID, ClientID: identity.ClientID, Revision: number, Document: text, Secrets: secrets,
		Registration: registration,
	}
	next := client{
		row: row, search: document.SearchOf(r.Client), as: document.RegisteredAs(&r.Client),
		createdAt: stored(r.Client.CreatedAt()), updatedAt: stored(r.At), purged: r.Client.Purged(),
	}
	next.secretEnd = stored(next.search.SecretEnd)
	if r.Client.SecretsUnreadable() {
		next.secretEnd, next.unknown = before.secretEnd, before.unknown
	}
	if before.updatedAt.After(next.updatedAt) {
		next.updatedAt = before.updatedAt
	}
	if r.Client.Deleted() {
		next.deletedAt = stored(r.Client.DeletedAt())
	}
	t.clients[identity.ClientID] = next
	if r.Action == domain.ActionPurge {
		t.purge(identity.ClientID)
	}
	s.commits++
	t.append(r, row, s.commits)
	s.readers.Publish(identity.TenantID)
	return nil
}

// Overwrite replaces the stored bytes of a record, so that a test can create a record
// that cannot be read: the document, the secrets or the registration of a client, or the
// document of a revision in the log. The error is [application.ErrNotFound] if there is no such record.
func (s *Store) Overwrite(which application.UnreadableRecord, with []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tenant(which.TenantID)
	if which.Part == application.PartRevision {
		i := slices.IndexFunc(t.log, func(e entry) bool {
			return e.row.ClientID == which.ClientID && e.row.Revision == which.Revision
		})
		if i < 0 {
			return application.ErrNotFound
		}
		t.log[i].row.Document = bytes.Clone(with)
		return nil
	}
	found, ok := t.clients[which.ClientID]
	if !ok {
		return application.ErrNotFound
	}
	switch which.Part {
	case application.PartSecrets:
		found.row.Secrets = bytes.Clone(with)
		found.unknown = true
	case application.PartRegistration:
		found.row.Registration = bytes.Clone(with)
	default:
		found.row.Document = bytes.Clone(with)
	}
	t.clients[which.ClientID] = found
	return nil
}

var _ application.Store = (*Store)(nil)
