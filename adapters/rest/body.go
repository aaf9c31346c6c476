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

// Bodies in memory. A body counts with its size from before its first byte is
// read until the response is written.
const (
	// bodyMemory bounds the bodies in memory at once, in bytes.
	bodyMemory = 32 << 20
	// callerShare bounds those of one caller, so that no caller keeps the
	// others out.
	callerShare = bodyMemory / 4
	// leastBody is what the smallest body counts: about what the connection and
	// the goroutine of its request take.
	leastBody = 16 << 10
	// maxBodiesWaiting bounds how many requests wait for memory for their
	// bodies, and callerWaiting those of one caller.
	maxBodiesWaiting = 1024
	callerWaiting    = maxBodiesWaiting / 4
)

// longestBody is how long a body may take to arrive; the deadline of the request
// is the other bound.
const longestBody = 10 * time.Second

// longestRest is how long the service receives the rest of a body that it does
// not read, so that the sender gets the response.
const longestRest = time.Second

// errBodyLate is a body that did not arrive in time.
var errBodyLate = errors.New("the body did not arrive in time")

// readBody reads the body of a request whose operation has one.
//
// It comes after everything that needs no body (token, permission, the rate of
// the caller), so nothing is read for a request that is rejected anyway; and
// before [server.admit], so a slow sender does not hold a place among the
// requests that are worked on. What a slow sender does hold is bounded in three
// ways: the memory for bodies is reserved before the first byte is read, for all
// callers together and for each caller (see [bodyBudget]); a body may take
// [longestBody]; and the size of a body is limited for each operation
// (x-max-body-bytes in openapi.yaml).
func (s *server) readBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := requestStateOf(r.Context())
		if x.operation.body == nil || !x.operation.bodyRequired && r.ContentLength == 0 {
			next.ServeHTTP(w, r)
			return
		}
		size, err := x.operation.bodySize(r)
		if err != nil {
			s.rejectUnread(w, r, err)
			return
		}
		give, err := s.bodyBudget.take(r.Context(), x.payer(), size)
		if err != nil {
			s.shed(err)
			s.rejectUnread(w, r, err)
			return
		}
		defer give()
		if x.body, err = s.receive(w, r, x.operation); err != nil {
			s.writeError(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// bodySize is what the body of the request can come to, by what the headers say.
func (op *operation) bodySize(r *http.Request) (int64, error) {
	for _, coding := range r.Header.Values("Content-Encoding") {
		if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
			return 0, &contractError{
				status: http.StatusUnsupportedMediaType, message: "send the body without a content coding; Content-Encoding is not supported",
				accepts: "identity",
			}
		}
	}
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := strings.ToLower(parameters["charset"])
	if err != nil || kind != "application/json" || charset != "" && charset != "utf-8" || len(r.Header.Values("Content-Type")) > 1 {
		return 0, &contractError{status: http.StatusUnsupportedMediaType, message: "send the body as application/json"}
	}
	if r.ContentLength > op.bodyLimit {
		return 0, op.tooLarge()
	}
	if r.ContentLength < 0 { // chunked: it can come to the limit
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

// receive reads the whole body, within the time that it may take.
func (s *server) receive(w http.ResponseWriter, r *http.Request, op *operation) ([]byte, error) {
	until := time.Now().Add(longestBody)
	if deadline, ok := r.Context().Deadline(); ok && deadline.Before(until) {
		until = deadline
	}
	// A recorder, as tests use, has no deadline to set, and its body is there.
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
	_ = control.SetReadDeadline(time.Time{}) // for the next request on the connection the server sets its own
	return body.Bytes(), nil
}

// rejectUnread responds to a request whose body is not read. The HTTP server
// receives the rest of a short body, so that the connection can be used again and
// the sender gets the response; a slow sender does not hold the connection by it.
func (s *server) rejectUnread(w http.ResponseWriter, r *http.Request, err error) {
	if r.ContentLength != 0 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(longestRest))
	}
	s.writeError(w, r, err)
}

// bodyBudget is the memory for request bodies. It is safe for concurrent use.
type bodyBudget struct {
	total, share int64 // bytes, of all callers and of each one

	mu      sync.Mutex
	taken   int64
	callers map[string]*payer
	waiting []*bodyWaiter // in the order in which they came
}

// payer is what one caller has of the budget.
type payer struct {
	taken   int64
	waiting int
}

// bodyWaiter is a request that waits for memory.
type bodyWaiter struct {
	caller string
	size   int64
	got    chan struct{} // closed when it has the memory
}

func newBodyBudget() *bodyBudget {
	return &bodyBudget{total: bodyMemory, share: callerShare, callers: map[string]*payer{}}
}

// take reserves memory for a body of that size, and waits for it no longer than
// [longestQueue]; give gives it back. The error is [application.ErrTooManyRequests]
// if the caller has its share already, and [errOverloaded] if all memory is taken.
func (b *bodyBudget) take(ctx context.Context, caller string, size int64) (give func(), err error) {
	size = max(size, leastBody)
	give = func() { b.give(caller, size) }
	b.mu.Lock()
	p := b.callers[caller]
	if p == nil {
		p = &payer{}
		b.callers[caller] = p
	}
	if b.fits(p, size) {
		b.taken, p.taken = b.taken+size, p.taken+size
		b.mu.Unlock()
		return give, nil
	}
	if len(b.waiting) >= maxBodiesWaiting || p.waiting >= callerWaiting {
		defer b.mu.Unlock()
		return nil, b.refusal(caller, size)
	}
	waiter := &bodyWaiter{caller: caller, size: size, got: make(chan struct{})}
	b.waiting = append(b.waiting, waiter)
	p.waiting++
	b.mu.Unlock()

	timer := time.NewTimer(longestQueue)
	defer timer.Stop()
	select {
	case <-waiter.got:
		return give, nil
	case <-timer.C:
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-waiter.got: // at the last moment
		return give, nil
	default:
	}
	b.waiting = slices.DeleteFunc(b.waiting, func(other *bodyWaiter) bool { return other == waiter })
	p.waiting--
	return nil, b.refusal(caller, size)
}

// fits reports whether there is memory for the body of the caller.
func (b *bodyBudget) fits(p *payer, size int64) bool {
	return p.taken+size <= b.share && b.taken+size <= b.total
}

// refusal says why there is no memory.
func (b *bodyBudget) refusal(caller string, size int64) error {
	defer b.forget(caller)
	if b.callers[caller].taken+size > b.share {
		return application.ErrTooManyRequests
	}
	return errOverloaded
}

// give gives memory back, and to the requests that wait for it, in their order. A caller
// over its share does not hold up the others.
func (b *bodyBudget) give(caller string, size int64) {
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

// forget drops a caller that has nothing.
func (b *bodyBudget) forget(caller string) {
	if p := b.callers[caller]; p.taken == 0 && p.waiting == 0 {
		delete(b.callers, caller)
	}
}
