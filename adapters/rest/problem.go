package rest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/adapters/internal/metadata/self"
	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// problem is an error response: SimpleResponse in openapi.yaml, and headers.
type problem struct {
	status     int
	message    string
	violations domain.Findings               // at most maxViolations
	omitted    int                           // violations beyond these
	accepts    string                        // Accept-Encoding
	challenge  string                        // WWW-Authenticate
	retryAfter int                           // seconds; 0 for none
	code, why  string                        // error and reason, if a client is not authenticated
	waiting    *application.ResolvedDocument // that waits for approval
}

// contractError rejects a request that violates openapi.yaml.
type contractError struct {
	status     int
	message    string
	violations domain.Findings // at most maxViolations
	omitted    int             // violations beyond these
	accepts    string          // Accept-Encoding (RFC 9110 §15.5.16)
}

func (e *contractError) Error() string { return e.message }

// challenge is the start of every WWW-Authenticate header (RFC 6750 §3).
const challenge = `Bearer realm="clientele"`

// clientChallenge is the WWW-Authenticate header for a client that is not authenticated. A
// 401 must have one (RFC 9110 §15.5.2). Its scheme is not Bearer, because the token of the
// caller is valid, and getting another one would not help.
const clientChallenge = `Client-Authentication realm="clientele", error="` + invalidClient + `"`

// invalidClient is the error code for a client that is not authenticated (RFC 6749 §5.2).
const invalidClient = "invalid_client"

