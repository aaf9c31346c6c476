package application

import (
	"context"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// Store keeps clients and the log of their revisions.
type Store interface {
	// Find returns the client of that tenant with that identifier, as its last
	// committed revision left it, deleted or not. Where there is none it returns
	// [ErrNotFound]. If its document cannot be read, the error is an
	// [*UnreadableError]; if only its secrets cannot, the client has
	// [domain.State.SecretsUnreadable].
	Find(ctx context.Context, tenant domain.TenantID, id domain.ClientID) (domain.Client, error)

	// List returns the clients of the tenant that are not deleted and that the
	// query asks for, in the order of their identifiers. A client whose document
	// cannot be read is in Page.Unreadable instead of Page.Clients. A page has fewer
	// clients than the limit, and says that more follow, if their sizes reach
	// [Query.MaxBytes]; it has at least one client if any is left.
	List(ctx context.Context, tenant domain.TenantID, q Query) (Page, error)

	// Commit makes r the client's newest revision: it stores the client and
	// appends r to the log, both or neither, durably before it returns. The
	// revision before r's must be the newest one, otherwise nothing changes and
	// it returns [ErrConflict]; so it does where revision 1 brings an
	// identifier that is taken in the tenant. A tie between concurrent commits
	// is won by exactly one. A purge removes the log before it. The error is
	// [ErrUnstorable] for values that could not be read again; nothing is stored
	// then. The stored secrets of a client with [domain.State.SecretsUnreadable]
	// stay as they are.
	Commit(ctx context.Context, r domain.Revision) error

	// CommitOnce is Commit for a request that may come again: it keeps the
	// attempt together with the revision, both or neither. Where an attempt of
	// that caller and key is kept already, nothing changes and it returns
	// [ErrAlreadyProcessed]; of concurrent commits with the same key exactly one succeeds.
	CommitOnce(ctx context.Context, r domain.Revision, a IdempotencyRecord) error

	// FindIdempotencyRecord returns the record of the key, or [ErrNotFound]. Records are
	// kept for at least [IdempotencyRetention].
	FindIdempotencyRecord(ctx context.Context, tenant domain.TenantID, subject, key string) (IdempotencyRecord, error)

	// Revisions returns the log of a client, newest first, at most limit
	// entries with numbers below before; a before of 0 is no bound. The clients
	// in it have no secrets. An entry that cannot be read has
	// [domain.Revision.Unreadable]. It returns fewer entries, but at least two if
	// there are two below before and the limit allows it, if their sizes reach
	// [PageBytes].
	Revisions(
		ctx context.Context, tenant domain.TenantID, id domain.ClientID, before domain.RevisionNumber, limit int,
	) ([]domain.Revision, error)

	// Changes returns revisions of the tenant's clients behind the cursor, at
	// most limit, and fewer if their sizes reach [PageBytes], in an order in which
	// those of one client follow each other.
	// Whoever goes on from the cursor that it gets sees every committed revision
	// exactly once, however commits overlap; those that were purged in the meantime
	// are left out. An entry that cannot be read has [domain.Revision.Unreadable].
	// The empty cursor is the beginning. A cursor names the entry that it stands
	// behind. The error is [ErrCursor] where this entry is not in the tenant's log,
	// and was not purged from it: the store did not give the cursor out, or it is from another
	// history, as after a restore from a backup.
	Changes(ctx context.Context, tenant domain.TenantID, after Cursor, limit int) (Changes, error)

	// Watch returns a channel that is closed after the next commit of the tenant
	// that the store knows of, in any process; that may be late, or not at all.
	// It may also be closed without a commit. stop must be called once, when the
	// channel is no longer needed.
	Watch(tenant domain.TenantID) (news <-chan struct{}, stop func())

	// NoteSecretUses remembers when secrets were last used; a later time that
	// is known already stays.
	NoteSecretUses(ctx context.Context, uses []SecretUse) error

	// SecretUses returns when the secrets of a client were last used, by their
	// ids; those that never were are absent.
	SecretUses(ctx context.Context, tenant domain.TenantID, id domain.ClientID) (map[string]time.Time, error)

	// Purgeable returns at most limit clients, of all tenants, that were
	// deleted before the time and are not purged. It skips those whose documents
	// cannot be read, however many there are, and returns them as well.
	Purgeable(ctx context.Context, before time.Time, limit int) ([]domain.Client, []*UnreadableError, error)

	// DeleteIdempotencyRecords deletes the records from before the time.
	DeleteIdempotencyRecords(ctx context.Context, before time.Time) error

	// Ping returns nil where the store can serve.
	Ping(ctx context.Context) error
}

// Query says which clients a list has. The zero values ask for all.
type Query struct {
	Name         string // part of the name, in whatever case
	Status       domain.Status
	GrantType    domain.GrantType
	AuthMethod   domain.AuthMethod
	Profile      domain.Profile
	Scope        domain.Scope
	RedirectHost string // of a redirect URI, in any case

	ApplicationType domain.ApplicationType
	SoftwareID      string
	Owner           string
	Label           string // the name of a label, or the name, "=" and the text

	UpdatedSince time.Time

	After  domain.ClientID // only identifiers behind this one
	Offset int             // how many to skip
	Limit  int
	Count  bool // whether the total is wanted

	// MaxBytes bounds the sizes of the clients of a page, see [Budget]; 0 is
	// [PageBytes].
	MaxBytes int
}

// Selects reports whether the query asks for more than a status.
func (q Query) Selects() bool {
	return q.Name != "" || q.GrantType != "" || q.AuthMethod != "" || q.Profile != "" || q.Scope != "" ||
		q.RedirectHost != "" || q.ApplicationType != "" || q.SoftwareID != "" || q.Owner != "" || q.Label != "" || !q.UpdatedSince.IsZero()
}

// Page is one page of a list.
type Page struct {
	Clients []domain.Client
	// Unreadable are the clients of the page whose documents cannot be read, in
	// order. They count towards the limit and in Total.
	Unreadable []*UnreadableError
	More       bool // whether clients follow
	Total      int  // of all pages; 0 where it was not wanted
	// Changes is where a reader of the whole list goes on in the change feed:
	// what the page does not show yet comes behind it.
	Changes Cursor
}

// Last returns the identifier of the last client of the page, readable or not; empty
// if the page has none. The next page begins after it.
func (p Page) Last() domain.ClientID {
	var last domain.ClientID
	if n := len(p.Clients); n > 0 {
		last = p.Clients[n-1].Identity().ClientID
	}
	if n := len(p.Unreadable); n > 0 {
		last = max(last, p.Unreadable[n-1].ClientID)
	}
	return last
}

// Cursor is a place in the change feed, a text that only the store reads.
type Cursor string

// Changes is one page of the change feed.
type Changes struct {
	Revisions []domain.Revision // without secrets
	Next      Cursor            // where to go on; that of the call where there are none
	// After has a cursor for each of the revisions: that behind it.
	After []Cursor
	// HeldBack is the age of the oldest committed revision of the tenant that is
	// not handed out yet, because a transaction that began before it is still
	// open; 0 if there is none. Only a store that orders its feed by transactions
	// holds revisions back.
	HeldBack time.Duration
}

// IdempotencyRecord is a request with an idempotency key, and what it did.
type IdempotencyRecord struct {
	Subject     string // of the caller
	Key         string // the caller's, for this request alone
	Fingerprint [32]byte
	At          time.Time

	// What it did.
	ClientID domain.ClientID
	Revision domain.RevisionNumber
	SecretID string
}

// IdempotencyRetention is how long a repeated request is recognised.
const IdempotencyRetention = 24 * time.Hour

// SecretUse is a successful verification of a secret.
type SecretUse struct {
	TenantID domain.TenantID
	ClientID domain.ClientID
	SecretID string
	At       time.Time
}

// KeyResolver reads public keys into the facts that rules check.
type KeyResolver interface {
	// Parse reads the JSON text of a JWK Set. What is wrong with the text is in
	// the facts; it never fails.
	Parse(jwks string) domain.KeySet

	// Fetch reads the JWK Set behind a URI for a tenant, or returns what it read a
	// short while ago; at is when that was. It returns within a few seconds whatever
	// the host does, and connects to nothing that [domain.Policy] does not allow. What
	// went wrong at the host is in the keys, and is the same for a name that does not
	// exist as for one that has no public address. The error is
	// [ErrTooManyFetches] if the fetch was not started, or [ErrUnavailable] if the
	// context ended first. A tenant has a share of the fetches that can be under way
	// at once; an empty tenant is a tenant too.
	Fetch(ctx context.Context, tenant domain.TenantID, uri string) (keys domain.Keys, at time.Time, err error)

	// Cached returns the text of the JWK Set that Fetch read from the URI a short while
	// ago, as it was received. It fetches nothing. ok is false if there is none, or if
	// what was read is not a JWK Set.
	Cached(uri string) (jwks string, ok bool)
}

// Limiter bounds how often something is done.
type Limiter interface {
	// Allow reports whether it may be done once more now for whom it names: a
	// client, or a caller, of the tenant.
	Allow(tenant domain.TenantID, whom string) bool
}

// Clock tells the time.
type Clock interface {
	Now() time.Time
}

// Random makes identifiers and secrets.
type Random interface {
	// ID returns a new identifier: unique, sortable by time, made of lower-case
	// letters, digits and hyphens.
	ID() string
	// Entropy returns 32 bytes that no one can guess.
	Entropy() [domain.SecretEntropy]byte
}
