package declare

import (
	"errors"
	"fmt"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// concernsClient reports whether an error is about the requested client, not about the
// connection, the access token or the registry itself.
func concernsClient(err error) bool {
	for _, about := range []error{
		application.ErrNotFound, application.ErrNoSuchRevision, domain.ErrNotDeleted, application.ErrTaken,
		application.ErrPreconditionFailed, application.ErrConflict,
	} {
		if errors.Is(err, about) {
			return true
		}
	}
	_, invalid := errors.AsType[*application.InvalidError](err)
	return invalid
}

// about adds the client_id to an error that concerns the client.
func about(id domain.ClientID, err error) error {
	if !concernsClient(err) {
		return err
	}
	return fmt.Errorf("%s: %w", id, err)
}

// stepError returns the error of a step that failed, or whose outcome is unknown.
func stepError(step Step, err error) error {
	switch {
	case concernsClient(err):
		return fmt.Errorf("%s %s: %w", step.Kind, step.ID, err)
	case errors.Is(err, application.ErrUnauthenticated), errors.Is(err, application.ErrForbidden),
		errors.Is(err, application.ErrTooManyRequests):
		return err // nothing was changed
	default:
		return fmt.Errorf("%w (it is unknown whether this change was made: %s %s)", err, step.Kind, step.ID)
	}
}
