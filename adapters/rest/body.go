package rest

import (
	"bytes"
	"context"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/clientele-oauth/clientele/application"
)

// Limits for request bodies in memory. The size of a body counts from before its
// first byte is read until the response is written.
const (
	// bodyMemory limits the memory for all bodies together, in bytes.
	bodyMemory = 32 << 20
	// callerShare limits the memory for the bodies of one caller, in bytes, so
	// that no caller can block the others.
	callerShare = bodyMemory / 4
	// minBodyCharge is the minimum that a body counts, in bytes: about the memory
	// of the connection and the goroutine of its request.
	minBodyCharge = 16 << 10
	// maxBodiesWaiting limits how many requests wait for body memory, and
	// callerWaiting how many of one caller.
	maxBodiesWaiting = 1024
	callerWaiting    = maxBodiesWaiting / 4
)

// maxBodyTime is the maximum time to receive a body. The deadline of the request
// applies too.
const maxBodyTime = 10 * time.Second

// maxDiscardTime is the maximum time to receive and discard the rest of an unread
// body, so that the sender gets the response.
const maxDiscardTime = time.Second

// errBodyLate reports a body that did not arrive in time.
var errBodyLate = errors.New("the body did not arrive in time")

// readBody reads the body of a request whose operation has one.
//
// It runs after all checks that need no body (token, permission, rate limit), so
// that nothing is read for a request that is rejected anyway. It runs before
// [server.admit], so that a slow sender does not occupy a slot for concurrent
// requests. Three limits apply to slow senders: memory is reserved before the
// first byte is read, within a total and a share for each caller (see
// [bodyBudget]); a body must arrive within [maxBodyTime]; and each operation has a
// maximum body size (x-max-body-bytes in openapi.yaml).
func (s *server) readBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := requestStateOf(r.Context())
		if !x.operation.takesBody || !x.operation.bodyRequired && r.ContentLength == 0 {
			next.ServeHTTP(w, r)
			return
		}
		size, err := x.operation.bodySize(r, x.registration.acceptsJWT)
		if err != nil {
			s.rejectUnread(w, r, err)
			return
		}
		budget := s.bodyBudget
		if x.operation.registration {
			budget = s.anonymousBudget
		}
		release, err := budget.take(r.Context(), x.limitKey(), size)
		if err != nil {
			s.shed(err)
			s.rejectUnread(w, r, err)
			return
		}
		defer release()
		if x.body, err = s.receive(w, r, x.operation); err != nil {
			s.writeError(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// The media types of a registration request that is a JWT.
const (
	jwtType  = "application/jwt"
	joseType = "application/jose"
)

// bodySize returns the maximum size of the body according to the headers, in bytes. The
// body is JSON or, if jwt is set, it may be a JWT.
func (op *operation) bodySize(r *http.Request, jwt bool) (int64, error) {
	for _, coding := range r.Header.Values("Content-Encoding") {
		if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
			return 0, &contractError{
				status: http.StatusUnsupportedMediaType, message: "send the body without a content coding; Content-Encoding is not supported",
				accepts: "identity",
			}
		}
	}
	accepted, message := []string{jsonType}, "send the body as "+jsonType
	if jwt {
		accepted, message = []string{jsonType, jwtType, joseType}, message+", "+jwtType+" or "+joseType
	}
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := strings.ToLower(parameters["charset"])
	if err != nil || !slices.Contains(accepted, kind) || charset != "" && charset != "utf-8" || len(r.Header.Values("Content-Type")) > 1 {
		return 0, &contractError{status: http.StatusUnsupportedMediaType, message: message}
	}
	if r.ContentLength > op.bodyLimit {
		return 0, op.tooLarge()
	}
	if r.ContentLength < 0 { // chunked: the size is unknown
		return op.bodyLimit, nil
	}
	return r.ContentLength, nil
}

func (op *operation) tooLarge() error {
	return &contractError{
		status:  http.StatusRequestEntityTooLarge,
		message: "the body is larger than " + strconv.FormatInt(op.bodyLimit, 10) + " bytes",
	}
}

// receive reads the whole body within the time limit.
func (s *server) receive(w http.ResponseWriter, r *http.Request, op *operation) ([]byte, error) {
	until := time.Now().Add(maxBodyTime)
	if deadline, ok := r.Context().Deadline(); ok && deadline.Before(until) {
		until = deadline
	}
	// Setting the deadline fails for the recorders of tests, which need none.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(until)
	var body bytes.Buffer
	body.Grow(int(max(min(r.ContentLength, op.bodyLimit), 0)) + bytes.MinRead)
	_, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, op.bodyLimit))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, op.tooLarge()
	case err != nil && !time.Now().Before(until):
		return nil, errBodyLate
	case err != nil:
		return nil, &contractError{status: http.StatusBadRequest, message: "the body ended before it was complete"}
	case body.Len() == 0 && op.bodyRequired:
		return nil, &contractError{status: http.StatusBadRequest, message: "the request has no body; send a JSON object"}
	}
	_ = control.SetReadDeadline(time.Time{}) // the server sets a new deadline for the next request on the connection
	return body.Bytes(), nil
}

