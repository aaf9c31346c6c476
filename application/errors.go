package application

import (
	"errors"
	"fmt"

	"github.com/clientele-oauth/clientele/domain"
)

// The kinds of failure that a use case or a port can end in; adapters tell
// them apart with errors.Is. In addition there are the errors of package domain about
// the state of a client and its secrets.
var (
	// ErrUnauthenticated: no valid access token came with the request.
	ErrUnauthenticated = errors.New("no valid access token")
	// ErrForbidden: the caller is known and may not do this.
	ErrForbidden = errors.New("not permitted")
	// ErrNotFound: there is no such client in the caller's tenant.
	ErrNotFound = errors.New("no such client")
	// ErrNoSuchRevision: the client has no such revision.
	ErrNoSuchRevision = errors.New("no such revision")
	// ErrPreconditionFailed: the client is not at the revision that the caller
	// demanded.
	ErrPreconditionFailed = errors.New("the client was changed in the meantime")
	// ErrExists: the client exists, and the caller demanded that it does not,
	// or not at this revision (If-None-Match). It is an ErrPreconditionFailed.
	ErrExists = fmt.Errorf("%w: it exists", ErrPreconditionFailed)
	// ErrConflict: the client moved on between read and commit, or the
	// identifier of a new one is taken.
	ErrConflict = errors.New("changed concurrently")
	// ErrTaken: the identifier that the caller chose is taken, also where its
	// client was deleted.
	ErrTaken = errors.New("the client_id is in use")
	// ErrAlreadyProcessed: a request with this idempotency key was carried out before.
	ErrAlreadyProcessed = errors.New("already processed")
	// ErrKeyReused: the idempotency key came with another request before.
	ErrKeyReused = errors.New("the idempotency key was used for another request")
	// ErrCursor: the cursor of the change feed names no entry of this history.
	// The reader must start again from the list of clients.
	ErrCursor = errors.New("not a cursor of this history")
	// ErrQuota: the tenant has as many clients as it may have.
	ErrQuota = errors.New("the tenant has reached its limit of clients")
	// ErrListTime: a list took longer than [Registry.ListTime].
	ErrListTime = errors.New("the list took too long")
	// ErrTooManyRequests: the caller is to slow down.
	ErrTooManyRequests = errors.New("too many requests")
	// ErrUnavailable: a store or the token issuer's keys cannot be reached
	// now. Whether a change was committed is unknown.
	ErrUnavailable = errors.New("temporarily unavailable")
	// ErrTooManyFetches: too many fetches of clients' keys and sector identifiers are
	// under way, of all tenants or of this one. Nothing was changed. It is an [ErrUnavailable].
	ErrTooManyFetches = fmt.Errorf("too many fetches in progress: %w", ErrUnavailable)
)

// InvalidError rejects a configuration: it has at least one violation, and the
// warnings that were found with it.
type InvalidError struct {
	Findings domain.Findings
}

// Error counts the violations and tells the first.
func (e *InvalidError) Error() string {
	violations := e.Findings.Violations()
	if len(violations) == 0 {
		return "invalid configuration"
	}
	first := violations[0]
	return fmt.Sprintf("invalid configuration: %s at %s (violations: %d)", first.Rule, first.Pointer, len(violations))
}
