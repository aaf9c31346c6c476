package rest

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/clientele-oauth/clientele/adapters/internal/metadata/self"
	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// MaxBodyBytes is the maximum size of any request body, in bytes. x-max-body-bytes
// in openapi.yaml sets the limit of each operation.
const MaxBodyBytes = 512 << 10

// TokenVerifier returns the caller that a bearer token represents. The error is
// [application.ErrUnauthenticated] or [application.ErrUnavailable].
type TokenVerifier interface {
	Verify(ctx context.Context, token string) (application.Caller, error)
}

// Config configures the handlers of this package.
type Config struct {
	Registry *application.Registry
	Tokens   TokenVerifier
	// Checks are the readiness checks of /readyz.
	Checks []Check
	Clock  application.Clock
	Log    *slog.Logger
	// Deadline is the maximum time to process a request.
	Deadline time.Duration
	// Draining is closed when the service begins to shut down: then requests
	// stop waiting for changes. A nil channel is never closed.
	Draining <-chan struct{}

	// MaxConcurrent is the maximum number of concurrent requests, and
	// MaxFollowing the maximum number that wait for changes; 0 means no limit.
	MaxConcurrent, MaxFollowing int
	// MaxFollowingPerCaller and MaxFollowingPerTenant limit how many requests of one
	// caller and of one tenant wait for changes at once; 0 means no limit.
	MaxFollowingPerCaller, MaxFollowingPerTenant int
	// Notes are reported by /readyz in addition to the checks.
	Notes []Note
	// Callers limits the request rate of each caller; nil means no limit.
	Callers application.Limiter
	// PublicURL is the URL at which others reach the service, without a slash at the end.
	// If it is set, the public keys of clients can be read without a token.
	PublicURL string
	// Addresses limits the rate of requests without a token; nil means no limit.
	Addresses NetworkLimiter
	// Registrations limits the requests of clients that register and manage themselves.
	Registrations RegistrationLimits
	// TrustedProxies are the networks whose X-Forwarded-For header says where a request comes
	// from.
	TrustedProxies []netip.Prefix
	// Docs serves /docs and the paths below it; if nil, they return 404.
	Docs http.Handler
	// Observer receives events for metrics; optional.
	Observer Observer
	// Trace is a middleware around the handling of each request; optional.
	Trace func(http.Handler) http.Handler
}

// Observer receives events for metrics.
type Observer interface {
	// RequestDone reports a response. The operation is an operationId of
	// openapi.yaml, or "other".
	RequestDone(operation string, status int, took time.Duration)
	// RuleViolated reports a violation that caused a client to be rejected.
	RuleViolated(rule string)
	// ClientAuthenticated reports the result of a request to authenticate a client:
	// "authenticated", "undecided" or a [domain.AuthFailure].
	ClientAuthenticated(result string)
	// RequestShed counts a rejected request; cause is "load", "rate", "readers" or
	// "snapshots".
	RequestShed(cause string)
	// ReadersWaiting reports a change in the number of requests that wait for
	// changes; more is negative if there are fewer.
	ReadersWaiting(more int)
}

// noObserver is used if no observer is configured.
type noObserver struct{}

// RequestDone implements [Observer].
func (noObserver) RequestDone(string, int, time.Duration) {}

// RuleViolated implements [Observer].
func (noObserver) RuleViolated(string) {}

// ClientAuthenticated implements [Observer].
func (noObserver) ClientAuthenticated(string) {}

// RequestShed implements [Observer].
func (noObserver) RequestShed(string) {}

// ReadersWaiting implements [Observer].
func (noObserver) ReadersWaiting(int) {}

// server holds the state that the middlewares and operations share.
type server struct {
	registry    *application.Registry
	tokens      TokenVerifier
	clock       application.Clock
	log         *slog.Logger
	draining    <-chan struct{}
	deadline    time.Duration // maximum time to process a request
	description *description
	observer    Observer
	callers     application.Limiter
	addresses   NetworkLimiter
	publicURL   string
	limits      RegistrationLimits
	proxies     []netip.Prefix
	metadata    *self.Reader
	bodies      sync.Pool // buffers of sent responses, for reuse
	alwaysShown domain.FieldSet

	bodyBudget      *bodyBudget
	anonymousBudget *bodyBudget // for requests without an access token

	working   *admission
	anonymous *admission // requests without an access token
	following *following
	snapshots *following
}