// rejectUnread responds to a request whose body is not read. The HTTP server
// receives the rest of a short body, so that the connection can be reused and the
// sender gets the response. The deadline keeps a slow sender from holding the
// connection.
func (s *server) rejectUnread(w http.ResponseWriter, r *http.Request, err error) {
	if r.ContentLength != 0 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(maxDiscardTime))
	}
	s.writeError(w, r, err)
}

// bodyBudget is the memory for request bodies. It is safe for concurrent use.
type bodyBudget struct {
	total, share int64 // bytes; for all callers and for each caller

	mu      sync.Mutex
	taken   int64
	callers map[string]*callerUsage
	waiting []*bodyWaiter // in order of arrival
}

// callerUsage is the use of the budget by one caller.
type callerUsage struct {
	taken   int64
	waiting int
}

// bodyWaiter is a request that waits for memory.
type bodyWaiter struct {
	caller string
	size   int64
	got    chan struct{} // closed when the memory is reserved
}

func newBodyBudget() *bodyBudget {
	return &bodyBudget{total: bodyMemory, share: callerShare, callers: map[string]*callerUsage{}}
}

// newAnonymousBudget returns the memory for the bodies of requests without an access token,
// in addition to that of callers, so that they cannot block those. A share is that of
// a network.
func newAnonymousBudget() *bodyBudget {
	return &bodyBudget{total: bodyMemory / 4, share: callerShare / 4, callers: map[string]*callerUsage{}}
}

// take reserves memory for a body of the given size. It waits up to
// [maxQueueTime]; release returns the memory. The error is
// [application.ErrTooManyRequests] if the caller has used its share, and
// [errOverloaded] if all memory is in use.
func (b *bodyBudget) take(ctx context.Context, caller string, size int64) (release func(), err error) {
	size = max(size, minBodyCharge)
	release = func() { b.release(caller, size) }
	b.mu.Lock()
	p := b.callers[caller]
	if p == nil {
		p = &callerUsage{}
		b.callers[caller] = p
	}
	if b.fits(p, size) {
		b.taken, p.taken = b.taken+size, p.taken+size
		b.mu.Unlock()
		return release, nil
	}
	if len(b.waiting) >= maxBodiesWaiting || p.waiting >= callerWaiting {
		defer b.mu.Unlock()
		return nil, b.rejection(caller, size)
	}
	waiter := &bodyWaiter{caller: caller, size: size, got: make(chan struct{})}
	b.waiting = append(b.waiting, waiter)
	p.waiting++
	b.mu.Unlock()

	timer := time.NewTimer(maxQueueTime)
	defer timer.Stop()
	select {
	case <-waiter.got:
		return release, nil
	case <-timer.C:
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-waiter.got: // reserved at the same time as the timeout
		return release, nil
	default:
	}
	b.waiting = slices.DeleteFunc(b.waiting, func(other *bodyWaiter) bool { return other == waiter })
	p.waiting--
	return nil, b.rejection(caller, size)
}

// fits reports whether memory is available for a body of the caller.
func (b *bodyBudget) fits(p *callerUsage, size int64) bool {
	return p.taken+size <= b.share && b.taken+size <= b.total
}

// rejection returns the reason why no memory is available.
func (b *bodyBudget) rejection(caller string, size int64) error {
	defer b.forget(caller)
	if b.callers[caller].taken+size > b.share {
		return application.ErrTooManyRequests
	}
	return errOverloaded
}

// release returns memory and passes it on to waiting requests in order of arrival. A
// caller over its share does not block the others.
func (b *bodyBudget) release(caller string, size int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken -= size
	b.callers[caller].taken -= size
	b.waiting = slices.DeleteFunc(b.waiting, func(w *bodyWaiter) bool {
		p := b.callers[w.caller]
		if !b.fits(p, w.size) {
			return false
		}
		b.taken, p.taken, p.waiting = b.taken+w.size, p.taken+w.size, p.waiting-1
		close(w.got)
		return true
	})
	b.forget(caller)
}

// forget removes a caller that uses no memory and has no waiting requests.
func (b *bodyBudget) forget(caller string) {
	if p := b.callers[caller]; p.taken == 0 && p.waiting == 0 {
		delete(b.callers, caller)
	}
}
