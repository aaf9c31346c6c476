package jwks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

const (
	// failureFresh is how long a failure is remembered, so that repeated attempts
	// to store the same client do not repeat the request.
	failureFresh = 2 * time.Second
	maxCached    = 1000
	// unresolvedDelay is the earliest time after the start of a fetch at which a
	// name that does not exist, or one without a public address, is reported, or
	// half the timeout if that is less. So the two cannot be distinguished by time;
	// resolvers mostly respond sooner.
	unresolvedDelay = 500 * time.Millisecond
)

// documentKind describes the documents that a source fetches, and the facts T that come
// of them.
type documentKind[T any] struct {
	types        []string // the media types that are accepted, the preferred one first
	maxBytes     int64    // longer documents are cut one byte behind this
	maxRedirects int
	seen         func(text []byte) T           // the facts of a document
	unreachable  func(reason string) (facts T) // the facts of a failure
}

// source fetches documents of one kind, and remembers what it fetched. It is the only
// code that connects to hosts of clients. The URIs were checked by a [domain.Policy].
type source[T any] struct {
	kind    documentKind[T]
	options Options
	client  *http.Client
	flight  singleflight.Group
	limits  *fetchLimits // shared with the other sources

	mu    sync.Mutex
	cache map[string]result[T]
}

// result is the outcome of a fetch.
type result[T any] struct {
	facts     T
	fetchedAt time.Time
	expires   time.Time
}

func newSource[T any](options Options, limits *fetchLimits, kind documentKind[T]) *source[T] {
	return &source[T]{
		kind: kind, options: options, client: guardedClient(options, kind.maxRedirects), limits: limits, cache: map[string]result[T]{},
	}
}

// fetch returns the facts of the document at a URI, and when it was fetched. Concurrent
// fetches of one URI share one request, also across tenants. The error is
// [application.ErrTooManyFetches] or [application.ErrUnavailable].
func (s *source[T]) fetch(ctx context.Context, tenant domain.TenantID, uri string) (facts T, at time.Time, err error) {
	now := s.options.Now()
	target, err := url.Parse(uri)
	if err != nil {
		return s.kind.unreachable("the URI is not valid"), now, nil //nolint:nilerr // it is in the result
	}
	fresh := func() (result[T], bool) { return s.cached(uri, s.options.Now()) }
	return s.share(ctx, tenant, uri, fresh, func() (result[T], error) {
		return s.fetchWithinLimits(tenant, uri, target.Hostname(), false)
	})
}

// share returns what is known, or else what fetch returns, which concurrent calls with the
// same key share.
func (s *source[T]) share(
	ctx context.Context, tenant domain.TenantID, key string, known func() (result[T], bool), fetch func() (result[T], error),
) (facts T, at time.Time, err error) {
	if found, ok := known(); ok {
		return found.facts, found.fetchedAt, nil
	}
	for {
		// The end of one caller's request must not fail the fetch for the others,
		// so the fetch has its own deadline.
		outcome := s.flight.DoChan(key, func() (any, error) {
			if found, ok := known(); ok {
				return found, nil
			}
			return fetch()
		})
		select {
		case done := <-outcome:
			if fetched, ok := done.Val.(result[T]); ok && done.Err == nil {
				return fetched.facts, fetched.fetchedAt, nil
			}
			limited, ok := errors.AsType[*limitError](done.Err)
			if ok && limited.tenant != tenant {
				continue // the share of another tenant was used up, not this one's
			}
			return facts, s.options.Now(), done.Err
		case <-ctx.Done():
			return facts, s.options.Now(), fmt.Errorf("%w: %w", application.ErrUnavailable, ctx.Err())
		}
	}
}

// renewedKey is the key in the cache of the last attempt to read a document again.
func renewedKey(uri string) string { return "renewed " + uri }

