package rest

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// MaxBodyBytes bounds the body of every request; x-max-body-bytes in openapi.yaml
// bounds those of each operation.
const MaxBodyBytes = 512 << 10

// TokenVerifier tells who a bearer token speaks for. The error is
// [application.ErrUnauthenticated] or [application.ErrUnavailable].
type TokenVerifier interface {
	Verify(ctx context.Context, token string) (application.Caller, error)
}

// Config is what the handler needs.
type Config struct {
	Registry *application.Registry
	Tokens   TokenVerifier
	// Checks are what the service needs to be ready.
	Checks []Check
	Clock  application.Clock
	Log    *slog.Logger
	// AccessLog gets a line for each request; nil is Log.
	AccessLog *slog.Logger
	// Deadline bounds the work on one request.
	Deadline time.Duration
	// Draining is closed when the service is about to stop: then nobody waits
	// for changes any more. Nil never is.
	Draining <-chan struct{}

	// MaxConcurrent bounds how many requests are worked on at once, and
	// MaxFollowing how many wait for changes; 0 is a bound that nobody meets.
	MaxConcurrent, MaxFollowing int
	// MaxFollowingPerCaller and MaxFollowingPerTenant bound how many requests of one
	// caller, and of one tenant, wait for changes at once; 0 does not bound them.
	MaxFollowingPerCaller, MaxFollowingPerTenant int
	// Notes are what /readyz reports in addition to the checks.
	Notes []Note
	// Callers bounds how often each caller may ask; nil bounds nothing.
	Callers application.Limiter
	// Docs serves /docs and what is below it; nil is nothing there.
	Docs http.Handler
	// Observer hears of requests; nil is nobody.
	Observer Observer
	// Trace wraps the handling of a request; nil does not.
	Trace func(http.Handler) http.Handler
}

// Observer hears of what goes on, to count it.
type Observer interface {
	// RequestDone tells of an answer. The operation is that of openapi.yaml, or
	// "other".
	RequestDone(operation string, status int, took time.Duration)
	// RuleViolated tells of a violation that refused a client.
	RuleViolated(rule string)
	// RequestShed counts a request that was turned away, by "load", "rate" or
	// "readers".
	RequestShed(cause string)
	// ReadersWaiting reports that so many more requests wait for changes, or fewer.
	ReadersWaiting(more int)
}

// nobody is the observer where there is none.
type nobody struct{}

// RequestDone implements [Observer].
func (nobody) RequestDone(string, int, time.Duration) {}

// RuleViolated implements [Observer].
func (nobody) RuleViolated(string) {}

// RequestShed implements [Observer].
func (nobody) RequestShed(string) {}

// ReadersWaiting implements [Observer].
func (nobody) ReadersWaiting(int) {}

// server holds what the middlewares and operations share.
type server struct {
	registry    *application.Registry
	tokens      TokenVerifier
	clock       application.Clock
	log         *slog.Logger
	access      *slog.Logger
	draining    <-chan struct{}
	deadline    time.Duration // of the work on one request
	description *description
	observer    Observer
	callers     application.Limiter
	bodies      sync.Pool // of responses that were sent
	alwaysShown domain.FieldSet

	bodyBudget *bodyBudget

	working   *admission
	following *following
}

// unbounded is a bound that nobody meets.
const unbounded = 1 << 20

func newServer(c Config) *server {
	s := &server{
		registry: c.Registry, tokens: c.Tokens, clock: c.Clock, log: c.Log, draining: c.Draining, deadline: c.Deadline,
		access: cmp.Or(c.AccessLog, c.Log), observer: c.Observer, callers: c.Callers, bodyBudget: newBodyBudget(), alwaysShown: domain.AlwaysShown(),
		working: newAdmission(cmp.Or(c.MaxConcurrent, unbounded)),
		following: newFollowing(cmp.Or(c.MaxFollowing, unbounded), cmp.Or(c.MaxFollowingPerCaller, unbounded),
			cmp.Or(c.MaxFollowingPerTenant, unbounded)),
	}
	if s.observer == nil {
		s.observer = nobody{}
	}
	return s
}

// NewHandler returns the whole HTTP surface of the service.
func NewHandler(c Config) (http.Handler, error) {
	described, err := newDescription(api.Document)
	if err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	s := newServer(c)
	s.description = described

	r := chi.NewRouter()
	if c.Trace != nil {
		r.Use(c.Trace)
	}
	r.Use(s.identify, s.logAccess, s.recoverPanic, forbidStoring, keepEncodedPath, middleware.GetHead)
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		s.writeProblem(w, r, problem{status: http.StatusNotFound, message: "no such endpoint"})
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, req *http.Request) {
		methods := strings.Join(allowed(r, req), ", ")
		w.Header().Set("Allow", methods)
		s.writeProblem(w, req, problem{status: http.StatusMethodNotAllowed, message: "method not allowed; allowed: " + methods})
	})
	s.serveHealth(r, c.Checks, c.Notes)
	r.Get("/openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(api.Document) // a client that is gone needs no answer
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
			s.findOperation, s.authenticate, s.authorize, s.limitRate, s.readBody, s.admit, s.checkContract, s.forbidConditions,
		),
		ErrorHandlerFunc: s.writeBindingError,
	})
	return r, nil
}

// allowed lists the methods that the path knows.
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
	_, _ = w.Write([]byte(text)) // a client that is gone needs no answer
}
