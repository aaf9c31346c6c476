package application

import (
	"errors"
	"fmt"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// The errors of use cases and ports; adapters distinguish them with errors.Is. In
// addition, there are the errors of package domain about the state of a client and its
// secrets.
var (
	// ErrUnauthenticated: the request has no valid access token.
	ErrUnauthenticated = errors.New("no valid access token")
	// ErrForbidden: the caller lacks the permission.
	ErrForbidden = errors.New("not permitted")
	// ErrNotFound: there is no such client in the caller's tenant.
	ErrNotFound = errors.New("no such client")
	// ErrNoSuchRevision: the client has no such revision.
	ErrNoSuchRevision = errors.New("no such revision")
	// ErrPreconditionFailed: the client is not at the revision that the caller
	// required.
	ErrPreconditionFailed = errors.New("the client was changed in the meantime")
	// ErrExists: the client exists, although the caller required that it does not, or
	// not at this revision (If-None-Match). It wraps ErrPreconditionFailed.
	ErrExists = fmt.Errorf("%w: it exists", ErrPreconditionFailed)
	// ErrConflict: the client was changed between read and commit, or the identifier
	// of a new client is in use.
	ErrConflict = errors.New("changed concurrently")
	// ErrTaken: the identifier of a new client is in use, possibly by a deleted
	// client.
	ErrTaken = errors.New("the client_id is in use")
	// ErrAlreadyProcessed: a request with this idempotency key already succeeded.
	ErrAlreadyProcessed = errors.New("already processed")
	// ErrKeyReused: the idempotency key was used for another request before.
	ErrKeyReused = errors.New("the idempotency key was used for another request")
	// ErrCursor: the cursor of the change feed does not belong to this history.
	// The reader must start again from the list of clients.
	ErrCursor = errors.New("not a cursor of this history")
	// ErrQuota: the tenant has reached its maximum number of clients.
	ErrQuota = errors.New("the tenant has reached its limit of clients")
	// ErrListTime: a list took longer than [Config.ListTime].
	ErrListTime = errors.New("the list took too long")
	// ErrTooManyRequests: the caller exceeded its rate limit.
	ErrTooManyRequests = errors.New("too many requests")
	// ErrReplayed: the client assertion or the software statement was used before.
	ErrReplayed = errors.New("the assertion or statement was used before")
	// ErrNoAudiences: the request has a client assertion, but the caller did not say which
	// audiences it accepts.
	ErrNoAudiences = errors.New("no audiences for a client assertion")
	// ErrUnavailable: a store or the token issuer's keys cannot be reached. It is
	// unknown whether a change was committed.
	ErrUnavailable = errors.New("temporarily unavailable")
	// ErrTooManyFetches: too many fetches of clients' keys and sector identifiers are in
	// progress, of all tenants or of this one. Nothing was changed. It wraps
	// [ErrUnavailable].
	ErrTooManyFetches = fmt.Errorf("too many fetches in progress: %w", ErrUnavailable)
	// ErrTooManyVerifications: too many secrets are being verified against slow hashes
	// of other systems. It wraps [ErrUnavailable].
	ErrTooManyVerifications = fmt.Errorf("too many verifications of imported secrets in progress: %w", ErrUnavailable)
)

// RetryError reports that a request was not decided, and when it may be repeated. It wraps
// [ErrTooManyRequests] or [ErrUnavailable].
type RetryError struct {
	Cause   error
	After   time.Duration
	Message string // for the caller
}

// Error returns the message and the cause.
func (e *RetryError) Error() string { return e.Message + ": " + e.Cause.Error() }

// Unwrap returns the cause.
func (e *RetryError) Unwrap() error { return e.Cause }

// AuthenticationError reports that a client is not authenticated. The reason is for the
// authorization server and its operator; the client must not see it.
type AuthenticationError struct {
	Reason   domain.AuthFailure
	ClientID domain.ClientID // as presented; may be anything
}

// Error returns the reason.
func (e *AuthenticationError) Error() string {
	return "the client is not authenticated: " + string(e.Reason)
}

// InvalidError reports that a configuration is rejected. The findings are all violations
// and warnings; there is at least one violation.
type InvalidError struct {
	Findings domain.Findings
}

// Error returns the first violation and the number of violations.
func (e *InvalidError) Error() string {
	violations := e.Findings.Violations()
	if len(violations) == 0 {
		return "invalid configuration"
	}
	first := violations[0]
	return fmt.Sprintf("invalid configuration: %s at %s (violations: %d)", first.Rule, first.Pointer, len(violations))
}

// The errors of registrations from outside.
var (
	// ErrRegistrationOff: the tenant does not allow it, or there is no such tenant.
	ErrRegistrationOff = errors.New("registration is switched off")
	// ErrInvalidToken: the request has no initial or registration access token that is valid
	// for what it asks for. It does not say why.
	ErrInvalidToken = errors.New("no valid initial or registration access token")
	// ErrNoRegistrationToken: the request has no token. It wraps ErrInvalidToken.
	ErrNoRegistrationToken = fmt.Errorf("%w: no token", ErrInvalidToken)
	// ErrManagementDenied: the client is suspended, or the policy of the tenant lets no
	// client manage its registration.
	ErrManagementDenied = errors.New("the client is suspended or must not manage its registration")
	// ErrManagementOff: the policy of the tenant lets no client manage its registration.
	ErrManagementOff = errors.New("the management of registrations is switched off")
	// ErrTokenEnded: the initial access token has no use left, was revoked or has expired.
	// It wraps ErrInvalidToken.
	ErrTokenEnded = fmt.Errorf("%w: the initial access token has ended", ErrInvalidToken)
	// ErrDeletedSince: an earlier request with the same idempotency key registered a client
	// that was deleted since.
	ErrDeletedSince = errors.New("the client was deleted after its registration")
	// ErrNoSuchToken: the tenant has no such initial access token.
	ErrNoSuchToken = errors.New("no such initial access token")
	// ErrSoftwareTaken: another client has the software_id.
	ErrSoftwareTaken = errors.New("the software has a client already")
)

// TooManyRegisteredError reports that a tenant or an initial access token has too many
// clients that registered themselves.
type TooManyRegisteredError struct {
	// Unseen reports that some of the clients were never seen, so that places may become
	// free.
	Unseen bool
}

// Error returns a description.
func (e *TooManyRegisteredError) Error() string { return "too many clients registered themselves" }

// StatementReason is why a software statement, or a registration request that is a JWT, is
// rejected.
type StatementReason string

// The reasons.
const (
	StatementInvalid        StatementReason = "invalid"         // the statement is not valid, or not accepted here
	StatementUnapproved     StatementReason = "unapproved"      // the statement is valid, but its software is not approved
	StatementInvalidRequest StatementReason = "invalid_request" // the fault is in the request that is a JWT
)

// StatementError rejects a software statement, or a registration request that is a JWT.
type StatementError struct {
	Reason  StatementReason
	Message string
}

// Error returns the message.
func (e *StatementError) Error() string { return e.Message }

// DocumentReason is why a client ID metadata document is not usable.
type DocumentReason string

// The reasons.
const (
	DocumentDenied      DocumentReason = "denied"      // the policy does not admit it
	DocumentUnreachable DocumentReason = "unreachable" // it cannot be fetched
	DocumentMalformed   DocumentReason = "malformed"   // it is not a JSON object of client metadata
	DocumentRejected    DocumentReason = "refused"     // it violates rules
)

// DocumentError reports that a client ID metadata document is not usable.
type DocumentError struct {
	Reason   DocumentReason
	Message  string
	Findings domain.Findings // the violations, if it is rejected or malformed
	// Waiting is the client that the document defines, if it is denied only because it waits
	// for the approval of an administrator; nil otherwise. It must not be served.
	Waiting *ResolvedDocument
}

// Error returns the reason and the message.
func (e *DocumentError) Error() string { return string(e.Reason) + ": " + e.Message }
