package application

import (
	"context"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// RegistrationStore keeps what registrations from outside need beside the clients.
type RegistrationStore interface {
	// CommitRegistration is Commit, or CommitOnce if the record is not nil, for a revision
	// of a client that registers itself, that presents a statement, or that is restored with
	// the statement of a unique software. It claims what the registration uses, in the same
	// transaction, both or neither. The error is [ErrTokenEnded] if the initial
	// access token has no use left, was revoked or has expired by the time of the revision,
	// [ErrReplayed] if the statement was used before, [ErrSoftwareTaken] if another client
	// that is not deleted has the software_id, and a [*TooManyRegisteredError] if the tenant
	// or the token has too many clients. Exactly as many of concurrent registrations succeed
	// as there are uses and places.
	CommitRegistration(ctx context.Context, r domain.Revision, claim RegistrationClaim, record *IdempotencyRecord) error

	// AdoptRegistration stores the registration of c ([domain.State.Registration]) without a
	// revision. The stored client must be at the revision of c, otherwise nothing changes
	// and it returns [ErrConflict].
	AdoptRegistration(ctx context.Context, c domain.Client) error

	// CreateInitialToken stores a new initial access token, together with the idempotency
	// record unless that is nil, both or neither. The error is [ErrAlreadyProcessed] as for
	// CommitOnce.
	CreateInitialToken(ctx context.Context, t domain.InitialToken, record *IdempotencyRecord) error

	// FindInitialToken returns a token of the tenant. The error is [ErrNotFound], or wraps
	// [ErrUnreadable] if its record cannot be read.
	FindInitialToken(ctx context.Context, tenant domain.TenantID, id string) (domain.InitialToken, error)

	// InitialTokens returns at most limit tokens of the tenant whose ids come after the one
	// given, in the order of their ids; more reports whether others follow. Tokens that ended
	// more than [EndedTokenRetention] ago may be missing. Tokens whose records cannot be read
	// are left out.
	InitialTokens(ctx context.Context, tenant domain.TenantID, after string, limit int) (tokens []domain.InitialToken, more bool, err error)

	// RevokeInitialToken sets when a token was revoked, unless it was revoked before. The
	// error is [ErrNotFound].
	RevokeInitialToken(ctx context.Context, tenant domain.TenantID, id string, at time.Time) error

	// RegisteredWith returns at most limit clients of the tenant that were registered with
	// the initial access token and are not deleted, whose client_ids come after the one
	// given, in this order. Clients that cannot be read are left out.
	RegisteredWith(ctx context.Context, tenant domain.TenantID, tokenID string, after domain.ClientID, limit int) ([]domain.Client, error)

	// NoteSeen stores that an authorization server used a client. It keeps the first and the
	// last time. The error is [ErrNotFound] if there is no such client or it is deleted.
	NoteSeen(ctx context.Context, seen Seen) error

	// SeenTimes returns when a client was first and last seen; zero times if it never was.
	SeenTimes(ctx context.Context, tenant domain.TenantID, id domain.ClientID) (first, last time.Time, err error)

	// Unseen returns at most limit clients of the tenant that registered themselves before
	// the time, were never seen and are not deleted, whose positions come after the one given,
	// in this order, so the oldest first. Clients that cannot be read are left out.
	Unseen(ctx context.Context, tenant domain.TenantID, after UnseenPosition, before time.Time, limit int) ([]domain.Client, error)

	// CommitUnseen is Commit for a client that was never seen. If it was, nothing changes, and
	// the error is [ErrConflict]. Of a deletion and a concurrent NoteSeen of the client,
	// exactly one succeeds.
	CommitUnseen(ctx context.Context, r domain.Revision) error

	// CountRegistered counts the clients of all tenants that registered themselves and are
	// not deleted, and the documents that wait for approval.
	CountRegistered(ctx context.Context) (RegisteredCount, error)

	// DeleteStatementUses deletes at most limit records of used statements that expired at
	// or before the time, and returns how many it deleted.
	DeleteStatementUses(ctx context.Context, expired time.Time, limit int) (deleted int, err error)
}

// EndedTokenRetention is how long an initial access token that expired or was revoked is
// still listed.
const EndedTokenRetention = 90 * 24 * time.Hour

// RegistrationClaim is what a registration uses up.
type RegistrationClaim struct {
	// TokenID is the initial access token of which a use is taken; empty for none.
	TokenID string
	// MaxClients limits the clients of the tenant that registered themselves and are not
	// deleted, and MaxTokenClients those of the initial access token; 0 means no limit.
	MaxClients, MaxTokenClients int
	// Statement is the software statement that is used; nil for none. Its ID is
	// unique for its issuer and tenant until it expires.
	Statement *domain.Statement
}

// Seen is a report of an authorization server that it used a client.
type Seen struct {
	Client ClientKey
	At     time.Time
}

// UnseenPosition is the position of a client in the order of [RegistrationStore.Unseen]: that
// of the creation and, among clients of the same time, of the identifiers. The zero value
// comes before all clients.
type UnseenPosition struct {
	CreatedAt time.Time
	ClientID  domain.ClientID
}

// UnseenPositionOf returns the position of a client.
func UnseenPositionOf(c *domain.Client) UnseenPosition {
	return UnseenPosition{CreatedAt: c.CreatedAt(), ClientID: c.Identity().ClientID}
}

// RegisteredCount is how many clients registered themselves, in all tenants together.
type RegisteredCount struct {
	Clients          int
	Unseen           int // of these, the ones that were never seen
	PendingDocuments int // approved client ID metadata documents that changed and wait for approval
}

// RegistrationPolicies are the policies of the operator's file.
type RegistrationPolicies interface {
	// Registration returns the policy of a tenant. The zero value means that everything is
	// switched off.
	Registration(tenant domain.TenantID) TenantRegistration
	// Tenants returns the tenants that the file names, sorted.
	Tenants() []domain.TenantID
}

// TenantRegistration is the policy of one tenant.
type TenantRegistration struct {
	Enabled bool
	Policy  domain.RegistrationPolicy // with defaults
	Issuers []domain.StatementIssuer
	// Documents is the policy for client ID metadata documents.
	Documents domain.DocumentPolicy
}

// StatementVerifier verifies software statements and signed registration requests.
type StatementVerifier interface {
	// Verify verifies a software statement against the issuers (RFC 7591 §2.3). The error is
	// a [*StatementError], [ErrTooManyFetches] or [ErrUnavailable].
	Verify(ctx context.Context, issuers []domain.StatementIssuer, text string, now time.Time) (domain.Statement, error)

	// VerifyRequest verifies a registration request that is a JWT, in the form of an issuer
	// with [domain.StatementIssuer.RequestJWT], and the software statement in it. audience is
	// the registration endpoint. claims is the JSON object of the request. The error is as
	// for Verify.
	VerifyRequest(ctx context.Context, tenant domain.TenantID, issuers []domain.StatementIssuer, audience, text string, now time.Time) (
		claims []byte, statement domain.Statement, err error)
}

// ClientDocuments fetches client ID metadata documents.
type ClientDocuments interface {
	// FetchClientDocument reads the document at a URL for a tenant, or returns what it read
	// a short while ago. It follows no redirect, and connects only to addresses that
	// [domain.Policy] allows. Failures and bad documents are not remembered. If again is set,
	// it does not return what it read before. The error is a [*DocumentError],
	// [ErrTooManyFetches], [ErrTooManyRequests] or [ErrUnavailable].
	FetchClientDocument(
		ctx context.Context, tenant domain.TenantID, url domain.ClientID, maxBytes int, again bool,
	) (FetchedDocument, error)
}

// FetchedDocument is a client ID metadata document that was fetched.
type FetchedDocument struct {
	Document   domain.MetadataDocument
	FreshUntil time.Time
	Cached     bool // it was fetched by an earlier call
	// Changes are those that this process noticed since it first fetched the document; nil
	// if it noticed none.
	Changes domain.DocumentChanges
}
