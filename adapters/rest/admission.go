package rest

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"
)

// errOverloaded rejects a request before any work is done for it.
var errOverloaded = errors.New("too many concurrent requests")

// maxQueueTime is the maximum time that a request waits for a free slot.
const maxQueueTime = time.Second

// admission limits the number of concurrent requests. The same number of requests
// may wait for up to [maxQueueTime]. All others are rejected immediately, because a
// fast rejection is better than a late response.
type admission struct {
	slots   chan struct{}
	waiting atomic.Int64
}

func newAdmission(limit int) *admission { return &admission{slots: make(chan struct{}, limit)} }

// enter takes a slot; leave releases it. The error is [errOverloaded].
func (a *admission) enter(ctx context.Context) error {
	select {
	case a.slots <- struct{}{}:
		return nil
	default:
	}
	defer a.waiting.Add(-1)
	if a.waiting.Add(1) > int64(cap(a.slots)) {
		return errOverloaded
	}
	timer := time.NewTimer(maxQueueTime)
	defer timer.Stop()
	select {
	case a.slots <- struct{}{}:
		return nil
	case <-timer.C:
	case <-ctx.Done():
	}
	return errOverloaded
}

// await takes a slot like enter, but waits until the context ends: for work that has
// begun, so that a rejection would waste what was done.
func (a *admission) await(ctx context.Context) error {
	select {
	case a.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errOverloaded
	}
}

func (a *admission) leave() { <-a.slots }

// admit limits the number of concurrent requests. It runs after the body is read,
// so that slow senders do not block other callers, and before the body is checked.
// A request that waits for changes does no work and has separate limits, and so has a
// snapshot, which takes a slot for each page. Requests without a token have slots of
// their own, so that they cannot take those of callers.
func (s *server) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := requestStateOf(r.Context())
		switch {
		case waits(r):
			if err := s.following.enter(x.limitKey(), x.caller.Tenant); err != nil {
				s.observer.RequestShed("readers")
				s.writeError(w, r, err)
				return
			}
			s.observer.ReadersWaiting(1)
			defer func() {
				s.following.leave(x.limitKey(), x.caller.Tenant)
				s.observer.ReadersWaiting(-1)
			}()
		case r.URL.Path == snapshotPath:
			if err := s.snapshots.enter(x.limitKey(), x.caller.Tenant); err != nil {
				s.observer.RequestShed("snapshots")
				if errors.Is(err, errTooManyReaders) {
					err = errTooManySnapshots
				}
				s.writeError(w, r, err)
				return
			}
			defer s.snapshots.leave(x.limitKey(), x.caller.Tenant)
		default:
			slots := s.working
			if x.operation.public || x.operation.registration {
				slots = s.anonymous
			}
			if err := slots.enter(r.Context()); err != nil {
				s.observer.RequestShed("load")
				s.writeError(w, r, err)
				return
			}
			defer slots.leave()
		}
		next.ServeHTTP(w, r)
	})
}

// waits reports whether the request may wait for changes.
func waits(r *http.Request) bool {
	return r.URL.Path == changesPath && r.URL.Query().Has("wait_seconds")
}