// refetch is fetch, but reads the document again unless that was tried within the last
// [minFresh]. Its own results are remembered for this time. Later fetches return what it
// has read, but not a failure, which says nothing against what was read before.
func (s *source[T]) refetch(ctx context.Context, tenant domain.TenantID, uri string) (facts T, at time.Time, err error) {
	now := s.options.Now()
	target, err := url.Parse(uri)
	if err != nil {
		return s.kind.unreachable("the URI is not valid"), now, nil //nolint:nilerr // it is in the result
	}
	recent := func() (result[T], bool) {
		if known, ok := s.cached(renewedKey(uri), s.options.Now()); ok {
			return known, true
		}
		known, ok := s.cached(uri, s.options.Now())
		return known, ok && s.options.Now().Sub(known.fetchedAt) < minFresh
	}
	return s.share(ctx, tenant, renewedKey(uri), recent, func() (result[T], error) {
		return s.fetchWithinLimits(tenant, uri, target.Hostname(), true)
	})
}

// cached returns the result of an earlier fetch that is still fresh.
func (s *source[T]) cached(uri string, now time.Time) (result[T], bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.cache[uri]
	return known, ok && now.Before(known.expires)
}

// fetchWithinLimits fetches unless too many fetches are in progress, and caches the
// result; again is set if the document may be in the cache. The error is a [*limitError].
func (s *source[T]) fetchWithinLimits(tenant domain.TenantID, uri, host string, again bool) (result[T], error) {
	release, ok := s.limits.acquire(tenant, host)
	if !ok {
		return result[T]{}, &limitError{tenant}
	}
	defer release()
	facts, fresh := s.request(uri)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.cache) >= maxCached {
		clear(s.cache)
	}
	now := s.options.Now()
	fetched := result[T]{facts: facts, fetchedAt: now, expires: now.Add(fresh)}
	known, isKnown := s.cache[uri]
	if failed := fresh == failureFresh; !again || !failed || !isKnown || !now.Before(known.expires) {
		s.cache[uri] = fetched
	}
	if again {
		fetched.expires = now.Add(minFresh)
		s.cache[renewedKey(uri)] = fetched
	}
	return fetched, nil
}

// request makes one request. The result may be used for the duration fresh.
func (s *source[T]) request(uri string) (facts T, fresh time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), s.options.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, http.NoBody)
	if err != nil {
		return s.kind.unreachable("the URI cannot be requested"), failureFresh
	}
	request.Header.Set("Accept", strings.Join(s.kind.types, ", "))
	began := time.Now()
	response, err := s.client.Do(request)
	if err != nil {
		if _, unresolved := errors.AsType[*net.DNSError](err); unresolved || errors.Is(err, errAddress) {
			s.options.Wait(ctx, min(unresolvedDelay, s.options.Timeout/2)-time.Since(began))
		}
		return s.kind.unreachable(s.failure(err)), failureFresh
	}
	defer response.Body.Close()
	if reason := s.unacceptable(response); reason != "" {
		return s.kind.unreachable(reason), failureFresh
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, s.kind.maxBytes+1))
	if err != nil {
		return s.kind.unreachable(s.failure(err)), failureFresh
	}
	return s.kind.seen(text), freshness(response.Header, s.options.Now())
}

// unreachable is the one reason for a name that does not exist, a name without a
// public address and a host that cannot be reached, so that the registry cannot be
// used to probe a network.
const unreachable = "the host cannot be reached at a public address, or does not speak TLS with a valid certificate"

// failure reports why a fetch failed.
func (s *source[T]) failure(err error) string {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, errRedirects) && s.kind.maxRedirects == 0:
		return "the host redirects, which is not followed"
	case errors.Is(err, errRedirects):
		return "the host redirects more than " + strconv.Itoa(s.kind.maxRedirects) + " times"
	case errors.Is(err, errRedirectTarget):
		return "the host redirects to a URI from which nothing is fetched"
	case errors.Is(err, errAddress):
		return unreachable
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "the host did not respond in time"
	default:
		return unreachable
	}
}

// unacceptable reports why the body of a response is not read; empty if it is.
func (s *source[T]) unacceptable(response *http.Response) string {
	if response.StatusCode != http.StatusOK {
		return "the host responded with status " + strconv.Itoa(response.StatusCode)
	}
	kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil || !slices.Contains(s.kind.types, kind) {
		return "the Content-Type is not " + strings.Join(s.kind.types, " or ")
	}
	if encoding := response.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return "the response is compressed, although the request did not allow it"
	}
	return ""
}