// unbounded is a limit that is never reached in practice.
const unbounded = 1 << 20

func newServer(c Config) *server {
	s := &server{
		registry: c.Registry, tokens: c.Tokens, clock: c.Clock, log: c.Log, draining: c.Draining, deadline: c.Deadline,
		observer: c.Observer, callers: c.Callers, bodyBudget: newBodyBudget(), alwaysShown: domain.AlwaysShown(),
		addresses: c.Addresses, publicURL: c.PublicURL, limits: c.Registrations, proxies: c.TrustedProxies,
		anonymousBudget: newAnonymousBudget(),
		working:         newAdmission(cmp.Or(c.MaxConcurrent, unbounded)),
		anonymous:       newAdmission(max(cmp.Or(c.MaxConcurrent, unbounded)/4, 1)),
		snapshots:       newFollowing(maxSnapshots, maxSnapshotsPerCaller, maxSnapshotsPerTenant),
		following: newFollowing(cmp.Or(c.MaxFollowing, unbounded), cmp.Or(c.MaxFollowingPerCaller, unbounded),
			cmp.Or(c.MaxFollowingPerTenant, unbounded)),
	}
	if s.observer == nil {
		s.observer = noObserver{}
	}
	return s
}

// NewHandler returns the handler of the public listener: the API, /healthz, /readyz,
// /openapi.yaml and /docs. The error reports an invalid openapi.yaml.
func NewHandler(c Config) (http.Handler, error) {
	described, err := newDescription()
	if err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	s := newServer(c)
	s.description = described
	if s.metadata, err = self.NewReader(); err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}

	r := chi.NewRouter()
	if c.Trace != nil {
		r.Use(c.Trace)
	}
	r.Use(s.identify, s.logAccess, s.recoverPanic, forbidStoring, keepEncodedPath, middleware.GetHead)
	r.NotFound(s.writeNoEndpoint)
	notAllowed := func(w http.ResponseWriter, req *http.Request) {
		methods := strings.Join(allowed(r, req), ", ")
		w.Header().Set("Allow", methods)
		s.writeProblem(w, req, problem{status: http.StatusMethodNotAllowed, message: "method not allowed; allowed: " + methods})
	}
	r.MethodNotAllowed(notAllowed)
	s.servePreflight(r, notAllowed)
	s.serveHealth(r, c.Checks, c.Notes)
	r.Get("/openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(api.Document) // fails only if the client has disconnected
	})
	if c.Docs != nil {
		r.Method(http.MethodGet, "/docs", c.Docs)
		r.Method(http.MethodGet, "/docs/*", c.Docs)
	}
	strict := api.NewStrictHandlerWithOptions(s, nil, api.StrictHTTPServerOptions{
		RequestErrorHandlerFunc:  s.writeBindingError,
		ResponseErrorHandlerFunc: s.writeError,
	})
	api.HandlerWithOptions(strict, api.ChiServerOptions{
		BaseRouter: r.With(
			s.findOperation, s.identifyCaller, s.readBody, s.admit, s.checkContract, s.forbidConditions,
		),
		ErrorHandlerFunc: s.writeBindingError,
	})
	return r, nil
}

// writeNoEndpoint responds to a request for a path that the service does not have.
func (s *server) writeNoEndpoint(w http.ResponseWriter, r *http.Request) {
	s.writeProblem(w, r, problem{status: http.StatusNotFound, message: "no such endpoint"})
}

// allowed lists the methods that the path supports.
func allowed(router chi.Routes, r *http.Request) []string {
	var methods []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if router.Match(chi.NewRouteContext(), method, r.URL.EscapedPath()) {
			methods = append(methods, method)
			if method == http.MethodGet {
				methods = append(methods, http.MethodHead) // a GET without its body (RFC 9110 §9.3.2)
			}
		}
	}
	return slices.Clip(methods)
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // fails only if the client has disconnected
}
