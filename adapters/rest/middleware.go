package rest

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/google/uuid"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// requestIDHeader carries the id by which a request is found in the logs of
// all services that it passed.
const requestIDHeader = "X-Request-Id"

// acceptableRequestID keeps what a caller sends from forging log lines.
var acceptableRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// requestState is what the layers learn about one request on its way in.
type requestState struct {
	requestID   string
	operation   *operation // nil where none was asked for, or not yet found
	caller      application.Caller
	home        domain.TenantID // the tenant of the caller's token
	reason      string
	fingerprint [sha256.Size]byte // of what is asked for; see [application.Idempotency]

	body       []byte          // as it was received; nil once it is checked
	clientID   domain.ClientID // in the body of a registration; empty if omitted
	change     domain.Change   // the configuration in the body
	unread     domain.FieldSet // the fields of the body that break the contract
	violations violations      // of the contract; with any, nothing is changed
}

// options say how a change is to be done that this request asks for.
func (x *requestState) options(dryRun *bool, ifMatch, ifNoneMatch, idempotencyKey *string) application.Options {
	opts := application.Options{DryRun: dryRun != nil && *dryRun, Reason: x.reason, RequestID: x.requestID}
	x.conditions(&opts, ifMatch, ifNoneMatch)
	if x.violations.total() > 0 { // it is judged, and rejected
		opts.DryRun = true
		return opts
	}
	if idempotencyKey != nil {
		opts.Idempotency = &application.Idempotency{Key: *idempotencyKey, Fingerprint: x.fingerprint}
	}
	return opts
}

type requestStateKey struct{}

// requestStateOf returns what is known about the request; the middleware identify
// put it there.
func requestStateOf(ctx context.Context) *requestState {
	if x, ok := ctx.Value(requestStateKey{}).(*requestState); ok {
		return x
	}
	return &requestState{}
}

// identify gives the request its id, the caller's own where it sent one, and
// bounds the work on it.
func (s *server) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &requestState{requestID: r.Header.Get(requestIDHeader), reason: r.Header.Get("X-Change-Reason")}
		if !acceptableRequestID.MatchString(x.requestID) {
			x.requestID = uuid.NewString()
		}
		w.Header().Set(requestIDHeader, x.requestID)
		ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), requestStateKey{}, x), s.longest(w, r))
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// changesPath is where a request may wait for what is to come.
const changesPath = "/admin/oauth/changes"

// longest is how long the request may take; that waiting is no work is for the
// server to know as well.
func (s *server) longest(w http.ResponseWriter, r *http.Request) time.Duration {
	if r.URL.Path != changesPath {
		return s.deadline
	}
	longest := s.deadline + application.MaxWait
	// Where it cannot be set, as in tests, there is no deadline to move.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(2 * longest))
	return longest
}

// logAccess writes one line a request. The path is logged as its route, and
// the query not at all.
func (s *server) logAccess(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		recorder := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		next.ServeHTTP(recorder, r)
		took := time.Since(started)
		x := requestStateOf(r.Context())
		operation := "other"
		if x.operation == nil { // refused before it got there
			x.operation, _ = s.description.operation(r)
		}
		if x.operation != nil {
			operation = x.operation.id
		}
		s.observer.RequestDone(operation, recorder.Status(), took)
		s.access.LogAttrs(r.Context(), slog.LevelInfo, "request",
			slog.String("request_id", x.requestID),
			slog.String("method", r.Method),
			slog.String("route", chi.RouteContext(r.Context()).RoutePattern()),
			slog.Int("status", recorder.Status()),
			slog.Int("bytes", recorder.BytesWritten()),
			slog.Int64("took_us", took.Microseconds()),
			slog.String("subject", x.caller.Subject),
			slog.String("tenant", string(x.caller.Tenant)),
		)
	})
}

// recoverPanic makes a panic one failed request instead of a dead service.
func (s *server) recoverPanic(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { //nolint:contextcheck // the context comes with the request
			switch cause := recover(); cause {
			case nil:
			case http.ErrAbortHandler:
				panic(cause)
			default:
				s.log.ErrorContext(r.Context(), "panic", "request_id", requestStateOf(r.Context()).requestID,
					"cause", cause, "stack", string(debug.Stack()))
				s.writeProblem(w, r, problem{status: http.StatusInternalServerError, message: "internal server error"})
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// keepEncodedPath makes the router match the path as it was sent. The router
// would otherwise see it decoded in some cases, and the generated binding
// decodes what it gets: %2561 would end as "a".
func keepEncodedPath(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.RawPath = r.URL.EscapedPath()
		next.ServeHTTP(w, r)
	})
}
