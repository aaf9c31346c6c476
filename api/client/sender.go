package client

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// firstPause is the longest pause before the second attempt; it doubles.
const firstPause = 200 * time.Millisecond

// sender authenticates requests, repeats what may be repeated, and makes errors
// of refusals.
type sender struct {
	token    TokenSource
	http     *http.Client
	attempts int
	longest  time.Duration
	tenant   string
}

// Repeatable reports whether a request does no harm when it is carried out twice:
// by its method (RFC 9110 §9.2.2), or since an Idempotency-Key makes the service
// recognise it.
func Repeatable(r *http.Request) bool {
	return r.Method != http.MethodPost && r.Method != http.MethodPatch || r.Header.Get("Idempotency-Key") != ""
}

// Do implements [HttpRequestDoer].
func (s *sender) Do(r *http.Request) (*http.Response, error) {
	if s.tenant != "" {
		r.Header.Set("X-Tenant-Id", s.tenant)
	}
	if recognised(r) && r.Header.Get("Idempotency-Key") == "" {
		r.Header.Set("Idempotency-Key", rand.Text())
	}
	for attempt := 1; ; attempt++ {
		answer, err := s.send(r)
		if err == nil && answer.StatusCode < http.StatusBadRequest {
			return answer, nil
		}
		var refusal *ProblemError
		if err == nil {
			refusal = problemOf(answer)
			refusal.Repeated = attempt > 1
			_ = answer.Body.Close()
			err = refusal
		}
		if attempt >= s.attempts || !s.worthAgain(r, refusal) {
			return nil, err
		}
		if pause(r.Context(), s.pauseAfter(attempt, refusal)) != nil {
			return nil, err
		}
		if r.GetBody != nil {
			if r.Body, err = r.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}

// send sends once, with a token of now.
func (s *sender) send(r *http.Request) (*http.Response, error) {
	token, err := s.token(r.Context())
	if err != nil {
		return nil, fmt.Errorf("access token: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return s.http.Do(r)
}

// recognised reports whether the service knows a repetition of the request by its
// Idempotency-Key: registrations, new secrets, rotations.
func recognised(r *http.Request) bool {
	if r.Method != http.MethodPost {
		return false
	}
	path := strings.TrimSuffix(r.URL.Path, "/")
	return strings.HasSuffix(path, "/admin/oauth/clients") || strings.HasSuffix(path, "/secrets") || strings.HasSuffix(path, "/rotate-secret")
}

// worthAgain reports whether the request may succeed when it is sent again, and
// does no harm if it was carried out already. A 429 never was.
func (s *sender) worthAgain(r *http.Request, refusal *ProblemError) bool {
	switch {
	case r.Context().Err() != nil, r.Body != nil && r.Body != http.NoBody && r.GetBody == nil:
		return false
	case refusal == nil: // no answer
		return Repeatable(r)
	case refusal.Status == http.StatusTooManyRequests:
		return true
	case refusal.Status == http.StatusServiceUnavailable, refusal.Status == http.StatusBadGateway,
		refusal.Status == http.StatusGatewayTimeout: // of a proxy, the last two
		return Repeatable(r)
	default:
		return false
	}
}

// pauseAfter is how long to wait after that attempt: what the service asked for,
// and a random part of a time that doubles, so that many do not come back at
// once.
func (s *sender) pauseAfter(attempt int, refusal *ProblemError) time.Duration {
	own := mathrand.N(firstPause << min(attempt-1, 10)) //nolint:gosec // nothing depends on anybody not guessing a pause
	if refusal != nil {
		own += refusal.RetryAfter
	}
	return min(own, s.longest)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retryAfter reads the header in both of its forms (RFC 9110 §10.2.3).
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
