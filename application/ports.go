package application

import (
	"cmp"
	"context"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// Store keeps clients and the log of their revisions.
type Store interface {
	// Find returns the last committed revision of a client, deleted or not. The
	// error is [ErrNotFound] if there is no such client, and an [*UnreadableError] if
	// its document cannot be read. If only its secrets cannot be read, the client
	// has [domain.State.SecretsUnreadable].
	Find(ctx context.Context, tenant domain.TenantID, id domain.ClientID) (domain.Client, error)

	// List returns the clients of the tenant that are not deleted and match the
	// query, in the order of their identifiers. A client whose document cannot be
	// read is in Page.Unreadable instead of Page.Clients. If the total size reaches
	// [Query.MaxBytes], the page ends before the limit, with Page.More set; it has at
	// least one client if any is left.
	List(ctx context.Context, tenant domain.TenantID, q Query) (Page, error)

	// Commit makes r the newest revision of its client: it stores the client and
	// appends r to the log, both or neither, durably before it returns. The previous
	// revision number must be the newest one; otherwise nothing changes, and the
	// error is [ErrConflict]. The same error is returned for revision 1 with an
	// identifier that is in use in the tenant. Exactly one of several concurrent
	// commits of the same revision succeeds. A purge removes the earlier log entries.
	// The error is [ErrUnstorable] for values that could not be read again; then
	// nothing is stored. The stored secrets of a client with
	// [domain.State.SecretsUnreadable] do not change.
	Commit(ctx context.Context, r domain.Revision) error

	// CommitOnce is Commit for a request that may be repeated: it stores the
	// idempotency record together with the revision, both or neither. If there is a
	// record with that caller and key already, nothing changes, and the error is
	// [ErrAlreadyProcessed]. Exactly one of several concurrent commits with the same
	// key succeeds.
	CommitOnce(ctx context.Context, r domain.Revision, a IdempotencyRecord) error

	// FindIdempotencyRecord returns the record of the key, or [ErrNotFound]. Records are
	// kept for at least [IdempotencyRetention].
	FindIdempotencyRecord(ctx context.Context, tenant domain.TenantID, subject, key string) (IdempotencyRecord, error)

	// Revisions returns the log of a client, newest first: at most limit entries with
	// numbers below before; 0 means no bound. The clients in the entries have no
	// secrets. An entry that cannot be read has [domain.Revision.Unreadable]. It
	// returns fewer entries if their total size reaches [PageBytes], but at least two
	// if there are two below before and the limit allows it.
	Revisions(
		ctx context.Context, tenant domain.TenantID, id domain.ClientID, before domain.RevisionNumber, limit int,
	) ([]domain.Revision, error)

	// Changes returns the revisions of the tenant's clients after the cursor: at most
	// limit, and fewer if their total size reaches [PageBytes]. Revisions of the same
	// client are in order.
	//
	// A reader that always continues from the returned cursor gets every committed
	// revision exactly once, even if commits overlap, except for revisions that were
	// purged in the meantime. An entry that cannot be read has
	// [domain.Revision.Unreadable].
	//
	// The empty cursor is the beginning. Any other cursor identifies the entry before
	// its position. The error is [ErrCursor] if this entry is not in the tenant's log
	// and was not purged from it: this store did not issue the cursor, or the cursor
	// is from another history, for example from before a restore from a backup.
	Changes(ctx context.Context, tenant domain.TenantID, after Cursor, limit int) (Changes, error)

	// AllChanges is Changes for the clients of all tenants. Its order is that in which
	// the revisions can be read: every revision comes after those that a reader has got
	// already, and the revisions of each tenant are in the order of Changes. Its cursors
	// are of a kind of their own: Changes rejects them, and AllChanges those of Changes,
	// except for the empty one.
	AllChanges(ctx context.Context, after Cursor, limit int) (Changes, error)

	// ListAll returns the clients of all tenants that are not deleted, in the order of
	// their tenants and identifiers, after the key: at most limit, and fewer if their
	// total size reaches [PageBytes]. Everything else is as for List without filters;
	// Page.Changes is a cursor of AllChanges.
	ListAll(ctx context.Context, after ClientKey, limit int) (Page, error)

	// Watch returns a channel that is closed after the next commit of the tenant in
	// any process. Signals may be late or missing, and the channel may be closed
	// without a commit. stop must be called once, when the channel is no longer
	// needed.
	Watch(tenant domain.TenantID) (news <-chan struct{}, stop func())

	// WatchAll is Watch for the commits of all tenants.
	WatchAll() (news <-chan struct{}, stop func())

	// SecretEnds returns at most limit clients, of all tenants, that have a secret whose
	// end has come by the time and is not recorded; see [domain.Client.EndSecrets]. It
	// also returns clients of which the store does not know their next end. Deleted
	// clients are left out. The clients whose end is not known come first, then those
	// that ended first. A store with a clock of its own leaves ends out that have not
	// come by this clock.
	SecretEnds(ctx context.Context, now time.Time, limit int) ([]SecretEnd, error)

	// ScheduleSecretEnd sets the time from which SecretEnds returns the client; zero
	// means never. Nothing changes if the client is not at the revision. A commit of the
	// client sets it to the end of its next secret.
	ScheduleSecretEnd(ctx context.Context, client ClientKey, revision domain.RevisionNumber, at time.Time) error

	// NoteSecretUses stores when secrets were last used. It does not replace a later
	// time.
	NoteSecretUses(ctx context.Context, uses []SecretUse) error

	// AdoptSecrets stores the secrets of c, which has the registry's own hashes in
	// place of imported ones, without a revision: nothing that the log or the feed
	// reports has changed. The stored client must be at the revision of c, otherwise
	// nothing changes and it returns [ErrConflict]. A revision that is decided on the
	// client before it and committed after it has the secrets of before; they verify
	// the same values.
	AdoptSecrets(ctx context.Context, c domain.Client) error

	// SecretUses returns when the secrets of a client were last used, by id. Secrets
	// that were never used are absent.
	SecretUses(ctx context.Context, tenant domain.TenantID, id domain.ClientID) (map[string]time.Time, error)

	// UseAssertion records that a client assertion was used, durably before it returns.
	// Exactly one of several uses of the same assertion succeeds, also if they are
	// concurrent and in several processes; the error of the others is [ErrReplayed]. A
	// record that expired before the new use is replaced.
	UseAssertion(ctx context.Context, use AssertionUse) error

	// DeleteAssertionUses deletes at most limit of the records of used assertions that
	// expired at or before the time, and returns how many it deleted.
	DeleteAssertionUses(ctx context.Context, expired time.Time, limit int) (deleted int, err error)

	// Purgeable returns at most limit clients of all tenants that were deleted before
	// the time and are not purged. It skips clients whose documents cannot be read,
	// without counting them towards the limit, and returns them separately.
	Purgeable(ctx context.Context, before time.Time, limit int) ([]domain.Client, []*UnreadableError, error)

	// DeleteIdempotencyRecords deletes the records that are older than the time.
	DeleteIdempotencyRecords(ctx context.Context, before time.Time) error

	// Ping returns nil if the store is available.
	Ping(ctx context.Context) error
}

// Query selects the clients of a list. Zero values do not filter.
type Query struct {
	Name         string // case-insensitive substring of the name
	Status       domain.Status
	GrantType    domain.GrantType
	AuthMethod   domain.AuthMethod
	Profile      domain.Profile
	Scope        domain.Scope
	RedirectHost string // the host of a redirect URI, case-insensitive

	ApplicationType domain.ApplicationType
	SoftwareID      string
	Owner           string
	Label           string // the name of a label, or the name, "=" and the text

	// Via and RegistrationToken select clients that registered themselves in this way, or
	// with the initial access token with this id, and Via also those whose client ID metadata
	// document was approved.
	Via               domain.Via
	RegistrationToken string

	UpdatedSince time.Time

	After  domain.ClientID // only identifiers after this one
	Offset int             // the number of clients to skip
	Limit  int
	Count  bool // whether to count all matching clients

	// MaxBytes limits the total size of the clients on a page, see [Budget]; 0 means
	// [PageBytes].
	MaxBytes int
}

// Selects reports whether the query filters by more than the status.
func (q Query) Selects() bool {
	return q.Name != "" || q.GrantType != "" || q.AuthMethod != "" || q.Profile != "" || q.Scope != "" ||
		q.RedirectHost != "" || q.ApplicationType != "" || q.SoftwareID != "" || q.Owner != "" || q.Label != "" ||
		q.Via != "" || q.RegistrationToken != "" || !q.UpdatedSince.IsZero()
}

// Page is one page of a list.
type Page struct {
	Clients []domain.Client
	// Unreadable are the clients of the page whose documents cannot be read, in
	// order. They are included in the limit and in Total.
	Unreadable []*UnreadableError
	More       bool // whether more clients follow
	Total      int  // of all pages; 0 unless Query.Count was set
	// Changes is the position in the change feed from which a reader of the whole
	// list continues: all changes that the page does not show yet come after it.
	Changes Cursor
}

// Last returns the identifier of the last client of the page, readable or not; empty if
// the page has no clients. The next page begins after it.
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

// LastKey returns the key of the last client of the page, readable or not; the zero value
// if the page has no clients.
func (p Page) LastKey() ClientKey {
	var last ClientKey
	if n := len(p.Clients); n > 0 {
		last = KeyOf(&p.Clients[n-1])
	}
	if n := len(p.Unreadable); n > 0 {
		if key := (ClientKey{p.Unreadable[n-1].TenantID, p.Unreadable[n-1].ClientID}); key.compare(last) > 0 {
			last = key
		}
	}
	return last
}

// ClientKey identifies a client in the registry.
type ClientKey struct {
	TenantID domain.TenantID
	ClientID domain.ClientID
}

// KeyOf returns the key of a client.
func KeyOf(c *domain.Client) ClientKey {
	identity := c.Identity()
	return ClientKey{identity.TenantID, identity.ClientID}
}

func (k ClientKey) compare(other ClientKey) int {
	return cmp.Or(cmp.Compare(k.TenantID, other.TenantID), cmp.Compare(k.ClientID, other.ClientID))
}

// SecretEnd is a client with a secret that may have ended.
type SecretEnd struct {
	Client domain.Client
	// Unreadable is set instead of Client if the document of the client cannot be read.
	Unreadable *UnreadableError
	// Known reports whether the store knows that a secret has ended. It does not if an
	// earlier release wrote the client.
	Known bool
}

// Cursor is a position in the change feed. Only the store interprets it.
type Cursor string

// Changes is one page of the change feed.
type Changes struct {
	Revisions []domain.Revision // without secrets
	Next      Cursor            // where to continue; the cursor of the call if there are no revisions
	// After contains, for each of the revisions, the cursor after it.
	After []Cursor
	// HeldBack is the age of the oldest committed revision that is
	// not returned yet, because a transaction that began before it is still open; 0
	// if there is none. Only a store that orders its feed by transactions holds
	// revisions back.
	HeldBack time.Duration
}

// IdempotencyRecord is a request with an idempotency key and its result.
type IdempotencyRecord struct {
	Subject     string // of the caller
	Key         string // chosen by the caller, for this request only
	Fingerprint [32]byte
	At          time.Time

	// The result.
	ClientID domain.ClientID
	Revision domain.RevisionNumber
	// CreatedID is the id of the secret or the initial access token that the request created.
	CreatedID string
}

// IdempotencyRetention is the time for which a repeated request is recognised.
const IdempotencyRetention = 24 * time.Hour

// SecretUse is a successful verification of a secret.
type SecretUse struct {
	TenantID domain.TenantID
	ClientID domain.ClientID
	SecretID string
	At       time.Time
}

// AssertionUse is the first use of a client assertion.
type AssertionUse struct {
	TenantID  domain.TenantID
	ClientID  domain.ClientID
	Digest    [32]byte // of the identifier of the assertion
	At        time.Time
	ExpiresAt time.Time // when the assertion is not accepted any more anyway
}

// CredentialReader reads what clients present to authorization servers. It decides nothing
// about them.
type CredentialReader interface {
	// ReadAssertion reads a client assertion, without verifying it. ok is false if it is
	// not a JWT in compact serialization, or not in the form that the specifications
	// prescribe.
	ReadAssertion(text string) (a domain.ClientAssertion, ok bool)

	// IsSignedBy reports whether the signature of the assertion is by the key and the
	// algorithm, which must be that of the assertion.
	IsSignedBy(text, algorithm string, key domain.Key) bool

	// ReadCertificate reads the certificate of a connection, as a proxy forwards it: in
	// PEM, also percent-encoded, or as the value of the header Client-Cert (RFC 9440).
	// Further certificates after the first one are ignored. ok is false if it cannot be
	// read.
	ReadCertificate(text string) (c domain.ClientCertificate, ok bool)
}

// KeyResolver reads public keys into the facts that rules check.
type KeyResolver interface {
	// Parse reads the JSON text of a JWK Set. It never fails: faults of the text are
	// part of the facts.
	Parse(jwks string) domain.KeySet

	// Fetch reads the JWK Set at a URI for a tenant, or returns a recent result; at is
	// the time of the read. It returns within a few seconds even if the host does not
	// respond, and connects only to addresses that [domain.Policy] allows. Failures of
	// the host are reported in the keys; a name that does not exist and a name without
	// a public address have the same result. The error is [ErrTooManyFetches] if the
	// fetch was not started, or [ErrUnavailable] if the context ended first. Each
	// tenant, including the empty one, has a share of the concurrent fetches.
	Fetch(ctx context.Context, tenant domain.TenantID, uri string) (keys domain.Keys, at time.Time, err error)

	// Refetch is Fetch, but for a caller that has found no key that it needs in what Fetch
	// returned: it reads the JWK Set again, unless that was done in the last few seconds.
	// Later calls of Fetch return what it has read. If nothing can be read, they return
	// what they returned before.
	Refetch(ctx context.Context, tenant domain.TenantID, uri string) (keys domain.Keys, at time.Time, err error)

	// Cached returns the text of the JWK Set that Fetch read from the URI a short while
	// ago, as it was received. It fetches nothing. ok is false if there is none, or if
	// what was read is not a JWK Set.
	Cached(uri string) (jwks string, ok bool)
}

// SecretHashes reads hashes of secrets that other systems made, and verifies secrets
// against them.
type SecretHashes interface {
	// Parse reads a hash. The error is an [*InvalidError] if it has no supported form
	// or a parameter that is out of bounds.
	Parse(hash string) (domain.ImportedHash, error)

	// Verify reports whether the slow hash is that of the value. Time and memory are
	// bounded, and the same whether it is or not. The error is [ErrTooManyRequests] if
	// too many verifications of this client are under way, [ErrTooManyVerifications] if
	// too many of all clients are, or [ErrUnavailable] if the context ended first.
	Verify(ctx context.Context, tenant domain.TenantID, id domain.ClientID, hash, value string) (bool, error)
}

// SectorResolver reads the documents of clients' sector identifiers into the facts that
// rules check.
type SectorResolver interface {
	// FetchSectorIdentifier reads the document at a sector_identifier_uri (OIDC
	// Registration §5) for a tenant, or returns what it read a short while ago. It
	// follows no redirect. Everything else is as for [KeyResolver.Fetch], also the
	// error; a tenant has one share for keys and documents together.
	FetchSectorIdentifier(ctx context.Context, tenant domain.TenantID, uri string) (domain.SectorIdentifier, error)
}

// Servers knows what the authorization servers of tenants support.
type Servers interface {
	// Server returns what the authorization server of the tenant supports, as it was
	// read last; the zero value if nothing is known. It never fails, and returns
	// within a few seconds.
	Server(ctx context.Context, tenant domain.TenantID) domain.ServerMetadata
}

// Limiter limits the rate of an operation.
type Limiter interface {
	// Allow reports whether the operation is allowed once more now, for a client or a
	// caller of the tenant.
	Allow(tenant domain.TenantID, whom string) bool
}

// FailureLimiter limits how often an operation fails. Successes do not count.
type FailureLimiter interface {
	// Wait returns how long the operation must not be tried for the client of the tenant;
	// 0 means that it may be tried.
	Wait(tenant domain.TenantID, id domain.ClientID) time.Duration
	// Failed counts a failure.
	Failed(tenant domain.TenantID, id domain.ClientID)
}

// Clock returns the current time.
type Clock interface {
	Now() time.Time
}

// Random generates identifiers and secrets.
type Random interface {
	// ID returns a new identifier: unique, sortable by time, made of lower-case
	// letters, digits and hyphens.
	ID() string
	// Entropy returns 32 cryptographically random bytes.
	Entropy() [domain.SecretEntropy]byte
}
