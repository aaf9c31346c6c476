package rest

import (
	"errors"
	"fmt"
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
	key        string          // the Idempotency-Key; empty if there is none, or if it is not valid
	acceptsJWT bool            // the body may be a JWT

	request   self.Request
	findings  domain.Findings   // about the form of the body
	statement *domain.Statement // of a request that is a JWT
}

// opRegisterClient is the operation that registers a client. It is no operation of callers.
const opRegisterClient = "registerClient"

// authenticateRegistration checks the requests of clients that register or manage
// themselves, before the body is read, in this order: the switch of the tenant, the rate
// limit, the token. So the response to a request without a valid token reveals nothing else,
// and a tenant that is switched off cannot be distinguished from one that does not exist.
func (s *server) authenticateRegistration(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := requestStateOf(r.Context())
		policy, ok := s.readRegistrationPath(r, x)
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
		x.reason = ""                           // X-Change-Reason is for administrators
		x.registration.acceptsJWT = x.operation.id == opRegisterClient &&
			slices.ContainsFunc(policy.Issuers, func(i domain.StatementIssuer) bool { return i.RequestJWT })
		next.ServeHTTP(w, r)
	})
}

// readRegistrationPath reads the tenant and the client in the path of the request, and
// returns the policy of the tenant. It returns false if the tenant does not exist, or is
// switched off.
func (s *server) readRegistrationPath(r *http.Request, x *requestState) (application.TenantRegistration, bool) {
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
		return s.rateExceeded(limit.Wait(network))
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
	x.registration.key = x.operation.validHeader(r, "Idempotency-Key")
	failures, network := s.limits.FailedTokens, x.registration.network
	if token == "" || failures == nil {
		return s.verifyRegistrationToken(r, x)
	}
	if wait := failures.Wait(network); wait > 0 {
		return s.rateExceeded(wait)
	}
	err = s.verifyRegistrationToken(r, x)
	if errors.Is(err, application.ErrInvalidToken) {
		failures.Failed(network)
	}
	return err
}

// rateExceeded returns the rejection of a request that exceeds a rate limit.
func (s *server) rateExceeded(wait time.Duration) error {
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
		return s.registry.MayRegister(r.Context(), of.tenant, of.token, of.key)
	case !of.clientID.IsPossible():
		return application.ErrInvalidToken
	default:
		return s.registry.MayManage(r.Context(), of.tenant, of.clientID, of.token)
	}
}
