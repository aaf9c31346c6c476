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

// firstPause is the maximum pause before the second attempt. It doubles with each
// attempt.
const firstPause = 200 * time.Millisecond

// sender authenticates and retries requests, and returns error responses as errors.
type sender struct {
	token    TokenSource
	http     *http.Client
	attempts int
	maxPause time.Duration
	tenant   string
}

// Repeatable reports whether a request is safe to send twice: either its method is
// idempotent (RFC 9110 §9.2.2), or it has an Idempotency-Key, by which the service
// recognizes a repeated request.
func Repeatable(r *http.Request) bool {
	return r.Method != http.MethodPost && r.Method != http.MethodPatch || r.Header.Get("Idempotency-Key") != ""
}

// Do implements [HttpRequestDoer].
func (s *sender) Do(r *http.Request) (*http.Response, error) {
	if s.tenant != "" {
		r.Header.Set("X-Tenant-Id", s.tenant)
	}
	if acceptsKey(r) && r.Header.Get("Idempotency-Key") == "" {
		r.Header.Set("Idempotency-Key", rand.Text())
	}
	for attempt := 1; ; attempt++ {
		response, err := s.send(r)
		if err == nil && response.StatusCode < http.StatusBadRequest {
			dropParameters(response.Header)
			return response, nil
		}
		var problem *ProblemError
		if err == nil {
			problem = problemOf(response)
			problem.Repeated = attempt > 1
			_ = response.Body.Close()
			err = problem
		}
		if attempt >= s.attempts || !s.retryable(r, problem) {
			return nil, err
		}
		if pause(r.Context(), s.pauseAfter(attempt, problem)) != nil {
			return nil, err
		}
		if r.GetBody != nil {
			if r.Body, err = r.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}

// send sends one attempt, with a current token.
func (s *sender) send(r *http.Request) (*http.Response, error) {
	token, err := s.token(r.Context())
	if err != nil {
		return nil, fmt.Errorf("access token: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if isSnapshot(r) {
		return stream(s.http, r)
	}
	return s.http.Do(r)
}

// dropParameters removes the parameters of the media type, such as the charset that some
// proxies add: the generated client distinguishes the forms of a response by the type
// alone.
func dropParameters(header http.Header) {
	kind, _, found := strings.Cut(header.Get("Content-Type"), ";")
	if found {
		header.Set("Content-Type", strings.TrimSpace(kind))
	}
}

// acceptsKey reports whether the service supports an Idempotency-Key on the request:
// registrations, new secrets and rotations.
func acceptsKey(r *http.Request) bool {
	if r.Method != http.MethodPost {
		return false
	}
	path := strings.TrimSuffix(r.URL.Path, "/")
	return strings.HasSuffix(path, "/admin/oauth/clients") || strings.HasSuffix(path, "/secrets") || strings.HasSuffix(path, "/rotate-secret")
}

// retryable reports whether a retry may succeed and is safe, even if the service
// processed the request already. It does not process a request that it rejects with
// 429.
func (s *sender) retryable(r *http.Request, problem *ProblemError) bool {
	switch {
	case r.Context().Err() != nil, r.Body != nil && r.Body != http.NoBody && r.GetBody == nil:
		return false
	case problem == nil: // no response
		return Repeatable(r)
	case problem.Status == http.StatusTooManyRequests:
		return true
	case problem.Status == http.StatusServiceUnavailable, problem.Status == http.StatusBadGateway,
		problem.Status == http.StatusGatewayTimeout: // proxies send 502 and 504
		return Repeatable(r)
	default:
		return false
	}
}

// pauseAfter returns the time to wait after an attempt: the time that the service
// requested, plus a random part of a time that doubles with each attempt. The random
// part keeps many clients from retrying at the same time.
func (s *sender) pauseAfter(attempt int, problem *ProblemError) time.Duration {
	delay := mathrand.N(firstPause << min(attempt-1, 10)) //nolint:gosec // a pause need not be unpredictable
	if problem != nil {
		delay += problem.RetryAfter
	}
	return min(delay, s.maxPause)
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

// retryAfter reads the Retry-After header in both of its forms (RFC 9110 §10.2.3).
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