// wholeSeconds rounds a time up, because a caller that waits less comes too early.
func wholeSeconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// problemOf converts an error to the response that reports it. All error responses
// are made here. known is false for an internal error; its response contains no
// details. op is nil if the request has no operation.
func problemOf(err error, op *operation) (p problem, known bool) {
	var invalid *application.InvalidError
	var broken *contractError
	var retry *application.RetryError
	var unauthenticated *application.AuthenticationError
	var document *application.DocumentError
	switch {
	case errors.As(err, &invalid):
		found := invalid.Findings.Violations()
		listed := found[:min(len(found), maxViolations)]
		return problem{
			status:     http.StatusBadRequest,
			message:    op.subject() + " is rejected for " + contract.CountOf(len(found), "violation"),
			violations: listed,
			omitted:    len(found) - len(listed),
		}, true
	case errors.As(err, &broken):
		return problem{
			status: broken.status, message: broken.message, violations: broken.violations, omitted: broken.omitted, accepts: broken.accepts,
		}, true
	case errors.As(err, &retry):
		status := http.StatusServiceUnavailable
		if errors.Is(err, application.ErrTooManyRequests) {
			status = http.StatusTooManyRequests
		}
		return problem{status: status, message: retry.Message, retryAfter: wholeSeconds(retry.After)}, true
	case errors.As(err, &unauthenticated):
		return problem{
			status: http.StatusUnauthorized, message: "the client is not authenticated", challenge: clientChallenge,
			code: invalidClient, why: string(unauthenticated.Reason),
		}, true
	case errors.As(err, &document):
		found := self.Places(document.Findings.Violations())
		listed := found[:min(len(found), maxViolations)]
		return problem{
			status: http.StatusNotFound, message: "the client ID metadata document is not usable: " + document.Message,
			why: string(document.Reason), violations: listed, omitted: len(found) - len(listed), waiting: document.Waiting,
		}, true
	case errors.Is(err, application.ErrNoAudiences):
		return problem{
			status: http.StatusBadRequest, message: "the audiences that the server accepts are missing",
			violations: domain.Findings{breach("/audiences", "must name at least one audience if the form has a client assertion")},
		}, true
	case errors.Is(err, errBodyLate):
		return problem{status: http.StatusRequestTimeout, message: "the body did not arrive in time; send it again"}, true
	case errors.Is(err, errNoToken):
		return problem{status: http.StatusUnauthorized, message: "a bearer token is required", challenge: challenge}, true
	case errors.Is(err, application.ErrUnauthenticated):
		return problem{
			status:    http.StatusUnauthorized,
			message:   "a valid bearer token is required",
			challenge: challenge + `, error="invalid_token", error_description="the access token is malformed, expired or not for this service"`,
		}, true
	case errors.Is(err, application.ErrForbidden):
		message, scope := explainForbidden(err)
		return problem{
			status:    http.StatusForbidden,
			message:   message,
			challenge: challenge + `, error="insufficient_scope"` + scope,
		}, true
	case errors.Is(err, application.ErrNoSuchRevision):
		return problem{status: http.StatusNotFound, message: "the client has no such revision"}, true
	case errors.Is(err, domain.ErrNoSuchSecret):
		return problem{status: http.StatusNotFound, message: "the client has no such secret"}, true
	case errors.Is(err, domain.ErrNoSecretUse):
		return problem{
			status:  http.StatusBadRequest,
			message: "no authentication method of the client uses a secret; add client_secret_basic or client_secret_post first",
		}, true
	case errors.Is(err, domain.ErrLastSecret):
		return problem{
			status:  http.StatusBadRequest,
			message: "the last active secret cannot be deleted; rotate it, or change the authentication methods",
		}, true
	case errors.Is(err, domain.ErrSecretExpired):
		return problem{
			status: http.StatusBadRequest, message: "the expiry time of the secret is in the past",
			violations: domain.Findings{breach("/expires_at", "must be in the future")},
		}, true
	case errors.Is(err, domain.ErrSecretExpiryRange):
		return problem{
			status: http.StatusBadRequest, message: "the expiry time of the secret is out of range",
			violations: domain.Findings{breach("/expires_at", "must be between the years 0001 and 9999 in UTC; omit it for a secret that does not expire")},
		}, true
	case errors.Is(err, domain.ErrSecretExpiryTooFar):
		return problem{
			status: http.StatusBadRequest, message: "the expiry time of the secret is out of range",
			violations: domain.Findings{breach("/expires_at",
				fmt.Sprintf("must be at most %d years from now; omit it for a secret that does not expire", domain.MaxSecretYears))},
		}, true
	case errors.Is(err, domain.ErrSecretsUnreadable):
		return problem{
			status:  http.StatusInternalServerError,
			message: "the stored secrets of this client cannot be read; the operator can repair them with clientele doctor",
		}, true
	case errors.Is(err, application.ErrUnreadable):
		return problem{
			status:  http.StatusInternalServerError,
			message: "the stored record cannot be read; the operator can find it with clientele doctor",
		}, true
	case errors.Is(err, application.ErrCursor):
		return problem{
			status: http.StatusBadRequest, message: "unknown cursor; start again from a snapshot or list and its changes_cursor",
			violations: domain.Findings{breach("?after", "the query parameter after does not refer to a change in the history of this feed")},
		}, true
	case errors.Is(err, domain.ErrTooManySecrets):
		return problem{status: http.StatusConflict, message: "the client has two active secrets; delete one, or rotate"}, true
	case errors.Is(err, domain.ErrDocumentClient):
		return problem{status: http.StatusConflict, message: "a client ID metadata document defines this client, so it cannot manage a registration"}, true
	case errors.Is(err, domain.ErrNoRegistrationToken):
		return problem{status: http.StatusNotFound, message: "the client has no registration access token"}, true
	case errors.Is(err, application.ErrNoSuchToken):
		return problem{status: http.StatusNotFound, message: "there is no such initial access token"}, true
	case errors.Is(err, application.ErrRegistrationOff):
		return problem{status: http.StatusNotFound, message: "registration is switched off for this tenant in the registration file of the service"}, true
	case errors.Is(err, application.ErrManagementOff):
		return problem{
			status:  http.StatusConflict,
			message: "management is switched off for this tenant in the registration file of the service, so a registration access token would not work",
		}, true
	case errors.Is(err, application.ErrSoftwareTaken):
		return problem{status: http.StatusConflict, message: "another client has the software_id of this client; delete that one first"}, true
	case errors.Is(err, application.ErrTaken):
		return problem{status: http.StatusConflict, message: "the client_id is in use, or belongs to a deleted client"}, true
	case errors.Is(err, application.ErrQuota):
		return problem{
			status:  http.StatusConflict,
			message: "the tenant has reached its limit of clients; delete clients that are not needed, or ask the operator for a higher limit",
		}, true
	case errors.Is(err, application.ErrListTime):
		return problem{
			status:     http.StatusServiceUnavailable,
			message:    "the list took too long; use more selective filters, or page through by cursor with limit and after instead of page",
			retryAfter: 1,
		}, true
	case errors.Is(err, domain.ErrNotDeleted):
		return problem{status: http.StatusConflict, message: "the client is not deleted"}, true
	case errors.Is(err, application.ErrKeyReused):
		return problem{status: http.StatusConflict, message: "this Idempotency-Key was already used for a different request"}, true
	case errors.Is(err, application.ErrTooManyRequests):
		return problem{status: http.StatusTooManyRequests, message: "too many requests; slow down", retryAfter: 1}, true
	case errors.Is(err, application.ErrNotFound):
		return problem{status: http.StatusNotFound, message: "client not found"}, true
	case errors.Is(err, application.ErrExists):
		return problem{
			status:  http.StatusPreconditionFailed,
			message: "the client exists or is at this revision, but If-None-Match requires that it does not or is not",
		}, true
	case errors.Is(err, application.ErrPreconditionFailed):
		return problem{
			status:  http.StatusPreconditionFailed,
			message: "the client was changed in the meantime; read it again and retry",
		}, true
	case errors.Is(err, application.ErrConflict):
		return problem{
			status:     http.StatusServiceUnavailable,
			message:    "too many concurrent changes of this client; this request changed nothing",
			retryAfter: 1,
		}, true
	case errors.Is(err, errTooManyReaders):
		return problem{
			status: http.StatusTooManyRequests, retryAfter: 1,
			message: "too many requests of this caller or tenant are waiting for changes; wait for their responses first",
		}, true
	case errors.Is(err, errTooManySnapshots):
		return problem{
			status: http.StatusTooManyRequests, retryAfter: 1,
			message: "too many snapshots of this caller or tenant are in progress; wait for them to end",
		}, true
	case errors.Is(err, errOverloaded):
		return problem{status: http.StatusServiceUnavailable, message: "the service is overloaded; retry shortly", retryAfter: 1}, true
	case errors.Is(err, application.ErrTooManyVerifications):
		return problem{
			status: http.StatusServiceUnavailable, retryAfter: 1,
			message: "too many secrets are being verified against hashes of other systems; retry shortly",
		}, true
	case errors.Is(err, application.ErrUnavailable):
		return problem{status: http.StatusServiceUnavailable, message: "temporarily unavailable", retryAfter: 1}, true
	default:
		return problem{status: http.StatusInternalServerError, message: "internal server error"}, false
	}
}

