package rest

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"
)

// errOverloaded turns a request away before any work is done for it.
var errOverloaded = errors.New("too many concurrent requests")

// longestQueue is how long a request waits for others to be done.
const longestQueue = time.Second

// admission bounds how many requests are worked on at once. As many again wait
// for a moment; the others are better told at once than served late.
type admission struct {
	places  chan struct{}
	waiting atomic.Int64
}

func newAdmission(limit int) *admission { return &admission{places: make(chan struct{}, limit)} }

// enter takes a place, to be given back by leave. The error is [errOverloaded].
func (a *admission) enter(ctx context.Context) error {
	select {
	case a.places <- struct{}{}:
		return nil
	default:
	}
	defer a.waiting.Add(-1)
	if a.waiting.Add(1) > int64(cap(a.places)) {
		return errOverloaded
	}
	timer := time.NewTimer(longestQueue)
	defer timer.Stop()
	select {
	case a.places <- struct{}{}:
		return nil
	case <-timer.C:
	case <-ctx.Done():
	}
	return errOverloaded
}

func (a *admission) leave() { <-a.places }

// admit lets in as much as may be worked on at once. It comes after the body was
// read, so that slow senders keep no other caller out, and before it is checked. A
// request that waits for changes does no work, and has limits of its own.
func (s *server) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if waits(r) {
			x := requestStateOf(r.Context())
			if err := s.following.enter(x.payer(), x.caller.Tenant); err != nil {
				s.observer.RequestShed("readers")
				s.writeError(w, r, err)
				return
			}
			s.observer.ReadersWaiting(1)
			defer func() {
				s.following.leave(x.payer(), x.caller.Tenant)
				s.observer.ReadersWaiting(-1)
			}()
		} else {
			if err := s.working.enter(r.Context()); err != nil {
				s.observer.RequestShed("load")
				s.writeError(w, r, err)
				return
			}
			defer s.working.leave()
		}
		next.ServeHTTP(w, r)
	})
}

// waits reports whether the request may wait for changes.
func waits(r *http.Request) bool {
	return r.URL.Path == changesPath && r.URL.Query().Has("wait_seconds")
}
