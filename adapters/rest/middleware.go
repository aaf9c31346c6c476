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

// requestIDHeader contains the id that identifies a request in the logs of all
// services that it passed through.
const requestIDHeader = "X-Request-Id"

// acceptableRequestID limits the ids that callers may send, so that an id cannot
// forge log lines.
var acceptableRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// requestState holds what the layers know about one request.
type requestState struct {
	requestID   string
	operation   *operation // nil if there is none, or until it is found
	caller      application.Caller
	tokenTenant domain.TenantID // the tenant of the caller's token
	reason      string
	head        bool              // the request is a HEAD, so the response has no body
	extend      func()            // gives a snapshot more time; see [server.identify]
	fingerprint [sha256.Size]byte // see [application.Idempotency]

	body       []byte          // as received; nil after it is checked
	clientID   domain.ClientID // in the body of a registration; empty if omitted
	secretHash string          // in the body of a registration; empty if omitted
	change     domain.Change   // the configuration in the body
	unread     domain.FieldSet // fields of the body that violate the contract
	violations violations      // of the contract; if there are any, nothing is changed

	registration registrationState // of a request of a client that registers or manages itself
}

// options returns the options of the change that the request makes.
func (x *requestState) options(dryRun *bool, ifMatch, ifNoneMatch, idempotencyKey *string) application.Options {
	opts := application.Options{DryRun: dryRun != nil && *dryRun, Reason: x.reason, RequestID: x.requestID}
	conditions(&opts, ifMatch, ifNoneMatch)
	if x.violations.total() > 0 { // the request is validated, then rejected
		opts.DryRun = true
		return opts
	}
	if idempotencyKey != nil {
		opts.Idempotency = &application.Idempotency{Key: *idempotencyKey, Fingerprint: x.fingerprint}
	}
	return opts
}

type requestStateKey struct{}

// requestStateOf returns the state of the request, which the middleware identify
// creates.
func requestStateOf(ctx context.Context) *requestState {
	if x, ok := ctx.Value(requestStateKey{}).(*requestState); ok {
		return x
	}
	return &requestState{}
}

// identify sets the id of the request (the caller's own if it sent an acceptable
// one) and its deadline.
func (s *server) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &requestState{requestID: r.Header.Get(requestIDHeader), reason: r.Header.Get("X-Change-Reason")}
		if !acceptableRequestID.MatchString(x.requestID) {
			x.requestID = uuid.NewString()
		}
		w.Header().Set(requestIDHeader, x.requestID)
		x.head = r.Method == http.MethodHead
		ctx := context.WithValue(r.Context(), requestStateKey{}, x)
		if r.URL.Path == snapshotPath {
			var end func()
			ctx, x.extend, end = s.extendable(ctx, w)
			defer end()
		} else {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, s.timeLimit(w, r))
			defer cancel()
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// extendable returns a context that ends after the time limit of a request, as for every
// other request. extend starts the time limit anew, for the context and for the
// connection: a snapshot takes as long as it has pages, and each page has the time of a
// request. end releases the timer.
func (s *server) extendable(parent context.Context, w http.ResponseWriter) (ctx context.Context, extend, end func()) {
	ctx, cancel := context.WithCancel(parent)
	timer := time.AfterFunc(s.deadline, cancel)
	extend = func() {
		timer.Reset(2 * s.deadline)
		// Setting the deadline fails for the recorders of tests, which have none.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(2 * s.deadline))
	}
	end = func() {
		timer.Stop()
		cancel()
	}
	return ctx, extend, end
}

// changesPath is the path where requests may wait for changes.
const changesPath = "/admin/oauth/changes"

// timeLimit returns the maximum time for the request. Requests that may wait for
// changes get more time, and a later write deadline of the HTTP server.
func (s *server) timeLimit(w http.ResponseWriter, r *http.Request) time.Duration {
	if r.URL.Path != changesPath {
		return s.deadline
	}
	limit := s.deadline + application.MaxWait
	// Setting the deadline fails for the recorders of tests, which have none.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(2 * limit))
	return limit
}

// logAccess logs one line per request. It logs the route instead of the path, and
// never the query.
func (s *server) logAccess(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		recorder := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		defer func() { s.logRequest(r, recorder, time.Since(started)) }() // also for a response that is aborted
		next.ServeHTTP(recorder, r)
	})
}

func (s *server) logRequest(r *http.Request, recorder middleware.WrapResponseWriter, took time.Duration) {
	x := requestStateOf(r.Context())
	operation := "other"
	if x.operation == nil { // rejected before findOperation
		x.operation, _ = s.description.operation(r)
	}
	if x.operation != nil {
		operation = x.operation.id
	}
	s.observer.RequestDone(operation, recorder.Status(), took)
	s.log.LogAttrs(r.Context(), slog.LevelInfo, "request",
		slog.String("request_id", x.requestID),
		slog.String("method", r.Method),
		slog.String("route", chi.RouteContext(r.Context()).RoutePattern()),
		slog.Int("status", recorder.Status()),
		slog.Int("bytes", recorder.BytesWritten()),
		slog.Int64("took_us", took.Microseconds()),
		slog.String("subject", x.caller.Subject),
		slog.String("tenant", string(x.caller.Tenant)),
	)
}

// recoverPanic limits the effect of a panic to one failed request.
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
				s.writeFailure(w, r)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// writeFailure responds to a request that caused a panic.
func (s *server) writeFailure(w http.ResponseWriter, r *http.Request) {
	p := problem{status: http.StatusInternalServerError, message: "internal server error"}
	if op := requestStateOf(r.Context()).operation; op != nil && op.registration {
		p.code = serverError
		s.writeRegistrationProblem(w, r, p)
		return
	}
	s.writeProblem(w, r, p)
}

// keepEncodedPath makes the router match the encoded path. Otherwise the router
// decodes it in some cases and the generated binding decodes it again, so that
// %2561 would become "a".
func keepEncodedPath(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.RawPath = r.URL.EscapedPath()
		next.ServeHTTP(w, r)
	})
}
