package rest

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/adapters/internal/metadata/self"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// The error codes of registration responses (RFC 7591 §3.2.2, RFC 6750 §3.1, RFC 6749
// §4.1.2.1).
const (
	invalidRedirectURI       = "invalid_redirect_uri"
	invalidClientMetadata    = "invalid_client_metadata"
	invalidSoftwareStatement = "invalid_software_statement"
	unapprovedStatement      = "unapproved_software_statement"
	invalidToken             = "invalid_token"
	accessDenied             = "access_denied"
	invalidRequest           = "invalid_request"
	temporarilyUnavailable   = "temporarily_unavailable"
	serverError              = "server_error"
)

// tooManyUnused is when a registration may be repeated that was rejected because clients of
// the tenant are unused, which may be deleted in the meantime.
const tooManyUnused = time.Hour

// invalidTokenMessage is the message of every 401: it does not say why.
const invalidTokenMessage = "a valid registration token is required"

// registrationProblemOf converts an error to the response that reports it to a client that
// registers or manages itself. All its error responses are made here, from those of the
// admin API as far as they are the same. known is false for an internal error.
func registrationProblemOf(err error) (p problem, known bool) {
	var statement *application.StatementError
	var invalid *application.InvalidError
	var tooMany *application.TooManyRegisteredError
	switch {
	case errors.As(err, &statement) && statement.Reason == application.StatementInvalidRequest:
		return problem{status: http.StatusBadRequest, code: invalidClientMetadata, message: statement.Message}, true
	case errors.As(err, &statement) && statement.Reason == application.StatementUnapproved:
		return problem{status: http.StatusBadRequest, code: unapprovedStatement, message: statement.Message}, true
	case errors.As(err, &statement):
		return problem{status: http.StatusBadRequest, code: invalidSoftwareStatement, message: statement.Message}, true
	case errors.Is(err, application.ErrReplayed):
		return problem{status: http.StatusBadRequest, code: invalidSoftwareStatement, message: "the software statement was used before"}, true
	case errors.Is(err, application.ErrSoftwareTaken):
		return problem{status: http.StatusBadRequest, code: invalidSoftwareStatement, message: "another client has the software_id"}, true
	case errors.Is(err, application.ErrDeletedSince):
		return problem{
			status: http.StatusConflict, code: invalidRequest,
			message: "an earlier request with this Idempotency-Key registered a client that was deleted since; use another key to register again",
		}, true
	case errors.As(err, &invalid):
		return rejectedMetadata(self.Places(invalid.Findings.Violations())), true
	case errors.Is(err, application.ErrNoRegistrationToken):
		return problem{status: http.StatusUnauthorized, code: invalidToken, message: invalidTokenMessage, challenge: challenge}, true
	case errors.Is(err, application.ErrInvalidToken), errors.Is(err, application.ErrNotFound):
		return problem{
			status: http.StatusUnauthorized, code: invalidToken, message: invalidTokenMessage, challenge: challenge + `, error="` + invalidToken + `"`,
		}, true
	case errors.Is(err, application.ErrManagementDenied):
		return problem{
			status: http.StatusForbidden, code: accessDenied, message: "the client is suspended or must not manage its registration",
		}, true
	case errors.As(err, &tooMany) && tooMany.Unseen:
		return problem{
			status: http.StatusTooManyRequests, code: temporarilyUnavailable, retryAfter: wholeSeconds(tooManyUnused),
			message: "too many clients are registered and not used",
		}, true
	case errors.As(err, &tooMany), errors.Is(err, application.ErrQuota):
		return problem{status: http.StatusBadRequest, code: invalidClientMetadata, message: "no more clients can be registered"}, true
	}
	p, known = problemOf(err, nil)
	p.code = registrationCode(p.status)
	if found := p.violations; p.status == http.StatusBadRequest && len(found) > 0 {
		omitted := p.omitted
		p = rejectedMetadata(found)
		p.omitted += omitted
	}
	return p, known
}

// registrationCode returns the error code for a status without a code of its own.
func registrationCode(status int) string {
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return temporarilyUnavailable
	case status >= http.StatusInternalServerError:
		return serverError
	case status == http.StatusPreconditionFailed, status == http.StatusConflict:
		return invalidRequest
	default:
		return invalidClientMetadata
	}
}

// rejectedMetadata returns the response that lists violations in the standard names. Those
// of redirect URIs decide the code and come first in the description (RFC 7591 §3.2.2). Those
// of parameters are not about the metadata; a request that has one has no others.
func rejectedMetadata(found domain.Findings) problem {
	p := problem{status: http.StatusBadRequest, code: invalidClientMetadata, message: "the client metadata is rejected"}
	if len(found) > 0 {
		first := found[0]
		redirect := slices.IndexFunc(found, func(f domain.Finding) bool { return isAt(f.Pointer, "/redirect_uris") })
		if redirect >= 0 {
			p.code, first = invalidRedirectURI, found[redirect]
		}
		if isParameter(first.Pointer) {
			p.code = invalidRequest
		}
		p.message = first.Message
		if more := len(found) - 1; more > 0 {
			p.message += " (and " + contract.CountOf(more, "more violation") + ")"
		}
	}
	p.violations = found[:min(len(found), maxViolations)]
	p.omitted = len(found) - len(p.violations)
	return p
}

// isAt reports whether the pointer is to the place or into it.
func isAt(pointer, place string) bool {
	return pointer == place || strings.HasPrefix(pointer, place+"/")
}

// isParameter reports whether the place is a parameter, as in [parameter.place], and not in the
// body.
func isParameter(place string) bool { return place != "" && place[0] != '/' }

// writeRegistrationError responds to a client that registers or manages itself, and logs
// internal errors and rejected tokens.
func (s *server) writeRegistrationError(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, application.ErrRegistrationOff) {
		s.writeNoEndpoint(w, r)
		return
	}
	p, known := registrationProblemOf(err)
	x := requestStateOf(r.Context())
	for _, v := range p.violations {
		s.observer.RuleViolated(v.Rule)
	}
	attributes := []any{
		slog.String("request_id", x.requestID), slog.String("tenant", string(x.registration.tenant)), slog.Any("error", err),
	}
	switch {
	case !known:
		s.log.ErrorContext(r.Context(), "internal error", attributes...)
	case p.status >= http.StatusInternalServerError:
		s.log.WarnContext(r.Context(), "request rejected", attributes...)
	case p.status == http.StatusUnauthorized, p.status == http.StatusForbidden: // which anyone can cause
		s.log.InfoContext(r.Context(), "registration not allowed", attributes...)
	}
	s.writeRegistrationProblem(w, r, p)
}

func (s *server) writeRegistrationProblem(w http.ResponseWriter, r *http.Request, p problem) {
	setProblemHeaders(w, p)
	body := s.bare(func(w *jsonobject.Writer) {
		w.Text("error", p.code)
		w.Text("error_description", describable(p.message))
		if len(p.violations) > 0 {
			contract.WriteFindings(w, "violations", p.violations)
		}
		if p.omitted > 0 {
			w.Int("violations_omitted", int64(p.omitted))
		}
	})
	body.status = p.status
	body.write(w, r)
}

// describable returns a text with only the characters that an error_description may have
// (RFC 6749 §5.2, RFC 7591 §3.2.2). Messages quote values as Go does: \u00e9 becomes U+00e9.
func describable(text string) string {
	text = strings.NewReplacer(`\u`, "U+", `\U`, "U+", `\"`, "'", `"`, "'", `\`, "/").Replace(text)
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, text)
}
