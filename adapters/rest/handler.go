package rest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/application"
)

// MaxBodyBytes bounds the body of a request.
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
	// Ready returns nil where the service can serve.
	Ready func(ctx context.Context) error
	Clock application.Clock
	Log   *slog.Logger
	// Deadline bounds the work on one request.
	Deadline time.Duration
	// Draining is closed when the service is about to stop: then nobody waits
	// for changes any more. Nil never is.
	Draining <-chan struct{}
}

// server holds what the middlewares and operations share.
type server struct {
	registry *application.Registry
	tokens   TokenVerifier
	clock    application.Clock
	log      *slog.Logger
	draining <-chan struct{}
}

// NewHandler returns the whole HTTP surface of the service.
func NewHandler(c Config) (http.Handler, error) {
	contract, err := newContract(api.Document)
	if err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	s := &server{registry: c.Registry, tokens: c.Tokens, clock: c.Clock, log: c.Log, draining: c.Draining}

	r := chi.NewRouter()
	r.Use(s.identify, s.logAccess, s.recoverPanic, deadline(c.Deadline), keepEncodedPath, middleware.GetHead)
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		s.writeProblem(w, r, problem{status: http.StatusNotFound, message: "there is nothing at this path"})
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Allow", strings.Join(allowed(r, req), ", "))
		s.writeProblem(w, req, problem{status: http.StatusMethodNotAllowed, message: "this path does not know the method"})
	})
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "alive\n") })
	r.Get("/readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := c.Ready(r.Context()); err != nil {
			s.log.WarnContext(r.Context(), "not ready", "error", err)
			writeText(w, http.StatusServiceUnavailable, "not ready\n")
			return
		}
		writeText(w, http.StatusOK, "ready\n")
	})
	r.Get("/openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(api.Document) // a client that is gone needs no answer
	})
	strict := api.NewStrictHandlerWithOptions(s, nil, api.StrictHTTPServerOptions{
		RequestErrorHandlerFunc:  s.writeBindingError,
		ResponseErrorHandlerFunc: s.writeError,
	})
	api.HandlerWithOptions(strict, api.ChiServerOptions{
		BaseRouter:       r.With(s.authenticate, s.checkContract(contract)),
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
