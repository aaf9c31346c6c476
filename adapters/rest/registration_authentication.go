package rest

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/clientele-oauth/clientele/adapters/internal/metadata/self"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// RegistrationLimits limits the requests of clients that register and manage themselves. A
// nil limiter has no limit.
type RegistrationLimits struct {
	Register     NetworkLimiter        // registrations
	Management   NetworkLimiter        // reading, changing and deleting a registration
	FailedTokens NetworkFailureLimiter // requests with a token that is not valid
}

// registrationState is what the layers know about a request of a client that registers or
// manages itself.
type registrationState struct {
	tenant     domain.TenantID
	clientID   domain.ClientID // in the path; empty for a registration
	token      string          // the bearer token; empty if there is none
	network    string          // see [server.networkOf]
	acceptsJWT bool            // the body may be a JWT

	request   self.Request
	findings  domain.Findings   // about the form of the body
	statement *domain.Statement // of a request that is a JWT
}

// The media types of a registration request that is a JWT.
const (
	jwtType  = "application/jwt"
	joseType = "application/jose"
)

// opRegisterClient is the operation that registers a client. It is no operation of callers.
const opRegisterClient = "registerClient"

// authenticateRegistration checks the requests of clients that register or manage
// themselves, before the body is read, in this order: the switch of the tenant, the rate
// limit, the token. So the response to a request without a valid token reveals nothing else,
// and a tenant that is switched off cannot be distinguished from one that does not exist.
func (s *server) authenticateRegistration(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := requestStateOf(r.Context())
		policy, ok := s.registrationPolicy(r, x)
		if !ok {
			s.rejectUnread(w, r, application.ErrRegistrationOff)
			return
		}
		if policy.Policy.CORS {
			allowOrigins(w)
		}
		err := s.checkRegistrationRate(x)
		if err == nil {
			err = s.checkRegistrationToken(r, x)
		}
		if err != nil {
			s.rejectUnread(w, r, err)
			return
		}
		x.caller.Tenant = x.registration.tenant // for the log
		x.registration.acceptsJWT = x.operation.id == opRegisterClient &&
			slices.ContainsFunc(policy.Issuers, func(i domain.StatementIssuer) bool { return i.RequestJWT })
		next.ServeHTTP(w, r)
	})
}

// registrationPolicy reads the path of the request and returns the policy of its tenant. It
// returns false if the tenant does not exist, or is switched off.
func (s *server) registrationPolicy(r *http.Request, x *requestState) (application.TenantRegistration, bool) {
	tenant, err := url.PathUnescape(chi.URLParam(r, "tenant"))
	if err != nil || tenantName(tenant) != nil {
		return application.TenantRegistration{}, false
	}
	policy, err := s.registry.RegistrationPolicy(domain.TenantID(tenant))
	if err != nil {
		return application.TenantRegistration{}, false
	}
	// A malformed client_id is that of no client.
	id, _ := url.PathUnescape(chi.URLParam(r, "client_id"))
	x.registration.tenant, x.registration.clientID = domain.TenantID(tenant), domain.ClientID(id)
	x.registration.network = s.networkOf(r)
	return policy, true
}

// checkRegistrationRate enforces the rate limit of the network.
func (s *server) checkRegistrationRate(x *requestState) error {
	limit := s.limits.Management
	if x.operation.id == opRegisterClient {
		limit = s.limits.Register
	}
	network := x.registration.network
	if limit != nil && !limit.Allow(network) {
		return s.tooMany(limit.Wait(network))
	}
	return nil
}

// checkRegistrationToken reads and verifies the bearer token, within the limit of failures
// of the network.
func (s *server) checkRegistrationToken(r *http.Request, x *requestState) error {
	token, err := bearerToken(r)
	switch {
	case errors.Is(err, errNoToken):
	case err != nil:
		return fmt.Errorf("%w: %w", application.ErrInvalidToken, err)
	}
	x.registration.token = token
	failures, network := s.limits.FailedTokens, x.registration.network
	if token == "" || failures == nil {
		return s.verifyRegistrationToken(r, x)
	}
	if wait := failures.Wait(network); wait > 0 {
		return s.tooMany(wait)
	}
	err = s.verifyRegistrationToken(r, x)
	if errors.Is(err, application.ErrInvalidToken) {
		failures.Failed(network)
	}
	return err
}

// tooMany returns the rejection of a request that exceeds a rate limit.
func (s *server) tooMany(wait time.Duration) error {
	s.shed(application.ErrTooManyRequests)
	return &application.RetryError{
		Cause: application.ErrTooManyRequests, After: max(wait, time.Second), Message: "too many requests from this address; slow down",
	}
}

// verifyRegistrationToken verifies the token, which a registration in an open tenant does not
// need.
func (s *server) verifyRegistrationToken(r *http.Request, x *requestState) error {
	of := &x.registration
	switch {
	case x.operation.id == opRegisterClient:
		return s.registry.AdmitRegistration(r.Context(), of.tenant, of.token, r.Header.Get("Idempotency-Key") != "")
	case !of.clientID.IsPossible():
		return application.ErrInvalidToken
	default:
		return s.registry.AdmitManagement(r.Context(), of.tenant, of.clientID, of.token)
	}
}

// checkRegistration checks the parameters of a request, and reads its body. Unlike the bodies
// of the admin API, it ignores unknown members.
func (s *server) checkRegistration(r *http.Request, x *requestState) error {
	if err := r.Context().Err(); err != nil {
		return fmt.Errorf("%w: %w", errOverloaded, err)
	}
	found, _ := x.operation.checkParameters(r)
	if x.operation.id == opRegisterClient && x.registration.token == "" && r.Header.Get("Idempotency-Key") != "" {
		found.add(breach("Idempotency-Key", "the parameter Idempotency-Key needs an initial access token"))
	}
	if found.total() > 0 {
		return found.err()
	}
	if !x.operation.takesBody {
		return nil
	}
	of, text := &x.registration, x.body
	x.body = nil
	x.fingerprint = fingerprint(r, text)
	var err error
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != jsonType { // a JWT
		if text, of.statement, err = s.registry.OpenRegistration(r.Context(), of.tenant, of.token, string(text)); err != nil {
			return err
		}
	}
	if of.request, of.findings, err = s.metadata.Read(text); err != nil {
		return &contractError{status: http.StatusBadRequest, message: "the body " + err.Error()}
	}
	return nil
}

// allowOrigins lets web pages of any origin read the response. They cannot use the
// credentials of the browser, and a token is no such credential.
func allowOrigins(w http.ResponseWriter) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Expose-Headers", "ETag, Location, Retry-After, WWW-Authenticate")
}

// servePreflight responds to the preflight requests of web pages that register clients
// (Fetch §4.8), for tenants whose policy allows them. For all others, the method is not
// allowed, as for any other path.
func (s *server) servePreflight(r chi.Router, notAllowed http.HandlerFunc) {
	const path = "/oauth/{tenant}/register"
	for pattern, methods := range map[string]string{path: "POST", path + "/{client_id}": "GET, PUT, DELETE"} {
		r.Options(pattern, func(w http.ResponseWriter, r *http.Request) {
			policy, ok := s.registrationPolicy(r, requestStateOf(r.Context()))
			if !ok || !policy.Policy.CORS {
				notAllowed(w, r)
				return
			}
			allowOrigins(w)
			w.Header().Set("Access-Control-Allow-Methods", methods)
			w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, If-Match")
			w.Header().Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
		})
	}
}
