package application

import (
	"errors"
	"fmt"

	"github.com/clientele-oauth/clientele/domain"
)

// The kinds of failure that a use case or a port can end in; adapters tell
// them apart with errors.Is.
var (
	// ErrUnauthenticated: no valid access token came with the request.
	ErrUnauthenticated = errors.New("no valid access token")
	// ErrForbidden: the caller is known and may not do this.
	ErrForbidden = errors.New("not permitted")
	// ErrNotFound: there is no such client in the caller's tenant.
	ErrNotFound = errors.New("no such client")
	// ErrPreconditionFailed: the client is not at the revision that the caller
	// demanded.
	ErrPreconditionFailed = errors.New("the client has been changed since")
	// ErrConflict: the client moved on between read and commit, or the
	// identifier of a new one is taken.
	ErrConflict = errors.New("changed concurrently")
	// ErrUnavailable: a store or the token issuer's keys cannot be reached
	// now. Whether a change was committed is unknown.
	ErrUnavailable = errors.New("temporarily unavailable")
)

// InvalidError is the refusal of a configuration: at least one violation, and
// the warnings found beside.
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
	return fmt.Sprintf("invalid configuration: %s at %s (%d violations)", first.Rule, first.Pointer, len(violations))
}