// writeError responds with the problem for err, and logs internal errors and
// rejections that operators may have to act on.
func (s *server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	op := requestStateOf(r.Context()).operation
	if op != nil && op.registration {
		s.writeRegistrationError(w, r, err)
		return
	}
	p, known := problemOf(err, op)
	if invalid, ok := errors.AsType[*application.InvalidError](err); ok {
		for _, v := range invalid.Findings.Violations() {
			s.observer.RuleViolated(v.Rule)
		}
	}
	switch {
	case !known:
		s.log.ErrorContext(r.Context(), "internal error", "request_id", requestStateOf(r.Context()).requestID, "error", err)
	case p.status == http.StatusForbidden:
		s.logForbidden(r, err)
	case p.code != "":
		s.logUnauthenticated(r, err)
	case p.status >= http.StatusInternalServerError, p.status == http.StatusUnauthorized:
		s.log.WarnContext(r.Context(), "request rejected", "request_id", requestStateOf(r.Context()).requestID, "error", err)
	}
	s.writeProblem(w, r, p)
}

// writeBindingError responds to a request with a parameter that the generated binding
// cannot read. Bodies were already decoded, see checkContract.
func (s *server) writeBindingError(w http.ResponseWriter, r *http.Request, err error) {
	broken := &contractError{status: http.StatusBadRequest, message: "a parameter of the request cannot be read"}
	if format, ok := errors.AsType[*api.InvalidParamFormatError](err); ok {
		broken.message = fmt.Sprintf("the parameter %s cannot be read", format.ParamName)
	}
	s.writeError(w, r, broken)
}

func (s *server) writeProblem(w http.ResponseWriter, r *http.Request, p problem) {
	setProblemHeaders(w, p)
	if p.omitted > 0 {
		p.message += "; the first " + strconv.Itoa(len(p.violations)) + " are listed, and " + strconv.Itoa(p.omitted) + " more are not"
	}
	s.respond(p.status, p.status, p.message, func(w *jsonobject.Writer) {
		if len(p.violations) > 0 {
			contract.WriteFindings(w, "violations", p.violations)
		}
		if p.waiting != nil {
			writeDocument(w, p.waiting)
		}
		w.TextUnlessEmpty("error", p.code)
		w.TextUnlessEmpty("reason", p.why)
		if p.retryAfter > 0 {
			w.Int("retry_after", int64(p.retryAfter))
		}
		if p.omitted > 0 {
			w.Int("violations_omitted", int64(p.omitted))
		}
	}).write(w, r)
}

// setProblemHeaders sets the headers of an error response.
func setProblemHeaders(w http.ResponseWriter, p problem) {
	if p.challenge != "" {
		w.Header().Set("WWW-Authenticate", p.challenge)
	}
	if p.accepts != "" {
		w.Header().Set("Accept-Encoding", p.accepts)
	}
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
}

// explainForbidden returns a message about the missing permission or tenant, and the
// scope parameter of the challenge (RFC 6750 §3).
func explainForbidden(err error) (message, scope string) {
	forbidden, ok := errors.AsType[*application.ForbiddenError](err)
	if !ok {
		return "administrator role required", ""
	}
	var missing []string
	if p := string(forbidden.Permission); p != "" {
		needed := "administrator role required, or the scope " + p
		if !slices.Contains(application.AdministratorPermissions(), forbidden.Permission) {
			needed = "the scope " + p + " is required"
		}
		missing = append(missing, needed)
		scope = `, scope="` + p + `"`
	}
	switch forbidden.Role {
	case application.RoleOK:
	case application.RoleForOperation:
		missing = append(missing, "administrator role required for this operation")
	case application.RoleForSecretHash:
		missing = append(missing, "administrator role required for secret_hash")
	}
	switch forbidden.Tenant {
	case application.TenantOK:
	case application.TenantMissing:
		missing = append(missing, "the access token has no tenant")
	case application.TenantNotChosen:
		missing = append(missing, "with the platform role, set the header X-Tenant-Id to the tenant to act in")
	case application.TenantForeign:
		missing = append(missing, "X-Tenant-Id is not the tenant of the access token; only the platform role may act in another tenant")
	case application.TenantsForeign:
		missing = append(missing, "tenants=all needs the platform role")
	}
	return strings.Join(missing, "; "), scope
}
